//! COCO: a JSON file per split.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::files::{Files, Found, read_text};
use super::lists::split_of_words;
use super::{
    AnnotatedImage, Annotation, DetectionError, DetectionSet, LabelFormat, Problem, ProblemKind,
};

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
    let images = files.annotated(&mut problems);
    let mut reader = Reader {
        files,
        images,
        classes: Vec::new(),
        problems,
    };
    for path in &files.json {
        let text = read_text(path)?;
        match serde_json::from_str(&text) {
            Ok(json) => reader.add(path, json),
            Err(error) => {
                let place = format!("{}:{}", path.display(), error.line());
                reader.problem(ProblemKind::BrokenLabel, place, error.to_string());
            }
        }
    }
    Ok(DetectionSet {
        format: LabelFormat::Coco,
        classes: reader.classes,
        images: reader.images.into_values().collect(),
        problems: reader.problems,
        notes: files.notes(),
    })
}

/// What was read of the files so far.
struct Reader<'a> {
    files: &'a Files,
    images: BTreeMap<PathBuf, AnnotatedImage>,
    classes: Vec<String>,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn problem(&mut self, kind: ProblemKind, place: String, detail: String) {
        self.problems.push(Problem::new(kind, place, detail));
    }

    /// Adds a file.
    fn add(&mut self, path: &Path, json: Json) {
        let classes: HashMap<i64, usize> = json
            .categories
            .into_iter()
            .map(|category| (category.id, self.class(category.name)))
            .collect();
        let images: HashMap<i64, Option<PathBuf>> = json
            .images
            .into_iter()
            .map(|image| (image.id, self.add_image(path, &image)))
            .collect();
        for (at, annotation) in json.annotations.into_iter().enumerate() {
            let place = match annotation.id {
                Some(id) => format!("{}, annotation {id}", path.display()),
                None => format!("{}, annotation number {}", path.display(), at + 1),
            };
            if let Err((kind, detail)) = self.add_box(&annotation, &classes, &images, &place) {
                self.problem(kind, place, detail);
            }
        }
    }

    /// The number of a class.
    fn class(&mut self, name: String) -> usize {
        let known = self.classes.iter().position(|class| *class == name);
        known.unwrap_or_else(|| {
            self.classes.push(name);
            self.classes.len() - 1
        })
    }

    /// The file of an image, if there is one.
    fn add_image(&mut self, path: &Path, image: &JsonImage) -> Option<PathBuf> {
        let place = format!("{}, image {}", path.display(), image.id);
        let Found::One(file) = self.files.image_of(path, &image.file_name) else {
            let detail = format!("no image `{}`", image.file_name);
            self.problem(ProblemKind::MissingImage, place, detail);
            return None;
        };
        // A damaged image is a problem already.
        let found = self.images.get_mut(file)?;
        if std::mem::replace(&mut found.is_labeled, true) {
            let detail = format!("for `{}`", image.file_name);
            self.problem(ProblemKind::SecondLabels, place, detail);
            return None;
        }
        if found.split.is_empty()
            && let Some(split) = split_of_words(path)
        {
            found.split = split;
            let below = path.strip_prefix(&self.files.dir).unwrap_or(path);
            found.split_source = format!("`{}`", below.display());
        }
        if let (Some(width), Some(height)) = (image.width, image.height)
            && let Some((kind, detail)) = found.set_labeled(width, height)
        {
            self.problem(kind, place, detail);
        }
        Some(file.to_owned())
    }

    fn add_box(
        &mut self,
        annotation: &JsonAnnotation,
        classes: &HashMap<i64, usize>,
        images: &HashMap<i64, Option<PathBuf>>,
        place: &str,
    ) -> Result<(), (ProblemKind, String)> {
        let missing = |what: &str, id: i64| format!("{what} {id} is not in the file");
        let image = images.get(&annotation.image_id).ok_or_else(|| {
            (
                ProblemKind::MissingImage,
                missing("image", annotation.image_id),
            )
        })?;
        let &class = classes.get(&annotation.category_id).ok_or_else(|| {
            (
                ProblemKind::UnknownClass,
                missing("category", annotation.category_id),
            )
        })?;
        let &[x, y, width, height] = &annotation.bbox[..] else {
            let detail = format!("`bbox` has {} numbers instead of 4", annotation.bbox.len());
            return Err((ProblemKind::BrokenLabel, detail));
        };
        if let Some(image) = image.as_ref().and_then(|image| self.images.get_mut(image)) {
            image.objects.push(Annotation {
                bounds: [x, y, x + width, y + height],
                class,
                difficult: false,
                crowd: annotation.iscrowd == 1,
                place: place.to_owned(),
            });
        }
        Ok(())
    }
}
