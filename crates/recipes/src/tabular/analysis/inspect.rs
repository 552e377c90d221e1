//! Statistics and problems of a table, without training.

use std::path::Path;

use serde_json::{Map, Value, json};
use tinderbox_datasets::table::{
    ColumnInspection, Finding, Inspection, Kind, ReadNote, ReadOptions, ReadReport, Summary,
    TargetInspection, inspect as inspect_table, read, read_csv,
};
use tinderbox_train::format::thousands;
use tinderbox_train::overlay::assign;
use tinderbox_train::task::{Noun, Overview};
use tinderbox_train::{Section, TaskError};

use crate::tabular::Recipe;
use crate::tabular::data::{describe_note, read_options};
use crate::tabular::error::table_error;

/// Keys of a recipe about reading a file.
const KEYS: [&str; 6] = [
    "data.format.",
    "data.names",
    "data.numeric",
    "data.categorical",
    "data.boolean",
    "data.dates",
];

/// The options for a file of no recipe, with assignments such as `data.format.delimiter=;`.
///
/// # Errors
///
/// If an assignment is invalid, or its key is not about reading a file.
pub fn options_for(assignments: &[String]) -> Result<ReadOptions, TaskError> {
    for assignment in assignments {
        if !KEYS.iter().any(|key| assignment.starts_with(key)) {
            let known = KEYS.map(|key| format!("`{key}…`")).join(", ");
            return Err(TaskError::user(format!(
                "`--set {assignment}` has no effect on `inspect`, which takes {known}"
            )));
        }
    }
    let recipe = assign(Recipe::of_file(), assignments);
    let recipe = recipe.map_err(|error| TaskError::user(error).context("`--set`"))?;
    Ok(read_options(&recipe.data)?)
}

/// Statistics and problems of a table.
pub struct Inspected {
    /// For people.
    pub overview: Overview,
    /// As data.
    pub details: Map<String, Value>,
}

/// Inspects a CSV, JSON or Parquet file; `-` is standard input.
///
/// # Errors
///
/// If it cannot be read, or has no column of the target's name.
pub fn inspect(path: &Path, options: &ReadOptions) -> Result<Inspected, TaskError> {
    let read = if path.as_os_str() == "-" {
        read_csv(std::io::stdin(), "-", options)
    } else {
        read(path, options)
    };
    let (table, report) = read.map_err(table_error)?;
    let inspection = inspect_table(&table, options.target.as_deref()).map_err(table_error)?;
    let details = [
        ("report".to_owned(), json!(report)),
        ("inspection".to_owned(), json!(inspection)),
    ];
    Ok(Inspected {
        overview: overview(&inspection, &report),
        details: details.into_iter().collect(),
    })
}

fn overview(inspection: &Inspection, report: &ReadReport) -> Overview {
    let (rows, columns_read) = (inspection.rows, inspection.columns.len());
    let summary = format!(
        "{}: {} {}, {} {}",
        inspection.name,
        thousands(rows),
        Noun("row", "rows").of(rows),
        thousands(columns_read),
        Noun("column", "columns").of(columns_read)
    );
    let target = inspection.target.as_ref();
    let target = target.map(|target| of_target(target, inspection));
    let (lost_rows, notes) = reader_notes(Some(report));
    let findings = inspection.findings.iter();
    let findings = findings.map(|finding| format!("{finding}{}", advice(finding, report)));
    Overview {
        summary,
        sections: std::iter::once(Section::table("", columns(inspection)))
            .chain(target)
            .collect(),
        notes,
        warnings: lost_rows.into_iter().chain(findings).collect(),
        ..Overview::default()
    }
}

/// The notes of the reader: those of lost rows, and the others.
pub(in crate::tabular) fn reader_notes(report: Option<&ReadReport>) -> (Vec<String>, Vec<String>) {
    let notes = report.map_or(&[][..], |report| &report.notes);
    let is_lost = |note: &&ReadNote| matches!(note, ReadNote::StrayQuote { .. });
    let (lost, others): (Vec<_>, Vec<_>) = notes.iter().partition(is_lost);
    [lost, others]
        .map(|notes| notes.into_iter().map(describe_note).collect())
        .into()
}

