//! Writes images with boxes in another label format.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::json;
use thiserror::Error;

use super::{AnnotatedImage, DetectionSet, LabelFormat};
use crate::atomic_file::write_dir_atomic;
use crate::escape::is_outside_xml;
use crate::files::file_name;

/// Digits after the point of pixels.
const DIGITS: usize = 6;

/// Errors of writing images with boxes.
#[derive(Debug, Error)]
pub enum WriteError {
    /// There is something already.
    #[error("`{}` exists already; name a new folder", path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// XML cannot hold a name, not even as a reference.
    #[error(
        "the {what} `{name}` has the character U+{:04X}, which XML cannot hold; rename it, or write another format",
        u32::from(*character)
    )]
    OutsideXml {
        /// What is named: a class or an image.
        what: &'static str,
        /// The name.
        name: String,
        /// The character.
        character: char,
    },
    /// The folder cannot be written.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The folder.
        path: PathBuf,
        /// Why, with the name of the file.
        source: io::Error,
    },
}

/// Writes images and labels to a new folder, in the usual layout of the format, and returns what it cannot
/// represent, as whole lines.
///
/// Boxes are the same to a millionth of a pixel. The folder appears when it is complete.
///
/// # Errors
///
/// If the folder exists, a file cannot be read or written, or the format is XML and cannot hold a name.
pub fn write(
    set: &DetectionSet,
    format: LabelFormat,
    dir: &Path,
) -> Result<Vec<String>, WriteError> {
    if dir.exists() {
        return Err(WriteError::Exists {
            path: dir.to_owned(),
        });
    }
    if format == LabelFormat::Voc {
        check_names(set)?;
    }
    let mut notes = Vec::new();
    let written = write_dir_atomic(dir, |new| {
        let out = Out {
            dir: new,
            names: names(set),
            set,
        };
        notes = match format {
            LabelFormat::Voc => out.voc(),
            LabelFormat::Coco => out.coco(),
            LabelFormat::Yolo => out.yolo(),
        }?;
        Ok(())
    });
    written.map_err(|source| WriteError::Write {
        path: dir.to_owned(),
        source,
    })?;
    Ok(notes)
}

/// Refuses names that XML cannot hold, of the images with labels and of the classes of their objects.
fn check_names(set: &DetectionSet) -> Result<(), WriteError> {
    let check = |what, name: &str| match name.chars().find(|letter| is_outside_xml(*letter)) {
        None => Ok(()),
        Some(character) => Err(WriteError::OutsideXml {
            what,
            name: name.to_owned(),
            character,
        }),
    };
    for image in set.images.iter().filter(|image| image.is_labeled) {
        check("image", &file_name(&image.path))?;
        for object in &image.objects {
            check("class", &set.classes[object.class])?;
        }
    }
    Ok(())
}

/// A name for each image without its extension, each once.
fn names(set: &DetectionSet) -> Vec<String> {
    let mut used = HashSet::new();
    let name = |image: &AnnotatedImage| {
        let own = image.path.file_stem().unwrap_or_default().to_string_lossy();
        let mut name = own.to_string();
        let mut number = 2;
        while !used.insert(name.to_lowercase()) {
            name = format!("{own}-{number}");
            number += 1;
        }
        name
    };
    set.images.iter().map(name).collect()
}

/// A folder that is being written.
struct Out<'a> {
    dir: &'a Path,
    names: Vec<String>,
    set: &'a DetectionSet,
}

