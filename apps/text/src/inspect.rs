//! The `inspect` command.

use std::path::PathBuf;

use anyhow::Context as _;
use tinderbox_cli::output::thousands;
use tinderbox_cli::recipe::data_path;
use tinderbox_cli::{Failure, OrUserError as _, Output, table};
use tinderbox_recipes::text::{Inspection, Quantiles, Recipe, SplitInspection, inspect, open};
use tinderbox_train::overlay::assign;

use crate::{RECIPES, train};

/// Classes that are printed; of more, the largest and the smallest.
const CLASSES: usize = 40;

/// Fewest training texts of a class that a model can be expected to learn from.
const FEW: usize = 10;

/// What `inspect` takes.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    /// File or folder with the data
    #[arg(long, value_name = "PATH")]
    data: PathBuf,
    /// Recipe that would be trained on the data
    #[arg(long, value_name = "NAME|FILE.toml", default_value = "texts")]
    recipe: String,
    /// Column or key of the text; repeat it to join columns, or for the two texts of a pair
    #[arg(long, value_name = "COLUMN")]
    text: Vec<String>,
    /// Column or key of the label
    #[arg(long, value_name = "COLUMN")]
    label: Option<String>,
    /// Override a recipe key, e.g. data.format.encoding=windows-1252
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let recipe = resolve(args)?;
    recipe.data.options().or_user_error()?;
    let corpus = open(&recipe.data, &recipe.split).or_user_error()?;
    let inspection = inspect(&corpus);
    let mut out = Output::Stdout;
    if args.json {
        return out.line(&serde_json::to_string(&inspection)?);
    }
    print(&mut out, &args.data.display().to_string(), &inspection)
}

fn resolve(args: &Args) -> Result<Recipe, Failure> {
    let recipe = RECIPES.resolve(Some(&args.recipe), &[])?;
    let mut recipe = assign(recipe, &args.set)
        .context("`--set`")
        .or_user_error()?;
    train::columns(&mut recipe, &args.text, args.label.as_ref())?;
    let Some(slot) = recipe.data.path_mut() else {
        return Err(Failure::user(format!(
            "`--data` does not fit the recipe `{}`, which generates its own texts; choose another with \
             `--recipe`",
            recipe.name
        )));
    };
    data_path(&args.data)?.clone_into(slot);
    recipe.data.set_skip_empty();
    Ok(recipe)
}

fn print(out: &mut Output, name: &str, inspection: &Inspection) -> Result<(), Failure> {
    let texts: usize = inspection.splits.iter().map(|split| split.texts).sum();
    out.line(&format!("{name}: {} texts", thousands(texts)))?;
    out.line(&table(&split_rows(&inspection.splits)))?;
    let classes = class_rows(&inspection.splits);
    if classes.len() > 1 {
        out.line(&table(&classes))?;
    }
    out.line(&table(&length_rows(inspection)))?;
    let warnings = warnings(inspection, texts);
    for warning in &warnings {
        out.line(&format!("warning: {warning}"))?;
    }
    if warnings.is_empty() {
        out.line("no issues found")?;
    }
    Ok(())
}

fn split_rows(splits: &[SplitInspection]) -> Vec<Vec<String>> {
    let mut rows = vec![["split", "texts", "from"].map(str::to_owned).to_vec()];
    rows.extend(splits.iter().map(|split| {
        vec![
            split.name.to_owned(),
            thousands(split.texts),
            split.source.clone(),
        ]
    }));
    rows
}

/// A row for each class, the largest first.
fn class_rows(splits: &[SplitInspection]) -> Vec<Vec<String>> {
    let head = std::iter::once("class").chain(splits.iter().map(|split| split.name));
    let mut rows = vec![head.map(str::to_owned).collect::<Vec<_>>()];
    let names = splits.first().map_or(&[][..], |split| &split.classes);
    let count = |split: &SplitInspection, at: usize| split.classes.get(at).map_or(0, |(_, n)| *n);
    let total = |at: usize| splits.iter().map(|split| count(split, at)).sum::<usize>();
    let mut order: Vec<usize> = (0..names.len()).collect();
    order.sort_by_key(|&at| std::cmp::Reverse(total(at)));
    for (place, &at) in order.iter().enumerate() {
        if order.len() > CLASSES && place == CLASSES - 1 {
            let hidden = format!("... {} more", thousands(order.len() - CLASSES));
            rows.push(vec![hidden]);
        }
        if order.len() > CLASSES && (CLASSES - 1..order.len() - 1).contains(&place) {
            continue;
        }
        let counts = splits.iter().map(|split| thousands(count(split, at)));
        rows.push(std::iter::once(names[at].0.clone()).chain(counts).collect());
    }
    rows
}

fn length_rows(inspection: &Inspection) -> Vec<Vec<String>> {
    let head = ["length", "min", "median", "95%", "max"];
    let row = |name: &str, length: &Quantiles| {
        let Quantiles {
            min,
            median,
            p95,
            max,
        } = *length;
        let numbers = [min, median, p95, max].map(thousands).into_iter();
        std::iter::once(name.to_owned()).chain(numbers).collect()
    };
    vec![
        head.map(str::to_owned).to_vec(),
        row("words", &inspection.words),
        row("characters", &inspection.characters),
    ]
}

fn warnings(inspection: &Inspection, texts: usize) -> Vec<String> {
    let mut warnings = inspection.warnings.clone();
    let mut count = |count: usize, message: String| {
        if count > 0 {
            warnings.push(message);
        }
    };
    let Inspection {
        copies,
        contradictory,
        shared,
        ..
    } = *inspection;
    count(
        copies,
        format!(
            "{} of {} texts are copies of another text",
            thousands(copies),
            thousands(texts)
        ),
    );
    count(
        contradictory,
        format!(
            "{} different texts occur with more than one label",
            thousands(contradictory)
        ),
    );
    count(
        shared,
        format!(
            "{} texts of the test split also occur in the train split: the test score will be too good",
            thousands(shared)
        ),
    );
    if let Some(train) = inspection.splits.first() {
        let few: Vec<String> = train
            .classes
            .iter()
            .filter(|(_, count)| *count < FEW)
            .map(|(name, count)| format!("`{name}` ({count})"))
            .collect();
        let shown = few.iter().take(10).cloned().collect::<Vec<_>>().join(", ");
        let more = if few.len() > 10 {
            format!(" and {} more", few.len() - 10)
        } else {
            String::new()
        };
        count(few.len(), format!("few training texts of {shown}{more}"));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_classes_the_largest_and_the_smallest_are_shown() {
        let split = |name| SplitInspection {
            name,
            source: String::new(),
            texts: 0,
            classes: (0..50).map(|at| (format!("c{at}"), 2_000 + at)).collect(),
        };
        let rows = class_rows(&[split("train"), split("test")]);
        assert_eq!(rows.len(), CLASSES + 2);
        assert_eq!(
            rows[1],
            ["c49".to_owned(), thousands(2_049), thousands(2_049)]
        );
        assert_eq!(rows[CLASSES], ["... 10 more"]);
        assert_eq!(rows[CLASSES + 1][0], "c0");
    }
}
