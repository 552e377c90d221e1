//! Numbers as people write them: plain, with a decimal comma, grouped, with a currency or a percent.

use serde::{Deserialize, Serialize};

use super::column::Levels;

/// What a cell is when it is read as a plain number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Parsed {
    /// A number.
    Finite(f64),
    /// Infinity by name, or a number beyond the largest `f64`.
    Infinite,
    /// Something else, also a word for "not a number".
    Word,
}

/// Powers of ten that an `f64` holds exactly.
const TENS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// Most digits of which every number fits into the 53 bits of an `f64`.
const EXACT_DIGITS: usize = 15;

/// Reads a plain number: a sign, digits with a decimal point, an exponent.
///
/// Up to 15 digits the division below rounds once, so the result is the nearest `f64` (Clinger, *How
/// to read floating point numbers accurately*, 1990, <https://doi.org/10.1145/93542.93557>); the
/// rest is left to the standard library.
#[inline]
pub(crate) fn parse_plain(cell: &[u8]) -> Parsed {
    let (negative, digits) = match cell {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] | rest => (false, rest),
    };
    let (mut mantissa, mut point) = (0_u64, None);
    for (at, &byte) in digits.iter().enumerate() {
        match byte {
            b'0'..=b'9' if at < EXACT_DIGITS + 1 => {
                mantissa = mantissa * 10 + u64::from(byte - b'0');
            }
            b'.' if point.is_none() => point = Some(at),
            _ => return parse_slowly(cell),
        }
    }
    let count = digits.len() - usize::from(point.is_some());
    if count == 0 || count > EXACT_DIGITS {
        return parse_slowly(cell);
    }
    let decimals = point.map_or(0, |at| digits.len() - at - 1);
    let value = mantissa as f64 / TENS[decimals];
    Parsed::Finite(if negative { -value } else { value })
}

fn parse_slowly(cell: &[u8]) -> Parsed {
    if is_infinity(cell) {
        return Parsed::Infinite;
    }
    let like_number = |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
    let text = match std::str::from_utf8(cell) {
        Ok(text) if cell.iter().all(like_number) => text,
        _ => return Parsed::Word,
    };
    match text.parse::<f64>() {
        Ok(value) if value.is_infinite() => Parsed::Infinite,
        Ok(value) => Parsed::Finite(value),
        Err(_) => Parsed::Word,
    }
}

fn is_infinity(cell: &[u8]) -> bool {
    let ([b'-' | b'+', word @ ..] | word) = cell;
    word.eq_ignore_ascii_case(b"inf") || word.eq_ignore_ascii_case(b"infinity")
}

/// Whether a cell is a whole number filled up with zeros, such as `007`: a code, not a quantity.
pub(crate) fn is_padded(cell: &[u8]) -> bool {
    cell.len() > 1 && cell[0] == b'0' && cell[1..].iter().all(u8::is_ascii_digit)
}

/// The mark before the decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DecimalMark {
    /// `3.14`
    #[default]
    Point,
    /// `3,14`
    Comma,
}

/// How the numbers of a column are written.
///
/// ```
/// use tinderbox_datasets::table::{DecimalMark, NumberStyle};
///
/// let style = NumberStyle { decimal: DecimalMark::Comma, group: Some('.'), affix: "€".into() };
/// assert_eq!(style.parse("1.234,50 €"), Some(1234.5));
/// assert_eq!(style.parse("1,234.50 €"), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NumberStyle {
    /// The mark before the decimals.
    #[serde(default)]
    pub decimal: DecimalMark,
    /// The mark between groups of three digits, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<char>,
    /// A currency or percent sign that may stand before or after the number. The number is taken as
    /// it stands: 12 % is 12.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub affix: String,
}

/// Signs that may be part of a number.
const AFFIXES: [&str; 11] = [
    "%", "$", "€", "£", "¥", "₹", "CHF", "EUR", "USD", "GBP", "US$",
];

/// Marks between groups of digits: comma, point, space, apostrophe, and the two spaces that do not
/// break a line.
const GROUPS: [char; 6] = [',', '.', ' ', '\'', '\u{A0}', '\u{202F}'];

