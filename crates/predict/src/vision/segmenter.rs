//! A trained segmentation model.

use std::path::Path;

use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tinderbox_datasets::image::{Image, MAX_PIXELS, MAX_SIDE, decode_full};

use super::letterbox::{letterbox, mirror_pad, pick_pixels, scaled_size};
use super::{Normalize, Probabilities, SegmentationModel, SegmentationModelConfig, Tiles};
use crate::model_dir::ModelError;
use crate::{ModelFiles, PredictError, Prediction, Segment, ensemble};

/// Most networks of a model folder.
const MAX_MEMBERS: usize = 100;

/// Most pixels that go through the networks at once.
const BATCH_PIXELS: usize = 8 * 320 * 320;

/// How images are brought to the input of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InputScale {
    /// The whole image is scaled so that its longer side has the size of the input.
    Fit,
    /// The image is taken at its own scale, in overlapping tiles of the size of the input.
    Original,
}

/// The input of a network that segments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentationInput {
    /// 1 for gray, 3 for color.
    pub channels: usize,
    /// Longer side of a scaled image, or side of a tile, in pixels.
    pub size: usize,
    /// How images are brought to it.
    pub scale: InputScale,
}

/// The content of `model.json`: everything about a model but its weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SegmenterSpec {
    /// [`Segmenter::KIND`].
    pub kind: String,
    /// Name of the recipe.
    pub recipe: String,
    /// Number of networks whose predictions are averaged.
    pub members: usize,
    /// The network.
    pub model: SegmentationModelConfig,
    /// Names of the classes, in their order; the first is the background.
    pub labels: Vec<String>,
    /// How images are brought to the input.
    pub input: SegmentationInput,
    /// Normalization of the input.
    pub normalize: Normalize,
    /// Whether a prediction is the mean over the eight turned and mirrored copies of the input.
    #[serde(default)]
    pub test_time_augmentation: bool,
    /// Where the training data is and how it was split, for a later evaluation.
    pub training: Value,
}

impl SegmenterSpec {
    fn check(&self, files: &ModelFiles) -> Result<(), ModelError> {
        if !(1..=MAX_MEMBERS).contains(&self.members) {
            let reason = format!("`members` must be from 1 to {MAX_MEMBERS}");
            return Err(files.refuse(reason));
        }
        let SegmentationInput { channels, size, .. } = self.input;
        if !matches!(channels, 1 | 3) || !(1..=MAX_SIDE).contains(&size) {
            return Err(files.refuse("`input` has a size or a number of channels out of range"));
        }
        if self.labels.len() < 2 {
            return Err(files.refuse("`labels` must be at least 2"));
        }
        let Normalize { mean, std } = &self.normalize;
        if [mean.len(), std.len()] != [channels; 2] {
            return Err(files.refuse("`normalize` does not fit `input.channels`"));
        }
        Ok(())
    }
}

/// Networks that segment together, with their input.
#[derive(Clone, Debug)]
pub struct SegmentationEnsemble {
    /// The networks, whose probabilities are averaged.
    pub models: Vec<SegmentationModel>,
    /// How images are brought to the input.
    pub input: SegmentationInput,
    /// Normalization of the input.
    pub normalize: Normalize,
    /// Whether a prediction is the mean over the eight turned and mirrored copies of the input.
    pub test_time_augmentation: bool,
    /// The device that it computes on.
    pub device: Device,
}

/// A trained segmentation model.
#[derive(Clone, Debug)]
pub struct Segmenter {
    ensemble: SegmentationEnsemble,
    spec: SegmenterSpec,
}

impl Segmenter {
    /// The `kind` in `model.json`.
    pub const KIND: &'static str = "image-segmenter";

    /// Reads a model folder.
    ///
    /// # Errors
    ///
    /// If it is missing, damaged, of another version or not of a segmentation model.
    pub fn load(files: &ModelFiles, device: &Device) -> Result<Self, ModelError> {
        let spec: SegmenterSpec = files.spec(Self::KIND)?;
        spec.check(files)?;
        let members = (0..spec.members).map(|member| {
            let (channels, classes) = (spec.input.channels, spec.labels.len());
            let model = spec.model.init(channels, classes, device);
            let model = model.map_err(|error| files.refuse(error))?;
            files.weights(member, |bytes| model.with_bytes(bytes))
        });
        Ok(Self {
            ensemble: SegmentationEnsemble {
                models: members.collect::<Result<_, ModelError>>()?,
                input: spec.input.clone(),
                normalize: spec.normalize.clone(),
                test_time_augmentation: spec.test_time_augmentation,
                device: device.clone().inner(),
            },
            spec,
        })
    }

