//! Statistics and problems of images with boxes around objects.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value, json};
use tinderbox_datasets::detection::{
    self, Annotation, DetectionSet, LabelFormat, Problem, ProblemKind,
};
use tinderbox_datasets::landmarks::{BadPoints, LandmarkFolder, LandmarkOptions, landmark_format};
use tinderbox_train::format::thousands;
use tinderbox_train::section::Analysis;
use tinderbox_train::task::{Noun, Overview, SplitOverview};
use tinderbox_train::{Section, TaskError};

use super::Inspection;
use crate::vision::inputs::find;

/// Areas below which COCO calls an object small, and medium: 32 and 96 pixels squared.
const AREAS: [f64; 2] = [32.0 * 32.0, 96.0 * 96.0];

/// Places of each kind of problem that are listed.
const SHOWN: usize = 3;

/// Boxes that a class should have at least.
const FEW: usize = 20;

/// What COCO has and the other formats do not.
const ONLY_BOXES: &str =
    "only boxes and classes are converted; outlines, keypoints and ids of annotations are not";

/// What landmarks have and boxes do not.
const ONLY_AROUND: &str =
    "each box is the smallest one around the points of a face; the points are not written";

/// The class of boxes around landmarks.
const FACE: &str = "face";

/// Most classes and sizes that are listed.
const MAX_LISTED: usize = 100;

/// Inspects images with labels in Pascal VOC, COCO or YOLO.
pub(super) fn inspect(dir: &Path, set: DetectionSet) -> Inspection {
    let classes = Classes::of(&set);
    let problems = by_kind(&set.problems);
    let warnings = warnings(&classes, &problems);
    let details = details(dir, &set, &classes, &warnings);
    let sections = [
        Some(classes.table()),
        Some(Section::text(box_sizes(&set))),
        Some(Section::text(image_sizes(&set))),
        problem_table(&problems),
    ];
    let overview = Overview {
        summary: format!("{}: {}, {}", dir.display(), extent(&set), set.format.name()),
        splits: splits(&set),
        notes: set.notes,
        warnings,
        sections: sections.into_iter().flatten().collect(),
        ..Overview::default()
    };
    Inspection { overview, details }
}

/// The labels that [`convert`] reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConvertFrom {
    /// Boxes.
    Boxes(LabelFormat),
    /// Landmarks, around which boxes are drawn.
    Landmarks,
}

/// Writes a folder of images with boxes in another label format, and says what was read and lost.
///
/// # Errors
///
/// If the folder cannot be read or has labels of another format than `from`, or the new folder exists or cannot
/// be written.
pub fn convert(
    input: &Path,
    from: Option<ConvertFrom>,
    to: LabelFormat,
    output: &Path,
) -> Result<Analysis, TaskError> {
    let has_landmarks =
        || detection::label_format(input).is_none() && landmark_format(input).is_some();
    let from = from.or_else(|| has_landmarks().then_some(ConvertFrom::Landmarks));
    let set = match from {
        Some(ConvertFrom::Landmarks) => around_landmarks(input, to)?,
        _ => detection::read(input).map_err(TaskError::user)?,
    };
    if let Some(ConvertFrom::Boxes(from)) = from
        && from != set.format
    {
        return Err(TaskError::user(format!(
            "`{}` has {}, not {}",
            input.display(),
            set.format.name(),
            from.name()
        )));
    }
    if is_inside(output, input) {
        return Err(TaskError::user(format!(
            "`{}` is inside of `{}`, which then has labels in two formats; name another folder",
            output.display(),
            input.display()
        )));
    }
    let boxes: usize = set.images.iter().map(|image| image.objects.len()).sum();
    if let Some(first) = set.problems.first().filter(|_| boxes == 0) {
        return Err(TaskError::user(format!(
            "no box could be read: {}: {}",
            first.place, first.detail
        )));
    }
    let lost = detection::write(&set, to, output).map_err(TaskError::user)?;
    let text = format!(
        "{}: {} written to {}",
        extent(&set),
        to.name(),
        output.display()
    );
    let kinds = by_kind(&set.problems).into_iter();
    let kinds = kinds.map(|(kind, found)| {
        // What could not be read is not written; what only looks wrong is.
        let lost = matches!(
            kind,
            ProblemKind::BrokenImage
                | ProblemKind::BrokenLabel
                | ProblemKind::UnknownClass
                | ProblemKind::MissingImage
                | ProblemKind::SecondLabels
                | ProblemKind::NoAnnotations
        );
        let what = match kind {
            _ if lost => "left out",
            ProblemKind::SameName => "written as one class",
            ProblemKind::SameId => "written with new ids",
            _ => "written as they are",
        };
        let first = found[0];
        format!(
            "{}: {}, {what}; the first: {}: {}",
            kind.name(),
            thousands(found.len()),
            first.place,
            first.detail
        )
    });
    let only = match from {
        Some(ConvertFrom::Landmarks) => Some(ONLY_AROUND),
        _ => (set.format == LabelFormat::Coco).then_some(ONLY_BOXES),
    };
    Ok(Analysis {
        sections: vec![Section::text(text)],
        lines: Vec::new(),
        notes: set
            .notes
            .iter()
            .cloned()
            .chain(only.map(str::to_owned))
            .chain(kinds)
            .chain(lost)
            .collect(),
    })
}

