//! Tests of the baselines.

use tinderbox_datasets::table::Column;

use super::*;
use crate::tabular::Recipe;
use crate::tabular::targets::read_targets;

/// The methods fitted on a table whose last column is the target.
fn baselines(columns: Vec<Column>) -> Vec<Classical> {
    let table = Table::new("test", columns).unwrap();
    let recipe = Recipe::builtin("file").unwrap();
    let names: Vec<String> = table
        .columns()
        .iter()
        .map(|c| c.name().to_owned())
        .collect();
    let (target_name, inputs) = names.split_last().unwrap();
    let count = table.rows();
    let rows = |from: usize| -> Vec<usize> { (from..count).step_by(5).collect() };
    let (test, valid) = (rows(0), rows(1));
    let train = [rows(2), rows(3), rows(4)].concat();
    let column = table.column(target_name).unwrap();
    let (mut target, targets) = read_targets(column, &recipe.data).unwrap();
    let scaling = recipe.features.target_scaling;
    fit_scale(&mut target, &targets, &train, scaling, target_name).unwrap();
    let encoder = Encoder::fit(&table, inputs, &train, &recipe.features).unwrap();
    let encoded = encoder.encode(&table).unwrap();
    let rows = Rows {
        table: &table,
        encoder: &encoder,
        encoded: &encoded,
        targets: &targets,
        target: &target,
        train: &train,
        valid: &valid,
        test: &test,
    };
    let methods = rows.fit_all().unwrap();
    for method in &methods {
        let json = serde_json::to_string(&method.fitted).unwrap();
        let stored: FittedBaseline = serde_json::from_str(&json).unwrap();
        assert_eq!(stored, method.fitted);
    }
    methods
}

/// A number in `[0, 1)`, in no order.
fn spread(at: usize, step: usize) -> f64 {
    ((at * step + 7) % 1009) as f64 / 1009.0
}

#[test]
fn a_linear_table_is_solved_by_the_linear_method() {
    let a: Vec<f64> = (0..600).map(|at| spread(at, 389).powi(4) * 100.0).collect();
    let b: Vec<f64> = (0..600).map(|at| spread(at, 613)).collect();
    let word = |at: usize| ["x", "y", "z"][at % 3];
    let words = Column::categorical("w", (0..600).map(|at| Some(word(at))));
    // The second target is skewed, so that the network learns its logarithm.
    for offset in [-3.0, 0.5] {
        let y = (0..600).map(|at| offset + 2.0 * a[at] + 5.0 * b[at] + (at % 3) as f64);
        let columns = vec![
            Column::numeric("a", a.clone()),
            Column::numeric("b", b.clone()),
            words.clone(),
            Column::numeric("y", y.collect()),
        ];
        let found = baselines(columns)[0].result.test["r2"];
        assert!(found > 0.9999, "{offset}: {found}");
    }
}

#[test]
fn trees_find_the_time_of_day() {
    let times: Vec<f64> = (0..3_000)
        .map(|at| 19_000.0 + f64::from(at) * 7.0 / 24.0)
        .collect();
    let y = times.iter().map(|time| {
        let hour = ((time.fract() * 24.0).round() as usize) % 24;
        let weekend = (time.floor() as usize + 3) % 7 >= 5;
        f64::from(u8::from((7..19).contains(&hour))) * if weekend { 1.0 } else { 4.0 } + 0.01
    });
    let y: Vec<f64> = y.collect();
    let columns = vec![Column::date("at", times.clone()), Column::numeric("y", y)];
    let methods = baselines(columns);
    let found = methods[1].result.test["r2"];
    assert!(found > 0.95, "{found}");
}

#[test]
fn two_classes_are_decided_at_a_tuned_threshold() {
    let a: Vec<f64> = (0..1_000).map(|at| spread(at, 389)).collect();
    let yes = |at: usize| spread(at, 613) < 0.45 * a[at].powi(3);
    let y = (0..1_000).map(|at| Some(if yes(at) { "yes" } else { "no" }));
    let columns = vec![Column::numeric("a", a.clone()), Column::categorical("y", y)];
    for method in baselines(columns) {
        let threshold = method.result.threshold.unwrap();
        assert!(threshold < 0.5, "{threshold}");
        let Evaluation::Binary(predictions) = &method.evaluation else {
            panic!("not classes");
        };
        let [[a, b], [c, d]] = [0, 1].map(|row| {
            let row = &predictions.confusion()[row];
            [row[0] as f64, row[1] as f64]
        });
        let test = &method.result.test;
        assert!((test["accuracy"] - (a + d) / (a + b + c + d)).abs() < 1e-12);
        assert!((test["f1"] - 2.0 * d / (2.0 * d + b + c)).abs() < 1e-12);
        assert!(test["f1"] > 0.0);
    }
}
