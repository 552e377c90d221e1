//! Numbers, bytes and pieces of data as text for people.

/// A count with a comma between thousands, as in `421,642`.
///
/// ```
/// assert_eq!(tinderbox_datasets::format::thousands(421_642), "421,642");
/// ```
pub fn thousands(count: usize) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count and its noun: `1 line`, `2 lines`, `1,000 lines`.
///
/// ```
/// assert_eq!(tinderbox_datasets::format::counted(1_000, "line"), "1,000 lines");
/// ```
pub fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", thousands(count))
}

/// A text on one line of at most `most` letters; one that is cut ends in `…`. Control characters become
/// spaces.
///
/// ```
/// assert_eq!(tinderbox_datasets::format::shorten("a long\nname", 8), "a long …");
/// ```
pub fn shorten(text: &str, most: usize) -> String {
    let is_cut = text.chars().nth(most).is_some();
    let kept = if is_cut { most.saturating_sub(1) } else { most };
    let letters = text.chars().take(kept);
    let mut short: String = letters
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect();
    if is_cut {
        short.push('…');
    }
    short
}

/// Bytes as hexadecimal digits.
///
/// ```
/// assert_eq!(tinderbox_datasets::format::hex_digits(&[0x0f, 0xa0]), "0fa0");
/// ```
pub fn hex_digits(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .filter_map(|digit| char::from_digit(u32::from(digit), 16))
        .collect()
}

/// What is wrong with a JSON text, without the place in it.
pub fn json_reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line ") {
        Some((reason, _)) => reason.to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_have_commas() {
        for (count, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (421_642, "421,642"),
        ] {
            assert_eq!(thousands(count), text);
        }
    }

    #[test]
    fn a_long_text_is_cut_and_stays_on_one_line() {
        for (text, short) in [
            ("", ""),
            ("four", "four"),
            ("fives", "fiv…"),
            ("üßéæ", "üßéæ"),
            ("a\nb", "a b"),
            ("\u{1b}[0m", " [0m"),
        ] {
            assert_eq!(shorten(text, 4), short);
        }
    }

    #[test]
    fn bytes_have_two_digits_each() {
        assert_eq!(hex_digits(&[]), "");
        assert_eq!(hex_digits(&[0, 1, 0xab, 0xff]), "0001abff");
    }

    #[test]
    fn a_reason_has_no_place() {
        let error = serde_json::from_str::<[u8; 1]>("[1, 2").unwrap_err();
        assert_eq!(json_reason(&error), "trailing characters");
    }
}