/// Boxes around the points of faces; what cannot be used is counted in the notes.
fn around_landmarks(input: &Path, to: LabelFormat) -> Result<DetectionSet, TaskError> {
    let options = LandmarkOptions {
        bad_points: BadPoints::Clip,
        channels: 3,
        points: 0,
    };
    let folder = LandmarkFolder::open(input, &options).map_err(TaskError::user)?;
    let mut set = DetectionSet::around_points(&folder, FACE, to);
    let (files, _) = find(input)?;
    let without = files.len().saturating_sub(set.images.len());
    if without > 0 {
        set.notes.push(format!(
            "{} {} without usable points left out",
            thousands(without),
            Noun("image", "images").of(without)
        ));
    }
    Ok(set)
}

/// Whether a path that does not exist yet is below a folder.
fn is_inside(path: &Path, folder: &Path) -> bool {
    let existing = path
        .ancestors()
        .map(|path| {
            if path.as_os_str().is_empty() {
                Path::new(".")
            } else {
                path
            }
        })
        .find_map(|path| path.canonicalize().ok());
    match (existing, folder.canonicalize()) {
        (Some(existing), Ok(folder)) => existing.starts_with(folder),
        _ => false,
    }
}

/// How much a set has.
fn extent(set: &DetectionSet) -> String {
    let count = |count: usize, noun: Noun| format!("{} {}", thousands(count), noun.of(count));
    let boxes = set.images.iter().map(|image| image.objects.len()).sum();
    format!(
        "{} with {} of {}",
        count(set.images.len(), Noun("image", "images")),
        count(boxes, Noun("box", "boxes")),
        count(set.classes.len(), Noun("class", "classes"))
    )
}

/// The images of each split, where the data say which.
fn splits(set: &DetectionSet) -> Vec<SplitOverview> {
    let names = ["train", "valid", "test", ""].into_iter();
    let splits = names.filter_map(|name| {
        let count = set
            .images
            .iter()
            .filter(|image| image.split == name)
            .count();
        (count > 0).then(|| SplitOverview {
            name: if name.is_empty() { "in no split" } else { name }.to_owned(),
            count,
            ..SplitOverview::default()
        })
    });
    let splits: Vec<SplitOverview> = splits.collect();
    // Without any split there is nothing to tell.
    if splits.len() == 1 && splits[0].name == "in no split" {
        return Vec::new();
    }
    splits
}

/// How often each class occurs.
struct Classes {
    names: Vec<String>,
    /// Boxes in `train`, `valid`, `test` and no split.
    boxes: Vec<[usize; 4]>,
    images: Vec<usize>,
}

impl Classes {
    fn of(set: &DetectionSet) -> Self {
        let mut boxes = vec![[0; 4]; set.classes.len()];
        let mut images = vec![0; set.classes.len()];
        for image in &set.images {
            let split = ["train", "valid", "test"];
            let split = split
                .iter()
                .position(|name| *name == image.split)
                .unwrap_or(3);
            let mut classes: Vec<usize> = image.objects.iter().map(|object| object.class).collect();
            for &class in &classes {
                boxes[class][split] += 1;
            }
            classes.sort_unstable();
            classes.dedup();
            for class in classes {
                images[class] += 1;
            }
        }
        Self {
            names: set.classes.clone(),
            boxes,
            images,
        }
    }

    fn total(&self, class: usize) -> usize {
        self.boxes[class].iter().sum()
    }

    /// The classes that occur, the most frequent first.
    fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.names.len())
            .filter(|&class| self.total(class) > 0)
            .collect();
        order.sort_by_key(|&class| std::cmp::Reverse(self.total(class)));
        order
    }

    fn table(&self) -> Section {
        let order = self.order();
        let columns = ["train", "valid", "test", "in no split"];
        let used: Vec<usize> = (0..4)
            .filter(|&split| self.boxes.iter().any(|boxes| boxes[split] > 0))
            .collect();
        let mut head = vec!["class".to_owned(), "images".to_owned(), "boxes".to_owned()];
        if used.len() > 1 {
            head.extend(used.iter().map(|&split| columns[split].to_owned()));
        }
        let mut rows = vec![head];
        for &class in order.iter().take(MAX_LISTED) {
            let mut row = vec![
                self.names[class].clone(),
                thousands(self.images[class]),
                thousands(self.total(class)),
            ];
            if used.len() > 1 {
                row.extend(
                    used.iter()
                        .map(|&split| thousands(self.boxes[class][split])),
                );
            }
            rows.push(row);
        }
        let unused = self.names.len() - order.len();
        let title = match unused {
            0 => String::new(),
            1 => "One class has no box.".to_owned(),
            count => format!("{count} classes have no box."),
        };
        Section::table(title, rows)
    }
}

