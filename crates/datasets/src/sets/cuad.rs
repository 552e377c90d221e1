//! Clauses of commercial contracts, of 41 types.

use std::collections::HashSet;
use std::path::Path;

use crate::table::Gathered;
use crate::text::{
    Location, TextError, TextOptions, TextSet, cells, open, open_delimited, position,
};

/// Names that the table has in a folder.
const NAMES: [&str; 2] = ["master_clauses.csv.gz", "master_clauses.csv"];

/// Reads the clauses of CUAD version 1: passages of 510 contracts, with the type of clause that lawyers
/// saw in them, and the number of the contract, for splits that keep a contract together.
///
/// `path` is `master_clauses.csv`, packed with gzip or not, or the folder that it lies in. All 41 types
/// are there, in the order of the file, also those that only name things (`Document Name`, `Parties`,
/// the dates): which to leave out is a question of the task. Of passages that are equal within a type
/// the first is kept. A passage in which several types were seen is a row for each of them, so no
/// classifier that gives one answer can be right on all rows.
///
/// Reference: Hendrycks, Burns, Chen and Ball, *CUAD: an expert-annotated NLP dataset for legal
/// contract review*, 2021, <https://arxiv.org/abs/2103.06268>.
///
/// # Errors
///
/// If the file is missing or damaged, has no pairs of columns such as `Parties` and `Parties-Answer`,
/// or a cell is no list of texts.
pub fn cuad(path: &Path) -> Result<(TextSet, Vec<usize>), TextError> {
    if path.is_dir() {
        let mut inside = NAMES.iter().map(|name| path.join(name));
        let found = inside.find(|inside| inside.exists());
        return cuad(&found.unwrap_or_else(|| path.join(NAMES[0])));
    }
    let file = path.display().to_string();
    let options = TextOptions {
        header: Some(true),
        ..TextOptions::default()
    };
    let gathered = open_delimited(open(path)?, &file, &options)?;
    let types = types(&gathered);
    if types.len() < 2 {
        // Its error names the columns that are there.
        position(&gathered.names, "Parties-Answer", &file)?;
    }
    let (set, contracts) = passages(&gathered, &types, &file)?;
    if contracts.is_empty() {
        return Err(TextError::Empty { file });
    }
    Ok((set, contracts))
}

/// The columns that are followed by one with the answer, with their names.
fn types(gathered: &Gathered) -> Vec<(usize, String)> {
    let names = &gathered.names;
    let answered = |name: &String| names.contains(&format!("{name}-Answer"));
    let columns = names.iter().enumerate();
    columns
        .filter(|(_, name)| answered(name))
        .map(|(at, name)| (at, name.clone()))
        .collect()
}

/// A row for every passage, contract after contract.
fn passages(
    gathered: &Gathered,
    types: &[(usize, String)],
    file: &str,
) -> Result<(TextSet, Vec<usize>), TextError> {
    let columns = cells(gathered);
    let mut seen = HashSet::new();
    let (mut texts, mut labels, mut contracts) = (Vec::new(), Vec::new(), Vec::new());
    let lines = (0..gathered.rows_in_file).map(|row| gathered.lines.line(row));
    for (row, line) in lines.enumerate() {
        for (label, (column, name)) in types.iter().enumerate() {
            let cell = columns[*column][row];
            let found = python_list(cell).ok_or_else(|| {
                let location = Location::Line {
                    file: file.to_owned(),
                    line,
                };
                let shown = format!("{name}: {cell}");
                TextError::malformed(location, &shown, "a list of texts, as in `['a', \"b\"]`")
            })?;
            for text in found {
                let text = text.trim().to_owned();
                if !text.is_empty() && seen.insert((label, text.clone())) {
                    texts.push(text);
                    labels.push(label as u16);
                    contracts.push(row);
                }
            }
        }
    }
    let names = types.iter().map(|(_, name)| name.clone()).collect();
    Ok((TextSet::new(texts, labels, names)?, contracts))
}

