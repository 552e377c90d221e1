//! When a photo was taken.

use std::path::Path;

use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time};

use super::decode::exif_metadata;

/// EXIF tags of a time: when the photo was taken, digitized, and last changed.
const TIMES: [u16; 3] = [0x9003, 0x9004, 0x0132];

/// EXIF tag of the place of the tags about the photo itself.
const PHOTO_TAGS: u16 = 0x8769;

/// Most tags of a group that are read.
const MAX_TAGS: usize = 1_000;

/// Unix times of the years 2000 to 2039 in s, in which digits of a file name are taken as one.
const UNIX_TIMES: std::ops::Range<i64> = 946_684_800..2_208_988_800;

/// When a photo was taken according to its EXIF note, in the time zone of the camera; none if it does not say.
pub fn exif_time(bytes: &[u8], name: &Path) -> Option<PrimitiveDateTime> {
    let exif = exif_metadata(bytes, name)?;
    let exif = exif.strip_prefix(b"Exif\0\0").unwrap_or(&exif);
    let tiff = Tiff::new(exif)?;
    let first = tiff.u32(4)? as usize;
    let photo = tiff.tag(first, PHOTO_TAGS);
    let photo = photo.and_then(|at| tiff.u32(at + 8)).map(|at| at as usize);
    let time = |tag: u16| {
        let in_photo = photo.and_then(|photo| tiff.tag(photo, tag));
        let text = tiff.text(in_photo.or_else(|| tiff.tag(first, tag))?)?;
        exif_date_time(text)
    };
    TIMES.into_iter().find_map(time)
}

/// When a photo was taken according to its file name, in UTC where it is a Unix time; none if it does not say.
///
/// ```
/// use std::path::Path;
/// use tinderbox_datasets::image::file_name_time;
///
/// let day = |name: &str| file_name_time(Path::new(name)).map(|time| time.date().to_string());
/// assert_eq!(day("site/IMG_20201005_093000.jpg").as_deref(), Some("2020-10-05"));
/// assert_eq!(day("2020-10-05 crane.jpg").as_deref(), Some("2020-10-05"));
/// assert_eq!(day("1601891412.jpeg").as_deref(), Some("2020-10-05"));
/// assert_eq!(day("photo 17.jpg"), None);
/// ```
pub fn file_name_time(path: &Path) -> Option<PrimitiveDateTime> {
    let name = path.file_stem()?.to_string_lossy();
    let numbers = numbers(&name);
    let unix = numbers.iter().find_map(|&(_, digits)| unix_time(digits));
    let date = numbers.iter().enumerate().find_map(|(at, _)| {
        let (date, used) = date_at(&numbers[at..])?;
        let next = numbers.get(at + used).map_or("", |(_, digits)| digits);
        let (_, rest) = numbers[at].1.split_at(numbers[at].1.len().min(8));
        let time = if used == 1 && !rest.is_empty() {
            rest
        } else {
            next
        };
        Some(PrimitiveDateTime::new(date, time_of(time)))
    });
    date.or(unix)
}

/// The runs of digits in a text, each with the text before it.
fn numbers(text: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(|letter: char| letter.is_ascii_digit()) {
        let (before, from) = rest.split_at(start);
        let end = from.find(|letter: char| !letter.is_ascii_digit());
        let (digits, after) = from.split_at(end.unwrap_or(from.len()));
        found.push((before, digits));
        rest = after;
    }
    found
}

/// A date at the start of some numbers, as in `20201005` or `2020-10-05`, and how many numbers it has.
fn date_at(numbers: &[(&str, &str)]) -> Option<(Date, usize)> {
    match numbers {
        [(_, one), ..] if matches!(one.len(), 8 | 12 | 14) => {
            Some((date(&one[..4], &one[4..6], &one[6..8])?, 1))
        }
        [(_, year), (first, month), (second, day), ..] if year.len() == 4 => {
            let is_separator = |text: &str| matches!(text, "-" | "_" | "." | ":");
            let fits = is_separator(first) && first == second && month.len() <= 2 && day.len() <= 2;
            let date = fits.then(|| date(year, month, day)).flatten()?;
            Some((date, 3))
        }
        _ => None,
    }
}

fn date(year: &str, month: &str, day: &str) -> Option<Date> {
    let year = year.parse().ok().filter(|year| (1900..2100).contains(year));
    let month = Month::try_from(month.parse::<u8>().ok()?).ok()?;
    Date::from_calendar_date(year?, month, day.parse().ok()?).ok()
}

/// The time in digits such as `093000` or `0930`; midnight if there is none.
fn time_of(digits: &str) -> Time {
    let pair = |at: usize| {
        digits
            .get(at..at + 2)
            .and_then(|two| two.parse::<u8>().ok())
    };
    let time = (matches!(digits.len(), 4 | 6) || digits.len() == 9)
        .then(|| Time::from_hms(pair(0)?, pair(2)?, pair(4).unwrap_or(0)).ok())
        .flatten();
    time.unwrap_or(Time::MIDNIGHT)
}

/// A Unix time in s or ms.
fn unix_time(digits: &str) -> Option<PrimitiveDateTime> {
    let seconds: i64 = match digits.len() {
        10 => digits.parse().ok()?,
        13 => digits[..10].parse().ok()?,
        _ => return None,
    };
    let time = UNIX_TIMES.contains(&seconds).then_some(seconds)?;
    let time = OffsetDateTime::from_unix_timestamp(time).ok()?;
    Some(PrimitiveDateTime::new(time.date(), time.time()))
}

