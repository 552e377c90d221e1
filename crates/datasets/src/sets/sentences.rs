//! Short texts of two classes: messages and sentences.

use std::path::Path;

use crate::text::{TextError, TextOptions, TextSet, open, read_with_or_without_header};

/// Reads the 5,574 messages of the SMS Spam Collection: `ham` and `spam`.
///
/// `path` is the file `SMSSpamCollection` or the folder that it lies in. Many messages stand in it
/// twice; they are kept, as its authors count them. Another file may name its columns `text` and
/// `label` in a header.
///
/// Reference: Almeida, Gómez Hidalgo and Yamakami, *Contributions to the study of SMS spam filtering:
/// new collection and results*, 2011, <https://doi.org/10.1145/2034691.2034742>.
///
/// # Errors
///
/// If the file is missing or damaged, or a label is another.
pub fn sms_spam(path: &Path) -> Result<TextSet, TextError> {
    if path.is_dir() {
        return sms_spam(&path.join("SMSSpamCollection"));
    }
    read(path, "column_2", "column_1", ["ham", "spam"])
}

/// Reads the sentences of the Stanford Sentiment Treebank, `negative` and `positive`: 6,920 to train
/// on, 872 to choose by and 1,821 to test on.
///
/// `folder` holds `train.tsv`, `dev.tsv` and `test.tsv`: a sentence, a tab and 0 or 1, no header.
///
/// Reference: Socher et al., *Recursive deep models for semantic compositionality over a sentiment
/// treebank*, 2013, <https://aclanthology.org/D13-1170>.
///
/// # Errors
///
/// If a file is missing or damaged, or a label is another.
pub fn sst2(folder: &Path) -> Result<(TextSet, TextSet, TextSet), TextError> {
    let open = |name: &str| {
        let set = read(&folder.join(name), "column_1", "column_2", ["0", "1"])?;
        set.named(["negative", "positive"].map(str::to_owned).to_vec())
    };
    Ok((open("train.tsv")?, open("dev.tsv")?, open("test.tsv")?))
}

fn read(path: &Path, text: &str, label: &str, classes: [&str; 2]) -> Result<TextSet, TextError> {
    let options = TextOptions {
        text: vec![text.to_owned()],
        label: label.to_owned(),
        classes: Some(classes.map(str::to_owned).to_vec()),
        header: Some(false),
        ..TextOptions::default()
    };
    read_with_or_without_header(open(path)?, &path.display().to_string(), &options)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sets::tests::folder;

    #[test]
    fn messages_keep_quotes_and_order() {
        let dir = folder(&[(
            "SMSSpamCollection",
            "ham\tOk \"lar\nspam\tWin, now\nham\tOk\n",
        )]);
        let set = sms_spam(dir.path()).unwrap();
        assert_eq!(
            set,
            sms_spam(&dir.path().join("SMSSpamCollection")).unwrap()
        );
        assert_eq!(set.texts(), ["Ok \"lar", "Win, now", "Ok"]);
        assert_eq!(set.labels(), [0, 1, 0]);
    }

    #[test]
    fn messages_of_another_file_may_have_a_header() {
        for (name, table) in [
            ("a.csv", "text,label\n\"hello, you\",ham\nwin,spam\n"),
            ("b.tsv", "Label\tText\r\nham\thello, you\r\nspam\twin\r\n"),
        ] {
            let dir = folder(&[(name, table)]);
            let set = sms_spam(&dir.path().join(name)).unwrap();
            assert_eq!(set.texts(), ["hello, you", "win"]);
            assert_eq!(set.labels(), [0, 1]);
        }
        // Words of a message are no header.
        let dir = folder(&[("SMSSpamCollection", "ham\ttext label\nspam\twin\n")]);
        assert_eq!(sms_spam(dir.path()).unwrap().texts().len(), 2);
    }

    #[test]
    fn sentences_have_named_classes_even_where_one_does_not_occur() {
        let one = "a fine film\t1\n";
        let dir = folder(&[
            ("train.tsv", "dull , very\t0\na fine film\t1\n"),
            ("dev.tsv", one),
            ("test.tsv", one),
        ]);
        let (train, dev, test) = sst2(dir.path()).unwrap();
        assert_eq!(train.class_names(), ["negative", "positive"]);
        assert_eq!((train.labels(), dev.labels()), (&[0, 1][..], &[1][..]));
        assert_eq!(dev, test);
    }

    #[test]
    fn another_label_is_named_by_line() {
        let dir = folder(&[("SMSSpamCollection", "ham\ta\neggs\tb\n")]);
        let message = sms_spam(dir.path()).unwrap_err().to_string();
        assert!(
            message.contains("line 2: unknown class `eggs`"),
            "{message}"
        );
    }
}
