//! The recipes that come with the crate.

use tinderbox_models::layers::{Activation, Normalization};
use tinderbox_models::tabular::{CategoricalEmbedding, NumericEmbedding};

use super::format::Format;
use super::net::Architecture;
use super::recipe::{
    Data, Features, Loss, Model, NumericScale, Recipe, Source, Split, SplitBy, TargetScale, Task,
};
use tinderbox_train::classify::ClassWeights;
use tinderbox_train::{MonitorMode, Optimizer, Schedule, TrainingOptions};

/// Names of the built-in recipes with a line on each.
pub const BUILTIN: [(&str, &str); 16] = [
    (
        "cancer",
        "breast-cancer diagnosis from cell measurements that ship with the app; the default",
    ),
    (
        "file",
        "your own CSV or Parquet file: `--data FILE --target COLUMN`",
    ),
    ("churn", "which customers leave a telephone company"),
    (
        "house-price",
        "median house prices of California's blocks, 1990",
    ),
    ("home-value", "sale prices of homes in Ames, Iowa"),
    (
        "census",
        "who earns more than 50,000 dollars, census of 1994",
    ),
    (
        "credit-default",
        "who fails to pay a credit card, Taiwan 2005",
    ),
    ("german-credit", "good and bad credits of a German bank"),
    ("home-equity", "who fails to pay a loan on a home"),
    ("fraud", "frauds among card payments"),
    ("mobile-fraud", "frauds among mobile payments"),
    (
        "money-laundering",
        "accounts that launder, by their transactions",
    ),
    ("malware", "malicious programs by their headers"),
    (
        "prospectivity",
        "where lithium may lie, by maps of elements and rocks",
    ),
    (
        "porphyry",
        "where porphyry copper may lie, by place and age",
    ),
    ("forest", "which trees grow where, by maps"),
];

impl Recipe {
    /// A built-in recipe by its name.
    pub fn builtin(name: &str) -> Option<Self> {
        let mut recipe = base(name);
        match name {
            "cancer" => cancer(&mut recipe),
            "file" => {}
            "churn" => churn(&mut recipe),
            "house-price" => house_price(&mut recipe),
            "home-value" => home_value(&mut recipe),
            "census" => census(&mut recipe),
            "credit-default" => credit_default(&mut recipe),
            "german-credit" => german_credit(&mut recipe),
            "home-equity" => home_equity(&mut recipe),
            "fraud" => fraud(&mut recipe),
            "mobile-fraud" => mobile_fraud(&mut recipe),
            "money-laundering" => money_laundering(&mut recipe),
            "malware" => malware(&mut recipe),
            "prospectivity" => prospectivity(&mut recipe),
            "porphyry" => porphyry(&mut recipe),
            "forest" => forest(&mut recipe),
            _ => return None,
        }
        Some(recipe)
    }
}

pub(super) fn numeric_of_kind(kind: &str) -> Option<NumericEmbedding> {
    Some(match kind {
        "none" => NumericEmbedding::None,
        "linear" => NumericEmbedding::Linear,
        "linear-relu" => NumericEmbedding::LinearRelu,
        "encoding" => NumericEmbedding::Encoding { n_bins: 24 },
        "piecewise-linear" => NumericEmbedding::PiecewiseLinear {
            n_bins: 24,
            rectify: false,
        },
        "periodic" => NumericEmbedding::Periodic {
            n_frequencies: 24,
            sigma: 0.1,
            lite: true,
        },
        _ => return None,
    })
}

pub(super) fn categorical_of_kind(kind: &str) -> Option<CategoricalEmbedding> {
    Some(match kind {
        "one-hot" => CategoricalEmbedding::OneHot,
        "learned" => CategoricalEmbedding::Learned { d_embedding: 8 },
        _ => return None,
    })
}

