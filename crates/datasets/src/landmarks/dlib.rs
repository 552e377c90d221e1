//! XML files of dlib: images with boxes, and parts in them.

use std::path::Path;

use roxmltree::{Document, Node};

use super::{LandmarkError, RawFace};
use crate::files::read_text;
use crate::xml;

/// Whether a text is an XML file of dlib.
pub(super) fn is_dlib(path: &Path) -> bool {
    read_text(path).is_ok_and(|text| text.contains("<dataset") && text.contains("<part"))
}

/// Reads the faces of a file.
pub(super) fn read(path: &Path) -> Result<Vec<RawFace>, LandmarkError> {
    let text = read_text(path)?;
    let document = match xml::parse(&text) {
        Ok(document) => document,
        Err(error) => {
            return Ok(vec![RawFace {
                image: String::new(),
                points: Vec::new(),
                file: path.to_owned(),
                line: u64::from(error.pos().row),
                problem: Some(error.to_string()),
            }]);
        }
    };
    let images = document
        .descendants()
        .filter(|node| node.has_tag_name("image"));
    let faces = images.flat_map(|image| {
        let boxes = image.children().filter(|node| node.has_tag_name("box"));
        let document = &document;
        boxes.map(move |face| read_face(path, document, image, face))
    });
    Ok(faces.collect())
}

fn read_face(
    path: &Path,
    document: &Document<'_>,
    image: Node<'_, '_>,
    face: Node<'_, '_>,
) -> RawFace {
    let number =
        |node: Node<'_, '_>, key: &str| -> Option<f32> { node.attribute(key)?.trim().parse().ok() };
    let mut problem = None;
    let parts = face.children().filter(|node| node.has_tag_name("part"));
    let mut parts: Vec<(&str, [f32; 2])> = parts
        .map(|part| {
            let name = part.attribute("name").unwrap_or_default();
            let [x, y] = ["x", "y"].map(|key| number(part, key));
            if x.is_none() || y.is_none() {
                problem.get_or_insert_with(|| format!("part `{name}` has no x and y"));
            }
            (name, [x.unwrap_or(f32::NAN), y.unwrap_or(f32::NAN)])
        })
        .collect();
    // `10` comes after `9`, and names that are not numbers are sorted as texts.
    parts.sort_by_key(|&(name, _)| (name.parse::<u64>().unwrap_or(u64::MAX), name.to_owned()));
    if let Some(twice) = parts.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        problem.get_or_insert(format!("part `{}` occurs twice", twice[0].0));
    }
    let file = image.attribute("file").unwrap_or_default();
    RawFace {
        image: file.replace('\\', "/"),
        points: parts.into_iter().map(|(_, point)| point).collect(),
        file: path.to_owned(),
        line: u64::from(document.text_pos_at(face.range().start).row),
        problem,
    }
}
