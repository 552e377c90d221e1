//! Dates and times as people write them, as days since 1970-01-01.

use serde::{Deserialize, Serialize};
use time::{Date, Month};

/// Order of the parts of a date.
///
/// A month may be a number or an English name; the parts are separated by `-`, `/`, `.` or spaces.
/// A time of day may follow, `14:30`, `14:30:05.25` or `2:30 PM`, and an offset from UTC, `Z` or
/// `+02:00`, which is taken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DateOrder {
    /// ISO 8601: `2024-01-31`, `2024-01-31T14:30:00Z`, also `2024/1/31`.
    YearMonthDay,
    /// `31.01.2024`, `31/1/24`, `31 Jan 2024`.
    DayMonthYear,
    /// `1/31/2024`, `Jan 31, 2024`.
    MonthDayYear,
    /// `2024-01`: the first day of the month.
    YearMonth,
    /// `Jan-2024`, `01/2024`: the first day of the month.
    MonthYear,
    /// `20240131`, `20240131T143000`.
    Compact,
}

impl DateOrder {
    /// All orders, the one tried first in front.
    pub const ALL: [Self; 6] = [
        Self::YearMonthDay,
        Self::DayMonthYear,
        Self::MonthDayYear,
        Self::YearMonth,
        Self::MonthYear,
        Self::Compact,
    ];

    /// Its name in recipes and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::YearMonthDay => "year-month-day",
            Self::DayMonthYear => "day-month-year",
            Self::MonthDayYear => "month-day-year",
            Self::YearMonth => "year-month",
            Self::MonthYear => "month-year",
            Self::Compact => "compact",
        }
    }

    /// A date in this order.
    pub fn example(self) -> &'static str {
        match self {
            Self::YearMonthDay => "2024-01-31",
            Self::DayMonthYear => "31/01/2024",
            Self::MonthDayYear => "01/31/2024",
            Self::YearMonth => "2024-01",
            Self::MonthYear => "Jan-2024",
            Self::Compact => "20240131",
        }
    }

    /// Days from 1970-01-01, midnight UTC, to the moment that `cell` names, with its fraction.
    ///
    /// ```
    /// use tinderbox_datasets::table::DateOrder;
    ///
    /// assert_eq!(DateOrder::YearMonthDay.parse("1970-01-02T12:00:00Z"), Some(1.5));
    /// assert_eq!(DateOrder::DayMonthYear.parse("3 Jan 1970"), Some(2.0));
    /// assert_eq!(DateOrder::DayMonthYear.parse("30.02.1970"), None);
    /// ```
    pub fn parse(self, cell: &str) -> Option<f64> {
        let cell = cell.as_bytes();
        if self == Self::Compact {
            return compact(cell);
        }
        let (date, time) = split_time(cell);
        let days = self.day(date)?;
        Some(f64::from(days) + time.map_or(Some(0.0), fraction_of_day)?)
    }

    fn day(self, date: &[u8]) -> Option<i32> {
        let parts = Parts::split(date)?;
        let [a, b, c] = parts.texts;
        let (year, month, day) = match self {
            Self::YearMonthDay => (full_year(a)?, month(b)?, number(c, 2)?),
            Self::DayMonthYear => (year(c, &parts)?, month(b)?, number(a, 2)?),
            Self::MonthDayYear => (year(c, &parts)?, month(a)?, number(b, 2)?),
            Self::YearMonth => (full_year(a)?, month(b)?, 1),
            Self::MonthYear => (full_year(b)?, month(a)?, 1),
            Self::Compact => return None,
        };
        let wanted = match self {
            Self::YearMonth | Self::MonthYear => 2,
            _ => 3,
        };
        if parts.count != wanted {
            return None;
        }
        days(year, month, day)
    }
}

/// Julian day of 1970-01-01.
const EPOCH: i32 = 2_440_588;

fn days(year: i32, month: u32, day: u32) -> Option<i32> {
    let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
    let date = Date::from_calendar_date(year, month, u8::try_from(day).ok()?).ok()?;
    Some(date.to_julian_day() - EPOCH)
}