/// A recipe for any file: what the built-in ones start from.
fn base(name: &str) -> Recipe {
    Recipe {
        name: name.to_owned(),
        ensemble: 1,
        calibrate: true,
        unlabelled: false,
        data: Data {
            target: String::new(),
            task: Task::Auto,
            positive: String::new(),
            amount: String::new(),
            drop: Vec::new(),
            numeric: Vec::new(),
            categorical: Vec::new(),
            boolean: Vec::new(),
            dates: Vec::new(),
            names: Vec::new(),
            sample: 0,
            format: Format::default(),
            source: Source::File {
                path: String::new(),
                test: String::new(),
            },
        },
        split: Split {
            by: SplitBy::Rows,
            column: String::new(),
            block: 5.0,
            test_fraction: 0.2,
            valid_fraction: 0.15,
            seed: 0,
            folds: 0,
        },
        features: Features {
            numeric: NumericScale::Quantile,
            rare_below: 5,
            shared_from: 0,
            missing_columns: true,
            target: TargetScale::Auto,
        },
        model: Model {
            d_numeric: 16,
            numeric: NumericEmbedding::PiecewiseLinear {
                n_bins: 24,
                rectify: false,
            },
            categorical: CategoricalEmbedding::OneHot,
            net: Architecture::Tabm {
                variant: tinderbox_models::tabular::TabMVariant::Mini,
                n_members: 16,
                n_blocks: 2,
                d_block: 128,
                dropout: 0.1,
            },
        },
        loss: Loss::default(),
        optimizer: Optimizer::Adamw {
            learning_rate: 2e-3,
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.03,
        },
        schedule: Schedule::Constant {},
        train: TrainingOptions {
            epochs: 100,
            batch_size: 256,
            monitor: "loss".to_owned(),
            monitor_mode: MonitorMode::Min,
            patience: 16,
            log_every: 10,
            ..TrainingOptions::default()
        },
    }
}

/// Names the target and what `--data` is expected to be.
fn of(recipe: &mut Recipe, target: &str, positive: &str, drop: &[&str]) {
    target.clone_into(&mut recipe.data.target);
    positive.clone_into(&mut recipe.data.positive);
    recipe.data.drop = drop.iter().map(|&name| name.to_owned()).collect();
}

fn cancer(recipe: &mut Recipe) {
    of(recipe, "diagnosis", "malignant", &[]);
    recipe.data.source = Source::BreastCancer {};
    recipe.model.numeric = NumericEmbedding::None;
    recipe.model.net = Architecture::Mlp {
        hidden: vec![64, 64],
        activation: Activation::Relu,
        normalization: Normalization::None,
        dropout: 0.2,
    };
    recipe.features.numeric = NumericScale::Standard;
    recipe.ensemble = 5;
    recipe.train.batch_size = 32;
}

fn churn(recipe: &mut Recipe) {
    of(recipe, "Churn", "Yes", &["customerID"]);
    // Three columns of numbers, all smooth: bins of them gain nothing.
    recipe.model.numeric = NumericEmbedding::None;
    small(recipe);
}

/// For some thousand rows.
fn small(recipe: &mut Recipe) {
    if let Architecture::Tabm { d_block, .. } = &mut recipe.model.net {
        *d_block = 64;
    }
    *recipe.optimizer.learning_rate_mut() = 1e-3;
    recipe.train.patience = 8;
}

fn house_price(recipe: &mut Recipe) {
    of(recipe, "median_house_value", "", &[]);
    recipe.data.task = Task::Regression;
    // Prices are cut off at 500,001 dollars, which their logarithm does not help.
    recipe.features.target = TargetScale::Standard;
    bins(recipe, 64);
    large(recipe, 3, 256, 60);
}

/// For some ten thousand rows: another size of net, and a fixed number of epochs.
fn large(recipe: &mut Recipe, layers: usize, width: usize, epochs: usize) {
    if let Architecture::Tabm {
        d_block, n_blocks, ..
    } = &mut recipe.model.net
    {
        (*d_block, *n_blocks) = (width, layers);
    }
    *recipe.optimizer.learning_rate_mut() = 3e-3;
    recipe.schedule = Schedule::Cosine {
        warmup: 0.0,
        floor: 0.0,
    };
    recipe.train.epochs = epochs;
    recipe.train.ema_decay = 0.99;
    recipe.train.patience = 0;
}

/// Finer bins of numbers.
fn bins(recipe: &mut Recipe, n_bins: usize) {
    recipe.model.numeric = NumericEmbedding::PiecewiseLinear {
        n_bins,
        rectify: false,
    };
}

fn home_value(recipe: &mut Recipe) {
    of(recipe, "SalePrice", "", &["Order", "PID"]);
    recipe.data.task = Task::Regression;
    recipe.features.target = TargetScale::Log;
}

fn census(recipe: &mut Recipe) {
    of(recipe, "income", ">50K", &[]);
    recipe.data.source = Source::Adult {
        path: String::new(),
    };
    // Nine rows in ten have no capital gain: few of the bins fall on the others.
    bins(recipe, 256);
    large(recipe, 2, 192, 15);
}

