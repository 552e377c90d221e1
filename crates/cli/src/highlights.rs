//! Texts whose parts carry a weight: on a terminal, and as a web page.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use tinderbox_report::html::{card, document};
use tinderbox_train::section::{Body, Section};

use crate::escape::escape;
use crate::{Failure, Output};

/// Parts that are named without colors.
const NAMED: usize = 8;

/// The text, and the parts with the largest weights, without colors.
pub(crate) fn plain(parts: &[(String, f64)]) -> String {
    let text: String = parts.iter().map(|(part, _)| escape(part)).collect();
    let mut order: Vec<&(String, f64)> =
        parts.iter().filter(|(_, weight)| *weight != 0.0).collect();
    order.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
    let part = |(part, weight): &&(String, f64)| format!("{} {weight:+.2}", escape(part));
    let first: Vec<String> = order.iter().take(NAMED).map(part).collect();
    format!("{text}\n  {}", first.join(", "))
}

/// From -1 for the part with the most negative weight to 1 for the one with the most positive.
fn strengths(parts: &[(String, f64)]) -> Vec<f64> {
    let weights = parts.iter().map(|(_, weight)| weight.abs());
    // Where no part has a weight worth the name, none is colored.
    let most = weights.fold(0.1, f64::max);
    parts.iter().map(|(_, weight)| weight / most).collect()
}

/// Parts for the prediction in green, parts against it in red, on a terminal with colors.
pub(crate) fn colored(parts: &[(String, f64)]) -> String {
    let mut line = String::new();
    for ((part, _), strength) in parts.iter().zip(strengths(parts)) {
        let level = (strength.abs() * 4.0).round() as usize;
        let color = match (level, strength > 0.0) {
            (0, _) => None,
            (level, true) => Some([22, 28, 34, 40][level.min(4) - 1]),
            (level, false) => Some([52, 88, 124, 160][level.min(4) - 1]),
        };
        let part = escape(part);
        // Writing into a string cannot fail.
        let _ = match color {
            Some(color) => write!(line, "\x1b[48;5;{color};38;5;231m{part}\x1b[0m"),
            None => write!(line, "{part}"),
        };
    }
    line
}

/// What the colors of a page mean.
const LEGEND: &str = "Green words support the prediction, red words oppose it; the color shows how strongly. Hover \
    over a word for the change of the log-odds without it.";

/// Writes a web page of all sections that have highlights.
///
/// # Errors
///
/// If the file cannot be written.
pub(crate) fn write(path: &Path, sections: &[Section]) -> Result<(), Failure> {
    let mut page = Output::new(Some(path))?;
    page.write_all(html(sections).as_bytes())?;
    page.finish()
}

/// A web page of all sections that have highlights.
pub(crate) fn html(sections: &[Section]) -> String {
    let mut page =
        format!("<h1>Explanation</h1>\n<p class=\"soft\">{LEGEND}</p>\n<div class=\"stack\">\n");
    for section in sections {
        if let Body::Highlights { parts } = &section.body {
            page.push_str(&card(
                &section.title,
                &tinderbox_report::html::highlights(parts),
            ));
        }
    }
    page.push_str("</div>\n");
    document("Explanation", &page)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts() -> Vec<(String, f64)> {
        let part = |text: &str, weight| (text.to_owned(), weight);
        vec![part("win", 2.0), part(" <b>", 0.0), part("later", -1.0)]
    }

    #[test]
    fn the_largest_weights_come_first() {
        assert_eq!(plain(&parts()), "win <b>later\n  win +2.00, later -1.00");
    }

    #[test]
    fn a_text_cannot_break_the_page() {
        let body = Body::Highlights { parts: parts() };
        let title = "a & b".to_owned();
        let page = html(&[Section { title, body }]);
        assert!(
            page.contains("a &amp; b") && page.contains("&lt;b&gt;"),
            "{page}"
        );
        assert_eq!(page.matches("<span title").count(), 2);
    }

    #[test]
    fn only_parts_with_a_weight_are_colored() {
        let line = colored(&parts());
        assert_eq!(line.matches("\x1b[48").count(), 2);
        assert!(
            line.contains("\x1b[48;5;40;38;5;231mwin\x1b[0m"),
            "{line:?}"
        );
    }
}
