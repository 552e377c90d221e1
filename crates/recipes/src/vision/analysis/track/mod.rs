//! Landmarks over the frames of a video: a folder of frames or a GIF.

mod frames;
mod gif;
mod smooth;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use burn::tensor::Device;
use serde_json::{Value, json};
use tinderbox_datasets::atomic_file::write_atomic;
use tinderbox_datasets::image::{BoundingBox, Detection, Image, bounds_of};
use tinderbox_datasets::parallel_map;
use tinderbox_predict::PredictError;
use tinderbox_predict::vision::{CropFrame, Detector, Landmarker};
use tinderbox_train::TaskError;
use tinderbox_train::section::{Analysis, Section};
use tinderbox_train::task::Noun;

use self::frames::Frames;
use self::gif::{GifWriter, fps_note};
use self::smooth::OneEuro;
use super::skipped::Skipped;
use crate::vision::landmarks::open_detector;
use crate::vision::pictures::color::GREEN;
use crate::vision::pictures::{Canvas, draw_landmarks};

const FRAME: Noun = Noun("frame", "frames");

/// Frames that are in memory at a time, in each of two steps.
const BATCH: usize = 8;

/// Frames after which a detector looks at the whole frame again, because a video may be cut.
const DETECT_EVERY: usize = 10;

/// Least overlap of the boxes of a face in two frames that follow each other.
const LEAST_OVERLAP: f32 = 0.3;

/// Overlap below which a face has moved so far that it is searched again, in the box around its points, and then
/// by the detector.
const STILL_OVERLAP: f32 = 0.8;

/// How `track` works.
#[derive(Clone, Debug)]
pub struct TrackOptions {
    /// The run of object detection that finds the face; without one it is searched in the whole frame.
    pub detector: Option<PathBuf>,
    /// The GIF to write; the points are written next to it as JSON lines. None to write nothing.
    pub out: Option<PathBuf>,
    /// Frames per second, for the filter and the GIF.
    pub fps: f64,
    /// Whether the points are smoothed.
    pub smooth: bool,
    /// Whether frames that cannot be read are passed over, with a note for each.
    pub skip_errors: bool,
}

/// The points of a face, in pixels.
type Points = Vec<[f32; 2]>;

/// A face in a frame.
struct Tracked {
    /// As the network finds them.
    found: Points,
    /// Smoothed, if that is wanted.
    points: Points,
    /// Whether the face was searched anew, without the frame before.
    is_new: bool,
}

/// Finds the points of one face in every frame.
///
/// # Errors
///
/// If frames cannot be read, a file cannot be written, or the device fails.
pub fn track(
    model: &Landmarker,
    input: &Path,
    options: &TrackOptions,
) -> Result<Analysis, TaskError> {
    if !(options.fps > 0.0 && options.fps <= 1_000.0) {
        let fps = options.fps;
        return Err(TaskError::user(format!(
            "`--fps` must be above 0 and at most 1,000 (got {fps})"
        )));
    }
    let detector = options.detector.as_deref();
    let detector = detector
        .map(|run| open_detector(run, &Device::flex()))
        .transpose()?;
    let started = Instant::now();
    let (frames, mut notes) = Frames::open(model, input)?;
    let mut tracker = Tracker {
        model,
        detector,
        filter: OneEuro::new(options.fps),
        last: None,
        size: [0; 2],
        since: 0,
        is_doubted: false,
    };
    let writer = options
        .out
        .as_deref()
        .map(|path| GifWriter::new(path, options.fps));
    let mut writer = writer.transpose()?;
    notes.extend(options.out.as_ref().and_then(|_| fps_note(options.fps)));
    let (mut lines, mut jitter) = (Vec::new(), Jitter::default());
    let mut skipped = Skipped::new(options.skip_errors, FRAME, frames.len());
    let (mut start, mut next) = (0, 0);
    let mut read = frames.read(0..BATCH.min(frames.len()));
    while !read.is_empty() {
        let end = start + read.len();
        let batch = readable(read, start, &frames, &mut skipped)?;
        let (tracked, following) = rayon::join(
            || {
                batch
                    .iter()
                    .map(|(_, frame)| tracker.next(frame, options.smooth))
                    .collect::<Result<Vec<_>, _>>()
            },
            || frames.read(end..(end + BATCH).min(frames.len())),
        );
        let tracked = tracked?;
        for ((at, frame), tracked) in batch.iter().zip(&tracked) {
            if *at != next {
                // Frames before and after a broken one do not follow each other.
                jitter.add(None);
            }
            next = at + 1;
            lines.push(line(&frames.name(*at), *at, frame, tracked.as_ref()));
            jitter.add(tracked.as_ref());
        }
        if let Some(writer) = &mut writer {
            let pairs = batch.iter().zip(&tracked);
            writer.add(parallel_map(pairs, |((_, frame), tracked)| {
                draw(frame, tracked.as_ref())
            }))?;
        }
        (start, read) = (end, following);
    }
    notes.extend(skipped.finish("track")?);
    if let (Some(writer), Some(path)) = (writer, &options.out) {
        writer.finish()?;
        write_lines(&path.with_extension("jsonl"), &lines)?;
    }
    let seconds = started.elapsed().as_secs_f64();
    let lost = lines.iter().filter(|line| line["points"].is_null()).count();
    if lost > 0 {
        notes.push(format!(
            "no face was found in {lost} of {} frames",
            lines.len()
        ));
    }
    Ok(Analysis {
        sections: vec![Section::text(summary(
            lines.len(),
            seconds,
            &jitter,
            options,
        ))],
        lines,
        notes,
    })
}

