//! Progress of a building site from dated photos: counts against a plan, change between dates, and height.
//!
//! Non-goals: three dimensions, quantities in meters, and why something is late.

mod align;
mod change;
mod chart;
mod draw;
mod error;
mod items;
mod json;
mod matching;
mod outcome;
mod page;
mod plan;
mod plan_file;
mod plane;
mod report;
mod series;
mod skyline;
mod transform;
mod views;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use tinderbox_datasets::atomic_file::write_atomic;
use tinderbox_train::TaskError;
use tinderbox_train::section::Analysis;

pub use self::error::ProgressError;
pub use self::items::Daily;
pub use self::plan::{Deviation, ItemPlan, Unit};
pub use self::plan_file::{PlanError, read_plan};

use self::items::Item;
use self::outcome::Row;
use self::series::Photo;
use self::views::Views;
use crate::vision::VisionModel;

/// How progress is derived.
#[derive(Clone, Debug, PartialEq)]
pub struct ProgressOptions {
    /// The plan, a CSV file; see [`read_plan`].
    pub plan: Option<PathBuf>,
    /// The page, an HTML file.
    pub out: Option<PathBuf>,
    /// Name of the run, for the page.
    pub run: Option<String>,
    /// Parts of the width of the reference photo, in `[0, 1]`, whose height is derived; those that rise if there is
    /// none.
    pub columns: Vec<[f64; 2]>,
    /// How the photos of a date make one count.
    pub daily: Daily,
}

/// Everything that was derived.
struct Progress<'a> {
    options: &'a ProgressOptions,
    photos: Vec<Photo>,
    labels: Vec<String>,
    views: Views,
    items: Vec<Item>,
    plan: Vec<ItemPlan>,
    rows: Vec<Row>,
    notes: Vec<String>,
}

/// Aligns dated photos, counts what a model finds in them, compares the counts with a plan, marks what changed and
/// derives how far the skyline rose; writes a page. `each` hears of the photos that are read and of all.
///
/// # Errors
///
/// See [`ProgressError`]; or if a photo cannot be read, the device fails or the page cannot be written.
pub fn progress(
    model: Option<&VisionModel>,
    inputs: &[PathBuf],
    options: &ProgressOptions,
    each: &mut dyn FnMut(usize, usize),
) -> Result<Analysis, TaskError> {
    let derived = derive(model, inputs, options, each)?;
    if let Some(out) = &options.out {
        let page = derived.page();
        write_atomic(out, |file| file.write_all(page.as_bytes())).map_err(|error| {
            TaskError::user(format!("cannot write `{}`: {error}", out.display()))
        })?;
    }
    Ok(derived.analysis())
}

fn derive<'a>(
    model: Option<&VisionModel>,
    inputs: &[PathBuf],
    options: &'a ProgressOptions,
    each: &mut dyn FnMut(usize, usize),
) -> Result<Progress<'a>, TaskError> {
    if let Some(out) = &options.out {
        check_out(out).map_err(TaskError::user)?;
    }
    let measures = series::measures(model).map_err(TaskError::user)?;
    let path = options.plan.as_deref().unwrap_or(Path::new(""));
    let plan = match &options.plan {
        Some(path) => read_plan(path).map_err(TaskError::user)?,
        None => Vec::new(),
    };
    outcome::check(&plan, measures, path).map_err(TaskError::user)?;
    let (dated, notes) = series::dated(inputs)?;
    let photos = series::read(&dated, model, each)?;
    let views = Views::of(&photos, &options.columns);
    let mut items = items::class_items(&photos, measures, options.daily);
    items.extend(views.items(&photos));
    let rows = outcome::rows(&plan, &items, path).map_err(TaskError::user)?;
    Ok(Progress {
        options,
        photos,
        labels: measures.labels.to_vec(),
        views,
        items,
        plan,
        rows,
        notes,
    })
}

/// Refuses an output that cannot be written, before anything is computed.
fn check_out(out: &Path) -> Result<(), ProgressError> {
    if out.is_dir() {
        return Err(ProgressError::OutIsFolder {
            path: out.to_owned(),
        });
    }
    let parent = out.parent().filter(|parent| !parent.as_os_str().is_empty());
    if parent.is_some_and(|parent| fs::metadata(parent).is_err()) {
        return Err(ProgressError::NoFolder {
            path: out.to_owned(),
        });
    }
    Ok(())
}