    /// The content of `model.json`.
    pub fn spec(&self) -> &SegmenterSpec {
        &self.spec
    }

    /// The networks.
    pub fn ensemble(&self) -> &SegmentationEnsemble {
        &self.ensemble
    }

    /// Names of the classes, in their order; the first is the background.
    pub fn labels(&self) -> &[String] {
        &self.spec.labels
    }

    /// Whether [`Probabilities::segment`] brings the edges of masks to those of the photo, as the recipe says.
    pub fn refines(&self) -> bool {
        let refine = self.spec.training.get("refine");
        refine.and_then(Value::as_bool).unwrap_or(true)
    }

    /// Decodes an image file at its own size, turned as its EXIF note says; `name` is its name in an
    /// error.
    ///
    /// # Errors
    ///
    /// If it is no image, is damaged, or claims too many pixels.
    pub fn decode(&self, bytes: &[u8], name: &Path) -> Result<Image, PredictError> {
        let channels = self.spec.input.channels;
        decode_full(bytes, name, channels, MAX_PIXELS).map_err(PredictError::input)
    }

    /// The size of an image and the share of the area of each class; `output` is the file with the image that was
    /// made of it, if one was.
    pub fn prediction(
        &self,
        mask: &tinderbox_datasets::image::Mask,
        output: Option<String>,
    ) -> Prediction {
        let mut counts = vec![0_usize; self.spec.labels.len()];
        for &class in &mask.classes {
            counts[usize::from(class)] += 1;
        }
        let total = mask.classes.len().max(1) as f32;
        let shares = counts.iter().map(|&count| count as f32 / total);
        Prediction::Mask {
            height: mask.height,
            width: mask.width,
            areas: self.spec.labels.iter().cloned().zip(shares).collect(),
            output,
        }
    }
}

impl SegmentationEnsemble {
    /// The probabilities of the classes of each image, at the resolution of the network: that of the
    /// scaled image, or of the image itself.
    ///
    /// # Errors
    ///
    /// If the device fails.
    pub fn probabilities(&self, images: &[Image]) -> Result<Vec<Probabilities>, PredictError> {
        match self.input.scale {
            InputScale::Fit => self.fit(images),
            InputScale::Original => images.iter().map(|image| self.tiled(image)).collect(),
        }
    }

    fn multiple(&self) -> usize {
        let multiples = self.models.iter().map(Segment::min_multiple);
        multiples.max().unwrap_or(1)
    }

    /// Images of one canvas go through the networks together.
    fn fit(&self, images: &[Image]) -> Result<Vec<Probabilities>, PredictError> {
        let multiple = self.multiple();
        let canvas = |image: &Image| {
            let scaled = scaled_size([image.height, image.width], self.input.size);
            scaled.map(|side| side.next_multiple_of(multiple))
        };
        let mut all: Vec<Option<Probabilities>> = vec![None; images.len()];
        let mut order: Vec<usize> = (0..images.len()).collect();
        order.sort_by_key(|&at| canvas(&images[at]));
        for group in order.chunk_by(|&a, &b| canvas(&images[a]) == canvas(&images[b])) {
            let size = canvas(&images[group[0]]);
            for batch in group.chunks((BATCH_PIXELS / (size[0] * size[1])).max(1)) {
                let boxed = batch.iter();
                let boxed = boxed.map(|&at| letterbox(&images[at], self.input.size, size));
                let (inputs, placements): (Vec<_>, Vec<_>) = boxed.unzip();
                let outputs = self.run(&inputs)?;
                for ((&at, output), place) in batch.iter().zip(outputs).zip(placements) {
                    let rows = place.top..place.top + place.height;
                    all[at] = Some(crop(&output, rows, place.left..place.left + place.width));
                }
            }
        }
        Ok(all.into_iter().flatten().collect())
    }

