//! Bars on a terminal.

use tinderbox_train::section::Bar;

use crate::escape::escape_cell;
use crate::output::{pad, shorten, stdout_width, width};

/// Characters of the longest bar, where there is room.
const WIDTH: usize = 40;

/// Columns of a terminal for the longest name.
const NAME_WIDTH: usize = 34;

/// One line for each bar; those below zero are drawn with another character.
pub(crate) fn lines(bars: &[Bar]) -> String {
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
}
