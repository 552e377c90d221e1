//! Images that are too large for memory, read a few rows at a time.

mod tiff_rows;

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use thiserror::Error;

use self::tiff_rows::TiffRows;
use super::{Image, ImageError, MAX_PIXELS, decode_full, read_file};

/// Errors of reading a large image.
#[derive(Debug, Error)]
pub enum LargeImageError {
    /// It cannot be decoded as a whole.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// It has too many pixels, and is in a format that is read as a whole.
    #[error(
        "`{}` has {width} x {height} pixels, more than the {limit} that are decoded at once; save it as a \
         tiled TIFF, which is read piece by piece",
        path.display()
    )]
    Whole {
        /// The file.
        path: PathBuf,
        /// Its width.
        width: u32,
        /// Its height.
        height: u32,
        /// Most pixels of an image that is read as a whole.
        limit: u64,
    },
    /// The TIFF cannot be decoded.
    #[error("the image `{}` is damaged or in an unsupported format", path.display())]
    Tiff {
        /// The file.
        path: PathBuf,
        /// The decoder's error.
        source: tiff_large::TiffError,
    },
    /// The decoder failed on the TIFF.
    #[error("the image `{}` is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the decoder says.
        reason: String,
    },
    /// The TIFF is stored in a way that cannot be read piece by piece.
    #[error(
        "`{}` cannot be read piece by piece: {reason}; save it as a tiled TIFF in gray or RGB of 8 or 16 bits",
        path.display()
    )]
    Stored {
        /// The file.
        path: PathBuf,
        /// What cannot be read.
        reason: String,
    },
}

/// An image of any size, of which some rows at a time are in memory.
///
/// A TIFF or `BigTIFF` is read tile by tile or strip by strip; every other image, and a TIFF whose colors are
/// stored otherwise, is decoded as a whole, as [`decode_full`] does.
///
/// ```
/// use tinderbox_datasets::image::LargeImage;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("slide.png");
/// # image::GrayImage::from_pixel(30, 20, image::Luma([7])).save(&path)?;
/// let mut slide = LargeImage::open(&path, 3)?;
/// assert_eq!([slide.height(), slide.width()], [20, 30]);
/// let patch = slide.rows(5..15)?.crop(5..15, 20..30);
/// assert_eq!(patch.pixels, [7; 10 * 10 * 3]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct LargeImage {
    source: Source,
}

#[derive(Debug)]
enum Source {
    Memory(Image),
    Tiff(Box<TiffRows>),
}

/// Some rows of an image.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// Row of the image that the first of them is.
    pub top: usize,
    /// Pixels in a row.
    pub width: usize,
    /// Values per pixel.
    pub channels: usize,
    /// The values `[rows, width, channels]`.
    pub pixels: &'a [u8],
}

impl LargeImage {
    /// Opens an image with `channels` values per pixel, 1 or 3.
    ///
    /// # Errors
    ///
    /// If it cannot be read, is no image, is damaged, or is large and stored in a way that cannot be
    /// read piece by piece.
    pub fn open(path: &Path, channels: usize) -> Result<Self, LargeImageError> {
        if is_tiff(path)? {
            match TiffRows::open(path, channels) {
                Ok(rows) => {
                    let source = Source::Tiff(Box::new(rows));
                    return Ok(Self { source });
                }
                Err(error) if is_long(path) => return Err(error),
                // What this reader refuses may be fine for the other.
                Err(_) => {}
            }
        }
        let image = match decode_full(&read_file(path)?, path, channels, MAX_PIXELS) {
            Err(ImageError::TooLarge {
                path,
                width,
                height,
                limit,
            }) => Err(LargeImageError::Whole {
                path,
                width,
                height,
                limit,
            }),
            decoded => Ok(decoded?),
        };
        Ok(Self {
            source: Source::Memory(image?),
        })
    }

    /// Number of rows.
    pub fn height(&self) -> usize {
        match &self.source {
            Source::Memory(image) => image.height,
            Source::Tiff(rows) => rows.height,
        }
    }

    /// Number of columns.
    pub fn width(&self) -> usize {
        match &self.source {
            Source::Memory(image) => image.width,
            Source::Tiff(rows) => rows.width,
        }
    }

    /// Number of further pages or levels of a TIFF, which are not read; 0 where it was decoded as a
    /// whole.
    pub fn other_pages(&self) -> usize {
        match &self.source {
            Source::Memory(_) => 0,
            Source::Tiff(rows) => rows.other_pages,
        }
    }

    /// Some rows. It is fastest from top to bottom; rows that overlap with those before are decoded once.
    ///
    /// # Errors
    ///
    /// If they are damaged.
    ///
    /// # Panics
    ///
    /// If there are no such rows.
    pub fn rows(&mut self, rows: Range<usize>) -> Result<Rows<'_>, LargeImageError> {
        assert!(
            rows.start < rows.end && rows.end <= self.height(),
            "there are no rows {rows:?} of {}",
            self.height()
        );
        match &mut self.source {
            Source::Memory(image) => {
                let length = image.width * image.channels;
                Ok(Rows {
                    top: rows.start,
                    width: image.width,
                    channels: image.channels,
                    pixels: &image.pixels[rows.start * length..rows.end * length],
                })
            }
            Source::Tiff(tiff) => tiff.rows(rows),
        }
    }
}

impl Rows<'_> {
    /// A part of them, by the rows and columns of the image.
    ///
    /// # Panics
    ///
    /// If it lies outside.
    pub fn crop(&self, rows: Range<usize>, columns: Range<usize>) -> Image {
        let (height, width) = (rows.len(), columns.len());
        let mut pixels = Vec::with_capacity(height * width * self.channels);
        for row in rows {
            let start = (row - self.top) * self.width;
            let line =
                (start + columns.start) * self.channels..(start + columns.end) * self.channels;
            pixels.extend_from_slice(&self.pixels[line]);
        }
        Image {
            height,
            width,
            channels: self.channels,
            pixels,
        }
    }
}

/// Whether a file begins as a TIFF or `BigTIFF`.
fn is_tiff(path: &Path) -> Result<bool, ImageError> {
    let mut start = [0; 4];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut start));
    match read {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(source) => Err(ImageError::Read {
            path: path.to_owned(),
            source,
        }),
        Ok(()) => Ok(matches!(&start, b"II*\0" | b"MM\0*" | b"II+\0" | b"MM\0+")),
    }
}

/// Whether a file is too long, or of a kind, to be decoded as a whole.
fn is_long(path: &Path) -> bool {
    let mut start = [0; 4];
    let big = File::open(path)
        .and_then(|mut file| file.read_exact(&mut start))
        .is_ok_and(|()| start.contains(&b'+'));
    big || path.metadata().is_ok_and(|file| file.len() > 1 << 30)
}

#[cfg(test)]
mod tests;
