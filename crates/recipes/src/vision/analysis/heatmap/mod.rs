//! A map of where an image of any size shows a class, with its regions.

mod map;
mod mapped;
mod mask_metrics;
mod picture;
mod regions;

use std::path::{Path, PathBuf};

use tinderbox_datasets::image::{ImageFile, LargeImage, is_archive};
use tinderbox_predict::decision::DEFAULT_THRESHOLD;
use tinderbox_predict::vision::ImageClassifier;
use tinderbox_train::section::Analysis;
use tinderbox_train::{Task as _, TaskError};

use self::map::{CellGrid, HeatMap, Scan};
use self::mapped::{Mapped, OVERLAY, overlay_path};
use self::mask_metrics::{LesionMask, TotalMetrics};
use self::regions::regions;
use super::outputs::{OutputNames, class_of, files, write};
use super::skipped::Skipped;
use crate::vision::VisionTask;

/// How the heat maps of images are made.
#[derive(Clone, Debug, PartialEq)]
pub struct HeatmapOptions {
    /// The class; of two the second if there is none.
    pub class: Option<String>,
    /// A `.png` file for one image, or a folder for any number.
    pub out: Option<PathBuf>,
    /// Pixels along a side of a patch; as many as the input of the network has if there is no number.
    pub patch: Option<usize>,
    /// Share of a side that neighboring patches overlap by, in `[0, 1)`.
    pub overlap: f64,
    /// Regions have at least this probability.
    pub threshold: Option<f64>,
    /// The ground-truth mask of one image, or a folder of masks with the names of their images.
    pub mask: Option<PathBuf>,
    /// Whether white patches get 0 without the network.
    pub skip_white: bool,
    /// Whether images that cannot be read are left out, with a note for each.
    pub skip_errors: bool,
}

/// Hears of the name of an image, its patches that are done and all of its patches.
pub type PatchListener<'a> = dyn FnMut(&str, usize, usize) + 'a;

/// Slides a classifier over images, one after the other; see [`HeatmapOptions`].
///
/// A patch is what an image was in training: it is brought to the input of the network in the same way. A pixel
/// of the map is the weighted mean of the patches that cover it.
///
/// # Errors
///
/// If an option is out of range, an image or mask cannot be read, they do not fit, the class is not known, the
/// device fails or a picture cannot be written.
pub fn heatmap(
    model: &ImageClassifier,
    inputs: &[PathBuf],
    options: &HeatmapOptions,
    progress: &mut PatchListener<'_>,
) -> Result<Analysis, TaskError> {
    let (scan, assumed) = scan(model, options)?;
    let threshold = options.threshold.or(model.threshold());
    let threshold = threshold.unwrap_or(DEFAULT_THRESHOLD);
    if !(0.0..=1.0).contains(&threshold) {
        return Err(TaskError::user(format!(
            "`--threshold` must be between 0 and 1 (got {threshold})"
        )));
    }
    if let Some(archive) = inputs.iter().find(|input| is_archive(input)) {
        return Err(TaskError::user(format!(
            "`{}` is an archive; unpack it first",
            archive.display()
        )));
    }
    let (files, mut notes) = files(inputs)?;
    notes.splice(0..0, assumed);
    let mut names = OutputNames::of(options.out.as_deref(), &files, OVERLAY)?;
    let masks = masks(options.mask.as_deref(), &files)?;
    let mut analysis = Analysis::default();
    let mut totals = TotalMetrics::default();
    let mut skipped = Skipped::new(options.skip_errors, VisionTask::ITEM, files.len());
    for (number, (file, mask)) in (1..).zip(files.iter().zip(&masks)) {
        let job = Job {
            model,
            scan: &scan,
            threshold,
            mask: mask.as_deref(),
        };
        let name = file.path().display().to_string();
        let result = match job.run(file.path(), &mut |done, total| progress(&name, done, total)) {
            Ok(result) => result,
            Err(error) => {
                skipped.add(error, &name, number)?;
                continue;
            }
        };
        notes.extend(result.notes.iter().map(|note| format!("{name}: {note}")));
        let out = names.next(file.path());
        if let Some(out) = &out {
            write(&result.heat(), out)?;
            write(&result.overlay(), &overlay_path(out))?;
        }
        analysis
            .sections
            .extend(result.sections(&name, out.as_deref()));
        analysis.lines.push(result.line(&name, out.as_deref()));
        if let Some(metrics) = &result.metrics {
            totals.add(metrics);
        }
    }
    notes.extend(skipped.finish("heat map")?);
    analysis.sections.extend(totals.sections());
    analysis.lines.extend(totals.json());
    analysis.notes = notes;
    Ok(analysis)
}

