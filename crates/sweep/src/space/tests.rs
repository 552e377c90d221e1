use serde::{Deserialize, Serialize};
use tinderbox_train::{Optimizer, TrainingOptions};

use super::*;

/// A recipe with the usual sections.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recipe {
    name: String,
    model: Model,
    optimizer: Optimizer,
    train: TrainingOptions,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
enum Model {
    Small { dropout: f64 },
    Large { layers: i64, dropout: f64 },
}

impl Patchable for Recipe {
    fn variant(path: &str, kind: &str) -> Option<Table> {
        let model = match (path, kind) {
            ("model", "small") => Model::Small { dropout: 0.1 },
            ("model", "large") => Model::Large {
                layers: 2,
                dropout: 0.1,
            },
            _ => return None,
        };
        Table::try_from(model).ok()
    }
}

pub(crate) fn recipe() -> Recipe {
    Recipe {
        name: "test".to_owned(),
        model: Model::Small { dropout: 0.1 },
        optimizer: Optimizer::of_kind("adamw").unwrap(),
        train: TrainingOptions::default(),
    }
}

fn refusal(text: &str) -> String {
    Space::parse(text, &recipe()).unwrap_err().to_string()
}

#[test]
fn a_space_is_read_with_its_conditions_in_order() {
    let text = "\
        model.layers = { min = 1, max = 4, when = { \"model.kind\" = \"large\" } }\n\
        model.kind = { choices = [\"small\", \"large\"] }\n\
        model.dropout = { min = 0, max = 0.5 }\n\
        optimizer.learning_rate = { min = 1e-4, max = 1e-2, log = true }\n";
    let space = Space::parse(text, &recipe()).unwrap();
    let keys: Vec<&str> = space
        .parameters()
        .iter()
        .map(|one| one.key.as_str())
        .collect();
    assert_eq!(
        keys,
        [
            "model.dropout",
            "model.kind",
            "model.layers",
            "optimizer.learning_rate"
        ]
    );
    // Whole numbers for a key that holds a fraction.
    assert_eq!(
        space.parameters()[0].range,
        Range::Float {
            min: 0.0,
            max: 0.5,
            log: false
        }
    );
    assert_eq!(Space::parse(&space.text(), &recipe()).unwrap(), space);
    let layers = &space.parameters()[2];
    let base = recipe_table(&recipe()).unwrap();
    let kind = |kind: &str| Values::from([("model.kind".to_owned(), Value::from(kind))]);
    assert!(!layers.applies(&Values::new(), &base));
    assert!(layers.applies(&kind("large"), &base) && !layers.applies(&kind("small"), &base));
}

#[test]
fn values_are_applied_after_the_kinds_of_their_sections() {
    let values = Values::from([
        ("model.dropout".to_owned(), Value::from(0.4)),
        ("model.kind".to_owned(), Value::from("large")),
        ("model.layers".to_owned(), Value::from(3)),
    ]);
    let model = apply(recipe(), &values).unwrap().model;
    assert!(
        matches!(model, Model::Large { layers: 3, dropout } if (dropout - 0.4).abs() < 1e-12),
        "{model:?}"
    );
}

#[test]
fn a_space_that_does_not_fit_is_refused() {
    for (text, words) in [
        (
            "train.epocs = { min = 1, max = 3 }",
            "unknown key `train.epocs`, did you mean `train.epochs`?",
        ),
        (
            "train.epochs = { min = 3, max = 3 }",
            "has an empty range: min 3 is not below max 3",
        ),
        (
            "train.epochs = { min = 1.5, max = 3.5 }",
            "`train.epochs` must be",
        ),
        (
            "train.epochs = { choices = [\"many\"] }",
            "`train.epochs` must be",
        ),
        ("train.epochs = { choices = [] }", "has no choices"),
        (
            "train.epochs = 3",
            "`train.epochs` in the search space is 3, which is no range",
        ),
        (
            "train.epochs = { min = 1 }",
            "needs either both min and max, or choices",
        ),
        (
            "train.epochs = { min = 0, max = 9, log = true }",
            "min must be above 0",
        ),
        (
            "train.epochs = { min = 1, max = 9, step = 2 }",
            "has `step`; known are min, max, log, choices and when",
        ),
        (
            "train.seed = { choices = [1, 2] }",
            "`train.seed` in the search space has no effect, because the sweep sets it; to train each trial with several \
             seeds, use `--seeds N`",
        ),
        // It is looked for in the recipe, as other keys of the data may be searched.
        ("data.size = { choices = [32, 64] }", "unknown key `data"),
        ("model.layers = { min = 1, max = 4 }", "`model.layers`"),
        ("model.kind = { choices = [\"huge\"] }", "`model.kind`"),
        (
            "model.dropout = { min = 0, max = 0.5, when = { \"model.kind\" = [] } }",
            "has no value for `model.kind` in when",
        ),
        (
            "model.dropout = { min = 0, max = 0.5, when = { \"model.kind\" = [\"small\", \"huge\"] } }",
            "huge",
        ),
        (
            "model.layers = { min = 1, max = 4, when = { \"model.kind\" = [\"large\", \"small\"] } }",
            "`model.layers`",
        ),
        ("", "the search space is empty"),
        ("a = ", "not valid TOML"),
    ] {
        let message = refusal(text);
        assert!(message.contains(words), "{text}: {message}");
    }
    let circular = "\
        train.epochs = { min = 1, max = 3, when = { \"train.batch_size\" = 8 } }\n\
        train.batch_size = { choices = [8, 16], when = { \"train.epochs\" = 2 } }\n";
    assert!(refusal(circular).contains("depend on each other"));
}

