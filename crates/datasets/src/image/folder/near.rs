//! Images that look the same although their files differ: saved again, scaled or slightly cropped.
//!
//! Two are compared as gray thumbnails: first by whether each pixel is darker than its neighbor (Krawetz,
//! *Kind of like that*, 2013, <https://www.hackerfactor.com/blog/index.php?/archives/529-Kind-of-Like-That.html>),
//! then by their mean difference.

use crate::image::{DecodeOptions, Image};
use crate::parallel::parallel_map;

/// Height and width of a thumbnail, in pixels.
const SIDE: usize = 16;

/// Differences between neighbors that count, in gray levels: less is noise of the encoder.
const STEP: u8 = 2;

/// Most neighbors that may differ, of 240.
const MAX_BITS: u32 = 16;

/// Largest mean difference of two pixels, in gray levels.
const MAX_DIFFERENCE: u32 = 3;

/// Least standard deviation of a thumbnail, in gray levels: empty images all look the same.
const MIN_DEVIATION: u32 = 8;

/// Most images that are compared, each with each other.
const MAX_IMAGES: usize = 30_000;

/// A small gray copy of an image.
#[derive(Clone, Debug)]
pub(super) struct Thumbnail {
    pixels: Vec<u8>,
    /// Whether each pixel is darker than its right neighbor.
    darker: [u64; 4],
    is_empty: bool,
}

impl Thumbnail {
    /// How an image is decoded for its thumbnail.
    pub(super) fn options() -> DecodeOptions {
        DecodeOptions::new(SIDE, SIDE, 1)
    }

    /// Of an image that was decoded with [`options`](Self::options).
    pub(super) fn new(image: &Image) -> Self {
        let mut darker = [0; 4];
        let rows = image.pixels.chunks_exact(SIDE);
        let neighbors = rows.flat_map(|row| row.windows(2));
        for (at, pair) in neighbors.enumerate() {
            let is_darker = pair[1].saturating_sub(pair[0]) > STEP;
            darker[at / 64] |= u64::from(is_darker) << (at % 64);
        }
        let count = image.pixels.len().max(1) as u32;
        let sum: u32 = image.pixels.iter().map(|&value| u32::from(value)).sum();
        let mean = sum / count;
        let squares = image.pixels.iter();
        let squares: u32 = squares
            .map(|&value| u32::from(value).abs_diff(mean).pow(2))
            .sum();
        Self {
            pixels: image.pixels.clone(),
            darker,
            is_empty: squares / count < MIN_DEVIATION.pow(2),
        }
    }

    fn looks_like(&self, other: &Self) -> bool {
        let bits = self.darker.iter().zip(&other.darker);
        let bits: u32 = bits.map(|(a, b)| (a ^ b).count_ones()).sum();
        if bits > MAX_BITS {
            return false;
        }
        let pixels = self.pixels.iter().zip(&other.pixels);
        let difference: u32 = pixels.map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
        difference <= MAX_DIFFERENCE * self.pixels.len() as u32
    }
}

/// All pairs that look the same; none if there are too many images.
pub(super) fn find_pairs(thumbnails: &[&Thumbnail]) -> Option<Vec<[usize; 2]>> {
    if thumbnails.len() > MAX_IMAGES {
        return None;
    }
    let filled: Vec<usize> = (0..thumbnails.len())
        .filter(|&at| !thumbnails[at].is_empty)
        .collect();
    let starts: Vec<usize> = (0..filled.len()).collect();
    let pairs = parallel_map(&starts, |&start| {
        let first = filled[start];
        let others = filled[start + 1..].iter();
        others
            .filter(|&&other| thumbnails[first].looks_like(thumbnails[other]))
            .map(|&other| [first, other])
            .collect::<Vec<_>>()
    });
    Some(pairs.into_iter().flatten().collect())
}
