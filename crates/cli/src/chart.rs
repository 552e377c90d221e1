//! Bars, for a terminal and as SVG.

use std::fmt::Write as _;

use tinderbox_train::section::Bar;

use crate::escape::{escape_cell, escape_markup};
use crate::output::{pad, shorten, stdout_width, width};

/// Characters of the longest bar, where there is room.
const WIDTH: usize = 40;

/// Columns of a terminal for the longest name.
const NAME_WIDTH: usize = 34;

/// One line for each bar; those below zero are drawn with another character.
pub fn lines(bars: &[Bar]) -> String {
    let longest = bars
        .iter()
        .map(|bar| bar.value.abs())
        .fold(f64::MIN_POSITIVE, f64::max);
    let name = |bar: &Bar| shorten(&escape_cell(&bar.name), NAME_WIDTH);
    let names: Vec<String> = bars.iter().map(name).collect();
    let longest_name = names.iter().map(|name| width(name)).max().unwrap_or(0);
    let notes = bars.iter().map(|bar| width(&bar.note)).max().unwrap_or(0);
    let margin = longest_name + notes + 6;
    let room = stdout_width().map_or(WIDTH, |columns| columns.saturating_sub(margin));
    let most = room.clamp(5, WIDTH) as f64;
    let line = |(bar, name): (&Bar, &String)| {
        let length = (bar.value.abs() / longest * most).round() as usize;
        let mark = if bar.value < 0.0 { "░" } else { "█" };
        let name = pad(name, longest_name, false);
        format!("  {name}  {}  {}", mark.repeat(length), bar.note)
    };
    let lines = bars.iter().zip(&names).map(line);
    lines.collect::<Vec<_>>().join("\n")
}

/// Height of a bar with its gap, and the sizes of the parts margin it, in pixels.
const ROW: usize = 26;
const NAMES: usize = 240;
const BARS: usize = 420;
const NOTES: usize = 160;
const TOP: usize = 48;

/// The same as a picture; bars below zero go to the left of the others' beginning.
pub fn svg(title: &str, bars: &[Bar]) -> String {
    let lowest = bars.iter().map(|bar| bar.value).fold(0.0, f64::min);
    let highest = bars
        .iter()
        .map(|bar| bar.value)
        .fold(f64::MIN_POSITIVE, f64::max);
    let scale = BARS as f64 / (highest - lowest);
    let zero = NAMES as f64 - lowest * scale;
    let (width, height) = (NAMES + BARS + NOTES, TOP + ROW * bars.len() + 16);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"16\" y=\"28\" font-size=\"16\" font-weight=\"bold\">{}</text>\n",
        escape_markup(title)
    );
    for (index, bar) in bars.iter().enumerate() {
        let y = TOP + ROW * index;
        let size = bar.value.abs() * scale;
        let x = if bar.value < 0.0 { zero - size } else { zero };
        let color = if bar.value < 0.0 {
            "#c2410c"
        } else {
            "#2563eb"
        };
        let name = escape_markup(&shorten(&bar.name, NAME_WIDTH));
        let note = escape_markup(&bar.note);
        let (middle, margin) = (y + 15, zero.max(x + size) + 8.0);
        // Writing into a string cannot fail.
        let _ = writeln!(
            text,
            "<text x=\"{}\" y=\"{middle}\" text-anchor=\"end\">{name}</text>\
             <rect x=\"{x:.1}\" y=\"{y}\" width=\"{size:.1}\" height=\"{}\" fill=\"{color}\"/>\
             <text x=\"{margin:.1}\" y=\"{middle}\" fill=\"#555\">{note}</text>",
            NAMES - 10,
            ROW - 6
        );
    }
    text.push_str("</svg>\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bars() -> Vec<Bar> {
        let bar = |name: &str, value: f64| Bar {
            name: name.to_owned(),
            value,
            note: format!("{value:.2}"),
        };
        vec![bar("size <m>", 2.0), bar("age", -1.0)]
    }

    #[test]
    fn the_longest_bar_fills_the_line() {
        let text = lines(&bars());
        let counts: Vec<usize> = text
            .lines()
            .map(|l| l.matches(['█', '░']).count())
            .collect();
        assert_eq!(counts, [40, 20]);
    }

    #[test]
    fn names_of_wide_letters_and_control_characters_keep_the_bars_straight() {
        let mut bars = bars();
        bars[0].name = "中文".to_owned();
        bars[1].name = "\x1b[1m\n".to_owned();
        let text = lines(&bars);
        let begins = |line: &str| line.split(['█', '░']).next().map(width);
        let begins: Vec<_> = text.lines().map(begins).collect();
        assert_eq!(begins, [Some(15); 2], "{text}");
    }

    #[test]
    fn a_control_character_leaves_the_picture_valid() {
        let mut bars = bars();
        bars[0].name = "\x1b[2J\0\u{ffff}".to_owned();
        let text = svg("bell\x07", &bars);
        let forbidden =
            |letter: char| letter.is_control() && letter != '\n' || letter == '\u{ffff}';
        assert!(!text.contains(forbidden), "{text}");
    }

    #[test]
    fn names_cannot_break_the_picture() {
        let text = svg("a & b", &bars());
        assert!(text.contains("a &amp; b") && text.contains("size &lt;m&gt;"));
        assert_eq!(text.matches("<rect").count(), 3);
    }
}
