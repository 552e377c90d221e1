//! Content hashes of items, to find duplicates and changed data.
//!
//! A hash is the first 8 bytes of SHA-256, read as a little-endian number. It is the same in every
//! run and on every platform, so it can be stored. Among a million items, two different ones share a
//! hash with a probability of 3 in 10^8.

use sha2::{Digest, Sha256};

/// Hashes the content of one item, such as the pixels of an image or the bytes of a text.
///
/// ```
/// use tinderbox_datasets::content_hash;
///
/// assert_eq!(content_hash(b"free entry"), content_hash(b"free entry"));
/// assert_ne!(content_hash(b"free entry"), content_hash(b"Free entry"));
/// ```
pub fn content_hash(bytes: &[u8]) -> u64 {
    first_bytes(&Sha256::digest(bytes))
}

/// Hashes an item that consists of several values, in order.
///
/// Every value is preceded by its length, so `["ab", "c"]` is not `["a", "bc"]`.
///
/// ```
/// use tinderbox_datasets::ContentHasher;
///
/// let hash = |words: [&str; 2]| {
///     let mut hasher = ContentHasher::default();
///     words.iter().for_each(|word| hasher.bytes(word.as_bytes()));
///     hasher.finish()
/// };
/// assert_ne!(hash(["ab", "c"]), hash(["a", "bc"]));
/// ```
#[derive(Clone, Debug, Default)]
pub struct ContentHasher(Sha256);

impl ContentHasher {
    /// Adds bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    /// Adds a number. All NaN are one value, and so are both zeros.
    pub fn number(&mut self, number: f64) {
        let number = if number.is_nan() { f64::NAN } else { number };
        self.bytes(&(number + 0.0).to_bits().to_le_bytes());
    }

    /// The hash of everything added.
    pub fn finish(self) -> u64 {
        first_bytes(&self.0.finalize())
    }
}

fn first_bytes(digest: &[u8]) -> u64 {
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_le_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_stable() {
        // The first 8 bytes of SHA-256, computed with Python's hashlib.
        assert_eq!(
            content_hash(b"abc").to_le_bytes(),
            [0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea]
        );
    }

    #[test]
    fn equal_numbers_have_one_hash() {
        let hash = |number| {
            let mut hasher = ContentHasher::default();
            hasher.number(number);
            hasher.finish()
        };
        assert_eq!(hash(0.0), hash(-0.0));
        assert_eq!(hash(f64::NAN), hash(-f64::NAN));
        assert_ne!(hash(1.0), hash(2.0));
    }
}
