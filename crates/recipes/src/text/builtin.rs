//! The recipes that come with the crate.

use tinderbox_models::layers::Pooling;
use tinderbox_models::text::Positions;

use super::net::{Architecture, FineTune};
use super::recipe::{Augment, Data, Recipe, Split};
use super::tokenizer::{TokenKind, TokenizerRecipe};
use tinderbox_train::classify::Loss;
use tinderbox_train::{MonitorMode, Optimizer, Schedule, TrainingOptions};

/// Names of the built-in recipes with a line on each.
pub const BUILTIN: [(&str, &str); 14] = [
    (
        "requests",
        "support requests that the app makes up, encoder; the default",
    ),
    ("ag-news", "four topics of news"),
    ("sms-spam", "spam among short messages"),
    ("sst2", "sentences about films, for or against"),
    ("reviews", "long film reviews, for or against"),
    ("contracts", "which type a clause of a contract is of"),
    (
        "contract-nli",
        "what agreements say to 17 claims, and which lines show it",
    ),
    ("shakespeare", "a language model that writes, byte by byte"),
    ("texts", "your own texts with a class each"),
    ("pairs", "your own pairs of texts with a class each"),
    ("labels", "your own texts with any number of labels each"),
    ("tags", "your own sentences with a tag for each word"),
    ("writer", "your own text, to be gone on with"),
    (
        "fine-tune",
        "your own texts, on published weights of BERT, DistilBERT or MiniLM",
    ),
];

impl Recipe {
    /// A built-in recipe by its name.
    pub fn builtin(name: &str) -> Option<Self> {
        Some(match name {
            "requests" => requests(),
            "ag-news" => ag_news(),
            "sms-spam" => sms_spam(),
            "sst2" => sst2(),
            "reviews" => reviews(),
            "contracts" => contracts(),
            "contract-nli" => contract_nli(),
            "shakespeare" => shakespeare(),
            "texts" => texts(),
            "pairs" => own("pairs", "pairs"),
            "labels" => Recipe {
                train: TrainingOptions {
                    monitor: "loss".to_owned(),
                    monitor_mode: MonitorMode::Min,
                    ..own("labels", "multi-label").train
                },
                ..own("labels", "multi-label")
            },
            "tags" => tags(),
            "writer" => writer(),
            "fine-tune" => fine_tune(),
            _ => return None,
        })
    }
}

/// A recipe for any texts: what the built-in ones start from.
fn base(name: &str, data: Data) -> Recipe {
    Recipe {
        name: name.to_owned(),
        ensemble: 1,
        calibrate: true,
        data,
        split: Split::default(),
        tokenizer: TokenizerRecipe {
            kind: TokenKind::WordPiece,
            vocabulary: 8_000,
            min_count: 2,
            lowercase: true,
            max_len: 256,
            distinct: false,
        },
        augment: Augment::default(),
        model: Architecture::Encoder {
            d_model: 128,
            heads: 4,
            layers: 2,
            d_feed_forward: 256,
            positions: Positions::Learned,
            pooling: Pooling::Mean,
            dropout: 0.1,
        },
        loss: Loss::default(),
        optimizer: Optimizer::default(),
        schedule: Schedule::Cosine {
            warmup: 0.1,
            floor: 0.0,
        },
        train: TrainingOptions {
            epochs: 8,
            batch_size: 32,
            clip_norm: 1.0,
            monitor: "accuracy".to_owned(),
            monitor_mode: MonitorMode::Max,
            ..TrainingOptions::default()
        },
    }
}

fn of_kind(kind: &str) -> Data {
    Data::of_kind(kind).unwrap_or(Data::Requests { seed: 0 })
}

fn own(name: &str, kind: &str) -> Recipe {
    base(name, of_kind(kind))
}

