//! Annotations of COCO: polygons and run lengths in a JSON file, drawn as one mask per image.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde::Deserialize;

use super::SegmentationError;
use crate::image::mask::{Region, unpack_runs};
use crate::image::{IGNORE, MAX_PIXELS, Mask};

#[derive(Debug, Deserialize)]
struct File {
    images: Vec<ImageEntry>,
    #[serde(default)]
    annotations: Vec<Annotation>,
    categories: Vec<Category>,
}

#[derive(Debug, Deserialize)]
struct ImageEntry {
    id: u64,
    file_name: String,
    height: usize,
    width: usize,
}

#[derive(Debug, Deserialize)]
struct Category {
    id: u64,
    name: String,
}

#[derive(Clone, Debug, Deserialize)]
struct Annotation {
    image_id: u64,
    category_id: u64,
    #[serde(default)]
    iscrowd: u8,
    segmentation: Option<Outline>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Outline {
    Polygons(Vec<Vec<f64>>),
    Runs { size: [usize; 2], counts: Counts },
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Counts {
    Plain(Vec<u64>),
    Packed(String),
}

/// The objects of an image, with their classes.
#[derive(Clone, Debug)]
pub(super) struct Objects {
    height: usize,
    width: usize,
    items: Vec<(Option<u16>, Outline)>,
}

/// The annotations of a JSON file for the wanted classes.
#[derive(Debug)]
pub(super) struct Coco {
    /// The classes, the background first.
    pub(super) classes: Vec<String>,
    /// The objects by the name of the image file.
    pub(super) objects: BTreeMap<String, Objects>,
    /// Crowds of the classes, which are not labeled.
    pub(super) crowds: usize,
    /// Objects of the classes that have no outline.
    pub(super) without_outline: usize,
}

impl Coco {
    /// Reads annotations. The classes after the first are categories by name; without any, all categories
    /// are, in the order of their numbers.
    pub(super) fn read(
        json: &[u8],
        path: &Path,
        classes: Option<&[String]>,
    ) -> Result<Self, SegmentationError> {
        let file: File = serde_json::from_slice(json)
            .map_err(|error| SegmentationError::annotations(path, error.to_string()))?;
        let (classes, label_of) = labels(&file.categories, classes, path)?;
        let mut coco = Self {
            classes,
            objects: BTreeMap::new(),
            crowds: 0,
            without_outline: 0,
        };
        let mut names = HashMap::new();
        for image in file.images {
            let pixels = image.height.checked_mul(image.width);
            if pixels.is_none_or(|pixels| pixels == 0 || pixels as u64 > MAX_PIXELS) {
                let reason = format!(
                    "image `{}` has {} x {} pixels",
                    image.file_name, image.height, image.width
                );
                return Err(SegmentationError::annotations(path, reason));
            }
            names.insert(image.id, image.file_name.clone());
            let objects = Objects {
                height: image.height,
                width: image.width,
                items: Vec::new(),
            };
            coco.objects.insert(image.file_name, objects);
        }
        for annotation in file.annotations {
            coco.add(annotation, &names, &label_of, path)?;
        }
        Ok(coco)
    }

    fn add(
        &mut self,
        annotation: Annotation,
        names: &HashMap<u64, String>,
        label_of: &HashMap<u64, u16>,
        path: &Path,
    ) -> Result<(), SegmentationError> {
        let id = annotation.image_id;
        let objects = names.get(&id).and_then(|name| self.objects.get_mut(name));
        let Some(objects) = objects else {
            let reason = format!("an annotation is of image {id}, which is not listed");
            return Err(SegmentationError::annotations(path, reason));
        };
        let Some(&label) = label_of.get(&annotation.category_id) else {
            return Ok(());
        };
        let crowd = annotation.iscrowd != 0;
        self.crowds += usize::from(crowd);
        match annotation.segmentation {
            Some(outline) => objects.items.push(((!crowd).then_some(label), outline)),
            None => self.without_outline += 1,
        }
        Ok(())
    }
}

/// The names of the classes, and the class of every wanted category.
fn labels(
    categories: &[Category],
    classes: Option<&[String]>,
    path: &Path,
) -> Result<(Vec<String>, HashMap<u64, u16>), SegmentationError> {
    let mut sorted: Vec<&Category> = categories.iter().collect();
    sorted.sort_by_key(|category| category.id);
    let own = sorted.iter().map(|category| category.name.clone());
    let own = std::iter::once("background".to_owned()).chain(own);
    let names = classes.map_or_else(|| own.collect(), <[String]>::to_vec);
    let mut label_of = HashMap::new();
    for (label, name) in names.iter().enumerate().skip(1) {
        let found: Vec<_> = sorted.iter().filter(|one| one.name == *name).collect();
        if found.is_empty() || label >= usize::from(IGNORE) {
            let known: Vec<&str> = sorted.iter().map(|one| one.name.as_str()).collect();
            let reason = format!("there is no category `{name}`, only {}", known.join(", "));
            return Err(SegmentationError::annotations(path, reason));
        }
        label_of.extend(found.iter().map(|category| (category.id, label as u16)));
    }
    Ok((names, label_of))
}

impl Objects {
    /// Whether there is an outline.
    pub(super) fn has_any(&self) -> bool {
        !self.items.is_empty()
    }

    /// The size of the image that they were drawn on: height and width.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.height, self.width)
    }

    /// The mask: large objects first, so that small ones lie on top; crowds are not labeled where there
    /// is nothing else. The error says what is wrong.
    pub(super) fn mask(&self) -> Result<Mask, String> {
        let mut regions = Vec::new();
        for (label, outline) in &self.items {
            let region = self.region(outline)?;
            // Crowds lie below, `None` being the least.
            regions.push((
                label.is_some(),
                region.area(),
                label.unwrap_or(IGNORE),
                region,
            ));
        }
        regions.sort_by_key(|&(object, area, _, _)| (object, std::cmp::Reverse(area)));
        let mut classes = vec![0; self.height * self.width];
        for (_, _, label, region) in &regions {
            for (at, class) in classes.iter_mut().enumerate() {
                if region.contains(at / self.width, at % self.width) {
                    *class = *label;
                }
            }
        }
        Ok(Mask {
            height: self.height,
            width: self.width,
            classes,
        })
    }

    fn region(&self, outline: &Outline) -> Result<Region, String> {
        let mut region = Region::empty(self.height, self.width);
        match outline {
            Outline::Polygons(polygons) => {
                for corners in polygons {
                    region.add_polygon(corners)?;
                }
            }
            Outline::Runs { size, counts } => {
                if *size != [self.height, self.width] {
                    return Err(format!("run lengths of {} x {} pixels", size[0], size[1]));
                }
                match counts {
                    Counts::Plain(runs) => region.add_runs(runs)?,
                    Counts::Packed(text) => region.add_runs(&unpack_runs(text)?)?,
                }
            }
        }
        Ok(region)
    }
}