    /// An image at its own scale, continued by its mirror image, in overlapping tiles.
    fn tiled(&self, image: &Image) -> Result<Probabilities, PredictError> {
        let tile = self.input.size.next_multiple_of(self.multiple());
        let margin = tile / 8;
        let sides = [image.height, image.width].map(|side| (side + 2 * margin).max(tile));
        let padded = mirror_pad(image, margin, sides);
        let tiles = Tiles::new(sides[0], sides[1], tile, tile / 4);
        let tiles: Vec<_> = tiles.iter().collect();
        let mut sum: Option<Probabilities> = None;
        for batch in tiles.chunks((BATCH_PIXELS / (tile * tile)).max(1)) {
            let inputs = batch.iter().map(|tile| {
                let columns: Vec<usize> = tile.columns().collect();
                pick_pixels(&padded, tile.rows(), &columns)
            });
            let outputs = self.run(&inputs.collect::<Vec<_>>())?;
            for (tile, output) in batch.iter().zip(outputs) {
                let classes = output.classes();
                let sum = sum.get_or_insert_with(|| Probabilities {
                    height: sides[0],
                    width: sides[1],
                    values: vec![0.0; classes * sides[0] * sides[1]],
                });
                for class in 0..classes {
                    let rows = output.class(class).chunks_exact(tile.width);
                    for (y, (row, weight)) in rows.zip(tile.row_weights).enumerate() {
                        let start = (class * sides[0] + tile.top + y) * sides[1] + tile.left;
                        let into = sum.values[start..].iter_mut();
                        for ((into, value), column) in into.zip(row).zip(tile.column_weights) {
                            *into += value * weight * column;
                        }
                    }
                }
            }
        }
        let sum = sum.ok_or_else(|| PredictError::device("there are no tiles"))?;
        Ok(crop(
            &sum,
            margin..margin + image.height,
            margin..margin + image.width,
        ))
    }

    /// Images of one size through all networks.
    fn run(&self, images: &[Image]) -> Result<Vec<Probabilities>, PredictError> {
        let inputs = self.normalize.batch(images, &self.device);
        let [count, _, height, width] = inputs.dims();
        let copies = if self.test_time_augmentation { 8 } else { 1 };
        let pairs = self.models.iter();
        let pairs = pairs.flat_map(|model| (0..copies).map(move |copy| (model, copy)));
        let outputs = pairs.map(|(model, copy)| {
            let scores = softmax(model.segment(turn(inputs.clone(), copy)), 1);
            turn_back(scores, copy)
                .try_into_vec_as::<f32>()
                .map_err(PredictError::device)
        });
        let mean = ensemble::mean(outputs)?;
        let each = mean.len() / count.max(1);
        let images = mean.chunks_exact(each.max(1));
        Ok(images
            .map(|values| Probabilities {
                height,
                width,
                values: values.to_vec(),
            })
            .collect())
    }
}

/// One of the eight turned and mirrored copies of images `[batch, channels, height, width]`: mirrored along
/// either axis, then mirrored at the diagonal.
fn turn(mut images: Tensor<4>, copy: usize) -> Tensor<4> {
    if copy & 1 > 0 {
        images = images.flip([3]);
    }
    if copy & 2 > 0 {
        images = images.flip([2]);
    }
    if copy & 4 > 0 {
        images = images.swap_dims(2, 3);
    }
    images
}

/// Undoes [`turn`].
fn turn_back(mut images: Tensor<4>, copy: usize) -> Tensor<4> {
    if copy & 4 > 0 {
        images = images.swap_dims(2, 3);
    }
    if copy & 2 > 0 {
        images = images.flip([2]);
    }
    if copy & 1 > 0 {
        images = images.flip([3]);
    }
    images
}