/// A wide bag of words that stops early: of the networks here the one that keeps up with the linear
/// baseline on few and on many texts, on short and on long ones (`docs/results.md`).
fn texts() -> Recipe {
    let mut recipe = own("texts", "texts");
    recipe.tokenizer = TokenizerRecipe {
        vocabulary: 40_000,
        max_len: 1_024,
        ..words()
    };
    recipe.model = Architecture::Bag {
        d_embedding: 256,
        phrases: 1,
        buckets: 1,
        dropout: 0.5,
    };
    recipe.augment.drop_tokens = 0.4;
    *recipe.optimizer.learning_rate_mut() = 2e-3;
    recipe.train.epochs = 30;
    recipe.train.patience = 4;
    // Where training stops early the rate is still high; an average of the weights makes up for it.
    recipe.train.ema_decay = 0.99;
    by_loss(&mut recipe);
    recipe
}

fn requests() -> Recipe {
    let mut recipe = base("requests", Data::Requests { seed: 0 });
    recipe.tokenizer = TokenizerRecipe {
        vocabulary: 4_000,
        max_len: 64,
        ..words()
    };
    if let Architecture::Encoder { positions, .. } = &mut recipe.model {
        // Templates are told apart by who stands beside whom, not by the place in the line.
        *positions = Positions::Rotary;
    }
    recipe.augment.drop_tokens = 0.15;
    *recipe.optimizer.learning_rate_mut() = 2e-3;
    recipe.train.epochs = 5;
    recipe.train.batch_size = 16;
    recipe
}

fn ag_news() -> Recipe {
    Recipe {
        tokenizer: TokenizerRecipe {
            vocabulary: 60_000,
            ..words()
        },
        ..bag("ag-news", "ag-news")
    }
}

/// Whole words, whose mean says much of a topic or a mood.
fn words() -> TokenizerRecipe {
    TokenizerRecipe {
        kind: TokenKind::Words,
        vocabulary: 20_000,
        min_count: 2,
        lowercase: true,
        max_len: 256,
        distinct: false,
    }
}

/// With few texts, half of the words left out and half of the mean zeroed, over and over, keep a bag
/// from learning its texts by heart.
fn bag(name: &str, kind: &str) -> Recipe {
    let mut recipe = own(name, kind);
    recipe.tokenizer = words();
    recipe.model = Architecture::Bag {
        d_embedding: 64,
        phrases: 1,
        buckets: 1,
        dropout: 0.5,
    };
    recipe.augment.drop_tokens = 0.5;
    recipe.train.epochs = 16;
    recipe
}

fn sms_spam() -> Recipe {
    let mut recipe = own("sms-spam", "sms-spam");
    recipe.split.folds = 5;
    // Spam shouts.
    recipe.tokenizer.lowercase = false;
    recipe.model = Architecture::Cnn {
        d_embedding: 128,
        windows: vec![3, 4, 5],
        filters: 100,
        dropout: 0.5,
    };
    recipe.augment.drop_tokens = 0.1;
    recipe.train.epochs = 6;
    recipe
}

fn sst2() -> Recipe {
    let mut recipe = bag("sst2", "sst2");
    // Each is small, and they err apart.
    recipe.ensemble = 8;
    recipe.model = Architecture::Bag {
        d_embedding: 256,
        phrases: 1,
        buckets: 1,
        dropout: 0.6,
    };
    recipe.augment.drop_tokens = 0.4;
    recipe.train.epochs = 20;
    by_loss(&mut recipe);
    recipe
}

/// Keeps the epoch with the lowest loss: where there are few validation texts, it says more than how
/// many of them are right.
fn by_loss(recipe: &mut Recipe) {
    "loss".clone_into(&mut recipe.train.monitor);
    recipe.train.monitor_mode = MonitorMode::Min;
}

fn reviews() -> Recipe {
    let mut recipe = bag("reviews", "reviews");
    recipe.split.folds = 10;
    recipe.ensemble = 3;
    recipe.tokenizer.vocabulary = 40_000;
    recipe.tokenizer.max_len = 4_096;
    recipe.tokenizer.distinct = true;
    recipe.model = Architecture::Bag {
        d_embedding: 64,
        phrases: 1,
        buckets: 1,
        dropout: 0.3,
    };
    recipe.augment.drop_tokens = 0.3;
    *recipe.optimizer.learning_rate_mut() = 5e-3;
    if let Optimizer::Adamw { weight_decay, .. } = &mut recipe.optimizer {
        *weight_decay = 0.1;
    }
    recipe
}

