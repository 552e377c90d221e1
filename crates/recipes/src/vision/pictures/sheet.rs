//! Images in a grid, each with a caption.

use super::canvas::color::{BLACK, GRAY, LIGHT};
use super::{Align, Canvas, Color, LINE_HEIGHT, shorten, width};

/// An image of a sheet.
#[derive(Clone, Debug, PartialEq)]
pub struct Tile {
    /// The image, in any size.
    pub picture: Canvas,
    /// Lines below it, with their colors.
    pub caption: Vec<(String, Color)>,
}

/// Images in a grid.
#[derive(Clone, Debug, PartialEq)]
pub struct Sheet {
    /// What it shows.
    pub title: String,
    /// How to read it; empty for nothing.
    pub subtitle: String,
    /// Images in a row.
    pub columns: usize,
    /// Side of the square that each image is fitted into, in pixels.
    pub side: usize,
    /// The images, row by row.
    pub tiles: Vec<Tile>,
}

const GAP: usize = 10;

impl Sheet {
    /// Draws the images, row after row; a row is as high as its tallest image with its caption.
    pub fn draw(&self) -> Canvas {
        let columns = self.columns.max(1);
        let across = columns.min(self.tiles.len().max(1)) * (self.side + GAP) + GAP;
        let head = 10
            + LINE_HEIGHT
            + if self.subtitle.is_empty() {
                0
            } else {
                LINE_HEIGHT + 2
            }
            + GAP;
        let wide = across.max(width(&self.title).max(width(&self.subtitle)) + 2 * GAP);
        let fitted: Vec<Canvas> = self
            .tiles
            .iter()
            .map(|tile| tile.picture.fitted(self.side))
            .collect();
        let lines = self
            .tiles
            .iter()
            .map(|tile| tile.caption.len())
            .max()
            .unwrap_or(0);
        let heights: Vec<usize> = fitted
            .chunks(columns)
            .map(|row| row.iter().map(|picture| picture.height).max().unwrap_or(0))
            .map(|height| height + lines * LINE_HEIGHT + if lines > 0 { 4 } else { 0 } + GAP)
            .collect();
        let mut canvas = Canvas::new(wide, head + heights.iter().sum::<usize>() + GAP);
        canvas.bold(&self.title, [GAP.cast_signed(), 10], Align::Left, BLACK);
        let place = [GAP, 12 + LINE_HEIGHT].map(usize::cast_signed);
        canvas.text(&self.subtitle, place, Align::Left, GRAY);
        let mut top = head;
        let rows = self.tiles.chunks(columns).zip(fitted.chunks(columns));
        for ((tiles, pictures), height) in rows.zip(heights) {
            let room = height - GAP - lines * LINE_HEIGHT - if lines > 0 { 4 } else { 0 };
            for (column, (tile, picture)) in tiles.iter().zip(pictures).enumerate() {
                self.draw_tile(
                    &mut canvas,
                    [GAP + column * (self.side + GAP), top],
                    room,
                    tile,
                    picture,
                );
            }
            top += height;
        }
        canvas
    }

    /// Draws an image in the middle of its place, with its caption below.
    fn draw_tile(
        &self,
        canvas: &mut Canvas,
        [x, y]: [usize; 2],
        room: usize,
        tile: &Tile,
        picture: &Canvas,
    ) {
        let left = x + (self.side - picture.width) / 2;
        let top = y + (room - picture.height) / 2;
        canvas.paste(left, top, picture);
        // A frame shows where a white image ends.
        let corner = [left.cast_signed() - 1, top.cast_signed() - 1];
        canvas.frame(corner, [picture.width + 2, picture.height + 2], 1, LIGHT);
        let middle = (x + self.side / 2).cast_signed();
        for (at, (text, color)) in tile.caption.iter().enumerate() {
            let line = (y + room + 4 + at * LINE_HEIGHT).cast_signed();
            canvas.text(
                &shorten(text, self.side),
                [middle, line],
                Align::Center,
                *color,
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vision::pictures::color::BLUE;

    #[test]
    fn images_of_any_shape_stand_in_rows() {
        let tile = |width, height| {
            let mut picture = Canvas::new(width, height);
            picture.fill(0, 0, width, height, BLUE);
            let caption = vec![("a name that is far too long".to_owned(), BLUE)];
            Tile { picture, caption }
        };
        let sheet = Sheet {
            title: "t".to_owned(),
            subtitle: String::new(),
            columns: 2,
            side: 40,
            tiles: vec![tile(4, 4), tile(400, 100), tile(1, 9)],
        };
        let canvas = sheet.draw();
        assert_eq!(canvas.width, 2 * 50 + 10);
        let blue = canvas
            .pixels
            .chunks_exact(3)
            .filter(|pixel| *pixel == BLUE)
            .count();
        assert!(blue >= 40 * 40 + 40 * 10 + 4 * 36, "{blue}");
        let empty = Sheet {
            tiles: Vec::new(),
            ..sheet
        };
        assert!(empty.draw().height > 0);
    }
}
