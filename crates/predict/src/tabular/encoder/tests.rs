//! Tests of the encoder.

use tinderbox_datasets::table::Column;

use super::*;
use crate::tabular::features::{NumericScaling, TargetScaling};

fn features(missing_indicators: bool) -> Features {
    Features {
        numeric_scaling: NumericScaling::Standard,
        min_frequency: 2,
        missing_indicators,
        target_scaling: TargetScaling::Standard,
        ..Features::default()
    }
}

fn table() -> Table {
    let words = [
        Some("b"),
        Some("a"),
        Some("a"),
        Some("c"),
        None,
        Some("b"),
        Some("a"),
    ];
    let numbers = vec![1.0, 3.0, f64::NAN, 5.0, 3.0, 3.0, 1000.0];
    let columns = vec![
        Column::numeric("size", numbers),
        Column::categorical("word", words),
        Column::boolean("new", vec![1.0, 0.0, f64::NAN, 1.0, 1.0, 0.0, 0.0]),
    ];
    Table::new("test", columns).unwrap()
}

fn fit(table: &Table, rows: &[usize], missing: bool) -> Encoder {
    let names = ["size", "word", "new"].map(str::to_owned);
    Encoder::fit(table, &names, rows, &features(missing)).unwrap()
}

#[test]
fn only_the_training_rows_are_measured() {
    let table = table();
    let encoder = fit(&table, &[0, 1, 2, 3, 4, 5], true);
    let encoded = encoder.encode(&table).unwrap();
    assert_eq!((encoded.n_numeric, encoded.n_codes), (1, 3));
    // Mean 3 and deviation sqrt(8 / 5); the missing one is the median, 3.
    let expected = [-1.581_139, 0.0, 0.0, 1.581_139, 0.0, 0.0];
    for (found, expected) in encoded.numeric.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-5, "{found} is not {expected}");
    }
    // `a` and `b` have two training rows each, `c` one.
    let codes: Vec<i32> = encoded.codes.chunks(3).map(|codes| codes[1]).collect();
    assert_eq!(codes, [3, 2, 2, 1, 0, 3, 2]);
    let missing: Vec<i32> = encoded.codes.chunks(3).map(|codes| codes[0]).collect();
    assert_eq!(missing, [0, 0, 1, 0, 0, 0, 0]);
    let truth: Vec<i32> = encoded.codes.chunks(3).map(|codes| codes[2]).collect();
    assert_eq!(truth, [2, 1, 0, 2, 2, 1, 1]);
    assert_eq!(encoder.cardinalities(), [2, 4, 3]);
}

#[test]
fn numbers_that_rows_share_have_codes() {
    let table = table();
    let shared = Features {
        numeric_code_min_count: 3,
        ..features(true)
    };
    let names = ["size".to_owned()];
    let rows: Vec<usize> = (0..7).collect();
    let encoder = Encoder::fit(&table, &names, &rows, &shared).unwrap();
    assert_eq!(encoder.cardinalities(), [3, 2]);
    let encoded = encoder.encode(&table).unwrap();
    // Three rows have a 3.
    let codes: Vec<i32> = encoded.codes.chunks(2).map(|codes| codes[0]).collect();
    assert_eq!(codes, [1, 2, 0, 1, 2, 2, 1]);
    let text = serde_json::to_string(&encoder).unwrap();
    assert_eq!(serde_json::from_str::<Encoder>(&text).unwrap(), encoder);
}

#[test]
fn a_stored_encoder_encodes_the_same_and_knows_no_new_word() {
    let table = table();
    let encoder = fit(&table, &[0, 1, 2, 3, 4, 5], false);
    let text = serde_json::to_string(&encoder).unwrap();
    let stored: Encoder = serde_json::from_str(&text).unwrap();
    assert_eq!(
        stored.encode(&table).unwrap(),
        encoder.encode(&table).unwrap()
    );
    let columns = vec![
        Column::categorical("word", [Some("z"), Some("b")]),
        Column::boolean("new", vec![0.0, 1.0]),
        Column::numeric("size", vec![3.0, 3.0]),
    ];
    let other = Table::new("other", columns).unwrap();
    let encoded = stored.encode(&other).unwrap();
    assert_eq!(encoded.codes, [1, 1, 3, 2]);
}

