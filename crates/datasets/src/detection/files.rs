//! The files of a data set with boxes: images, labels, and what belongs together.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::lists::listed_split;
use super::{DetectionError, LabelFormat};
use crate::files::{IMAGE_EXTENSIONS, SkippedFiles, file_name, read_text, walk_counting};

/// Bytes at the start of a JSON file in which one of COCO names a part.
const COCO_START: u64 = 1 << 20;

/// The files below a folder.
pub(super) struct Files {
    pub(super) dir: PathBuf,
    /// The image files by their names without extension, in lower case.
    pub(super) images: HashMap<String, Vec<PathBuf>>,
    pub(super) xml: Vec<PathBuf>,
    pub(super) json: Vec<PathBuf>,
    /// Text files that are called as an image, or lie in a folder `labels`.
    pub(super) txt: Vec<PathBuf>,
    /// Files that may list the names of classes.
    pub(super) names: Vec<PathBuf>,
    /// Files that list the images of a split, with its name.
    pub(super) lists: Vec<(&'static str, PathBuf)>,
    /// Number of images in folders of masks.
    masks: usize,
    left_out: SkippedFiles,
}

/// The image of a label file.
pub(super) enum Found<'a> {
    One(&'a Path),
    None,
    /// Several with its name, none of which is nearer than another.
    Several(usize),
}

impl Files {
    pub(super) fn list(dir: &Path) -> Result<Self, DetectionError> {
        let mut files = Self {
            dir: dir.to_owned(),
            images: HashMap::new(),
            xml: Vec::new(),
            json: Vec::new(),
            txt: Vec::new(),
            names: Vec::new(),
            lists: Vec::new(),
            masks: 0,
            left_out: SkippedFiles::default(),
        };
        let mut texts = Vec::new();
        for path in walk_counting(dir, &mut files.left_out)? {
            let extension = path.extension().unwrap_or_default().to_string_lossy();
            match extension.to_lowercase().as_str() {
                "xml" if is_voc(&path) => files.xml.push(path),
                "json" if is_coco(&path) => files.json.push(path),
                "yaml" | "yml" | "names" => files.names.push(path),
                "txt" if is_names_file(&path) => files.names.push(path),
                "txt" => texts.push(path),
                image if IMAGE_EXTENSIONS.contains(&image) && in_masks(dir, &path) => {
                    files.masks += 1;
                }
                image if IMAGE_EXTENSIONS.contains(&image) => {
                    files.images.entry(stem(&path)).or_default().push(path);
                }
                _ => {}
            }
        }
        files.sort_texts(texts);
        // Next to other labels, a list of images in the form of COCO is not one of boxes.
        if !files.json.is_empty() && files.has_xml_or_yolo() {
            files.json.retain(|path| has_annotations(path));
        }
        // Next to the boxes, COCO has files of captions and of key points of the same images.
        let is_objects = |path: &PathBuf| file_name(path).starts_with("instances");
        if files.json.iter().any(is_objects) {
            files.json.retain(is_objects);
        }
        Ok(files)
    }

    /// Tells labels from lists of images and from other texts.
    fn sort_texts(&mut self, texts: Vec<PathBuf>) {
        let mut others = Vec::new();
        for path in texts {
            if let Some(split) = listed_split(&path) {
                self.lists.push((split, path));
            } else if is_in(&path, "ImageSets") {
                // Lists of Pascal VOC for another use.
            } else if self.images.contains_key(&stem(&path)) || is_in(&path, "labels") {
                self.txt.push(path);
            } else {
                others.push(path);
            }
        }
        // Labels that lie between other ones and lack their image.
        let folders: HashSet<PathBuf> = self.txt.iter().filter_map(|path| folder(path)).collect();
        let is_label = |path: &PathBuf| {
            folder(path).is_some_and(|folder| folders.contains(&folder)) && is_yolo(path)
        };
        self.txt.extend(others.into_iter().filter(is_label));
    }

    /// Whether there are labels of Pascal VOC or YOLO.
    fn has_xml_or_yolo(&self) -> bool {
        !self.xml.is_empty() || self.txt.iter().any(|path| is_yolo(path))
    }

    /// The one format of the labels.
    pub(super) fn format(&self, dir: &Path) -> Result<LabelFormat, DetectionError> {
        let formats = [
            (LabelFormat::Voc, self.xml.first()),
            (LabelFormat::Coco, self.json.first()),
            (
                LabelFormat::Yolo,
                self.txt.iter().find(|path| is_yolo(path)),
            ),
        ];
        let path = dir.to_owned();
        let mut found = formats
            .into_iter()
            .filter_map(|(format, file)| Some((format, file?.clone())));
        match (found.next(), found.next()) {
            (Some((format, _)), None) => Ok(format),
            (Some(first), Some(second)) => Err(DetectionError::Mixed {
                path,
                first,
                second,
            }),
            (None, _) => Err(DetectionError::NoLabels { path }),
        }
    }

