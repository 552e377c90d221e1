//! Numbers as people write them: plain, with a decimal comma, grouped, with a currency or a percent.

use serde::{Deserialize, Serialize};

use super::column::{Levels, Words};
use super::currency::{Affix, affix, around};

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
pub(crate) const EXACT_DIGITS: usize = 15;

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

impl DecimalMark {
    /// The mark itself.
    pub fn mark(self) -> char {
        match self {
            Self::Point => '.',
            Self::Comma => ',',
        }
    }
}

/// How negative numbers are written. A minus in front is always read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NegativeForm {
    /// `-5`
    #[default]
    Minus,
    /// `(5)`, as accountants do.
    Parentheses,
    /// `5-`
    TrailingMinus,
}

/// How the numbers of a column are written.
///
/// ```
/// use tinderbox_datasets::table::{DecimalMark, NegativeForm, NumberStyle};
///
/// let style = NumberStyle {
///     decimal: DecimalMark::Comma,
///     group: Some('.'),
///     affix: "€".into(),
///     negative: NegativeForm::Parentheses,
/// };
/// assert_eq!(style.parse("1.234,50 €"), Some(1234.5));
/// assert_eq!(style.parse("(1.234,50) €"), Some(-1234.5));
/// assert_eq!(style.parse("1,234.50 €"), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NumberStyle {
    /// The mark before the decimals.
    #[serde(default)]
    pub decimal: DecimalMark,
    /// The mark between groups of digits, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<char>,
    /// A currency or percent sign that may stand before or after the number. The number is taken as
    /// it stands: 12 % is 12.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub affix: String,
    /// How negative numbers are written.
    #[serde(default, skip_serializing_if = "is_minus")]
    pub negative: NegativeForm,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_minus(form: &NegativeForm) -> bool {
    *form == NegativeForm::Minus
}

/// Marks between groups of digits: comma, point, space, two apostrophes, and the three spaces that
/// do not break a line.
const GROUPS: [char; 8] = [
    ',', '.', ' ', '\'', '\u{2019}', '\u{A0}', '\u{202F}', '\u{2009}',
];

impl NumberStyle {
    /// Whether numbers are written as in a programming language.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// Reads `cell`, which must be finite.
    pub fn parse(&self, cell: &str) -> Option<f64> {
        let (negative, number) = self.strip(cell);
        let mark = self.decimal.mark();
        let (whole, rest) = match number.find(mark) {
            Some(at) => (&number[..at], &number[at + 1..]),
            None => (number, ""),
        };
        let mut plain = self.ungroup(whole)?;
        // The only point is the one that is put here; a sign stands in an exponent alone.
        let digits = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'e' | b'E' | b'-' | b'+');
        let signed = plain.starts_with(['-', '+']);
        if signed || !plain.bytes().chain(rest.bytes()).all(digits) {
            return None;
        }
        if number.contains(mark) {
            plain.push('.');
            plain.push_str(rest);
        }
        match parse_plain(plain.as_bytes()) {
            Parsed::Finite(value) => Some(if negative { -value } else { value }),
            _ => None,
        }
    }

    /// Takes the sign, the affix and the parentheses off, in any order, each once.
    fn strip<'a>(&self, cell: &'a str) -> (bool, &'a str) {
        let (mut signed, mut affixed) = (None, self.affix.is_empty());
        let mut rest = cell.trim();
        loop {
            let bare = if affixed {
                None
            } else {
                self.without_affix(rest)
            };
            if let Some(bare) = bare {
                (affixed, rest) = (true, bare.trim());
            } else if let Some((negative, bare)) =
                self.without_sign(rest).filter(|_| signed.is_none())
            {
                (signed, rest) = (Some(negative), bare.trim());
            } else {
                return (signed == Some(true), rest);
            }
        }
    }

    fn without_affix<'a>(&self, text: &'a str) -> Option<&'a str> {
        let front = text.strip_prefix(self.affix.as_str());
        front.or_else(|| text.strip_suffix(self.affix.as_str()))
    }

    /// Whether there is a minus, and what is left without the sign.
    fn without_sign<'a>(&self, text: &'a str) -> Option<(bool, &'a str)> {
        if let (Some(negative), rest) = sign(text) {
            return Some((negative, rest));
        }
        let inner = match self.negative {
            NegativeForm::Minus => None,
            NegativeForm::Parentheses => text
                .strip_prefix('(')
                .and_then(|rest| rest.strip_suffix(')')),
            NegativeForm::TrailingMinus => trailing_minus(text),
        };
        inner.map(|inner| (true, inner))
    }

    /// Joins groups of three digits, or, with commas, groups of two before a last one of three, as in
    /// India: `11,45,328`. The first group may be shorter and does not start with 0.
    fn ungroup(&self, whole: &str) -> Option<String> {
        let Some(mark) = self.group.filter(|&mark| whole.contains(mark)) else {
            return Some(whole.to_owned());
        };
        let groups: Vec<&str> = whole.split(mark).collect();
        let digits = |group: &&str| group.bytes().all(|byte| byte.is_ascii_digit());
        let [first, middle @ .., last] = groups.as_slice() else {
            return None;
        };
        let fits = |size: usize| {
            (1..=size).contains(&first.len()) && middle.iter().all(|group| group.len() == size)
        };
        let sizes = fits(3) || (mark == ',' && fits(2));
        let good = sizes && last.len() == 3 && !first.starts_with('0') && groups.iter().all(digits);
        good.then(|| groups.concat())
    }
}

