//! The recipe of any task on images.

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};
use tinderbox_train::TaskRecipe;
use tinderbox_train::overlay::{KeyDoc, Patchable};
use toml::{Table, Value};

use super::classify::{self, Recipe};

/// The recipe of any task on images, of which the key `task` names the task.
///
/// A recipe without the key is one of classification.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum VisionRecipe {
    /// Image classification.
    Classification(Recipe),
}

/// Applies a function to the recipe of whichever task it is.
macro_rules! of_any {
    ($value:expr, $recipe:ident => $result:expr) => {
        match $value {
            VisionRecipe::Classification($recipe) => $result,
        }
    };
}

impl VisionRecipe {
    /// A built-in recipe by its name.
    pub fn builtin(name: &str) -> Option<Self> {
        Recipe::builtin(name).map(Self::Classification)
    }

    /// The recipe, if it is one of classification.
    pub fn classification(&self) -> Option<&Recipe> {
        match self {
            Self::Classification(recipe) => Some(recipe),
        }
    }
}

/// Names of the built-in recipes of all tasks with a line on each.
pub const BUILTIN: [(&str, &str); classify::BUILTIN.len()] = classify::BUILTIN;

impl From<Recipe> for VisionRecipe {
    fn from(recipe: Recipe) -> Self {
        Self::Classification(recipe)
    }
}

impl<'de> Deserialize<'de> for VisionRecipe {
    /// Chooses by the key `task`, so that an error is about the recipe of that task and no other.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let table = Table::deserialize(deserializer)?;
        match table.get("task") {
            None => of_table(table).map(Self::Classification),
            Some(task) => Err(D::Error::custom(format!("unknown task {task}"))),
        }
    }
}

fn of_table<T: DeserializeOwned, E: serde::de::Error>(table: Table) -> Result<T, E> {
    let value = Value::Table(table).try_into();
    value.map_err(|error: toml::de::Error| E::custom(error.message()))
}

impl TaskRecipe for VisionRecipe {
    fn name(&self) -> &str {
        of_any!(self, recipe => recipe.name())
    }

    fn seed(&self) -> u64 {
        of_any!(self, recipe => recipe.seed())
    }

    fn data_path(&mut self) -> Option<&mut String> {
        of_any!(self, recipe => recipe.data_path())
    }
}

impl Patchable for VisionRecipe {
    /// The kinds of a section have different names in different tasks, and the recipe refuses those
    /// of another task.
    fn variant(path: &str, kind: &str) -> Option<Table> {
        Recipe::variant(path, kind)
    }

    fn optional(path: &str) -> Option<Table> {
        Recipe::optional(path)
    }

    fn docs() -> &'static [&'static [KeyDoc]] {
        Recipe::docs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tinderbox_train::overlay::{assign, document};

    #[test]
    fn a_recipe_of_classification_has_the_same_bytes_with_and_without_its_task() {
        for (name, _) in BUILTIN {
            let recipe = Recipe::builtin(name).unwrap();
            let any = VisionRecipe::builtin(name).unwrap();
            assert_eq!(document(&recipe).unwrap(), document(&any).unwrap());
        }
    }

    #[test]
    fn errors_are_those_of_the_recipe_of_the_task() {
        for (set, message) in [
            ("model.kind=gnn", "`model.kind` must be `mlp`, `cnn`"),
            (
                "train.epoch=3",
                "unknown key `train.epoch`, did you mean `train.epochs`?",
            ),
            ("train.epochs=-1", "must be a whole number, 0 or more"),
        ] {
            let digits = VisionRecipe::builtin("digits").unwrap();
            let error = assign(digits, &[set.to_owned()]).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}