/// The frames that can be read, with their places from 0; `start` is that of the first.
fn readable(
    read: Vec<Result<Image, TaskError>>,
    start: usize,
    frames: &Frames<'_>,
    skipped: &mut Skipped,
) -> Result<Vec<(usize, Image)>, TaskError> {
    let mut readable = Vec::with_capacity(read.len());
    for (at, frame) in (start..).zip(read) {
        match frame {
            Ok(frame) => readable.push((at, frame)),
            Err(error) => skipped.add(error, &frames.name(at), at + 1)?,
        }
    }
    Ok(readable)
}

/// Follows one face.
struct Tracker<'a> {
    model: &'a Landmarker,
    detector: Option<Detector>,
    filter: OneEuro,
    /// The points in the frame before.
    last: Option<Points>,
    size: [usize; 2],
    /// Frames since the last full-frame detection.
    since: usize,
    /// Whether the detector found no face there in the frame before.
    is_doubted: bool,
}

impl Tracker<'_> {
    /// The face in the next frame; none if there is none.
    fn next(&mut self, frame: &Image, smooth: bool) -> Result<Option<Tracked>, PredictError> {
        let size = [frame.height, frame.width];
        if std::mem::replace(&mut self.size, size) != size {
            self.last = None;
        }
        let followed = self.follow(frame)?;
        let is_new = followed.is_none();
        let found = match followed {
            Some(found) => Some(found),
            None => self.search(frame)?,
        };
        self.last.clone_from(&found);
        let Some(found) = found else {
            return Ok(None);
        };
        if is_new {
            self.filter.reset();
        }
        let points = if smooth {
            self.filter.next(&found)
        } else {
            found.clone()
        };
        Ok(Some(Tracked {
            found,
            points,
            is_new,
        }))
    }

    /// The face near where it was in the frame before.
    fn follow(&mut self, frame: &Image) -> Result<Option<Points>, PredictError> {
        let Some(last) = self.last.take() else {
            return Ok(None);
        };
        let margin = self.model.spec().input.margin;
        let search = |near: &Points| {
            let square = CropFrame::around_points(near, margin);
            self.model.find(&[(frame, square)])
        };
        let mut found = search(&last)?.concat();
        let moved = BoundingBox::around(&last).iou(&BoundingBox::around(&found));
        if moved < LEAST_OVERLAP {
            return Ok(None);
        }
        let is_fast = moved < STILL_OVERLAP;
        if is_fast {
            found = search(&found)?.concat();
        }
        self.since += 1;
        if !is_fast && self.since < DETECT_EVERY {
            return Ok(Some(found));
        }
        self.confirm(frame, found, is_fast)
    }

    /// Asks the detector, if there is one, whether the face that was followed is where it finds a face. Unless
    /// the face moved fast, it must contradict in two frames after another: it also misses faces, and finds some
    /// that are none.
    fn confirm(
        &mut self,
        frame: &Image,
        found: Points,
        is_fast: bool,
    ) -> Result<Option<Points>, PredictError> {
        let Some(detector) = &self.detector else {
            return Ok(Some(found));
        };
        let faces = detector.detect(std::slice::from_ref(frame))?.concat();
        let own = BoundingBox::around(&found);
        let is_own = |face: &Detection| own.iou(&face.bounds) >= LEAST_OVERLAP;
        if faces.iter().any(is_own) {
            (self.since, self.is_doubted) = (0, false);
            return Ok(Some(found));
        }
        // Once more in the next frame.
        self.since = DETECT_EVERY;
        let is_doubted = std::mem::replace(&mut self.is_doubted, true);
        Ok((!is_doubted && !is_fast).then_some(found))
    }

    /// The face anywhere in the frame.
    fn search(&mut self, frame: &Image) -> Result<Option<Points>, PredictError> {
        (self.since, self.is_doubted) = (0, false);
        let Some(detector) = &self.detector else {
            return Ok(Some(self.model.locate(frame, None)?));
        };
        let found = detector.detect(std::slice::from_ref(frame))?.concat();
        let Some(best) = found.first() else {
            return Ok(None);
        };
        let bounds = &best.bounds;
        let edges = [bounds.x_min, bounds.y_min, bounds.x_max, bounds.y_max];
        Ok(Some(self.model.locate(frame, Some(edges))?))
    }
}

