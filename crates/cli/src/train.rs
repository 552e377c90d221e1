//! The command `train` of every app.

use std::fs;
use std::path::{Path, PathBuf};

use tinderbox_backend::{DeviceSpec, Opened};
use tinderbox_train::run_dir::{RECIPE_FILE, Summary};
use tinderbox_train::section::Section;
use tinderbox_train::task::Overview;
use tinderbox_train::tensorboard::{self, TENSORBOARD_DIR};
use tinderbox_train::{Ranks, Report, Task, TaskRecipe as _, result_warnings};

use crate::app::{App, RecipeOf, TrainCommand};
use crate::recipe::run_dir;
use crate::report::layer_rows;
use crate::splits::{duplicates_note, split_lines};
use crate::{Failure, mpi, note, open_device, progress, run_report, sections, summary, table};
use tinderbox_train::format::thousands;

/// Trains a model as the flags say.
pub(crate) fn run<A: App>(args: &TrainCommand<A::TrainFlags>) -> Result<(), Failure> {
    mpi::on_ranks(&args.train.run, |run, ranks, scratch| {
        let mut args = args.clone();
        args.train.run = run;
        let device = open_device(args.train.run.device, A::NAME)?;
        let recipe = A::resolve(&args.own, &args.train)?;
        // Only the first rank has a run directory; others have a folder that is thrown away.
        let (dir, resume) = match scratch {
            Some(scratch) => (scratch.to_owned(), false),
            None => run_dir(&args.train.run, recipe.name(), recipe.seed())?,
        };
        let place = Place {
            device: &device,
            ranks,
            dir: &dir,
            resume,
        };
        train::<A>(&args, recipe, &place, |_| {})
    })
}

/// Where a model is trained.
pub(crate) struct Place<'a> {
    pub(crate) device: &'a Opened,
    pub(crate) ranks: &'a Ranks,
    /// The run directory.
    pub(crate) dir: &'a Path,
    /// Whether to resume the run that is there.
    pub(crate) resume: bool,
}

/// Trains a model by a recipe; `add` completes its report.
pub(crate) fn train<A: App>(
    args: &TrainCommand<A::TrainFlags>,
    recipe: RecipeOf<A>,
    &Place {
        device,
        ranks,
        dir,
        resume,
    }: &Place<'_>,
    add: impl FnOnce(&mut Report),
) -> Result<(), Failure> {
    let common = &args.train.run;
    if matches!(device.spec, DeviceSpec::Cpu | DeviceSpec::NdArray) {
        A::Task::check_memory(&recipe)?;
    }
    let task = A::Task::prepare(recipe)?;
    let overview = task.overview();
    if !common.quiet {
        describe::<A::Task>(task.recipe().name(), &overview);
        let verb = if resume { "resuming in" } else { "writing to" };
        note(&format!(
            "{}{}, {verb} {}",
            parameters_on(device, &overview),
            on_ranks(ranks),
            dir.display()
        ));
    }
    // Faults of the data are worth a line even where no other is wanted.
    let shared = summary::shared_warnings::<A::Task>(&overview);
    let shared = shared.iter().filter(|_| common.quiet);
    for warning in shared.chain(&overview.warnings) {
        note(&format!("warning: {warning}"));
    }
    let mut options = progress::watch(&args.train, dir, resume);
    options.ranks = ranks.clone();
    A::set_options(args, &task, &mut options);
    let mut report = task.train(&device.device, options)?;
    if !ranks.is_first() {
        return Ok(());
    }
    let item = summary::counted(&report.evaluation, A::Task::ITEM);
    let warnings = result_warnings(&report, &overview, item);
    report.warnings.extend(warnings);
    add(&mut report);
    let summary = summary::of::<A>(task.recipe(), device, &overview, &report);
    Section::save_all(&sections::of(&report), report.run.path())?;
    report.run.finish(&summary)?;
    summary::print(&report, &summary, A::Task::ITEM, dir)?;
    A::after_training(&task, &report, &device.device, common.quiet)?;
    add_events(dir, &summary)?;
    if task.recipe().metrics().report {
        run_report::after_training(dir, common.quiet);
    }
    Ok(())
}

/// The number of ranks, if there are several.
fn on_ranks(ranks: &Ranks) -> String {
    match ranks.size() {
        1 => String::new(),
        size => format!(", on {size} ranks"),
    }
}

/// Adds recipe, images and result to the event files, if the run writes some.
fn add_events(dir: &Path, summary: &Summary) -> Result<(), Failure> {
    if !dir.join(TENSORBOARD_DIR).is_dir() {
        return Ok(());
    }
    let recipe = fs::read_to_string(dir.join(RECIPE_FILE))?;
    let recipe = recipe.parse().map_err(anyhow::Error::from)?;
    let images = fs::read_dir(dir.join("images")).into_iter().flatten();
    let images = images.filter_map(|entry| Some(entry.ok()?.path()));
    let mut images: Vec<PathBuf> = images.collect();
    images.sort();
    tensorboard::finish(dir, &recipe, &summary.test, summary.steps, &images)?;
    Ok(())
}

fn parameters_on(device: &Opened, overview: &Overview) -> String {
    let parameters: usize = overview.layers.iter().map(|layer| layer.parameters).sum();
    let on = format!("on {} ({})", device.spec, device.backend);
    if overview.layers.is_empty() {
        return on;
    }
    format!("{} parameters {on}", thousands(parameters))
}

/// Prints what was read and how it is split.
pub(crate) fn describe<T: Task>(recipe: &str, overview: &Overview) {
    note(&format!("recipe {recipe}: {}", overview.summary));
    let item = overview.item.unwrap_or(T::ITEM);
    if !overview.splits.is_empty() {
        note(&split_lines(&overview.splits, item).join("\n"));
    }
    let items = overview.splits.iter().map(|split| split.count).sum();
    let is_apart = overview.shared.is_empty();
    let duplicates = duplicates_note(overview.duplicates, items, item, is_apart);
    let shared = summary::shared_warnings::<T>(overview).into_iter();
    duplicates
        .into_iter()
        .chain(shared.map(|warning| format!("warning: {warning}")))
        .chain(overview.notes.iter().cloned())
        .for_each(|line| note(&line));
    for section in &overview.sections {
        note(&sections::text(section));
    }
    if !overview.layers.is_empty() {
        note(&table(&layer_rows(&overview.layers)));
    }
}
