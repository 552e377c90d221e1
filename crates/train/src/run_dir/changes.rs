//! Changes of a recipe that a resumed run may have: its length and more records, and nothing else.

use std::path::Path;

use toml::{Table, Value};

use super::RunError;
use crate::overlay::Reread;

/// Keys of `train` that only determine when training ends.
const LENGTH: [&str; 3] = ["epochs", "patience", "total_timesteps"];

/// The section of what is recorded besides `metrics.jsonl`.
const METRICS: &str = "metrics";

/// The difference between a recipe and that of the run to resume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// No difference.
    None,
    /// It records more or writes no report: see [`METRICS`].
    Records,
    /// It trains longer: one of [`LENGTH`] is higher.
    Longer,
}

/// Compares the recipe of the run in `path` with the one to resume it with.
pub(super) fn compare(
    path: &Path,
    stored: &str,
    given: &str,
    reread: Reread,
) -> Result<Change, RunError> {
    if stored == given {
        return Ok(Change::None);
    }
    // It may lack keys that are newer.
    let stored = reread(stored).unwrap_or_else(|| stored.to_owned());
    let tables = (stored.parse::<Table>(), given.parse::<Table>());
    if let (Ok(old), Ok(new)) = &tables {
        let [found, expected] =
            [old, new].map(|table| table.get("format").and_then(Value::as_integer).unwrap_or(0));
        if found != expected {
            return Err(RunError::Format {
                path: path.to_owned(),
                found,
                expected,
            });
        }
    }
    if let (Ok(old), Ok(new)) = tables
        && records_as_much(&old, &new)
    {
        let [old, new] = [without_metrics(old), without_metrics(new)];
        if old == new {
            return Ok(Change::Records);
        }
        // Its number of epochs was decided when it began.
        if !has_budget(&old) && without_length(&old) == without_length(&new) {
            return longer(path, &old, &new);
        }
    }
    let differs = stored
        .lines()
        .zip(given.lines())
        .find(|(ours, theirs)| ours != theirs);
    let key = |line: &str| line.split(" = ").next().map(str::to_owned);
    let lacks = |recipe: &str, line: &str| !recipe.lines().any(|own| key(own) == key(line));
    let difference = match differs {
        Some((_, theirs)) if lacks(&stored, theirs) => format!("it has no `{theirs}`"),
        Some((ours, _)) if lacks(given, ours) => {
            format!("it has `{ours}`, which the given recipe lacks")
        }
        Some((ours, theirs)) => format!("it has `{ours}`, not `{theirs}`"),
        None => "one has more keys than the other".to_owned(),
    };
    Err(RunError::OtherRecipe {
        path: path.to_owned(),
        difference,
    })
}

/// How to train longer than a recipe does, if its length can be raised.
pub(super) fn advice(recipe: &str) -> String {
    let Ok(recipe) = recipe.parse::<Table>() else {
        return String::new();
    };
    if has_budget(&recipe) {
        return String::new();
    }
    let [epochs, steps] = ["epochs", "total_timesteps"].map(|key| length(&recipe, key));
    if epochs > 0 {
        let more = 2 * epochs;
        return format!(
            "; to train it longer, resume it with more than {epochs} epochs, as with `--epochs {more}`"
        );
    }
    if steps > 0 {
        let more = 2 * steps;
        return format!(
            "; to train it longer, resume it with more than {steps} steps, as with `--set \
             train.total_timesteps={more}`"
        );
    }
    String::new()
}

fn longer(path: &Path, old: &Table, new: &Table) -> Result<Change, RunError> {
    for key in LENGTH {
        let [from, to] = [old, new].map(|recipe| length(recipe, key));
        // Without patience, training never ends early.
        let shorter = if key == "patience" {
            to != 0 && (from == 0 || to < from)
        } else {
            to < from
        };
        if shorter {
            return Err(RunError::Shorter {
                path: path.to_owned(),
                key,
                from,
                to,
            });
        }
    }
    Ok(Change::Longer)
}

fn length(recipe: &Table, key: &str) -> i64 {
    let value = recipe.get("train").and_then(|train| train.get(key));
    value.and_then(Value::as_integer).unwrap_or(0)
}

