//! Boxes on a photo.

use tinderbox_datasets::image::{BoundingBox, Detection, Image};

use super::canvas::color::{self, BLACK, WHITE};
use super::{Align, Canvas, Color, LINE_HEIGHT, width};

/// A box with its caption.
#[derive(Clone, Debug, PartialEq)]
pub struct LabeledBox {
    /// The box, in pixels of the photo.
    pub bounds: BoundingBox,
    /// What is written at it; nothing if it is empty.
    pub caption: String,
    /// Color of its lines, and of the ground of its caption.
    pub color: Color,
}

impl LabeledBox {
    /// A box with the name and the color of its class.
    pub fn labeled(bounds: BoundingBox, names: &[String]) -> Self {
        let class = usize::from(bounds.class);
        Self {
            bounds,
            caption: names.get(class).cloned().unwrap_or_default(),
            color: color::of_class(class),
        }
    }

    /// A detection with the name and the color of its class, and its score.
    pub fn detected(one: &Detection, names: &[String]) -> Self {
        let labeled = Self::labeled(one.bounds, names);
        let caption = format!("{} {:.2}", labeled.caption, one.score);
        Self {
            caption: caption.trim_start().to_owned(),
            ..labeled
        }
    }
}

/// Longest side, in pixels, up to which a small photo is enlarged: a caption would cover it.
const ENLARGED: usize = 640;

/// Largest factor by which it is.
const MAX_ENLARGED: usize = 8;

/// Longest side, in pixels, of a photo at which captions have their natural size.
const NATURAL: usize = 1200;

/// Pixels around the letters of a caption.
const MARGIN: usize = 3;

/// Draws boxes on a photo, the first one on top.
///
/// Lines and captions grow with the photo, and one of up to 320 pixels is enlarged by a whole factor. A caption
/// stands above its box or, where there is no room, inside of it, and is left out where it fits into neither
/// place without covering another one. What lies outside of the photo is cut off.
///
/// Letters that cannot be drawn are question marks; see [`drawable_names`](super::drawable_names).
pub fn draw_boxes(image: &Image, boxes: &[LabeledBox]) -> Canvas {
    let photo = Canvas::of(image);
    let longest = photo.width.max(photo.height).max(1);
    let factor = (ENLARGED / longest).clamp(1, MAX_ENLARGED);
    let mut canvas = if factor > 1 {
        photo.enlarged(factor)
    } else {
        photo
    };
    let longest = longest * factor;
    let thickness = match longest {
        0..=500 => 1,
        501..=1500 => 2,
        _ => 3,
    };
    let placed = boxes.iter().filter_map(|one| {
        let bounds = place(&one.bounds, factor, image)?;
        Some((one, bounds))
    });
    let placed: Vec<(&LabeledBox, Rect)> = placed.collect();
    for (one, Rect { corner, size }) in placed.iter().rev() {
        let corner = corner.map(usize::cast_signed);
        canvas.frame(corner, *size, thickness, one.color);
    }
    let scale = (longest as f64 / NATURAL as f64).round().max(1.0) as usize;
    let mut used: Vec<Rect> = Vec::new();
    for (one, bounds) in &placed {
        if one.caption.is_empty() {
            continue;
        }
        let caption = caption(one, scale);
        let room = [canvas.width, canvas.height];
        if let Some(rect) = fit([caption.width, caption.height], bounds, room, &used) {
            canvas.paste(rect.corner[0], rect.corner[1], &caption);
            used.push(rect);
        }
    }
    canvas
}

/// Whole pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Rect {
    corner: [usize; 2],
    size: [usize; 2],
}

impl Rect {
    fn overlaps(&self, other: &Self) -> bool {
        let along = |axis: usize| {
            self.corner[axis] < other.corner[axis] + other.size[axis]
                && other.corner[axis] < self.corner[axis] + self.size[axis]
        };
        along(0) && along(1)
    }
}

/// The part of a box inside of the photo, on the canvas; none if there is none.
fn place(bounds: &BoundingBox, factor: usize, image: &Image) -> Option<Rect> {
    let bounds = bounds.clip(image.height, image.width);
    if bounds.area() <= 0.0 {
        return None;
    }
    let whole = |edge: f32| (edge * factor as f32).round() as usize;
    let [left, top, right, bottom] =
        [bounds.x_min, bounds.y_min, bounds.x_max, bounds.y_max].map(whole);
    // A box between two pixels is one line.
    let size = [right - left, bottom - top].map(|length| length.max(1));
    Some(Rect {
        corner: [left, top],
        size,
    })
}

/// A caption with its ground, enlarged.
fn caption(one: &LabeledBox, scale: usize) -> Canvas {
    let size = [width(&one.caption) + 2 * MARGIN, LINE_HEIGHT + 2];
    let mut canvas = Canvas::new(size[0], size[1]);
    canvas.fill(0, 0, size[0], size[1], one.color);
    let ink = if is_dark(one.color) { WHITE } else { BLACK };
    canvas.text(&one.caption, [MARGIN.cast_signed(), 1], Align::Left, ink);
    if scale > 1 {
        canvas.resized(size[0] * scale, size[1] * scale)
    } else {
        canvas
    }
}

/// Whether white letters have more contrast than black ones, by the relative luminance of WCAG 2.
fn is_dark(color: Color) -> bool {
    let linear = color.map(|value| (f64::from(value) / 255.0).powf(2.2));
    0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] < 0.18
}

