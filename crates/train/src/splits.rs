//! Which items a run was trained, validated and tested on, by the hashes of their content.
//!
//! A run keeps the list in [`SPLITS_FILE`]. A later evaluation then uses exactly those items, even if
//! files were added, deleted or moved, and a resumed run notices that its data changed.
//!
//! For a new task: make an [`Item`] of everything that can be in a split, in the order of the data,
//! and a [`SplitList`] of those. Compare it with [`SplitList::check`] before a run is resumed, write it with
//! [`SplitList::save`] once the directory is open, and put [`SplitList::digest`] into the identity of
//! its checkpoints. To evaluate, [`SplitList::load`] it and let [`SplitList::choose`] decide which
//! items count.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tinderbox_datasets::atomic_file::write_atomic;
use tinderbox_datasets::format::hex_digits;
use tinderbox_datasets::{ContentHasher, content_hash, count_overlap};
use tinderbox_predict::FileError;

/// Name of the split list in a run directory.
pub const SPLITS_FILE: &str = "splits.json";

/// Version of the file.
const FORMAT: u32 = 1;

/// Names of the splits, and their letters in the file.
const SPLITS: [(&str, u8); 3] = [("train", b't'), ("valid", b'v'), ("test", b's')];

/// Letter of an item that is in no split.
const UNUSED: u8 = b'-';

/// Why a split list cannot be written or read, or a run cannot be resumed with this data.
#[derive(Debug, thiserror::Error)]
pub enum SplitsError {
    /// The file system refused.
    #[error(transparent)]
    Io(#[from] FileError),
    /// The file is not what this version writes.
    #[error("`{}` cannot be used: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// The data is not what the run began with.
    #[error(
        "the data changed since this run began: {changes}; restore the data to resume, or start a \
         new run"
    )]
    DataChanged {
        /// What changed.
        changes: Changes,
    },
}

impl SplitsError {
    /// Whether the user can fix it: everything but a failure of the file system.
    pub fn is_input(&self) -> bool {
        !matches!(self, Self::Io(_))
    }
}

/// What identifies an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    /// Hash of everything but the label.
    pub content: u64,
    /// Hash of the label.
    pub target: u32,
}

impl Item {
    /// An item with this content hash, from [`content_hash`] or [`ContentHasher`], and this label: the
    /// name of its class, or whatever else is predicted, as bytes.
    pub fn new(content: u64, target: impl AsRef<[u8]>) -> Self {
        Self {
            content,
            target: content_hash(target.as_ref()) as u32,
        }
    }
}

/// How data differs from a split list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Items of the list that are not in the data.
    pub missing: usize,
    /// Items of the data that are not in the list.
    pub new: usize,
    /// Items with another label than in the list.
    pub relabeled: usize,
    /// Whether the items are in another order.
    pub moved: bool,
}

impl std::fmt::Display for Changes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let counts = [
            (self.missing, "missing"),
            (self.new, "new"),
            (self.relabeled, "with another label"),
        ];
        let counts = counts.into_iter().filter(|(count, _)| *count > 0);
        let mut parts: Vec<String> = counts
            .map(|(count, what)| match count {
                1 => format!("1 item {what}"),
                _ => format!("{count} items {what}"),
            })
            .collect();
        if parts.is_empty() {
            let only = if self.moved {
                "its items are in another order"
            } else {
                "its items are in other splits"
            };
            parts.push(only.to_owned());
        }
        f.write_str(&parts.join(", "))
    }
}

/// All items of a data set in their order, and the split of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SplitList {
    items: Vec<Item>,
    splits: Vec<u8>,
}

/// As `splits.json` holds it: 16 and 8 hexadecimal digits and one letter for each item.
#[derive(Serialize, Deserialize)]
struct Document {
    format: u32,
    items: String,
    targets: String,
    splits: String,
}

/// Which items an evaluation is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// A stored split of the data that the model was trained on.
    Stored {
        /// Positions of its items in the data, ascending.
        rows: Vec<usize>,
        /// How the data differs from what the run was trained on. Only `missing` and `relabeled` are
        /// about this split; `new` items are in no split.
        changes: Changes,
    },
    /// All items of other data.
    Whole {
        /// Those that the model was trained on, and that make the score too good.
        trained_on: usize,
    },
}

impl SplitList {
    /// The items of a data set, and the positions of those in the splits `train`, `valid` and `test`.
    pub fn new(items: Vec<Item>, splits: [&[usize]; 3]) -> Self {
        let mut letters = vec![UNUSED; items.len()];
        for (rows, (_, letter)) in splits.into_iter().zip(SPLITS) {
            for &row in rows {
                letters[row] = letter;
            }
        }
        Self {
            items,
            splits: letters,
        }
    }

