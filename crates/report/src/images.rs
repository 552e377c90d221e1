//! Images inside of a page.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::FilterType;
use image::{ExtendedColorType, ImageReader, RgbImage};

/// Characters that all images of a page may take together.
const BUDGET: usize = 680_000;

/// Longest sides that are tried, in pixels.
const SIDES: [u32; 4] = [1_000, 800, 640, 480];

/// Quality of a JPEG, from 1 to 100.
const QUALITY: u8 = 80;

/// Most pixels of an image that is read.
const MAX_PIXELS: u64 = 64_000_000;

/// Most bytes of an animation, which is not made smaller.
const MAX_ANIMATION: usize = 240_000;

/// An image for a page.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Thumbnail {
    /// Its file in the run directory.
    pub(crate) file: PathBuf,
    pub(crate) uri: String,
    /// Width and height, in pixels.
    pub(crate) size: [u32; 2],
}

/// The images of a run as far as they fit into a page, and the files of those that are left out.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Thumbnails {
    pub(crate) shown: Vec<Thumbnail>,
    pub(crate) left_out: Vec<PathBuf>,
}

impl Thumbnails {
    /// Reads images; each may take its part of what those before it leave.
    pub(crate) fn read(run: &Path, files: Vec<PathBuf>) -> Self {
        let mut all = Self::default();
        let mut left = BUDGET;
        let count = files.len();
        for (at, file) in files.into_iter().enumerate() {
            let share = left / (count - at);
            match thumbnail(&run.join(&file), share) {
                Some((uri, size)) => {
                    left -= uri.len();
                    all.shown.push(Thumbnail { file, uri, size });
                }
                None => all.left_out.push(file),
            }
        }
        all
    }
}

/// An image of at most so many characters; `None` if it cannot be read or made that small.
fn thumbnail(path: &Path, most: usize) -> Option<(String, [u32; 2])> {
    let reader = || ImageReader::open(path).ok()?.with_guessed_format().ok();
    let (width, height) = reader()?.into_dimensions().ok()?;
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return None;
    }
    if path.extension().is_some_and(|extension| extension == "gif") {
        let bytes = fs::read(path).ok()?;
        let fits = bytes.len() <= MAX_ANIMATION && bytes.len() * 4 / 3 + 40 <= most;
        return fits.then(|| (uri("image/gif", &bytes), [width, height]));
    }
    let image = reader()?.decode().ok()?.to_rgb8();
    let mut sides: Vec<u32> = SIDES.to_vec();
    sides.retain(|side| *side < width.max(height));
    let own = width.max(height);
    if own <= SIDES[0] {
        sides.insert(0, own);
    }
    sides.into_iter().find_map(|side| {
        let small = fitted(&image, side);
        let uri = jpeg_uri(small.as_raw(), [small.width(), small.height()])?;
        (uri.len() <= most).then(|| (uri, [small.width(), small.height()]))
    })
}

fn fitted(image: &RgbImage, longest: u32) -> RgbImage {
    let (width, height) = image.dimensions();
    let factor = f64::from(longest) / f64::from(width.max(height));
    if factor >= 1.0 {
        return image.clone();
    }
    let size = |side: u32| ((f64::from(side) * factor).round() as u32).max(1);
    image::imageops::resize(image, size(width), size(height), FilterType::Triangle)
}

/// RGB pixels, row after row, as a JPEG in a data URI; `None` if they cannot be encoded.
pub fn jpeg_uri(pixels: &[u8], [width, height]: [u32; 2]) -> Option<String> {
    let mut bytes = Cursor::new(Vec::new());
    JpegEncoder::new_with_quality(&mut bytes, QUALITY)
        .encode(pixels, width, height, ExtendedColorType::Rgb8)
        .ok()?;
    Some(uri("image/jpeg", &bytes.into_inner()))
}

fn uri(kind: &str, bytes: &[u8]) -> String {
    format!("data:{kind};base64,{}", STANDARD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_fit_into_a_page_and_the_rest_is_counted() {
        let dir = tempfile::tempdir().unwrap();
        // Noise, which no encoder makes small.
        let mut state = 1_u32;
        let noise = RgbImage::from_fn(700, 450, |_, _| {
            image::Rgb([0; 3].map(|_: u8| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            }))
        });
        let mut files: Vec<PathBuf> = Vec::new();
        for at in 0..4 {
            let name = PathBuf::from(format!("{at}.png"));
            noise.save(dir.path().join(&name)).unwrap();
            files.push(name);
        }
        fs::write(dir.path().join("broken.png"), "no image").unwrap();
        files.push(PathBuf::from("broken.png"));
        files.push(PathBuf::from("missing.png"));
        let all = Thumbnails::read(dir.path(), files);
        let taken: usize = all.shown.iter().map(|image| image.uri.len()).sum();
        assert!(taken <= BUDGET && !all.shown.is_empty(), "{taken}");
        assert_eq!(all.shown.len() + all.left_out.len(), 6);
        assert!(all.left_out.contains(&PathBuf::from("broken.png")));
        assert!(all.shown.iter().all(|image| image.size[0] <= 1_000));
    }
}
