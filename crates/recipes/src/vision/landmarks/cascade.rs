//! Fitting of a cascade: ridge regressions on features, one after another.
//!
//! Each step learns from where the steps before it are for faces that they were not fitted to: those of another part
//! of the training faces. From their own faces it would learn to trust features that do not exist in new ones.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use burn::module::Param;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor, TensorData};
use tinderbox_baselines::DualRidge;
use tinderbox_datasets::parallel_map;
use tinderbox_datasets::random::stream;
use tinderbox_models::vision::LandmarkCascade;
use tinderbox_models::vision::landmark_cascade::{coarse_features, point_features};
use tinderbox_train::TaskError;

use super::batch::{Crop, FaceCollate};
use super::data::Faces;
use super::recipe::CascadeFit;

/// Most crops that a cascade is fitted to.
pub(super) const MAX_CROPS: usize = 6_000;

/// Parts of the training faces of which each is predicted by the others.
const PARTS: usize = 4;

/// Crops that go through the network at once.
const BATCH: usize = 32;

/// The word of the random streams of the crops.
const STREAM: u64 = 0x006c_616e_646d;

/// A feature map `[channels, height, width]` of a crop.
#[derive(Clone, Debug)]
struct Map {
    shape: [usize; 3],
    values: Vec<f32>,
}

/// A crop of a face with its features.
#[derive(Debug)]
pub(super) struct FaceFeatures {
    maps: Vec<Map>,
    points: Vec<f32>,
}

/// Features that were computed already, by face: they are the same in every fold.
pub(super) type Cache = Mutex<HashMap<usize, Arc<Vec<FaceFeatures>>>>;

/// Fits cascades.
pub(super) struct CascadeFitter<'a> {
    pub(super) data: &'a Faces,
    pub(super) collate: FaceCollate,
    pub(super) fit: &'a CascadeFit,
    pub(super) seed: u64,
    pub(super) device: Device,
    pub(super) cache: &'a Cache,
}

/// The training crops of a cascade in one order.
struct Rows {
    features: Vec<Arc<Vec<FaceFeatures>>>,
    versions: usize,
}

impl Rows {
    fn len(&self) -> usize {
        self.features.len() * self.versions
    }

    fn get(&self, row: usize) -> &FaceFeatures {
        &self.features[row / self.versions][row % self.versions]
    }

    /// The rows of a part of the faces, or of all others.
    fn of_part(&self, part: usize, is_in: bool) -> Vec<usize> {
        let rows = 0..self.len();
        rows.filter(|row| (row / self.versions % PARTS == part) == is_in)
            .collect()
    }

    /// The maps of some rows as a batch for each level.
    fn maps(&self, rows: std::ops::Range<usize>, device: &Device) -> Vec<Tensor<4>> {
        let levels = 0..self.get(rows.start).maps.len();
        let batch = levels.map(|level| {
            let [channels, height, width] = self.get(rows.start).maps[level].shape;
            let values = rows
                .clone()
                .flat_map(|row| self.get(row).maps[level].values.iter().copied());
            let shape = [rows.len(), channels, height, width];
            Tensor::from_data(TensorData::new(values.collect::<Vec<f32>>(), shape), device)
        });
        batch.collect()
    }
}