    /// As [`new`](Self::new), for splits that are data sets of their own.
    pub fn of_sets(sets: [&[Item]; 3]) -> Self {
        let letters = sets.iter().zip(SPLITS);
        let letters = letters.flat_map(|(set, (_, letter))| vec![letter; set.len()]);
        Self {
            splits: letters.collect(),
            items: sets.concat(),
        }
    }

    /// The items in the order of the data.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// A hash of all items, labels included, in their order.
    pub fn digest(&self) -> String {
        digest(&self.items)
    }

    /// Writes the list into a run directory.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn save(&self, run: &Path) -> Result<(), SplitsError> {
        let path = run.join(SPLITS_FILE);
        let io = || FileError::new("write", &path);
        let items = self.items.iter();
        let contents = items.clone().flat_map(|item| item.content.to_be_bytes());
        let targets = items.flat_map(|item| item.target.to_be_bytes());
        let document = Document {
            format: FORMAT,
            items: hex_digits(&contents.collect::<Vec<_>>()),
            targets: hex_digits(&targets.collect::<Vec<_>>()),
            splits: self
                .splits
                .iter()
                .map(|&letter| char::from(letter))
                .collect(),
        };
        let json = serde_json::to_vec(&document).map_err(|error| io()(error.into()))?;
        Ok(write_atomic(&path, |file| file.write_all(&json)).map_err(io())?)
    }

    /// Reads the list of a run directory, or nothing if it has none: a run of an older version.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or is damaged.
    pub fn load(run: &Path) -> Result<Option<Self>, SplitsError> {
        let path = run.join(SPLITS_FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => {
                return Err(FileError::new("read", &path)(source).into());
            }
        };
        parse(&text)
            .map(Some)
            .map_err(|reason| SplitsError::Damaged { path, reason })
    }

    /// Checks that a run that is to be resumed began with this data. A run that was killed before it had
    /// a list passes.
    ///
    /// # Errors
    ///
    /// If the data changed, with what changed, or the list cannot be read.
    pub fn check(&self, run: &Path) -> Result<(), SplitsError> {
        match Self::load(run)? {
            Some(stored) if stored != *self => Err(SplitsError::DataChanged {
                changes: stored.changes(&self.items),
            }),
            _ => Ok(()),
        }
    }

    /// How data differs from the whole list.
    pub fn changes(&self, current: &[Item]) -> Changes {
        let found = self.places(current);
        let known = found.iter().flatten().count();
        let relabeled = found.iter().zip(current);
        let relabeled = relabeled.filter(|(place, item)| {
            place.is_some_and(|place| self.items[place].target != item.target)
        });
        let order: Vec<usize> = found.iter().copied().flatten().collect();
        Changes {
            missing: self.items.len() - known,
            new: current.len() - known,
            relabeled: relabeled.count(),
            moved: !order.is_sorted(),
        }
    }

    /// Decides which items of `current`, in the order of the data, an evaluation of `split` is on.
    ///
    /// `other` says that the user named the data, as with `--data`. Data that is not what the model
    /// was trained on is evaluated as a whole: it has no splits. It counts as what the model was
    /// trained on if it is the same or nearly so; then the stored split is used, and the changes
    /// are told.
    pub fn choose(&self, current: &[Item], split: &str, other: bool) -> Scope {
        if other && !self.is_nearly(current) {
            return Scope::Whole {
                trained_on: self.trained_on(current),
            };
        }
        let places = self.places(current);
        let known = places.iter().flatten().count();
        let letter = SPLITS.iter().find(|(name, _)| *name == split);
        let letter = letter.map_or(UNUSED, |(_, letter)| *letter);
        let of_split = |row: &usize| places[*row].is_some_and(|at| self.splits[at] == letter);
        let rows: Vec<usize> = (0..current.len()).filter(of_split).collect();
        let relabeled = rows.iter().filter(|&&row| {
            places[row].is_some_and(|at| self.items[at].target != current[row].target)
        });
        let changes = Changes {
            missing: self.count(letter) - rows.len(),
            new: current.len() - known,
            relabeled: relabeled.count(),
            moved: false,
        };
        Scope::Stored { rows, changes }
    }

    /// Whether data is that of the list: the same items, or 80% of both. If half of the items are
    /// copies, as rows of a few categories are, another sample has the same ones too, so only the
    /// same items count.
    fn is_nearly(&self, current: &[Item]) -> bool {
        if self.items == current {
            return true;
        }
        let [own, other] = [&self.items[..], current].map(different);
        let common = own.intersection(&other).count();
        let decisive = 2 * own.len() > self.items.len() && 2 * other.len() > current.len();
        decisive && 5 * common >= 4 * own.len() && 5 * common >= 4 * other.len()
    }

    /// Number of items that also occur in the training split.
    fn trained_on(&self, current: &[Item]) -> usize {
        let (train, items) = (SPLITS[0].1, self.items.iter().zip(&self.splits));
        let train = items.filter(|(_, split)| **split == train);
        count_overlap(
            current.iter().map(|item| item.content),
            train.map(|(item, _)| item.content),
        )
    }

    /// How many items a split has.
    fn count(&self, letter: u8) -> usize {
        let of_split = self.splits.iter().filter(|&&own| own == letter);
        of_split.fold(0, |count, _| count + 1)
    }

    /// For each item of `current` its place in the list. Of copies, each has a place of its own, and
    /// those with the same label find each other first.
    fn places(&self, current: &[Item]) -> Vec<Option<usize>> {
        let mut places = vec![None; current.len()];
        let mut taken = vec![false; self.items.len()];
        let with_label = |item: &Item| (item.content, Some(item.target));
        let without = |item: &Item| (item.content, None);
        let rounds: [&dyn Fn(&Item) -> Key; 2] = [&with_label, &without];
        for key in rounds {
            let mut free: HashMap<Key, Vec<usize>> = HashMap::new();
            for at in (0..self.items.len()).rev().filter(|&at| !taken[at]) {
                free.entry(key(&self.items[at])).or_default().push(at);
            }
            for (place, item) in places.iter_mut().zip(current) {
                if place.is_none() {
                    *place = free.get_mut(&key(item)).and_then(Vec::pop);
                }
                if let Some(at) = *place {
                    taken[at] = true;
                }
            }
        }
        places
    }
}

