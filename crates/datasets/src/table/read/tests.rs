//! Files as people have them: each test is a table of inputs that were once read wrongly.

use std::fmt::Write as _;

use crate::table::{
    Column, DecimalMark, Kind, ReadNote, ReadOptions, ReadReport, Table, TableError, read_csv,
    read_csv_with,
};

fn open(csv: &str, options: &ReadOptions) -> Result<(Table, ReadReport), TableError> {
    read_csv(csv.as_bytes(), "t.csv", options)
}

fn read(csv: &str) -> (Table, ReadReport) {
    open(csv, &ReadOptions::default()).unwrap()
}

fn aimed(target: &str) -> ReadOptions {
    ReadOptions {
        target: Some(target.to_owned()),
        ..ReadOptions::default()
    }
}

fn names(table: &Table) -> Vec<&str> {
    table.columns().iter().map(Column::name).collect()
}

fn kinds(table: &Table) -> Vec<Kind> {
    table.columns().iter().map(Column::kind).collect()
}

fn texts(table: &Table, name: &str) -> Vec<String> {
    let column = table.column(name).unwrap();
    (0..table.rows())
        .map(|row| column.text(row).into_owned())
        .collect()
}

/// A file with these rows below `header`.
fn file(header: &str, rows: usize, row: impl Fn(usize) -> String) -> String {
    (0..rows).fold(format!("{header}\n"), |mut text, at| {
        writeln!(text, "{}", row(at)).unwrap();
        text
    })
}

#[test]
fn whole_numbers_that_no_f64_holds_are_codes() {
    let ids = [
        "1152921504606846977",
        "1152921504606846978",
        "-9007199254740993",
    ];
    let csv = file("id,x,y", 30, |at| {
        format!(
            "{},{}.5,{}",
            ids[at % 3],
            at,
            999_999_999_999_999_u64 - at as u64 % 4
        )
    });
    let (table, report) = read(&csv);
    assert_eq!(
        kinds(&table),
        [Kind::Categorical, Kind::Numeric, Kind::Numeric]
    );
    assert_eq!(texts(&table, "id")[..3], ids);
    assert!(
        matches!(&report.notes[..], [ReadNote::LongIntegers { column, .. }] if column == "id"),
        "{:?}",
        report.notes
    );
    // Decimals among them make them quantities, and so does the user.
    let (table, _) = read("x\n0.5\n1152921504606846977\n1152921504606846978\n");
    assert_eq!(kinds(&table), [Kind::Numeric]);
    let mut options = ReadOptions::default();
    options.kinds.insert("id".to_owned(), Kind::Numeric);
    let (table, _) = open(&csv, &options).unwrap();
    assert_eq!(table.columns()[0].kind(), Kind::Numeric);
    // The model's schema reads them the same way.
    let (table, _) = read(&csv);
    let (again, _) = read_csv_with(
        "y,id\n1,1152921504606846979\n".as_bytes(),
        "new",
        &table.schema(),
        &["x"],
        &ReadOptions::default(),
    )
    .unwrap();
    assert_eq!(texts(&again, "id"), ["1152921504606846979"]);
}

#[test]
fn a_name_that_is_asked_for_settles_the_header() {
    let word = "word,length,pos\nword,short,noun\nhouse,long,adj\nrun,short,noun\n";
    for (csv, target, header, rows) in [
        (word, None, false, 4),
        (word, Some("pos"), true, 3),
        (word, Some("column_3"), false, 4),
        (word, Some("nothing"), false, 4),
        (
            "2019,2020,kind\n2020,2021,a\n2021,2022,b\n",
            Some("kind"),
            true,
            2,
        ),
        ("a,b\nx,1\ny,2\n", Some("column_2"), false, 3),
    ] {
        let options = target.map_or_else(ReadOptions::default, aimed);
        let (table, report) = open(csv, &options).unwrap();
        assert_eq!(
            (report.header, table.rows()),
            (header, rows),
            "{csv:?} {target:?}"
        );
    }
    let mut options = ReadOptions::default();
    options.columns.push("length".to_owned());
    assert!(open(word, &options).unwrap().1.header);
    let (table, _) = open(word, &aimed("nothing")).unwrap();
    assert_eq!(
        table.column("nothing").unwrap_err().to_string(),
        "`t.csv` has no column `nothing`; its columns are `column_1`, `column_2`, `column_3` (its \
         first line was read as data, not as a header)"
    );
}

