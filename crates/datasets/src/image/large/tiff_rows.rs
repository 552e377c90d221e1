//! The rows of a TIFF, decoded chunk by chunk: a chunk is a tile or a strip.

use std::fmt;
use std::fs::File;
use std::io::BufReader;
use std::ops::Range;
use std::path::{Path, PathBuf};

use tiff_large::decoder::{Decoder, DecodingResult};
use tiff_large::tags::Tag;
use tiff_large::{ColorType, TiffError};

use super::{LargeImageError, Rows};
use crate::panics::catch_panic;

/// Most bytes of a row of chunks, 512 MiB.
const MAX_BYTES: usize = 512 << 20;

pub(super) struct TiffRows {
    path: PathBuf,
    decoder: Decoder<BufReader<File>>,
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) other_pages: usize,
    /// Values per pixel of the result.
    channels: usize,
    color: ColorType,
    /// Height and width of a chunk.
    chunk: [usize; 2],
    /// The rows in memory, `[rows, width, channels]`.
    buffer: Vec<u8>,
    held: Range<usize>,
}

impl TiffRows {
    pub(super) fn open(path: &Path, channels: usize) -> Result<Self, LargeImageError> {
        let opened = catch_panic(|| Self::decode_header(path, channels));
        opened.unwrap_or_else(|reason| {
            Err(LargeImageError::Damaged {
                path: path.to_owned(),
                reason,
            })
        })
    }

    fn decode_header(path: &Path, channels: usize) -> Result<Self, LargeImageError> {
        let file = File::open(path).map_err(|error| tiff_error(path)(error.into()))?;
        let mut decoder = Decoder::new(BufReader::new(file)).map_err(tiff_error(path))?;
        let other_pages = count_other_pages(&mut decoder).map_err(tiff_error(path))?;
        let (width, height) = decoder.dimensions().map_err(tiff_error(path))?;
        let chunk = decoder.chunk_dimensions();
        let rows = Self {
            path: path.to_owned(),
            color: decoder.colortype().map_err(tiff_error(path))?,
            decoder,
            height: height as usize,
            width: width as usize,
            other_pages,
            channels,
            chunk: [chunk.1 as usize, chunk.0 as usize],
            buffer: Vec::new(),
            held: 0..0,
        };
        rows.check()
    }

    fn check(mut self) -> Result<Self, LargeImageError> {
        let tag = |decoder: &mut Decoder<_>, tag| decoder.find_tag_unsigned::<u16>(tag);
        let planar = tag(&mut self.decoder, Tag::PlanarConfiguration);
        let turned = tag(&mut self.decoder, Tag::Orientation);
        let (planar, turned) = (
            planar.map_err(tiff_error(&self.path))?,
            turned.map_err(tiff_error(&self.path))?,
        );
        let bytes = self.chunk[0]
            .min(self.height)
            .saturating_mul(self.width)
            .saturating_mul(self.channels);
        let reason = if samples(self.color).is_none() {
            format!("its colors are {:?}", self.color)
        } else if planar.is_some_and(|planar| planar != 1) {
            "its colors are stored apart from each other".to_owned()
        } else if turned.is_some_and(|turned| turned > 1) {
            "it is stored turned or mirrored".to_owned()
        } else if self.height == 0 || self.width == 0 || self.chunk.contains(&0) {
            "it is empty".to_owned()
        } else if bytes > MAX_BYTES {
            format!(
                "its strips of {} rows are too large for memory",
                self.chunk[0]
            )
        } else {
            return Ok(self);
        };
        Err(LargeImageError::Stored {
            path: self.path,
            reason,
        })
    }

    pub(super) fn rows(&mut self, rows: Range<usize>) -> Result<Rows<'_>, LargeImageError> {
        let length = self.width * self.channels;
        if rows.start < self.held.start || rows.start > self.held.end {
            let start = rows.start / self.chunk[0] * self.chunk[0];
            self.held = start..start;
            self.buffer.clear();
        }
        self.buffer
            .drain(..(rows.start - self.held.start).min(self.held.len()) * length);
        self.held.start = rows.start.min(self.held.end);
        while self.held.end < rows.end {
            self.decode_row(self.held.end / self.chunk[0])?;
        }
        // The first chunks may have begun above.
        let above = rows.start - self.held.start;
        Ok(Rows {
            top: rows.start,
            width: self.width,
            channels: self.channels,
            pixels: &self.buffer[above * length..(above + rows.len()) * length],
        })
    }

    /// Appends a row of chunks.
    fn decode_row(&mut self, row: usize) -> Result<(), LargeImageError> {
        let across = self.width.div_ceil(self.chunk[1]);
        let rows = self.chunk[0].min(self.height - row * self.chunk[0]);
        let (start, length) = (self.buffer.len(), self.width * self.channels);
        self.buffer.resize(start + rows * length, 0);
        for column in 0..across {
            let index = row * across + column;
            let decoded = catch_panic(|| self.decoder.read_chunk(index as u32));
            let decoded = decoded.map_err(|reason| self.damaged(reason))?;
            let values = bytes(decoded.map_err(tiff_error(&self.path))?)
                .ok_or_else(|| self.damaged("its values have more than 16 bits".to_owned()))?;
            let left = column * self.chunk[1];
            let width = self.chunk[1].min(self.width - left);
            let samples = samples(self.color).unwrap_or(1);
            if values.len() < rows * width * samples {
                return Err(self.damaged(format!("its tile {index} is too short")));
            }
            for (y, line) in values.chunks_exact(width * samples).take(rows).enumerate() {
                let into = start + y * length + left * self.channels;
                let into = &mut self.buffer[into..into + width * self.channels];
                convert(line, self.color, into, self.channels);
            }
        }
        self.held.end += rows;
        Ok(())
    }

    fn damaged(&self, reason: String) -> LargeImageError {
        LargeImageError::Damaged {
            path: self.path.clone(),
            reason,
        }
    }
}

