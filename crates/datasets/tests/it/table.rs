#![allow(clippy::unwrap_used, reason = "a helper may stop the test")]
#![allow(clippy::float_cmp, reason = "a number is read to the bit")]
//! Tables from CSV text: dialects, kinds, and each kind of bad input.

use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use tinderbox_datasets::table::{
    Column, DateOrder, Encoding, Kind, Passthrough, ReadNote, ReadOptions, ReadReport, Schema,
    Table, TableError, TableReader, read, read_csv, read_csv_with, read_with,
};

fn open(csv: impl AsRef<[u8]>) -> Result<(Table, ReadReport), TableError> {
    read_csv(csv.as_ref(), "t.csv", &ReadOptions::default())
}

fn open_with(csv: &str, options: &ReadOptions) -> Result<(Table, ReadReport), TableError> {
    read_csv(csv.as_bytes(), "t.csv", options)
}

fn table(csv: impl AsRef<[u8]>) -> Table {
    open(csv).unwrap().0
}

fn error(csv: impl AsRef<[u8]>) -> String {
    open(csv).unwrap_err().to_string()
}

fn kinds(csv: &str) -> Vec<Kind> {
    table(csv).columns().iter().map(Column::kind).collect()
}

/// A column called `name` with the cells that `cell` makes, and a second one.
fn column(name: &str, rows: usize, cell: impl Fn(usize) -> String) -> String {
    let lines: Vec<String> = (0..rows)
        .map(|row| format!("\"{}\",{row}.5", cell(row)))
        .collect();
    format!("{name},x2\n{}\n", lines.join("\n"))
}

fn texts(table: &Table, name: &str) -> Vec<String> {
    let column = table.column(name).unwrap();
    (0..table.rows())
        .map(|row| column.text(row).into_owned())
        .collect()
}

#[test]
fn delimiters_and_headers_are_found() {
    for (csv, delimiter, header) in [
        ("a,b\n1,x\n2,y\n", ',', true),
        ("a;b\r\n1;x\r\n2;y\r\n", ';', true),
        ("a\tb\n1\tx\n2\ty", '\t', true),
        ("1|x\n2|y\n", '|', false),
    ] {
        let (table, report) = open(csv).unwrap();
        let found = (report.delimiter, report.header, report.rows);
        assert_eq!(found, (Some(delimiter), header, 2), "{csv}");
        assert_eq!(table.columns()[0].number(1), 2.0);
        assert_eq!(table.columns()[1].text(0), "x");
    }
    assert_eq!(table("1|x\n2|y\n").columns()[1].name(), "column_2");
}

#[test]
fn quoted_cells_may_hold_delimiters_quotes_and_lines() {
    let table = table("id,note,x\n1,\"a, \"\"b\"\"\",1.5\n2,\"two\nlines\",2.5\n3,c,3.5\n");
    assert_eq!(texts(&table, "note"), ["a, \"b\"", "two\nlines", "c"]);
    assert_eq!([0, 1, 2].map(|row| table.line(row)), [2, 3, 5]);
}

#[test]
fn quotes_are_letters_where_they_are_told_to_be() {
    let options = ReadOptions {
        quoting: false,
        ..ReadOptions::default()
    };
    let (table, _) = open_with("ham\t\"win\nspam\t5\" pipe\nham\tok\n", &options).unwrap();
    assert_eq!(texts(&table, "column_2"), ["\"win", "5\" pipe", "ok"]);
}

#[test]
fn lines_are_right_after_empty_lines_and_with_carriage_returns() {
    for csv in [
        "a,b\n\n1,2\n\n\n3,4\n",
        "a,b\r\n\r\n1,2\r\n\r\n\r\n3,4",
        "a,b\n \n1,2\n\n\n3,4",
    ] {
        let table = table(csv);
        assert_eq!(
            [table.rows() as u64, table.line(0), table.line(1)],
            [2, 3, 6],
            "{csv:?}"
        );
    }
    assert_eq!(table("a,b\r1,2\r3,4\r").rows(), 2);
}