/// The recipe key that changes it.
fn advice(finding: &Finding, report: &ReadReport) -> String {
    match (finding, &report.target_marker) {
        (Finding::NumbersAsWords { column, .. }, _) => {
            format!("; if they are quantities, train with `--set 'data.numeric=[\"{column}\"]'`")
        }
        (Finding::TargetMissing { .. }, Some(word)) => format!(
            "; `{word}` marks a missing cell: to read it as a class, leave it out of \
             `data.format.missing`"
        ),
        (Finding::RareClasses { examples, .. }, _)
            if examples
                .iter()
                .all(|class| class.contains(|c: char| c.is_ascii_digit())) =>
        {
            "; if the target is a quantity, write it as plain numbers and set `data.task=regression`"
                .to_owned()
        }
        _ => String::new(),
    }
}

fn columns(inspection: &Inspection) -> Vec<Vec<String>> {
    let head = ["column", "kind", "missing", "different", "values"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(inspection.columns.iter().map(column));
    rows
}

fn column(column: &ColumnInspection) -> Vec<String> {
    let values = match &column.summary {
        Summary::Nothing => "-".to_owned(),
        Summary::Numbers { min, median, max } => {
            let [min, median, max] = [min, median, max].map(|value| short(*value));
            format!("{min} to {max}, median {median}")
        }
        Summary::Dates {
            first,
            median,
            last,
        } => format!("{first} to {last}, median {median}"),
        Summary::Words { top } => {
            let words = top.iter().map(|(word, rows)| {
                let word: String = word.chars().take(24).collect();
                format!("{word} ({})", thousands(*rows))
            });
            words.take(4).collect::<Vec<_>>().join(", ")
        }
    };
    vec![
        column.name.clone(),
        column.kind.name().to_owned(),
        format!("{:.1}%", 100.0 * column.missing_share),
        thousands(column.distinct),
        values,
    ]
}

fn of_target(target: &TargetInspection, inspection: &Inspection) -> Section {
    match target {
        TargetInspection::Classes { column, counts } => {
            let all: usize = counts.iter().map(|(_, rows)| rows).sum();
            let rows = counts.iter().map(|(class, rows)| {
                let share = 100.0 * *rows as f64 / all.max(1) as f64;
                vec![class.clone(), thousands(*rows), format!("{share:.1}%")]
            });
            let mut columns = inspection.columns.iter();
            let numeric = columns.any(|other| other.name == *column && other.kind == Kind::Numeric);
            let key = if numeric {
                " (to predict it as a number, train with `--set data.task=regression`)"
            } else {
                ""
            };
            let classes = counts.len();
            let title = format!(
                "target `{column}`: {} {}{key}",
                thousands(classes),
                Noun("class", "classes").of(classes)
            );
            Section::table(title, rows.collect())
        }
        TargetInspection::Numbers { column, quantiles } => {
            let names = ["min", "5%", "25%", "median", "75%", "95%", "max"];
            let rows = vec![
                names.map(str::to_owned).to_vec(),
                quantiles.map(short).to_vec(),
            ];
            let title = format!(
                "target `{column}`: a number (to predict classes, train with `--set \
                 data.task=classification`)"
            );
            Section::table(title, rows)
        }
    }
}

/// A value in about five significant digits, with commas between thousands: `218,187`, `0.0125`,
/// `1.235e18`.
fn short(value: f64) -> String {
    /// Larger numbers are easier to read with an exponent.
    const LARGE: f64 = 1e15;
    let size = value.abs();
    if !value.is_finite() {
        return value.to_string();
    }
    if value != 0.0 && !(1e-3..LARGE).contains(&size) {
        return format!("{value:.3e}");
    }
    let digits_before_point = size.max(1.0).log10().floor() as usize + 1;
    let text = format!("{value:.*}", 5_usize.saturating_sub(digits_before_point));
    let text = match text.split_once('.') {
        Some((whole, decimals)) if decimals.bytes().all(|digit| digit == b'0') => whole.to_owned(),
        Some(_) => text.trim_end_matches('0').to_owned(),
        None => text,
    };
    with_commas(&text)
}

/// Puts a comma between each three digits before the decimal point.
fn with_commas(number: &str) -> String {
    let digits = number.trim_start_matches('-');
    let whole = digits.find('.').unwrap_or(digits.len());
    let mut text = number[..number.len() - digits.len()].to_owned();
    for (at, letter) in digits.chars().enumerate() {
        if at > 0 && at < whole && (whole - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(letter);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use proptest::prelude::*;
    use tinderbox_train::section::Body;

    use super::*;

    #[test]
    fn values_are_shown_in_about_five_digits_with_commas() {
        for (value, text) in [
            (0.0, "0"),
            (-0.5, "-0.5"),
            (0.001_234_56, "0.0012"),
            (0.000_123, "1.230e-4"),
            (12.345_678, "12.346"),
            (999.999, "1,000"),
            (1_234.56, "1,234.6"),
            (99_999.6, "100,000"),
            (100_000.0, "100,000"),
            (218_187.0, "218,187"),
            (-9_999_999.4, "-9,999,999"),
            (10_000_000.0, "10,000,000"),
            (1e15, "1.000e15"),
            (-1.5e300, "-1.500e300"),
            (f64::MAX, "1.798e308"),
            (f64::MIN_POSITIVE, "2.225e-308"),
        ] {
            assert_eq!(short(value), text, "{value}");
        }
    }

    #[test]
    fn one_row_and_one_class_are_singular_and_many_classes_of_numbers_have_advice() {
        let shown = |csv: &str| {
            let (table, report) = read_csv(csv.as_bytes(), "t", &ReadOptions::default()).unwrap();
            overview(&inspect_table(&table, Some("y")).unwrap(), &report)
        };
        let one = shown("x,y\n1.5,a\n");
        assert_eq!(one.summary, "t: 1 row, 2 columns");
        assert_eq!(one.sections[1].title, "target `y`: 1 class");
        let many = (0..40).fold("x;y\n".to_owned(), |text, at| {
            text + &format!("{at}.5;{},{:03}\n", at + 1, at * 7)
        });
        let warnings = shown(&many).warnings;
        let rare = warnings.iter().filter(|text| text.contains("classes"));
        let rare: Vec<&String> = rare.collect();
        let [rare] = rare[..] else {
            panic!("{warnings:?}");
        };
        assert!(
            rare.starts_with("40 classes have fewer than 20 rows"),
            "{rare}"
        );
        assert!(rare.ends_with("set `data.task=regression`"), "{rare}");
    }

    /// A cell of any kind and size.
    fn cell() -> impl Strategy<Value = String> {
        prop_oneof![
            (-1.0..1.0_f64, -300..300_i32)
                .prop_map(|(x, power)| (x * 10_f64.powi(power)).to_string()),
            any::<i64>().prop_map(|x| x.to_string()),
            (0..10_000_000_i64).prop_map(|x| x.to_string()),
            (0..2_u8).prop_map(|x| x.to_string()),
            (1..9999_i32, 1..13_u8, 1..29_u8).prop_map(|(y, m, d)| format!("{y:04}-{m:02}-{d:02}")),
            (1..29_u8, 1..13_u8, 0..24_u8).prop_map(|(d, m, h)| format!("{d}/{m}/2024 {h}:30")),
            "[a-zäß€]{1,8}( [a-z]{1,5}){0,7}",
            (0..9_999_999_i64).prop_map(|x| format!("$ {x}.50")),
            Just("NA".to_owned()),
            Just(String::new()),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_table_that_can_be_read_can_be_shown(
            same in cell(),
            one in proptest::collection::vec(cell(), 40),
            rows in 1..40_usize,
            power in -300..300_i32,
        ) {
            let mut csv = String::from("\"same\",\"mixed\",\"size\",\"whole\",\"day\"\n");
            for (row, cell) in one.iter().take(rows).enumerate() {
                let size = (row as f64 - 5.5) * 10_f64.powi(power);
                let whole = i64::try_from(row).unwrap() * 10_i64.pow(power.unsigned_abs() % 15);
                let day = format!("{:04}-01-{:02}", 1000 + row * 97, row % 28 + 1);
                writeln!(csv, "\"{same}\",\"{cell}\",{size:e},{whole},{day}").unwrap();
            }
            let (table, report) = read_csv(csv.as_bytes(), "t.csv", &ReadOptions::default()).unwrap();
            for target in [None, Some("same"), Some("mixed"), Some("size"), Some("whole"), Some("day")] {
                let inspection = inspect_table(&table, target).unwrap();
                let overview = overview(&inspection, &report);
                let s = if rows == 1 { "" } else { "s" };
                prop_assert_eq!(&overview.summary, &format!("t.csv: {rows} row{s}, 5 columns"));
                let Body::Table { rows: table } = &overview.sections[0].body else {
                    panic!("{overview:?}");
                };
                prop_assert_eq!(table.len(), 6);
            }
        }
    }
}
