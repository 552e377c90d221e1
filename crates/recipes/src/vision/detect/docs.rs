//! The keys that only a recipe of object detection has.

use tinderbox_train::overlay::KeyDoc;

/// The keys of object detection; those that it shares with other tasks are there.
pub(in crate::vision) const DOCS: &[KeyDoc] = &[
    KeyDoc::new(
        "max_overlap",
        "Intersection over union from which two boxes of a class are of one object",
        "0 to 1",
    ),
    KeyDoc::new(
        "data.bad_boxes",
        "What is done with boxes outside of their image, empty ones and the like: refuse the data, clip them to \
         the image, or drop them; they are counted",
        "refuse, clip or drop",
    ),
    KeyDoc::new(
        "data.group_by",
        "Images that stay in one split: each on its own, or those of a folder, of a name but for its last number, \
         or of a day by EXIF or file name; not with splits of the data itself",
        "image, folder, name or day",
    ),
    KeyDoc::new("mosaic", "Four training images as one", ""),
    KeyDoc::new(
        "mosaic.probability",
        "Probability of joining a training image with three others",
        "0 to 1",
    ),
    KeyDoc::new(
        "mosaic.scale",
        "Smallest and largest size of each of the four images, where 1 fits the input",
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
        "Bins of the distance to an edge, each as long as the stride",
        "2 to 64",
    ),
    KeyDoc::new(
        "model.depth_multiplier",
        "Factor of the number of blocks",
        "0 to 4",
    ),
    KeyDoc::new(
        "model.depthwise",
        "3x3 convolutions are depthwise, followed by one of single pixels",
        "true or false",
    ),
    KeyDoc::new(
        "loss.boxes",
        "Weight of the loss of the boxes",
        "0 to 1,000",
    ),
    KeyDoc::new(
        "loss.classes",
        "Weight of the loss of the classes",
        "0 to 1,000",
    ),
    KeyDoc::new(
        "loss.objectness",
        "Weight of the loss of the objectness, of yolox",
        "0 to 1,000",
    ),
    KeyDoc::new(
        "loss.distribution",
        "Weight of the distribution focal loss, of fast-detector",
        "0 to 1,000",
    ),
];
