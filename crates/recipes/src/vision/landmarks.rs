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

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use tinderbox_datasets::{InputRange, Shard, flip_order};
use tinderbox_models::LayerSummary;
use tinderbox_predict::ModelFiles;
use tinderbox_predict::vision::{
    LandmarkInput, LandmarkModelConfig, Landmarker, LandmarkerSpec, Normalize, PublishedModel,
};
use tinderbox_train::format::thousands;
use tinderbox_train::memory::check_memory;
use tinderbox_train::run_dir::RunDir;
use tinderbox_train::splits::SplitList;
use tinderbox_train::task::{
    EvalReport, EvalRequest, InputOptions, InputReport, Noun, Overview, PredictionListener,
};
use tinderbox_train::{Options, Report, Task, TaskError};

pub(super) use builtin::BUILTIN;
pub(super) use docs::DOCS;
pub use inferred::InferredLandmarks;
pub(super) use inputs::open_detector;
pub use recipe::{CascadeFit, LandmarkData, LandmarkRecipe, LandmarkTag};

use batch::FaceCollate;
use cascade::{Cache, MAX_CROPS};
use data::Faces;

use super::PhotoOptions;
use super::batch::measure;
use super::eval_rows::TrainingData;
use super::photos::check_outputs;
use super::splits::ImageSplits;

/// Landmarks: a recipe with its images and points.
pub struct Landmarks {
    recipe: LandmarkRecipe,
    data: Faces,
    splits: ImageSplits,
    list: SplitList,
    normalize: Normalize,
    layers: Vec<LayerSummary>,
    /// Published weights whose features a cascade reads.
    weights: Option<PublishedModel>,
    /// Features that were computed already.
    cache: Cache,
}

impl Task for Landmarks {
    type Recipe = LandmarkRecipe;
    type Model = Landmarker;
    type InputOptions = PhotoOptions;

    const KIND: &'static str = Landmarker::KIND;
    const ITEM: Noun = Noun("face", "faces");

    fn check_memory(recipe: &LandmarkRecipe) -> Result<(), TaskError> {
        recipe.validate()?;
        let sizes = [
            recipe.data.size,
            recipe.data.channels,
            recipe.data.points.max(1),
        ];
        let layers = recipe.model.layers(sizes)?;
        let input = recipe.data.size * recipe.data.size * recipe.data.channels;
        let keys = "`data.size`, `train.batch_size` or `model`";
        Ok(check_memory(&layers, input, recipe.train.batch_size, keys)?)
    }

    fn check_recipe(recipe: &LandmarkRecipe) -> Result<(), TaskError> {
        recipe.validate()?;
        let data = &recipe.data;
        let sizes = [data.size, data.channels, data.points.max(1)];
        recipe.model.layers(sizes)?;
        Ok(())
    }

    fn prepare(mut recipe: LandmarkRecipe) -> Result<Self, TaskError> {
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
        let sizes = [recipe.data.size, recipe.data.channels, recipe.data.points];
        let layers = recipe.model.layers(sizes)?;
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

    fn recipe(&self) -> &LandmarkRecipe {
        &self.recipe
    }

    fn overview(&self) -> Overview {
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

    fn split_list(&self) -> Option<&SplitList> {
        Some(&self.list)
    }

    fn without_test(mut self) -> Self {
        self.splits.hide_test();
        self
    }

    fn train_in(
        &self,
        run: &RunDir,
        device: &Device,
        options: &mut Options,
    ) -> Result<Report, TaskError> {
        self.train_parts(run, device, options)
    }

    fn load(dir: &Path, device: &Device) -> Result<Landmarker, TaskError> {
        Ok(Landmarker::load(&ModelFiles::open(dir), device)?)
    }

    fn evaluate(
        model: &Landmarker,
        request: &EvalRequest<'_, LandmarkRecipe>,
    ) -> Result<EvalReport, TaskError> {
        evaluate::evaluate(model, request)
    }

    fn check_inputs(
        _model: &Landmarker,
        inputs: &[PathBuf],
        options: &InputOptions<PhotoOptions>,
    ) -> Result<(), TaskError> {
        check_outputs(inputs, options)
    }

    fn predict(
        model: &Landmarker,
        path: &Path,
        options: &InputOptions<PhotoOptions>,
        each: &mut PredictionListener<'_>,
    ) -> Result<InputReport, TaskError> {
        inputs::predict(model, path, options, each)
    }

    fn range(
        _: &Landmarker,
        path: &Path,
        options: &PhotoOptions,
        shard: Shard,
    ) -> Result<InputRange, TaskError> {
        options.range(path, shard)
    }

    fn writes_files(_model: &Landmarker) -> bool {
        true
    }

    fn columns(_model: &Landmarker) -> Vec<String> {
        ["height", "width", "points"].map(str::to_owned).to_vec()
    }
}

impl Landmarks {
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
