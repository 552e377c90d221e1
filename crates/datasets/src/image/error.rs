//! Errors of decoding an image.

use std::path::PathBuf;

use thiserror::Error;

use super::MAX_SIDE;

/// Errors of decoding an image.
#[derive(Debug, Error)]
pub enum ImageError {
    /// The wanted number of channels is not supported.
    #[error("`channels` must be 1 or 3 (got {channels})")]
    Channels {
        /// The number asked for.
        channels: usize,
    },
    /// The wanted size is not supported.
    #[error("`{key}` must be from 1 to {MAX_SIDE} (got {side})")]
    Side {
        /// `height` or `width`.
        key: &'static str,
        /// The side asked for, in pixels.
        side: usize,
    },
    /// The center that is cut out has no size.
    #[error(
        "`crop` must be above 0 and at most 1, and the size divided by it at most {MAX_SIDE} (got {crop})"
    )]
    Crop {
        /// The part asked for.
        crop: f64,
    },
    /// The center cannot be cut out this way.
    #[error(
        "`crop` below 1 needs `interpolation` bilinear or bicubic and `fit` crop or stretch (got {crop})"
    )]
    CropNeeds {
        /// The part asked for.
        crop: f64,
    },
    /// The ink does not fit into the image.
    #[error(
        "`ink_size` must be at most {most} for images of this size and number of channels (got {ink_size})"
    )]
    InkSize {
        /// The size asked for, in pixels.
        ink_size: usize,
        /// Largest size allowed.
        most: usize,
    },
    /// The file cannot be read.
    #[error("cannot read the image `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The I/O error.
        source: std::io::Error,
    },
    /// The content is in no known format.
    #[error("`{}` is not an image in a known format (JPEG, PNG, GIF, TIFF, WebP or BMP)", path.display())]
    Format {
        /// The file.
        path: PathBuf,
    },
    /// The file is longer than an image can be.
    #[error("`{}` is too large for an image: more than {limit} bytes", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Most bytes allowed.
        limit: u64,
    },
    /// Floating-point values whose brightness is unknown.
    #[error(
        "the image `{}` has floating-point values from {low} to {high}, and only those from 0 to 1 can be read: \
         convert it to 8 or 16 bits", path.display()
    )]
    FloatRange {
        /// The file.
        path: PathBuf,
        /// Smallest value.
        low: f32,
        /// Largest value.
        high: f32,
    },
    /// The header says that there is no pixel.
    #[error("the image `{}` is empty: {width} x {height} pixels", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
        /// Claimed width.
        width: u32,
        /// Claimed height.
        height: u32,
    },
    /// The header claims more pixels than allowed.
    #[error(
        "`{}` is too large: {width} x {height} pixels, more than {limit} in total",
        path.display()
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Claimed width.
        width: u32,
        /// Claimed height.
        height: u32,
        /// Most pixels allowed.
        limit: u64,
    },
    /// The file was cut.
    #[error("the image `{}` is damaged: {missing}", path.display())]
    Incomplete {
        /// The file.
        path: PathBuf,
        /// What is missing.
        missing: &'static str,
    },
    /// The decoder cannot read this kind of file.
    #[error("the image `{}` is damaged or in an unsupported format: {reason}", path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// What the decoder says.
        reason: String,
    },
    /// Header or pixels are damaged.
    #[error("the image `{}` is damaged or in an unsupported format", path.display())]
    Decode {
        /// The file.
        path: PathBuf,
        /// The decoder's error.
        source: image::ImageError,
    },
}