#[test]
fn spaces_after_the_delimiter_are_no_part_of_a_cell() {
    let table = table("a, b, c\n1,  x ,\"p, q\"\n2, y, \"r, s\"\n");
    assert_eq!(texts(&table, "b"), ["x", "y"]);
    assert_eq!(texts(&table, "c"), ["p, q", "r, s"]);
}

#[test]
fn encodings_are_found_or_set() {
    let text = "\u{FEFF}a,b\n1,é\n2,ü\n";
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let (read, report) = open(utf16).unwrap();
    assert_eq!(
        (report.encoding, texts(&read, "b")),
        (Some("UTF-16LE"), vec!["é".into(), "ü".into()])
    );
    assert_eq!(table(text).columns()[0].name(), "a");
    let encoding = Some(Encoding::WINDOWS_1252);
    let options = ReadOptions {
        encoding,
        ..ReadOptions::default()
    };
    let (read, _) = read_csv(&b"a,b\n1,\xE9\n"[..], "t.csv", &options).unwrap();
    assert_eq!(texts(&read, "b"), ["é"]);
}

#[test]
fn names_and_comments_can_be_given() {
    let options = ReadOptions {
        names: Some(vec!["x".into(), "y".into()]),
        comment: Some('|'),
        ..ReadOptions::default()
    };
    let (table, report) = open_with("|a comment\n1,2\n3,4\n", &options).unwrap();
    assert_eq!(
        (table.rows(), report.header, table.columns()[1].name()),
        (2, false, "y")
    );
    assert_eq!(table.line(0), 2);
    let message = open_with("1,2,3\n", &options).unwrap_err().to_string();
    assert_eq!(message, "`t.csv` has 3 columns and no header; expected 2");
}

#[test]
fn missing_cells_are_marked_by_the_usual_words_or_by_those_given() {
    let usual = table("x,w\n1,a\nNA,?\n,n/a\nnull,NaN\n2,None\n");
    assert_eq!(usual.column("x").unwrap().missing(), 3);
    assert_eq!(texts(&usual, "w"), ["a", "", "", "", "None"]);
    let options = ReadOptions {
        missing: vec!["-9".into()],
        ..ReadOptions::default()
    };
    let (given, _) = open_with("x,w\n-9,NA\n2,b\n", &options).unwrap();
    assert!(given.column("x").unwrap().is_missing(0));
    assert_eq!(texts(&given, "w"), ["NA", "b"]);
}

#[test]
fn numbers_keep_their_value() {
    let table = table("x,y\n0.1,-5\n1e-3,255\n12345678901234567890,16777217\n");
    let x = table.column("x").unwrap();
    assert_eq!(
        [0, 1, 2].map(|row| x.number(row)),
        [0.1, 1e-3, 12_345_678_901_234_567_890.0]
    );
    let y = table.column("y").unwrap();
    assert_eq!(
        [0, 1, 2].map(|row| y.number(row)),
        [-5.0, 255.0, 16_777_217.0]
    );
}

type Cell = fn(usize) -> String;

