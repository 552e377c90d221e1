//! The frames of a folder, an archive or a GIF.

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
    /// Image files, sorted by name.
    Files {
        model: &'a Landmarker,
        files: Vec<Source>,
    },
    /// The decoded frames of a GIF.
    Gif { name: String, frames: Vec<Image> },
}

impl<'a> Frames<'a> {
    /// Opens a folder or archive of image files, or a GIF; with notes about files that are no images.
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
        let notes = (!skipped.is_empty()).then(|| skipped.to_string());
        Ok((Self::Files { model, files }, notes.into_iter().collect()))
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
