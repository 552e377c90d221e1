//! The frames of a folder, an archive or a GIF.

use std::cmp::Ordering;
use std::fs::File;
use std::io::{BufReader, Read as _};
use std::ops::Range;
use std::path::Path;

use image::codecs::gif::GifDecoder;
use image::{AnimationDecoder as _, DynamicImage};
use tinderbox_datasets::image::{Image, MAX_PIXELS};
use tinderbox_datasets::parallel_map;
use tinderbox_predict::vision::Landmarker;
use tinderbox_train::TaskError;

use crate::vision::inputs::{Source, find};

/// Most bytes of the decoded frames of a GIF, 2 GiB.
const MAX_BYTES: usize = 2 << 30;

/// Frames in their order.
pub(super) enum Frames<'a> {
    /// Image files, sorted by the numbers in their names.
    Files {
        model: &'a Landmarker,
        files: Vec<Source>,
    },
    /// The decoded frames of a GIF.
    Gif { name: String, frames: Vec<Image> },
}

impl<'a> Frames<'a> {
    /// Opens a folder or archive of image files, or a GIF; with notes about files that are no images, and about an
    /// order that is not that of the names as texts.
    pub(super) fn open(
        model: &'a Landmarker,
        path: &Path,
    ) -> Result<(Self, Vec<String>), TaskError> {
        if path.is_file() && is_gif(path) {
            let frames = decode_gif(path, model.spec().input.channels)?;
            let name = path.display().to_string();
            return Ok((Self::Gif { name, frames }, Vec::new()));
        }
        let (files, skipped) = find(path)?;
        let (files, order) = ordered(files);
        let skipped = (!skipped.is_empty()).then(|| skipped.to_string());
        let notes = skipped.into_iter().chain(order).collect();
        Ok((Self::Files { model, files }, notes))
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Files { files, .. } => files.len(),
            Self::Gif { frames, .. } => frames.len(),
        }
    }

    /// The name of a frame for people.
    pub(super) fn name(&self, at: usize) -> String {
        match self {
            Self::Files { files, .. } => files[at].name(),
            Self::Gif { name, .. } => format!("{name}#{}", at + 1),
        }
    }

    /// Reads some frames, each of which may be broken.
    pub(super) fn read(&self, range: Range<usize>) -> Vec<Result<Image, TaskError>> {
        match self {
            Self::Gif { frames, .. } => frames[range].iter().cloned().map(Ok).collect(),
            Self::Files { model, files } => parallel_map(&files[range], |file| {
                let bytes = file.read()?;
                Ok(model.decode(&bytes, file.path())?)
            }),
        }
    }
}

/// Files by the numbers in their names; with a note if that is another order than that of the names as texts.
fn ordered(files: Vec<Source>) -> (Vec<Source>, Option<String>) {
    let named = files.into_iter().map(|file| (key(file.path()), file));
    let mut named: Vec<(String, Source)> = named.collect();
    named.sort_by(|(left, _), (right, _)| natural(left, right));
    let swapped = named.windows(2).find(|pair| pair[0].0 > pair[1].0);
    let note = swapped.map(|pair| {
        let [first, second] = [&pair[0].1, &pair[1].1].map(Source::name);
        format!(
            "frames are in the order of the numbers in their names: `{first}` before `{second}`"
        )
    });
    (named.into_iter().map(|(_, file)| file).collect(), note)
}

/// The path with a separator that comes before every letter, as folders are sorted.
fn key(path: &Path) -> String {
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("\0")
}

