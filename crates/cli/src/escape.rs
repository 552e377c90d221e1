//! Text from data on its way to a terminal: no character of it may act there.
//!
//! A class name, a header, a cell or a file name may hold escape sequences that recolor, erase or
//! retitle a terminal, and marks that reverse the order of what follows. They are shown as `\u001b`,
//! which inside a JSON string means the same character: a line of JSON stays that line of JSON.

use std::borrow::Cow;
use std::fmt::Write as _;

use tinderbox_datasets::escape::acts_on_a_terminal;
pub use tinderbox_datasets::escape::shell_word;

/// Shows control characters and marks that reorder text; line breaks stay, as they are our own.
pub fn escape(text: &str) -> Cow<'_, str> {
    escape_except(text, &['\n'])
}

/// The same for one cell of a table or one name, which has no line breaks of its own.
pub fn escape_cell(text: &str) -> Cow<'_, str> {
    escape_except(text, &[])
}

/// The same for text with a layout of its own, which keeps its line breaks and tabs.
pub fn escape_document(text: &str) -> Cow<'_, str> {
    escape_except(text, &['\n', '\t'])
}

fn escape_except<'a>(text: &'a str, kept: &[char]) -> Cow<'a, str> {
    let acts = |letter: char| acts_on_a_terminal(letter) && !kept.contains(&letter);
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        match letter {
            letter if !acts(letter) => shown.push(letter),
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            letter => {
                // Writing into a string cannot fail. All of these are below U+10000.
                let _ = write!(shown, "\\u{:04x}", u32::from(letter));
            }
        }
    }
    Cow::Owned(shown)
}

/// A cell of CSV that no spreadsheet runs as a formula: `'` comes before a leading `=`, `+`, `-`, `@`,
/// tab or line break (<https://owasp.org/www-community/attacks/CSV_Injection>). Numbers stay.
pub fn without_formula(cell: &str) -> Cow<'_, str> {
    let leads = |letter: char| {
        matches!(
            letter,
            '=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠'
        )
    };
    if cell.starts_with(leads) && cell.parse::<f64>().is_err() {
        return Cow::Owned(format!("'{cell}"));
    }
    Cow::Borrowed(cell)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_act_on_a_terminal_are_shown() {
        for (text, shown) in [
            ("plain", "plain"),
            ("größer 中文 😀", "größer 中文 😀"),
            ("\x1b[31mred\x1b[0m", "\\u001b[31mred\\u001b[0m"),
            ("bell\x07", "bell\\u0007"),
            ("over\rwrite", "over\\rwrite"),
            ("a\tb", "a\\tb"),
            ("a\nb", "a\nb"),
            ("\x7f\u{9b}2J", "\\u007f\\u009b2J"),
            ("\u{202e}gpj.exe", "\\u202egpj.exe"),
            ("\u{2066}isolated\u{2069}", "\\u2066isolated\\u2069"),
            ("\u{feff}name\u{2028}", "\\ufeffname\\u2028"),
        ] {
            assert_eq!(escape(text), shown);
        }
        assert_eq!(escape_cell("a\nb\tc"), "a\\nb\\tc");
        assert_eq!(escape_document("a\nb\tc\x1b"), "a\nb\tc\\u001b");
    }

    #[test]
    fn a_line_of_json_means_the_same_after_it() {
        let value = serde_json::json!({ "label": "\x1b[2J\u{7f}\u{9b}\u{202e}\n\t中" });
        let line = value.to_string();
        let shown = escape(&line);
        assert!(!shown.contains(acts_on_a_terminal), "{shown}");
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&shown).unwrap(),
            value
        );
    }

    #[test]
    fn spreadsheets_find_no_formula() {
        for (cell, safe) in [
            ("=cmd|'/c calc'!A0", "'=cmd|'/c calc'!A0"),
            ("+1+2", "'+1+2"),
            ("-1+2", "'-1+2"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("\r=1", "'\r=1"),
            ("＝1", "'＝1"),
            ("-", "'-"),
            ("-1.5", "-1.5"),
            ("+3e-4", "+3e-4"),
            ("a=b", "a=b"),
            ("", ""),
        ] {
            assert_eq!(without_formula(cell), safe);
        }
    }
}
