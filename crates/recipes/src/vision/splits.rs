//! The splits of a data set of images.

use tinderbox_datasets::{
    count_duplicates, count_overlap, stratified_folds_by_content, stratified_indices_by_content,
};
use tinderbox_train::splits::SplitList;
use tinderbox_train::task::SplitOverview;
use tinderbox_train::{SharedItems, Split, Splits};

use super::data::{DataError, ImageData, NamedSplit};

/// Which images are in which split, of the final training and of each fold.
#[derive(Clone, Debug)]
pub struct ImageSplits {
    /// The splits of the final training.
    pub splits: Splits,
    /// Those of the folds of a cross-validation.
    pub folds: Vec<Splits>,
    /// Where the images of the training, validation and test split are from.
    pub sources: [String; 3],
    /// Images that are a copy of another one, among those that are split here.
    pub duplicates: usize,
    /// Images shared between splits, if the data set defines its splits.
    pub shared: SharedItems,
    /// Whether the test split is within reach.
    pub has_test: bool,
}

/// What images are split by.
#[derive(Clone, Copy)]
pub(super) struct SplitSource<'a> {
    /// The class of each image.
    pub(super) labels: &'a [u16],
    /// A hash of the content of each.
    pub(super) contents: &'a [u64],
    /// Names of the classes.
    pub(super) classes: &'a [String],
    /// The data's own training, validation and test split.
    pub(super) named: &'a [Option<NamedSplit>; 3],
}

impl<'a> SplitSource<'a> {
    fn new(data: &'a ImageData) -> Self {
        Self {
            labels: &data.labels,
            contents: &data.contents,
            classes: &data.classes,
            named: &data.named,
        }
    }

    fn labels_of(&self, rows: &[usize]) -> Vec<u16> {
        rows.iter().map(|&row| self.labels[row]).collect()
    }

    fn contents_of(&self, rows: &[usize]) -> Vec<u64> {
        rows.iter().map(|&row| self.contents[row]).collect()
    }
}

impl ImageSplits {
    /// The splits for people; `classes` counts the items of each class among some images.
    pub(super) fn overview(
        &self,
        classes: impl Fn(&[usize]) -> Vec<(String, usize)>,
    ) -> Vec<SplitOverview> {
        let splits = self.splits.named().into_iter();
        splits
            .zip(&self.sources)
            .map(|((name, rows), source)| SplitOverview {
                name: name.to_owned(),
                count: rows.len(),
                source: source.clone(),
                classes: classes(rows),
            })
            .collect()
    }

    /// Puts the test split out of reach, as [`Splits::hide_test`].
    pub fn hide_test(&mut self) {
        self.splits.hide_test(&mut self.folds);
        self.has_test = false;
    }

    /// The first images of the test split, at most so many, to measure the time of one.
    pub(super) fn timed(&self, most: usize) -> &[usize] {
        let test = &self.splits.test;
        &test[..test.len().min(most)]
    }

    /// Splits images: copies of an image stay in one split, and every class is split in proportion.
    ///
    /// A test and a validation split of the data are kept. The folds divide the images of its training
    /// split, or all images where it has none.
    ///
    /// # Errors
    ///
    /// If there are too few.
    pub fn new(data: &ImageData, split: &Split) -> Result<Self, DataError> {
        Self::of(&SplitSource::new(data), split)
    }

    /// Splits images that have no class, as [`new`](Self::new).
    pub(super) fn without_classes(
        contents: &[u64],
        named: &[Option<NamedSplit>; 3],
        split: &Split,
    ) -> Result<Self, DataError> {
        let source = SplitSource {
            labels: &vec![0; contents.len()],
            contents,
            classes: &["image".to_owned()],
            named,
        };
        Self::of(&source, split)
    }

    /// Splits what may be images with any target, as [`new`](Self::new).
    pub(super) fn of(data: &SplitSource<'_>, split: &Split) -> Result<Self, DataError> {
        let [train, valid, test] = data.named;
        let rest: Vec<usize> = match train {
            Some(train) => train.range.clone().collect(),
            None => (0..data.labels.len()).collect(),
        };
        let own = train.as_ref();
        let (rest_of_test, test_rows, test_source) = part(
            data,
            &rest,
            test.as_ref(),
            own,
            ("test", split.test_fraction),
            split.seed,
        )?;
        let validation = ("validation", split.valid_fraction);
        let (kept, valid_rows, valid_source) = part(
            data,
            &rest_of_test,
            valid.as_ref(),
            own,
            validation,
            split.seed,
        )?;
        let source = own.map_or(String::new(), |own| {
            if kept.len() < own.range.len() {
                format!("the rest of {}", own.source)
            } else {
                own.source.clone()
            }
        });
        let splits = Splits {
            train: kept,
            valid: valid_rows,
            test: test_rows,
        };
        let contents = |rows: &[usize]| data.contents_of(rows);
        let known = [contents(&splits.train), contents(&splits.valid)].concat();
        let shared = SharedItems {
            test: count_overlap(contents(&splits.test), known),
            valid: count_overlap(contents(&splits.valid), contents(&splits.train)),
            test_similar: 0,
        };
        Ok(Self {
            folds: folds(data, &rest, valid.as_ref(), split)?,
            duplicates: count_duplicates(&contents(&rest)),
            shared,
            splits,
            sources: [source, valid_source, test_source],
            has_test: true,
        })
    }

    /// Which image is in which split, for the run directory.
    pub fn list(&self, data: &ImageData) -> SplitList {
        let Splits { train, valid, test } = &self.splits;
        SplitList::new(data.items(), [train, valid, test])
    }
}

