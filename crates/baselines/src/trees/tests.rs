use super::*;

/// Numbers in `[-1, 1)` that look random.
fn noise(seed: u64, count: usize) -> Vec<f64> {
    let mut state = seed;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as f64 / f64::from(1_u32 << 30) - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn table(rows: usize) -> Table {
    Table::new(noise(7, rows * 3), 3).unwrap()
}

fn square_error(found: &[f64], expected: &[f64]) -> f64 {
    let pairs = found.iter().zip(expected);
    pairs.map(|(f, e)| (f - e).powi(2)).sum::<f64>() / found.len() as f64
}

#[test]
fn a_product_of_two_columns_is_learnt_and_their_importance_seen() {
    let of = |row: &[f64]| 3.0 * row[0] * row[1];
    let (train, test) = (table(3000), Table::new(noise(8, 900), 3).unwrap());
    let targets = |table: &Table| (0..table.rows()).map(|row| of(table.row(row))).collect();
    let (known, asked): (Vec<f64>, Vec<f64>) = (targets(&train), targets(&test));
    let model = BoostingConfig::default()
        .fit_values(&train, &known)
        .unwrap();
    let error = square_error(&model.predict(&test).unwrap(), &asked);
    // The variance is 1.
    assert!(error < 0.02, "{error}");
    let importance = model.importance();
    assert!(importance[2] < 0.05 && importance[0] > 0.3 && importance[1] > 0.3);
    assert!((importance.iter().sum::<f64>() - 1.0).abs() < 1e-12);
}

#[test]
fn missing_values_go_to_the_better_side() {
    // A missing value means 1, as a large one does.
    let values = [f64::NAN, 0.0, 1.0, 2.0].repeat(50);
    let targets = [1.0, 0.0, 0.0, 1.0].repeat(50);
    let table = Table::new(values, 1).unwrap();
    let model = BoostingConfig::default()
        .fit_values(&table, &targets)
        .unwrap();
    let asked = Table::new(vec![f64::NAN, 0.5, 3.0], 1).unwrap();
    assert!(square_error(&model.predict(&asked).unwrap(), &[1.0, 0.0, 1.0]) < 1e-6);
    // And where nothing is known but whether it is missing.
    let table = Table::new([f64::NAN, 5.0].repeat(50), 1).unwrap();
    let model = BoostingConfig::default()
        .fit_values(&table, &[2.0, 4.0].repeat(50))
        .unwrap();
    let asked = Table::new(vec![f64::NAN, 9.0], 1).unwrap();
    assert!(square_error(&model.predict(&asked).unwrap(), &[2.0, 4.0]) < 1e-6);
}

#[test]
fn three_classes_and_one_without_rows_have_probabilities_that_add_up() {
    let table = table(1200);
    let class = |row: usize| match table.row(row)[0] {
        x if x < -0.3 => 0,
        x if x < 0.3 => 2,
        _ => 3,
    };
    let labels: Vec<usize> = (0..table.rows()).map(class).collect();
    let model = BoostingConfig::default()
        .fit_classes(&table, &labels, 4)
        .unwrap();
    let probabilities = model.predict(&table).unwrap();
    let mut hits = 0;
    for (row, &label) in probabilities.chunks_exact(4).zip(&labels) {
        assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-9 && row[1] == 0.0);
        hits += usize::from(row[label] > 0.5);
    }
    assert!(hits > 1190, "{hits}");
}

#[test]
fn numbers_do_not_depend_on_the_number_of_threads() {
    // Enough columns to be shared out.
    let table = Table::new(noise(7, 2000 * 60), 60).unwrap();
    let labels: Vec<usize> = (0..2000)
        .map(|row| usize::from(table.row(row)[1] > 0.1))
        .collect();
    let fit = || {
        BoostingConfig {
            rounds: 10,
            ..BoostingConfig::default()
        }
        .fit_classes(&table, &labels, 2)
        .unwrap()
    };
    let threads = |count| {
        rayon::ThreadPoolBuilder::new()
            .num_threads(count)
            .build()
            .unwrap()
    };
    assert_eq!(threads(1).install(fit), threads(3).install(fit));
}