fn contracts() -> Recipe {
    let mut recipe = bag("contracts", "cuad");
    recipe.ensemble = 3;
    recipe.tokenizer.max_len = 1_024;
    recipe.model = Architecture::Bag {
        d_embedding: 256,
        phrases: 1,
        buckets: 1,
        dropout: 0.5,
    };
    recipe.augment.drop_tokens = 0.3;
    *recipe.optimizer.learning_rate_mut() = 3e-3;
    recipe.train.epochs = 30;
    recipe
}

fn contract_nli() -> Recipe {
    let mut recipe = bag("contract-nli", "contract-nli");
    recipe.ensemble = 3;
    recipe.split.valid_fraction = 0.15;
    recipe.tokenizer.distinct = true;
    recipe.model = Architecture::Bag {
        d_embedding: 256,
        phrases: 1,
        buckets: 1,
        dropout: 0.5,
    };
    *recipe.optimizer.learning_rate_mut() = 5e-3;
    recipe.train.epochs = 60;
    by_loss(&mut recipe);
    recipe
}

fn tags() -> Recipe {
    let mut recipe = own("tags", "tagged");
    // Capital letters tell names.
    recipe.tokenizer.lowercase = false;
    by_loss(&mut recipe);
    recipe
}

/// As a language model is trained: on windows, by the loss alone.
fn writer() -> Recipe {
    let mut recipe = own("writer", "running");
    recipe.split.test_fraction = 0.05;
    recipe.split.valid_fraction = 0.05;
    recipe.tokenizer.kind = TokenKind::Bytes;
    recipe.model = Architecture::Gpt {
        d_model: 192,
        heads: 6,
        layers: 4,
        d_feed_forward: 512,
        tied: true,
        dropout: 0.1,
    };
    recipe.optimizer = Optimizer::Adamw {
        learning_rate: 2e-3,
        beta_1: 0.9,
        beta_2: 0.98,
        epsilon: 1e-8,
        weight_decay: 0.1,
    };
    recipe.schedule = Schedule::Cosine {
        warmup: 0.03,
        floor: 0.05,
    };
    recipe.train.epochs = 10;
    recipe.train.batch_size = 16;
    by_loss(&mut recipe);
    recipe
}

fn shakespeare() -> Recipe {
    Recipe {
        name: "shakespeare".to_owned(),
        ..writer()
    }
}

fn fine_tune() -> Recipe {
    let mut recipe = own("fine-tune", "texts");
    recipe.tokenizer.kind = TokenKind::Pretrained;
    recipe.tokenizer.max_len = 128;
    recipe.model = Architecture::Bert {
        weights: String::new(),
        fine_tune: FineTune::default(),
    };
    *recipe.optimizer.learning_rate_mut() = 5e-5;
    recipe.schedule = Schedule::Cosine {
        warmup: 0.1,
        floor: 0.0,
    };
    recipe.train.epochs = 3;
    recipe
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
            let base = Recipe::builtin("requests").unwrap();
            assert_eq!(overlay(&base, &text).unwrap(), recipe);
        }
    }

    #[test]
    fn the_sections_come_in_kinds() {
        let assignments = ["model.kind=cnn", "model.filters=8", "data.kind=texts"];
        let recipe = assign(requests(), &assignments.map(str::to_owned)).unwrap();
        assert!(matches!(recipe.model, Architecture::Cnn { filters: 8, .. }));
        assert!(matches!(recipe.data, Data::Texts { .. }));
    }

    #[test]
    fn networks_and_tokens_that_do_not_fit_are_refused() {
        for assignment in [
            "model.kind=bytes",
            "model.kind=bert",
            "tokenizer.kind=pretrained",
        ] {
            let recipe = assign(requests(), &[assignment.to_owned()]).unwrap();
            let error = recipe.validate().unwrap_err();
            assert_eq!(error.key, "tokenizer.kind", "{assignment}");
        }
    }
}