/// A split of the data itself, or else a fraction of `rows`: the remaining rows, those of the split,
/// and where they are from.
fn part(
    data: &SplitSource<'_>,
    rows: &[usize],
    given: Option<&NamedSplit>,
    train: Option<&NamedSplit>,
    (name, fraction): (&str, f64),
    seed: u64,
) -> Result<(Vec<usize>, Vec<usize>, String), DataError> {
    if let Some(given) = given {
        let own = given.range.clone().collect();
        return Ok((rows.to_vec(), own, given.source.clone()));
    }
    let (kept, held) = hold_out(data, rows, fraction, seed)?;
    let percent = (10_000.0 * fraction).round() / 100.0;
    // The test split is taken first, so the validation split is a part of what it leaves.
    let whole = train.map_or(data.labels.len(), |train| train.range.len());
    let of = if rows.len() < whole {
        "of the rest of"
    } else {
        "of"
    };
    let source = match train {
        // A folder may have a test split under a name that is not recognized.
        Some(train) if train.source.starts_with('`') => {
            format!("{percent}% {of} {} (no {name} split found)", train.source)
        }
        Some(train) => format!("{percent}% {of} {}", train.source),
        None => format!("{percent}% {of} the images"),
    };
    Ok((kept, held, source))
}

fn folds(
    data: &SplitSource<'_>,
    rows: &[usize],
    valid: Option<&NamedSplit>,
    split: &Split,
) -> Result<Vec<Splits>, DataError> {
    if split.folds == 0 {
        return Ok(Vec::new());
    }
    let (labels, contents) = (data.labels_of(rows), data.contents_of(rows));
    let folds =
        stratified_folds_by_content(&labels, &contents, data.classes, split.folds, split.seed)?;
    let named = |places: Vec<usize>| -> Vec<usize> {
        places.into_iter().map(|place| rows[place]).collect()
    };
    let folds = folds.into_iter().enumerate().map(|(fold, (rest, test))| {
        let (rest, test) = (named(rest), named(test));
        let (train, valid) = match valid {
            Some(valid) => (rest, valid.range.clone().collect()),
            None => hold_out(data, &rest, split.valid_fraction, split.fold_seed(fold))?,
        };
        Ok(Splits { train, valid, test })
    });
    folds.collect()
}

/// Holds out a fraction of some images, copies together and every class in proportion.
fn hold_out(
    data: &SplitSource<'_>,
    rows: &[usize],
    fraction: f64,
    seed: u64,
) -> Result<(Vec<usize>, Vec<usize>), DataError> {
    let (labels, contents) = (data.labels_of(rows), data.contents_of(rows));
    let (kept, held) = stratified_indices_by_content(&labels, &contents, fraction, seed)?;
    let named = |places: Vec<usize>| places.into_iter().map(|place| rows[place]).collect();
    Ok((named(kept), named(held)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vision::{Data, open};

    #[test]
    fn folds_divide_the_training_images_and_leave_the_test_alone() {
        let data = open(&Data::digits()).unwrap();
        let split = Split {
            folds: 4,
            ..Split::default()
        };
        let images = ImageSplits::new(&data, &split).unwrap();
        let all = data.named[0].as_ref().unwrap().range.clone();
        let mut tested: Vec<usize> = Vec::new();
        for fold in &images.folds {
            let mut rows = [&fold.train[..], &fold.valid, &fold.test].concat();
            rows.sort_unstable();
            assert!(
                rows.into_iter().eq(all.clone()),
                "each image is in one split"
            );
            assert!(
                fold.test
                    .iter()
                    .all(|row| !images.splits.test.contains(row))
            );
            tested.extend(&fold.test);
        }
        tested.sort_unstable();
        assert!(tested.into_iter().eq(all));
        assert_ne!(images.folds[0].valid, images.folds[1].valid);
        let without = ImageSplits::new(&data, &Split::default()).unwrap();
        assert_eq!(without.splits, images.splits);
    }

    #[test]
    fn too_few_images_are_counted_as_images() {
        let source = SplitSource {
            labels: &[0],
            contents: &[1],
            classes: &["a".to_owned()],
            named: &[None, None, None],
        };
        let error = ImageSplits::of(&source, &Split::default()).err().unwrap();
        let error = error.to_string();
        assert!(
            error.starts_with("cannot split the images: holding out")
                && error.contains(" of 1 image leaves"),
            "{error}"
        );
    }

    #[test]
    fn images_in_two_splits_of_the_data_are_counted() {
        let named = |range, source: &str| {
            let source = source.to_owned();
            Some(NamedSplit { range, source })
        };
        let source = SplitSource {
            labels: &[0; 9],
            contents: &[1, 2, 3, 4, 5, 1, 6, 2, 5],
            classes: &["a".to_owned()],
            named: &[named(0..4, "a/"), named(4..6, "b/"), named(6..9, "c/")],
        };
        let images = ImageSplits::of(&source, &Split::default()).unwrap();
        let SharedItems { test, valid, .. } = images.shared;
        // 2 of the training split, 5 of the validation split; and 1 of the training split.
        assert_eq!((test, valid), (2, 1));
        let own = SplitSource {
            named: &[None, None, None],
            contents: &[1, 2, 3, 4, 5, 6, 7, 2, 5],
            ..source
        };
        let images = ImageSplits::of(&own, &Split::default()).unwrap();
        assert_eq!(
            (images.shared, images.duplicates),
            (SharedItems::default(), 2)
        );
        let [_, valid, test] = &images.sources;
        assert!(valid.ends_with("% of the rest of the images"), "{valid}");
        assert!(test.ends_with("% of the images"), "{test}");
    }
}