#[test]
fn tricky_columns_get_the_kind_that_the_rules_say() {
    use Kind::{Boolean, Categorical, Date, Identifier, Numeric, Text};
    let cases: [(&str, Kind, Cell); 23] = [
        ("x", Numeric, |row| (row % 7).to_string()),
        ("x", Numeric, |row| format!("{}.0", row + 5)),
        ("flag", Boolean, |row| (row % 2).to_string()),
        ("flag", Boolean, |row| ["0.0", "1.0", ""][row % 3].into()),
        ("flag", Boolean, |row| ["Yes", "no", "YES"][row % 3].into()),
        ("flag", Boolean, |row| ["T", "F"][row % 2].into()),
        ("one", Numeric, |_| "1".into()),
        ("code", Numeric, |row| (row % 2 + 1).to_string()),
        ("zip", Categorical, |row| format!("{:05}", row % 10)),
        ("row", Identifier, |row| row.to_string()),
        ("position", Identifier, |row| (row + 1).to_string()),
        ("year", Numeric, |row| (row + 1950).to_string()),
        ("PassengerId", Identifier, |row| (row * 3 + 892).to_string()),
        ("valid", Numeric, |row| (row * 3 + 892).to_string()),
        ("account", Identifier, |row| format!("C{}", row * 7919)),
        ("city", Categorical, |row| {
            ["Ulm", "Bonn", "Köln"][row % 3].into()
        }),
        ("version", Categorical, |row| format!("1.{}.10", row % 3)),
        ("empty", Categorical, |_| "NA".into()),
        ("day", Date, |row| format!("2024-02-{:02}", row % 29 + 1)),
        ("day", Date, |row| {
            format!("{}.{}.1999", row % 28 + 1, row % 12 + 1)
        }),
        ("date", Date, |row| format!("202401{:02}", row % 31 + 1)),
        ("price", Numeric, |row| format!("$1,{row:03}.50")),
        ("review", Text, |row| {
            format!("this is review number {row} of many")
        }),
    ];
    for (at, (name, kind, cell)) in cases.into_iter().enumerate() {
        let found = kinds(&column(name, 60, cell))[0];
        assert_eq!(found, kind, "case {at}: {name}, {}", cell(0));
    }
}

#[test]
fn a_word_among_numbers_is_named_as_a_possible_mark() {
    let cell = |row: usize| {
        if row == 70 {
            "unknown".into()
        } else {
            row.to_string()
        }
    };
    let (table, report) = open(column("x", 100, cell)).unwrap();
    assert_eq!(table.columns()[0].kind(), Kind::Identifier);
    let text: Vec<String> = report.notes.iter().map(ToString::to_string).collect();
    assert_eq!(
        text,
        ["column `x` is identifier: 1 cell is not a number, such as `unknown` in line 72"]
    );
}

#[test]
fn day_and_month_are_told_apart_over_the_whole_column() {
    let day = |csv: &str, row| table(csv).column("d").unwrap().number(row);
    let february = 19_754.0;
    assert_eq!(day("d,x\n01/02/2024,1\n13/02/2024,2\n", 0), february);
    assert_eq!(day("d,x\n02/01/2024,1\n02/13/2024,2\n", 0), february);
    // The rows ascend in one reading only.
    assert_eq!(
        day("d,x\n01/12/2024,1\n02/01/2024,2\n02/03/2024,3\n", 1),
        february
    );
    let (_, report) = open("d,x\n02/02/2024,1\n03/03/2024,2\n").unwrap();
    assert!(matches!(
        report.notes[..],
        [ReadNote::AmbiguousDates { .. }]
    ));
    let date_order = Some(DateOrder::MonthDayYear);
    let options = ReadOptions {
        date_order,
        ..ReadOptions::default()
    };
    let (table, report) = open_with("d,x\n02/01/2024,1\n03/03/2024,2\n", &options).unwrap();
    assert_eq!(
        (table.column("d").unwrap().number(0), report.notes.len()),
        (february, 0)
    );
}

#[test]
fn kinds_can_be_set() {
    use Kind::{Categorical, Date, Numeric};
    let csv = "code,amount,class,when,name\n\
        1,\"1,234\",1,20240131,ann\n2,\"5,678\",2,20240201,bob\n1,\"9,012\",2,20240202,cid\n";
    let mut options = ReadOptions::default();
    for (name, kind) in [
        ("code", Kind::Categorical),
        ("amount", Kind::Numeric),
        ("class", Kind::Boolean),
        ("when", Kind::Numeric),
        ("name", Kind::Text),
    ] {
        options.kinds.insert(name.to_owned(), kind);
    }
    let (table, _) = open_with(csv, &options).unwrap();
    assert_eq!(texts(&table, "code"), ["1", "2", "1"]);
    assert_eq!(table.column("amount").unwrap().number(0), 1234.0);
    assert_eq!(
        [0, 1].map(|row| table.column("class").unwrap().number(row)),
        [0.0, 1.0]
    );
    assert_eq!(table.column("when").unwrap().number(0), 20_240_131.0);
    assert_eq!(table.column("name").unwrap().kind(), Kind::Text);
    assert_eq!(kinds(csv), [Numeric, Numeric, Numeric, Date, Categorical]);
}