impl NumberStyle {
    /// Whether numbers are written as in a programming language.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// Reads `cell`, which must be finite.
    pub fn parse(&self, cell: &str) -> Option<f64> {
        let (negative, number) = self.strip(cell)?;
        let mark = match self.decimal {
            DecimalMark::Point => '.',
            DecimalMark::Comma => ',',
        };
        let (whole, rest) = match number.find(mark) {
            Some(at) => (&number[..at], &number[at + 1..]),
            None => (number, ""),
        };
        let mut plain = self.ungroup(whole)?;
        plain.push('.');
        plain.push_str(rest);
        let digits = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'-');
        if !plain.bytes().all(digits) {
            return None;
        }
        match parse_plain(plain.as_bytes()) {
            Parsed::Finite(value) => Some(if negative { -value } else { value }),
            _ => None,
        }
    }

    /// Takes the sign and the affix off, in either order.
    fn strip<'a>(&self, cell: &'a str) -> Option<(bool, &'a str)> {
        let (outer, rest) = sign(cell.trim());
        let rest = if self.affix.is_empty() {
            rest
        } else {
            let rest = rest.strip_prefix(&self.affix).unwrap_or(rest);
            rest.strip_suffix(&self.affix).unwrap_or(rest).trim()
        };
        let (inner, rest) = sign(rest);
        (outer.is_none() || inner.is_none()).then_some((outer.or(inner) == Some(true), rest))
    }

    /// Joins groups of three digits; the first has one to three and does not start with 0.
    fn ungroup(&self, whole: &str) -> Option<String> {
        let Some(mark) = self.group.filter(|&mark| whole.contains(mark)) else {
            return Some(whole.to_owned());
        };
        let mut groups = whole.split(mark);
        let first = groups.next()?;
        let good = (1..=3).contains(&first.len()) && !first.starts_with('0');
        if !good || groups.any(|group| group.len() != 3) {
            return None;
        }
        Some(whole.chars().filter(|&c| c != mark).collect())
    }
}

/// Whether there is a minus, and what follows the sign.
fn sign(text: &str) -> (Option<bool>, &str) {
    for (mark, negative) in [('-', true), ('\u{2212}', true), ('+', false)] {
        if let Some(rest) = text.strip_prefix(mark) {
            return (Some(negative), rest.trim_start());
        }
    }
    (None, text)
}

/// What the words of a column are, seen as numbers in another style.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Styled {
    /// All of them are numbers, in one style only.
    Sure(NumberStyle),
    /// All of them are numbers, with the comma as decimal mark or between groups: `1,234`.
    Ambiguous {
        /// The reading with a decimal point.
        grouped: NumberStyle,
        /// The reading with a decimal comma.
        decimal: NumberStyle,
    },
}

/// Looks for a style in which all words are numbers.
pub(crate) fn find_style(levels: &Levels) -> Option<Styled> {
    let words = levels.iter();
    let affix = affix_of(words.clone().next()?);
    let fits = |style: &NumberStyle| words.clone().all(|word| style.parse(word).is_some());
    let with = |mark| candidates(&affix).find(|style| style.decimal == mark && fits(style));
    match (with(DecimalMark::Point), with(DecimalMark::Comma)) {
        (Some(style), None) | (None, Some(style)) => Some(Styled::Sure(style)),
        // Without a mark in any cell both read the same.
        (Some(point), Some(comma)) if same(&point, &comma, words) => Some(Styled::Sure(point)),
        (Some(grouped), Some(decimal)) => Some(Styled::Ambiguous { grouped, decimal }),
        (None, None) => None,
    }
}

fn same<'a>(a: &NumberStyle, b: &NumberStyle, mut words: impl Iterator<Item = &'a str>) -> bool {
    words.all(|word| a.parse(word) == b.parse(word))
}

/// Every style with `affix`, plain numbers first.
fn candidates(affix: &str) -> impl Iterator<Item = NumberStyle> {
    let affix = affix.to_owned();
    [DecimalMark::Point, DecimalMark::Comma]
        .into_iter()
        .flat_map(move |decimal| {
            let affix = affix.clone();
            let taken = match decimal {
                DecimalMark::Point => '.',
                DecimalMark::Comma => ',',
            };
            let marks = GROUPS.into_iter().filter(move |&mark| mark != taken);
            std::iter::once(None)
                .chain(marks.map(Some))
                .map(move |group| NumberStyle {
                    decimal,
                    group,
                    affix: affix.clone(),
                })
        })
}

