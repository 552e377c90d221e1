//! Parts of a prediction against the whole.

use std::fs;

use super::Place;

/// Checks that the parts of a prediction merge to its bytes, for any number of them.
///
/// `args` are the run and the input, which has `items` items.
pub fn check_shards(place: &Place, args: &[&str], items: usize) {
    for (end, format) in [("csv", "--csv"), ("jsonl", "--json")] {
        let whole = format!("whole.{end}");
        let flags = [&["predict", format], args].concat();
        place.run(&[&flags[..], &["--out", &whole]].concat()).ok();
        let whole = fs::read_to_string(place.path(&whole)).unwrap();
        assert!(whole.lines().count() >= items, "{}", whole.lines().count());
        for count in [1, 3, 16] {
            let (dir, merged) = (format!("{end}-{count}"), format!("merged-{count}.{end}"));
            for number in 1..=count {
                let shard = format!("{number}/{count}");
                let own = ["--shard", &shard, "--out", &dir];
                place.run(&[&flags[..], &own].concat()).ok();
            }
            place
                .run(&["predict", "--merge", &dir, "--out", &merged])
                .ok();
            let merged = fs::read_to_string(place.path(&merged)).unwrap();
            assert!(merged == whole, "{end}, {count} parts");
        }
    }
}