#[test]
fn a_kind_that_the_cells_cannot_have_is_refused() {
    let forced = |name: &str, kind| {
        let mut options = ReadOptions::default();
        options.kinds.insert(name.to_owned(), kind);
        open_with("a,b\n1,x\n2,y\n3,z\n", &options)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        forced("b", Kind::Numeric),
        "`t.csv` line 2, column `b`: `x` is not a number"
    );
    assert_eq!(
        forced("b", Kind::Boolean),
        "column `b` of `t.csv` cannot be boolean: it has 3 distinct values, not two"
    );
    let message = forced("b", Kind::Date);
    assert!(message.starts_with("`t.csv` line 2, column `b`: `x` is not a date such as"));
    assert_eq!(
        forced("c", Kind::Date),
        "`t.csv` has no column `c`; its columns are `a`, `b`"
    );
}

#[test]
fn half_of_a_known_pair_is_enough_for_a_column_that_is_said_to_be_boolean() {
    let mut options = ReadOptions::default();
    options.kinds.insert("b".to_owned(), Kind::Boolean);
    let numbers = |csv: &str| {
        let (table, _) = open_with(csv, &options).unwrap();
        [0, 1].map(|row| table.column("b").unwrap().number(row))
    };
    assert_eq!(numbers("a,b\n1,Yes\n2,yes\n"), [1.0, 1.0]);
    assert_eq!(numbers("a,b\n1,off\n2,off\n"), [0.0, 0.0]);
    let error = open_with("a,b\n1,left\n2,left\n", &options).unwrap_err();
    assert!(error.to_string().contains("it has 1 distinct values"));
}

#[test]
fn a_ragged_row_is_named_by_line_and_counts() {
    assert_eq!(
        error("a,b,c\n1,2,3\n\n\"x\ny\",5\n"),
        "`t.csv` line 4: expected 3 cells as in the header in line 1 (`a`, `b`, `c`), found 2; a \
         quoted cell spans 2 lines: check for a stray quote"
    );
    assert_eq!(
        error("a,b\n1,2\n1,2,3"),
        "`t.csv` line 3: expected 2 cells as in the header in line 1 (`a`, `b`), found 3"
    );
}

#[test]
fn a_quote_that_is_never_closed_is_named() {
    let message = "`t.csv` line 3: unclosed quote";
    assert_eq!(error("a,b\n1,2\n3,\"x\n5,6\n7,8\n"), message);
    assert_eq!(error("a,b\n1,2\n\"3,4\n5,6\n7,8\n"), message);
    assert_eq!(error("a,b\n1,2\n3,\"x"), message);
    // A quote within a cell opens nothing.
    assert_eq!(table("a,b\n1,2\n3,5\"\n").rows(), 2);
    assert_eq!(error("\"a,b\n1,2\n"), message.replace("line 3", "line 1"));
}

#[test]
fn a_row_that_never_ends_is_refused() {
    let mut csv = b"a,b\n1,2\n3,\"".to_vec();
    csv.resize(80 << 20, b'x');
    let message = error(csv);
    let start = "`t.csv` line 3: the row that starts here is longer than 64 MiB";
    assert!(message.starts_with(start), "{message}");
}

#[test]
fn nul_bytes_and_other_encodings_are_named_by_line() {
    let message = error(b"a,b\n1,2\n3,\0\n");
    assert!(
        message.starts_with("`t.csv` line 3 contains a NUL character"),
        "{message}"
    );
    let message = error(b"a,b\n1,2\n3,\xE9\n");
    assert!(
        message.starts_with("`t.csv` line 3: byte 0xe9 is not UTF-8; if"),
        "{message}"
    );
    // Far beyond what is looked at first.
    let mut long = b"a,b\n".to_vec();
    (0..200_000).for_each(|row| long.extend_from_slice(format!("{row},x\n").as_bytes()));
    long.extend_from_slice(b"7,\xFF\n");
    assert!(error(long).starts_with("`t.csv` line 200002: byte 0xff"));
}

