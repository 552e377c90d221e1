//! Which items of a data set an evaluation is about.

use serde::{Deserialize, Serialize};
use tinderbox_train::splits::{Item, Scope, digest};
use tinderbox_train::task::EvalRequest;
use tinderbox_train::{Split, TaskError};

use super::data::{DataError, NamedSplit, named_split};
use super::splits::ImageSplits;

/// Where the training data is and how it was split, as `model.json` holds it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct TrainingData<D> {
    pub(super) data: D,
    pub(super) split: Split,
    /// Hash of the images, to recognize them.
    pub(super) digest: String,
}

impl<D: Clone> TrainingData<D> {
    /// The same with the data and the split of the recipe of the run, which knows all paths, if it is at hand.
    pub(super) fn of_recipe(self, recipe: Option<(&D, &Split)>) -> Self {
        match recipe {
            Some((data, split)) => Self {
                data: data.clone(),
                split: split.clone(),
                digest: self.digest,
            },
            None => self,
        }
    }
}

/// The items to evaluate.
pub(super) struct EvalRows {
    pub(super) rows: Vec<usize>,
    pub(super) scope: Option<Scope>,
    /// Where they are from, if other data has a split of its own of this name.
    pub(super) source: Option<String>,
}

/// Sets the path of a data section to that of `--data`, if there is one; whether there is.
pub(super) fn set_path<R>(
    request: &EvalRequest<'_, R>,
    path: &mut String,
) -> Result<bool, TaskError> {
    let Some(data) = request.data else {
        return Ok(false);
    };
    let data = data.to_str();
    let data = data.ok_or_else(|| TaskError::user("`--data` is not UTF-8: rename the folder"))?;
    data.clone_into(path);
    Ok(true)
}

impl EvalRows {
    /// Chooses a stored split of the data that a model was trained on, or all items of other data; of other
    /// data with a split of this name, only the split.
    ///
    /// `trained_on` is the digest of the training data, and `split_again` splits the data as at training.
    ///
    /// # Errors
    ///
    /// If nothing is left, or the data cannot be split.
    pub(super) fn choose<R, E: Into<TaskError>>(
        request: &EvalRequest<'_, R>,
        items: &[Item],
        named: &[Option<NamedSplit>; 3],
        trained_on: &str,
        split_again: impl FnOnce() -> Result<ImageSplits, E>,
    ) -> Result<Self, TaskError> {
        let is_other = request.data.is_some();
        let scope = match request.splits {
            Some(list) => Some(list.choose(items, request.split, is_other)),
            None if is_other && trained_on != digest(items) => Some(Scope::Whole { trained_on: 0 }),
            None => None,
        };
        let own = named_split(named, request.split);
        let own = own.filter(|_| matches!(scope, Some(Scope::Whole { .. })));
        let rows = match (&scope, own) {
            (Some(Scope::Stored { rows, .. }), _) => rows.clone(),
            (Some(Scope::Whole { .. }), Some(own)) => own.range.clone().collect(),
            (Some(Scope::Whole { .. }), None) => (0..items.len()).collect(),
            (None, _) => {
                let splits = split_again().map_err(Into::into)?.splits;
                let rows = splits.get(request.split);
                rows.map_or(Vec::new(), <[usize]>::to_vec)
            }
        };
        if rows.is_empty() {
            return Err(DataError::Empty(request.split.to_owned()).into());
        }
        let source = own.map(|own| own.source.clone());
        Ok(Self {
            rows,
            scope,
            source,
        })
    }
}
