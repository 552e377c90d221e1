//! The recipes of segmentation that come with the crate.

use tinderbox_datasets::image::{Augment, MaskValues};
use tinderbox_models::Template;
use tinderbox_models::vision::{BackboneUNetConfig, UNetConfig};
use tinderbox_predict::vision::{InputScale, SegmentationModelConfig};
use tinderbox_train::segment::SegmentationLoss;
use tinderbox_train::{MetricsOptions, MonitorMode, Optimizer, Schedule, Split, TrainingOptions};

use super::recipe::{MaskedData, SegmentationRecipe, SegmentationTag};

/// Names of the built-in recipes with a line on each.
pub(in crate::vision) const BUILTIN: [(&str, &str); 2] = [
    (
        "cutout",
        "people or products cut out of photos: images/ and masks/; U-Net with a classifier as encoder",
    ),
    (
        "membrane",
        "cells in gray microscope images of any size: U-Net on crops, extra loss weight between adjacent cells",
    ),
];

impl SegmentationRecipe {
    /// A built-in recipe by its name.
    pub fn builtin(name: &str) -> Option<Self> {
        match name {
            "cutout" => Some(cutout(name)),
            "membrane" => Some(membrane(name)),
            _ => None,
        }
    }
}

fn base(name: &str, data: MaskedData, model: SegmentationModelConfig) -> SegmentationRecipe {
    SegmentationRecipe {
        task: SegmentationTag::Segmentation,
        name: name.to_owned(),
        ensemble: 1,
        weights: String::new(),
        refine: true,
        test_time_augmentation: false,
        separate_objects: false,
        data,
        split: Split::default(),
        augment: Augment::default(),
        model,
        loss: SegmentationLoss::default(),
        optimizer: Optimizer::default(),
        schedule: Schedule::Cosine {
            warmup: 0.05,
            floor: 0.0,
        },
        train: TrainingOptions {
            monitor: "iou".to_owned(),
            monitor_mode: MonitorMode::Max,
            workers: 2,
            ..TrainingOptions::default()
        },
        metrics: MetricsOptions::default(),
    }
}

fn masked(channels: usize, size: usize, scale: InputScale) -> MaskedData {
    MaskedData {
        path: String::new(),
        classes: ["background", "foreground"].map(str::to_owned).to_vec(),
        channels,
        size,
        scale,
        values: MaskValues::Auto,
        skip_broken: false,
    }
}

fn cutout(name: &str) -> SegmentationRecipe {
    let model = SegmentationModelConfig::BackboneUnet(Template(BackboneUNetConfig::new(0, 0)));
    let mut recipe = base(name, masked(3, 320, InputScale::Fit), model);
    recipe.augment = Augment {
        shift: 0.1,
        rotate: 15.0,
        scale: 0.25,
        flip: 0.5,
        brightness: 0.2,
        contrast: 0.2,
        ..Augment::default()
    };
    recipe.loss.dice = 1.0;
    recipe.train.epochs = 20;
    recipe.train.batch_size = 8;
    recipe.train.ema_decay = 0.99;
    recipe
}

fn membrane(name: &str) -> SegmentationRecipe {
    let model = UNetConfig::new(0, 0).with_depth(4).with_base_channels(24);
    let model = SegmentationModelConfig::Unet(Template(model));
    let mut recipe = base(name, masked(1, 256, InputScale::Original), model);
    recipe.refine = false;
    recipe.test_time_augmentation = true;
    recipe.separate_objects = true;
    recipe.data.classes = ["membrane", "cell"].map(str::to_owned).to_vec();
    recipe.augment = Augment {
        rotate: 20.0,
        scale: 0.1,
        flip: 0.5,
        quarter_turns: 1.0,
        elastic: 0.015,
        // Images to predict are sharp.
        unwarped: 0.5,
        brightness: 0.1,
        contrast: 0.2,
        ..Augment::default()
    };
    recipe.loss.boundary = 0.5;
    *recipe.optimizer.learning_rate_mut() = 2e-3;
    recipe.train.epochs = 200;
    recipe.train.batch_size = 4;
    recipe.train.ema_decay = 0.99;
    recipe
}
