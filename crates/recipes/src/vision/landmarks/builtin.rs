//! The recipes of landmarks that come with the crate.

use tinderbox_datasets::image::{Augment, GroupBy};
use tinderbox_datasets::landmarks::BadPoints;
use tinderbox_models::Template;
use tinderbox_models::vision::LandmarkCnnConfig;
use tinderbox_predict::vision::LandmarkModelConfig;
use tinderbox_train::landmarks::WingLoss;
use tinderbox_train::{MetricsOptions, MonitorMode, Optimizer, Schedule, Split, TrainingOptions};

use super::recipe::{CascadeFit, LandmarkData, LandmarkRecipe, LandmarkTag};

/// Names of the built-in recipes with a line on each.
pub(in crate::vision) const BUILTIN: [(&str, &str); 1] = [(
    "landmarks",
    "landmarks on faces, from CSV, PTS files or dlib XML: a small network, or a cascade on published \
     features with --weights",
)];

impl LandmarkRecipe {
    /// A built-in recipe by its name.
    pub fn builtin(name: &str) -> Option<Self> {
        (name == "landmarks").then(|| landmarks(name))
    }
}

fn landmarks(name: &str) -> LandmarkRecipe {
    LandmarkRecipe {
        task: LandmarkTag::Landmarks,
        name: name.to_owned(),
        weights: String::new(),
        average_flip: false,
        data: LandmarkData {
            path: String::new(),
            extra: Vec::new(),
            group_by: GroupBy::Image,
            points: 0,
            channels: 3,
            size: 96,
            margin: 0.1,
            bad_points: BadPoints::Refuse,
        },
        split: Split::default(),
        augment: Augment {
            shift: 0.08,
            rotate: 20.0,
            scale: 0.12,
            flip: 0.5,
            brightness: 0.3,
            contrast: 0.3,
            saturation: 0.3,
            ..Augment::default()
        },
        model: LandmarkModelConfig::LandmarkCnn(Template(LandmarkCnnConfig::new(0, 0, 0))),
        cascade: CascadeFit {
            versions: 6,
            coarse_l2: 3.0,
            l2: 6.0,
        },
        loss: WingLoss::default(),
        optimizer: Optimizer::default(),
        schedule: Schedule::Cosine {
            warmup: 0.05,
            floor: 0.01,
        },
        train: TrainingOptions {
            epochs: 150,
            batch_size: 16,
            ema_decay: 0.99,
            monitor: "nme".to_owned(),
            monitor_mode: MonitorMode::Min,
            workers: 2,
            ..TrainingOptions::default()
        },
        metrics: MetricsOptions::default(),
    }
}