    /// The image that belongs to a label file, by its name: in the same folder, in the folder `images` that
    /// mirrors a folder `labels`, or anywhere if there is only one.
    pub(super) fn image_of(&self, label: &Path, name: &str) -> Found<'_> {
        let name = name.replace('\\', "/");
        let candidates = self.images.get(&stem(Path::new(&name)));
        let Some(candidates) = candidates else {
            return Found::None;
        };
        let mirrored = label.to_string_lossy().replace("/labels/", "/images/");
        let near = [label.parent(), Path::new(&mirrored).parent()];
        let near = |path: &&PathBuf| near.contains(&path.parent());
        let last = name.rsplit('/').next().unwrap_or_default();
        let mut exact = candidates.iter().filter(|path| file_name(path) == last);
        match (&candidates[..], exact.next(), exact.next()) {
            ([one], _, _) | (_, Some(one), None) => Found::One(one),
            (several, _, _) => match several.iter().find(near) {
                Some(one) => Found::One(one),
                None => Found::Several(several.len()),
            },
        }
    }

    /// What was left out.
    pub(super) fn notes(&self) -> Vec<String> {
        let masks = format!("{} images in folders of masks are left out", self.masks);
        let masks = (self.masks > 0).then_some(masks);
        let skipped = (!self.left_out.is_empty()).then(|| self.left_out.to_string());
        masks.into_iter().chain(skipped).collect()
    }
}

/// The name of a file without its extension, in lower case.
pub(super) fn stem(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default();
    stem.to_string_lossy().to_lowercase()
}

/// The width and height of an image in its labels, and the actual ones.
pub(super) fn size_mismatch(labeled: [usize; 2], actual: [usize; 2]) -> String {
    let text = |[width, height]: [usize; 2]| format!("{width} x {height}");
    format!(
        "{} in the labels, the image is {}",
        text(labeled),
        text(actual)
    )
}

/// Whether a file lies in a folder of masks below `dir`.
fn in_masks(dir: &Path, path: &Path) -> bool {
    let below = path.strip_prefix(dir).unwrap_or(path);
    let mut parents = below.iter().rev().skip(1);
    parents.any(|part| part.to_string_lossy().to_lowercase().contains("mask"))
}

fn folder(path: &Path) -> Option<PathBuf> {
    path.parent().map(Path::to_owned)
}

fn is_in(path: &Path, folder: &str) -> bool {
    let mut parents = path.iter().rev().skip(1);
    parents.any(|part| part.to_string_lossy().eq_ignore_ascii_case(folder))
}

fn is_names_file(path: &Path) -> bool {
    let name = file_name(path).to_lowercase();
    ["classes.txt", "obj.names.txt", "labels.txt"].contains(&name.as_str())
}

/// Whether a text file has a line of numbers, as labels of YOLO have and captions do not.
fn is_yolo(path: &Path) -> bool {
    let text = read_text(path).unwrap_or_default();
    let line = text.lines().find(|line| !line.trim().is_empty());
    line.is_some_and(|line| {
        let mut parts = line.split_whitespace();
        parts.clone().count() >= 5 && parts.all(|part| part.parse::<f64>().is_ok())
    })
}

/// Whether an XML file is one of Pascal VOC.
fn is_voc(path: &Path) -> bool {
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(4096).read_to_end(&mut start));
    read.is_ok() && String::from_utf8_lossy(&start).contains("<annotation")
}

/// Whether a JSON file has the parts of one of COCO.
fn is_coco(path: &Path) -> bool {
    JsonStart::read(path).is_some_and(|start| {
        // One without annotations is told from other programs by the names of its images.
        let has_names = || start.has("categories") && start.has("file_name");
        start.has("images") && (start.has_annotations() || has_names())
    })
}

/// Whether a JSON file of COCO has annotations, and not only images and categories.
pub(super) fn has_annotations(path: &Path) -> bool {
    JsonStart::read(path).is_some_and(|start| start.has_annotations())
}

/// The start of a JSON file.
struct JsonStart {
    text: String,
    /// Whether only the start of the file was read.
    is_cut: bool,
}

impl JsonStart {
    fn read(path: &Path) -> Option<Self> {
        let mut start = Vec::new();
        let file = File::open(path).ok()?;
        file.take(COCO_START).read_to_end(&mut start).ok()?;
        Some(Self {
            text: String::from_utf8_lossy(&start).into_owned(),
            is_cut: start.len() as u64 == COCO_START,
        })
    }

    /// Whether a part is named.
    fn has(&self, part: &str) -> bool {
        self.text.contains(&format!("\"{part}\""))
    }

    /// Whether there are annotations. In a large file they may come late.
    fn has_annotations(&self) -> bool {
        self.is_cut || self.has("annotations")
    }
}
