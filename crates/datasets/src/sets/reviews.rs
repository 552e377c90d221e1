//! Reviews of films, with the folds of their authors.

use std::path::{Path, PathBuf};

use crate::text::{
    Location, TextError, TextOptions, TextRow, TextSet, open, rows_in_folder, rows_in_tar,
};

/// Names that the archive and the folder in it have.
const NAMES: [&str; 2] = ["txt_sentoken", "review_polarity.tar.gz"];

/// Reviews in a fold, of one class.
const PER_FOLD: usize = 100;

/// Reads the 2,000 reviews of the polarity data set, version 2.0, `neg` and `pos`, and the fold from 0
/// to 9 of each: the files `cv000` to `cv099` are fold 0, and so on, as its authors split them.
///
/// `path` is the archive `review_polarity.tar.gz`, the folder `txt_sentoken` that is in it, or a folder
/// that one of them lies in.
///
/// Reference: Pang and Lee, *A sentimental education: sentiment analysis using subjectivity
/// summarization based on minimum cuts*, 2004, <https://aclanthology.org/P04-1035>.
///
/// # Errors
///
/// If the files are missing or damaged, or one is not called as its authors call it.
pub fn movie_reviews(path: &Path) -> Result<(TextSet, Vec<usize>), TextError> {
    let path = locate(path);
    let name = path.display().to_string();
    let options = TextOptions {
        classes: Some(["neg", "pos"].map(str::to_owned).to_vec()),
        ..TextOptions::default()
    };
    let (rows, _) = if path.is_dir() {
        rows_in_folder(&path, &options)?
    } else {
        rows_in_tar(open(&path)?, &name, &options)?
    };
    let folds: Result<Vec<usize>, TextError> = rows.iter().map(fold).collect();
    Ok((TextSet::of_rows(&name, rows, &options)?, folds?))
}

fn locate(path: &Path) -> PathBuf {
    let mut inside = NAMES.iter().map(|name| path.join(name));
    inside
        .find(|inside| inside.exists())
        .unwrap_or_else(|| path.to_owned())
}

/// The fold that the name of a file tells, as in `cv123_29416.txt`.
fn fold(found: &TextRow) -> Result<usize, TextError> {
    let Location::File(file) = &found.location else {
        return Ok(0);
    };
    let name = file.rsplit(['/', '\\', ':']).next().unwrap_or_default();
    let digits = name.strip_prefix("cv").and_then(|rest| rest.get(..3));
    let number = digits.and_then(|digits| digits.parse::<usize>().ok());
    let fold = number.map(|number| number / PER_FOLD);
    fold.ok_or_else(|| {
        let expected = "a name such as `cv123_29416.txt`, whose first digit is the fold";
        TextError::malformed(found.location.clone(), name, expected)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sets::tests::folder;

    #[test]
    fn folds_are_those_in_the_names() {
        let dir = folder(&[
            ("txt_sentoken/pos/cv999_1.txt", "fine"),
            ("txt_sentoken/neg/cv000_2.txt", "dull"),
            ("txt_sentoken/neg/cv100_3.txt", "weak"),
            ("poldata.README.2.0", "about"),
        ]);
        let (set, folds) = movie_reviews(dir.path()).unwrap();
        assert_eq!(set.texts(), ["dull", "weak", "fine"]);
        assert_eq!((set.labels(), folds), (&[0, 0, 1][..], vec![0, 1, 9]));
        let direct = movie_reviews(&dir.path().join("txt_sentoken")).unwrap();
        assert_eq!(direct.0, set);
    }

    #[test]
    fn a_file_without_a_number_is_named() {
        let dir = folder(&[("neg/cv001_2.txt", "dull"), ("pos/mine.txt", "fine")]);
        let message = movie_reviews(dir.path()).unwrap_err().to_string();
        assert!(message.contains("`mine.txt` is not a name"), "{message}");
    }
}