#[test]
fn values_that_no_trial_can_have_are_refused() {
    let valid = |recipe: &Recipe| {
        let (Model::Small { dropout } | Model::Large { dropout, .. }) = &recipe.model;
        if !(0.0..1.0).contains(dropout) {
            return Err(format!("`model.dropout` is {dropout}"));
        }
        if recipe.train.batch_size > 16 * recipe.train.epochs {
            return Err("`train.batch_size` is too large".to_owned());
        }
        Ok(())
    };
    let mut recipe = recipe();
    (recipe.train.batch_size, recipe.train.epochs) = (16, 1);
    let check = |text: &str| {
        let space = Space::parse(text, &recipe).unwrap();
        space
            .check(&recipe, valid)
            .map_err(|error| error.to_string())
    };
    let refused = check("model.dropout = { min = 0.1, max = 7.0 }");
    assert_eq!(
        refused.unwrap_err(),
        "`model.dropout` in the search space: `model.dropout` is 7"
    );
    assert_eq!(check("model.dropout = { min = 0.1, max = 0.7 }"), Ok(()));
    let sizes = "train.batch_size = { choices = [16, 32] }\n";
    assert!(check(sizes).unwrap_err().contains("is too large"));
    // Another key of the space makes the value possible.
    let epochs = "train.epochs = { min = 1, max = 2 }\n";
    assert_eq!(check(&format!("{sizes}{epochs}")), Ok(()));
}

#[test]
fn a_new_space_has_no_keys_of_the_items() {
    let mut space = Space::parse("train.epochs = { min = 1, max = 2 }", &recipe()).unwrap();
    assert!(space.check(&recipe(), |_| Ok(())).is_ok());
    for key in ["split.seed", "data.target", "data.format.header"] {
        key.clone_into(&mut space.parameters[0].key);
        let error = space.check(&recipe(), |_| Ok(())).unwrap_err();
        let expected = format!(
            "`{key}` in the search space says which items there are or how they are split, and trials on different \
             items cannot be compared; fix it with `--set`"
        );
        assert_eq!(error.to_string(), expected);
    }
    assert!(!is_of_items("data.size") && !is_of_items("data.drop"));
}

#[test]
fn the_built_in_space_is_around_the_recipe() {
    let space = Space::around(&recipe(), "test", &[]).unwrap();
    let rate = space
        .parameters()
        .iter()
        .find(|one| one.key == "optimizer.learning_rate");
    let Some(Range::Float {
        min,
        max,
        log: true,
    }) = rate.map(|rate| rate.range.clone())
    else {
        panic!("{rate:?}");
    };
    assert!((max / min - 100.0).abs() < 1e-6, "{min} to {max}");
    assert_eq!(
        Space::parse(&space.text(), &recipe())
            .unwrap()
            .parameters()
            .len(),
        space.parameters().len()
    );
}

#[test]
fn the_built_in_space_leaves_out_what_is_fixed() {
    let keys = |fixed: &[&str]| -> Vec<String> {
        let space = Space::around(&recipe(), "test", fixed).unwrap();
        space
            .parameters()
            .iter()
            .map(|one| one.key.clone())
            .collect()
    };
    let has = |fixed: &[&str], key: &str| keys(fixed).iter().any(|one| one == key);
    assert!(has(&[], "model.dropout") && has(&["model.drop"], "model.dropout"));
    assert!(!has(&["model.dropout"], "model.dropout"));
    assert!(!has(&["optimizer"], "optimizer.learning_rate"));
    let all = ["model", "optimizer", "train.batch_size"];
    let error = Space::around(&recipe(), "test", &all).unwrap_err();
    assert!(error.to_string().contains("`--set` fixes them all"));
}

#[test]
fn the_built_in_space_leaves_out_what_has_no_effect() {
    let searched = |recipe: &str| -> Vec<&'static str> {
        let recipe: Table = recipe.parse().unwrap();
        let keys = RULES.iter().map(|(key, _)| *key);
        keys.filter(|key| has_effect(key, &recipe)).collect()
    };
    let none = searched("transfer = { weights = \"\", mode = \"frozen\" }");
    assert!(none.contains(&"model.dropout") && none.contains(&"optimizer.learning_rate"));
    assert!(!none.contains(&"transfer.l2"));
    let staged = searched("transfer = { weights = \"w\", mode = \"staged\" }");
    assert!(staged.contains(&"optimizer.learning_rate") && !staged.contains(&"model.dropout"));
    let frozen = searched("transfer = { weights = \"w\", mode = \"frozen\" }");
    let left = frozen.iter().filter(|key| !key.starts_with("agent."));
    let left: Vec<&str> = left.copied().collect();
    assert_eq!(left, ["loss.label_smoothing", "transfer.l2"]);
    let detector = searched("weights = \"w\"");
    assert!(detector.contains(&"train.batch_size") && !detector.contains(&"model.d_hidden"));
    for data in ["task = \"regression\"", "kind = \"multi-label\""] {
        let keys = searched(&format!("data = {{ {data} }}"));
        assert!(!keys.contains(&"loss.label_smoothing"), "{data}");
    }
    assert!(searched("data = { task = \"classification\" }").contains(&"loss.label_smoothing"));
}
