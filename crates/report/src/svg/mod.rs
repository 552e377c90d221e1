//! Charts as SVG, inside of a page whose style sheet has their colors, or as a separate file.

mod axes;
mod bars;
mod histogram;
mod lines;
mod parallel;
mod points;

use std::fmt::Write as _;

pub use axes::{Axes, FRAME, SIZE, Scale, Tick, round_step};
pub use bars::{bars, bars_file};
pub use histogram::histogram;
pub use lines::{Line, Mark, Style, lines};
pub use parallel::parallel;
pub use points::points;

use tinderbox_datasets::escape::escape_markup;

/// Colors of series that a style sheet has: the classes `s0` to `s5`.
pub const COLORS: usize = 6;

/// Opens a picture of the size of all charts; its title is read aloud in place of the picture.
fn open(title: &str) -> String {
    let [width, height] = SIZE;
    format!(
        "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{}\">\n",
        escape_markup(title)
    )
}

/// A text at a point.
fn text(svg: &mut String, [x, y]: [f64; 2], anchor: &str, text: &str) {
    // Writing into a string cannot fail.
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{}</text>",
        escape_markup(text)
    );
}
