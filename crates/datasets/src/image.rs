//! Images: decoding, folders, IDX files, image sets in memory and augmentation.

#[cfg(feature = "loader")]
mod animated;
mod augment;
mod boxes;
mod complete;
mod decode;
mod error;
mod fit;
#[cfg(feature = "loader")]
mod folder;
mod groups;
mod idx;
mod ink;
mod jpeg;
mod keypoint;
#[cfg(feature = "loader")]
mod large;
mod mask;
mod options;
mod resize;
mod sample;
mod scale;
#[cfg(feature = "loader")]
mod segmentation;
mod set;
mod taken;

#[cfg(feature = "loader")]
pub use animated::{animated_note, warn_if_animated};
pub use augment::{
    Augment, AugmentError, AugmentParams, CropWindow, Geometry, Mix, MixKind, Mosaic,
    TransformedBoxes, augment_boxes,
};
pub use boxes::{BoundingBox, Detection, bounds_of};
#[cfg(feature = "loader")]
pub(crate) use decode::stored_size;
pub use decode::{
    check_bytes, decode_bytes, decode_full, decode_image, format_name, oriented_size, read_file,
};
pub use error::ImageError;
pub use fit::fit_image;
#[cfg(feature = "loader")]
pub use folder::{
    FolderError, FolderOptions, FolderReport, FolderSplits, ImageFile, ImageFolder, SplitReport,
    dark_16_bit_note, find_images, has_image_extension, inspect, is_archive,
};
pub use groups::{GroupBy, GroupError, ImageGroups, groups_of};
pub use idx::{IdxError, count_classes, is_idx_folder, open_idx_folder, read_idx};
pub use ink::InkRule;
pub use keypoint::Keypoint;
#[cfg(feature = "loader")]
pub use large::{LargeImage, LargeImageError, Rows};
#[cfg(feature = "loader")]
pub(crate) use mask::unpack_runs;
pub use mask::{IGNORE, Mask, MaskError, MaskFileError, MaskValues, RawMask, RawSource, read_mask};
pub use options::{DecodeOptions, Fit, Interpolation, MAX_PIXELS, MAX_SIDE, Polarity};
pub use sample::{ImageSample, LabeledImage};
pub use scale::resize_image;
#[cfg(feature = "loader")]
pub use segmentation::{
    MaskLayout, MaskSearch, SegmentationError, SegmentationFolder, SegmentationOptions,
    SegmentationSplits,
};
pub use set::{ImageSet, ImageSetError};
pub use taken::{exif_time, file_name_time};

/// An image as bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Number of rows.
    pub height: usize,
    /// Number of columns.
    pub width: usize,
    /// Values per pixel: 1 for gray, 3 for red, green and blue.
    pub channels: usize,
    /// The values `[height, width, channels]`, 0 being black.
    pub pixels: Vec<u8>,
}
