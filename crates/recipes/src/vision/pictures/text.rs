//! Text as pixels.

use noto_sans_mono_bitmap::{FontWeight, RasterHeight, RasterizedChar, get_raster};

use super::{Canvas, Color};

/// The only size of text.
const SIZE: RasterHeight = RasterHeight::Size20;

/// Height of a line, in pixels.
pub const LINE_HEIGHT: usize = SIZE.val();

/// Where a text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// It begins at the point.
    Left,
    /// Its middle is at the point.
    Center,
    /// It ends at the point.
    Right,
}

/// Width of a text, in pixels.
pub fn width(text: &str) -> usize {
    text.chars().count() * glyph(' ', false).map_or(0, |glyph| glyph.width())
}

/// Whether every letter can be drawn: those of Western and Central European languages can.
pub fn drawable(text: &str) -> bool {
    let known = |letter: char| glyph(letter, false).is_some() && !letter.is_control();
    text.chars().all(known)
}

/// Names as they are drawn: those with letters that cannot be drawn by their number, as in `#3`, with a
/// note that says so.
pub fn drawable_names(names: &[String]) -> (Vec<String>, Option<String>) {
    let missing = names.iter().filter(|name| !drawable(name)).count();
    let drawn = names.iter().enumerate().map(|(at, name)| {
        if drawable(name) {
            name.clone()
        } else {
            format!("#{at}")
        }
    });
    let note = (missing > 0).then(|| {
        format!(
            "images: {missing} of {} class names have letters that cannot be drawn; each is drawn as its \
             number, `#0` for the first class",
            names.len()
        )
    });
    (drawn.collect(), note)
}

/// Cuts a text in its middle to a width in pixels: the beginning and the end of names differ most.
pub fn shorten(text: &str, pixels: usize) -> String {
    let letters: Vec<char> = text.chars().collect();
    let room = pixels / width(" ").max(1);
    if letters.len() <= room {
        return text.to_owned();
    }
    if room < 4 {
        return letters[..room].iter().collect();
    }
    let (head, tail) = ((room - 2).div_ceil(2), (room - 2) / 2);
    let head: String = letters[..head].iter().collect();
    let tail: String = letters[letters.len() - tail..].iter().collect();
    format!("{head}..{tail}")
}

fn glyph(letter: char, bold: bool) -> Option<RasterizedChar> {
    let weight = if bold {
        FontWeight::Bold
    } else {
        FontWeight::Regular
    };
    get_raster(letter, weight, SIZE)
}

impl Canvas {
    /// Writes a line of text at a point of its upper edge.
    pub fn text(&mut self, text: &str, [x, y]: [isize; 2], align: Align, color: Color) {
        self.write(text, aligned([x, y], text, align), false, false, color);
    }

    /// Writes a line of bold text at a point of its upper edge.
    pub fn bold(&mut self, text: &str, [x, y]: [isize; 2], align: Align, color: Color) {
        self.write(text, aligned([x, y], text, align), true, false, color);
    }

    /// Writes a line of text upward; it begins at `y`, with its upper edge at `x`.
    pub fn text_upward(&mut self, text: &str, [x, y]: [isize; 2], color: Color) {
        self.write(text, [x, y], false, true, color);
    }

    fn write(&mut self, text: &str, [x, y]: [isize; 2], bold: bool, upward: bool, color: Color) {
        let step = width(" ").cast_signed();
        for (at, letter) in text.chars().enumerate() {
            let unknown = || glyph('?', bold);
            let Some(glyph) = glyph(letter, bold).or_else(unknown) else {
                continue;
            };
            let along = at.cast_signed() * step;
            for (row, covers) in glyph.rows().enumerate() {
                for (column, &cover) in covers.iter().enumerate() {
                    let (row, column) = (row.cast_signed(), along + column.cast_signed());
                    let [x, y] = if upward {
                        [x + row, y - 1 - column]
                    } else {
                        [x + column, y + row]
                    };
                    self.blend(x, y, color, f32::from(cover) / 255.0);
                }
            }
        }
    }
}

fn aligned([x, y]: [isize; 2], text: &str, align: Align) -> [isize; 2] {
    let width = width(text).cast_signed();
    match align {
        Align::Left => [x, y],
        Align::Center => [x - width / 2, y],
        Align::Right => [x - width, y],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vision::pictures::color::{BLACK, WHITE};

    #[test]
    fn every_line_height_holds_a_letter_and_long_text_loses_its_middle() {
        assert_eq!(width("abc"), 3 * width("a"));
        assert_eq!(
            shorten("mountain bike", width("mountain bike")),
            "mountain bike"
        );
        assert_eq!(shorten("mountain bike", width("12345678")), "mou..ike");
        assert_eq!(shorten("mountain", width("12")), "mo");
    }

    #[test]
    fn names_that_cannot_be_drawn_get_their_number() {
        let names = ["Übung", "猫", "a\u{1b}[1m"].map(str::to_owned);
        let (drawn, note) = drawable_names(&names);
        assert_eq!(drawn, ["Übung", "#1", "#2"]);
        assert!(note.unwrap().contains("2 of 3 class names"));
        assert_eq!(
            drawable_names(&names[..1]),
            (vec!["Übung".to_owned()], None)
        );
    }

    #[test]
    fn upward_text_is_the_same_text_turned() {
        let (across, up) = (width("Fg"), LINE_HEIGHT);
        let mut level = Canvas::new(across, up);
        level.text("Fg", [0, 0], Align::Left, BLACK);
        let mut turned = Canvas::new(up, across);
        turned.text_upward("Fg", [0, across.cast_signed()], BLACK);
        for y in 0..up {
            for x in 0..across {
                assert_eq!(level.pixel(x, y), turned.pixel(y, across - 1 - x));
            }
        }
        assert!(level.pixels.iter().any(|&value| value < 128));
        let mut right = Canvas::new(across, up);
        right.text("Fg", [across.cast_signed(), 0], Align::Right, BLACK);
        assert_eq!(right, level);
        assert_eq!(Canvas::new(1, 1).pixel(0, 0), WHITE);
    }
}
