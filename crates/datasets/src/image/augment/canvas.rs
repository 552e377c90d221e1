//! A square canvas on which images with boxes are placed.

use super::geometry::Geometry;
use super::warp::Warp;
use crate::image::resize::{Filter, Window, resize};
use crate::image::{BoundingBox, Image};

/// Gray of a canvas where no image is, as in YOLOX.
pub(super) const GRAY: u8 = 114;

/// Smallest share of the area of a box that must be left, in `[0, 1]`.
const MIN_VISIBLE: f32 = 0.25;

/// Smallest side of a box, in pixels.
const MIN_SIDE: f32 = 2.0;

/// Where an image lies on a canvas.
pub(super) struct Tile {
    /// The position of the image in the batch.
    pub(super) sample: usize,
    /// Left and top edge, width and height of the whole image, in pixels of the canvas.
    bounds: [f64; 4],
    /// Left, top, right and bottom edge of the part of the canvas in which it is seen.
    window: [f64; 4],
}

/// Where an image was drawn, in whole pixels.
pub(super) struct Placed {
    /// Pixels of the canvas per pixel of the image, along its columns and rows.
    scale: [f32; 2],
    /// Left and top edge of the whole image.
    start: [f32; 2],
    /// Left, top, right and bottom edge of what is seen.
    visible: [f32; 4],
}

/// Boxes on a canvas: each in full, and the part that is seen.
#[derive(Default)]
pub(super) struct Boxes(Vec<[BoundingBox; 2]>);

/// A square canvas.
pub(super) struct Canvas {
    pub(super) image: Image,
}

impl Tile {
    /// The image of the height and width `size`, scaled so that its longer side is that of the canvas.
    pub(super) fn centered(sample: usize, size: [usize; 2], side: usize) -> Self {
        let side = side as f64;
        let window = [0.0, 0.0, side, side];
        Self::in_window(sample, size, side, window, [0.5; 2])
    }

    /// The image of the height and width `size`, scaled so that its longer side has `longer` pixels. Along each
    /// axis `place`, in `[0, 1]`, says which part of it is seen in the window, or where it lies in it.
    pub(super) fn in_window(
        sample: usize,
        [height, width]: [usize; 2],
        longer: f64,
        window: [f64; 4],
        place: [f64; 2],
    ) -> Self {
        let scale = longer / height.max(width).max(1) as f64;
        let size = [width as f64 * scale, height as f64 * scale];
        let start = [0, 1].map(|axis| {
            let room = window[axis + 2] - window[axis] - size[axis];
            window[axis] + room * place[axis]
        });
        Self {
            sample,
            bounds: [start[0], start[1], size[0], size[1]],
            window,
        }
    }

    /// Scales and shifts it with the whole canvas. Where it is seen up to the border, it still is.
    pub(super) fn zoom(&mut self, warp: &Warp, side: f64) {
        let middle = side / 2.0;
        let moved = |at: f64, shift: f64| warp.scale * (at - middle) + middle + shift;
        let edge = |at: f64, shift: f64| {
            let is_inner = at > 0.0 && at < side;
            if is_inner { moved(at, shift) } else { at }
        };
        let [left, top, width, height] = self.bounds;
        self.bounds = [
            moved(left, warp.right),
            moved(top, warp.down),
            warp.scale * width,
            warp.scale * height,
        ];
        let [left, top, right, bottom] = self.window;
        self.window = [
            edge(left, warp.right),
            edge(top, warp.down),
            edge(right, warp.right),
            edge(bottom, warp.down),
        ];
    }
}

impl Canvas {
    pub(super) fn new(side: usize, channels: usize) -> Self {
        assert!(side > 0, "the canvas has no pixel");
        let pixels = vec![GRAY; side * side * channels];
        let image = Image {
            height: side,
            width: side,
            channels,
            pixels,
        };
        Self { image }
    }

