//! Pascal VOC: an XML file per image.

use std::path::Path;

use roxmltree::{Document, Node};

use super::files::{Files, Found, read_text, stem};
use super::{Annotation, DetectionError, DetectionSet, LabelFormat, Problem, ProblemKind};

pub(super) fn read(files: &Files) -> Result<DetectionSet, DetectionError> {
    let mut problems = Vec::new();
    let mut images = files.annotated(&mut problems);
    let mut classes: Vec<String> = Vec::new();
    for path in &files.xml {
        let place = path.display().to_string();
        let mut problem =
            |kind, detail: String| problems.push(Problem::new(kind, place.clone(), detail));
        let text = read_text(path)?;
        let document = match Document::parse(&text) {
            Ok(document) if document.root_element().has_tag_name("annotation") => document,
            Ok(_) => continue,
            Err(error) => {
                problem(ProblemKind::BrokenLabel, error.to_string());
                continue;
            }
        };
        let root = document.root_element();
        let named = child(root, "filename").unwrap_or_default();
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
                    format!("{count} images are called so"),
                );
                None
            }
        };
        let Some(image) = image else { continue };
        if !named.is_empty() && stem(Path::new(&named.replace('\\', "/"))) != stem(path) {
            problem(ProblemKind::OtherImage, format!("it names `{named}`"));
        }
        if std::mem::replace(&mut image.is_labeled, true) {
            problem(
                ProblemKind::SecondLabels,
                format!("for `{}`", image.path.display()),
            );
            continue;
        }
        let stated = child_node(root, "size").map(|size| {
            ["width", "height"]
                .map(|key| child(size, key).and_then(|text| text.parse::<usize>().ok()))
        });
        if let Some([Some(width), Some(height)]) = stated
            && [width, height] != [image.width, image.height]
        {
            let detail = format!(
                "it says {width} x {height}, the image has {} x {}",
                image.width, image.height
            );
            problem(ProblemKind::OtherSize, detail);
        }
        for node in root.children().filter(|node| node.has_tag_name("object")) {
            match object(node, path, &document, &mut classes) {
                Ok(object) => image.objects.push(object),
                Err(found) => problems.push(found),
            }
        }
    }
    let (classes, images) = sorted(classes, images.into_values().collect());
    Ok(DetectionSet {
        format: LabelFormat::Voc,
        classes,
        images,
        problems,
        notes: files.notes(),
    })
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

/// The classes in the order of their names, whatever file came first.
fn sorted(
    classes: Vec<String>,
    mut images: Vec<super::AnnotatedImage>,
) -> (Vec<String>, Vec<super::AnnotatedImage>) {
    let mut names = classes.clone();
    names.sort_unstable();
    let place = |class: usize| names.binary_search(&classes[class]).unwrap_or_default();
    for object in images.iter_mut().flat_map(|image| &mut image.objects) {
        object.class = place(object.class);
    }
    (names, images)
}

fn child_node<'a, 'input>(node: Node<'a, 'input>, name: &str) -> Option<Node<'a, 'input>> {
    node.children().find(|child| child.has_tag_name(name))
}

fn child<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    child_node(node, name).map(|child| child.text().unwrap_or_default().trim())
}