#[test]
fn leaves_are_neither_more_nor_smaller_than_allowed() {
    let table = table(400);
    let targets = noise(9, 400);
    let config = BoostingConfig {
        rounds: 1,
        learning_rate: 1.0,
        leaves: 5,
        leaf_rows: 60,
        ..BoostingConfig::default()
    };
    let mut values = config
        .fit_values(&table, &targets)
        .unwrap()
        .predict(&table)
        .unwrap();
    values.sort_by(f64::total_cmp);
    let leaves: Vec<usize> = values
        .chunk_by(|a, b| a.total_cmp(b).is_eq())
        .map(<[f64]>::len)
        .collect();
    assert!(leaves.len() <= 5 && leaves.len() > 1, "{leaves:?}");
    assert!(leaves.iter().all(|&rows| rows >= 60), "{leaves:?}");
}

#[test]
fn rows_that_are_all_alike_are_not_split() {
    let table = Table::new(vec![1.0; 100], 2).unwrap();
    let model = BoostingConfig::default()
        .fit_values(&table, &noise(1, 50))
        .unwrap();
    assert_eq!(model.importance(), [0.0, 0.0]);
    let constant = Table::new(noise(2, 100), 1).unwrap();
    let model = BoostingConfig::default()
        .fit_values(&constant, &[0.1; 100])
        .unwrap();
    assert!((model.predict(&constant).unwrap()[7] - 0.1).abs() < 1e-12);
    let few = Table::new(noise(3, 6), 1).unwrap();
    let model = BoostingConfig::default()
        .fit_classes(&few, &[0, 1, 0, 1, 1, 1], 2)
        .unwrap();
    assert!((model.predict(&few).unwrap()[1] - 4.0 / 6.0).abs() < 1e-12);
}

#[test]
fn what_cannot_be_fitted_is_said() {
    let table = table(10);
    let config = BoostingConfig::default();
    let single = config.fit_classes(&table, &[1; 10], 3);
    assert_eq!(single.unwrap_err(), BaselineError::SingleClass { class: 1 });
    let target = config.fit_values(&table, &[f64::INFINITY; 10]).unwrap_err();
    assert!(matches!(target, BaselineError::Target { row: 0, .. }));
    let count = config.fit_values(&table, &[0.0; 9]).unwrap_err();
    assert_eq!(
        count,
        BaselineError::Count {
            rows: 10,
            targets: 9
        }
    );
    let none = config.fit_values(&Table::new(vec![], 3).unwrap(), &[]);
    assert_eq!(none.unwrap_err(), BaselineError::NoRows);
    let bins = BoostingConfig {
        bins: 256,
        ..config
    }
    .fit_values(&table, &[0.0; 10]);
    assert!(matches!(
        bins,
        Err(BaselineError::Setting { name: "bins", .. })
    ));
    let model = config.fit_values(&table, &noise(1, 10)).unwrap();
    let wide = model.predict(&Table::new(vec![0.0; 4], 4).unwrap());
    assert_eq!(
        wide,
        Err(BaselineError::Width {
            found: 4,
            expected: 3
        })
    );
}

#[test]
fn a_model_that_was_changed_on_disk_is_not_sound() {
    let values: Vec<f64> = (0..200).map(f64::from).collect();
    let labels: Vec<usize> = (0..200)
        .map(|at| usize::from((30..60).contains(&at)))
        .collect();
    let table = Table::new(values, 1).unwrap();
    let model = BoostingConfig::default()
        .fit_classes(&table, &labels, 2)
        .unwrap();
    assert!(model.is_sound(1) && !model.is_sound(2));
    // A split that leads back to the root would never end.
    let mut loops = model.clone();
    loops.trees[0] = grow::Tree::leading_to_itself();
    assert!(!loops.is_sound(1));
    let mut classes = model.clone();
    classes.present = vec![0, 7];
    assert!(!classes.is_sound(1));
    let mut rounds = model;
    rounds.starts.push(0.0);
    assert!(!rounds.is_sound(1));
}