fn draw(frame: &Image, tracked: Option<&Tracked>) -> Canvas {
    let faces = tracked.map(|tracked| (&tracked.points[..], GREEN));
    draw_landmarks(frame, &faces.into_iter().collect::<Vec<_>>())
}

fn line(name: &str, at: usize, frame: &Image, tracked: Option<&Tracked>) -> Value {
    json!({
        "frame": at + 1,
        "input": name,
        "height": frame.height,
        "width": frame.width,
        "new": tracked.map(|tracked| tracked.is_new),
        "box": tracked.map(|tracked| bounds_of(&tracked.points)),
        "points": tracked.map(|tracked| &tracked.points),
    })
}

fn write_lines(path: &Path, lines: &[Value]) -> Result<(), TaskError> {
    let written = write_atomic(path, |out| {
        lines.iter().try_for_each(|line| writeln!(out, "{line}"))
    });
    written.map_err(|error| TaskError::user(format!("cannot write `{}`: {error}", path.display())))
}

/// How much points tremble: the mean length of their second differences over three frames that follow each other, in
/// diagonals of the box of the face.
#[derive(Default)]
struct Jitter {
    last: Vec<(Points, Points)>,
    found: f64,
    points: f64,
    count: usize,
}

impl Jitter {
    fn add(&mut self, tracked: Option<&Tracked>) {
        let Some(tracked) = tracked else {
            self.last.clear();
            return;
        };
        if tracked.is_new {
            self.last.clear();
        }
        self.last
            .push((tracked.found.clone(), tracked.points.clone()));
        let [first, second, third] = &self.last[..] else {
            return;
        };
        self.found += second_difference([&first.0, &second.0, &third.0]);
        self.points += second_difference([&first.1, &second.1, &third.1]);
        self.count += 1;
        self.last.remove(0);
    }
}

fn second_difference([first, second, third]: [&Points; 3]) -> f64 {
    let [left, top, right, bottom] = bounds_of(second);
    let scale = (right - left).hypot(bottom - top).max(f32::MIN_POSITIVE);
    let lengths = (0..second.len()).map(|at| {
        let along = |axis: usize| first[at][axis] - 2.0 * second[at][axis] + third[at][axis];
        f64::from(along(0).hypot(along(1)) / scale)
    });
    lengths.sum::<f64>() / second.len().max(1) as f64
}

fn summary(frames: usize, seconds: f64, jitter: &Jitter, options: &TrackOptions) -> String {
    let mut text = format!(
        "{frames} frames in {seconds:.2} s: {:.1} frames/s",
        frames as f64 / seconds.max(1e-9)
    );
    if jitter.count > 0 {
        let percent = |sum: f64| 100.0 * sum / jitter.count as f64;
        let _ = write!(text, "\njitter {:.3}% of the face", percent(jitter.found));
        if options.smooth {
            let _ = write!(text, ", {:.3}% smoothed", percent(jitter.points));
        }
    }
    if let Some(path) = &options.out {
        let points = path.with_extension("jsonl");
        let _ = write!(text, "\nwrote {} and {}", path.display(), points.display());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_is_that_of_three_frames_in_a_row() {
        let tracked = |x: f32, is_new| {
            let points = vec![[x, 0.0], [x + 3.0, 4.0]];
            Some(Tracked {
                found: points.clone(),
                points,
                is_new,
            })
        };
        let mut jitter = Jitter::default();
        for (x, is_new) in [
            (0.0, true),
            (1.0, false),
            (2.0, false),
            (50.0, true),
            (51.0, false),
        ] {
            jitter.add(tracked(x, is_new).as_ref());
        }
        assert_eq!((jitter.count, jitter.found), (1, 0.0));
        jitter.add(tracked(57.0, false).as_ref());
        assert!(
            (jitter.found - 1.0).abs() < 1e-6,
            "5 pixels of a diagonal of 5"
        );
        let [first, second] = [0.0, 1.0].map(|x| BoundingBox::around(&[[x, 0.0], [x + 2.0, 2.0]]));
        assert!((first.iou(&second) - 1.0 / 3.0).abs() < 1e-6);
    }
}