fn different(items: &[Item]) -> HashSet<u64> {
    items.iter().map(|item| item.content).collect()
}

/// A hash of items, labels included, in their order: for the identity of a checkpoint, or to
/// recognize the data that a model was trained on.
pub fn digest(items: &[Item]) -> String {
    let mut hasher = ContentHasher::default();
    for item in items {
        hasher.bytes(&item.content.to_le_bytes());
        hasher.bytes(&item.target.to_le_bytes());
    }
    format!("{:016x}", hasher.finish())
}

fn parse(text: &str) -> Result<SplitList, String> {
    let document: Document = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if document.format != FORMAT {
        return Err(format!("it has format {}, not {FORMAT}", document.format));
    }
    let splits = document.splits.into_bytes();
    let known = |letter: &u8| *letter == UNUSED || SPLITS.iter().any(|(_, own)| own == letter);
    if !splits.iter().all(known) {
        return Err("it has an unknown split".to_owned());
    }
    let (contents, targets) = (document.items.as_bytes(), document.targets.as_bytes());
    if contents.len() != 16 * splits.len() || targets.len() != 8 * splits.len() {
        return Err("its lists differ in length".to_owned());
    }
    let number = |digits: &[u8]| {
        let digits = std::str::from_utf8(digits).map_err(|error| error.to_string())?;
        u64::from_str_radix(digits, 16).map_err(|error| error.to_string())
    };
    let items = contents.chunks_exact(16).zip(targets.chunks_exact(8));
    let items = items.map(|(content, target)| {
        Ok(Item {
            content: number(content)?,
            target: number(target)? as u32,
        })
    });
    Ok(SplitList {
        items: items.collect::<Result<_, String>>()?,
        splits,
    })
}

/// What an item is found by: its content, with its label or without.
type Key = (u64, Option<u32>);

#[cfg(test)]
mod tests {
    use super::*;

    fn items(contents: impl IntoIterator<Item = u64>) -> Vec<Item> {
        let item = |content| Item::new(content, if content % 2 == 0 { "even" } else { "odd" });
        contents.into_iter().map(item).collect()
    }

    /// Ten items: the first six to train on, then two to validate with and two to test on.
    fn list() -> SplitList {
        SplitList::new(items(0..10), [&[0, 1, 2, 3, 4, 5], &[6, 7], &[8, 9]])
    }

    fn stored(list: &SplitList, current: &[Item], split: &str) -> (Vec<usize>, Changes) {
        match list.choose(current, split, false) {
            Scope::Stored { rows, changes } => (rows, changes),
            Scope::Whole { .. } => panic!("it is the training data"),
        }
    }

