//! The keys of an image classifier's recipe, for those who edit one.

use tinderbox_train::overlay::KeyDoc;

/// The key of predictions for mirrored images.
pub(in crate::vision) const FLIP_DOCS: &[KeyDoc] = &[KeyDoc::new(
    "average_flip",
    "Average the predictions for an image and its mirror image; takes twice as long",
    "true or false; true needs the 68 points of iBUG for landmarks",
)];

/// The key of predictions for shifted images.
pub(in crate::vision) const SHIFT_DOCS: &[KeyDoc] = &[KeyDoc::new(
    "average_shift",
    "Average the predictions for an image and for four copies shifted by this many pixels along both axes, filled with \
     black; takes five times as long; 0: none",
    "0 to 16, less than the sides of the image",
)];

/// The keys of the images.
pub(in crate::vision) const DATA_DOCS: &[KeyDoc] = &[
    KeyDoc::new("data", "Images", ""),
    KeyDoc::new("data.kind", "Format of the images", ""),
    KeyDoc::new(
        "data.path",
        "Folder or archive of images, or CSV of their paths",
        "path; empty: downloaded or named with --data",
    ),
    KeyDoc::new(
        "data.download",
        "Public dataset to download when data.path is empty",
        "mnist, fashion-mnist, or empty",
    ),
    KeyDoc::new(
        "data.classes",
        "Class names in the order of their labels",
        "list of 2 to 65,536 names",
    ),
    KeyDoc::new(
        "data.height",
        "Height that images are resized to, in pixels; 0: that of the weights (transfer)",
        "0 or more",
    ),
    KeyDoc::new(
        "data.width",
        "Width that images are resized to, in pixels; 0: that of the weights (transfer)",
        "0 or more",
    ),
    KeyDoc::new("data.channels", "1 for grayscale, 3 for color", "1 or 3"),
    KeyDoc::new(
        "data.fit",
        "Resizing of images with another aspect ratio",
        "",
    ),
    KeyDoc::new(
        "data.skip_broken",
        "Leave out damaged images and count them, instead of stopping",
        "true or false",
    ),
    KeyDoc::new(
        "data.preprocess",
        "Preprocessing of image files, so that they resemble the training images",
        "",
    ),
    KeyDoc::new(
        "data.preprocess.fit",
        "Resizing of files with another aspect ratio",
        "",
    ),
    KeyDoc::new(
        "data.preprocess.match_background",
        "Invert files whose background differs from that of the training images",
        "true or false",
    ),
    KeyDoc::new(
        "data.preprocess.match_ink",
        "Crop files to their ink and center it if the training images are cropped and centered",
        "true or false",
    ),
];

/// The keys that only an image classifier has.
pub(in crate::vision) const DOCS: &[KeyDoc] = &[
    KeyDoc::new("augment", "Augmentation of training images", ""),
    KeyDoc::new(
        "augment.shift",
        "Largest shift along each axis, as a fraction of that side",
        "at least 0 and below 1",
    ),
    KeyDoc::new(
        "augment.rotate",
        "Largest rotation to either side, in degrees",
        "0 to 180",
    ),
    KeyDoc::new(
        "augment.scale",
        "Largest change of size, as a fraction; 0.1 draws from 0.9 to 1.1",
        "0 to 0.9",
    ),
    KeyDoc::new(
        "augment.shear",
        "Largest shear to either side, in degrees",
        "0 to 60",
    ),
    KeyDoc::new(
        "augment.flip",
        "Probability of a horizontal flip; not for digits or text",
        "0 to 1",
    ),
    KeyDoc::new(
        "augment.vertical_flip",
        "Probability of a vertical flip; for images of any orientation",
        "0 to 1",
    ),
    KeyDoc::new(
        "augment.quarter_turns",
        "Probability of a rotation by a random multiple of 90 degrees; for images of any orientation",
        "0 to 1",
    ),
    KeyDoc::new(
        "augment.elastic",
        "Typical shift of an elastic deformation, as a fraction of the shorter side",
        "0 to 0.2",
    ),
    KeyDoc::new(
        "augment.unwarped",
        "Probability that an image is not shifted, rotated, scaled, sheared or deformed, which blurs it a little",
        "0 to 1",
    ),
    KeyDoc::new(
        "augment.brightness",
        "Largest change of brightness, as a fraction",
        "0 to 1",
    ),
    KeyDoc::new(
        "augment.contrast",
        "Largest change of contrast, as a fraction",
        "0 to 1",
    ),
    KeyDoc::new(
        "augment.saturation",
        "Largest change of saturation, as a fraction; color images only",
        "0 to 1",
    ),
    KeyDoc::new(
        "augment.hue",
        "Largest rotation of the hue, as a fraction of the color wheel; color images only",
        "0 to 0.5",
    ),
    KeyDoc::new(
        "augment.crop",
        "Padding before a random crop, in pixels; 0 turns it off",
        "0 to 1,024",
    ),
    KeyDoc::new(
        "augment.erase",
        "Probability of erasing a random box",
        "0 to 1",
    ),
    KeyDoc::new(
        "augment.mixup",
        "Alpha of mixup; 0 turns it off",
        "0 to 100",
    ),
    KeyDoc::new(
        "augment.cutmix",
        "Alpha of CutMix; 0 turns it off",
        "0 to 100",
    ),
    KeyDoc::new("model", "Network", ""),
    KeyDoc::new("model.kind", "Architecture", ""),
    KeyDoc::new(
        "model.hidden",
        "Width of each hidden layer",
        "list of 1 to 65,536",
    ),
    KeyDoc::new("model.activation", "Activation of the hidden layers", ""),
    KeyDoc::new(
        "model.normalization",
        "Normalization before the activation",
        "",
    ),
    KeyDoc::new(
        "model.block_channels",
        "Channels of each block",
        "list of 1 to 65,536",
    ),
    KeyDoc::new(
        "model.d_hidden",
        "Width of the hidden layer; 0 uses global average pooling instead",
        "0 to 65,536",
    ),
    KeyDoc::new(
        "model.convs_per_block",
        "Convolutions per block",
        "1 or more",
    ),
    KeyDoc::new(
        "model.early_pooling",
        "Pool after the first convolution of a block instead of the last; the others take a quarter of the time",
        "true or false; true needs at least 2 convolutions per block",
    ),
    KeyDoc::new(
        "model.width_multiplier",
        "Multiplier for the channels of every stage",
        "0.0625 to 16",
    ),
    KeyDoc::new(
        "model.depth_multiplier",
        "Multiplier for the blocks of every stage except the first and last",
        "0.0625 to 16",
    ),
    KeyDoc::new(
        "model.padding",
        "Zero padding of convolutions with stride 2; same is that of TensorFlow",
        "",
    ),
    KeyDoc::new(
        "model.norm_epsilon",
        "Constant that batch normalization adds to the variance",
        "1e-12 to 0.1",
    ),
    KeyDoc::new(
        "model.stem",
        "First layer; small for images up to about 64 pixels",
        "",
    ),
    KeyDoc::new("model.block", "Kind of residual block", ""),
    KeyDoc::new(
        "model.blocks_per_stage",
        "Blocks in each stage; [2, 2, 2, 2] is ResNet-18",
        "list of 1 or more",
    ),
    KeyDoc::new(
        "model.base_channels",
        "Channels of the first stage",
        "1 or more",
    ),
    KeyDoc::new(
        "model.dropout",
        "Dropout probability",
        "at least 0 and below 1",
    ),
];
