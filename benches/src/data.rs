//! The way of the data, from the bytes of a file to what is put in batches. One thread, but for CSV.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use image::{ImageFormat, RgbImage};
use tempfile::TempDir;
use tinderbox_datasets::image::{Augment, DecodeOptions, Image, decode_bytes, read_idx};
use tinderbox_datasets::random::{below, normal, stream};
use tinderbox_datasets::table::{ReadOptions, read_csv};

/// What can be repeated, and how much of it is done at once.
pub struct Work {
    /// Id of its benchmark.
    pub name: &'static str,
    /// What is read and what comes out.
    pub what: &'static str,
    /// Images or rows in a pass.
    pub items: usize,
    /// Does it once.
    pub pass: Pass,
}

/// Does a piece of work once.
pub type Pass = Box<dyn Fn() -> Result<(), Box<dyn Error>>>;

const COUNT: usize = 10_000;
const SIDE: usize = 28;
const COLUMNS: usize = 20;

/// Everything that is measured.
///
/// # Errors
///
/// If a temporary file cannot be written.
pub fn works() -> Result<Vec<Work>, Box<dyn Error>> {
    Ok(vec![idx()?, jpeg()?, warp(), csv()?])
}

/// Bytes that look like anything but a constant.
fn noise(count: usize) -> Vec<u8> {
    (0..count).map(|index| (index * 37 % 251) as u8).collect()
}

fn augment() -> Augment {
    Augment {
        shift: 0.08,
        rotate: 10.0,
        scale: 0.1,
        shear: 5.0,
        ..Augment::default()
    }
}

fn idx() -> Result<Work, Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let images = idx_file(&dir, "images", &[COUNT, SIDE, SIDE])?;
    let labels = dir.path().join("labels");
    fs::write(&labels, idx_bytes(&[COUNT], &[0; COUNT]))?;
    let pass: Pass = Box::new(move || {
        // Keeps the files for as long as they are read.
        let _ = dir.path();
        black_box(read_idx(&images, &labels, &["0"])?);
        Ok(())
    });
    Ok(Work {
        name: "idx/read",
        what: "images of an IDX file, 28x28",
        items: COUNT,
        pass,
    })
}

fn idx_file(dir: &TempDir, name: &str, dims: &[usize]) -> Result<PathBuf, std::io::Error> {
    let path = dir.path().join(name);
    fs::write(&path, idx_bytes(dims, &noise(dims.iter().product())))?;
    Ok(path)
}

fn idx_bytes(dims: &[usize], values: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, dims.len() as u8];
    for &dim in dims {
        bytes.extend((dim as u32).to_be_bytes());
    }
    bytes.extend(values);
    bytes
}

fn jpeg() -> Result<Work, Box<dyn Error>> {
    let smooth = RgbImage::from_fn(320, 240, |x, y| {
        let [red, green] = [x * 255 / 320, y * 255 / 240];
        image::Rgb([red as u8, green as u8, ((x + y) % 256) as u8])
    });
    let mut bytes = Cursor::new(Vec::new());
    smooth.write_to(&mut bytes, ImageFormat::Jpeg)?;
    let bytes = bytes.into_inner();
    let options = DecodeOptions::new(64, 64, 3);
    let pass: Pass = Box::new(move || {
        let image = decode_bytes(&bytes, Path::new("bench.jpg"), &options)?;
        black_box(augment().apply(image, &mut stream(0, &[1])));
        Ok(())
    });
    Ok(Work {
        name: "jpeg/decode-resize-augment",
        what: "JPEG images decoded, resized and augmented, 320x240 to 64x64",
        items: 1,
        pass,
    })
}

fn warp() -> Work {
    let image = Image {
        height: SIDE,
        width: SIDE,
        channels: 1,
        pixels: noise(SIDE * SIDE),
    };
    let pass: Pass = Box::new(move || {
        black_box(augment().apply(image.clone(), &mut stream(0, &[1])));
        Ok(())
    });
    Work {
        name: "augment/warp",
        what: "grey images augmented, 28x28",
        items: 1,
        pass,
    }
}

fn csv() -> Result<Work, Box<dyn Error>> {
    let text = table()?;
    let pass: Pass = Box::new(move || {
        black_box(read_csv(
            text.as_bytes(),
            "bench.csv",
            &ReadOptions::default(),
        )?);
        Ok(())
    });
    Ok(Work {
        name: "csv/read",
        what: "rows of CSV read and typed, 20 columns: numbers, words and dates",
        items: COUNT,
        pass,
    })
}

/// A table of every sort of columns.
fn table() -> Result<String, std::fmt::Error> {
    let names: Vec<String> = (0..COLUMNS).map(|at| format!("c{at}")).collect();
    let mut text = names.join(",");
    for row in 0..COUNT {
        let mut rng = stream(0, &[row as u64]);
        for column in 0..COLUMNS {
            text.push(if column == 0 { '\n' } else { ',' });
            let number = below(&mut rng, 1000);
            match column % 4 {
                0 => write!(text, "{:.6}", normal(&mut rng))?,
                1 => write!(text, "{number}")?,
                2 => text.push_str(["red", "green", "blue", "ultramarine"][number % 4]),
                _ => write!(text, "2024-{:02}-{:02}", number % 12 + 1, number % 28 + 1)?,
            }
        }
    }
    Ok(text)
}