impl CascadeFitter<'_> {
    /// Crops of each of so many faces.
    pub(super) fn versions(&self, faces: usize) -> usize {
        self.fit.versions.min(MAX_CROPS / faces.max(1)).max(1)
    }

    /// Fits a network to faces, of which there are at most [`MAX_CROPS`].
    pub(super) fn fit(
        &self,
        net: LandmarkCascade,
        faces: &[usize],
    ) -> Result<LandmarkCascade, TaskError> {
        let rows = Rows {
            features: self.features(&net, faces)?,
            versions: self.versions(faces.len()),
        };
        let targets: Vec<f32> = (0..rows.len())
            .flat_map(|row| rows.get(row).points.iter().copied())
            .collect();
        let inputs = self.inputs(&rows, |maps, _| coarse_features(maps))?;
        let (coarse, mut found) = self.step(inputs, &rows, &targets, self.fit.coarse_l2)?;
        let mut net = net;
        net.coarse = coarse;
        for step in &mut net.steps {
            let points = found
                .chunks_exact(found.len() / rows.len())
                .collect::<Vec<_>>();
            let inputs = self.inputs(&rows, |maps, range| {
                let values = points[range.clone()].concat();
                let shape = [range.len(), values.len() / range.len()];
                point_features(
                    maps,
                    Tensor::from_data(TensorData::new(values, shape), &self.device),
                )
            })?;
            let moves: Vec<f32> = targets
                .iter()
                .zip(&found)
                .map(|(target, found)| target - found)
                .collect();
            let (layer, moved) = self.step(inputs, &rows, &moves, self.fit.l2)?;
            found
                .iter_mut()
                .zip(moved)
                .for_each(|(found, moved)| *found += moved);
            *step = layer;
        }
        Ok(net)
    }

    /// The features of the crops of faces.
    fn features(
        &self,
        net: &LandmarkCascade,
        faces: &[usize],
    ) -> Result<Vec<Arc<Vec<FaceFeatures>>>, TaskError> {
        let versions = self.versions(faces.len());
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let new = faces
            .iter()
            .copied()
            .filter(|face| cache.get(face).is_none_or(|own| own.len() < versions));
        let new: Vec<usize> = new.collect();
        for faces in new.chunks(BATCH.div_ceil(versions)) {
            let crops = parallel_map(faces, |&face| self.crops(face, versions));
            let crops: Vec<Crop> = crops.into_iter().collect::<Result<Vec<_>, _>>()?.concat();
            let computed = self.compute(net, crops)?;
            let mut computed = computed.into_iter();
            for &face in faces {
                let own = computed.by_ref().take(versions).collect();
                cache.insert(face, Arc::new(own));
            }
        }
        Ok(faces.iter().map(|face| Arc::clone(&cache[face])).collect())
    }

    /// The plain crop of a face, then changed ones.
    pub(super) fn crops(&self, face: usize, versions: usize) -> Result<Vec<Crop>, TaskError> {
        let sample = self.data.images.sample(face).map_err(TaskError::user)?;
        let changed = (1..versions as u64).map(|version| {
            let mut rng = stream(self.seed, &[STREAM, face as u64, version]);
            self.collate.changed(&sample, &mut rng)
        });
        Ok(std::iter::once(self.collate.plain(&sample))
            .chain(changed)
            .collect())
    }

    fn compute(
        &self,
        net: &LandmarkCascade,
        crops: Vec<Crop>,
    ) -> Result<Vec<FaceFeatures>, TaskError> {
        let points: Vec<Vec<f32>> = crops.iter().map(|crop| crop.points.concat()).collect();
        let batch = self.collate.batch(crops, &self.device);
        let mut features: Vec<FaceFeatures> = points
            .into_iter()
            .map(|points| FaceFeatures {
                maps: Vec::new(),
                points,
            })
            .collect();
        for map in net.maps(batch.images) {
            let [_, channels, height, width] = map.dims();
            let values = map.try_into_vec_as::<f32>().map_err(TaskError::internal)?;
            let maps = values.chunks_exact(channels * height * width);
            for (face, values) in features.iter_mut().zip(maps) {
                face.maps.push(Map {
                    shape: [channels, height, width],
                    values: values.to_vec(),
                });
            }
        }
        Ok(features)
    }

    /// The inputs of a step, row after row.
    fn inputs(
        &self,
        rows: &Rows,
        read: impl Fn(&[Tensor<4>], std::ops::Range<usize>) -> Tensor<2>,
    ) -> Result<Vec<f32>, TaskError> {
        let mut inputs = Vec::new();
        for start in (0..rows.len()).step_by(BATCH) {
            let range = start..(start + BATCH).min(rows.len());
            let maps = rows.maps(range.clone(), &self.device);
            let values = read(&maps, range).try_into_vec_as::<f32>();
            inputs.extend(values.map_err(TaskError::internal)?);
        }
        Ok(inputs)
    }

    /// Fits a step to all rows, and predicts each part of the faces from the others.
    fn step(
        &self,
        inputs: Vec<f32>,
        rows: &Rows,
        targets: &[f32],
        l2: f64,
    ) -> Result<(Linear, Vec<f32>), TaskError> {
        let width = inputs.len() / rows.len();
        let ridge = DualRidge::new(inputs, width).map_err(TaskError::internal)?;
        let all: Vec<usize> = (0..rows.len()).collect();
        let fit = ridge.fit(&all, targets, l2).map_err(TaskError::internal)?;
        let values = targets.len() / rows.len();
        let mut found = vec![0.0; targets.len()];
        for part in 0..PARTS {
            let [held, others] = [true, false].map(|is_in| rows.of_part(part, is_in));
            if held.is_empty() {
                continue;
            }
            // Of fewer faces than parts, all others may be none.
            let part = if others.is_empty() {
                fit.clone()
            } else {
                ridge
                    .fit(&others, targets, l2)
                    .map_err(TaskError::internal)?
            };
            let predicted = ridge.predict(&part, &held);
            for (row, predicted) in held.into_iter().zip(predicted.chunks_exact(values)) {
                found[row * values..][..values].copy_from_slice(predicted);
            }
        }
        let (weights, bias) = ridge.primal(&fit);
        let weight =
            Tensor::<2>::from_data(TensorData::new(weights, [width, values]), &self.device);
        let bias = Tensor::<1>::from_data(TensorData::new(bias, [values]), &self.device);
        let layer = Linear {
            weight: Param::from_tensor(weight),
            bias: Some(Param::from_tensor(bias)),
        };
        Ok((layer, found))
    }
}