/// Writes days since 1970-01-01 as ISO 8601, with the time of day if there is one.
pub(crate) fn format(days: f64) -> String {
    // Half a millisecond more, so that 12:00 does not become 11:59:59.999.
    let moment = (days * 86_400_000.0 + 0.5).floor() as i64;
    let (day, milliseconds) = (moment.div_euclid(86_400_000), moment.rem_euclid(86_400_000));
    let date = i32::try_from(day)
        .ok()
        .and_then(|day| Date::from_julian_day(day.saturating_add(EPOCH)).ok());
    let Some(date) = date else {
        return days.to_string();
    };
    let (year, month, day) = date.to_calendar_date();
    let date = format!("{year:04}-{:02}-{day:02}", u8::from(month));
    let (seconds, rest) = (milliseconds / 1000, milliseconds % 1000);
    let time = format!(
        "{:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    );
    match (milliseconds, rest) {
        (0, _) => date,
        (_, 0) => format!("{date}T{time}"),
        _ => format!("{date}T{time}.{rest:03}"),
    }
}

/// Two or three parts of a date.
struct Parts<'a> {
    texts: [&'a [u8]; 3],
    count: usize,
    separator: u8,
}

impl<'a> Parts<'a> {
    fn split(date: &'a [u8]) -> Option<Self> {
        let (mut texts, mut count) = ([&b""[..]; 3], 0);
        let mut separator = None;
        let mut rest = date;
        while !rest.is_empty() {
            let end = rest
                .iter()
                .position(|&byte| is_separator(byte))
                .unwrap_or(rest.len());
            *texts.get_mut(count)? = &rest[..end];
            count += 1;
            let run = rest[end..]
                .iter()
                .take_while(|&&byte| is_separator(byte))
                .count();
            // `Jan 31, 2024` has a run of two; numbers stand one apart, by the same mark.
            let run_bytes = &rest[end..end + run];
            rest = &rest[end + run..];
            let Some(&mark) = run_bytes.first() else {
                break;
            };
            let loose = run > 1 && run_bytes != b", " && run_bytes != b". ";
            if loose
                || rest.is_empty()
                || (mark != b',' && mark != b' ' && *separator.get_or_insert(mark) != mark)
            {
                return None;
            }
        }
        let parts = Self {
            texts,
            count,
            separator: separator.unwrap_or(b' '),
        };
        (count >= 2 && !texts[0].is_empty() && !parts.are_a_number(date)).then_some(parts)
    }
}

/// Years that a date without a day may be of: other numbers of four digits are hardly years.
const YEARS: std::ops::RangeInclusive<i32> = 1500..=2200;

impl Parts<'_> {
    /// Whether these are rather the digits of a number: a comma stands between decimals or groups
    /// unless the month has a name (`Jan 31, 2024`), and so does a space between two parts. Two parts
    /// in digits need a year that is one.
    fn are_a_number(&self, date: &[u8]) -> bool {
        if date.iter().any(u8::is_ascii_alphabetic) {
            return false;
        }
        let year = || {
            let years = self.texts.iter().filter_map(|text| full_year(text));
            years.into_iter().any(|year| YEARS.contains(&year))
        };
        let short = self.count == 2 && (matches!(self.separator, b' ' | b'.') || !year());
        date.contains(&b',') || short
    }
}

fn is_separator(byte: u8) -> bool {
    matches!(byte, b'-' | b'/' | b'.' | b' ' | b',')
}

/// A whole number of one to `most` digits.
fn number(text: &[u8], most: usize) -> Option<u32> {
    let good = (1..=most).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    good.then(|| {
        text.iter()
            .fold(0, |value, digit| value * 10 + u32::from(digit - b'0'))
    })
}

fn full_year(text: &[u8]) -> Option<i32> {
    (text.len() == 4)
        .then(|| number(text, 4))?
        .map(u32::cast_signed)
}

/// A year of four digits, or of two: 69 to 99 are of the twentieth century, as in POSIX.
///
/// With points between the parts, two digits are a year only in `01.02.99`: else versions such as
/// `1.2.10` would be dates.
fn year(text: &[u8], parts: &Parts<'_>) -> Option<i32> {
    if text.len() != 2 {
        return full_year(text);
    }
    if parts.separator == b'.' && parts.texts.iter().any(|part| part.len() != 2) {
        return None;
    }
    let year = number(text, 2)?.cast_signed();
    Some(if year < 69 { 2000 + year } else { 1900 + year })
}

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// A month by its number, its English name, or the first three or four letters of that.
fn month(text: &[u8]) -> Option<u32> {
    if text.first()?.is_ascii_digit() {
        return number(text, 2);
    }
    let fits = |name: &str| {
        let whole = text.len() == name.len();
        let short = (3..=4).contains(&text.len()) && text.len() <= name.len();
        (whole || short) && name.as_bytes()[..text.len()].eq_ignore_ascii_case(text)
    };
    MONTHS.into_iter().position(fits).map(|at| at as u32 + 1)
}

