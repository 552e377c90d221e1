//! The commands that only this app has.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use tinderbox_cli::app::{NoFlags, load};
use tinderbox_cli::args::{DeviceArgs, ModelArgs};
use tinderbox_cli::output::check_extension;
use tinderbox_cli::{App as _, Failure, ReadProgress, inspect, open_device, sections};
use tinderbox_recipes::vision::analysis::{
    ConvertFrom, Daily, ExplainOptions, HeatmapOptions, LabelFormat, ProgressOptions, TrackOptions,
};
use tinderbox_recipes::vision::{VisionTask, analysis};
use tinderbox_train::Task as _;

use crate::Vision;

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Show statistics and problems of a dataset
    Inspect(Inspect),
    /// Convert boxes between Pascal VOC, COCO and YOLO labels, or draw boxes around landmarks
    Convert(Convert),
    /// Show which parts of a photo support a class (Grad-CAM)
    Explain(Explain),
    /// Make a heat map of a class over images of any size, with a classifier of patches
    Heatmap(Heatmap),
    /// Compare dated photos of a site with each other and with a plan
    Progress(Progress),
    /// Track the landmarks of a face over frames
    Track(Track),
}

impl Command {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Inspect(args) => args.run(),
            Self::Convert(args) => args.run(),
            Self::Explain(args) => args.run(),
            Self::Heatmap(args) => args.run(),
            Self::Progress(args) => args.run(),
            Self::Track(args) => args.run(),
        }
    }
}

#[derive(Args, Debug)]
pub(crate) struct Inspect {
    /// Folder, archive, table of paths or IDX files; or a folder of images with boxes (VOC, COCO, YOLO), masks or
    /// landmarks
    #[arg(long, value_name = "PATH")]
    data: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Inspect {
    fn run(self) -> Result<(), Failure> {
        let found = analysis::inspect(&self.data)?;
        inspect::print(&found.overview, &found.details, VisionTask::ITEM, self.json)
    }
}

/// A format of labels on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Labels {
    /// Pascal VOC, an XML file per image
    Voc,
    /// COCO, a JSON file per split
    Coco,
    /// YOLO, a text file per image
    Yolo,
}

impl From<Labels> for LabelFormat {
    fn from(labels: Labels) -> Self {
        match labels {
            Labels::Voc => Self::Voc,
            Labels::Coco => Self::Coco,
            Labels::Yolo => Self::Yolo,
        }
    }
}

/// Labels that boxes are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LabelsIn {
    /// Pascal VOC, an XML file per image
    Voc,
    /// COCO, a JSON file per split
    Coco,
    /// YOLO, a text file per image
    Yolo,
    /// Points on faces: a box around those of each face, to train a face detector
    Landmarks,
}

impl From<LabelsIn> for ConvertFrom {
    fn from(labels: LabelsIn) -> Self {
        match labels {
            LabelsIn::Voc => Self::Boxes(LabelFormat::Voc),
            LabelsIn::Coco => Self::Boxes(LabelFormat::Coco),
            LabelsIn::Yolo => Self::Boxes(LabelFormat::Yolo),
            LabelsIn::Landmarks => Self::Landmarks,
        }
    }
}

#[derive(Args, Debug)]
pub(crate) struct Convert {
    /// Labels of IN [default: recognized]
    #[arg(long, value_name = "FORMAT")]
    from: Option<LabelsIn>,
    /// Format of the labels of OUT
    #[arg(long, value_name = "FORMAT")]
    to: Labels,
    /// Folder with images and labels
    #[arg(value_name = "IN")]
    input: PathBuf,
    /// New folder for images and labels
    #[arg(value_name = "OUT")]
    output: PathBuf,
}

impl Convert {
    fn run(self) -> Result<(), Failure> {
        let from = self.from.map(ConvertFrom::from);
        let done = analysis::convert(&self.input, from, self.to.into(), &self.output)?;
        sections::print(&done, false)
    }
}

