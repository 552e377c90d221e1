//! COCO: a JSON file per split.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::{self, Display};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::files::{Files, Found, stem};
use super::outline::around;
use super::{
    AnnotatedImage, Annotation, DetectionError, DetectionSet, LabelFormat, Problem, ProblemKind,
};
use crate::files::{SplitName, read_text};

#[derive(Deserialize)]
struct Json {
    images: Vec<JsonImage>,
    annotations: Option<Vec<Entry>>,
    categories: Vec<Category>,
}

#[derive(Deserialize)]
struct JsonImage {
    id: Id,
    file_name: String,
    width: Option<usize>,
    height: Option<usize>,
}

/// An annotation that may be damaged.
#[derive(Deserialize)]
#[serde(untagged)]
enum Entry {
    Good(JsonAnnotation),
    Other(Value),
}

#[derive(Deserialize)]
struct JsonAnnotation {
    id: Option<Id>,
    image_id: Id,
    category_id: Id,
    bbox: Vec<f64>,
    #[serde(default)]
    iscrowd: u8,
}

#[derive(Deserialize)]
struct Category {
    id: Id,
    name: String,
}

/// A number, or a text that is none.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(from = "JsonId")]
enum Id {
    Number(i64),
    Text(String),
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "an id is neither a number nor a text")]
enum JsonId {
    Number(i64),
    Text(String),
}

impl From<JsonId> for Id {
    fn from(id: JsonId) -> Self {
        match id {
            JsonId::Number(number) => Self::Number(number),
            JsonId::Text(text) => match text.parse::<i64>() {
                Ok(number) if number.to_string() == text => Self::Number(number),
                _ => Self::Text(text),
            },
        }
    }
}

impl Display for Id {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(out, "{number}"),
            Self::Text(text) => out.write_str(text),
        }
    }
}

impl Entry {
    fn id(&self) -> Option<Id> {
        match self {
            Self::Good(annotation) => annotation.id.clone(),
            Self::Other(value) => Id::deserialize(value.get("id")?).ok(),
        }
    }

    /// The annotation, and whether its box is the one around its outline because it has none itself. The error says
    /// what is wrong.
    fn read(self) -> Result<(JsonAnnotation, bool), String> {
        let mut value = match self {
            Self::Good(annotation) => return Ok((annotation, false)),
            Self::Other(value) => value,
        };
        let has_box = value.get("bbox").is_some_and(|bounds| !bounds.is_null());
        let outline = value.get("segmentation").filter(|_| !has_box);
        let bounds = outline.and_then(around);
        if let (Some(bounds), Some(fields)) = (bounds, value.as_object_mut()) {
            fields.insert("bbox".to_owned(), Value::from(bounds.to_vec()));
        }
        let annotation = serde_json::from_value(value).map_err(|error| error.to_string())?;
        Ok((annotation, bounds.is_some()))
    }
}

/// Reads all files, and says whether each of them could be read and lists objects.
pub(super) fn read(files: &Files) -> Result<(DetectionSet, bool), DetectionError> {
    let mut problems = Vec::new();
    let images = files.annotated(&mut problems);
    let mut reader = Reader {
        files,
        images,
        classes: Vec::new(),
        problems,
        outlines: 0,
        is_complete: true,
    };
    for path in &files.json {
        let text = read_text(path)?;
        match serde_json::from_str(&text) {
            Ok(json) => reader.add(path, json),
            Err(error) => {
                let place = format!("{}:{}", path.display(), error.line());
                reader.is_complete = false;
                reader.problem(ProblemKind::BrokenLabel, place, error.to_string());
            }
        }
    }
    let mut notes = files.notes();
    notes.extend(match reader.outlines {
        0 => None,
        1 => Some("1 object has no `bbox`: the box around its outline is used".to_owned()),
        count => Some(format!(
            "{count} objects have no `bbox`: the boxes around their outlines are used"
        )),
    });
    let set = DetectionSet {
        format: LabelFormat::Coco,
        classes: reader.classes,
        images: reader.images.into_values().collect(),
        problems: reader.problems,
        notes,
    };
    Ok((set, reader.is_complete))
}