fn trailing_minus(text: &str) -> Option<&str> {
    text.strip_suffix('-')
        .or_else(|| text.strip_suffix('\u{2212}'))
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

/// Looks for a style in which all words are numbers; `decimal` is the mark that the user has set.
pub(crate) fn find_style(levels: &Levels, decimal: Option<DecimalMark>) -> Option<Styled> {
    let words = levels.iter();
    let affix = words.clone().find_map(around).map(|(affix, _)| affix);
    let base = NumberStyle {
        affix: affix.unwrap_or_default(),
        negative: negative_form(levels),
        ..NumberStyle::default()
    };
    let fits = |style: &NumberStyle| words.clone().all(|word| style.parse(word).is_some());
    let with = |mark| {
        let allowed = decimal.is_none_or(|set| set == mark);
        candidates(&base, mark).find(|style| allowed && fits(style))
    };
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

/// How many cells have the percent sign of `style`, and how many cells there are, if some have it and
/// others do not: `5%` and `0.05` may be one number, and would be read as two. A zero is the same in both.
pub(crate) fn percent_mix(words: &Words, style: &NumberStyle) -> Option<[usize; 2]> {
    if !matches!(style.affix.as_str(), "%" | "‰") {
        return None;
    }
    let (mut signed, mut bare, mut zeros) = (0, 0, 0);
    for (word, rows) in words.levels().iter().zip(words.counts()) {
        if word.contains(&style.affix) {
            signed += rows;
        } else if style.parse(word) == Some(0.0) {
            zeros += rows;
        } else {
            bare += rows;
        }
    }
    (signed > 0 && bare > 0).then_some([signed, signed + bare + zeros])
}

/// How the negative numbers among `levels` are written, if they are numbers.
fn negative_form(levels: &Levels) -> NegativeForm {
    let after = |word: &str| {
        let digit = word.rfind(|c: char| c.is_ascii_digit());
        digit
            .map(|at| word[at + 1..].to_owned())
            .unwrap_or_default()
    };
    if levels.iter().any(|word| word.contains('(')) {
        NegativeForm::Parentheses
    } else if levels
        .iter()
        .any(|word| after(word).contains(['-', '\u{2212}']))
    {
        NegativeForm::TrailingMinus
    } else {
        NegativeForm::Minus
    }
}

/// Every style with the affix and negative numbers of `base`, plain numbers first.
fn candidates(base: &NumberStyle, decimal: DecimalMark) -> impl Iterator<Item = NumberStyle> {
    let marks = GROUPS
        .into_iter()
        .filter(move |&mark| mark != decimal.mark())
        .map(Some);
    let base = base.clone();
    std::iter::once(None)
        .chain(marks)
        .map(move |group| NumberStyle {
            decimal,
            group,
            ..base.clone()
        })
}

/// Whether `levels`, which are numbers in a style with letters before them and neither decimals nor
/// groups, may as well be codes: `TRY 1`, `TRY 2`.
pub(crate) fn may_be_codes(levels: &Levels, style: &NumberStyle) -> bool {
    let before = levels
        .iter()
        .find_map(around)
        .is_some_and(|(_, before)| before);
    let amount = |word: &str| word.replace(&style.affix, "").contains(['.', ',']);
    affix(&style.affix) == Some(Affix::Letters) && before && !levels.iter().any(amount)
}

/// One of `levels` if most of them are a number between other characters that are not read, such as
/// `12 kg`, `<5` or `€5` among `$6`.
pub(crate) fn unsupported(levels: &Levels) -> Option<&str> {
    const LOOK: usize = 1000;
    const FEWEST: usize = 10;
    const FORMS: usize = 5;
    let all = levels.iter().take(LOOK);
    let count = levels.len().min(LOOK);
    let mut forms: Vec<(String, usize)> = Vec::new();
    let mut example = None;
    for word in all {
        let Some(form) = form_of(word) else { continue };
        if form.chars().any(|c| c != NUMBER) {
            example = example.or(Some(word));
        }
        match forms.iter().position(|(known, _)| *known == form) {
            Some(at) => forms[at].1 += 1,
            None if forms.len() > 50 => return None,
            None => forms.push((form, 1)),
        }
    }
    // Numbers among codes such as `PC 17599` are no quantities.
    let plain = forms.iter().filter(|(form, _)| form.chars().eq([NUMBER]));
    let plain: usize = plain.map(|(_, rows)| rows).sum();
    forms.sort_by_key(|(_, rows)| std::cmp::Reverse(*rows));
    let main: usize = forms.iter().take(FORMS).map(|(_, rows)| rows).sum();
    (count >= FEWEST && main * 10 >= count * 8 && plain * 2 <= count)
        .then_some(example)
        .flatten()
}

/// Stands for the number in the form of a cell.
const NUMBER: char = '\u{1}';

/// A cell with [`NUMBER`] in place of its number; `None` without exactly one number, or with so much
/// around it, or so close to it, that it is a name or a code: `A11`, `12 Main Street`.
fn form_of(word: &str) -> Option<String> {
    const AROUND: usize = 8;
    let digit = |c: char| c.is_ascii_digit();
    let (first, last) = (word.find(digit)?, word.rfind(digit)?);
    let (before, after) = (&word[..first], &word[last + 1..]);
    let inner = |c: char| c.is_ascii_digit() || GROUPS.contains(&c) || "eE+-".contains(c);
    let code =
        before.ends_with(|c: char| c.is_alphabetic() || "_-#/.:".contains(c)) && before != "-";
    let number = &word[first..=last];
    let dashes = number.trim_start_matches('-').matches('-').count();
    let one = number.chars().all(inner) && (dashes == 0 || number.contains(['e', 'E']));
    let short = before.chars().count() <= AROUND && after.chars().count() <= AROUND;
    let padded =
        number.len() > 1 && number.starts_with('0') && number.bytes().all(|b| b.is_ascii_digit());
    (one && short && !code && !padded).then(|| format!("{before}{NUMBER}{after}"))
}

#[cfg(test)]
mod tests {
    use super::DecimalMark::{Comma, Point};
    use super::*;

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

    fn words(words: &[&str]) -> Words {
        words.iter().map(|&word| Some(word)).collect()
    }

    fn style(cells: &[&str]) -> Option<Styled> {
        find_style(words(cells).levels(), None)
    }

    #[test]
    fn a_style_is_found_where_all_cells_agree() {
        let sure = |decimal, group, affix: &str| {
            Some(Styled::Sure(NumberStyle {
                decimal,
                group,
                affix: affix.to_owned(),
                negative: NegativeForm::Minus,
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

    #[test]
    fn signs_of_either_side_are_read_with_their_value() {
        for (cells, values) in [
            (&["(1,200.50)", "3.25"][..], &[-1200.5, 3.25][..]),
            (&["$(1,979.68)", "$5.00"], &[-1979.68, 5.0]),
            (&["($1,979.68)", "$5.00"], &[-1979.68, 5.0]),
            (&["R$ 1,200.50", "-R$ 3.10"], &[1200.5, -3.1]),
            (&["1,200.50 zł", "- 2.00 zł"], &[1200.5, -2.0]),
            (&["1 200,50 kr", "85,67 kr"], &[1200.5, 85.67]),
            (&["157.69 kr", "1,063.20 kr."], &[]),
            (&["Rs. 1,463.10", "Rs. 5.00"], &[1463.1, 5.0]),
            (&["131.63-", "12.50"], &[-131.63, 12.5]),
            (&["131.63-€", "12.50 €"], &[-131.63, 12.5]),
            (&["131,63 €-", "12,50 €"], &[-131.63, 12.5]),
            (&["1,15E+03", "0,5"], &[1150.0, 0.5]),
            (&["1,15e-2", "2"], &[0.0115, 2.0]),
            (
                &["1,09,203", "11,45,328", "950"],
                &[109_203.0, 1_145_328.0, 950.0],
            ),
            (&["₹ 1,09,203.50", "₹ 12.00"], &[109_203.5, 12.0]),
            (&["1’234’567.5", "12"], &[1_234_567.5, 12.0]),
            (&["USD 1,200.50", "5.00"], &[1200.5, 5.0]),
            (&["5.00", "1,200.50 JPY"], &[5.0, 1200.5]),
            (&["12.5‰", "3‰"], &[12.5, 3.0]),
            // Two currencies are two quantities.
            (&["$5.10", "€6.20"], &[]),
            (&["(5", "6)"], &[]),
            (&["-(5)", "6"], &[]),
            (&["1,2345,678"], &[]),
            (&["1,2E3", "5"], &[1200.0, 5.0]),
        ] {
            let style = match style(cells) {
                Some(Styled::Sure(style)) => style,
                None if values.is_empty() => continue,
                other => panic!("{cells:?}: {other:?}"),
            };
            let read: Vec<f64> = cells.iter().filter_map(|cell| style.parse(cell)).collect();
            assert_eq!(read, values, "{cells:?} as {style:?}");
        }
    }

    #[test]
    fn the_decimal_mark_can_be_set() {
        let cells = words(&["1,234", "5,678"]);
        for (mark, value) in [(Point, 1234.0), (Comma, 1.234)] {
            let Some(Styled::Sure(style)) = find_style(cells.levels(), Some(mark)) else {
                panic!("no style with {mark:?}");
            };
            assert_eq!(style.parse("1,234"), Some(value));
        }
    }

    #[test]
    fn letters_before_whole_numbers_may_be_codes() {
        for (cells, codes) in [
            (&["TRY 1", "TRY 2"][..], true),
            (&["TRY 1.50", "TRY 2.00"], false),
            (&["1 TRY", "2 TRY"], false),
            (&["$1", "$2"], false),
            (&["Rs. 5", "Rs. 7"], true),
        ] {
            let levels = words(cells);
            let Some(Styled::Sure(style)) = find_style(levels.levels(), None) else {
                panic!("{cells:?}");
            };
            assert_eq!(may_be_codes(levels.levels(), &style), codes, "{cells:?}");
        }
    }

    #[test]
    fn a_percent_sign_in_some_cells_only_is_noticed() {
        for (cells, mixed) in [
            (&["5%", "0.05", "5%"][..], Some([2, 3])),
            (&["5%", "0", "7 %"], None),
            (&["5%", "0", "0.5"], Some([1, 3])),
            (&["0.5", "3‰"], Some([1, 2])),
            (&["USD 1,200.50", "5.00"], None),
        ] {
            let cells = words(cells);
            let Some(Styled::Sure(style)) = find_style(cells.levels(), None) else {
                panic!("no style");
            };
            assert_eq!(percent_mix(&cells, &style), mixed, "{style:?}");
        }
    }

    #[test]
    fn numbers_in_a_form_that_is_not_read_are_told_from_codes_and_names() {
        let made = |form: fn(usize) -> String| {
            let cells: Vec<String> = (0..40).map(|at| form(at * 7 % 43)).collect();
            let cells: Words = cells.iter().map(|cell| Some(cell.as_str())).collect();
            unsupported(cells.levels()).map(str::to_owned)
        };
        let found: [fn(usize) -> String; 4] = [
            |at| format!("{at} kg"),
            |at| format!("<{at}.5"),
            |at| format!("{}{at}.00", if at % 2 == 0 { "$" } else { "€" }),
            |at| format!("{at},-"),
        ];
        for form in found {
            assert!(made(form).is_some(), "{}", form(3));
        }
        let not: [fn(usize) -> String; 7] = [
            |at| {
                if at % 3 == 0 {
                    format!("PC {at}")
                } else {
                    at.to_string()
                }
            },
            |at| format!("A{at}"),
            |at| format!("item-{at}"),
            |at| format!("{at} {} street", ["Oak", "Elm", "Main"][at % 3]),
            |at| format!("{at}-{}", at + 10),
            |at| format!("name {}", ["ann", "bob"][at % 2]),
            |at| format!("{at:03}"),
        ];
        for form in not {
            assert_eq!(made(form), None, "{}", form(3));
        }
    }
}
