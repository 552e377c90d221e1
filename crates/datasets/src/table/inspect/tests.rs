use super::*;
use crate::table::{ReadOptions, read_csv};

fn table(csv: &str) -> Table {
    read_csv(csv.as_bytes(), "t.csv", &ReadOptions::default())
        .unwrap()
        .0
}

/// A table of `rows` rows whose cells `line` makes.
fn made(header: &str, rows: usize, line: impl Fn(usize) -> String) -> Table {
    let lines: Vec<String> = (0..rows).map(line).collect();
    table(&format!("{header}\n{}\n", lines.join("\n")))
}

fn leaks(inspection: &Inspection) -> Vec<(&str, bool, Measure)> {
    let leak = |finding| match finding {
        &Finding::Leak {
            ref column,
            by_missing,
            measure,
            ..
        } => Some((column.as_str(), by_missing, measure)),
        _ => None,
    };
    inspection.findings.iter().filter_map(leak).collect()
}

#[test]
fn columns_are_described_by_their_kind() {
    let table = table(
        "x,word,day,flag\n1,b,2024-01-01,yes\n4,a,2024-01-03,no\n,b,,no\n2,b,2024-01-02,no\n",
    );
    let inspection = inspect(&table, None).unwrap();
    let [x, word, day, flag] = inspection.columns.as_slice() else {
        panic!()
    };
    assert_eq!((x.missing, x.missing_share, x.distinct), (1, 0.25, 3));
    assert_eq!(
        x.summary,
        Summary::Numbers {
            min: 1.0,
            median: 2.0,
            max: 4.0
        }
    );
    let counts = |counts: &[(&str, usize)]| Summary::Words {
        top: counts
            .iter()
            .map(|&(word, rows)| (word.to_owned(), rows))
            .collect(),
    };
    assert_eq!(word.summary, counts(&[("b", 3), ("a", 1)]));
    assert_eq!(flag.summary, counts(&[("no", 3), ("yes", 1)]));
    let [first, median, last] = ["2024-01-01", "2024-01-02", "2024-01-03"].map(str::to_owned);
    assert_eq!(
        day.summary,
        Summary::Dates {
            first,
            median,
            last
        }
    );
    assert_eq!((inspection.rows, &inspection.target), (4, &None));
}

#[test]
fn empty_constant_and_duplicate_columns_and_rows_are_found() {
    let table = table("a,b,c,d,w,v\n1,,7,1,x,x\n2,,7,2,y,y\n1,,7,1,x,x\n");
    let findings = inspect(&table, None).unwrap().findings;
    let name = str::to_owned;
    assert_eq!(
        findings,
        [
            Finding::DuplicateRows { rows: 1, of: 3 },
            Finding::Empty { column: name("b") },
            Finding::Constant {
                column: name("c"),
                value: name("7")
            },
            Finding::DuplicateColumn {
                column: name("d"),
                of: name("a")
            },
            Finding::DuplicateColumn {
                column: name("v"),
                of: name("w")
            },
        ]
    );
}

#[test]
fn an_identifier_does_not_hide_a_duplicate_row() {
    let table = made("id,x", 30, |row| format!("{row},{}", row % 29));
    let findings = inspect(&table, None).unwrap().findings;
    assert!(
        findings.contains(&Finding::DuplicateRows { rows: 1, of: 30 }),
        "{findings:?}"
    );
    assert!(findings.contains(&Finding::Identifier {
        column: "id".to_owned()
    }));
}

#[test]
fn duplicates_are_counted_as_in_a_training() {
    // The last row has the features of the one before it and another target.
    let table = table("a,b,y\n1,x,no\n2,y,yes\n1,x,no\n3,z,no\n3,z,yes\n");
    let text = |target| {
        let findings = inspect(&table, target).unwrap().findings;
        let of_rows = |finding: &&Finding| matches!(finding, Finding::DuplicateRows { .. });
        findings.iter().find(of_rows).map(ToString::to_string)
    };
    assert_eq!(
        text(Some("y")).as_deref(),
        Some("2 of 5 rows are duplicates of another row; duplicates stay in one split")
    );
    assert_eq!(
        text(None).as_deref(),
        Some("1 of 5 rows is a duplicate of another row; duplicates stay in one split")
    );
}

#[test]
fn many_rare_classes_are_one_finding() {
    let table = made("x,y", 120, |row| format!("{row}.5,{}", CLASSES[row % 8]));
    let findings = inspect(&table, Some("y")).unwrap().findings;
    let rare: Vec<String> = findings
        .iter()
        .map(ToString::to_string)
        .filter(|text| text.contains("class"))
        .collect();
    assert_eq!(
        rare,
        ["8 classes have fewer than 20 rows, such as `a`, `b`, `c`, `d`, `e`"]
    );
}

const CLASSES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];

#[test]
fn holes_levels_and_numbers_in_words_are_named() {
    let table = made("holes,many,money", 300, |row| {
        let hole = if row % 3 == 0 { "5" } else { "" };
        format!("{hole},w{},TRY {}", row % 150, row % 9 + 1)
    });
    let texts: Vec<String> = inspect(&table, None)
        .unwrap()
        .findings
        .iter()
        .map(ToString::to_string)
        .collect();
    let all = texts.join("\n");
    assert!(all.contains("`holes` is missing in 66.7%"), "{all}");
    assert!(all.contains("`many` has 150 categories"), "{all}");
    assert!(
        all.contains("`money` is read as text, but contains numbers such as `TRY 1`"),
        "{all}"
    );
}