impl fmt::Debug for TiffRows {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = [self.height, self.width];
        let mut debug = formatter.debug_struct("TiffRows");
        debug.field("path", &self.path).field("size", &size);
        debug.field("held", &self.held).finish_non_exhaustive()
    }
}

fn tiff_error(path: &Path) -> impl Fn(TiffError) -> LargeImageError {
    |source| LargeImageError::Tiff {
        path: path.to_owned(),
        source,
    }
}

/// Counts the pages after the first, and goes back to that.
fn count_other_pages(decoder: &mut Decoder<BufReader<File>>) -> Result<usize, TiffError> {
    let mut others = 0;
    while decoder.more_images() && others < 1000 {
        decoder.next_image()?;
        others += 1;
    }
    if others > 0 {
        decoder.seek_to_image(0)?;
    }
    Ok(others)
}

/// Values per pixel of the colors that can be read.
fn samples(color: ColorType) -> Option<usize> {
    match color {
        ColorType::Gray(8 | 16) => Some(1),
        ColorType::GrayA(8 | 16) => Some(2),
        ColorType::RGB(8 | 16) | ColorType::YCbCr(8) => Some(3),
        ColorType::RGBA(8 | 16) => Some(4),
        _ => None,
    }
}

/// Values of 8 bits; 16 bits are rounded.
fn bytes(decoded: DecodingResult) -> Option<Vec<u8>> {
    match decoded {
        DecodingResult::U8(values) => Some(values),
        DecodingResult::U16(values) => {
            let byte = |value: u16| ((u32::from(value) + 128) / 257) as u8;
            Some(values.into_iter().map(byte).collect())
        }
        _ => None,
    }
}

/// Converts a line of pixels to gray or RGB, on white paper where it is transparent.
fn convert(line: &[u8], color: ColorType, into: &mut [u8], channels: usize) {
    let paper = |value: u8, alpha: u8| {
        let (value, alpha) = (u16::from(value), u16::from(alpha));
        ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
    };
    let rgb = |pixel: &[u8]| match (color, pixel) {
        (ColorType::YCbCr(_), &[y, cb, cr]) => rgb_of_ycbcr(y, cb, cr),
        (_, &[red, green, blue]) => [red, green, blue],
        (_, &[red, green, blue, alpha]) => [red, green, blue].map(|value| paper(value, alpha)),
        (_, &[gray, alpha]) => [paper(gray, alpha); 3],
        (_, pixel) => [pixel[0]; 3],
    };
    let pixels = line.chunks_exact(samples(color).unwrap_or(1));
    if channels == 1 {
        for (into, pixel) in into.iter_mut().zip(pixels) {
            *into = match pixel {
                &[gray] => gray,
                pixel => luma(rgb(pixel)),
            };
        }
    } else {
        for (into, pixel) in into.chunks_exact_mut(channels).zip(pixels) {
            into.copy_from_slice(&rgb(pixel));
        }
    }
}

/// The gray of a color with the weights of ITU-R BT.709, as other images are converted.
fn luma([red, green, blue]: [u8; 3]) -> u8 {
    let sum = 2126 * u32::from(red) + 7152 * u32::from(green) + 722 * u32::from(blue);
    (sum / 10_000) as u8
}

/// Full-range YCbCr with the weights of ITU-R BT.601, as JPEG has it.
fn rgb_of_ycbcr(y: u8, cb: u8, cr: u8) -> [u8; 3] {
    let [y, cb, cr] = [f32::from(y), f32::from(cb) - 128.0, f32::from(cr) - 128.0];
    [
        y + 1.402 * cr,
        y - 0.344_136 * cb - 0.714_136 * cr,
        y + 1.772 * cb,
    ]
    .map(|value| value.round() as u8)
}