/// A name, the cell of each row, and the kind of the column.
type Case = (&'static str, fn(usize) -> String, Kind);

#[test]
fn an_unnamed_first_column_is_an_index_unless_it_tells_something() {
    let repeated = |at: usize| (at * 37 % 50 + 100).to_string();
    let cases: [Case; 5] = [
        ("", |at| (at * 37 % 50 + 100).to_string(), Kind::Identifier),
        (
            "Unnamed: 0",
            |at| (at * 37 % 50 + 100).to_string(),
            Kind::Identifier,
        ),
        ("", |at| format!("row{at}"), Kind::Identifier),
        ("", |at| format!("2024-01-{:02}", at % 28 + 1), Kind::Date),
        ("", |at| format!("{at}.25"), Kind::Numeric),
    ];
    for (name, cell, kind) in cases {
        let csv = file(&format!("{name},a"), 60, |at| {
            format!("{},{at}.5", cell(at))
        });
        let (table, report) = read(&csv);
        assert_eq!(table.columns()[0].kind(), kind, "`{name}` of {}", cell(1));
        let index = ReadNote::Named {
            column: "column_1".to_owned(),
            index: kind == Kind::Identifier,
        };
        assert_eq!(
            report.notes.contains(&index),
            name.is_empty(),
            "{:?}",
            report.notes
        );
    }
    // Elsewhere, and where the user has decided, it is a column like others.
    let (table, _) = read(&file("a,", 60, |at| format!("{at}.5,{}", repeated(at))));
    assert_eq!(table.columns()[1].kind(), Kind::Numeric);
    let csv = file(",a", 60, |at| format!("{},{at}.5", repeated(at)));
    let (table, _) = open(&csv, &aimed("column_1")).unwrap();
    assert_eq!(table.columns()[0].kind(), Kind::Numeric);
}

#[test]
fn a_target_is_never_an_identifier_and_few_names_are() {
    let whole = |at: usize| (at * 7919 % 100_003).to_string();
    for (name, kind) in [
        ("happiness index", Kind::Numeric),
        ("refractive_index", Kind::Numeric),
        ("%", Kind::Numeric),
        ("rows sold", Kind::Numeric),
        ("index", Kind::Identifier),
        ("row", Kind::Identifier),
        ("Row Number", Kind::Identifier),
        ("customer_id", Kind::Identifier),
        ("#", Kind::Identifier),
    ] {
        let csv = file(&format!("a,{name}"), 60, |at| {
            format!("{at}.5,{}", whole(at))
        });
        assert_eq!(read(&csv).0.columns()[1].kind(), kind, "{name}");
        let (table, _) = open(&csv, &aimed(name)).unwrap();
        assert_eq!(
            table.columns()[1].kind(),
            Kind::Numeric,
            "{name} as the target"
        );
    }
    let words = file("a,id", 60, |at| format!("{at}.5,w{}", 60 - at));
    let (table, _) = open(&words, &aimed("id")).unwrap();
    assert_eq!(table.columns()[1].kind(), Kind::Categorical);
    let levels = table.columns()[1].words().unwrap().levels();
    assert!(levels.iter().is_sorted(), "classes are in order");
    let running = file("a,rank", 60, |at| format!("{at}.5,{}", at + 1));
    assert_eq!(
        open(&running, &aimed("rank")).unwrap().0.columns()[1].kind(),
        Kind::Numeric
    );
}

#[test]
fn the_first_line_of_excel_is_obeyed_and_titles_are_skipped() {
    let body = "a;b\n1;x\n2;y\n3;z\n";
    for above in ["sep=;\n", "sep=;\r\n", "\"sep=;\"\n"] {
        let (table, report) = read(&format!("{above}{body}"));
        assert_eq!(
            (names(&table), table.line(0)),
            (vec!["a", "b"], 3),
            "{above:?}"
        );
        assert_eq!((report.delimiter, report.notes.len()), (Some(';'), 0));
    }
    let (table, report) = read(&format!("Sales of 2024\nfrom the office\n\n{body}"));
    assert_eq!(
        (names(&table), table.line(0), table.line(2)),
        (vec!["a", "b"], 5, 7)
    );
    assert_eq!(
        report.notes,
        [ReadNote::Titles {
            lines: 3,
            header: 4
        }]
    );
    assert_eq!(
        report.notes[0].to_string(),
        "line 4 is taken as the header; the 3 lines above it are skipped"
    );
    let error = open("Sales\na,b\nx,y\nz,w\n", &ReadOptions::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`t.csv` line 2: expected 1 cell as in the header in line 1 (`Sales`), found 2"
    );
}

#[test]
fn a_decimal_comma_is_no_date() {
    for (cells, kind, first) in [
        (["1000,5", "8363,12", "2024,7"], Kind::Numeric, 1000.5),
        (["1000,5", "1001,5", "1002,5"], Kind::Numeric, 1000.5),
        (["1.000,5", "2.000,5", "12,5"], Kind::Numeric, 1000.5),
        (["2024-05", "2024-06", "2024-07"], Kind::Date, 19_844.0),
        (["1749-01", "1749-02", "1749-03"], Kind::Date, -80_718.0),
        (["5/2024", "6/2024", "7/2024"], Kind::Date, 19_844.0),
        (
            ["Jan 1, 1970", "Jan 2, 1970", "Feb 3, 1970"],
            Kind::Date,
            0.0,
        ),
    ] {
        let csv = file("x;y", 30, |at| format!("{};{at}.5", cells[at % 3]));
        let (table, report) = read(&csv);
        let column = &table.columns()[0];
        assert_eq!(
            (column.kind(), column.number(0)),
            (kind, first),
            "{cells:?}"
        );
        assert!(report.notes.is_empty(), "{:?}", report.notes);
    }
}

#[test]
fn the_time_of_day_is_kept() {
    let csv = file("t,x", 48, |at| {
        format!("2024-01-{:02} {:02}:30:00,{at}.5", at / 24 + 1, at % 24)
    });
    let (table, _) = read(&csv);
    let column = &table.columns()[0];
    assert_eq!(column.kind(), Kind::Date);
    for row in [0, 7, 31, 47] {
        let hours = column.number(row) * 24.0;
        let expected = 19_723.0 * 24.0 + row as f64 + 0.5;
        assert!((hours - expected).abs() < 1e-6, "{row}: {hours}");
    }
}

#[test]
fn a_comma_before_three_digits_is_decided_by_the_file_or_by_the_user() {
    let csv = "a,b\n\"1,234\",x\n\"5,678\",y\n\"9,012\",z\n";
    let other = "a;b\n1,234;x\n5,678;y\n9,012;z\n";
    let set = |decimal| ReadOptions {
        decimal: Some(decimal),
        ..ReadOptions::default()
    };
    let default = ReadOptions::default();
    for (csv, options, first, notes) in [
        (csv, default.clone(), 1234.0, 1),
        (csv, set(DecimalMark::Point), 1234.0, 0),
        (csv, set(DecimalMark::Comma), 1.234, 0),
        (other, default, f64::NAN, 1),
        (other, set(DecimalMark::Point), 1234.0, 0),
        (other, set(DecimalMark::Comma), 1.234, 0),
        (
            "a;b\n1.234;x\n5.678;y\n",
            set(DecimalMark::Comma),
            1234.0,
            0,
        ),
    ] {
        let (table, report) = open(csv, &options).unwrap();
        let value = table.columns()[0].number(0);
        assert!(
            value.to_bits() == first.to_bits(),
            "{csv:?} {options:?}: {value}"
        );
        assert_eq!(report.notes.len(), notes, "{csv:?} {:?}", report.notes);
    }
}

#[test]
fn points_before_three_digits_are_no_decimals_beside_decimal_commas() {
    let csv = file("a;b;c", 30, |at| {
        format!("{}.{:03};{at},5;{at}.25", at + 1, at * 7)
    });
    let (table, report) = read(&csv);
    assert_eq!(
        [0, 1, 2].map(|at| table.columns()[at].number(1)),
        [2007.0, 1.5, 1.25]
    );
    assert_eq!(
        report
            .notes
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>(),
        ["in column `a`, `1.000` is read as 1000: its point is taken as the thousands separator"]
    );
    let alone = csv.replace(",5;", ".5;");
    let (table, report) = read(&alone);
    assert_eq!(table.columns()[0].number(1), 2.007);
    assert!(report.notes.is_empty(), "{:?}", report.notes);
}

#[test]
fn points_before_three_digits_alone_are_decimals_with_a_note() {
    let csv = file("a;b", 30, |at| format!("{}.{:03};{at}", at + 1, at * 7));
    let (table, report) = read(&csv);
    assert_eq!(table.columns()[0].number(1), 2.007);
    let notes: Vec<String> = report.notes.iter().map(ToString::to_string).collect();
    assert_eq!(
        notes,
        [
            "in column `a`, `1.000` is read as 1: its point may be a decimal point or a thousands \
             separator"
        ]
    );
    for decimal in [DecimalMark::Point, DecimalMark::Comma] {
        let options = ReadOptions {
            decimal: Some(decimal),
            ..ReadOptions::default()
        };
        let (_, report) = open(&csv, &options).unwrap();
        assert!(report.notes.is_empty(), "{:?}", report.notes);
    }
}

#[test]
fn a_percent_sign_in_some_cells_makes_words_and_a_note() {
    let csv = file("rate,m", 40, |at| {
        let rate = at * 37 % 90 + 1;
        if at % 2 == 0 {
            format!("{rate}.0%,{at}.5")
        } else {
            format!("0.{rate:02},{at}.5")
        }
    });
    let (table, report) = read(&csv);
    assert!(table.columns()[0].words().is_some());
    assert_eq!(
        report.notes[0].to_string(),
        "20 of 40 cells of `rate` have a percent sign: `5%` and `0.05` may be the same number, so the \
         column is read as text; write all cells in one way"
    );
    let findings = crate::table::inspect(&table, None).unwrap().findings;
    let numbers = |finding: &crate::table::Finding| {
        matches!(finding, crate::table::Finding::NumbersAsWords { .. })
    };
    assert!(!findings.iter().any(numbers), "{findings:?}");
    // The zero of a percentage needs no sign.
    let (table, report) = read("rate,m\n5%,1\n0,2\n7%,5\n");
    assert_eq!(table.columns()[0].kind(), Kind::Numeric);
    assert!(report.notes.is_empty(), "{:?}", report.notes);
}

#[test]
fn numbers_of_all_countries_are_read_or_named() {
    let cell = |sign: &'static str| {
        move |at: usize| {
            let (whole, cents) = (at * 37 % 900 + 1100, at * 7 % 100);
            sign.replace(
                '#',
                &format!("{},{:03}.{cents:02}", whole / 1000, whole % 1000),
            )
        }
    };
    for sign in [
        "(#)", "$(#)", "R$ #", "# zł", "# kr", "Rs. #", "#-", "#", "₹#", "JPY #",
    ] {
        let made = cell(sign);
        let csv = file("amount;m", 40, |at| format!("{};{at}.5", made(at)));
        let (table, _) = read(&csv);
        let amount = &table.columns()[0];
        assert_eq!(amount.kind(), Kind::Numeric, "{sign}");
        let negative = sign.contains(['(', '-']);
        let expected = if negative { -1100.0 } else { 1100.0 };
        assert_eq!(amount.number(0), expected, "{sign}");
    }
    let csv = file("weight,m", 40, |at| format!("{} kg,{at}.5", at * 7 % 41));
    let (table, report) = read(&csv);
    assert_ne!(table.columns()[0].kind(), Kind::Numeric);
    assert_eq!(
        report.notes[0].to_string(),
        "most cells of column `weight` are numbers in a form that is not supported, such as `0 kg`, so \
         it is read as text; write plain numbers to use it as numeric"
    );
}