fn has_budget(recipe: &Table) -> bool {
    let train = recipe.get("train");
    train.is_some_and(|train| train.get("budget").is_some())
}

/// Whether what one recipe records is recorded by the other, too.
fn records_as_much(old: &Table, new: &Table) -> bool {
    let flags = |recipe: &Table| recipe.get(METRICS).and_then(Value::as_table).cloned();
    let (old, new) = (flags(old), flags(new).unwrap_or_default());
    let is_kept = |(name, value): (&String, &Value)| {
        // A report is written at the end, if at all.
        name == "report" || value.as_bool() == Some(false) || new.get(name) == Some(value)
    };
    old.iter().flatten().all(is_kept)
}

fn without_metrics(mut recipe: Table) -> Table {
    recipe.remove(METRICS);
    recipe
}

fn without_length(recipe: &Table) -> Table {
    let mut recipe = recipe.clone();
    if let Some(train) = recipe.get_mut("train").and_then(Value::as_table_mut) {
        for key in LENGTH {
            train.remove(key);
        }
    }
    recipe
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe(epochs: u32, patience: u32, seed: u32) -> String {
        format!("name = \"a\"\n[train]\nepochs = {epochs}\npatience = {patience}\nseed = {seed}\n")
    }

    #[test]
    fn a_run_can_be_resumed_for_longer_and_in_no_other_way() {
        let compare = |stored: &str, given: &str| {
            // A key that the program has had since.
            let reread: Reread = |text| {
                let is_old = !text.contains("newer");
                is_old.then(|| format!("{text}newer = false\n"))
            };
            super::compare(Path::new("run"), stored, given, reread)
        };
        let with_newer = |text: String, value: bool| format!("{text}newer = {value}\n");
        let recipe = |epochs, patience, seed| with_newer(recipe(epochs, patience, seed), false);
        let change = |given: &str| compare(&recipe(10, 3, 1), given);
        assert_eq!(change(&recipe(10, 3, 1)).unwrap(), Change::None);
        for longer in [recipe(20, 3, 1), recipe(10, 5, 1), recipe(10, 0, 1)] {
            assert_eq!(change(&longer).unwrap(), Change::Longer, "{longer}");
        }
        for (given, words) in [
            (recipe(5, 3, 1), "`train.epochs` can only be raised"),
            (recipe(20, 2, 1), "`train.patience` can only be raised"),
            (recipe(20, 3, 2), "it has `epochs = 10`, not `epochs = 20`"),
            (recipe(10, 3, 2), "it has `seed = 1`, not `seed = 2`"),
            (
                recipe(10, 3, 1).replace("seed", "budget = \"20m\"\nseed"),
                "it has no `budget = \"20m\"`",
            ),
        ] {
            let error = change(&given).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
        let events =
            |epochs: u32| format!("{}[metrics]\ntensorboard = true\n", recipe(epochs, 3, 1));
        assert_eq!(change(&events(10)).unwrap(), Change::Records);
        assert_eq!(change(&events(20)).unwrap(), Change::Longer);
        let old = |given: &str| compare(&self::recipe(10, 3, 1), given);
        assert_eq!(old(&recipe(10, 3, 1)).unwrap(), Change::Records);
        assert_eq!(old(&recipe(20, 3, 1)).unwrap(), Change::Longer);
        let on = with_newer(self::recipe(10, 3, 1), true);
        let error = old(&on).unwrap_err().to_string();
        assert!(
            error.contains("it has `newer = false`, not `newer = true`"),
            "{error}"
        );
        let fewer = compare(&events(10), &recipe(10, 3, 1));
        assert!(matches!(fewer, Err(RunError::OtherRecipe { .. })));
        let budget = |epochs: u32| format!("{}budget = \"20m\"\n", recipe(epochs, 3, 1));
        let change = compare(&budget(10), &budget(20));
        let error = change.unwrap_err().to_string();
        assert!(error.contains("`epochs = 10`"), "{error}");
        assert!(advice(&recipe(10, 3, 1)).contains("`--epochs 20`"));
        assert_eq!(advice(&budget(10)), "");
    }
}
