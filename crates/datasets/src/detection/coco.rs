//! COCO: a JSON file per split.

use std::collections::HashMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::files::{Files, Found, read_text};
use super::{Annotation, DetectionError, DetectionSet, LabelFormat, Problem, ProblemKind};

#[derive(Deserialize)]
struct Json {
    images: Vec<JsonImage>,
    #[serde(default)]
    annotations: Vec<JsonAnnotation>,
    categories: Vec<Category>,
}

#[derive(Deserialize)]
struct JsonImage {
    id: i64,
    file_name: String,
    width: Option<usize>,
    height: Option<usize>,
}

#[derive(Deserialize)]
struct JsonAnnotation {
    id: Option<i64>,
    image_id: i64,
    category_id: i64,
    bbox: Vec<f64>,
    #[serde(default)]
    iscrowd: u8,
}

#[derive(Deserialize)]
struct Category {
    id: i64,
    name: String,
}

pub(super) fn read(files: &Files) -> Result<DetectionSet, DetectionError> {
    let mut problems = Vec::new();
    let mut images = files.annotated(&mut problems);
    let mut classes: Vec<String> = Vec::new();
    for path in &files.json {
        let file = path.display().to_string();
        let mut problem =
            |kind, place: String, detail: String| problems.push(Problem::new(kind, place, detail));
        let json: Json = match serde_json::from_str(&read_text(path)?) {
            Ok(json) => json,
            Err(error) => {
                let place = format!("{file}:{}", error.line());
                problem(ProblemKind::BrokenLabel, place, error.to_string());
                continue;
            }
        };
        let mut class_of = HashMap::new();
        for category in &json.categories {
            let known = classes.iter().position(|class| *class == category.name);
            let class = known.unwrap_or_else(|| {
                classes.push(category.name.clone());
                classes.len() - 1
            });
            class_of.insert(category.id, class);
        }
        let mut path_of: HashMap<i64, Option<PathBuf>> = HashMap::new();
        for image in &json.images {
            let place = format!("{file}, image {}", image.id);
            let found = match files.image_of(path, &image.file_name) {
                Found::One(found) => images.get_mut(found),
                Found::None | Found::Several(_) => {
                    let detail = format!("no image `{}`", image.file_name);
                    problem(ProblemKind::MissingImage, place.clone(), detail);
                    None
                }
            };
            path_of.insert(image.id, found.as_ref().map(|found| found.path.clone()));
            let Some(found) = found else { continue };
            if std::mem::replace(&mut found.is_labeled, true) {
                problem(
                    ProblemKind::SecondLabels,
                    place.clone(),
                    format!("for `{}`", image.file_name),
                );
            }
            if let (Some(width), Some(height)) = (image.width, image.height)
                && [width, height] != [found.width, found.height]
            {
                let detail = format!(
                    "it says {width} x {height}, the image has {} x {}",
                    found.width, found.height
                );
                problem(ProblemKind::OtherSize, place, detail);
            }
        }
        for (at, annotation) in json.annotations.iter().enumerate() {
            let place = match annotation.id {
                Some(id) => format!("{file}, annotation {id}"),
                None => format!("{file}, annotation number {}", at + 1),
            };
            let Some(image) = path_of.get(&annotation.image_id) else {
                let detail = format!("image {} is not in the file", annotation.image_id);
                problem(ProblemKind::MissingImage, place, detail);
                continue;
            };
            let Some(&class) = class_of.get(&annotation.category_id) else {
                let detail = format!("category {} is not in the file", annotation.category_id);
                problem(ProblemKind::UnknownClass, place, detail);
                continue;
            };
            let &[x, y, width, height] = &annotation.bbox[..] else {
                let detail = format!("`bbox` has {} numbers instead of 4", annotation.bbox.len());
                problem(ProblemKind::BrokenLabel, place, detail);
                continue;
            };
            if let Some(image) = image.as_ref().and_then(|image| images.get_mut(image)) {
                image.objects.push(Annotation {
                    bounds: [x, y, x + width, y + height],
                    class,
                    difficult: false,
                    crowd: annotation.iscrowd == 1,
                    place,
                });
            }
        }
    }
    Ok(DetectionSet {
        format: LabelFormat::Coco,
        classes,
        images: images.into_values().collect(),
        problems,
        notes: files.notes(),
    })
}
