//! The test images that a model is the most wrong about.

use std::path::PathBuf;

use tinderbox_train::Section;

/// Images that are named.
const WORST: usize = 10;

/// The first of some images by their files, with what they are ranked by.
pub(super) fn worst(head: [&str; 2], ranked: impl Iterator<Item = (PathBuf, f64)>) -> Section {
    let head = head.map(str::to_owned).to_vec();
    let rows = ranked
        .take(WORST)
        .map(|(path, value)| vec![path.display().to_string(), format!("{value:.4}")]);
    Section::table("", std::iter::once(head).chain(rows).collect())
}
