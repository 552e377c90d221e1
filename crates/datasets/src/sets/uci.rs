//! Two sets of the UCI Machine Learning Repository whose files lack a header.

use std::path::Path;

use crate::table::{Kind, Overrides, ReadOptions, Table, TableError, read, read_with};

const ADULT: [&str; 15] = [
    "age",
    "workclass",
    "fnlwgt",
    "education",
    "education-num",
    "marital-status",
    "occupation",
    "relationship",
    "race",
    "sex",
    "capital-gain",
    "capital-loss",
    "hours-per-week",
    "native-country",
    "income",
];

/// Opens the 32,561 people for training and the 16,281 for testing, as their authors split them.
///
/// `folder` holds `adult.data` and `adult.test`. The target `income` is `<=50K` or `>50K`; the full
/// stop that ends the labels of the test file is taken off.
///
/// Reference: Becker and Kohavi, *Adult*, UCI Machine Learning Repository, 1996,
/// <https://doi.org/10.24432/C5XW20>.
///
/// # Errors
///
/// As [`read`] and [`read_with`].
pub fn adult(folder: &Path) -> Result<(Table, Table), TableError> {
    let options = ReadOptions {
        comment: Some('|'),
        ..headerless(&ADULT)
    };
    let (train, _) = read(&folder.join("adult.data"), &options)?;
    let (mut test, _) = read_with(&folder.join("adult.test"), &train.schema(), &[], &options)?;
    test.rename_words("income", |label| label.trim_end_matches('.').to_owned())?;
    Ok((train, test))
}

const GERMAN: [&str; 21] = [
    "status",
    "duration",
    "credit_history",
    "purpose",
    "amount",
    "savings",
    "employment",
    "installment_rate",
    "personal_status",
    "other_debtors",
    "residence_since",
    "property",
    "age",
    "other_installments",
    "housing",
    "existing_credits",
    "job",
    "dependents",
    "telephone",
    "foreign_worker",
    "class",
];

/// Opens the 1,000 loans of `german.data`, separated by spaces as UCI has it or by commas.
///
/// The target `class` is `good` or `bad`, which stand for 1 and 2 in the file. The words of the other
/// columns are codes, such as `A11`, that the file `german.names` explains.
///
/// Reference: Hofmann, *Statlog (German Credit Data)*, UCI Machine Learning Repository, 1994,
/// <https://doi.org/10.24432/C5NC77>.
///
/// # Errors
///
/// As [`read`].
pub fn german_credit(path: &Path) -> Result<Table, TableError> {
    let kinds = Overrides::from([("class".to_owned(), Kind::Categorical)]);
    let mut options = ReadOptions {
        kinds,
        ..headerless(&GERMAN)
    };
    let found = read(path, &options);
    let (mut table, _) = match found {
        Err(TableError::ColumnCount { found: 1, .. }) => {
            options.delimiter = Some(' ');
            read(path, &options)?
        }
        found => found?,
    };
    table.rename_words("class", |class| match class {
        "1" => "good".to_owned(),
        "2" => "bad".to_owned(),
        other => other.to_owned(),
    })?;
    Ok(table)
}

fn headerless(names: &[&str]) -> ReadOptions {
    ReadOptions {
        names: Some(names.iter().map(|name| (*name).to_owned()).collect()),
        ..ReadOptions::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        dir
    }

    const PERSON: &str = "39, State-gov, 77516, Bachelors, 13, Never-married, ?, Not-in-family, \
                          White, Male, 2174, 0, 40, United-States, <=50K";

    #[test]
    fn adults_have_the_same_labels_in_both_files() {
        let other = PERSON.replace("<=50K", ">50K").replace("39", "50");
        let train = format!("{PERSON}\n{other}\n\n");
        let test = format!("|1x3 Cross validator\n{PERSON}.\n{other}.\n\n");
        let dir = folder(&[("adult.data", &train), ("adult.test", &test)]);
        let (train, test) = adult(dir.path()).unwrap();
        assert_eq!((train.rows(), test.rows()), (2, 2));
        for table in [&train, &test] {
            let income = table.column("income").unwrap().words().unwrap();
            assert_eq!(
                income.levels().iter().collect::<Vec<_>>(),
                ["<=50K", ">50K"]
            );
            assert_eq!(income.codes(), [0, 1]);
            assert!(table.column("occupation").unwrap().is_missing(0));
            assert_eq!(table.column("age").unwrap().number(1), 50.0);
        }
        assert_eq!(test.line(0), 2);
    }

    #[test]
    fn loans_may_be_separated_by_spaces_or_commas() {
        let row = "A11 6 A34 A43 1169 A65 A75 4 A93 A101 4 A121 67 A143 A152 2 A173 1 A192 A201";
        let text = format!("{row} 1\n{row} 2\n{row} 1\n");
        let dir = folder(&[("spaces", &text), ("commas", &text.replace(' ', ","))]);
        for name in ["spaces", "commas"] {
            let table = german_credit(&dir.path().join(name)).unwrap();
            let class = table.column("class").unwrap();
            assert_eq!(
                [0, 1, 2].map(|row| class.text(row).into_owned()),
                ["good", "bad", "good"]
            );
            assert_eq!(table.column("amount").unwrap().number(0), 1169.0);
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let dir = folder(&[]);
        let message = adult(dir.path()).unwrap_err().to_string();
        assert!(message.starts_with("there is no file `") && message.ends_with("adult.data`"));
    }
}
