//! The recipes that come with the crate.

use tinderbox_models::tabular::{NumericEmbedding, TabMConfig, TabularMlpConfig};
use tinderbox_models::{DataSized as _, Template};

use super::recipe::{Data, Loss, Recipe, Source, Split, SplitBy, TaskType};
use tinderbox_predict::tabular::{Architecture, Features, Format, NumericScaling, TargetScaling};
use tinderbox_train::classify::ClassWeights;
use tinderbox_train::{MetricsOptions, MonitorMode, Optimizer, Schedule, TrainingOptions};

/// Names of the built-in recipes with a line on each.
pub const BUILTIN: [(&str, &str); 16] = [
    (
        "cancer",
        "breast-cancer diagnosis from bundled cell measurements; the default",
    ),
    (
        "file",
        "your own CSV, JSON or Parquet file: `--data FILE --target COLUMN`",
    ),
    ("churn", "customer churn of a telephone company"),
    (
        "house-price",
        "median house prices of California's blocks, 1990",
    ),
    ("home-value", "sale prices of homes in Ames, Iowa"),
    ("census", "income above 50,000 dollars, census of 1994"),
    ("credit-default", "credit-card default, Taiwan 2005"),
    ("german-credit", "credit risk of a German bank"),
    ("home-equity", "default on home-equity loans"),
    ("fraud", "card-payment fraud"),
    ("mobile-fraud", "mobile-payment fraud"),
    (
        "money-laundering",
        "money-laundering accounts, from their transactions",
    ),
    ("malware", "malicious programs by their headers"),
    (
        "prospectivity",
        "lithium prospectivity from maps of elements and rocks",
    ),
    (
        "porphyry",
        "porphyry-copper prospectivity from location and age",
    ),
    ("forest", "forest cover type from maps"),
];

