//! The recipe for photos with masks that are named without one.

use std::path::Path;

use tinderbox_datasets::image::{MaskLayout, MaskSearch};
use tinderbox_train::TaskError;

use super::data::MaskedImages;
use super::recipe::SegmentationRecipe;

/// The recipe that is chosen.
const RECIPE: &str = "cutout";

/// Classes that a line names.
const NAMED: usize = 6;

/// A recipe that follows from a layout of photos with masks.
pub struct InferredSegmentation {
    /// The recipe, without the path of the data.
    pub recipe: SegmentationRecipe,
    layout: MaskLayout,
}

impl InferredSegmentation {
    /// The recipe for a folder or an archive, none if it does not have masks; and a line about masks that are
    /// there, though most images are something else.
    pub fn of(data: &Path) -> (Option<Self>, Option<String>) {
        let MaskSearch {
            layout,
            passed_over,
        } = MaskLayout::search(data);
        let inferred = layout.and_then(|layout| {
            let recipe = SegmentationRecipe::builtin(RECIPE)?;
            Some(Self { recipe, layout })
        });
        (inferred, passed_over)
    }

    /// Takes the classes from the masks or annotations.
    ///
    /// # Errors
    ///
    /// If the photos and masks cannot be read, or do not fit each other.
    pub fn set_classes(&mut self, data: &Path) -> Result<(), TaskError> {
        self.recipe.data.classes = MaskedImages::classes(data, &self.recipe.data)?;
        Ok(())
    }

    /// What was recognized, and the recipe.
    pub fn note(&self, data: &Path) -> String {
        let layout = match self.layout {
            MaskLayout::Files => "photos with masks",
            MaskLayout::Coco => "photos with COCO annotations",
        };
        let classes = &self.recipe.data.classes;
        let mut named = classes
            .iter()
            .take(NAMED)
            .cloned()
            .collect::<Vec<_>>()
            .join(", ");
        if classes.len() > NAMED {
            named = format!(
                "{named} and {} more (`data.classes` chooses some)",
                classes.len() - NAMED
            );
        }
        format!(
            "`{}` is {layout}: recipe `{}`, classes {named}; `--recipe` chooses another",
            data.display(),
            self.recipe.name
        )
    }
}