impl Out<'_> {
    fn put(&self, name: &str, text: &str) -> io::Result<()> {
        let path = self.dir.join(name);
        let folder = path.parent().map_or(Ok(()), fs::create_dir_all);
        let written = folder.and_then(|()| fs::write(&path, text));
        written.map_err(|error| named(name, &error))
    }

    /// Copies an image into a folder, and returns its file name.
    fn copy(&self, at: usize, folder: &str) -> io::Result<String> {
        let from = &self.set.images[at].path;
        let extension = from.extension().unwrap_or_default().to_string_lossy();
        let name = format!("{}.{extension}", self.names[at]);
        let folder = self.dir.join(folder);
        let copied = fs::create_dir_all(&folder).and_then(|()| fs::copy(from, folder.join(&name)));
        copied.map_err(|error| named(&name, &error))?;
        Ok(name)
    }

    /// The images of each split, with its name in file names.
    fn splits(&self, without: &'static str) -> Vec<(&'static str, Vec<usize>)> {
        let splits = [
            ("train", "train"),
            ("valid", "val"),
            ("test", "test"),
            ("", without),
        ];
        let of = |split: &str| -> Vec<usize> {
            let images = self.set.images.iter().enumerate();
            let images = images.filter(|(_, image)| image.split == split);
            images.map(|(at, _)| at).collect()
        };
        let splits = splits.into_iter().map(|(split, name)| (name, of(split)));
        splits.filter(|(_, images)| !images.is_empty()).collect()
    }

    fn voc(&self) -> io::Result<Vec<String>> {
        for (at, image) in self.set.images.iter().enumerate() {
            let file = self.copy(at, "JPEGImages")?;
            let mut xml = format!(
                "<annotation>\n\t<filename>{}</filename>\n\t<size>\n\t\t<width>{}</width>\n\t\t<height>{}</height>\n\t\
                 </size>\n",
                escape(&file),
                image.width,
                image.height
            );
            for object in &image.objects {
                let [left, top, right, bottom] = object.bounds.map(number);
                let _ = write!(
                    xml,
                    "\t<object>\n\t\t<name>{}</name>\n\t\t<difficult>{}</difficult>\n\t\t<bndbox>\n\t\t\t\
                     <xmin>{left}</xmin>\n\t\t\t<ymin>{top}</ymin>\n\t\t\t<xmax>{right}</xmax>\n\t\t\t\
                     <ymax>{bottom}</ymax>\n\t\t</bndbox>\n\t</object>\n",
                    escape(&self.set.classes[object.class]),
                    u8::from(object.difficult)
                );
            }
            if image.is_labeled {
                let xml = format!("{xml}</annotation>\n");
                self.put(&format!("Annotations/{}.xml", self.names[at]), &xml)?;
            }
        }
        for (split, images) in self.splits("") {
            let lines: Vec<&str> = images.iter().map(|&at| self.names[at].as_str()).collect();
            if !split.is_empty() {
                self.put(
                    &format!("ImageSets/Main/{split}.txt"),
                    &(lines.join("\n") + "\n"),
                )?;
            }
        }
        Ok(self.lost(false, true))
    }

    fn coco(&self) -> io::Result<Vec<String>> {
        let categories = self.set.classes.iter().enumerate();
        let categories: Vec<_> = categories
            .map(|(class, name)| json!({"id": class + 1, "name": name}))
            .collect();
        let mut id = 0;
        for (split, images) in self.splits("all") {
            let (mut entries, mut annotations) = (Vec::new(), Vec::new());
            for at in images {
                let image = &self.set.images[at];
                let file = self.copy(at, split)?;
                if !image.is_labeled {
                    continue;
                }
                entries.push(json!({
                    "id": at + 1, "file_name": file, "width": image.width, "height": image.height,
                }));
                for object in &image.objects {
                    id += 1;
                    let [left, top, right, bottom] = object.bounds;
                    let [left, top, width, height] =
                        [left, top, right - left, bottom - top].map(rounded);
                    annotations.push(json!({
                        "id": id, "image_id": at + 1, "category_id": object.class + 1,
                        "bbox": [left, top, width, height], "area": rounded(width * height),
                        "iscrowd": u8::from(object.crowd),
                    }));
                }
            }
            let json =
                json!({"images": entries, "annotations": annotations, "categories": categories});
            self.put(
                &format!("annotations/instances_{split}.json"),
                &json.to_string(),
            )?;
        }
        Ok(self.lost(true, false))
    }

    fn yolo(&self) -> io::Result<Vec<String>> {
        let mut yaml = "path: .\n".to_owned();
        let splits = self.splits("all");
        let has = |name: &str| splits.iter().any(|(split, _)| *split == name);
        let train = match (has("train"), has("all")) {
            (true, true) => "[images/train, images/all]",
            (false, true) => "images/all",
            // Also if there is no image to train on: Ultralytics wants the key.
            _ => "images/train",
        };
        // It wants this one as well.
        let valid = if has("val") { "images/val" } else { train };
        let _ = writeln!(yaml, "train: {train}\nval: {valid}");
        if has("test") {
            yaml.push_str("test: images/test\n");
        }
        for (split, images) in &splits {
            for &at in images {
                let image = &self.set.images[at];
                self.copy(at, &format!("images/{split}"))?;
                let lines = image.objects.iter().map(|object| {
                    let [left, top, right, bottom] = object.bounds;
                    let [width, height] = [image.width as f64, image.height as f64];
                    let middle = [left.midpoint(right) / width, top.midpoint(bottom) / height];
                    let size = [(right - left) / width, (bottom - top) / height];
                    format!(
                        "{} {} {} {} {}\n",
                        object.class, middle[0], middle[1], size[0], size[1]
                    )
                });
                if image.is_labeled {
                    let text: String = lines.collect();
                    self.put(&format!("labels/{split}/{}.txt", self.names[at]), &text)?;
                }
            }
        }
        yaml.push_str("names:\n");
        for (class, name) in self.set.classes.iter().enumerate() {
            // JSON strings are YAML strings.
            let _ = writeln!(yaml, "  {class}: {}", json!(name));
        }
        self.put("data.yaml", &yaml)?;
        let mut notes = self.lost(true, true);
        if !has("val") {
            notes.push(
                "there is no validation split: `val` in data.yaml names the training images"
                    .to_owned(),
            );
        }
        if !has("train") && !has("all") {
            notes.push(
                "there are no training images: `train` in data.yaml names a folder that does not exist"
                    .to_owned(),
            );
        }
        Ok(notes)
    }

    /// What the format cannot represent.
    fn lost(&self, difficult: bool, crowd: bool) -> Vec<String> {
        let objects = || self.set.images.iter().flat_map(|image| &image.objects);
        let hard = objects().filter(|object| object.difficult).count();
        let crowds = objects().filter(|object| object.crowd).count();
        let mut lost = Vec::new();
        if difficult && hard > 0 {
            lost.push(format!(
                "{hard} boxes are marked as difficult, which this format cannot represent"
            ));
        }
        if crowd && crowds > 0 {
            lost.push(format!(
                "{crowds} boxes are marked as crowds, which this format cannot represent"
            ));
        }
        lost
    }
}

