//! Parts of a date that a network or a tree can use: a season, a day of the week, an hour.
//!
//! | part | for a network | why |
//! |---|---|---|
//! | elapsed time | a number on the column's scale | trends |
//! | month, day of the week, hour | a code each | any shape, such as weekends and rush hours |
//! | day of the year, time of day | sine and cosine | smooth, and without a jump at midnight and New Year |

use std::f64::consts::TAU;

const DAY_MS: i64 = 86_400_000;

/// Days between 1970-01-01, a Thursday, and the Monday before it.
const MONDAY: i64 = 3;

/// Days of a year on average.
const YEAR: f64 = 365.2425;

/// Whole days since 1970-01-01, and the milliseconds after midnight. Rounded, so that 13:00, which
/// is no binary fraction of a day, stays 13:00.
fn moment(days: f64) -> (i64, i64) {
    let milliseconds = (days * DAY_MS as f64 + 0.5).floor() as i64;
    (
        milliseconds.div_euclid(DAY_MS),
        milliseconds.rem_euclid(DAY_MS),
    )
}

/// Whether a date, in days since 1970-01-01, has a time of day.
pub(super) fn has_time(days: f64) -> bool {
    !days.is_nan() && moment(days).1 != 0
}

/// Month, day of the week and hour, from 1; 0 for a missing date.
pub(super) fn codes(days: f64) -> [i32; 3] {
    if days.is_nan() {
        return [0; 3];
    }
    let (day, milliseconds) = moment(days);
    let weekday = (day + MONDAY).rem_euclid(7) as i32 + 1;
    let hour = (milliseconds / 3_600_000) as i32 + 1;
    [month_and_day(day).0, weekday, hour]
}

/// Sine and cosine of the day of the year; NaN for a missing date.
pub(super) fn season(days: f64) -> [f64; 2] {
    if days.is_nan() {
        return [f64::NAN; 2];
    }
    let (day, _) = moment(days);
    cycle(f64::from(month_and_day(day).1) / YEAR)
}

/// Sine and cosine of the time of day; NaN for a missing date.
pub(super) fn time_of_day(days: f64) -> [f64; 2] {
    if days.is_nan() {
        return [f64::NAN; 2];
    }
    cycle(moment(days).1 as f64 / DAY_MS as f64)
}

fn cycle(share: f64) -> [f64; 2] {
    let (sine, cosine) = (TAU * share).sin_cos();
    [sine, cosine]
}

/// Month, from 1, and day of the year, from 0, of a day since 1970-01-01 in the Gregorian calendar.
///
/// Reference: Hinnant, *chrono-compatible low-level date algorithms*, 2013,
/// <https://howardhinnant.github.io/date_algorithms.html>: years begin in March, so that the odd
/// day is their last.
fn month_and_day(days: i64) -> (i32, i32) {
    let day_of_era = (days + 719_468).rem_euclid(146_097);
    let year = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let from_march = day_of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * from_march + 2) / 153;
    // January and February are the last two months, behind 306 days.
    let leap = i64::from(year % 4 == 0 && (year % 100 != 0 || year == 0));
    let day_of_year = if month >= 10 {
        from_march - 306
    } else {
        from_march + 59 + leap
    };
    (((month + 2) % 12 + 1) as i32, day_of_year as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_have_a_month_a_day_of_the_week_and_an_hour() {
        // 1970-01-01 was a Thursday, 2024-02-29 a Thursday, 1969-12-31 a Wednesday, and 2000-03-01
        // a Wednesday.
        for (days, expected) in [
            (0.0, [1, 4, 1]),
            (19_782.5, [2, 4, 13]),
            (-1.0, [12, 3, 1]),
            (11_017.0, [3, 3, 1]),
            (f64::NAN, [0, 0, 0]),
        ] {
            assert_eq!(codes(days), expected, "{days}");
        }
    }

    #[test]
    fn every_hour_is_itself_although_no_fraction_of_a_day() {
        for hour in 0..24 {
            let days = 19_782.0 + f64::from(hour) / 24.0;
            assert_eq!(codes(days), [2, 4, hour + 1]);
            assert_eq!(has_time(days), hour > 0);
        }
        assert!(!has_time(f64::NAN));
    }

    #[test]
    fn the_day_of_the_year_counts_from_new_year() {
        for (days, day) in [
            (0, 0),        // 1970-01-01
            (58, 58),      // 1970-02-28
            (59, 59),      // 1970-03-01
            (364, 364),    // 1970-12-31
            (365, 0),      // 1971-01-01
            (-1, 364),     // 1969-12-31
            (19_782, 59),  // 2024-02-29
            (19_783, 60),  // 2024-03-01
            (20_088, 365), // 2024-12-31
            (11_016, 59),  // 2000-02-29
            (11_017, 60),  // 2000-03-01
            (-25_509, 58), // 1900-02-28
            (-25_508, 59), // 1900-03-01
        ] {
            assert_eq!(month_and_day(days).1, day, "{days}");
        }
    }

    #[test]
    fn cycles_have_no_jump() {
        let near = |a: [f64; 2], b: [f64; 2]| (a[0] - b[0]).hypot(a[1] - b[1]);
        // New Year, and midnight.
        assert!(near(season(20_088.0), season(20_089.0)) < 0.02);
        assert!(near(time_of_day(0.999), time_of_day(1.001)) < 0.02);
        assert!(near(time_of_day(0.25), time_of_day(0.75)) > 1.9);
        assert!(time_of_day(f64::NAN)[0].is_nan() && season(f64::NAN)[1].is_nan());
    }
}