#[test]
fn a_stray_quote_is_noted_and_refused_where_rows_must_not_be_lost() {
    let csv = file("x,label,note", 60, |at| match at {
        20 | 30 => format!("{at}.5,{},\"see", ["a", "b"][at % 2]),
        _ => format!("{at}.5,{},ok", ["a", "b"][at % 2]),
    });
    let (table, report) = read(&csv);
    assert_eq!(table.rows(), 50);
    assert_eq!(
        report.notes,
        [ReadNote::StrayQuote {
            line: 22,
            lines: 10
        }]
    );
    let clean = csv.replace('"', "");
    let schema = read(&clean).0.schema();
    let again = |csv: &str| {
        read_csv_with(
            csv.as_bytes(),
            "new.csv",
            &schema,
            &[],
            &ReadOptions::default(),
        )
    };
    assert_eq!(again(&clean).unwrap().0.rows(), 60);
    let error = again(&csv).unwrap_err().to_string();
    assert!(
        error.starts_with("`new.csv` line 22: a quoted cell spans lines"),
        "{error}"
    );
}

#[test]
fn a_line_of_nothing_but_delimiters_is_refused_before_it_takes_memory() {
    for csv in [
        ",".repeat(2_000_000) + "\n1\n",
        format!("a,b\n1,{}\n", ",".repeat(5_000_000)),
    ] {
        let error = open(&csv, &ReadOptions::default()).unwrap_err().to_string();
        let line = if csv.starts_with('a') { 2 } else { 1 };
        let start = format!("`t.csv` line {line} has more than 100,000 cells");
        assert!(error.starts_with(&start), "{error}");
    }
    let error = open(
        &format!("a,b\n1,{}\n", ",".repeat(200_000)),
        &ReadOptions::default(),
    );
    assert!(matches!(error, Err(TableError::Ragged { line: 2, .. })));
}