/// Cuts a cell before its time of day, which starts one or two digits before the first colon.
fn split_time(cell: &[u8]) -> (&[u8], Option<&[u8]>) {
    let Some(colon) = cell.iter().position(|&byte| byte == b':') else {
        return (cell, None);
    };
    let hour = cell[..colon]
        .iter()
        .rev()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let start = colon - hour;
    match cell[..start] {
        [ref date @ .., b'T' | b't' | b' '] => (date.trim_ascii_end(), Some(&cell[start..])),
        _ => (cell, None),
    }
}

/// `14:30`, `14:30:05.25` or `14:30:05,25`, `2:30 PM`, each with an offset or without.
fn fraction_of_day(time: &[u8]) -> Option<f64> {
    let clock = time
        .iter()
        .take_while(|&&byte| byte.is_ascii_digit() || matches!(byte, b':' | b'.' | b','))
        .count();
    let (clock, rest) = time.split_at(clock);
    let mut parts = clock.split(|&byte| byte == b':');
    let (hour, minute) = (number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    let second = match parts.next() {
        Some(second) => seconds(second)?,
        None => 0.0,
    };
    let (hour, rest) = half_of_day(hour, rest.trim_ascii_start())?;
    let offset = offset(rest.trim_ascii_start())?;
    let good = parts.next().is_none() && hour < 24 && minute < 60 && second < 61.0;
    good.then(|| {
        (f64::from(hour * 3600 + minute * 60) + second - f64::from(offset) * 60.0) / 86_400.0
    })
}

fn seconds(text: &[u8]) -> Option<f64> {
    let (whole, decimals) = match text.iter().position(|&byte| matches!(byte, b'.' | b',')) {
        Some(point) => (&text[..point], &text[point + 1..]),
        None => (text, &b"0"[..]),
    };
    let decimals = decimals.get(..decimals.len().min(9))?;
    let scale = decimals.iter().fold(1.0, |scale, _| scale * 10.0);
    Some(f64::from(number(whole, 2)?) + f64::from(number(decimals, 9)?) / scale)
}

/// Takes `AM` or `PM` off.
fn half_of_day(hour: u32, rest: &[u8]) -> Option<(u32, &[u8])> {
    let Some((mark, after)) = rest.split_at_checked(2) else {
        return Some((hour, rest));
    };
    let evening = if mark.eq_ignore_ascii_case(b"pm") {
        12
    } else if mark.eq_ignore_ascii_case(b"am") {
        0
    } else {
        return Some((hour, rest));
    };
    (1..=12)
        .contains(&hour)
        .then_some((hour % 12 + evening, after))
}

/// Minutes east of UTC of `Z`, `UTC`, `+02:00`, `+0200`, `+02`, or nothing.
fn offset(text: &[u8]) -> Option<i32> {
    let (sign, digits) = match text {
        b"" | b"Z" | b"z" | b"UTC" => return Some(0),
        [b'+', digits @ ..] => (1, digits),
        [b'-', digits @ ..] => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match digits {
        [h1, h2] => ([*h1, *h2], [b'0', b'0']),
        [h1, h2, m1, m2] | [h1, h2, b':', m1, m2] => ([*h1, *h2], [*m1, *m2]),
        _ => return None,
    };
    let (hours, minutes) = (number(&hours, 2)?, number(&minutes, 2)?);
    (hours < 24 && minutes < 60).then(|| sign * (hours * 60 + minutes).cast_signed())
}

fn compact(cell: &[u8]) -> Option<f64> {
    let (date, time) = match cell.iter().position(|byte| matches!(byte, b'T' | b't')) {
        Some(at) => (&cell[..at], &cell[at + 1..]),
        None => (cell, &b"000000"[..]),
    };
    let (clock, zone) = time.split_at_checked(6)?;
    if date.len() != 8 {
        return None;
    }
    let day = days(
        full_year(&date[..4])?,
        number(&date[4..6], 2)?,
        number(&date[6..], 2)?,
    )?;
    let (hour, minute, second) = (
        number(&clock[..2], 2)?,
        number(&clock[2..4], 2)?,
        number(&clock[4..], 2)?,
    );
    let good = hour < 24 && minute < 60 && second < 61;
    let seconds = (hour * 3600 + minute * 60 + second).cast_signed() - offset(zone)? * 60;
    good.then(|| f64::from(day) + f64::from(seconds) / 86_400.0)
}

#[cfg(test)]
mod tests {
    use super::DateOrder::{
        self, Compact, DayMonthYear, MonthDayYear, MonthYear, YearMonth, YearMonthDay,
    };
    use super::format;

    /// Days of 2024-01-31, from Python's `datetime`.
    const DAY: f64 = 19_753.0;

    #[test]
    fn orders_are_written_by_their_names() {
        for order in DateOrder::ALL {
            let json = serde_json::to_string(&order).unwrap();
            assert_eq!(json, format!("\"{}\"", order.name()));
        }
    }

    #[test]
    fn each_order_reads_its_forms() {
        let cases = [
            (YearMonthDay, "2024-01-31"),
            (YearMonthDay, "2024/1/31"),
            (DayMonthYear, "31.01.2024"),
            (DayMonthYear, "31.01.24"),
            (DayMonthYear, "31/1/24"),
            (DayMonthYear, "31-Jan-2024"),
            (DayMonthYear, "31 January 2024"),
            (MonthDayYear, "1/31/2024"),
            (MonthDayYear, "Jan 31, 2024"),
            (Compact, "20240131"),
        ];
        for (order, cell) in cases {
            assert_eq!(order.parse(cell), Some(DAY), "{cell}");
        }
        for (order, cell) in [
            (YearMonth, "2024-01"),
            (YearMonth, "2024 Jan"),
            (MonthYear, "Jan, 2024"),
            (MonthYear, "Jan-2024"),
            (MonthYear, "01/2024"),
        ] {
            assert_eq!(order.parse(cell), Some(DAY - 30.0), "{cell}");
        }
    }

    #[test]
    fn the_time_of_day_is_a_fraction_and_the_offset_is_taken_off() {
        let cases = [
            (YearMonthDay, "2024-01-31T18:00:00Z", 0.75),
            (YearMonthDay, "2024-01-31 18:00", 0.75),
            (YearMonthDay, "2024-01-31 18:00:00,000", 0.75),
            (DayMonthYear, "31 Jan 2024 18:00", 0.75),
            (MonthDayYear, "Jan 31,2024 18:00", 0.75),
            (YearMonthDay, "2024-01-31T18:00:00+06:00", 0.5),
            (YearMonthDay, "2024-01-31T18:00:00.000-0600", 1.0),
            (MonthDayYear, "1/31/2024 6:00 PM", 0.75),
            (MonthDayYear, "1/31/2024 12:00:00 AM", 0.0),
            (Compact, "20240131T120000", 0.5),
        ];
        for (order, cell, fraction) in cases {
            assert_eq!(order.parse(cell), Some(DAY + fraction), "{cell}");
        }
    }

    #[test]
    fn what_is_no_date_is_refused_by_every_order() {
        let cells = [
            "",
            "2024",
            "12:30",
            "2023-02-29",
            "2024-13-01",
            "1.2.3",
            "10.0.1.5",
            "1.2.10",
            "3-2-1",
            "555-12-3456",
            "2024-01-31T25:00",
            "2024-01-31X",
            "1--2-2024",
            "31-01/2024",
            "- -",
            "Mon 5",
            "2024-01-31 10:00 +25:00",
            "abc",
            "1-2",
            "31.01.2024.",
            // Numbers with a decimal comma or groups of digits.
            "1000,5",
            "2024,5",
            "5,2024",
            "8363,12",
            "1.000,5",
            "12.12,2024",
            "2024, 5",
            "31, 12, 2024",
            "2024 5",
            "12 2024",
            "2024.5",
            "12.2024",
            // Ratios and codes rather than months.
            "1000-5",
            "1200/12",
            "9999-01",
            "3/8363",
        ];
        for cell in cells {
            for order in DateOrder::ALL {
                assert_eq!(order.parse(cell), None, "{cell} as {order:?}");
            }
        }
    }

    #[test]
    fn two_digits_turn_at_1969() {
        assert_eq!(DayMonthYear.parse("1/1/69"), Some(-365.0));
        assert_eq!(DayMonthYear.parse("1/1/68"), DayMonthYear.parse("1/1/2068"));
    }

    #[test]
    fn what_is_written_reads_back() {
        for days in [0.0, -1.0, DAY, DAY + 0.75, DAY + 0.1, -0.25, 2_932_896.0] {
            let text = format(days);
            let back = YearMonthDay.parse(&text).unwrap();
            assert!((back - days).abs() < 1e-8, "{days} {text} {back}");
        }
        assert_eq!(format(DAY), "2024-01-31");
        assert_eq!(format(DAY + 0.5), "2024-01-31T12:00:00");
    }
}