#[derive(Args, Debug)]
pub(crate) struct Explain {
    #[command(flatten)]
    model: ModelArgs,
    /// Class to explain [default: the predicted one]
    #[arg(long, value_name = "NAME")]
    class: Option<String>,
    /// Write the photo with its heat map: a PNG file for one photo, a folder for several
    #[arg(long, value_name = "PATH")]
    out: Option<PathBuf>,
    /// Skip photos that cannot be read, and count them
    #[arg(long)]
    skip_errors: bool,
    /// Photos, folders or archives of photos
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
}

impl Explain {
    fn run(self) -> Result<(), Failure> {
        let model = self.model.load::<Vision>()?.into_classifier()?;
        let options = ExplainOptions {
            class: self.class,
            out: self.out,
            skip_errors: self.skip_errors,
        };
        let explained = analysis::explain(&model, &self.inputs, &options)?;
        sections::print(&explained, self.model.json)
    }
}

#[derive(Args, Debug)]
pub(crate) struct Heatmap {
    #[command(flatten)]
    model: ModelArgs,
    /// Class to map [default: the second of two]
    #[arg(long, value_name = "NAME")]
    class: Option<String>,
    /// Write the map, and next to it the image overlaid with the map: a PNG file for one image, a folder for several
    #[arg(long, value_name = "PATH")]
    out: Option<PathBuf>,
    /// Pixels along a side of a patch [default: the input of the network]
    #[arg(long, value_name = "PIXELS")]
    patch: Option<usize>,
    /// Overlap of neighboring patches, as a fraction of a side
    #[arg(long, value_name = "SHARE", default_value_t = 0.5)]
    overlap: f64,
    /// Lowest probability of a region [default: 0.5]
    #[arg(long, value_name = "T")]
    threshold: Option<f64>,
    /// Ground-truth mask to evaluate the map: an image of the same size, or a folder of masks with the
    /// names of their images
    #[arg(long, value_name = "PATH")]
    mask: Option<PathBuf>,
    /// Give patches of at least 95% white pixels a probability of 0, without the network
    #[arg(long)]
    skip_white: bool,
    /// Skip images that cannot be read, and count them
    #[arg(long)]
    skip_errors: bool,
    /// Images of any size, or folders of images; a large TIFF is read piece by piece
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
}

impl Heatmap {
    fn run(self) -> Result<(), Failure> {
        let model = self.model.load::<Vision>()?.into_classifier()?;
        let options = HeatmapOptions {
            class: self.class,
            out: self.out,
            patch: self.patch,
            overlap: self.overlap,
            threshold: self.threshold,
            mask: self.mask,
            skip_white: self.skip_white,
            skip_errors: self.skip_errors,
        };
        let mut shown: Option<(String, ReadProgress)> = None;
        let mapped =
            analysis::heatmap(&model, &self.inputs, &options, &mut |name, done, total| {
                if shown.as_ref().is_none_or(|(of, _)| of != name) {
                    // The bar of the image before is removed first.
                    shown = None;
                    let bar = ReadProgress::new(name, Some(total as u64), false);
                    shown = Some((name.to_owned(), bar));
                }
                if let Some((_, bar)) = &mut shown {
                    bar.set(done as u64, done);
                }
            })?;
        drop(shown);
        sections::print(&mapped, self.model.json)
    }
}

/// How the photos of one date make one count, on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum DailyCount {
    /// Maximum over the photos
    Max,
    /// Mean of the photos
    Mean,
    /// Sum over the photos, for views that do not overlap
    Sum,
}

impl From<DailyCount> for Daily {
    fn from(daily: DailyCount) -> Self {
        match daily {
            DailyCount::Max => Self::Max,
            DailyCount::Mean => Self::Mean,
            DailyCount::Sum => Self::Sum,
        }
    }
}