#[test]
fn infinities_are_named_by_line_and_column() {
    for cell in ["inf", "-Infinity", "1e999"] {
        let message = error(format!("a,b\n1,2\n3,{cell}\n"));
        let start = format!("`t.csv` line 3, column `b`: `{cell}` is infinite");
        assert!(message.starts_with(&start), "{message}");
    }
    // Among words it is a word.
    assert_eq!(kinds("a,b\n1,up\n2,inf\n3,up\n")[1], Kind::Categorical);
    let options = ReadOptions {
        missing: vec!["inf".into()],
        ..ReadOptions::default()
    };
    let (table, _) = open_with("a,b\n1,2\n3,inf\n", &options).unwrap();
    assert_eq!(table.column("b").unwrap().missing(), 1);
}

#[test]
fn files_without_rows_are_told_apart() {
    for empty in ["", "\n\n", "\u{FEFF}", "  \n"] {
        assert_eq!(error(empty), "`t.csv` is empty", "{empty:?}");
    }
    for header in ["a,b", "a,b\n", "a,b\r\n\r\n"] {
        let message = "`t.csv` has a header of 2 columns, but no rows";
        assert_eq!(error(header), message, "{header:?}");
    }
}

#[test]
fn column_names_are_distinct_and_never_empty() {
    assert_eq!(
        error("a,b,a\n1,2,3\n"),
        "`t.csv`: columns 1 and 3 are both named `a`; rename one"
    );
    let (table, report) = open(",b\n0.5,2\n1.5,3\n").unwrap();
    assert_eq!(table.columns()[0].name(), "column_1");
    assert_eq!(
        report.notes,
        [ReadNote::Named {
            column: "column_1".into(),
            index: false
        }]
    );
}

#[test]
fn other_formats_are_told_from_text() {
    let message = error(b"PK\x03\x04rest");
    assert!(
        message.starts_with("`t.csv` is a zip archive or an Excel workbook"),
        "{message}"
    );
}

#[test]
fn files_are_missing_packed_or_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let options = ReadOptions::default();
    let path = dir.path().join("t.csv.gz");
    let message = read(&path, &options).unwrap_err().to_string();
    assert_eq!(message, format!("there is no file `{}`", path.display()));

    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    for row in 0..5000 {
        writeln!(packer, "{row},{}", row * 7919 % 1000).unwrap();
    }
    let packed = packer.finish().unwrap();
    std::fs::write(&path, &packed).unwrap();
    assert_eq!(read(&path, &options).unwrap().0.rows(), 5000);

    std::fs::write(&path, &packed[..packed.len() / 2]).unwrap();
    let message = read(&path, &options).unwrap_err().to_string();
    assert!(message.contains("damaged or truncated"), "{message}");
    assert!(matches!(
        read(dir.path(), &options),
        Err(TableError::Read { .. })
    ));
}

#[test]
fn what_does_not_fit_is_refused_with_its_size_or_sampled() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.csv");
    let mut csv = b"i,x
"
    .to_vec();
    for row in 0..100_000 {
        writeln!(csv, "{row},{}", row % 10).unwrap();
    }
    std::fs::write(&path, csv).unwrap();
    let options = ReadOptions {
        memory: Some(1_000_000),
        ..ReadOptions::default()
    };
    let message = read(&path, &options).unwrap_err().to_string();
    let needs = format!(
        "`{}` needs about 2.4 MB of memory, more than the 1.0 MB allowed; read",
        path.display()
    );
    assert!(message.starts_with(&needs), "{message}");
    // Of a stream the size is known only on the way.
    let stream = read_csv(std::fs::File::open(&path).unwrap(), "t.csv", &options);
    assert!(matches!(
        stream,
        Err(TableError::Memory {
            limit: 1_000_000,
            ..
        })
    ));

    let options = ReadOptions {
        sample: Some(100),
        seed: 7,
        ..options
    };
    let (table, report) = read(&path, &options).unwrap();
    assert_eq!(
        (table.rows(), report.rows, report.rows_in_file),
        (100, 100, 100_000)
    );
    let column = table.column("i").unwrap();
    let rows: Vec<f64> = (0..100).map(|row| column.number(row)).collect();
    assert!(
        rows.is_sorted() && rows[0] < 10_000.0 && rows[99] > 90_000.0,
        "{rows:?}"
    );
    assert!((0..100).all(|row| table.line(row) == rows[row] as u64 + 2));
    assert_eq!(read(&path, &options).unwrap().0, table);
    let other = read(
        &path,
        &ReadOptions {
            seed: 8,
            ..options.clone()
        },
    )
    .unwrap()
    .0;
    assert_ne!(other, table);
    let all = ReadOptions {
        sample: Some(200_000),
        memory: None,
        ..options
    };
    assert_eq!(read(&path, &all).unwrap().0.rows(), 100_000);
}

