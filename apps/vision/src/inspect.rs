//! The `inspect` command: statistics and problems of a data set of images.

use std::path::PathBuf;

use serde_json::json;
use tinderbox_cli::output::thousands;
use tinderbox_cli::recipe::data_path;
use tinderbox_cli::splits::{IMAGE, split_lines};
use tinderbox_cli::{Failure, OrUserError as _, Output, table};
use tinderbox_datasets::image::{
    FolderReport, SplitReport, inspect, is_idx_folder, open_idx_folder,
};
use tinderbox_recipes::vision::{Data, Opened, open};
use tinderbox_train::task::SplitOverview;

use crate::RECIPES;
use crate::choose::Choice;

/// How many times as many images as the smallest class the largest may have without a warning.
const IMBALANCE: usize = 10;

/// Images that a class should have at least.
const FEW: usize = 20;

/// What `inspect` takes.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    /// Folder, archive, table of paths or IDX files
    #[arg(long, value_name = "PATH")]
    data: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    if is_idx_folder(&args.data) {
        let report = idx_report(args)?;
        return print(args, &report);
    }
    let report = inspect(&args.data).or_user_error()?;
    print(args, &report)
}

/// IDX files in the form of a folder: all images are of one size and none can be damaged.
fn idx_report(args: &Args) -> Result<FolderReport, Failure> {
    let mut recipe = RECIPES.get("mnist")?;
    Choice::of(&args.data)?.apply(&mut recipe);
    if let Data::Idx { classes, .. } = &recipe.data {
        // Errors of the files are better than those of a recipe.
        open_idx_folder(&args.data, classes).or_user_error()?;
    }
    if let Some(slot) = recipe.data.path_mut() {
        data_path(&args.data)?.clone_into(slot);
    }
    let opened = open(&recipe.data).or_user_error()?;
    let [height, width, _] = opened.shape();
    let split = |name: &str| -> Option<SplitReport> {
        let range = opened.named(name)?.range.clone();
        let images = range.len();
        Some(SplitReport {
            name: name.to_owned(),
            source: opened.named(name)?.source.clone(),
            classes: class_counts(&opened, range),
            images,
        })
    };
    let total = opened.labels.len();
    Ok(FolderReport {
        splits: ["train", "valid", "test"]
            .into_iter()
            .filter_map(split)
            .collect(),
        formats: [("IDX".to_owned(), total)].into(),
        sizes: [((height, width), total)].into(),
        damaged: Vec::new(),
        copies: tinderbox_datasets::count_copies(&opened.contents),
        shared: 0,
        conflicts: 0,
        left_out: opened.left_out,
        notes: opened.notes,
    })
}

fn class_counts(opened: &Opened, rows: std::ops::Range<usize>) -> Vec<(String, usize)> {
    let mut counts = vec![0; opened.classes.len()];
    for &label in &opened.labels[rows] {
        counts[usize::from(label)] += 1;
    }
    opened.classes.iter().cloned().zip(counts).collect()
}

fn print(args: &Args, report: &FolderReport) -> Result<(), Failure> {
    let warnings = warnings(report);
    let mut out = Output::Stdout;
    if args.json {
        let sizes = report.sizes.iter();
        let sizes: Vec<_> = sizes
            .map(|((height, width), images)| json!({"height": height, "width": width, "images": images}))
            .collect();
        let splits = report.splits.iter();
        let splits: Vec<_> = splits
            .map(|split| {
                let classes: serde_json::Map<_, _> = split
                    .classes
                    .iter()
                    .map(|(class, count)| (class.clone(), json!(count)))
                    .collect();
                json!({"name": split.name, "source": split.source, "images": split.images,
                       "classes": classes})
            })
            .collect();
        let line = json!({
            "data": args.data,
            "splits": splits,
            "formats": report.formats,
            "sizes": sizes,
            "damaged": report.damaged,
            "copies": report.copies,
            "left_out": report.left_out.counts(),
            "warnings": warnings,
        });
        return out.line(&line.to_string());
    }
    let total: usize = report.splits.iter().map(|split| split.images).sum();
    out.line(&format!(
        "{}: {} images",
        args.data.display(),
        thousands(total)
    ))?;
    let lines: Vec<SplitOverview> = report.splits.iter().map(line_of).collect();
    out.line(&split_lines(&lines, IMAGE).join("\n"))?;
    if let Some(rows) = class_table(report) {
        out.line(&table(&rows))?;
    }
    let formats = report.formats.iter();
    let formats: Vec<String> = formats
        .map(|(format, count)| format!("{format} {}", thousands(*count)))
        .collect();
    out.line(&format!("formats: {}", formats.join(", ")))?;
    out.line(&format!("sizes (height x width): {}", sizes(report)))?;
    for note in &report.notes {
        out.line(&format!("note: {note}"))?;
    }
    if !report.left_out.is_empty() {
        out.line(&format!("note: {}", report.left_out))?;
    }
    for warning in &warnings {
        out.line(&format!("warning: {warning}"))?;
    }
    if warnings.is_empty() {
        out.line("no issues found")?;
    }
    Ok(())
}

