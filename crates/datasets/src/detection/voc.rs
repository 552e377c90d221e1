//! Pascal VOC: an XML file per image.

use std::path::Path;

use roxmltree::{Document, Node};

use super::files::{Files, Found, stem};
use super::{
    AnnotatedImage, Annotation, DetectionError, DetectionSet, LabelFormat, Problem, ProblemKind,
};
use crate::files::read_text;
use crate::xml;

pub(super) fn read(files: &Files) -> Result<DetectionSet, DetectionError> {
    let mut problems = Vec::new();
    let mut images = files.annotated(&mut problems);
    let mut classes: Vec<String> = Vec::new();
    for path in &files.xml {
        let text = read_text(path)?;
        let place = path.display().to_string();
        let mut problem =
            |kind, detail: String| problems.push(Problem::new(kind, place.clone(), detail));
        // The name of the file itself decides: what it says inside is often left over from a copy.
        let image = match files.image_of(path, &stem(path)) {
            Found::One(image) => images.get_mut(image),
            Found::None => {
                problem(
                    ProblemKind::MissingImage,
                    format!("no image `{}`", stem(path)),
                );
                None
            }
            Found::Several(count) => {
                problem(
                    ProblemKind::MissingImage,
                    format!("{count} images have this name"),
                );
                None
            }
        };
        match (xml::parse(&text), image) {
            (Err(error), _) => problem(ProblemKind::BrokenLabel, error.to_string()),
            (Ok(document), Some(image)) => {
                add(&document, path, image, &mut classes, &mut problems);
            }
            (Ok(_), None) => {}
        }
    }
    let mut set = DetectionSet {
        format: LabelFormat::Voc,
        classes,
        images: images.into_values().collect(),
        problems,
        notes: files.notes(),
    };
    sort_classes(&mut set);
    Ok(set)
}

/// Adds the objects of a file to its image.
fn add(
    document: &Document<'_>,
    path: &Path,
    image: &mut AnnotatedImage,
    classes: &mut Vec<String>,
    problems: &mut Vec<Problem>,
) {
    let root = document.root_element();
    let mut problem = |kind, detail: String| {
        problems.push(Problem::new(kind, path.display().to_string(), detail));
    };
    if std::mem::replace(&mut image.is_labeled, true) {
        let detail = format!("for `{}`", image.path.display());
        problem(ProblemKind::SecondLabels, detail);
        return;
    }
    let named = child(root, "filename").unwrap_or_default();
    if !named.is_empty() && stem(Path::new(&named.replace('\\', "/"))) != stem(path) {
        problem(ProblemKind::OtherImage, format!("it names `{named}`"));
        image.is_mismatched = true;
    }
    let side = |size, key| child(size, key).and_then(|text| text.parse::<usize>().ok());
    let labeled = child_node(root, "size").map(|size| (side(size, "width"), side(size, "height")));
    if let Some((Some(width), Some(height))) = labeled
        && let Some((kind, detail)) = image.set_labeled(width, height)
    {
        problem(kind, detail);
    }
    for node in root.children().filter(|node| node.has_tag_name("object")) {
        match object(node, path, document, classes) {
            Ok(object) => image.objects.push(object),
            Err(found) => problems.push(found),
        }
    }
}

/// One object, and its class in the list of all.
fn object(
    node: Node<'_, '_>,
    path: &Path,
    document: &Document<'_>,
    classes: &mut Vec<String>,
) -> Result<Annotation, Problem> {
    let line = document.text_pos_at(node.range().start).row;
    let place = format!("{}:{line}", path.display());
    let broken = |what: &str| Problem::new(ProblemKind::BrokenLabel, place.clone(), what);
    let name = child(node, "name").filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| broken("an object has no name"))?;
    let bounds = child_node(node, "bndbox").ok_or_else(|| broken("an object has no bndbox"))?;
    let mut edges = [0.0; 4];
    for (edge, key) in edges.iter_mut().zip(["xmin", "ymin", "xmax", "ymax"]) {
        let value = child(bounds, key).and_then(|text| text.parse::<f64>().ok());
        let value = value.filter(|value| value.is_finite());
        *edge = value.ok_or_else(|| broken(&format!("`{key}` is not a number")))?;
    }
    let known = classes.iter().position(|class| *class == name);
    let class = known.unwrap_or_else(|| {
        classes.push(name.to_owned());
        classes.len() - 1
    });
    Ok(Annotation {
        bounds: edges,
        class,
        difficult: child(node, "difficult") == Some("1"),
        crowd: false,
        place,
    })
}

/// Brings the classes into the order of their names, whatever file came first.
fn sort_classes(set: &mut DetectionSet) {
    let mut names = set.classes.clone();
    names.sort_unstable();
    for object in set.images.iter_mut().flat_map(|image| &mut image.objects) {
        let place = names.binary_search(&set.classes[object.class]);
        object.class = place.unwrap_or_default();
    }
    set.classes = names;
}

fn child_node<'a, 'input>(node: Node<'a, 'input>, name: &str) -> Option<Node<'a, 'input>> {
    node.children().find(|child| child.has_tag_name(name))
}

fn child<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    child_node(node, name).map(|child| child.text().unwrap_or_default().trim())
}