/// The place of a caption: above the box, or inside of a box that is high enough.
fn fit(size: [usize; 2], bounds: &Rect, room: [usize; 2], used: &[Rect]) -> Option<Rect> {
    let x = bounds.corner[0].min(room[0].checked_sub(size[0])?);
    let above = bounds.corner[1].checked_sub(size[1]);
    let inside = (bounds.size[1] >= 2 * size[1]).then_some(bounds.corner[1]);
    let places = [above, inside].into_iter().flatten();
    let mut places = places.map(|y| Rect {
        corner: [x, y],
        size,
    });
    places.find(|place| used.iter().all(|other| !place.overlaps(other)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vision::pictures::color::{BLUE, VERMILION};

    fn labeled([x_min, y_min, x_max, y_max]: [f32; 4], class: u16, caption: &str) -> LabeledBox {
        let bounds = BoundingBox {
            x_min,
            y_min,
            x_max,
            y_max,
            class,
        };
        LabeledBox::labeled(bounds, &[caption.to_owned(), caption.to_owned()])
    }

    fn gray(width: usize, height: usize) -> Image {
        Image {
            height,
            width,
            channels: 1,
            pixels: vec![128; width * height],
        }
    }

    fn count(canvas: &Canvas, color: Color) -> usize {
        let pixels = canvas.pixels.chunks_exact(3);
        pixels.filter(|pixel| *pixel == color).count()
    }

    #[test]
    fn lines_and_captions_grow_with_the_photo() {
        for (side, thickness, drawn) in [(100, 2, 600), (500, 1, 500), (1000, 2, 1000)] {
            let half = side as f32 / 2.0;
            let one = labeled([10.0, half, half, half + 10.0], 0, "");
            let canvas = draw_boxes(&gray(side, side), &[one]);
            assert_eq!(canvas.width, drawn);
            let (x, y) = (canvas.width / 4, canvas.height / 2);
            let column = (y - 1..y + 6).filter(|&y| canvas.pixel(x, y) == VERMILION);
            assert_eq!(column.count(), thickness, "{side}");
        }
        let height = |side: usize| {
            let one = labeled([100.0, 900.0, 110.0, 910.0], 0, "a");
            let canvas = draw_boxes(&gray(side, side), &[one]);
            let rows = (0..900).filter(|&y| canvas.pixel(100, y) == VERMILION);
            rows.count()
        };
        assert_eq!(
            (height(1000), height(3600)),
            (LINE_HEIGHT + 2, 3 * (LINE_HEIGHT + 2))
        );
    }

    #[test]
    fn a_caption_at_the_top_is_inside_and_one_without_room_is_left_out() {
        let photo = gray(600, 400);
        let filled = |boxes: &[LabeledBox]| {
            let lines: Vec<LabeledBox> = boxes
                .iter()
                .map(|one| LabeledBox {
                    caption: String::new(),
                    ..one.clone()
                })
                .collect();
            let [with, without] = [boxes, &lines].map(|boxes| draw_boxes(&photo, boxes));
            let changed = with
                .pixels
                .chunks_exact(3)
                .zip(without.pixels.chunks_exact(3));
            let changed: Vec<usize> = changed
                .enumerate()
                .filter(|(_, (a, b))| a != b)
                .map(|(at, _)| at / 600)
                .collect();
            changed.first().copied().zip(changed.last().copied())
        };
        let caption = LINE_HEIGHT + 2;
        let low = labeled([10.0, 100.0, 200.0, 200.0], 0, "cell");
        assert_eq!(
            filled(std::slice::from_ref(&low)),
            Some((100 - caption, 99))
        );
        let top = labeled([10.0, 5.0, 200.0, 200.0], 0, "cell");
        assert_eq!(filled(&[top]).unwrap().1, 5 + caption - 1);
        let flat = labeled([10.0, 5.0, 200.0, 30.0], 0, "cell");
        assert_eq!(filled(&[flat]), None);
        let long = labeled([10.0, 100.0, 200.0, 200.0], 0, &"long ".repeat(30));
        assert_eq!(filled(&[long]), None);
        // The second one's place above is taken.
        let other = labeled([12.0, 102.0, 200.0, 130.0], 1, "other");
        let both = draw_boxes(&photo, &[low.clone(), other.clone()]);
        let lines = LabeledBox {
            caption: String::new(),
            ..other
        };
        assert_eq!(both, draw_boxes(&photo, &[low, lines]));
    }

    #[test]
    fn boxes_beyond_the_photo_are_cut_off_and_the_first_one_is_on_top() {
        let photo = gray(600, 400);
        let far = labeled([-1e9, -1e9, 1e9, 1e9], 0, "");
        let canvas = draw_boxes(&photo, &[far]);
        assert_eq!(canvas.pixel(0, 0), VERMILION);
        assert_eq!(canvas.pixel(599, 399), VERMILION);
        for bounds in [
            [700.0, 0.0, 800.0, 50.0],
            [f32::NAN; 4],
            [50.0, 50.0, 10.0, 10.0],
        ] {
            let canvas = draw_boxes(&photo, &[labeled(bounds, 0, "x")]);
            assert_eq!(canvas, Canvas::of(&photo), "{bounds:?}");
        }
        let bounds = [10.0, 10.0, 60.0, 60.0];
        let canvas = draw_boxes(&photo, &[labeled(bounds, 0, ""), labeled(bounds, 1, "")]);
        assert!(count(&canvas, BLUE) == 0 && count(&canvas, VERMILION) > 0);
    }

    #[test]
    fn letters_have_contrast() {
        assert!(is_dark(BLUE) && is_dark(BLACK));
        assert!(!is_dark(color::YELLOW) && !is_dark(color::SKY_BLUE) && !is_dark(WHITE));
        let detection = Detection {
            bounds: labeled([0.0; 4], 1, "").bounds,
            score: 0.934,
        };
        let names = ["a", "b"].map(str::to_owned);
        assert_eq!(LabeledBox::detected(&detection, &names).caption, "b 0.93");
        assert_eq!(LabeledBox::detected(&detection, &[]).caption, "0.93");
    }
}
