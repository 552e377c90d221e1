//! Notes of the reader with the recipe keys that change them.

use tinderbox_datasets::table::ReadNote;

/// A note of the reader with the key that overrides it.
///
/// ```
/// use tinderbox_datasets::table::ReadNote;
/// use tinderbox_recipes::tabular::describe_note;
///
/// let note = ReadNote::AmbiguousNumbers { column: "price".into(), example: "1,234".into() };
/// assert!(describe_note(&note).ends_with("set `data.format.decimal` to `.` or `,`"));
/// ```
pub fn describe_note(note: &ReadNote) -> String {
    let numeric = |column: &str| format!("--set 'data.numeric=[\"{column}\"]'");
    let advice = match note {
        ReadNote::Nested { .. }
        | ReadNote::NegativeNumbers { .. }
        | ReadNote::UnsupportedNumbers { .. } => return note.to_string(),
        ReadNote::Named {
            column,
            index: true,
        } => format!("to use it, `{}`", numeric(column)),
        ReadNote::Named { .. } | ReadNote::Titles { .. } => {
            "if that line has data, set `data.format.header` to `no`".to_owned()
        }
        ReadNote::StrayQuote { .. } => {
            "if quotes are ordinary characters here, `--set data.format.quoting=false`".to_owned()
        }
        ReadNote::MixedPercent { column, .. } => {
            format!("to read them as they are, `{}`", numeric(column))
        }
        ReadNote::LongIntegers { column, .. } => {
            format!("to read them as numbers anyway, `{}`", numeric(column))
        }
        ReadNote::Thousands { example, .. } => {
            let mark = if example.contains(',') { ',' } else { '.' };
            format!("if it is the decimal mark, set `data.format.decimal` to `{mark}`")
        }
        ReadNote::MostlyNumbers { example, .. } => {
            format!("if it marks a missing cell, add `{example}` to `data.format.missing`")
        }
        ReadNote::AmbiguousDates { .. } => {
            "to decide it, set `data.format.date_order` to `day-month-year` or `month-day-year`"
                .to_owned()
        }
        ReadNote::AmbiguousPoints { .. } => "if it is a thousands separator, use \
                                             `--set data.format.decimal=,`"
            .to_owned(),
        ReadNote::AmbiguousNumbers { .. } => "set `data.format.decimal` to `.` or `,`".to_owned(),
    };
    format!("{note}; {advice}")
}

#[cfg(test)]
mod tests {
    use tinderbox_datasets::table::{ReadOptions, read_csv};

    use super::*;
    use crate::tabular::Recipe;

    /// The key of each note is one of a recipe.
    #[test]
    fn notes_name_existing_keys() {
        let recipe = toml::to_string(&Recipe::builtin("file").unwrap()).unwrap();
        let rows = |cell: fn(usize) -> String| {
            (0..40).fold("x,y\n".to_owned(), |text, at| {
                text + &format!("\"{}\",{at}.5\n", cell(at))
            })
        };
        let files = [
            ",y\n5,a\n5,b\n7,c\n".to_owned(),
            "x,\n5,0.5\n".to_owned(),
            "Sales\nx,y\n1,2\n3,4\n".to_owned(),
            rows(|at| format!("12345678901234567{:02}", at % 3)),
            rows(|at| format!("{},{:03}", at + 1, at * 7)),
            rows(|at| {
                if at == 7 {
                    "many".to_owned()
                } else {
                    at.to_string()
                }
            }),
            rows(|at| {
                let rate = at * 37 % 90 + 1;
                if at % 2 == 0 {
                    format!("{rate}.0%")
                } else {
                    format!("0.{rate:02}")
                }
            }),
            rows(|at| format!("{0:02}/{0:02}/2024", at % 12 + 1)),
            rows(|at| format!("{},{:03}", at + 1, at * 7))
                .replace("\",", "\";")
                .replace("x,y", "x;y"),
            "x;y\n1.234;5\n2.345;7\n9.876;8\n".to_owned(),
        ];
        for file in files {
            let (_, report) = read_csv(file.as_bytes(), "t", &ReadOptions::default()).unwrap();
            let [note] = report.notes.as_slice() else {
                panic!("{file}: {:?}", report.notes);
            };
            let text = describe_note(note);
            let key = text.split("data.").nth(1).unwrap();
            let end = key.find(|c: char| !(c.is_ascii_lowercase() || c == '_' || c == '.'));
            let key = key[..end.unwrap()].split('.').next_back().unwrap();
            assert!(recipe.contains(&format!("{key} = ")), "{text}");
        }
    }
}