fn credit_default(recipe: &mut Recipe) {
    of(recipe, "default.payment.next.month", "1", &["ID"]);
    // The limit of the card: what can be lost at most, as the files say no more.
    "LIMIT_BAL".clone_into(&mut recipe.data.amount);
    recipe.data.categorical = ["SEX", "EDUCATION", "MARRIAGE"].map(str::to_owned).to_vec();
    recipe.model.numeric = NumericEmbedding::Periodic {
        n_frequencies: 24,
        sigma: 0.1,
        lite: true,
    };
    large(recipe, 2, 128, 12);
    if let Architecture::Tabm { dropout, .. } = &mut recipe.model.net {
        *dropout = 0.3;
    }
    *recipe.optimizer.learning_rate_mut() = 2e-3;
    recipe.schedule = Schedule::Cosine {
        warmup: 0.05,
        floor: 0.0,
    };
}

fn german_credit(recipe: &mut Recipe) {
    of(recipe, "class", "bad", &[]);
    "amount".clone_into(&mut recipe.data.amount);
    recipe.data.source = Source::GermanCredit {
        path: String::new(),
    };
    small(recipe);
    recipe.ensemble = 3;
}

fn home_equity(recipe: &mut Recipe) {
    of(recipe, "BAD", "1", &[]);
    "LOAN".clone_into(&mut recipe.data.amount);
}

fn mobile_fraud(recipe: &mut Recipe) {
    // The flag is the bank's own verdict.
    of(
        recipe,
        "isFraud",
        "1",
        &["nameOrig", "nameDest", "isFlaggedFraud"],
    );
    recipe.unlabelled = true;
}

fn fraud(recipe: &mut Recipe) {
    of(recipe, "Class", "1", &[]);
    recipe.unlabelled = true;
}

fn money_laundering(recipe: &mut Recipe) {
    of(recipe, "isFraud", "1", &[]);
    recipe.unlabelled = true;
    recipe.data.source = Source::Accounts {
        path: String::new(),
    };
}

fn prospectivity(recipe: &mut Recipe) {
    // Where a cell lies is no property of its ground.
    of(recipe, "deposit", "1", &["x", "y"]);
    recipe.data.source = Source::Maps {
        path: String::new(),
        background: 1_000,
    };
    small(recipe);
    // A deposit is where an element is far out, which ranks would hide.
    recipe.features.numeric = NumericScale::Standard;
    recipe.model.numeric = NumericEmbedding::None;
    recipe.loss.class_weights = ClassWeights::Balanced;
    recipe.calibrate = false;
    recipe.train.batch_size = 64;
    recipe.train.epochs = 20;
    recipe.train.patience = 0;
}

fn porphyry(recipe: &mut Recipe) {
    // Deposits and barren places come from different lists, which the source would give away.
    of(recipe, "label", "positive", &["source"]);
    // Five degrees: a deposit's neighbours, often of the same belt, are on its side of the split.
    recipe.split.by = SplitBy::Place;
    "lon,lat".clone_into(&mut recipe.split.column);
    // Bins of places say nothing of the places between.
    recipe.model.numeric = NumericEmbedding::None;
    small(recipe);
}

fn malware(recipe: &mut Recipe) {
    of(recipe, "Malware", "1", &[]);
}

fn forest(recipe: &mut Recipe) {
    of(recipe, "Cover_Type", "", &[]);
    recipe.data.task = Task::Classification;
}

#[cfg(test)]
mod tests {
    use super::*;
    use tinderbox_train::overlay::{assign, overlay};

    #[test]
    fn every_builtin_is_valid_and_survives_its_own_toml() {
        for (name, _) in BUILTIN {
            let recipe = Recipe::builtin(name).unwrap();
            assert_eq!(recipe.name, name);
            assert_eq!(recipe.validate(), Ok(()), "{name}");
            let text = toml::to_string(&recipe).unwrap();
            assert_eq!(overlay(&base("file"), &text).unwrap(), recipe);
        }
    }

    #[test]
    fn the_sections_come_in_kinds() {
        let assignments = [
            "model.net.kind=ft-transformer",
            "model.net.n_heads=2",
            "model.numeric.kind=periodic",
            "data.source.kind=adult",
        ];
        let recipe = assign(base("file"), &assignments.map(str::to_owned)).unwrap();
        let net = recipe.model.net;
        assert!(matches!(
            net,
            Architecture::FtTransformer { n_heads: 2, .. }
        ));
        assert!(matches!(recipe.data.source, Source::Adult { .. }));
    }
}
