//! The commands that only this app has.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use tinderbox_cli::args::ModelArgs;
use tinderbox_cli::{Failure, ReadProgress, inspect, sections};
use tinderbox_recipes::vision::analysis::{ExplainOptions, HeatmapOptions, LabelFormat};
use tinderbox_recipes::vision::{VisionTask, analysis};
use tinderbox_train::Task as _;

use crate::Vision;

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Show statistics and problems of a data set
    Inspect(Inspect),
    /// Convert boxes between Pascal VOC, COCO and YOLO labels
    Convert(Convert),
    /// Show which part of a photo speaks for a class (Grad-CAM)
    Explain(Explain),
    /// Make a heat map of a class over images of any size, with a classifier of patches
    Heatmap(Heatmap),
}

impl Command {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Inspect(args) => args.run(),
            Self::Convert(args) => args.run(),
            Self::Explain(args) => args.run(),
            Self::Heatmap(args) => args.run(),
        }
    }
}

#[derive(Args, Debug)]
pub(crate) struct Inspect {
    /// Folder, archive, table of paths or IDX files; or a folder of images with boxes (VOC, COCO, YOLO)
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

#[derive(Args, Debug)]
pub(crate) struct Convert {
    /// Format of the labels of IN [default: recognized]
    #[arg(long, value_name = "FORMAT")]
    from: Option<Labels>,
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
        let from = self.from.map(LabelFormat::from);
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
    /// Write the photo with its heat: a PNG file for one photo, a folder for several
    #[arg(long, value_name = "PATH")]
    out: Option<PathBuf>,
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
    /// Write the map, and next to it the image with the map: a PNG file for one image, a folder for several
    #[arg(long, value_name = "PATH")]
    out: Option<PathBuf>,
    /// Pixels along a side of a patch [default: the input of the network]
    #[arg(long, value_name = "PIXELS")]
    patch: Option<usize>,
    /// Share of a side that neighboring patches overlap by
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