/// Compares texts letter by letter, and digits that stand at the same place as numbers.
fn natural(left: &str, right: &str) -> Ordering {
    let (mut a, mut b) = (left.as_bytes(), right.as_bytes());
    loop {
        let (digits_a, digits_b) = (digits(a), digits(b));
        if digits_a > 0 && digits_b > 0 {
            let order = number(&a[..digits_a]).cmp(&number(&b[..digits_b]));
            if order.is_ne() {
                return order;
            }
            (a, b) = (&a[digits_a..], &b[digits_b..]);
        } else if let (Some((x, after_x)), Some((y, after_y))) = (a.split_first(), b.split_first())
            && x == y
        {
            (a, b) = (after_x, after_y);
        } else {
            // `07` and `7` are the same number.
            return a.cmp(b).then_with(|| left.cmp(right));
        }
    }
}

/// Number of digits at the start of a text.
fn digits(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// What compares digits as a number of any size: how many they are without leading zeros, and these.
fn number(digits: &[u8]) -> (usize, &[u8]) {
    let zeros = digits.iter().take_while(|&&digit| digit == b'0').count();
    (digits.len() - zeros, &digits[zeros..])
}

fn is_gif(path: &Path) -> bool {
    let mut start = [0; 4];
    let file = File::open(path);
    file.and_then(|mut file| file.read_exact(&mut start))
        .is_ok()
        && start == *b"GIF8"
}

fn decode_gif(path: &Path, channels: usize) -> Result<Vec<Image>, TaskError> {
    let failed = |error: &dyn std::fmt::Display| {
        TaskError::user(format!(
            "cannot read the frames of `{}`: {error}",
            path.display()
        ))
    };
    let file = File::open(path).map_err(|error| failed(&error))?;
    let decoder = GifDecoder::new(BufReader::new(file)).map_err(|error| failed(&error))?;
    let (mut frames, mut bytes) = (Vec::new(), 0);
    for frame in decoder.into_frames() {
        let buffer = frame.map_err(|error| failed(&error))?.into_buffer();
        let (width, height) = buffer.dimensions();
        if u64::from(width) * u64::from(height) > MAX_PIXELS {
            return Err(failed(&"its frames are too large"));
        }
        let picture = DynamicImage::ImageRgba8(buffer);
        let pixels = match channels {
            1 => picture.into_luma8().into_raw(),
            _ => picture.into_rgb8().into_raw(),
        };
        bytes += pixels.len();
        if bytes > MAX_BYTES {
            return Err(failed(&"its frames need more than 2 GiB"));
        }
        frames.push(Image {
            height: height as usize,
            width: width as usize,
            channels,
            pixels,
        });
    }
    if frames.is_empty() {
        return Err(failed(&"it has none"));
    }
    Ok(frames)
}

#[cfg(test)]
mod tests {
    use tinderbox_datasets::image::ImageFile;

    use super::*;

    fn names(names: &[&str]) -> (Vec<String>, Option<String>) {
        let file = |name: &&str| Source::File(ImageFile::of_path(Path::new(name)));
        let (files, note) = ordered(names.iter().map(file).collect());
        (files.iter().map(Source::name).collect(), note)
    }

    #[test]
    fn frames_are_in_the_order_of_their_numbers_which_is_said_where_it_matters() {
        let (order, note) = names(&["a/f1.png", "a/f10.png", "a/f11.png", "a/f2.png", "a/f9.png"]);
        assert_eq!(
            order,
            ["a/f1.png", "a/f2.png", "a/f9.png", "a/f10.png", "a/f11.png"]
        );
        let note = note.unwrap();
        assert!(note.contains("`a/f9.png` before `a/f10.png`"), "{note}");
    }

    #[test]
    fn names_without_such_numbers_keep_their_order_and_need_no_note() {
        for sorted in [
            &["f007.png", "f07.png", "f7.png", "f8.png"][..],
            &["f01.png", "f02.png", "f10.png"],
            &["img.png", "img1.png", "img2.png"],
            &["a/b.png", "a-b/a.png", "b.png"],
            &[
                "99999999999999999999999.png",
                "99999999999999999999999a.png",
            ],
        ] {
            let (order, note) = names(sorted);
            assert_eq!(order, sorted);
            assert_eq!(note, None, "{sorted:?}");
        }
    }
}
