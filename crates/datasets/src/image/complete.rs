//! Whether an image file is whole: decoders accept files that were cut and leave the rest gray.

use image::ImageFormat;

/// Checks that the file has the end that its format demands; the error says what is missing.
///
/// Only the outline is walked, no pixel is decoded. Formats that are not named here have decoders that
/// notice a cut themselves.
pub(super) fn check_complete(format: ImageFormat, bytes: &[u8]) -> Result<(), &'static str> {
    let (whole, missing) = match format {
        ImageFormat::Jpeg => (jpeg(bytes), "it ends without the end marker of a JPEG"),
        ImageFormat::Png => (png(bytes), "it ends without the IEND chunk of a PNG"),
        ImageFormat::Gif => (
            gif_frames(bytes).map(|_| ()),
            "it ends without the trailer of a GIF",
        ),
        ImageFormat::WebP => (riff(bytes), "it is shorter than its WebP header says"),
        _ => (Some(()), ""),
    };
    whole.ok_or(missing)
}

/// Follows the segments to the end marker.
fn jpeg(bytes: &[u8]) -> Option<()> {
    let mut at = 2;
    loop {
        // Segments begin with a marker; some cameras leave other bytes between them.
        at += bytes.get(at..)?.iter().position(|&byte| byte == 0xFF)?;
        at += bytes.get(at..)?.iter().position(|&byte| byte != 0xFF)?;
        let marker = bytes[at];
        at += 1;
        match marker {
            0xD9 => return Some(()),
            // Bytes that stand for themselves in a scan, restarts, and markers without content.
            0x00 | 0x01 | 0xD0..=0xD8 => {}
            // A scan follows its header, and is passed over by looking for the next marker.
            _ => at += usize::from(u16::from_be_bytes(array(bytes, at)?)),
        }
    }
}

fn png(bytes: &[u8]) -> Option<()> {
    let mut at = 8;
    loop {
        let length = u32::from_be_bytes(array(bytes, at)?) as usize;
        let kind: [u8; 4] = array(bytes, at + 4)?;
        // Length, kind, content and checksum.
        at = at.checked_add(length)?.checked_add(12)?;
        bytes.get(..at)?;
        if &kind == b"IEND" {
            return Some(());
        }
    }
}

fn riff(bytes: &[u8]) -> Option<()> {
    let length = u32::from_le_bytes(array(bytes, 4)?) as usize;
    // The last byte may be padding, which some programs leave out.
    bytes.get(..length.checked_add(7)?).map(|_| ())
}

/// The frames of a GIF; none if it is cut.
pub(super) fn gif_frames(bytes: &[u8]) -> Option<usize> {
    let mut frames = 0;
    let colors = |flags: u8| {
        if flags & 0x80 == 0 {
            0
        } else {
            3 << ((flags & 7) + 1)
        }
    };
    let mut at = 13 + colors(*bytes.get(10)?);
    loop {
        let block = *bytes.get(at)?;
        at += match block {
            0x3B => return Some(frames),
            // An extension: its kind, then sub-blocks.
            0x21 => 2,
            // A frame: place, size and flags, maybe colors, the first code's size, then sub-blocks.
            0x2C => {
                frames += 1;
                11 + colors(*bytes.get(at + 9)?)
            }
            _ => return None,
        };
        loop {
            let length = usize::from(*bytes.get(at)?);
            at += 1 + length;
            if length == 0 {
                break;
            }
        }
    }
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}
