//! The recipe for `--data`: what kind of images there are decides.

use std::path::Path;

use tinderbox_cli::{Failure, OrUserError as _};
use tinderbox_datasets::image::{count_classes, is_idx_folder};
use tinderbox_recipes::vision::{Data, Recipe};

/// Number of classes of the recipe for IDX files.
const DIGITS: usize = 10;

/// A recipe that was chosen, and why.
pub(crate) struct Choice {
    /// Its name.
    pub(crate) name: &'static str,
    /// What the data is.
    reason: &'static str,
    /// Classes of the labels in IDX files, if these are no digits.
    classes: Option<usize>,
}

impl Choice {
    /// Looks at the data.
    ///
    /// # Errors
    ///
    /// If there is none, or the labels of IDX files cannot be read.
    pub(crate) fn of(data: &Path) -> Result<Self, Failure> {
        if is_idx_folder(data) {
            let count = count_classes(data).or_user_error()?;
            return Ok(Self {
                name: "mnist",
                reason: "IDX files",
                classes: (count != DIGITS).then_some(count),
            });
        }
        // Whether there are images is said where they are read.
        let reason = if data.is_dir() {
            "a folder"
        } else {
            "an archive or a table of paths"
        };
        Ok(Self {
            name: "image-folder",
            reason,
            classes: None,
        })
    }

    /// A line that says which recipe it is.
    pub(crate) fn note(&self, data: &Path) -> String {
        let classes = self.classes.map_or(String::new(), |count| {
            format!(
                ", classes named 0 to {} (`data.classes` renames them)",
                count - 1
            )
        });
        format!(
            "`{}` is {}: recipe `{}`{classes}; `--recipe` chooses another",
            data.display(),
            self.reason,
            self.name
        )
    }

    /// Fits the recipe to the data.
    pub(crate) fn apply(&self, recipe: &mut Recipe) {
        if let (Some(count), Data::Idx { classes, .. }) = (self.classes, &mut recipe.data) {
            *classes = (0..count).map(|class| class.to_string()).collect();
        }
    }
}
