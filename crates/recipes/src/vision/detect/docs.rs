//! The keys that only a recipe of object detection has.

use tinderbox_train::overlay::KeyDoc;

/// The keys of object detection; those that it shares with other tasks are there.
pub(in crate::vision) const DOCS: &[KeyDoc] = &[
    KeyDoc::new(
        "max_overlap",
        "IoU threshold of non-maximum suppression, within a class",
        "0 to 1",
    ),
    KeyDoc::new(
        "data.bad_boxes",
        "Handling of invalid boxes, such as empty ones or those outside the image: refuse the data, clip them to the \
         image, or drop them; they are counted",
        "refuse, clip or drop",
    ),
    KeyDoc::new(
        "data.group_by",
        "Groups of images that stay in one split: single images, folders, file names without their last number, or \
         days by EXIF or file name; not for data with predefined splits",
        "image, folder, name or day",
    ),
    KeyDoc::new(
        "mosaic",
        "Mosaic augmentation: four training images in one",
        "",
    ),
    KeyDoc::new(
        "mosaic.probability",
        "Probability of joining a training image with three others",
        "0 to 1",
    ),
    KeyDoc::new(
        "mosaic.scale",
        "Range of the scale of each of the four images; 1 fits the input",
        "two ascending numbers from 0.05 to 4",
    ),
    KeyDoc::new(
        "model.channels",
        "Channels of the stem and of each of the four stages",
        "list of 5 numbers from 1 to 4,096",
    ),
    KeyDoc::new(
        "model.neck_channels",
        "Channels of the neck and the heads",
        "1 to 4,096",
    ),
    KeyDoc::new("model.head_convs", "Convolutions of each head", "0 to 16"),
    KeyDoc::new(
        "model.bins",
        "Bins of the distance to an edge, one stride each",
        "2 to 64",
    ),
    KeyDoc::new(
        "model(yolox).width_multiplier",
        "Multiplier for the channels of every stage",
        "0.125 to 4",
    ),
    KeyDoc::new(
        "model(yolox).depth_multiplier",
        "Multiplier for the number of blocks of every stage",
        "0 to 4",
    ),
    KeyDoc::new(
        "model.depthwise",
        "Depthwise separable 3x3 convolutions",
        "true or false",
    ),
    KeyDoc::new("loss.boxes", "Weight of the box loss", "0 to 1,000"),
    KeyDoc::new(
        "loss.classes",
        "Weight of the classification loss",
        "0 to 1,000",
    ),
    KeyDoc::new(
        "loss.objectness",
        "Weight of the objectness loss (yolox)",
        "0 to 1,000",
    ),
    KeyDoc::new(
        "loss.distribution",
        "Weight of the distribution focal loss (fast-detector)",
        "0 to 1,000",
    ),
];