/// The texts of a list as Python writes it; an empty cell is an empty list.
fn python_list(cell: &str) -> Option<Vec<String>> {
    let cell = cell.trim();
    if cell.is_empty() {
        return Some(Vec::new());
    }
    let mut rest = cell.strip_prefix('[')?.strip_suffix(']')?.trim_start();
    let mut texts = Vec::new();
    while !rest.is_empty() {
        let (text, after) = python_string(rest)?;
        texts.push(text);
        rest = match after.trim_start().strip_prefix(',') {
            Some(more) => more.trim_start(),
            None if after.trim().is_empty() => "",
            None => return None,
        };
    }
    Some(texts)
}

/// The text in the quotes that `source` begins with, and what follows them.
fn python_string(source: &str) -> Option<(String, &str)> {
    let quote = source.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let mut text = String::new();
    let mut chars = source[1..].chars();
    loop {
        match chars.next()? {
            '\\' => escape(&mut chars, &mut text)?,
            end if end == quote => return Some((text, chars.as_str())),
            other => text.push(other),
        }
    }
}

/// Adds what stands behind a backslash.
fn escape(chars: &mut std::str::Chars<'_>, text: &mut String) -> Option<()> {
    let digits = match chars.next()? {
        'x' => 2,
        'u' => 4,
        'U' => 8,
        // A continued line.
        '\n' => return Some(()),
        letter => {
            text.push(match letter {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                other => other,
            });
            return Some(());
        }
    };
    let code = chars.as_str().get(..digits)?;
    text.push(char::from_u32(u32::from_str_radix(code, 16).ok()?)?);
    chars.nth(digits - 1)?;
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sets::tests::folder;

    const HEADER: &str = "Filename,Parties,Parties-Answer,Audit Rights,Audit Rights-Answer\n";

    #[test]
    fn lists_are_read_as_python_writes_them() {
        let read = |cell: &str| python_list(cell).unwrap();
        assert_eq!(read(" [] "), [""; 0]);
        assert_eq!(read(""), [""; 0]);
        assert_eq!(
            read(r#"['a, "b"', "it's", 'it\'s']"#),
            ["a, \"b\"", "it's", "it's"]
        );
        assert_eq!(
            read(r"['a\nb', 'x\xady\u202fz\\',]"),
            ["a\nb", "x\u{AD}y\u{202F}z\\"]
        );
        for bad in [
            "a",
            "['a'",
            "['a]",
            "['a' 'b']",
            "[a]",
            r"['\xg1']",
            r"['\u12']",
        ] {
            assert_eq!(python_list(bad), None, "{bad}");
        }
    }

    #[test]
    fn passages_are_rows_with_type_and_contract() {
        let rows = "1.pdf,\"['A, Inc.', 'B']\",A and B,[],No\n\
                    2.pdf,\"['B', 'C']\",C,\"['may audit\\n twice', ' ', 'B']\",Yes\n";
        let dir = folder(&[("master_clauses.csv", &format!("{HEADER}{rows}"))]);
        let (set, contracts) = cuad(dir.path()).unwrap();
        assert_eq!(set.texts(), ["A, Inc.", "B", "C", "may audit\n twice", "B"]);
        assert_eq!(set.labels(), [0, 0, 0, 1, 1]);
        assert_eq!(set.class_names(), ["Parties", "Audit Rights"]);
        assert_eq!(contracts, [0, 0, 1, 1, 1]);
    }

    #[test]
    fn a_cell_that_is_no_list_is_named() {
        let dir = folder(&[("master_clauses.csv", &format!("{HEADER}1.pdf,[],,oops,\n"))]);
        let message = cuad(dir.path()).unwrap_err().to_string();
        assert!(
            message.contains("line 2: `Audit Rights: oops` is not a list of texts"),
            "{message}"
        );
    }

    #[test]
    fn another_table_is_refused() {
        let dir = folder(&[("master_clauses.csv", "text,label\na,b\n")]);
        let message = cuad(dir.path()).unwrap_err().to_string();
        assert!(
            message.contains("has no column `Parties-Answer`"),
            "{message}"
        );
        let dir = folder(&[("master_clauses.csv", &format!("{HEADER}1.pdf,[],,[],\n"))]);
        assert!(
            cuad(dir.path())
                .unwrap_err()
                .to_string()
                .ends_with("is empty")
        );
    }
}