const TRAINING: &str = "id,when,price,color,sold,note\n\
    1,31.01.2024,\"3,50\",red,yes,a\n\
    2,28.02.2024,\"4,25\",blue,no,b\n\
    3,01.03.2024,\"5,00\",red,no,c\n";

/// The schema of [`TRAINING`], through JSON as a model folder holds it.
fn schema() -> Schema {
    let schema = table(TRAINING).schema();
    serde_json::from_str(&serde_json::to_string(&schema).unwrap()).unwrap()
}

fn again(csv: &str, optional: &[&str]) -> Result<(Table, ReadReport), TableError> {
    read_csv_with(
        csv.as_bytes(),
        "new.csv",
        &schema(),
        optional,
        &ReadOptions::default(),
    )
}

#[test]
fn a_schema_reads_columns_in_any_order_and_ignores_others() {
    let csv = "extra,sold,price,when,color,note,id\nx,NO,\"1,5\",2.2.2024,green,d,9\n";
    let (table, report) = again(csv, &[]).unwrap();
    assert_eq!(report.ignored, ["extra"]);
    let names: Vec<&str> = table.columns().iter().map(Column::name).collect();
    assert_eq!(names, ["id", "when", "price", "color", "sold", "note"]);
    assert_eq!(table.schema(), schema());
    let number = |name| table.column(name).unwrap().number(0);
    assert_eq!(
        [number("price"), number("sold"), number("when")],
        [1.5, 0.0, 19_755.0]
    );
    assert_eq!(texts(&table, "color"), ["green"]);
}

#[test]
fn json_numbers_have_points_where_the_texts_of_a_column_have_commas() {
    let row = |price: &str| {
        format!(
            "{{\"id\": 9, \"when\": \"2.2.2024\", \"price\": {price}, \"color\": \"red\", \"sold\": \"no\", \"note\": \"x\"}}\n"
        )
    };
    for (price, expected) in [
        ("1.234", 1.234),
        ("-4656.73", -4656.73),
        ("2e-1", 0.2),
        ("7", 7.0),
        ("\"1,5\"", 1.5),
    ] {
        let (table, _) = again(&row(price), &[]).unwrap();
        assert_eq!(
            table.column("price").unwrap().number(0),
            expected,
            "{price}"
        );
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new.jsonl");
        std::fs::write(&path, row(price)).unwrap();
        let options = ReadOptions::default();
        let kept = ["price".to_owned()];
        let kept = Passthrough::Columns(&kept);
        let mut reader = TableReader::open(&path, &schema(), &[], kept, &options).unwrap();
        let chunk = reader.next_chunk(10).unwrap().unwrap();
        assert_eq!(
            chunk.table.column("price").unwrap().number(0),
            expected,
            "{price}"
        );
        assert_eq!(chunk.passthrough, [[price.trim_matches('"')]]);
    }
    assert_eq!(
        again(&row("1.5e999"), &[]).unwrap_err().to_string(),
        "`new.csv` line 1, column `price`: `1.5e999` is not a number with a decimal comma"
    );
}