#[test]
fn a_target_is_counted_or_cut_into_quantiles() {
    let table = made("y,z,w", 1000, |row| {
        format!(
            "{},{row}.5,{}",
            row % 4,
            if row == 0 { "rare" } else { "often" }
        )
    });
    let target = inspect(&table, Some("y")).unwrap().target.unwrap();
    let counts = ["0", "1", "2", "3"]
        .map(|class| (class.to_owned(), 250))
        .to_vec();
    assert_eq!(
        target,
        TargetInspection::Classes {
            column: "y".to_owned(),
            counts
        }
    );
    let Some(TargetInspection::Numbers { quantiles, .. }) =
        inspect(&table, Some("z")).unwrap().target
    else {
        panic!()
    };
    assert_eq!(
        (quantiles[0], quantiles[3], quantiles[6]),
        (0.5, 500.0, 999.5)
    );
    let findings = inspect(&table, Some("w")).unwrap().findings;
    assert!(findings.contains(&Finding::RareClass {
        class: "rare".to_owned(),
        rows: 1
    }));
    assert!(inspect(&table, Some("Y2")).is_err());
}

#[test]
fn a_target_with_holes_or_one_value_is_named() {
    let table = table("a,b\n1,x\n,x\n2,x\n");
    let first = |target| inspect(&table, Some(target)).unwrap().findings[0].clone();
    assert_eq!(
        first("a"),
        Finding::TargetMissing {
            column: "a".to_owned(),
            rows: 1
        }
    );
    assert_eq!(
        first("b"),
        Finding::TargetConstant {
            column: "b".to_owned()
        }
    );
}

#[test]
fn columns_that_tell_the_target_are_suspects_and_others_are_not() {
    // `score` orders the classes, `word` renames them, `paid` is there for one class only.
    let table = made("noise,score,word,paid,y", 400, |row| {
        let y = row % 5 == 0;
        let paid = if y { "" } else { "1.5" };
        format!(
            "{},{}.25,{},{paid},{}",
            row * 37 % 101,
            row % 50 + 100 * usize::from(y),
            if y { "p" } else { "q" },
            u8::from(y)
        )
    });
    let inspection = inspect(&table, Some("y")).unwrap();
    assert_eq!(
        leaks(&inspection),
        [
            ("score", false, Measure::Auroc),
            ("word", false, Measure::CramersV),
            ("paid", true, Measure::CramersV),
        ]
    );
}

#[test]
fn numbers_and_words_that_follow_a_number_are_suspects() {
    let table = made("double,group,noise,y", 400, |row| {
        format!(
            "{}.5,g{},{},{}.25",
            row * row,
            row / 20,
            row * 37 % 101,
            row / 20 * 20
        )
    });
    let inspection = inspect(&table, Some("y")).unwrap();
    assert_eq!(
        leaks(&inspection),
        [
            ("double", false, Measure::RankCorrelation),
            ("group", false, Measure::Explained)
        ]
    );
}

#[test]
fn several_classes_are_told_by_bins() {
    let table = made("size,noise,y", 600, |row| {
        format!(
            "{}.5,{},{}",
            row,
            row * 37 % 101,
            ["a", "b", "c"][row / 200]
        )
    });
    let inspection = inspect(&table, Some("y")).unwrap();
    assert_eq!(leaks(&inspection), [("size", false, Measure::CramersV)]);
}

#[test]
fn imbalance_is_measured_against_the_largest_class() {
    let imbalance = |every: usize, classes: usize| {
        let table = made("x,y", 2_000, |row| {
            let class = if row % every == 0 {
                "rare".to_owned()
            } else {
                format!("c{}", row % classes)
            };
            format!("{row},{class}")
        });
        let findings = inspect(&table, Some("y")).unwrap().findings;
        findings.into_iter().find_map(|finding| match finding {
            Finding::Imbalance { class, rows, of } => Some((class, rows, of)),
            _ => None,
        })
    };
    assert_eq!(imbalance(200, 1), Some(("rare".to_owned(), 10, 2_000)));
    assert_eq!(imbalance(10, 1), None);
    // Of many classes each is small.
    assert_eq!(imbalance(40, 39), None);
}

#[test]
fn leaks_are_looked_for_among_the_columns_that_are_learned_from() {
    let table = made("part,rest,x,y,name", 300, |row| {
        let (part, rest) = (row * 37 % 101, row * 53 % 89);
        format!("{part},{rest},{},{},n{row}", row * 71 % 97, part + rest)
    });
    let columns =
        |names: &[&str]| -> Vec<String> { names.iter().map(|name| (*name).to_owned()).collect() };
    let found = |names: &[&str]| find_leaks(&table, "y", &columns(names)).unwrap();
    assert!(matches!(
        &found(&["part", "rest", "x"])[..],
        [Finding::Formula { columns, product: false, r2 }]
            if *columns == ["part", "rest"] && *r2 > 0.9999
    ));
    assert_eq!(found(&["part", "x"]), []);
    assert!(find_leaks(&table, "y", &columns(&["no such"])).is_err());
}

#[test]
fn a_column_that_tells_the_target_without_an_order_is_a_leak() {
    let table = made("x,y", 400, |row| {
        let x = row as f64 / 100.0 - 2.0;
        format!("{x},{}", x * x)
    });
    let inspection = inspect(&table, Some("y")).unwrap();
    assert_eq!(leaks(&inspection), [("x", false, Measure::Explained)]);
}