#[derive(Args, Debug)]
pub(crate) struct Progress {
    /// Run directory of a detector or a segmentation model, to count or measure its classes
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// Lowest score of a detection [default: that of the run]
    #[arg(long, value_name = "T", requires = "run")]
    threshold: Option<f64>,
    /// CSV file with the columns date, item and count or share; items are classes of the run and `height`. The plan is
    /// linear between the dates of an item, keeps its last value after them, and has no value before them
    #[arg(long, value_name = "FILE.csv")]
    plan: Option<PathBuf>,
    /// Write a web page with photos, charts and the deviation in days
    #[arg(long, value_name = "FILE.html")]
    out: Option<PathBuf>,
    /// Range of the width of the first photo in which height is measured, e.g. 0.1-0.4; may be repeated
    /// [default: ranges that rise]
    #[arg(long, value_name = "FROM-TO", value_parser = column_range)]
    columns: Vec<[f64; 2]>,
    /// Aggregation of the counts of several photos of a date
    #[arg(long, value_enum, default_value_t = DailyCount::Max)]
    daily: DailyCount,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    device: DeviceArgs,
    /// Photos with a date in EXIF or in the file name, or folders of photos
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
}

/// Two shares of the width, as in `0.1-0.4`.
fn column_range(text: &str) -> Result<[f64; 2], String> {
    let parsed = text.split_once('-').and_then(|(from, to)| {
        let [from, to] = [from, to].map(|share| share.trim().parse::<f64>().ok());
        Some([from?, to?])
    });
    parsed
        .filter(|[from, to]| *from >= 0.0 && from < to && *to <= 1.0)
        .ok_or_else(|| "expected two shares of the width, as in 0.1-0.4".to_owned())
}

impl Progress {
    fn run(self) -> Result<(), Failure> {
        if let Some(out) = &self.out {
            check_extension(out, &["html", "htm"])?;
        }
        let model = match &self.run {
            Some(run) => {
                let device = open_device(self.device, Vision::NAME)?.device;
                Some(load::<Vision>(
                    run,
                    &NoFlags::default(),
                    self.threshold,
                    &device,
                )?)
            }
            None => None,
        };
        let options = ProgressOptions {
            plan: self.plan,
            out: self.out,
            run: self.run.map(|run| run.display().to_string()),
            columns: self.columns,
            daily: self.daily.into(),
        };
        let mut bar: Option<ReadProgress> = None;
        let derived = analysis::progress(
            model.as_ref(),
            &self.inputs,
            &options,
            &mut |done, total| {
                let bar = bar
                    .get_or_insert_with(|| ReadProgress::new("photos", Some(total as u64), false));
                bar.set(done as u64, done);
            },
        )?;
        drop(bar);
        sections::print(&derived, self.json)
    }
}

#[derive(Args, Debug)]
pub(crate) struct Track {
    #[command(flatten)]
    model: ModelArgs,
    /// Object-detection run that finds the face [default: search the whole frame]
    #[arg(long, value_name = "RUN")]
    detector: Option<PathBuf>,
    /// Write the frames with the points: a GIF, and the points as JSON lines next to it
    #[arg(long, value_name = "FILE.gif")]
    out: Option<PathBuf>,
    /// Frames per second, for the filter and the GIF, which has at most 50
    #[arg(long, value_name = "N", default_value_t = 25.0)]
    fps: f64,
    /// Do not smooth the points with the One Euro filter
    #[arg(long)]
    no_smooth: bool,
    /// Skip frames that cannot be read, and count them
    #[arg(long)]
    skip_errors: bool,
    /// Folder or archive of frames in the order of the numbers in their names, or a GIF
    #[arg(value_name = "INPUT")]
    input: PathBuf,
}

impl Track {
    fn run(self) -> Result<(), Failure> {
        if let Some(out) = &self.out {
            check_extension(out, &["gif"])?;
        }
        let model = self.model.load::<Vision>()?.into_landmarker()?;
        let options = TrackOptions {
            detector: self.detector,
            out: self.out,
            fps: self.fps,
            smooth: !self.no_smooth,
            skip_errors: self.skip_errors,
        };
        let tracked = analysis::track(&model, &self.input, &options)?;
        sections::print(&tracked, self.model.json)
    }
}
