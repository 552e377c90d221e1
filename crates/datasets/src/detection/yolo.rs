//! YOLO: a text file per image, with a line per object.

use std::path::{Path, PathBuf};

use yaml_rust2::{Yaml, YamlLoader};

use super::files::{Files, Found, stem};
use super::{Annotation, DetectionError, DetectionSet, LabelFormat, Problem, ProblemKind};
use crate::files::read_text;

/// Most classes.
const MAX_CLASSES: usize = 10_000;

pub(super) fn read(files: &Files) -> Result<DetectionSet, DetectionError> {
    let mut problems = Vec::new();
    let mut images = files.annotated(&mut problems);
    let (mut classes, mut notes) = names(files)?;
    notes.extend(files.notes());
    let mut largest = None;
    let mut polygons = 0;
    for path in &files.txt {
        let file = path.display().to_string();
        let image = match files.image_of(path, &stem(path)) {
            Found::One(image) => images.get_mut(image),
            Found::None => {
                let detail = format!("no image `{}`", stem(path));
                problems.push(Problem::new(ProblemKind::MissingImage, file, detail));
                continue;
            }
            Found::Several(count) => {
                let detail = format!("{count} images have this name");
                problems.push(Problem::new(ProblemKind::MissingImage, file, detail));
                continue;
            }
        };
        let Some(image) = image else { continue };
        if std::mem::replace(&mut image.is_labeled, true) {
            let detail = format!("for `{}`", image.path.display());
            problems.push(Problem::new(ProblemKind::SecondLabels, file, detail));
            continue;
        }
        let size = [image.width as f64, image.height as f64];
        for (number, line) in read_text(path)?.lines().enumerate() {
            let place = format!("{}:{}", path.display(), number + 1);
            if line.trim().is_empty() {
                continue;
            }
            match object(line, size, place, &mut polygons) {
                Ok(object) => {
                    largest = largest.max(Some(object.class));
                    image.objects.push(object);
                }
                Err(found) => problems.push(found),
            }
        }
    }
    if classes.is_empty() {
        classes = (0..=largest.unwrap_or(0))
            .map(|class| format!("class {class}"))
            .collect();
        notes.push(
            "no class names found (data.yaml, *.names or classes.txt): classes are numbered"
                .to_owned(),
        );
    }
    if polygons > 0 {
        notes.push(format!(
            "{polygons} objects are polygons: the boxes around them are used"
        ));
    }
    for image in images.values_mut() {
        image.objects.retain(|object| {
            let known = object.class < classes.len();
            if !known {
                let detail = format!(
                    "class {}, and there are {} names",
                    object.class,
                    classes.len()
                );
                problems.push(Problem::new(
                    ProblemKind::UnknownClass,
                    object.place.clone(),
                    detail,
                ));
            }
            known
        });
    }
    Ok(DetectionSet {
        format: LabelFormat::Yolo,
        classes,
        images: images.into_values().collect(),
        problems,
        notes,
    })
}

/// The class and the numbers of a line. The error says which part is wrong.
fn parts(line: &str) -> Result<(usize, Vec<f64>), String> {
    let is_separated = line.split_whitespace().count() >= 5 && !line.contains(", ");
    if line.contains(',') && !is_separated {
        return Err("numbers must be separated by spaces, not by commas".to_owned());
    }
    let mut parts = line.split_whitespace();
    let first = parts.next().unwrap_or_default();
    let class = first
        .parse::<usize>()
        .ok()
        .filter(|class| *class < MAX_CLASSES);
    let class = class.ok_or_else(|| format!("`{first}` is not a class number (0 to 9,999)"))?;
    let number = |part: &str| {
        let number = part.parse::<f64>().ok();
        let number = number.filter(|number| number.is_finite());
        number.ok_or_else(|| format!("`{part}` is not a number"))
    };
    Ok((class, parts.map(number).collect::<Result<Vec<_>, _>>()?))
}

/// A line: class, then center and size, or the corners of a polygon; all relative to the image.
fn object(
    line: &str,
    [width, height]: [f64; 2],
    place: String,
    polygons: &mut usize,
) -> Result<Annotation, Problem> {
    let (class, numbers) = match parts(line) {
        Ok(parts) => parts,
        Err(detail) => return Err(Problem::new(ProblemKind::BrokenLabel, place, detail)),
    };
    let bounds = match &numbers[..] {
        &[x, y, w, h] => [x - w / 2.0, y - h / 2.0, x + w / 2.0, y + h / 2.0],
        corners if corners.len() >= 6 && corners.len().is_multiple_of(2) => {
            *polygons += 1;
            let axis = |at: usize| corners.iter().skip(at).step_by(2).copied();
            let low = |at: usize| axis(at).fold(f64::INFINITY, f64::min);
            let high = |at: usize| axis(at).fold(f64::NEG_INFINITY, f64::max);
            [low(0), low(1), high(0), high(1)]
        }
        other => {
            let detail = format!("expected a class and 4 numbers, found {}", other.len());
            return Err(Problem::new(ProblemKind::BrokenLabel, place, detail));
        }
    };
    let [left, top, right, bottom] = bounds;
    Ok(Annotation {
        bounds: [left * width, top * height, right * width, bottom * height],
        class,
        difficult: false,
        crowd: false,
        place,
    })
}

