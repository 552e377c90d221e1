//! What to be careful about, as the run stored it.

use tinderbox_train::task::Noun;

use crate::Run;

/// Whatever was split.
const ITEM: Noun = Noun("item", "items");

/// The warnings of a run, and what it lacks.
pub(crate) fn warnings(run: &Run) -> Vec<String> {
    let mut all = Vec::new();
    if let Some(summary) = &run.summary {
        for warning in &summary.warnings {
            if !all.contains(warning) {
                all.push(warning.clone());
            }
        }
        if let Some(data) = &summary.data {
            // Older runs stored only the counts.
            let mut shared = data.shared().warnings(ITEM);
            shared.retain(|warning| !is_known(&all, warning));
            all.extend(shared);
        }
    }
    all.extend(missing(run));
    all
}

/// Whether a warning is among those that are known, with another word for the items.
fn is_known(all: &[String], warning: &str) -> bool {
    let (_, end) = warning.split_once(" of the ").unwrap_or(("", warning));
    all.iter().any(|known| known.ends_with(end))
}

/// What this page cannot show.
fn missing(run: &Run) -> Vec<String> {
    if run.summary.is_none() {
        return vec![
            "this model folder has no run: scores, curves, analyses and the recipe are missing; report the \
             directory that `train` wrote to"
                .to_owned(),
        ];
    }
    let mut missing = Vec::new();
    let files = [
        (
            run.sections.is_none(),
            "sections.json",
            "analyses of the test split",
        ),
        (run.metrics.is_none(), "metrics.jsonl", "curves"),
        (run.recipe.is_none(), "recipe.toml", "the recipe"),
        (
            run.model.is_null(),
            "model/model.json",
            "the kind of the model and its classes",
        ),
    ];
    for (is_missing, file, what) in files {
        if is_missing {
            missing.push(format!("the run has no `{file}`: this page lacks {what}"));
        }
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_about_shared_items_is_told_once() {
        let shared = |noun| {
            let shared = tinderbox_train::SharedItems {
                test: 3,
                ..tinderbox_train::SharedItems::default()
            };
            shared.warnings(noun)
        };
        let stored = shared(Noun("text", "texts"));
        assert!(is_known(&stored, &shared(ITEM)[0]));
        assert!(!is_known(&["careful".to_owned()], &shared(ITEM)[0]));
    }
}