/// An error with the name of the file; the folder has a temporary one.
fn named(file: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{file}: {error}"))
}

/// A number of pixels to a millionth.
fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

fn number(value: f64) -> String {
    let text = format!("{value:.DIGITS$}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" {
        "0".to_owned()
    } else {
        text.to_owned()
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::super::files::stem;
    use super::super::read;
    use super::*;

    /// The name of a class with a box, in 1e-5 pixels.
    type ClassBox = (String, [i64; 4]);

    /// What counts of a set: image name, split, and boxes with the names of their classes.
    fn content(set: &DetectionSet) -> Vec<(String, String, Vec<ClassBox>)> {
        let mut content: Vec<_> = set
            .images
            .iter()
            .map(|image| {
                let objects = image.objects.iter().map(|object| {
                    let bounds = object.bounds.map(|edge| (edge * 1e5).round() as i64);
                    (set.classes[object.class].clone(), bounds)
                });
                (stem(&image.path), image.split.to_owned(), objects.collect())
            })
            .collect();
        content.sort();
        content
    }

    #[test]
    fn boxes_survive_every_conversion() {
        let dir = tempfile::tempdir().unwrap();
        let first = dir.path().join("first");
        for (name, labels) in [
            (
                "images/train/a",
                "0 0.123456 0.3 0.1 0.2\n1 0.7 0.71 0.3125 0.1\n",
            ),
            ("images/val/b", ""),
            ("images/val/a", "1 0.5 0.5 1.2 0.1\n"),
        ] {
            let image = first.join(format!("{name}.png"));
            fs::create_dir_all(image.parent().unwrap()).unwrap();
            image::GrayImage::new(97, 61).save(&image).unwrap();
            let path = first.join(format!("{}.txt", name.replace("images", "labels")));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, labels).unwrap();
        }
        fs::write(first.join("classes.txt"), "dog & <cat>\n'bird': #1\n").unwrap();
        let start = read(&first).unwrap();
        assert_eq!(start.problems.len(), 1, "{:?}", start.problems);
        let mut expected = content(&start);
        // Two images are called `a`.
        "a-2".clone_into(&mut expected[1].0);
        let mut from = start;
        for (name, format) in [
            ("voc", LabelFormat::Voc),
            ("coco", LabelFormat::Coco),
            ("yolo", LabelFormat::Yolo),
            ("voc2", LabelFormat::Voc),
        ] {
            let to = dir.path().join(name);
            assert_eq!(write(&from, format, &to).unwrap(), Vec::<String>::new());
            from = read(&to).unwrap();
            assert_eq!(from.format, format);
            assert_eq!(content(&from), expected, "{name}");
        }
        assert!(matches!(
            write(&from, LabelFormat::Coco, &first),
            Err(WriteError::Exists { .. })
        ));
        let left = fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(left, 5);
        // XML has no place for some characters; the other formats have.
        from.classes[1] = "red\u{1}cell".to_owned();
        let none = dir.path().join("none");
        let error = write(&from, LabelFormat::Voc, &none).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the class `red\u{1}cell` has the character U+0001, which XML cannot hold; rename it, or write another \
             format"
        );
        assert!(!none.exists());
        write(&from, LabelFormat::Coco, &none).unwrap();
        assert_eq!(read(&none).unwrap().classes[1], from.classes[1]);
    }

    #[test]
    fn yolo_names_images_to_train_and_validate_on_but_never_those_to_test() {
        for (splits, expected, notes) in [
            (
                &["train", "val", "test"][..],
                ["images/train", "images/val"],
                0,
            ),
            (&["train"], ["images/train", "images/train"], 1),
            (&["train", "test"], ["images/train", "images/train"], 1),
            (&["all", "test"], ["images/all", "images/all"], 1),
            (&["test"], ["images/train", "images/train"], 2),
        ] {
            let dir = tempfile::tempdir().unwrap();
            for (at, split) in splits.iter().enumerate() {
                let place = if *split == "all" {
                    "images"
                } else {
                    &format!("images/{split}")
                };
                let image = dir.path().join("in").join(place).join(format!("{at}.png"));
                fs::create_dir_all(image.parent().unwrap()).unwrap();
                image::GrayImage::new(10, 10).save(&image).unwrap();
                fs::write(image.with_extension("txt"), "0 0.5 0.5 0.1 0.1\n").unwrap();
            }
            fs::write(dir.path().join("in/classes.txt"), "dog\n").unwrap();
            let set = read(&dir.path().join("in")).unwrap();
            let out = dir.path().join("out");
            let found = write(&set, LabelFormat::Yolo, &out).unwrap();
            assert_eq!(found.len(), notes, "{splits:?}: {found:?}");
            let yaml = fs::read_to_string(out.join("data.yaml")).unwrap();
            let [train, valid] = expected;
            let start = format!("path: .\ntrain: {train}\nval: {valid}\n");
            assert!(yaml.starts_with(&start), "{splits:?}: {yaml}");
            assert_eq!(yaml.contains("test: images/test"), splits.contains(&"test"));
        }
    }

    #[test]
    fn what_a_format_cannot_say_is_counted() {
        let dir = tempfile::tempdir().unwrap();
        let image = dir.path().join("a.png");
        image::GrayImage::new(10, 10).save(&image).unwrap();
        let xml = "<annotation><object><name>x</name><difficult>1</difficult><bndbox><xmin>1</xmin>\
                   <ymin>1</ymin><xmax>5.25</xmax><ymax>5</ymax></bndbox></object></annotation>";
        fs::write(dir.path().join("a.xml"), xml).unwrap();
        let set = read(dir.path()).unwrap();
        let out = |name: &str| dir.path().join(name);
        let notes = write(&set, LabelFormat::Yolo, &out("yolo")).unwrap();
        assert!(
            notes.len() == 2 && notes[1].contains("no validation split"),
            "{notes:?}"
        );
        assert_eq!(write(&set, LabelFormat::Voc, &out("voc")).unwrap().len(), 0);
        let text = fs::read_to_string(out("voc").join("Annotations/a.xml")).unwrap();
        assert!(
            text.contains("<difficult>1</difficult>") && text.contains("<xmax>5.25</xmax>"),
            "{text}"
        );
    }
}