/// A time as EXIF writes it: `2020:10:05 09:30:00`.
fn exif_date_time(text: &str) -> Option<PrimitiveDateTime> {
    let (day, clock) = text.trim().split_once(' ')?;
    let mut parts = day.split(':');
    let date = date(parts.next()?, parts.next()?, parts.next()?)?;
    Some(PrimitiveDateTime::new(
        date,
        time_of(&clock.replace(':', "")),
    ))
}

/// The tags of a TIFF, which is what an EXIF note is.
struct Tiff<'a> {
    bytes: &'a [u8],
    is_little: bool,
}

impl<'a> Tiff<'a> {
    fn new(bytes: &'a [u8]) -> Option<Self> {
        let is_little = match bytes.get(..2)? {
            b"II" => true,
            b"MM" => false,
            _ => return None,
        };
        Some(Self { bytes, is_little })
    }

    fn u16(&self, at: usize) -> Option<u16> {
        let two = self.bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if self.is_little {
            u16::from_le_bytes(two)
        } else {
            u16::from_be_bytes(two)
        })
    }

    fn u32(&self, at: usize) -> Option<u32> {
        let four = self.bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if self.is_little {
            u32::from_le_bytes(four)
        } else {
            u32::from_be_bytes(four)
        })
    }

    /// Where the tag is described in the group that starts at `group`.
    fn tag(&self, group: usize, tag: u16) -> Option<usize> {
        let count = usize::from(self.u16(group)?).min(MAX_TAGS);
        let entries = (0..count).map(|entry| group + 2 + 12 * entry);
        entries
            .take_while(|&entry| self.u16(entry).is_some())
            .find(|&entry| self.u16(entry) == Some(tag))
    }

    /// The text of a tag that is longer than 4 bytes.
    fn text(&self, entry: usize) -> Option<&'a str> {
        let length = self.u32(entry + 4)? as usize;
        let at = self.u32(entry + 8)? as usize;
        let bytes = self.bytes.get(at..at.checked_add(length)?)?;
        std::str::from_utf8(bytes)
            .ok()
            .map(|text| text.trim_end_matches('\0'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_name(name: &str) -> Option<String> {
        file_name_time(Path::new(name)).map(|time| time.to_string())
    }

    #[test]
    fn times_are_read_from_file_names() {
        for (name, expected) in [
            ("IMG_20201005_093015.jpg", "2020-10-05 9:30:15.0"),
            ("20201005093015.png", "2020-10-05 9:30:15.0"),
            ("PXL_20201005_093015123.jpg", "2020-10-05 9:30:15.0"),
            ("crane 2020-10-05.jpg", "2020-10-05 0:00:00.0"),
            ("2020_10_5_north.jpg", "2020-10-05 0:00:00.0"),
            ("1601891412.jpeg", "2020-10-05 9:50:12.0"),
            ("cam1601891412345.jpeg", "2020-10-05 9:50:12.0"),
        ] {
            assert_eq!(of_name(name).as_deref(), Some(expected), "{name}");
        }
        for name in [
            "ASTA_001.jpeg",
            "20201305.jpg",
            "2020-02-30.jpg",
            "9991891412.jpg",
            "1-2-3.jpg",
            "",
        ] {
            assert_eq!(of_name(name), None, "{name}");
        }
    }

    /// A JPEG with an EXIF note of these bytes.
    fn jpeg(exif: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut to = std::io::Cursor::new(&mut bytes);
        image::GrayImage::new(8, 8)
            .write_to(&mut to, image::ImageFormat::Jpeg)
            .unwrap();
        let mut segment = b"\xff\xe1".to_vec();
        segment.extend((exif.len() as u16 + 8).to_be_bytes());
        segment.extend(b"Exif\0\0");
        segment.extend(exif);
        bytes.splice(2..2, segment);
        bytes
    }

    /// A note with the time of the last change, and that of the photo.
    fn exif() -> Vec<u8> {
        let mut note = b"MM\0*\0\0\0\x08".to_vec();
        // Two tags, then the group of the photo with one.
        note.extend(
            b"\0\x02\x01\x32\0\x02\0\0\0\x14\0\0\0\x38\x87\x69\0\x04\0\0\0\x01\0\0\0\x26\0\0\0\0",
        );
        note.extend(b"\0\x01\x90\x03\0\x02\0\0\0\x14\0\0\0\x4c\0\0\0\0");
        assert_eq!(note.len(), 0x38);
        note.extend(b"2021:01:01 00:00:00\0");
        note.extend(b"2020:07:24 09:30:15\0");
        note
    }

    #[test]
    fn the_time_of_a_photo_is_read_from_its_note() {
        let time = |exif: &[u8]| exif_time(&jpeg(exif), Path::new("a.jpg"));
        let full = exif();
        assert_eq!(time(&full).unwrap().to_string(), "2020-07-24 9:30:15.0");
        // Without the time of the photo, that of the last change.
        let mut changed = full.clone();
        changed[0x28] = 0x91;
        assert_eq!(time(&changed).unwrap().date().to_string(), "2021-01-01");
        // A note that was cut or is wrong never panics.
        for len in 0..full.len() {
            time(&full[..len]);
            let mut wrong = full.clone();
            wrong[len] = 0xff;
            time(&wrong);
        }
        assert_eq!(exif_time(b"no image", Path::new("a")), None);
    }
}