/// A part of some probabilities.
fn crop(
    from: &Probabilities,
    rows: std::ops::Range<usize>,
    columns: std::ops::Range<usize>,
) -> Probabilities {
    let (height, width) = (rows.len(), columns.len());
    let mut values = Vec::with_capacity(from.classes() * height * width);
    for class in 0..from.classes() {
        let lines = from.class(class).chunks_exact(from.width);
        for line in lines.skip(rows.start).take(height) {
            values.extend_from_slice(&line[columns.clone()]);
        }
    }
    Probabilities {
        height,
        width,
        values,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// A model folder with an untrained network for gray images.
    fn load(scale: InputScale) -> Segmenter {
        let device = Device::flex();
        let mut model = SegmentationModelConfig::of_kind("unet").unwrap();
        let SegmentationModelConfig::Unet(config) = &mut model else {
            panic!("not a U-Net")
        };
        (config.0.depth, config.0.base_channels) = (2, 4);
        let net = model.init(1, 2, &device).unwrap();
        let spec = SegmenterSpec {
            kind: Segmenter::KIND.to_owned(),
            recipe: "membrane".to_owned(),
            members: 1,
            model,
            labels: ["background", "foreground"].map(str::to_owned).to_vec(),
            input: SegmentationInput {
                channels: 1,
                size: 16,
                scale,
            },
            normalize: Normalize {
                mean: vec![0.5],
                std: vec![0.25],
            },
            test_time_augmentation: false,
            training: Value::Null,
        };
        let mut json = serde_json::to_value(&spec).unwrap();
        json["format"] = 2.into();
        let files = BTreeMap::from([
            ("model.json".to_owned(), json.to_string().into_bytes()),
            ("weights.safetensors".to_owned(), net.to_bytes().unwrap()),
        ]);
        Segmenter::load(&ModelFiles::from_memory(files), &device).unwrap()
    }

    fn photo(height: usize, width: usize) -> Image {
        Image {
            height,
            width,
            channels: 1,
            pixels: (0..height * width)
                .map(|at| (at * 37 % 256) as u8)
                .collect(),
        }
    }

    #[test]
    fn every_size_has_probabilities_that_sum_to_one() {
        for scale in [InputScale::Fit, InputScale::Original] {
            let model = load(scale);
            let photos = [photo(1, 1), photo(40, 23), photo(5, 100), photo(40, 23)];
            let all = model.ensemble().probabilities(&photos).unwrap();
            assert_eq!(all.len(), photos.len());
            for (photo, found) in photos.iter().zip(&all) {
                let sums = found
                    .class(0)
                    .iter()
                    .zip(found.class(1))
                    .map(|(a, b)| a + b);
                assert!(sums.into_iter().all(|sum| (sum - 1.0).abs() < 1e-4));
                let segmented = found.segment(photo, true);
                let Prediction::Mask {
                    height,
                    width,
                    areas,
                    ..
                } = model.prediction(&segmented.mask, None)
                else {
                    panic!("no mask")
                };
                assert_eq!([height, width], [photo.height, photo.width]);
                let total: f32 = areas.iter().map(|(_, share)| share).sum();
                assert!((total - 1.0).abs() < 1e-5);
            }
            // Alone as between others of another size.
            let pairs = all[1].values.iter().zip(&all[3].values);
            assert!(pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-6));
        }
    }

    #[test]
    fn the_recipe_decides_whether_edges_are_refined() {
        let mut model = load(InputScale::Fit);
        assert!(model.refines());
        model.spec.training = serde_json::json!({"refine": false});
        assert!(!model.refines());
    }

    #[test]
    fn with_copies_a_turned_photo_gives_the_turned_mask() {
        let mut model = load(InputScale::Original);
        let photo = photo(16, 16);
        let transposed = Image {
            pixels: (0..256)
                .map(|at| photo.pixels[at % 16 * 16 + at / 16])
                .collect(),
            ..photo.clone()
        };
        let off = |model: &Segmenter| {
            let both = [photo.clone(), transposed.clone()];
            let found = model.ensemble().probabilities(&both).unwrap();
            let pairs =
                (0..256).map(|at| (found[0].values[at], found[1].values[at % 16 * 16 + at / 16]));
            pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
        };
        assert!(off(&model) > 1e-4);
        model.ensemble.test_time_augmentation = true;
        assert!(off(&model) < 1e-5);
    }

    #[test]
    fn a_folder_that_does_not_fit_together_is_refused() {
        let mut spec = load(InputScale::Fit).spec().clone();
        spec.labels.pop();
        let mut json = serde_json::to_value(&spec).unwrap();
        json["format"] = 2.into();
        let files = BTreeMap::from([("model.json".to_owned(), json.to_string().into_bytes())]);
        let error = Segmenter::load(&ModelFiles::from_memory(files), &Device::flex());
        assert!(error.unwrap_err().to_string().contains("`labels`"));
    }
}