    /// Draws an image, antialiased bilinear; returns where, if anything of it is seen.
    pub(super) fn draw(&mut self, image: &Image, tile: &Tile) -> Option<Placed> {
        assert_eq!(image.channels, self.image.channels, "channels differ");
        let side = self.image.width.cast_signed() as i64;
        let whole = |value: f64| value.round() as i64;
        let start = [whole(tile.bounds[0]), whole(tile.bounds[1])];
        let size = [whole(tile.bounds[2]).max(1), whole(tile.bounds[3]).max(1)];
        let [columns, rows] = [0, 1].map(|axis| {
            let first = whole(tile.window[axis]).max(start[axis]).max(0);
            let last = whole(tile.window[axis + 2]).min(start[axis] + size[axis]);
            first..last.min(side)
        });
        if columns.is_empty() || rows.is_empty() || image.height * image.width == 0 {
            return None;
        }
        let part = |range: &std::ops::Range<i64>, start: i64| {
            (range.start - start) as u64..(range.end - start) as u64
        };
        let window = Window {
            columns: part(&columns, start[0]),
            rows: part(&rows, start[1]),
        };
        let (from, to) = ([image.width, image.height], size.map(|side| side as u64));
        let pixels = match image.channels {
            1 => resize::<1>(&image.pixels, from, to, &window, Filter::Bilinear),
            channels => {
                assert_eq!(channels, 3, "the image has {channels} channels");
                resize::<3>(&image.pixels, from, to, &window, Filter::Bilinear)
            }
        };
        let channels = self.image.channels;
        let len = (columns.end - columns.start) as usize * channels;
        let lines = self.image.pixels.chunks_exact_mut(side as usize * channels);
        let lines = lines.skip(rows.start as usize);
        for (line, part) in lines.zip(pixels.chunks_exact(len)) {
            line[columns.start as usize * channels..][..len].copy_from_slice(part);
        }
        let [left, right] = [columns.start, columns.end].map(|edge| edge as f32);
        let [top, bottom] = [rows.start, rows.end].map(|edge| edge as f32);
        Some(Placed {
            scale: [0, 1].map(|axis| to[axis] as f32 / from[axis] as f32),
            start: start.map(|edge| edge as f32),
            visible: [left, top, right, bottom],
        })
    }
}

impl Boxes {
    /// Adds the boxes of an image that was drawn.
    pub(super) fn add(&mut self, boxes: &[BoundingBox], placed: &Placed) {
        let [scale_x, scale_y] = placed.scale;
        let [start_x, start_y] = placed.start;
        let [left, top, right, bottom] = placed.visible;
        for bounds in boxes {
            let full = BoundingBox {
                x_min: bounds.x_min * scale_x + start_x,
                y_min: bounds.y_min * scale_y + start_y,
                x_max: bounds.x_max * scale_x + start_x,
                y_max: bounds.y_max * scale_y + start_y,
                class: bounds.class,
            };
            let seen = BoundingBox {
                x_min: full.x_min.clamp(left, right),
                y_min: full.y_min.clamp(top, bottom),
                x_max: full.x_max.clamp(left, right),
                y_max: full.y_max.clamp(top, bottom),
                class: bounds.class,
            };
            self.0.push([full, seen]);
        }
    }

    /// The boxes around what is seen after a change of position, without those of which too little is left.
    pub(super) fn transformed(&self, geometry: &Geometry, side: usize) -> Vec<BoundingBox> {
        let kept = self.0.iter().filter_map(|[full, seen]| {
            let moved = geometry.apply_box(seen);
            let clipped = moved.clip(side, side);
            // Shares of areas, as a box around a turned one is larger.
            let share = |part: &BoundingBox, all: &BoundingBox| part.area() / all.area();
            let visible = share(seen, full) * share(&clipped, &moved);
            let sides = [clipped.x_max - clipped.x_min, clipped.y_max - clipped.y_min];
            let is_large = sides.iter().all(|side| *side >= MIN_SIDE);
            (is_large && visible >= MIN_VISIBLE).then_some(clipped)
        });
        kept.collect()
    }
}
