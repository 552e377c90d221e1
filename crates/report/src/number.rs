//! Numbers as text for people.

pub use tinderbox_train::format::number;

/// A number as short as it is exact, for the ticks of an axis.
pub fn tick(value: f64) -> String {
    let size = value.abs();
    let scaled = |factor: f64, unit: &str| {
        // Ticks are round to a few digits.
        let rounded = (value / factor * 1e4).round() / 1e4;
        format!("{rounded}{unit}")
    };
    match size {
        0.0 => "0".to_owned(),
        size if !(1e-3..1e12).contains(&size) => {
            let text = format!("{value:.3e}");
            text.parse()
                .map_or(text, |rounded: f64| format!("{rounded:e}"))
        }
        size if size >= 1e9 => scaled(1e9, "B"),
        size if size >= 1e6 => scaled(1e6, "M"),
        size if size >= 1e4 => scaled(1e3, "k"),
        _ => scaled(1.0, ""),
    }
}

/// As [`tick`], with the digits that tell it from ticks that are `step` away.
pub fn tick_of(value: f64, step: f64) -> String {
    let size = value.abs();
    if !(1e-3..1e4).contains(&size) || !(f64::MIN_POSITIVE..1e-4).contains(&step) {
        return tick(value);
    }
    let decimals = (-step.log10() - 1e-9).ceil().clamp(4.0, 12.0) as usize;
    let text = format!("{value:.decimals$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
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
            (0.0, "0"),
            (0.1 + 0.2, "0.3"),
            (2_000.0, "2000"),
            (20_000.0, "20k"),
            (-150_000.0, "-150k"),
            (2_500_000.0, "2.5M"),
            (1e-4, "1e-4"),
            (6.000_000_000_000_1e-4, "6e-4"),
            (-2.5, "-2.5"),
        ] {
            assert_eq!(tick(value), text);
        }
        for (value, step, text) in [
            (0.001_65, 5e-5, "0.00165"),
            (0.001_7, 5e-5, "0.0017"),
            (0.91, 1e-5, "0.91"),
            (2_000.0, 500.0, "2000"),
            (0.4, 0.2, "0.4"),
        ] {
            assert_eq!(tick_of(value, step), text);
        }
        assert_eq!(seconds(200.0), "3 min 20 s");
        assert_eq!(bytes(412_345_678), "412 MB");
    }
}
