//! The keys that only a recipe of segmentation has.

use tinderbox_train::overlay::KeyDoc;

/// The keys of segmentation; those that it shares with classification are there.
pub(in crate::vision) const DOCS: &[KeyDoc] = &[
    KeyDoc::new(
        "task",
        "Task of the recipe; without this key, classification",
        "segmentation",
    ),
    KeyDoc::new(
        "weights",
        "Folder with published weights of the backbone",
        "path; empty: trained from scratch",
    ),
    KeyDoc::new(
        "refine",
        "Align the edges of masks with those of the photo by a guided filter",
        "true or false",
    ),
    KeyDoc::new(
        "test_time_augmentation",
        "Average the predictions for the eight rotated and mirrored copies of a photo; takes eight times as long",
        "true or false",
    ),
    KeyDoc::new(
        "separate_objects",
        "Also measure V-Rand and V-Info, for a foreground of objects separated by background",
        "true or false",
    ),
    KeyDoc::new(
        "data.size",
        "Longer side of a scaled image, or side of a crop, in pixels",
        "multiple of what the network needs, up to 16,384",
    ),
    KeyDoc::new(
        "data.scale",
        "Scale images to data.size, or crop them at their original scale",
        "fit or original",
    ),
    KeyDoc::new(
        "data.values",
        "Values of mask files: class numbers, or a threshold at half of the range; auto decides from all files",
        "",
    ),
    KeyDoc::new(
        "model.depth",
        "Number of times the feature map is halved",
        "1 to 8",
    ),
    KeyDoc::new("model.backbone", "Classifier used as the encoder", ""),
    KeyDoc::new(
        "model.decoder_channels",
        "Channels of each step of the decoder, which doubles the resolution; 5 reach that of the image",
        "list of 1 to 5 numbers from 1 to 4,096",
    ),
    KeyDoc::new(
        "loss.cross_entropy",
        "Weight of the cross-entropy",
        "0 to 1,000",
    ),
    KeyDoc::new("loss.dice", "Weight of the Dice loss", "0 to 1,000"),
    KeyDoc::new("loss.focal", "Weight of the focal loss", "0 to 1,000"),
    KeyDoc::new("loss.focal_gamma", "Exponent of the focal loss", "0 to 10"),
    KeyDoc::new(
        "loss.boundary",
        "Extra weight of background pixels between adjacent objects; 0 for none",
        "0 to 1,000",
    ),
    KeyDoc::new(
        "loss.boundary_sigma",
        "Reach of the extra weight, in pixels",
        "0.5 to 20",
    ),
];