#[test]
fn the_word_that_marks_a_missing_target_is_known() {
    let csv = "v,region\n1.5,EU\n2.5,na\n3.5,AP\n";
    assert_eq!(
        open(csv, &aimed("region"))
            .unwrap()
            .1
            .target_marker
            .as_deref(),
        Some("na")
    );
    assert_eq!(read(csv).1.target_marker, None);
    assert_eq!(
        open("v,region\n1.5,\n2.5,EU\n", &aimed("region"))
            .unwrap()
            .1
            .target_marker,
        None
    );
}

/// Files of every form, with bytes changed, doubled and cut at random: an error at worst.
#[test]
fn damaged_files_are_errors_and_no_panics() {
    use crate::random::{below, stream};

    let seeds = [
        "a,b,c\n1,x,2024-01-31\n2,\"y, \"\"z\"\"\",2024-02-29\n3,\"w\nv\",NA\n",
        "sep=;\na;b\n(1,5);3 kr\n2,25;R$ 4\n",
        "Title\n\na\tb\n1.000\t\"x\"\n2.000\t\"y\"\n",
        "{\"a\": 1, \"b\": \"x\\n\"}\n{\"b\": null, \"c\": [1, {}]}\n",
        "[{\"a\": 12345678901234567890}, {\"a\": -1.5e3}]",
        ",1\n\"\",$(3)-\n1152921504606846977,€ 1,09,203\n",
    ];
    let bytes = b",;\t|\"\n\r{}[]:-()0123456789.eE%$ \xC3\xA9\0nax=";
    let mut random = stream(7, &[]);
    for round in 0..4000 {
        let mut file = seeds[round % seeds.len()].as_bytes().to_vec();
        for _ in 0..=below(&mut random, 6) {
            let at = below(&mut random, file.len() + 1);
            let byte = bytes[below(&mut random, bytes.len())];
            match below(&mut random, 4) {
                0 => file.insert(at, byte),
                1 if at < file.len() => file[at] = byte,
                2 => file.truncate(at),
                _ => {
                    let again = file[at..].to_vec();
                    file.extend_from_slice(&again);
                }
            }
            file.truncate(4096);
        }
        let options = ReadOptions {
            target: (round % 3 == 0).then(|| "a".to_owned()),
            decimal: (round % 5 == 0).then_some(DecimalMark::Comma),
            sample: (round % 7 == 0).then_some(2),
            ..ReadOptions::default()
        };
        let Ok((table, _)) = read_csv(&file[..], "t", &options) else {
            continue;
        };
        let schema = table.schema();
        let again = read_csv_with(&file[..], "t", &schema, &[], &ReadOptions::default());
        if options.sample.is_none() && options.decimal.is_none() {
            let again = again.map(|(again, _)| again.rows());
            let same = matches!(&again, Ok(rows) if *rows == table.rows());
            let other = matches!(again, Err(TableError::StrayQuote { .. }));
            let text = String::from_utf8_lossy(&file);
            assert!(same || other, "{text:?}: {again:?}, not {}", table.rows());
        }
        crate::table::inspect(&table, Some(table.columns()[0].name())).unwrap();
    }
}