#[test]
fn categories_that_no_training_row_has_are_counted() {
    let table = table();
    // `a` is frequent and `c` is rare; `b` is in no training row.
    let encoder = fit(&table, &[1, 2, 3, 4], false);
    let text = serde_json::to_string(&encoder).unwrap();
    let encoder: Encoder = serde_json::from_str(&text).unwrap();
    let unseen = encoder.unseen_categories(&table).unwrap();
    let expected = UnseenCategories {
        column: "word".to_owned(),
        cells: 2,
        example: "b".to_owned(),
        line: 1,
    };
    assert_eq!(unseen, [expected]);
    let rows = [1, 2, 3, 4];
    assert!(
        encoder
            .unseen_categories(&table.take(&rows))
            .unwrap()
            .is_empty()
    );
}

#[test]
fn dates_are_told_by_season_weekday_and_if_there_is_one_time_of_day() {
    let noon = 19_782.5;
    let columns = |times: Vec<f64>| Table::new("test", vec![Column::date("at", times)]).unwrap();
    let days = columns(vec![19_782.0, 19_783.0, f64::NAN]);
    let times = columns(vec![noon, 19_783.0, f64::NAN]);
    let names = ["at".to_owned()];
    let fit = |table: &Table| Encoder::fit(table, &names, &[0, 1, 2], &features(true)).unwrap();
    assert_eq!(fit(&days).cardinalities(), [13, 8, 2]);
    assert_eq!(fit(&days).n_numeric(), 3);
    let encoder = fit(&times);
    assert_eq!(encoder.cardinalities(), [13, 8, 25, 2]);
    let encoded = encoder.encode(&times).unwrap();
    assert_eq!(encoded.n_numeric, 5);
    assert_eq!(encoded.row_codes(0), [2, 4, 13, 0]);
    assert_eq!(encoded.row_codes(1), [3, 5, 1, 0]);
    assert_eq!(encoded.row_codes(2), [0, 0, 0, 1]);
    // Noon is opposite to midnight.
    assert!((encoded.numbers(0)[4] + 1.0).abs() < 1e-6);
    assert!((encoded.numbers(1)[4] - 1.0).abs() < 1e-6);
    assert_eq!(encoded.numbers(2)[1..], [0.0; 4]);
    let unscaled = encoder.unscaled(&times).unwrap();
    assert_eq!(unscaled[0].to_bits(), noon.to_bits());
    assert!(unscaled[10..].iter().all(|value| value.is_nan()));
}

#[test]
fn an_encoder_stored_without_parts_of_dates_is_read() {
    let text = r#"[{"name":"at","coding":{"kind":"date","fill":0.0,
        "scale":{"kind":"standard","mean":0.0,"deviation":1.0},"missing":false}}]"#;
    let encoder: Encoder = serde_json::from_str(text).unwrap();
    assert_eq!(
        (encoder.n_numeric(), encoder.cardinalities()),
        (1, vec![13, 8])
    );
}

#[test]
fn rows_are_taken_and_replaced_column_by_column() {
    let table = table();
    let encoder = fit(&table, &[0, 1, 2, 3, 4, 5], false);
    let all = encoder.encode(&table).unwrap();
    let mut some = all.take(&[6, 1]);
    assert_eq!(some.row_codes(0), all.row_codes(6));
    let column = &encoder.columns()[1];
    some.copy_column(1, &all, 0, column);
    assert_eq!(some.row_codes(1), [3, 1]);
    assert_eq!(some.numbers(1), all.numbers(1));
}

#[test]
fn codes_that_no_row_has_are_named() {
    let table = table();
    let names = ["word", "new"].map(str::to_owned);
    let rows = [0, 1, 2, 5, 6];
    let encoder = Encoder::fit(&table, &names, &rows, &features(false)).unwrap();
    let encoded = encoder.encode(&table).unwrap();
    let unseen = encoded.take(&rows).unused_codes(&encoder.cardinalities());
    // Neither a missing nor a rare word; a missing `new` is in row 2.
    assert_eq!(unseen, [[0, 0], [0, 1]]);
    assert_eq!(
        encoded.unused_codes(&encoder.cardinalities()),
        [[0_usize; 2]; 0]
    );
}
