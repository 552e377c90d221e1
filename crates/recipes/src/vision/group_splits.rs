//! Splits of whole groups of images.

use tinderbox_datasets::image::ImageGroups;
use tinderbox_datasets::{
    count_duplicates, grouped_folds, grouped_indices, split_indices_by_content,
};
use tinderbox_train::{SharedItems, Split, Splits};

use super::data::DataError;
use super::splits::ImageSplits;

impl ImageSplits {
    /// Splits whole groups of images, such as those of a folder, a person or a day; copies join their groups.
    ///
    /// Where only one group is left to train on, the validation images are a part of it, without copies.
    ///
    /// # Errors
    ///
    /// If there are fewer groups than two, or than folds.
    pub fn of_groups(
        groups: &ImageGroups,
        contents: &[u64],
        split: &Split,
    ) -> Result<Self, DataError> {
        let groups = groups.joined_by(contents);
        let rows: Vec<usize> = (0..contents.len()).collect();
        let (rest, test) = take_groups(&groups, &rows, split.test_fraction, split.seed)?;
        let (splits, valid_source) =
            with_valid(&groups, contents, (rest, test), split, split.seed)?;
        let folds = if split.folds == 0 {
            Vec::new()
        } else {
            grouped_folds(&groups.of, split.folds, split.seed)?
        };
        let folds = folds.into_iter().enumerate().map(|(at, fold)| {
            let seed = split.fold_seed(at);
            Ok(with_valid(&groups, contents, fold, split, seed)?.0)
        });
        let sources = [
            group_source(&groups, &splits.train),
            valid_source,
            group_source(&groups, &splits.test),
        ];
        Ok(Self {
            has_test: true,
            folds: folds.collect::<Result<_, DataError>>()?,
            duplicates: count_duplicates(contents),
            shared: SharedItems::default(),
            splits,
            sources,
        })
    }
}

/// Holds out about a fraction of some images as whole groups.
fn take_groups(
    groups: &ImageGroups,
    rows: &[usize],
    fraction: f64,
    seed: u64,
) -> Result<(Vec<usize>, Vec<usize>), DataError> {
    let own: Vec<u32> = rows.iter().map(|&row| groups.of[row]).collect();
    let (kept, held) = grouped_indices(&own, fraction, seed)?;
    let named = |places: Vec<usize>| places.into_iter().map(|place| rows[place]).collect();
    Ok((named(kept), named(held)))
}

/// Takes a validation split from the images to train on, and says where it is from.
fn with_valid(
    groups: &ImageGroups,
    contents: &[u64],
    (rest, test): (Vec<usize>, Vec<usize>),
    split: &Split,
    seed: u64,
) -> Result<(Splits, String), DataError> {
    let fraction = split.valid_fraction;
    let (train, valid, source) = if groups.names_of(&rest).len() > 1 {
        let (train, valid) = take_groups(groups, &rest, fraction, seed)?;
        let source = group_source(groups, &valid);
        (train, valid, source)
    } else {
        let own: Vec<u64> = rest.iter().map(|&row| contents[row]).collect();
        let (kept, held) = split_indices_by_content(&own, fraction, seed)?;
        let named = |places: Vec<usize>| places.into_iter().map(|place| rest[place]).collect();
        let percent = (10_000.0 * fraction).round() / 100.0;
        let source = format!("{percent}% of {}", group_source(groups, &rest));
        (named(kept), named(held), source)
    };
    Ok((Splits { train, valid, test }, source))
}

/// The groups that images are from, for people.
fn group_source(groups: &ImageGroups, rows: &[usize]) -> String {
    let names = groups.names_of(rows);
    let mut shown: Vec<String> = names
        .iter()
        .take(3)
        .map(|name| format!("`{name}`"))
        .collect();
    if names.len() > 3 {
        shown.push(format!("{} more groups", names.len() - 3));
    }
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(of: &[u32]) -> ImageGroups {
        let names = 0..=*of.iter().max().unwrap();
        ImageGroups {
            of: of.to_vec(),
            names: names.map(|group| format!("site {group}")).collect(),
        }
    }

    /// Checks that every image is in one split, and returns the groups of the training and test split.
    fn groups_of(splits: &Splits, groups: &ImageGroups) -> [Vec<String>; 3] {
        let Splits { train, valid, test } = splits;
        let mut rows = [&train[..], valid, test].concat();
        rows.sort_unstable();
        assert!(rows.into_iter().eq(0..groups.of.len()));
        let names = |rows: &[usize]| {
            groups
                .names_of(rows)
                .into_iter()
                .map(str::to_owned)
                .collect()
        };
        [names(train), names(valid), names(test)]
    }

    #[test]
    fn whole_groups_are_split() {
        let of: Vec<u32> = (0..40).map(|row| row / 8).collect();
        let contents: Vec<u64> = (0..40).collect();
        let split = Split {
            folds: 5,
            ..Split::default()
        };
        let images = ImageSplits::of_groups(&groups(&of), &contents, &split).unwrap();
        for splits in images.folds.iter().chain([&images.splits]) {
            let [train, valid, test] = groups_of(splits, &groups(&of));
            assert_eq!((train.len(), valid.len(), test.len()), (3, 1, 1));
        }
        assert_eq!(images.folds.len(), 5);
        let again = ImageSplits::of_groups(&groups(&of), &contents, &split).unwrap();
        assert_eq!(again.splits, images.splits);
    }

    #[test]
    fn of_two_groups_one_is_the_test_and_validation_is_a_part_of_the_other() {
        let of = [0, 0, 0, 0, 0, 1, 1, 1, 1, 1];
        let contents: Vec<u64> = (0..10).collect();
        let split = Split {
            folds: 2,
            valid_fraction: 0.2,
            ..Split::default()
        };
        let images = ImageSplits::of_groups(&groups(&of), &contents, &split).unwrap();
        for splits in images.folds.iter().chain([&images.splits]) {
            let [train, valid, test] = groups_of(splits, &groups(&of));
            assert!(
                train == valid && test != train,
                "{train:?} {valid:?} {test:?}"
            );
            assert_eq!((splits.valid.len(), splits.test.len()), (1, 5));
        }
        assert_ne!(images.folds[0].test, images.folds[1].test);
        assert!(
            images.sources[1].starts_with("20% of `site "),
            "{:?}",
            images.sources
        );
        // A copy makes one group of both.
        let copies = [0, 1, 2, 3, 4, 4, 5, 6, 7, 8];
        assert!(ImageSplits::of_groups(&groups(&of), &copies, &split).is_err());
    }
}