/// The names of the classes, with what was assumed.
fn names(files: &Files) -> Result<(Vec<String>, Vec<String>), DetectionError> {
    let mut found: Vec<(&PathBuf, Vec<String>)> = Vec::new();
    for path in &files.names {
        let names = names_of(path, &read_text(path)?)?;
        if !names.is_empty() {
            found.push((path, names));
        }
    }
    let Some((first, names)) = found.first().cloned() else {
        return Ok((Vec::new(), Vec::new()));
    };
    let mut notes = Vec::new();
    for (path, others) in found.iter().skip(1).filter(|(_, others)| *others != names) {
        let at = (0..names.len().max(others.len())).find(|&at| names.get(at) != others.get(at));
        let at = at.unwrap_or_default();
        let name = |names: &[String]| {
            names
                .get(at)
                .map_or("nothing".to_owned(), |name| format!("`{name}`"))
        };
        notes.push(format!(
            "`{}` and `{}` name class {at} differently: {} and {}; the first file is used",
            first.display(),
            path.display(),
            name(&names),
            name(others)
        ));
    }
    Ok((names, notes))
}

/// The names in a YAML file under `names`, or of each line of another file.
fn names_of(path: &Path, text: &str) -> Result<Vec<String>, DetectionError> {
    let extension = path.extension().unwrap_or_default().to_string_lossy();
    if !["yaml", "yml"].contains(&extension.to_lowercase().as_str()) {
        let lines = text.lines().map(str::trim);
        let lines = lines.filter(|line| !line.is_empty());
        return Ok(lines.map(str::to_owned).collect());
    }
    // A file of another program need not even be YAML.
    if !text.contains("names") {
        return Ok(Vec::new());
    }
    let documents = YamlLoader::load_from_str(text).map_err(|error| DetectionError::Yaml {
        path: path.to_owned(),
        line: error.marker().line(),
        reason: error.info().to_owned(),
    })?;
    Ok(match documents.first().map(|document| &document["names"]) {
        Some(Yaml::Array(names)) => names.iter().map(text_of).collect(),
        Some(Yaml::Hash(names)) => {
            let pairs = names.iter();
            let pairs = pairs.filter_map(|(key, name)| Some((number_of(key)?, name)));
            let mut list = Vec::new();
            for (class, name) in pairs.filter(|(class, _)| *class < MAX_CLASSES) {
                // A number that is left out keeps its place.
                while list.len() <= class {
                    list.push(format!("class {}", list.len()));
                }
                list[class] = text_of(name);
            }
            list
        }
        _ => Vec::new(),
    })
}

/// A number, which may be in quotes.
fn number_of(key: &Yaml) -> Option<usize> {
    match key {
        Yaml::Integer(number) => usize::try_from(*number).ok(),
        Yaml::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn text_of(yaml: &Yaml) -> String {
    match yaml {
        Yaml::String(text) | Yaml::Real(text) => text.clone(),
        Yaml::Integer(number) => number.to_string(),
        Yaml::Boolean(value) => value.to_string(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_part_of_a_line_that_is_wrong_is_named() {
        assert_eq!(parts("9999 0.5 1e-1"), Ok((9999, vec![0.5, 0.1])));
        for (line, expected) in [
            (
                "0.0 0.5 0.5 1 1",
                "`0.0` is not a class number (0 to 9,999)",
            ),
            ("-1 0.5 0.5 1 1", "`-1` is not a class number (0 to 9,999)"),
            (
                "10000 0.5 0.5 1 1",
                "`10000` is not a class number (0 to 9,999)",
            ),
            ("0 nan 0.5 1 1", "`nan` is not a number"),
            ("0 0,5 x 1 1", "`0,5` is not a number"),
            (
                "0, 0.5, 0.5, 1, 1",
                "numbers must be separated by spaces, not by commas",
            ),
        ] {
            assert_eq!(parts(line), Err(expected.to_owned()), "{line}");
        }
    }
}