/// How to slide, with what was assumed.
fn scan(
    model: &ImageClassifier,
    options: &HeatmapOptions,
) -> Result<(Scan, Vec<String>), TaskError> {
    let mut notes = Vec::new();
    let class = match (&options.class, model.labels()) {
        (Some(name), _) => class_of(model, name)?,
        (None, [_, second]) => {
            notes.push(format!(
                "heat map of the class `{second}`; `--class` chooses another"
            ));
            1
        }
        (None, labels) => {
            let labels: Vec<String> = labels
                .iter()
                .take(20)
                .map(|name| format!("`{name}`"))
                .collect();
            return Err(TaskError::user(format!(
                "`--class` is needed: the model has the classes {}",
                labels.join(", ")
            )));
        }
    };
    let input = &model.spec().input;
    let patch = options.patch.unwrap_or_else(|| {
        let side = input.height.max(input.width);
        notes.push(format!(
            "patch size {side}x{side}, as the input of the network; if the training images cover another area, \
             set `--patch`"
        ));
        side
    });
    if !(0.0..1.0).contains(&options.overlap) {
        return Err(TaskError::user(format!(
            "`--overlap` must be at least 0 and below 1 (got {})",
            options.overlap
        )));
    }
    if !(8..=8192).contains(&patch) {
        return Err(TaskError::user(format!(
            "`--patch` must be from 8 to 8192 (got {patch})"
        )));
    }
    let overlap = ((patch as f64 * options.overlap) as usize).min(patch - 1);
    let scan = Scan {
        class,
        patch,
        overlap,
        skip_white: options.skip_white,
    };
    Ok((scan, notes))
}

/// The mask of each image.
fn masks(mask: Option<&Path>, files: &[ImageFile]) -> Result<Vec<Option<PathBuf>>, TaskError> {
    let Some(mask) = mask else {
        return Ok(vec![None; files.len()]);
    };
    if !mask.is_dir() {
        if files.len() == 1 {
            return Ok(vec![Some(mask.to_owned())]);
        }
        return Err(TaskError::user(format!(
            "`--mask {}` is one file, and there are {} images; name a folder",
            mask.display(),
            files.len()
        )));
    }
    let (found, _) = self::files(&[mask.to_owned()])?;
    let of = |file: &ImageFile| {
        let mut same = found
            .iter()
            .filter(|mask| mask.path().file_stem() == file.path().file_stem());
        match (same.next(), same.next()) {
            (Some(one), None) => Ok(Some(one.path().to_owned())),
            (one, _) => Err(TaskError::user(format!(
                "`{}` has {} mask for `{}`",
                mask.display(),
                if one.is_some() { "more than one" } else { "no" },
                file.path().display()
            ))),
        }
    };
    files.iter().map(of).collect()
}

/// What is done with an image.
struct Job<'a> {
    model: &'a ImageClassifier,
    scan: &'a Scan,
    threshold: f64,
    mask: Option<&'a Path>,
}

impl Job<'_> {
    fn run(
        &self,
        path: &Path,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Mapped, TaskError> {
        let channels = self.model.spec().input.channels;
        let mut image = LargeImage::open(path, channels).map_err(TaskError::user)?;
        let size = [image.height(), image.width()];
        let notes = self.notes(&image);
        // First, so that a mask that does not fit is refused before the network runs.
        let grid = CellGrid::new(size[0], size[1]);
        let mask = self.mask.map(|mask| LesionMask::read(mask, &image, grid));
        let mask = mask.transpose()?;
        let map = HeatMap::new(self.model, &mut image, self.scan, progress)?;
        // Half a patch.
        let radius = self.scan.patch.div_ceil(2 * grid.cell);
        let metrics = mask.as_ref();
        let metrics = metrics.map(|mask| mask.evaluate(&map, radius, self.threshold));
        Ok(Mapped {
            size,
            class: self.model.labels()[self.scan.class].clone(),
            patch: self.scan.patch,
            threshold: self.threshold,
            regions: regions(&map.values, grid.width, self.threshold),
            map,
            mask,
            metrics,
            notes,
        })
    }

    fn notes(&self, image: &LargeImage) -> Vec<String> {
        let mut notes = Vec::new();
        if image.height().min(image.width()) < self.scan.patch {
            notes.push(format!(
                "{} x {} pixels are less than a patch of {}: the image is enlarged",
                image.width(),
                image.height(),
                self.scan.patch
            ));
        }
        if image.other_pages() > 0 {
            notes.push(format!(
                "only the first page is read; {} more are ignored, such as pyramid levels",
                image.other_pages()
            ));
        }
        notes
    }
}
