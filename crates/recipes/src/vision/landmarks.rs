//! Landmarks, from a recipe to a model folder and back: the points of faces.

mod baseline;
mod batch;
mod builtin;
mod cascade;
mod data;
mod docs;
mod evaluate;
mod fit;
mod images;
mod inferred;
mod inputs;
mod recipe;
mod shapes;
mod weights;

use tinderbox_datasets::flip_order;
use tinderbox_models::LayerSummary;
use tinderbox_predict::vision::{
    LandmarkInput, LandmarkModelConfig, Landmarker, LandmarkerSpec, Normalize, PublishedModel,
};
use tinderbox_train::TaskError;
use tinderbox_train::format::thousands;
use tinderbox_train::splits::SplitList;
use tinderbox_train::task::Overview;

pub(super) use builtin::BUILTIN;
pub(super) use docs::DOCS;
pub(super) use evaluate::evaluate;
pub use inferred::InferredLandmarks;
pub(super) use inputs::{open_detector, predict};
pub use recipe::{CascadeFit, LandmarkData, LandmarkRecipe, LandmarkTag};

use batch::FaceCollate;
use cascade::{Cache, MAX_CROPS};
use data::Faces;

use super::batch::measure;
use super::eval_rows::TrainingData;
use super::splits::ImageSplits;

/// Landmarks: a recipe with its images and points.
pub(super) struct Landmarks {
    pub(super) recipe: LandmarkRecipe,
    data: Faces,
    pub(super) splits: ImageSplits,
    pub(super) list: SplitList,
    normalize: Normalize,
    layers: Vec<LayerSummary>,
    /// Published weights whose features a cascade reads.
    weights: Option<PublishedModel>,
    /// Features that were computed already.
    cache: Cache,
}

impl Landmarks {
    /// Reads the images of a recipe and checks everything that can be checked before training.
    pub(super) fn prepare(mut recipe: LandmarkRecipe) -> Result<Self, TaskError> {
        recipe.validate()?;
        let weights = weights::open(&mut recipe)?;
        let data = Faces::open(&recipe.data)?;
        recipe.data.points = data.points();
        if flip_order(data.points()).is_none() && (recipe.augment.flip > 0.0 || recipe.average_flip)
        {
            return Err(TaskError::user(format!(
                "the faces have {} points, and which of them are left and right is only known of the 68 points of \
                 iBUG: set `augment.flip=0` and `average_flip=false`",
                data.points()
            )));
        }
        let splits = data.splits(&recipe.split, recipe.data.group_by)?;
        let layers = recipe.layers()?;
        let train = &splits.splits;
        let list = SplitList::new(data.items(), [&train.train, &train.valid, &train.test]);
        let normalize = match &weights {
            Some(weights) => weights.normalize.clone(),
            None => measure(&*data.select(&train.train)?, recipe.data.channels)?,
        };
        Ok(Self {
            recipe,
            data,
            splits,
            list,
            normalize,
            layers,
            weights,
            cache: Cache::default(),
        })
    }

    /// What was read, how it is split, and what looks wrong.
    pub(super) fn overview(&self) -> Overview {
        Overview {
            summary: format!(
                "{} points on {} faces ({}), in crops of {} pixels",
                self.data.points(),
                thousands(self.data.contents.len()),
                self.data.format,
                self.recipe.data.size
            ),
            splits: self.splits.overview(|_| Vec::new()),
            duplicates: self.splits.duplicates,
            shared: self.splits.shared,
            notes: self.notes(),
            layers: self.layers.clone(),
            ..Overview::default()
        }
    }

    /// `[size, channels, points]` of the network.
    fn sizes(&self) -> [usize; 3] {
        [
            self.recipe.data.size,
            self.recipe.data.channels,
            self.recipe.data.points,
        ]
    }

    /// Makes training crops.
    fn collate(&self, normalize: &Normalize) -> FaceCollate {
        collate(&self.recipe, normalize.clone())
    }

    /// Notes on the data and on where the weights are from.
    fn notes(&self) -> Vec<String> {
        let mut notes = self.data.notes.clone();
        if self.data.points() != tinderbox_datasets::IBUG_POINTS {
            notes
                .push("errors are divided by the diagonal of the box around the points".to_owned());
        }
        if let Some(weights) = &self.weights {
            let (name, path) = (&weights.architecture, weights.path().display());
            notes.push(format!(
                "a cascade on the features of {name} with the weights of `{path}`"
            ));
            notes.extend(weights.notes.iter().cloned());
        }
        let faces = self.splits.splits.train.len() + self.splits.splits.valid.len();
        if matches!(self.recipe.model, LandmarkModelConfig::LandmarkCascade(_)) && faces > MAX_CROPS
        {
            let [most, faces] = [MAX_CROPS, faces].map(thousands);
            notes.push(format!("the cascade is fitted to {most} of {faces} faces"));
        }
        notes
    }

    /// The content of `model.json`.
    fn spec(&self, normalize: &Normalize) -> Result<LandmarkerSpec, TaskError> {
        let training = TrainingData {
            data: self.recipe.data.portable(),
            split: self.recipe.split.clone(),
            digest: self.list.digest(),
        };
        let data = &self.recipe.data;
        Ok(LandmarkerSpec {
            kind: Landmarker::KIND.to_owned(),
            recipe: self.recipe.name.clone(),
            model: self.recipe.model.clone(),
            input: LandmarkInput {
                channels: data.channels,
                size: data.size,
                margin: data.margin as f32,
                points: data.points,
                average_flip: self.recipe.average_flip,
            },
            normalize: normalize.clone(),
            training: serde_json::to_value(training).map_err(TaskError::internal)?,
        })
    }
}

fn collate(recipe: &LandmarkRecipe, normalize: Normalize) -> FaceCollate {
    FaceCollate {
        normalize,
        size: recipe.data.size,
        margin: recipe.data.margin as f32,
        augment: Some(recipe.augment.clone()),
    }
}
