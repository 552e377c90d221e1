//! Faces as samples.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::data::dataset::{Dataset, DatasetError};
use tinderbox_datasets::Subset;
use tinderbox_datasets::image::{GroupBy, ImageError, ImageSample, groups_of};
use tinderbox_datasets::landmarks::{LandmarkFace, LandmarkFolder, LandmarkOptions};
use tinderbox_train::splits::Item;
use tinderbox_train::{Split, TaskError};

use super::recipe::LandmarkData;
use crate::vision::data::{DataError, NamedSplit};
use crate::vision::decoded::DecodedImages;
use crate::vision::splits::ImageSplits;

/// The outer corners of the eyes among the points of iBUG, from 0.
const EYES: [usize; 2] = [36, 45];

/// A face with its points, in pixels.
pub(super) type Face = ImageSample<Vec<[f32; 2]>>;

/// All faces in one order: those of the data, then those that are only trained on.
pub(super) struct Faces {
    pub(super) images: Arc<Images>,
    /// A hash of each image: equal ones are copies.
    pub(super) contents: Vec<u64>,
    /// The data's own splits.
    pub(super) named: [Option<NamedSplit>; 3],
    pub(super) notes: Vec<String>,
    pub(super) format: &'static str,
    /// Faces of the data itself.
    pub(super) own: usize,
    root: PathBuf,
}

/// Images with faces, decoded when they are first used.
pub(super) struct Images {
    folders: Vec<LandmarkFolder>,
    /// The folder of each face, and its number there.
    places: Vec<(usize, usize)>,
    decoded: DecodedImages,
}

impl Faces {
    /// Reads all labels of a data section.
    pub(super) fn open(data: &LandmarkData) -> Result<Self, TaskError> {
        if data.path.is_empty() {
            return Err(DataError::NoPath.into());
        }
        let mut options = LandmarkOptions {
            bad_points: data.bad_points,
            channels: data.channels,
            points: data.points,
        };
        let mut folders = Vec::new();
        for path in std::iter::once(&data.path).chain(&data.extra) {
            let folder =
                LandmarkFolder::open(Path::new(path), &options).map_err(TaskError::user)?;
            options.points = folder.points();
            folders.push(folder);
        }
        let faces = |folder: &LandmarkFolder| 0..folder.faces().len();
        let places = folders.iter().enumerate();
        let places = places.flat_map(|(at, folder)| faces(folder).map(move |face| (at, face)));
        let places: Vec<(usize, usize)> = places.collect();
        let main = &folders[0];
        let named = main.splits().clone().map(|split| {
            split.map(|split| NamedSplit {
                range: split.rows,
                source: split.source,
            })
        });
        let mut notes: Vec<String> = folders
            .iter()
            .flat_map(LandmarkFolder::notes)
            .cloned()
            .collect();
        let own = main.faces().len();
        let sizes = places
            .iter()
            .map(|&(folder, face)| folders[folder].faces()[face].size);
        let decoded = DecodedImages::new(sizes, data.channels);
        if places.len() > own {
            notes.push(format!(
                "{} more faces are only trained on",
                places.len() - own
            ));
        }
        Ok(Self {
            named,
            notes,
            own,
            format: main.format().name(),
            root: PathBuf::from(&data.path),
            contents: folders
                .iter()
                .flat_map(LandmarkFolder::faces)
                .map(|face| face.content)
                .collect(),
            images: Arc::new(Images {
                folders,
                places,
                decoded,
            }),
        })
    }

    /// Number of points of a face.
    pub(super) fn points(&self) -> usize {
        self.images.folders[0].points()
    }

    /// The faces as items of a split list.
    pub(super) fn items(&self) -> Vec<Item> {
        let contents = self.contents.iter();
        contents.map(|&content| Item::new(content, "")).collect()
    }

    /// Some of the samples.
    pub(super) fn select(&self, rows: &[usize]) -> Result<Arc<dyn Dataset<Face>>, DataError> {
        let all: Arc<dyn Dataset<Face>> = Arc::clone(&self.images) as _;
        Ok(Arc::new(Subset::new(all, rows.to_vec())?))
    }

    /// The splits, with the faces that are only trained on in every training split.
    pub(super) fn splits(
        &self,
        split: &Split,
        group_by: GroupBy,
    ) -> Result<ImageSplits, TaskError> {
        let contents = &self.contents[..self.own];
        let mut splits = if group_by == GroupBy::Image {
            ImageSplits::without_classes(contents, &self.named, split)?
        } else {
            if self.named.iter().any(Option::is_some) {
                let root = self.root.display().to_string();
                return Err(DataError::GroupedSplits(root).into());
            }
            let paths: Vec<&Path> = (0..self.own)
                .map(|row| self.images.face(row).path.as_path())
                .collect();
            let groups = groups_of(&self.root, &paths, group_by).map_err(TaskError::user)?;
            ImageSplits::of_groups(&groups, contents, split)?
        };
        let extra = self.own..self.contents.len();
        splits.splits.train.extend(extra.clone());
        for fold in &mut splits.folds {
            fold.train.extend(extra.clone());
        }
        Ok(splits)
    }
}

impl Images {
    /// The labels of a face.
    pub(super) fn face(&self, row: usize) -> &LandmarkFace {
        let (folder, face) = self.places[row];
        &self.folders[folder].faces()[face]
    }

    /// The image with its points.
    pub(super) fn sample(&self, row: usize) -> Result<Face, ImageError> {
        let (folder, face) = self.places[row];
        let decode = || self.folders[folder].image(face);
        Ok(ImageSample {
            image: self.decoded.get(row, decode)?,
            target: self.face(row).points.clone(),
        })
    }
}

impl Dataset<Face> for Images {
    fn get(&self, index: usize) -> Result<Face, DatasetError> {
        self.sample(index).map_err(DatasetError::new)
    }

    fn len(&self) -> usize {
        self.places.len()
    }
}

/// The distance that errors are divided by: between the outer corners of the eyes for the points of iBUG, and the
/// diagonal of the box around the points for others.
pub(super) fn scale_of(points: &[[f32; 2]]) -> f32 {
    let distance = |[ax, ay]: [f32; 2], [bx, by]: [f32; 2]| (ax - bx).hypot(ay - by);
    let scale = if points.len() == tinderbox_datasets::IBUG_POINTS {
        distance(points[EYES[0]], points[EYES[1]])
    } else {
        let [left, top, right, bottom] = tinderbox_datasets::image::bounds_of(points);
        distance([left, top], [right, bottom])
    };
    scale.max(1e-6)
}

/// The mean distance of points from others, in the unit of [`scale_of`].
pub(super) fn normalized_error(found: &[[f32; 2]], truth: &[[f32; 2]]) -> f64 {
    let distances = found
        .iter()
        .zip(truth)
        .map(|([ax, ay], [bx, by])| f64::from((ax - bx).hypot(ay - by)));
    distances.sum::<f64>() / truth.len().max(1) as f64 / f64::from(scale_of(truth))
}