fn line_of(split: &SplitReport) -> SplitOverview {
    SplitOverview {
        name: split.name.clone(),
        count: split.images,
        source: split.source.clone(),
        classes: Vec::new(),
    }
}

/// The images of each class in each split.
fn class_table(report: &FolderReport) -> Option<Vec<Vec<String>>> {
    let names: std::collections::BTreeSet<&String> = report
        .splits
        .iter()
        .flat_map(|split| split.classes.iter().map(|(class, _)| class))
        .collect();
    if names.len() > 100 {
        return None;
    }
    let head = std::iter::once("class".to_owned());
    let head = head.chain(report.splits.iter().map(|split| split.name.clone()));
    let mut rows = vec![head.collect::<Vec<_>>()];
    for name in names {
        let counts = report.splits.iter().map(|split| {
            let own = split.classes.iter().find(|(class, _)| class == name);
            thousands(own.map_or(0, |(_, count)| *count))
        });
        rows.push(std::iter::once(name.clone()).chain(counts).collect());
    }
    Some(rows)
}

fn sizes(report: &FolderReport) -> String {
    let mut sizes: Vec<_> = report.sizes.iter().collect();
    sizes.sort_by_key(|&(_, &count)| std::cmp::Reverse(count));
    if let [((height, width), _)] = sizes[..] {
        return format!("all {height}x{width}");
    }
    let side = |of: &dyn Fn(&(usize, usize)) -> usize| {
        let sides = report.sizes.keys().map(of);
        (sides.clone().min().unwrap_or(0), sides.max().unwrap_or(0))
    };
    let (heights, widths) = (side(&|size| size.0), side(&|size| size.1));
    let common = sizes.iter().take(3);
    let common: Vec<String> = common
        .map(|((height, width), count)| format!("{height}x{width} ({})", thousands(**count)))
        .collect();
    format!(
        "{}x{} to {}x{}, most often {}",
        heights.0,
        widths.0,
        heights.1,
        widths.1,
        common.join(", ")
    )
}

/// What may spoil a training.
fn warnings(report: &FolderReport) -> Vec<String> {
    let mut warnings = Vec::new();
    if let [first, ..] = &report.damaged[..] {
        warnings.push(format!(
            "{} damaged (`data.skip_broken=true` leaves them out); the first: {first}",
            count(report.damaged.len(), "image is", "images are")
        ));
    }
    if report.copies > 0 {
        warnings.push(format!(
            "{} of another image; `train` keeps copies in one split",
            count(report.copies, "image is a copy", "images are copies")
        ));
    }
    if report.shared > 0 {
        warnings.push(format!(
            "{} in the training split: the test score will be too good",
            count(
                report.shared,
                "test image also occurs",
                "test images also occur"
            )
        ));
    }
    if report.conflicts > 0 {
        warnings.push(format!(
            "{} in several classes",
            count(report.conflicts, "image occurs", "images occur")
        ));
    }
    let train = report.splits.first();
    let counts = train.map(|split| &split.classes[..]).unwrap_or_default();
    let smallest = counts.iter().min_by_key(|(_, count)| *count);
    let largest = counts.iter().max_by_key(|(_, count)| *count);
    if let (Some((small, few)), Some((large, many))) = (smallest, largest) {
        if *many >= IMBALANCE * (*few).max(1) {
            warnings.push(format!(
                "imbalanced classes: `{large}` has {} images and `{small}` {}",
                thousands(*many),
                thousands(*few)
            ));
        }
        let small = counts.iter().filter(|(_, count)| *count < FEW).count();
        if small > 0 {
            warnings.push(format!(
                "{} fewer than {FEW} images",
                count(small, "class has", "classes have")
            ));
        }
    }
    warnings
}

fn count(count: usize, one: &str, many: &str) -> String {
    format!(
        "{} {}",
        thousands(count),
        if count == 1 { one } else { many }
    )
}
