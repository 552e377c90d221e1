//! A photo with what was found in it, as a JPEG inside of a page.

use tinderbox_datasets::image::Image;
use tinderbox_report::images::jpeg_uri;

use super::Progress;
use super::change::{Cell, ChangeMap};
use super::series::Found;
use crate::vision::pictures::color::{self, GREEN, WHITE, YELLOW};
use crate::vision::pictures::{Align, Canvas, LINE_HEIGHT, LabeledBox, draw_boxes, width};

/// Longest side of a photo on the page, in pixels.
const LONGEST: usize = 800;

impl Progress<'_> {
    /// A photo with boxes or classes, the cells that changed and the upper edges of the parts that rise.
    pub(super) fn draw(&self, at: usize) -> Canvas {
        let photo = &self.photos[at];
        let mut canvas = Canvas::of(&photo.image);
        if let Found::Areas(classes, _) = &photo.found {
            for (pixel, &class) in classes.iter().enumerate().filter(|(_, class)| **class > 0) {
                let (x, y) = (pixel % canvas.width, pixel / canvas.width);
                let color = color::of_class(usize::from(class) - 1);
                canvas.blend(x.cast_signed(), y.cast_signed(), color, 0.45);
            }
        }
        if let Some(change) = &self.views.changes[at] {
            mark(&mut canvas, &change.map);
        }
        self.draw_edges(&mut canvas, at);
        if let Found::Objects(objects) = &photo.found {
            let boxes = objects.iter();
            let boxes: Vec<LabeledBox> = boxes
                .map(|one| LabeledBox::detected(one, &self.labels))
                .collect();
            canvas = draw_boxes(&image_of(&canvas), &boxes);
        }
        if canvas.width.max(canvas.height) > LONGEST {
            canvas = canvas.fitted(LONGEST);
        }
        canvas
    }

    fn draw_edges(&self, canvas: &mut Canvas, at: usize) {
        let motion = self.views.placed[at].to_reference();
        let Some(back) = motion.and_then(|motion| motion.inverse()) else {
            return;
        };
        for (number, height) in (1..).zip(&self.views.heights) {
            let Some(edge) = height.levels[at] else {
                continue;
            };
            let end = |column: usize| back.apply([column as f64, edge.y]);
            let [left, right] = [height.part.start, height.part.end].map(end);
            canvas.line(left, right, 4.0, GREEN);
            if self.views.heights.len() > 1 {
                label(canvas, left, number);
            }
        }
    }
}

/// Writes the number of a part below the left end of its edge.
fn label(canvas: &mut Canvas, [x, y]: [f64; 2], number: usize) {
    let text = number.to_string();
    let (x, y) = (x.max(0.0) as isize, y.max(0.0) as isize);
    canvas.fill(x, y, width(&text) + 8, LINE_HEIGHT + 2, GREEN);
    canvas.bold(&text, [x + 4, y + 1], Align::Left, WHITE);
}

/// Tints the cells that changed and draws a line around them.
fn mark(canvas: &mut Canvas, map: &ChangeMap) {
    let side = map.side;
    let is_changed = |column: isize, row: isize| {
        let (Ok(column), Ok(row)) = (usize::try_from(column), usize::try_from(row)) else {
            return false;
        };
        let cell = map.cells.get(row * map.columns + column);
        column < map.columns && cell == Some(&Cell::Changed)
    };
    for at in (0..map.cells.len()).filter(|&at| map.cells[at] == Cell::Changed) {
        let (column, row) = (
            (at % map.columns).cast_signed(),
            (at / map.columns).cast_signed(),
        );
        let [left, top] = [column, row].map(|place| place * side.cast_signed());
        for y in 0..side.cast_signed() {
            for x in 0..side.cast_signed() {
                canvas.blend(left + x, top + y, YELLOW, 0.2);
            }
        }
        let (last, long) = (side.cast_signed() - 2, side);
        for (open, x, y, width, height) in [
            (is_changed(column, row - 1), 0, 0, long, 2),
            (is_changed(column, row + 1), 0, last, long, 2),
            (is_changed(column - 1, row), 0, 0, 2, long),
            (is_changed(column + 1, row), last, 0, 2, long),
        ] {
            if !open {
                canvas.fill(left + x, top + y, width, height, YELLOW);
            }
        }
    }
}

fn image_of(canvas: &Canvas) -> Image {
    Image {
        height: canvas.height,
        width: canvas.width,
        channels: 3,
        pixels: canvas.pixels.clone(),
    }
}

/// A picture as a data URI.
pub(super) fn data_uri(canvas: &Canvas) -> String {
    let size = [canvas.width as u32, canvas.height as u32];
    // A canvas of at most 800 pixels has no reason to fail; the page then shows the text of the picture.
    jpeg_uri(&canvas.pixels, size).unwrap_or_else(|| "data:,".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_cell_is_outlined() {
        let map = ChangeMap {
            columns: 2,
            side: 8,
            cells: vec![Cell::Same, Cell::Changed],
        };
        let mut canvas = Canvas::new(16, 8);
        mark(&mut canvas, &map);
        assert_eq!(canvas.pixel(8, 0), YELLOW);
        assert_eq!(canvas.pixel(4, 4), [255; 3]);
        assert!(canvas.pixel(12, 4)[2] < 255);
        assert!(data_uri(&canvas).starts_with("data:image/jpeg;base64,/9j/"));
    }
}
