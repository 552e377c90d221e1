//! The recipes of object detection that come with the crate.

use tinderbox_datasets::detection::BadBoxes;
use tinderbox_datasets::image::{Augment, GroupBy, Mosaic};
use tinderbox_models::Template;
use tinderbox_models::vision::FastDetectorConfig;
use tinderbox_predict::vision::DetectionModelConfig;
use tinderbox_train::detect::DetectionLoss;
use tinderbox_train::{MetricsOptions, MonitorMode, Optimizer, Schedule, Split, TrainingOptions};

use super::recipe::{BoxData, DetectionRecipe, DetectionTag};

/// Names of the built-in recipes with a line on each.
pub(in crate::vision) const BUILTIN: [(&str, &str); 1] = [(
    "detect",
    "objects in photos, with Pascal VOC, COCO or YOLO labels: a small network that a CPU trains in \
     minutes, or YOLOX with --weights",
)];

/// What the recipe changes for a network with published weights: it has less to learn, and more to lose.
pub const FINE_TUNING: [&str; 2] = ["optimizer.learning_rate=0.0005", "train.epochs=24"];

impl DetectionRecipe {
    /// A built-in recipe by its name.
    pub fn builtin(name: &str) -> Option<Self> {
        (name == "detect").then(|| detect(name))
    }
}

fn detect(name: &str) -> DetectionRecipe {
    DetectionRecipe {
        task: DetectionTag::Detection,
        name: name.to_owned(),
        weights: String::new(),
        max_overlap: 0.6,
        data: BoxData {
            path: String::new(),
            classes: Vec::new(),
            channels: 3,
            size: 416,
            bad_boxes: BadBoxes::Refuse,
            group_by: GroupBy::Image,
            skip_broken: false,
        },
        split: Split::default(),
        augment: Augment {
            shift: 0.1,
            scale: 0.3,
            flip: 0.5,
            brightness: 0.2,
            contrast: 0.2,
            saturation: 0.3,
            hue: 0.02,
            ..Augment::default()
        },
        mosaic: Mosaic {
            probability: 0.5,
            ..Mosaic::default()
        },
        model: DetectionModelConfig::FastDetector(Template(FastDetectorConfig::new(0, 0))),
        loss: DetectionLoss::default(),
        optimizer: Optimizer::default(),
        schedule: Schedule::Cosine {
            warmup: 0.05,
            floor: 0.02,
        },
        train: TrainingOptions {
            epochs: 80,
            batch_size: 8,
            clip_norm: 10.0,
            ema_decay: 0.99,
            monitor: "map50".to_owned(),
            monitor_mode: MonitorMode::Max,
            workers: 2,
            ..TrainingOptions::default()
        },
        metrics: MetricsOptions::default(),
    }
}
