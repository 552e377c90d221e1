//! Numbers as text for people.

pub use tinderbox_datasets::format::{counted, thousands};

/// A share as a percentage, as in `95.8%`.
pub fn percent(share: f64) -> String {
    format!("{:.1}%", 100.0 * share)
}

/// A number with about four digits, as in `0.9731`, `12.34`, `1,234` and `3.1e-5`.
pub fn number(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() {
        return "-".to_owned();
    }
    if size >= 1e9 || (size > 0.0 && size < 1e-3) {
        return format!("{value:.1e}");
    }
    if size >= 1_000.0 {
        let sign = if value < 0.0 { "-" } else { "" };
        return format!("{sign}{}", thousands(size.round() as usize));
    }
    let decimals = match size {
        size if size >= 100.0 => 1,
        size if size >= 10.0 => 2,
        size if size >= 1.0 => 3,
        _ => 4,
    };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_in_english() {
        assert_eq!(percent(0.958_2), "95.8%");
        for (value, text) in [
            (0.0, "0.0000"),
            (0.973_14, "0.9731"),
            (-12.345, "-12.35"),
            (123.45, "123.5"),
            (123_456.7, "123,457"),
            (0.000_031, "3.1e-5"),
            (f64::NAN, "-"),
        ] {
            assert_eq!(number(value), text);
        }
    }
}
