//! News of four topics.

use std::path::Path;

use crate::text::{TextError, TextOptions, TextSet, open, read_delimited};

const TOPICS: [&str; 4] = ["World", "Sports", "Business", "Sci/Tech"];

/// Reads AG news: what to train on, and the official 7,600 lines to test on.
///
/// `folder` holds `test.csv` as its authors publish it: three quoted columns without a header, the
/// class from 1 to 4, the title and the description, which are joined by a space. To train on, it
/// holds either
///
/// - `train.csv`, the official 120,000 lines, as [`fetch`](crate::fetch) brings them, or
/// - `train_subset_a.csv` (text and class from 0 to 3, no header) and `train_subset_b.csv` (the same
///   with a header, the class written `2.0`), samples of it. Of those, a text that stands in the test
///   file is left out, and of equal texts all but the first.
///
/// Reference: Zhang, Zhao and LeCun, *Character-level convolutional networks for text classification*,
/// 2015, <https://arxiv.org/abs/1509.01626>.
///
/// # Errors
///
/// If a file is missing or damaged, or a class is none of those named.
pub fn ag_news(folder: &Path) -> Result<(TextSet, TextSet), TextError> {
    let test = official(&folder.join("test.csv"))?;
    let (train, subset) = (folder.join("train.csv"), folder.join("train_subset_a.csv"));
    if train.exists() || !subset.exists() {
        return Ok((official(&train)?, test));
    }
    let subset_a = numbered(
        &subset,
        "column_1",
        "column_2",
        ["0", "1", "2", "3"],
        Some(false),
    )?;
    let subset_b = numbered(
        &folder.join("train_subset_b.csv"),
        "text",
        "label",
        ["0.0", "1.0", "2.0", "3.0"],
        Some(true),
    )?;
    let both = TextSet::new(
        [subset_a.texts(), subset_b.texts()].concat(),
        [subset_a.labels(), subset_b.labels()].concat(),
        subset_a.class_names().to_vec(),
    )?;
    let fresh = both.rows_not_in(&test);
    Ok((both.select(&fresh), test))
}

/// Reads a file as its authors publish it.
fn official(path: &Path) -> Result<TextSet, TextError> {
    let options = TextOptions {
        text: vec!["column_2".to_owned(), "column_3".to_owned()],
        ..options("column_1", ["1", "2", "3", "4"], Some(false))
    };
    read(path, &options)
}

/// Reads a file with the whole text in one column.
fn numbered(
    path: &Path,
    text: &str,
    label: &str,
    classes: [&str; 4],
    header: Option<bool>,
) -> Result<TextSet, TextError> {
    let options = TextOptions {
        text: vec![text.to_owned()],
        ..options(label, classes, header)
    };
    read(path, &options)
}

fn options(label: &str, classes: [&str; 4], header: Option<bool>) -> TextOptions {
    TextOptions {
        label: label.to_owned(),
        classes: Some(classes.map(str::to_owned).to_vec()),
        header,
        ..TextOptions::default()
    }
}

fn read(path: &Path, options: &TextOptions) -> Result<TextSet, TextError> {
    read_delimited(open(path)?, &path.display().to_string(), options)?
        .named(TOPICS.map(str::to_owned).to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sets::tests::folder;

    const TEST: &str = "\"3\",\"Fears\",\"of many\"\n\"4\",\"The race\",\"is \"\"on\"\"\"\n";

    #[test]
    fn samples_lose_what_is_tested_and_what_is_double() {
        let dir = folder(&[
            ("test.csv", TEST),
            (
                "train_subset_a.csv",
                "\"The race is \"\"on\"\"\",3\nGoal in Rome ,1\nA vote,0\n",
            ),
            (
                "train_subset_b.csv",
                "text,label\nGoal in Rome,1.0\n\"Shares, up\",2.0\nFears of many,2.0\n",
            ),
        ]);
        let (train, test) = ag_news(dir.path()).unwrap();
        assert_eq!(train.texts(), ["Goal in Rome", "A vote", "Shares, up"]);
        assert_eq!(train.labels(), [1, 0, 2]);
        assert_eq!(test.texts(), ["Fears of many", "The race is \"on\""]);
        assert_eq!(test.labels(), [2, 3]);
        assert_eq!(test.class_names(), TOPICS);
    }

    #[test]
    fn the_official_file_is_read_whole() {
        let train = "\"1\",\"Vote\",\"today\"\n\"1\",\"Vote\",\"today\"\n";
        let dir = folder(&[
            ("test.csv", TEST),
            ("train.csv", train),
            ("train_subset_a.csv", ""),
        ]);
        let (train, _) = ag_news(dir.path()).unwrap();
        assert_eq!(train.texts(), ["Vote today"; 2]);
    }

    #[test]
    fn a_missing_file_and_a_wrong_class_are_named() {
        let dir = folder(&[("test.csv", TEST)]);
        let message = ag_news(dir.path()).unwrap_err().to_string();
        assert!(message.ends_with("train.csv`"), "{message}");
        let dir = folder(&[("test.csv", "\"5\",\"a\",\"b\"\n\"1\",\"a\",\"c\"\n")]);
        let message = ag_news(dir.path()).unwrap_err().to_string();
        assert!(message.contains("line 1: unknown class `5`"), "{message}");
    }
}