    #[test]
    fn a_list_survives_the_disk_and_damage_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(SplitList::load(dir.path()).unwrap(), None);
        list().save(dir.path()).unwrap();
        assert_eq!(SplitList::load(dir.path()).unwrap(), Some(list()));
        let path = dir.path().join(SPLITS_FILE);
        let whole = fs::read_to_string(&path).unwrap();
        for damaged in [
            whole.replace("\"format\":1", "\"format\":9"),
            whole.replace("ttt", "ttx"),
            whole.replace("ttt", "tt"),
            whole[..whole.len() / 2].to_owned(),
        ] {
            fs::write(&path, &damaged).unwrap();
            let error = SplitList::load(dir.path()).unwrap_err();
            assert!(matches!(error, SplitsError::Damaged { .. }), "{damaged}");
        }
    }

    #[test]
    fn the_stored_items_are_found_wherever_they_are_now() {
        let same = Changes::default();
        assert_eq!(stored(&list(), &items(0..10), "test"), (vec![8, 9], same));
        assert_eq!(
            stored(&list(), &items((0..10).rev()), "test"),
            (vec![0, 1], same)
        );
        // One is deleted, two are added.
        let (rows, changes) = stored(&list(), &items([20, 0, 1, 2, 3, 4, 5, 6, 7, 9, 21]), "test");
        assert_eq!(rows, [9]);
        assert_eq!([changes.missing, changes.new, changes.relabeled], [1, 2, 0]);
        // One has another label.
        let mut current = items(0..10);
        current[9] = Item::new(9, "prime");
        let (rows, changes) = stored(&list(), &current, "test");
        assert_eq!((rows, changes.relabeled), (vec![8, 9], 1));
        assert_eq!(stored(&list(), &current, "train").1.relabeled, 0);
    }

    #[test]
    fn copies_are_counted_one_by_one() {
        let list = SplitList::new(items([5, 5, 5, 7]), [&[0, 1], &[3], &[2]]);
        let (rows, changes) = stored(&list, &items([5, 7, 5, 5, 5]), "test");
        assert_eq!((rows, changes.new, changes.missing), (vec![3], 1, 0));
    }

    #[test]
    fn other_data_is_evaluated_as_a_whole() {
        let whole = |current: &[Item]| match list().choose(current, "test", true) {
            Scope::Whole { trained_on } => Some(trained_on),
            Scope::Stored { .. } => None,
        };
        assert_eq!(whole(&items(100..130)), Some(0));
        // Two rows of the training split, in data of its own.
        assert_eq!(whole(&items([1, 2, 30, 31, 32])), Some(2));
        // Much more than the training data.
        assert_eq!(whole(&items(0..40)), Some(6));
        // The training data, and nearly so.
        assert_eq!(whole(&items(0..10)), None);
        assert_eq!(whole(&items(1..12)), None);
        // Another sample of the same few kinds of rows is other data.
        let few = SplitList::new(items([1, 1, 2, 2, 3, 3]), [&[0, 1, 2, 3], &[4], &[5]]);
        let is_whole =
            |current: &[Item]| matches!(few.choose(current, "test", true), Scope::Whole { .. });
        assert!(is_whole(&items([1, 2, 2, 3, 1, 1])));
        assert!(!is_whole(&items([1, 1, 2, 2, 3, 3])));
    }

    #[test]
    fn a_resumed_run_says_what_changed() {
        let dir = tempfile::tempdir().unwrap();
        list().check(dir.path()).unwrap();
        list().save(dir.path()).unwrap();
        list().check(dir.path()).unwrap();
        let mut flipped = items(0..10);
        flipped[3] = Item::new(3, "even");
        let other = |items: Vec<Item>| {
            let list = SplitList::new(items, [&[0, 1, 2, 3, 4, 5], &[6, 7], &[8, 9]]);
            list.check(dir.path()).unwrap_err().to_string()
        };
        let message = other(flipped);
        assert!(message.contains("the data changed"), "{message}");
        assert!(
            message.contains(": 1 item with another label;"),
            "{message}"
        );
        let message = other(items(1..11));
        assert!(message.contains("1 item missing, 1 item new"), "{message}");
        let message = other(items((0..10).rev()));
        assert!(message.contains("in another order"), "{message}");
    }

    #[test]
    fn the_digest_depends_on_content_label_and_order() {
        let base = digest(&items(0..3));
        assert_eq!(base.len(), 16);
        assert_eq!(base, digest(&items(0..3)));
        assert_ne!(base, digest(&items([1, 0, 2])));
        assert_ne!(
            base,
            digest(&[Item::new(0, "odd"), items([1])[0], items([2])[0]])
        );
    }
}
