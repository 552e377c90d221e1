use super::*;

use crate::space::tests::recipe;

const SPACE: &str = "\
optimizer.learning_rate = { min = 1e-5, max = 1.0, log = true }
optimizer.weight_decay = { min = 1e-5, max = 1.0, log = true }
train.epochs = { min = 1, max = 30 }
train.batch_size = { choices = [8, 16, 32, 64] }
";

fn search(sampler: Sampler, seed: u64) -> Search {
    Search {
        space: Space::parse(SPACE, &recipe()).unwrap(),
        sampler,
        pruner: Pruner::Hyperband,
        seed,
        mode: MonitorMode::Max,
    }
}

fn finished(number: usize, values: Values, score: f64) -> Finished {
    Finished {
        unsolved: 0,
        number,
        values,
        outcome: Outcome::Complete,
        metric: "accuracy".to_owned(),
        mode: MonitorMode::Max,
        score,
        deviation: 0.0,
        scores: vec![score],
        reports: Vec::new(),
        seconds: 1.0,
        reason: String::new(),
    }
}

/// A score with one optimum, most sensitive to the learning rate, and not at all to the weight decay.
fn score(values: &Values) -> f64 {
    let rate = values["optimizer.learning_rate"]
        .as_float()
        .unwrap()
        .log10();
    let epochs = values["train.epochs"].as_integer().unwrap() as f64;
    let batch = values["train.batch_size"].as_integer().unwrap() as f64;
    -(rate + 2.5).powi(2) - 0.002 * (epochs - 20.0).powi(2) - 0.1 * (batch.log2() - 5.0).abs()
}

fn run(sampler: Sampler, seed: u64, trials: usize) -> Vec<Finished> {
    let search = search(sampler, seed);
    let mut all = Vec::new();
    for number in 0..trials {
        let values = search.suggest(&Table::new(), number, &all, &[]);
        let score = score(&values);
        all.push(finished(number, values, score));
    }
    all
}

fn best(trials: &[Finished]) -> f64 {
    trials
        .iter()
        .map(|trial| trial.score)
        .fold(f64::MIN, f64::max)
}

#[test]
fn tpe_beats_random_search() {
    let mut wins = 0;
    let (mut tpe, mut random) = (0.0, 0.0);
    for seed in 0..20 {
        let [a, b] = [Sampler::Tpe, Sampler::Random].map(|sampler| best(&run(sampler, seed, 30)));
        tpe += a / 20.0;
        random += b / 20.0;
        wins += usize::from(a > b);
    }
    println!("wins {wins} tpe {tpe} random {random}");
    assert!(
        wins >= 15 && tpe > 0.5 * random,
        "{wins} of 20, {tpe} against {random}"
    );
}

#[test]
fn the_same_history_gives_the_same_values_and_others_differ() {
    let trials = run(Sampler::Tpe, 1, 12);
    let search = search(Sampler::Tpe, 1);
    let suggest = |number| search.suggest(&Table::new(), number, &trials, &[]);
    assert_eq!(suggest(12), suggest(12));
    assert_ne!(suggest(12), suggest(13));
    let rates = |values: Values| {
        let rate = values["optimizer.learning_rate"].clone();
        (rate, values["optimizer.weight_decay"].clone())
    };
    // Equal ranges, different values.
    let (rate, decay) = rates(suggest(12));
    assert_ne!(rate, decay);
}

#[test]
fn parameters_that_do_not_apply_are_left_out() {
    let text = "\
        model.kind = { choices = [\"small\", \"large\"] }\n\
        model.layers = { min = 1, max = 4, when = { \"model.kind\" = \"large\" } }\n";
    let search = Search {
        space: Space::parse(text, &recipe()).unwrap(),
        ..search(Sampler::Tpe, 3)
    };
    let mut all = Vec::new();
    for number in 0..20 {
        let values = search.suggest(&Table::new(), number, &all, &[]);
        let is_large = values["model.kind"].as_str() == Some("large");
        assert_eq!(values.contains_key("model.layers"), is_large, "{values:?}");
        let score = if is_large { 1.0 } else { 0.0 };
        all.push(finished(number, values, score));
    }
    let large = all[10..].iter().filter(|trial| trial.score > 0.5).count();
    assert!(large > 5, "{large} of 10");
}

#[test]
fn hyperband_stops_what_is_behind_in_every_process_alike() {
    let search = search(Sampler::Random, 0);
    let trial = |number: usize, level: f64| Finished {
        reports: (1..=27)
            .map(|step| (step, level + step as f64 * 0.01))
            .collect(),
        ..finished(number, Values::new(), level)
    };
    // Trials 0, 4, 8 and so on are in the bracket that decides first.
    let history: Vec<Finished> = (0..20)
        .map(|number| trial(number, 0.1 * number as f64))
        .collect();
    let stops = |number, level: f64, steps: u64| {
        let reports: Vec<(u64, f64)> = (1..=steps).map(|step| (step, level)).collect();
        search.stops(number, &reports, 27, MonitorMode::Max, &history)
    };
    assert!(stops(20, 0.0, 1) && !stops(20, 5.0, 1));
    // The last bracket trains to the end.
    assert!(!stops(23, 0.0, 9));
    assert!(!stops(20, 0.0, 27));
    let none = Search {
        pruner: Pruner::None,
        ..search.clone()
    };
    assert!(!none.stops(20, &[(1, 0.0)], 27, MonitorMode::Max, &history));
}

#[test]
fn importance_finds_the_parameters_that_matter() {
    let trials = run(Sampler::Random, 5, 60);
    let search = search(Sampler::Random, 5);
    let all = search.importance(&trials);
    assert_eq!(all[0].key, "optimizer.learning_rate", "{all:?}");
    let decay = all
        .iter()
        .find(|one| one.key == "optimizer.weight_decay")
        .unwrap();
    assert!(all[0].share > 0.5 && decay.share < 0.1, "{all:?}");
    assert_eq!(search.importance(&trials[..3]), []);
}
