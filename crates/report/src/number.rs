//! Numbers as text for people.

use tinderbox_train::format::thousands;

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

/// The same as short as it is exact, for the ticks of an axis.
pub fn tick(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 {
        return "0".to_owned();
    }
    if !(1e-3..1e6).contains(&size) {
        return format!("{value:e}");
    }
    // Ticks are round to about ten digits.
    let rounded = (value * 1e6).round() / 1e6;
    if size >= 1e4 && rounded.fract() == 0.0 {
        let sign = if value < 0.0 { "-" } else { "" };
        return format!("{sign}{}", thousands(size as usize));
    }
    format!("{rounded}")
}

/// A size in bytes, as in `412 MB`.
pub fn bytes(size: u64) -> String {
    match size as f64 {
        size if size >= 1e9 => format!("{:.1} GB", size / 1e9),
        size if size >= 1e6 => format!("{:.0} MB", size / 1e6),
        size => format!("{:.0} kB", size / 1e3),
    }
}

/// A duration, as in `4.2 s`, `3 min 20 s` and `2 h 5 min`.
pub fn seconds(value: f64) -> String {
    let whole = value.round().max(0.0) as u64;
    match whole {
        0..=59 => format!("{value:.1} s"),
        60..=3_599 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3_600, whole % 3_600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
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
        for (value, text) in [
            (0.0, "0"),
            (0.1 + 0.2, "0.3"),
            (2_000.0, "2000"),
            (20_000.0, "20,000"),
            (1e-4, "1e-4"),
            (-2.5, "-2.5"),
        ] {
            assert_eq!(tick(value), text);
        }
        assert_eq!(seconds(200.0), "3 min 20 s");
        assert_eq!(bytes(412_345_678), "412 MB");
    }
}
