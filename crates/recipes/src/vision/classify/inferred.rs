//! The recipe for data that is named without one.

use std::path::Path;

use tinderbox_datasets::detection::label_format;
use tinderbox_datasets::image::{FolderError, count_classes, is_idx_folder};
use tinderbox_train::TaskError;

use super::Recipe;
use super::builtin::{image_folder, mnist, transfer};
use crate::vision::{Data, DataError};

/// Number of classes of the recipe for IDX files.
const DIGITS: usize = 10;

/// A recipe that follows from the format of the images.
pub struct InferredRecipe {
    /// The recipe, without the path of the data.
    pub recipe: Recipe,
    /// The format of the data.
    format: &'static str,
    /// Number of classes in IDX files that do not contain digits.
    classes: Option<usize>,
}

impl InferredRecipe {
    /// The recipe for a folder, an archive, a table of paths or IDX files.
    ///
    /// # Errors
    ///
    /// If there is nothing at the path, the labels of IDX files cannot be read, or the images have boxes around
    /// objects, which are no classes of images.
    pub fn of(data: &Path) -> Result<Self, TaskError> {
        if !data.exists() {
            let dir = data.to_owned();
            return Err(DataError::from(FolderError::Missing { dir }).into());
        }
        if let Some(format) = label_format(data) {
            return Err(TaskError::user(format!(
                "`{}` has boxes around objects ({}), which are no classes of images: use the recipe `detect`, or \
                 the folders as classes with `--recipe image-folder`",
                data.display(),
                format.name()
            )));
        }
        if !is_idx_folder(data) {
            // Whether it contains images is checked where they are read.
            let format = if data.is_dir() {
                "a folder"
            } else {
                "an archive or a table of paths"
            };
            return Ok(Self {
                recipe: image_folder("image-folder"),
                format,
                classes: None,
            });
        }
        let count = count_classes(data).map_err(TaskError::user)?;
        let mut recipe = mnist("mnist");
        let classes = (count != DIGITS).then_some(count);
        if let (Some(count), Data::Idx { classes, .. }) = (classes, &mut recipe.data) {
            *classes = (0..count).map(|class| class.to_string()).collect();
        }
        Ok(Self {
            recipe,
            format: "IDX files",
            classes,
        })
    }

    /// Whether the images are files, which published weights can start from.
    pub fn takes_weights(&self) -> bool {
        matches!(self.recipe.data, Data::ImageFolder { .. })
    }

    /// The recipe for the same images that starts from published weights.
    #[must_use]
    pub fn with_weights(mut self, weights: &str) -> Self {
        self.recipe = transfer("transfer");
        if let Some(transfer) = &mut self.recipe.transfer {
            weights.clone_into(&mut transfer.weights);
        }
        self
    }

    /// A line that names the recipe.
    pub fn note(&self, data: &Path) -> String {
        let classes = self.classes.map_or(String::new(), |count| {
            let last = count - 1;
            format!(", classes named 0 to {last} (`data.classes` renames them)")
        });
        format!(
            "`{}` is {}: recipe `{}`{classes}; `--recipe` chooses another",
            data.display(),
            self.format,
            self.recipe.name
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_without_a_file_has_no_recipe() {
        let error = InferredRecipe::of(Path::new("nowhere")).err().unwrap();
        let error = error.to_string();
        assert!(error.starts_with("there is no folder `nowhere`"), "{error}");
    }
}
