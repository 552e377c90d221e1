//! The digits that ship with this crate: 1,797 handwritten digits of 8 x 8 pixels.
//!
//! Reference: Alpaydin and Kaynak, *Optical Recognition of Handwritten Digits*, UCI Machine
//! Learning Repository, 1998, <https://doi.org/10.24432/C50P49>, CC BY 4.0. `data/README.md` says
//! where the copy comes from.
//! Differs from it: only the 1,797 digits of UCI's test part are here, and our split puts digits of
//! one writer on both sides, so scores are a little better than on new writers.

use std::io::Read;

use flate2::read::GzDecoder;
use thiserror::Error;

use crate::image::{ImageSet, ImageSetError};
use crate::split::hold_out_by_class;

/// Rows of 64 values in `0..=16` and the digit.
static CSV: &[u8] = include_bytes!("../../data/digits.csv.gz");

/// Height and width of a digit, in pixels.
const SIDE: usize = 8;

/// Test images of each digit.
const TEST_PER_CLASS: usize = 36;

/// Seed of the split into train and test. Never change it: scores would stop being comparable.
const SPLIT_SEED: u64 = 1998;

/// Errors of the bundled digits; any of them is a fault of the build.
#[derive(Debug, Error)]
pub enum DigitsError {
    /// The file cannot be unpacked.
    #[error("the built-in digits cannot be unpacked")]
    Unpack(#[source] std::io::Error),
    /// A line is not 64 values and a digit.
    #[error("line {line} of the built-in digits is not 64 values in 0..=16 and a digit")]
    Line {
        /// The line, counted from 1.
        line: usize,
    },
    /// Pixels and labels do not fit together.
    #[error("the built-in digits are not a valid dataset")]
    Set(#[from] ImageSetError),
}

/// Returns the training set of 1,437 and the test set of 360 digits.
///
/// The test set has 36 of each digit, chosen once and for all. Values are scaled from `0..=16` to
/// `0..=255`.
///
/// # Errors
///
/// If the data inside this crate are damaged.
pub fn digits() -> Result<(ImageSet, ImageSet), DigitsError> {
    let mut text = String::new();
    GzDecoder::new(CSV)
        .read_to_string(&mut text)
        .map_err(DigitsError::Unpack)?;
    let (pixels, labels) = parse(&text)?;
    let (mut train, mut test) = hold_out_by_class(&labels, |_| TEST_PER_CLASS, SPLIT_SEED);
    train.sort_unstable();
    test.sort_unstable();
    Ok((
        select(&pixels, &labels, &train)?,
        select(&pixels, &labels, &test)?,
    ))
}

fn parse(text: &str) -> Result<(Vec<u8>, Vec<u16>), DigitsError> {
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for (at, line) in text.lines().enumerate() {
        let cells: Option<Vec<u16>> = line.split(',').map(|cell| cell.parse().ok()).collect();
        match cells.as_deref() {
            Some([values @ .., label])
                if values.len() == SIDE * SIDE && values.iter().all(|&v| v <= 16) =>
            {
                pixels.extend(values.iter().map(|v| ((v * 255 + 8) / 16) as u8));
                labels.push(*label);
            }
            _ => return Err(DigitsError::Line { line: at + 1 }),
        }
    }
    Ok((pixels, labels))
}

fn select(pixels: &[u8], labels: &[u16], rows: &[usize]) -> Result<ImageSet, ImageSetError> {
    let size = SIDE * SIDE;
    let chosen = rows
        .iter()
        .flat_map(|row| &pixels[row * size..(row + 1) * size]);
    let names = (0..10).map(|digit| digit.to_string()).collect();
    let labels = rows.iter().map(|&row| labels[row]).collect();
    ImageSet::new([SIDE, SIDE, 1], chosen.copied().collect(), labels, names)
}

#[cfg(test)]
mod tests {
    use burn::data::dataset::Dataset;

    use super::*;

    fn rows(set: &ImageSet) -> Vec<(&[u8], u16)> {
        set.pixels()
            .chunks_exact(64)
            .zip(set.labels().iter().copied())
            .collect()
    }

    #[test]
    fn the_test_set_has_36_of_each_digit() {
        let (train, test) = digits().unwrap();
        assert_eq!((train.len(), test.len()), (1437, 360));
        for digit in 0..10 {
            assert_eq!(
                test.labels()
                    .iter()
                    .filter(|&&label| label == digit)
                    .count(),
                36
            );
        }
    }

    #[test]
    fn no_digit_is_in_both_parts() {
        let (train, test) = digits().unwrap();
        let train = rows(&train);
        assert!(rows(&test).iter().all(|row| !train.contains(row)));
    }

    #[test]
    fn values_reach_from_black_to_white() {
        let (train, test) = digits().unwrap();
        let pixels = [train.pixels(), test.pixels()].concat();
        assert_eq!(
            (pixels.iter().min(), pixels.iter().max()),
            (Some(&0), Some(&255))
        );
        // Mean of the source: 4.884 of 16.
        let mean = pixels.iter().map(|&v| f64::from(v)).sum::<f64>() / pixels.len() as f64;
        assert!((mean - 4.8842 * 255.0 / 16.0).abs() < 0.1, "{mean}");
    }

    #[test]
    fn a_bad_line_is_named() {
        let line = "0,".repeat(64) + "3";
        assert!(parse(&line).is_ok());
        for bad in [
            "17,".repeat(64) + "3",
            "0,".repeat(63) + "3",
            "x,".repeat(64) + "3",
        ] {
            let error = parse(&format!("{line}\n{bad}\n")).unwrap_err();
            assert!(matches!(error, DigitsError::Line { line: 2 }), "{bad}");
        }
    }
}