/// The problems of each kind.
fn by_kind(problems: &[Problem]) -> BTreeMap<ProblemKind, Vec<&Problem>> {
    let mut kinds: BTreeMap<ProblemKind, Vec<&Problem>> = BTreeMap::new();
    for problem in problems {
        kinds.entry(problem.kind).or_default().push(problem);
    }
    kinds
}

fn problem_table(problems: &BTreeMap<ProblemKind, Vec<&Problem>>) -> Option<Section> {
    let mut lines = Vec::new();
    for (kind, found) in problems {
        lines.push(format!("{}: {}", kind.name(), thousands(found.len())));
        let shown = found.iter().take(SHOWN);
        lines.extend(shown.map(|problem| format!("  {}: {}", problem.place, problem.detail)));
        if found.len() > SHOWN {
            lines.push(format!(
                "  … {} more; `--json` has all",
                thousands(found.len() - SHOWN)
            ));
        }
    }
    (!lines.is_empty()).then(|| Section::text(lines.join("\n")))
}

/// How many boxes are small, medium and large, as COCO counts them.
fn box_sizes(set: &DetectionSet) -> String {
    let objects = set.images.iter().flat_map(|image| &image.objects);
    let areas: Vec<f64> = objects.map(Annotation::area).collect();
    let below = |limit: f64| areas.iter().filter(|&&area| area < limit).count();
    let [small, medium] = AREAS.map(below);
    let counts = [small, medium - small, areas.len() - medium].map(thousands);
    let mut per_image: Vec<usize> = set.images.iter().map(|image| image.objects.len()).collect();
    per_image.sort_unstable();
    let most = per_image.last().copied().unwrap_or_default();
    let median = per_image
        .get(per_image.len() / 2)
        .copied()
        .unwrap_or_default();
    let empty = set
        .images
        .iter()
        .filter(|image| image.is_labeled && image.objects.is_empty());
    let empty = match empty.count() {
        0 => String::new(),
        count => format!("; {} images have none", thousands(count)),
    };
    format!(
        "boxes: {} small (below 32x32 pixels), {} medium, {} large (from 96x96)\n\
         boxes per image: {median} (median), at most {most}{empty}",
        counts[0], counts[1], counts[2]
    )
}

fn image_sizes(set: &DetectionSet) -> String {
    let mut sizes: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    for image in &set.images {
        *sizes.entry((image.width, image.height)).or_default() += 1;
    }
    let mut order: Vec<_> = sizes.into_iter().collect();
    order.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let shown = order.iter().take(5);
    let shown: Vec<String> = shown
        .map(|((width, height), count)| format!("{width}x{height} ({})", thousands(*count)))
        .collect();
    let more = order.len().saturating_sub(5);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    format!("image sizes (width x height): {}{more}", shown.join(", "))
}

fn warnings(classes: &Classes, problems: &BTreeMap<ProblemKind, Vec<&Problem>>) -> Vec<String> {
    let mut warnings: Vec<String> = problems
        .iter()
        .map(|(kind, found)| format!("{}: {}", kind.name(), thousands(found.len())))
        .collect();
    let order = classes.order();
    for &class in &order {
        let ([train, valid, test, _], name) = (classes.boxes[class], &classes.names[class]);
        let has_train = classes.boxes.iter().any(|boxes| boxes[0] > 0);
        if has_train && train == 0 && valid + test > 0 {
            warnings.push(format!("class `{name}` has no box in the training split"));
        }
    }
    let few: Vec<&str> = order
        .iter()
        .filter(|&&class| classes.total(class) < FEW)
        .map(|&class| classes.names[class].as_str())
        .collect();
    match &few[..] {
        [] => {}
        few if few.len() > 5 => {
            warnings.push(format!("{} classes have fewer than {FEW} boxes", few.len()));
        }
        few => warnings.push(format!("fewer than {FEW} boxes: {}", few.join(", "))),
    }
    warnings
}

fn details(
    dir: &Path,
    set: &DetectionSet,
    classes: &Classes,
    warnings: &[String],
) -> Map<String, Value> {
    let of_class = (0..classes.names.len()).map(|class| {
        let [train, valid, test, none] = classes.boxes[class];
        json!({
            "name": classes.names[class],
            "images": classes.images[class],
            "boxes": classes.total(class),
            "train": train, "valid": valid, "test": test, "in_no_split": none,
        })
    });
    let problems = set.problems.iter().map(|problem| {
        json!({"kind": problem.kind.name(), "place": problem.place, "detail": problem.detail})
    });
    let details = json!({
        "data": dir,
        "format": set.format.name(),
        "images": set.images.len(),
        "boxes": set.images.iter().map(|image| image.objects.len()).sum::<usize>(),
        "classes": of_class.collect::<Vec<_>>(),
        "problems": problems.collect::<Vec<_>>(),
        "notes": set.notes,
        "warnings": warnings,
    });
    match details {
        Value::Object(details) => details,
        _ => Map::new(),
    }
}