/// What was read of the files so far.
struct Reader<'a> {
    files: &'a Files,
    images: BTreeMap<PathBuf, AnnotatedImage>,
    classes: Vec<String>,
    problems: Vec<Problem>,
    /// Objects that have an outline and no box.
    outlines: usize,
    /// Whether every file could be read and lists objects.
    is_complete: bool,
}

impl Reader<'_> {
    fn problem(&mut self, kind: ProblemKind, place: String, detail: impl Into<String>) {
        self.problems.push(Problem::new(kind, place, detail));
    }

    /// Adds a file.
    fn add(&mut self, path: &Path, json: Json) {
        let Some(annotations) = json.annotations else {
            let detail = "this COCO file has no `annotations`";
            self.is_complete = false;
            self.problem(
                ProblemKind::NoAnnotations,
                path.display().to_string(),
                detail,
            );
            return;
        };
        let classes = self.add_categories(path, json.categories);
        let mut images: HashMap<Id, Option<PathBuf>> = HashMap::new();
        for image in json.images {
            let file = self.add_image(path, &image);
            let place = format!("{}, image {}", path.display(), image.id);
            if images.insert(image.id, file).is_some() {
                let detail = "another image has this id: boxes with this id go to the last one";
                self.problem(ProblemKind::SameId, place, detail);
            }
        }
        let mut ids = HashSet::new();
        for (at, entry) in annotations.into_iter().enumerate() {
            let id = entry.id();
            let place = match &id {
                Some(id) => format!("{}, annotation {id}", path.display()),
                None => format!("{}, annotation number {}", path.display(), at + 1),
            };
            if id.is_some_and(|id| !ids.insert(id)) {
                let detail = "another annotation has this id: both are used";
                self.problem(ProblemKind::SameId, place.clone(), detail);
            }
            let added = entry
                .read()
                .map_err(|detail| (ProblemKind::BrokenLabel, detail))
                .and_then(|(annotation, is_outline)| {
                    self.outlines += usize::from(is_outline);
                    self.add_box(&annotation, &classes, &images, &place)
                });
            if let Err((kind, detail)) = added {
                self.problem(kind, place, detail);
            }
        }
    }

    /// The class of each category.
    fn add_categories(&mut self, path: &Path, categories: Vec<Category>) -> HashMap<Id, usize> {
        let mut classes = HashMap::new();
        let mut first: HashMap<String, Id> = HashMap::new();
        for Category { id, name } in categories {
            let place = format!("{}, category {id}", path.display());
            let other = first.entry(name.clone()).or_insert_with(|| id.clone());
            if *other != id {
                let detail =
                    format!("`{name}` is also the name of category {other}: both are one class");
                self.problem(ProblemKind::SameName, place.clone(), detail);
            }
            let class = self.class(name);
            if classes.insert(id, class).is_some() {
                let detail = "another category has this id: the last one is used";
                self.problem(ProblemKind::SameId, place, detail);
            }
        }
        classes
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
            && let Some(split) = SplitName::of_words(&stem(path))
        {
            found.split = split.as_str();
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
        classes: &HashMap<Id, usize>,
        images: &HashMap<Id, Option<PathBuf>>,
        place: &str,
    ) -> Result<(), (ProblemKind, String)> {
        let missing = |what: &str, id: &Id| format!("{what} {id} is not in the file");
        let image = images.get(&annotation.image_id).ok_or_else(|| {
            (
                ProblemKind::MissingImage,
                missing("image", &annotation.image_id),
            )
        })?;
        let &class = classes.get(&annotation.category_id).ok_or_else(|| {
            (
                ProblemKind::UnknownClass,
                missing("category", &annotation.category_id),
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
