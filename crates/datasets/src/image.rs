//! Images: decoding, folders, IDX files, image sets in memory and augmentation.

mod augment;
mod complete;
mod decode;
mod fit;
#[cfg(feature = "loader")]
mod folder;
mod idx;
mod ink;
mod jpeg;
mod set;

pub use augment::{Augment, AugmentError, Mix, MixKind};
pub use decode::{
    DecodeOptions, Fit, Image, ImageError, LabelledImage, MAX_PIXELS, MAX_SIDE, Polarity,
    check_bytes, decode_bytes, decode_image, format_name, read_file,
};
#[cfg(feature = "loader")]
pub use folder::{
    FolderError, FolderOptions, FolderReport, FolderSplits, ImageFile, ImageFolder, SplitReport,
    find_images, inspect, is_archive,
};
pub use idx::{IdxError, count_classes, is_idx_folder, open_idx_folder, read_idx};
pub use ink::InkRule;
pub use set::{ImageSet, ImageSetError};
