//! Whether an image file holds more than one frame.

use std::path::Path;
use std::sync::Once;

use tracing::warn;

use super::complete::gif_frames;

/// Whether a GIF, PNG or WebP is an animation: of one, only the first frame is decoded.
pub(super) fn is_animated(bytes: &[u8]) -> bool {
    match bytes {
        [b'G', b'I', b'F', ..] => gif_frames(bytes).is_some_and(|frames| frames > 1),
        // The chunk `acTL` precedes the pixels.
        [0x89, b'P', b'N', b'G', ..] => {
            let header = &bytes[..find(bytes, *b"IDAT").unwrap_or(0)];
            find(header, *b"acTL").is_some()
        }
        // The second bit of the flags of the extended format.
        [b'R', b'I', b'F', b'F', ..] => {
            bytes.get(12..16) == Some(b"VP8X") && bytes.get(20).is_some_and(|flags| flags & 2 != 0)
        }
        _ => false,
    }
}

/// Warns of an animation, of the first one in the process.
pub fn warn_if_animated(bytes: &[u8], path: &Path) {
    static FIRST: Once = Once::new();
    if is_animated(bytes) {
        let name = path.display();
        FIRST.call_once(|| {
            warn!("`{name}` is animated: only the first frame of such images is used");
        });
    }
}

/// A line about animations, if there are any.
pub fn animated_note(count: usize) -> Option<String> {
    match count {
        0 => None,
        1 => Some("1 image is animated: only its first frame is used".to_owned()),
        _ => Some(format!(
            "{count} images are animated: only the first frame of each is used"
        )),
    }
}

/// Where a chunk's name is.
fn find(bytes: &[u8], name: [u8; 4]) -> Option<usize> {
    bytes.windows(4).position(|window| window == name)
}

#[cfg(test)]
mod tests {
    use image::codecs::gif::GifEncoder;
    use image::{Delay, Frame, RgbaImage};

    use super::*;

    fn gif(frames: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = GifEncoder::new(&mut bytes);
        for _ in 0..frames {
            let frame = Frame::from_parts(
                RgbaImage::new(3, 2),
                0,
                0,
                Delay::from_numer_denom_ms(100, 1),
            );
            encoder.encode_frame(frame).unwrap();
        }
        drop(encoder);
        bytes
    }

    #[test]
    fn more_than_one_frame_is_an_animation() {
        assert!(!is_animated(&gif(1)));
        assert!(is_animated(&gif(2)));
        assert!(is_animated(include_bytes!(
            "../../tests/data/animated.webp"
        )));
    }

    #[test]
    fn a_png_is_one_with_the_chunk_for_it() {
        let png = |chunk: &[u8]| [b"\x89PNG\r\n\x1a\n", chunk, b"\0\0\0\x04IDATacTL"].concat();
        assert!(is_animated(&png(b"\0\0\0\x08acTL12345678")));
        assert!(!is_animated(&png(b"")));
        assert!(!is_animated(b"\xff\xd8\xff"));
    }

    #[test]
    fn the_note_counts_them() {
        assert_eq!(animated_note(0), None);
        assert!(animated_note(1).unwrap().starts_with("1 image is"));
        assert!(animated_note(2).unwrap().starts_with("2 images are"));
    }
}