impl Recipe {
    /// The recipe for any file.
    pub fn of_file() -> Self {
        base("file")
    }

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

/// A recipe for any file: what the built-in ones start from.
fn base(name: &str) -> Recipe {
    Recipe {
        name: name.to_owned(),
        ensemble: 1,
        calibrate: true,
        anomaly_detection: false,
        data: Data {
            target: String::new(),
            task: TaskType::Auto,
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
        features: Features::default(),
        model: Architecture::Tabm(Template::default()),
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
        metrics: MetricsOptions::default(),
    }
}

fn tabm(n_blocks: usize, d_block: usize) -> Architecture {
    let config = TabMConfig {
        n_blocks,
        d_block,
        ..TabMConfig::template()
    };
    Architecture::Tabm(Template(config))
}

/// Sets the target, the positive class and the columns that are no features.
fn of(recipe: &mut Recipe, target: &str, positive: &str, drop: &[&str]) {
    target.clone_into(&mut recipe.data.target);
    positive.clone_into(&mut recipe.data.positive);
    recipe.data.drop = drop.iter().map(|&name| name.to_owned()).collect();
}

fn cancer(recipe: &mut Recipe) {
    of(recipe, "diagnosis", "malignant", &[]);
    recipe.data.source = Source::BreastCancer;
    recipe.features.numeric_embedding = NumericEmbedding::None;
    let config = TabularMlpConfig::template().with_hidden(vec![64, 64]);
    recipe.model = Architecture::Mlp(Template(config));
    recipe.features.numeric_scaling = NumericScaling::Standard;
    recipe.ensemble = 5;
    recipe.train.batch_size = 32;
}

fn churn(recipe: &mut Recipe) {
    of(recipe, "Churn", "Yes", &["customerID"]);
    // Three numeric columns, all smooth: bins gain nothing.
    recipe.features.numeric_embedding = NumericEmbedding::None;
    small(recipe);
}

/// For about a thousand rows.
fn small(recipe: &mut Recipe) {
    recipe.model = tabm(2, 64);
    *recipe.optimizer.learning_rate_mut() = 1e-3;
    recipe.train.patience = 8;
}

fn house_price(recipe: &mut Recipe) {
    of(recipe, "median_house_value", "", &[]);
    recipe.data.task = TaskType::Regression;
    // Prices are cut off at 500,001 dollars, which their logarithm does not help.
    recipe.features.target_scaling = TargetScaling::Standard;
    bins(recipe, 64);
    large(recipe, 3, 256, 60);
}

/// For about ten thousand rows: another size of the network, and a fixed number of epochs.
fn large(recipe: &mut Recipe, layers: usize, width: usize, epochs: usize) {
    recipe.model = tabm(layers, width);
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
    recipe.features.numeric_embedding = NumericEmbedding::PiecewiseLinear {
        n_bins,
        rectify: false,
    };
}

fn home_value(recipe: &mut Recipe) {
    of(recipe, "SalePrice", "", &["Order", "PID"]);
    recipe.data.task = TaskType::Regression;
    recipe.features.target_scaling = TargetScaling::Log;
}

fn census(recipe: &mut Recipe) {
    of(recipe, "income", ">50K", &[]);
    recipe.data.source = Source::Adult {
        path: String::new(),
    };
    // Nine rows in ten have no capital gain: the others share few of the bins.
    bins(recipe, 256);
    large(recipe, 2, 192, 15);
}

fn credit_default(recipe: &mut Recipe) {
    of(recipe, "default.payment.next.month", "1", &["ID"]);
    // The limit of the card: the largest possible loss, as the file has no other amount.
    "LIMIT_BAL".clone_into(&mut recipe.data.amount);
    recipe.data.categorical = ["SEX", "EDUCATION", "MARRIAGE"].map(str::to_owned).to_vec();
    recipe.features.numeric_embedding = NumericEmbedding::Periodic {
        n_frequencies: 24,
        sigma: 0.1,
        lite: true,
    };
    large(recipe, 2, 128, 12);
    if let Architecture::Tabm(Template(config)) = &mut recipe.model {
        config.dropout = 0.3;
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
    // The flag is the bank's own decision.
    of(
        recipe,
        "isFraud",
        "1",
        &["nameOrig", "nameDest", "isFlaggedFraud"],
    );
    recipe.anomaly_detection = true;
}

fn fraud(recipe: &mut Recipe) {
    of(recipe, "Class", "1", &[]);
    recipe.anomaly_detection = true;
}

fn money_laundering(recipe: &mut Recipe) {
    of(recipe, "isFraud", "1", &[]);
    recipe.anomaly_detection = true;
    recipe.data.source = Source::Accounts {
        path: String::new(),
    };
}

fn prospectivity(recipe: &mut Recipe) {
    // The location of a cell is no property of its ground.
    of(recipe, "deposit", "1", &["x", "y"]);
    recipe.data.source = Source::Maps {
        path: String::new(),
        background: 1_000,
    };
    small(recipe);
    // At a deposit an element is an outlier, which ranks would hide.
    recipe.features.numeric_scaling = NumericScaling::Standard;
    recipe.features.numeric_embedding = NumericEmbedding::None;
    recipe.loss.class_weights = ClassWeights::Balanced;
    recipe.calibrate = false;
    recipe.train.batch_size = 64;
    recipe.train.epochs = 20;
    recipe.train.patience = 0;
}

fn porphyry(recipe: &mut Recipe) {
    // Deposits and barren sites come from different lists, so that the source is a leak.
    of(recipe, "label", "positive", &["source"]);
    // Five degrees: a deposit's neighbors, often of the same belt, are on its side of the split.
    recipe.split.by = SplitBy::Place;
    "lon,lat".clone_into(&mut recipe.split.column);
    // Bins of coordinates say nothing about the sites between.
    recipe.features.numeric_embedding = NumericEmbedding::None;
    small(recipe);
}

fn malware(recipe: &mut Recipe) {
    of(recipe, "Malware", "1", &[]);
}

fn forest(recipe: &mut Recipe) {
    of(recipe, "Cover_Type", "", &[]);
    recipe.data.task = TaskType::Classification;
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
            "model.kind=ft-transformer",
            "model.n_heads=2",
            "features.numeric_embedding.kind=periodic",
            "data.target=income",
            "data.kind=adult",
        ];
        let recipe = assign(base("file"), &assignments.map(str::to_owned)).unwrap();
        let Architecture::FtTransformer(Template(config)) = &recipe.model else {
            panic!("{:?}", recipe.model);
        };
        assert_eq!(config.n_heads, 2);
        assert!(matches!(recipe.data.source, Source::Adult { .. }));
        assert_eq!(recipe.data.target, "income");
    }
}