/// The sign around the digits of `word`, if it is one of those known.
fn affix_of(word: &str) -> String {
    let outer = word.trim_matches(|c: char| c.is_ascii_digit() || " +-.,'".contains(c));
    let known = AFFIXES.iter().find(|affix| **affix == outer);
    known.map_or_else(String::new, |affix| (*affix).to_owned())
}

#[cfg(test)]
mod tests {
    use super::DecimalMark::{Comma, Point};
    use super::*;
    use crate::table::column::Words;

    #[test]
    fn plain_numbers_are_the_nearest_doubles() {
        let cells = [
            "0",
            "-0",
            "42",
            "+7",
            "3.14",
            ".5",
            "5.",
            "1e3",
            "-2.5E-3",
            "0.1",
            "123456.789012345",
            "999999999999999",
            "9007199254740993",
            "0.30000000000000004",
            "4294967296",
            "18446744073709551615",
            "1.7976931348623157e308",
            "5e-324",
            "0000000000000001.5",
        ];
        for cell in cells {
            let expected: f64 = cell.parse().unwrap();
            assert_eq!(
                parse_plain(cell.as_bytes()),
                Parsed::Finite(expected),
                "{cell}"
            );
        }
    }

    #[test]
    fn words_are_no_numbers_and_infinities_are_named() {
        for word in [
            "", "-", "+", ".", "abc", "1,5", "1 2", "0x1F", "1_000", "nan", "NaN", "1e", "--1",
        ] {
            assert_eq!(parse_plain(word.as_bytes()), Parsed::Word, "{word}");
        }
        for word in ["inf", "-Inf", "+INFINITY", "1e999", "-1e400"] {
            assert_eq!(parse_plain(word.as_bytes()), Parsed::Infinite, "{word}");
        }
    }

    #[test]
    fn only_whole_numbers_are_padded() {
        for (cell, padded) in [
            ("007", true),
            ("00", true),
            ("0", false),
            ("0.5", false),
            ("70", false),
        ] {
            assert_eq!(is_padded(cell.as_bytes()), padded, "{cell}");
        }
    }

    fn style(words: &[&str]) -> Option<Styled> {
        let words: Words = words.iter().map(|&word| Some(word)).collect();
        find_style(words.levels())
    }

    #[test]
    fn a_style_is_found_where_all_cells_agree() {
        let sure = |decimal, group, affix: &str| {
            Some(Styled::Sure(NumberStyle {
                decimal,
                group,
                affix: affix.to_owned(),
            }))
        };
        assert_eq!(style(&["3,14", "0,5", "-2"]), sure(Comma, None, ""));
        assert_eq!(style(&["1,234.5", "12"]), sure(Point, Some(','), ""));
        assert_eq!(style(&["1.234.567", "1.234,5"]), sure(Comma, Some('.'), ""));
        assert_eq!(style(&["$1,200.00", "-$3.50"]), sure(Point, Some(','), "$"));
        assert_eq!(style(&["12%", "7.5 %"]), sure(Point, None, "%"));
        assert_eq!(style(&["1 234", "5"]), sure(Point, Some(' '), ""));
        assert_eq!(style(&["1,234,567", "1,234"]), sure(Point, Some(','), ""));
        assert_eq!(style(&["0,123"]), sure(Comma, None, ""));
    }

    #[test]
    fn one_comma_before_three_digits_is_ambiguous() {
        assert!(matches!(
            style(&["1,234", "5,678"]),
            Some(Styled::Ambiguous { .. })
        ));
    }

    #[test]
    fn words_and_versions_have_no_style() {
        for words in [
            &["abc"][..],
            &["1.2.3"],
            &["10-20"],
            &["12 kg"],
            &["1,2,3"],
            &["$", "1"],
            &["1-2-3"],
        ] {
            assert_eq!(style(words), None, "{words:?}");
        }
    }
}
