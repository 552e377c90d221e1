//! Signed values with names as bars.

use std::fmt::Write as _;

use tinderbox_datasets::escape::escape_markup;
use tinderbox_datasets::format::shorten;
use tinderbox_train::section::Bar;

/// Height of a bar with its gap, and the widths of names, bars and notes.
const ROW: usize = 24;
const NAMES: usize = 232;
const BARS: usize = 190;
const NOTES: usize = 124;

/// Characters of the longest name, of up to 8.6 units each in a wide typeface with some capitals.
const NAME_LENGTH: usize = 26;

/// Colors of a separate file, which has no style sheet.
const STYLE: &str = "<style>text{fill:#1b1f24;font:13px sans-serif}.note{fill:#555}.s0{fill:#2563eb}\
                     .s1{fill:#c2410c}</style>";

/// Bars; those below zero go to the left of the others' beginning.
pub fn bars(title: &str, bars: &[Bar]) -> String {
    let label = format!("role=\"img\" aria-label=\"{}\"", escape_markup(title));
    let (width, height) = (NAMES + BARS + NOTES, ROW * bars.len() + 4);
    let mut svg = format!("<svg class=\"wide\" viewBox=\"0 0 {width} {height}\" {label}>\n");
    draw(&mut svg, bars, 2);
    svg.push_str("</svg>\n");
    svg
}

/// The same as a separate file, with a title.
pub fn bars_file(title: &str, bars: &[Bar]) -> String {
    let top = 48;
    let (width, height) = (NAMES + BARS + NOTES, top + ROW * bars.len() + 16);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\">\n{STYLE}\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"16\" y=\"28\" font-size=\"16\" font-weight=\"bold\">{}</text>\n",
        escape_markup(title)
    );
    draw(&mut svg, bars, top);
    svg.push_str("</svg>\n");
    svg
}

fn draw(svg: &mut String, bars: &[Bar], top: usize) {
    let values = || {
        bars.iter()
            .map(|bar| bar.value)
            .filter(|value| value.is_finite())
    };
    let lowest = values().fold(0.0, f64::min);
    let highest = values().fold(f64::MIN_POSITIVE, f64::max);
    let scale = BARS as f64 / (highest - lowest);
    let zero = NAMES as f64 - lowest * scale;
    for (index, bar) in bars.iter().enumerate() {
        let y = top + ROW * index;
        let value = if bar.value.is_finite() {
            bar.value
        } else {
            0.0
        };
        let size = value.abs() * scale;
        let x = if value < 0.0 { zero - size } else { zero };
        let class = if value < 0.0 { "s1" } else { "s0" };
        let name = escape_markup(&shorten(&bar.name, NAME_LENGTH));
        let note = escape_markup(&bar.note);
        let (middle, beside) = (y + 14, zero.max(x + size) + 8.0);
        // Writing into a string cannot fail.
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{middle}\" text-anchor=\"end\">{name}</text>\
             <rect class=\"{class}\" x=\"{x:.1}\" y=\"{y}\" width=\"{size:.1}\" height=\"{}\"/>\
             <text class=\"note\" x=\"{beside:.1}\" y=\"{middle}\">{note}</text>",
            NAMES - 8,
            ROW - 6
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> Vec<Bar> {
        let bar = |name: &str, value: f64| Bar {
            name: name.to_owned(),
            value,
            note: format!("{value:.2}"),
        };
        vec![bar("size <m>", 2.0), bar("age", -1.0)]
    }

    #[test]
    fn a_control_character_leaves_the_picture_valid() {
        let mut bars = two();
        bars[0].name = "\x1b[2J\0\u{ffff}".to_owned();
        let text = bars_file("bell\x07", &bars);
        let forbidden =
            |letter: char| letter.is_control() && letter != '\n' || letter == '\u{ffff}';
        assert!(!text.contains(forbidden), "{text}");
    }

    #[test]
    fn a_long_name_fits_its_column() {
        let mut all = two();
        all[0].name = "W".repeat(60);
        let text = bars("title", &all);
        assert!(text.contains("W…"), "{text}");
        let letters = text.matches(['W', '…']).count();
        assert!(letters as f64 * 8.6 <= (NAMES - 8) as f64, "{text}");
    }

    #[test]
    fn names_cannot_break_the_picture() {
        let text = bars_file("a & b", &two());
        assert!(text.contains("a &amp; b") && text.contains("size &lt;m&gt;"));
        assert_eq!(text.matches("<rect").count(), 3);
        assert_eq!(bars("<b>", &two()).matches("<rect").count(), 2);
        assert!(!bars("<b>", &two()).contains("<b>"));
    }
}