#[test]
fn the_target_may_be_absent_but_no_other_column() {
    let csv = "id,when,price,color,notes\n9,2.2.2024,\"1,5\",red,x\n";
    let message = again(csv, &["sold"]).unwrap_err().to_string();
    assert_eq!(
        message,
        "`new.csv` has no column `note` (did you mean `notes`?); its columns are `id`, `when`, `price`, \
         `color`, `notes`"
    );
    let csv = csv.replace("notes", "note");
    let (table, report) = again(&csv, &["sold"]).unwrap();
    assert_eq!(
        (table.columns().len(), report.absent),
        (5, vec!["sold".to_owned()])
    );
    assert!(again(&csv, &[]).is_err());
}

#[test]
fn a_cell_of_another_kind_is_named() {
    let row = |when: &str, price: &str, sold: &str| {
        let first = "1,1.1.2024,\"1,0\",red,no,a";
        let csv =
            format!("id,when,price,color,sold,note\n{first}\n2,{when},{price},red,{sold},b\n");
        again(&csv, &[]).unwrap_err().to_string()
    };
    assert_eq!(
        row("x", "\"1,5\"", "no"),
        "`new.csv` line 3, column `when`: `x` is not a date such as `31/01/2024`"
    );
    assert_eq!(
        row("1.1.2024", "many", "no"),
        "`new.csv` line 3, column `price`: `many` is not a number with a decimal comma"
    );
    assert_eq!(
        row("1.1.2024", "\"1,5\"", "maybe"),
        "`new.csv` line 3, column `sold`: `maybe` is not `no` or `yes`"
    );
    let numbers = table("a,flag\n1,0\n2,1\n").schema();
    let read = |csv: &str| {
        let options = ReadOptions::default();
        read_csv_with(csv.as_bytes(), "new.csv", &numbers, &[], &options)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        read("a,flag\nfour,1\n"),
        "`new.csv` line 2, column `a`: `four` is not a number"
    );
    assert_eq!(
        read("a,flag\n4,2\n"),
        "`new.csv` line 2, column `flag`: `2` is not 0 or 1"
    );
    assert!(read("a,flag\ninf,1\n").contains("is infinite"));
}

#[test]
fn without_a_header_columns_are_found_by_their_place() {
    let names = Some(vec!["x".into(), "y".into(), "z".into()]);
    let options = ReadOptions {
        names,
        ..ReadOptions::default()
    };
    let schema = open_with("1,a,5\n2,b,6\n", &options).unwrap().0.schema();
    let read = |csv: &str| {
        read_csv_with(
            csv.as_bytes(),
            "n.csv",
            &schema,
            &["y"],
            &ReadOptions::default(),
        )
    };
    let (table, _) = read("3,c,7\n").unwrap();
    assert_eq!(
        (table.column("z").unwrap().number(0), texts(&table, "y")),
        (7.0, vec!["c".into()])
    );
    let (table, report) = read("3,7\n").unwrap();
    assert_eq!(
        (table.column("z").unwrap().number(0), report.absent),
        (7.0, vec!["y".to_owned()])
    );
    let message = read("3\n").unwrap_err().to_string();
    assert_eq!(message, "`n.csv` has 1 column and no header; expected 3");
}

#[test]
fn a_table_written_and_read_again_is_the_same() {
    let csv = "id,w,n,d,flag,t\n\
        7,\"a, \"\"b\"\"\",0.1,2024-01-31,yes,\"two\nlines\"\n\
        8,c,,,no,x\n\
        9,,1e-300,2024-02-01T12:00:00,,y\n";
    let first = table(csv);
    let mut written = Vec::new();
    first.write_csv(&mut written).unwrap();
    let second = table(&written);
    assert_eq!(second.columns(), first.columns());
    assert_eq!(second.schema(), first.schema());
}

#[test]
fn files_are_read_with_a_schema_too() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.csv");
    std::fs::write(&path, TRAINING).unwrap();
    let (read, _) = read_with(&path, &schema(), &[], &ReadOptions::default()).unwrap();
    assert_eq!(read.columns(), table(TRAINING).columns());
    let missing = read_with(
        Path::new("no-such.csv"),
        &schema(),
        &[],
        &ReadOptions::default(),
    );
    assert!(matches!(missing, Err(TableError::Missing { .. })));
}
