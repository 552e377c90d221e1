//! The built-in recipes.

use tinderbox_models::Template;
use tinderbox_models::text::{FastTextConfig, GptConfig, Positions, TextEncoderConfig};
use tinderbox_predict::text::{
    Format, PretrainedConfig, TextModelConfig, TokenKind, TokenizerConfig,
};
use tinderbox_train::classify::Loss;
use tinderbox_train::{MetricsOptions, MonitorMode, Optimizer, Schedule, Split, TrainingOptions};

use super::recipe::{Augment, Recipe};
use super::source::Data;

/// Names of the built-in recipes with a description.
pub const BUILTIN: [(&str, &str); 14] = [
    (
        "requests",
        "generated support requests, encoder; the default",
    ),
    ("ag-news", "news in four topics"),
    ("sms-spam", "spam among short messages"),
    ("sst2", "positive and negative sentences about films"),
    ("reviews", "positive and negative film reviews"),
    ("contracts", "types of contract clauses"),
    (
        "contract-nli",
        "entailment of 17 hypotheses by contracts, with the lines of evidence",
    ),
    ("shakespeare", "byte-level language model of Shakespeare"),
    ("texts", "your own texts with a class each"),
    ("pairs", "your own pairs of texts with a class each"),
    ("labels", "your own texts with any number of labels each"),
    ("tags", "your own sentences with a tag for each word"),
    ("language-model", "language model of your own plain text"),
    (
        "fine-tune",
        "your own texts, on pretrained weights of BERT, DistilBERT or MiniLM",
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
            "pairs" => base("pairs", pairs()),
            "labels" => labels(),
            "tags" => tags(),
            "language-model" => language_model(),
            "fine-tune" => fine_tune(),
            _ => return None,
        })
    }

    /// Replaces the network by pretrained weights, and the settings of the training by those for
    /// fine-tuning: a pretrained network needs few epochs.
    pub fn set_pretrained(&mut self, weights: &str) {
        if !matches!(self.model, TextModelConfig::Bert(_)) {
            let tuned = fine_tune();
            self.ensemble = tuned.ensemble;
            self.tokenizer = tuned.tokenizer;
            self.augment = tuned.augment;
            self.model = tuned.model;
            self.optimizer = tuned.optimizer;
            self.schedule = tuned.schedule;
            self.train.epochs = tuned.train.epochs;
            self.train.patience = tuned.train.patience;
            self.train.ema_decay = tuned.train.ema_decay;
        }
        if let TextModelConfig::Bert(config) = &mut self.model {
            weights.clone_into(&mut config.weights);
        }
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
        tokenizer: TokenizerConfig {
            kind: TokenKind::WordPiece,
            vocab_size: 8_000,
            min_frequency: 2,
            lowercase: true,
            max_len: 256,
            binary_counts: false,
        },
        augment: Augment::default(),
        model: TextModelConfig::Encoder(Template::default()),
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
        metrics: MetricsOptions::default(),
    }
}

/// The user's own texts with a class each.
fn own_texts() -> Data {
    Data::Texts {
        path: String::new(),
        test: String::new(),
        text: vec!["text".to_owned()],
        label: "label".to_owned(),
        skip_empty: false,
        format: Format::default(),
    }
}

/// The user's own pairs of texts.
fn pairs() -> Data {
    Data::Pairs {
        path: String::new(),
        first: "first".to_owned(),
        second: "second".to_owned(),
        label: "label".to_owned(),
        skip_empty: false,
        format: Format::default(),
    }
}

/// The user's own texts with any number of labels each.
fn labels() -> Recipe {
    let data = Data::MultiLabel {
        path: String::new(),
        text: "text".to_owned(),
        label: "label".to_owned(),
        skip_empty: false,
        format: Format::default(),
    };
    let mut recipe = base("labels", data);
    by_loss(&mut recipe);
    recipe
}

/// A wide bag of words with early stopping: of these networks the one that matches the linear baseline
/// on few and many, short and long texts (`docs/results.md`).
fn texts() -> Recipe {
    let mut recipe = base("texts", own_texts());
    recipe.tokenizer = TokenizerConfig {
        vocab_size: 40_000,
        max_len: 1_024,
        ..words()
    };
    recipe.model = bag_of_words(256, 0.5);
    recipe.augment.token_dropout = 0.4;
    *recipe.optimizer.learning_rate_mut() = 2e-3;
    recipe.train.epochs = 30;
    recipe.train.patience = 4;
    // With early stopping the learning rate is still high; an average of the weights compensates.
    recipe.train.ema_decay = 0.99;
    by_loss(&mut recipe);
    recipe
}

fn requests() -> Recipe {
    let mut recipe = base("requests", Data::Requests { seed: 0 });
    recipe.tokenizer = TokenizerConfig {
        vocab_size: 4_000,
        max_len: 64,
        ..words()
    };
    // The neighbors of a word distinguish the templates, not its position.
    let encoder = TextEncoderConfig::new(0, 0).with_positions(Positions::Rotary);
    recipe.model = TextModelConfig::Encoder(Template(encoder));
    recipe.augment.token_dropout = 0.15;
    *recipe.optimizer.learning_rate_mut() = 2e-3;
    recipe.train.epochs = 5;
    recipe.train.batch_size = 16;
    recipe
}

fn ag_news() -> Recipe {
    Recipe {
        tokenizer: TokenizerConfig {
            vocab_size: 60_000,
            ..words()
        },
        ..bag(
            "ag-news",
            Data::AgNews {
                path: String::new(),
            },
        )
    }
}

/// Whole words, whose mean characterizes topic and sentiment.
fn words() -> TokenizerConfig {
    TokenizerConfig {
        kind: TokenKind::Words,
        vocab_size: 20_000,
        min_frequency: 2,
        lowercase: true,
        max_len: 256,
        binary_counts: false,
    }
}

/// A bag of single words.
fn bag_of_words(d_embedding: usize, dropout: f64) -> TextModelConfig {
    let bag = FastTextConfig::new(0, 0)
        .with_d_embedding(d_embedding)
        .with_max_ngram(1)
        .with_n_buckets(1)
        .with_dropout(dropout);
    TextModelConfig::Bag(Template(bag))
}

/// With few texts, a bag needs strong dropout of tokens and of the mean against overfitting.
fn bag(name: &str, data: Data) -> Recipe {
    let mut recipe = base(name, data);
    recipe.tokenizer = words();
    recipe.model = bag_of_words(64, 0.5);
    recipe.augment.token_dropout = 0.5;
    recipe.train.epochs = 16;
    recipe
}

fn sms_spam() -> Recipe {
    let mut recipe = base(
        "sms-spam",
        Data::SmsSpam {
            path: String::new(),
        },
    );
    recipe.split.folds = 5;
    // Spam is often in capitals.
    recipe.tokenizer.lowercase = false;
    recipe.model = TextModelConfig::Cnn(Template::default());
    recipe.augment.token_dropout = 0.1;
    recipe.train.epochs = 6;
    recipe
}

fn sst2() -> Recipe {
    let mut recipe = bag(
        "sst2",
        Data::Sst2 {
            path: String::new(),
        },
    );
    // Each is small, and their errors differ.
    recipe.ensemble = 8;
    recipe.model = bag_of_words(256, 0.6);
    recipe.augment.token_dropout = 0.4;
    recipe.train.epochs = 20;
    by_loss(&mut recipe);
    recipe
}

/// Keeps the epoch with the lowest loss: on few validation texts it is more reliable than the accuracy.
fn by_loss(recipe: &mut Recipe) {
    "loss".clone_into(&mut recipe.train.monitor);
    recipe.train.monitor_mode = MonitorMode::Min;
}

fn reviews() -> Recipe {
    let mut recipe = bag(
        "reviews",
        Data::Reviews {
            path: String::new(),
        },
    );
    recipe.split.folds = 10;
    recipe.ensemble = 3;
    recipe.tokenizer.vocab_size = 40_000;
    recipe.tokenizer.max_len = 4_096;
    recipe.tokenizer.binary_counts = true;
    recipe.model = bag_of_words(64, 0.3);
    recipe.augment.token_dropout = 0.3;
    *recipe.optimizer.learning_rate_mut() = 5e-3;
    if let Optimizer::Adamw { weight_decay, .. } = &mut recipe.optimizer {
        *weight_decay = 0.1;
    }
    recipe
}

fn contracts() -> Recipe {
    let mut recipe = bag(
        "contracts",
        Data::Cuad {
            path: String::new(),
        },
    );
    recipe.ensemble = 3;
    recipe.tokenizer.max_len = 1_024;
    recipe.model = bag_of_words(256, 0.5);
    recipe.augment.token_dropout = 0.3;
    *recipe.optimizer.learning_rate_mut() = 3e-3;
    recipe.train.epochs = 30;
    recipe
}

fn contract_nli() -> Recipe {
    let mut recipe = bag(
        "contract-nli",
        Data::ContractNli {
            path: String::new(),
        },
    );
    recipe.ensemble = 3;
    recipe.split.valid_fraction = 0.15;
    recipe.tokenizer.binary_counts = true;
    recipe.model = bag_of_words(256, 0.5);
    *recipe.optimizer.learning_rate_mut() = 5e-3;
    recipe.train.epochs = 60;
    by_loss(&mut recipe);
    recipe
}

fn tags() -> Recipe {
    let mut recipe = base(
        "tags",
        Data::Tagged {
            path: String::new(),
        },
    );
    // Names are capitalized.
    recipe.tokenizer.lowercase = false;
    by_loss(&mut recipe);
    recipe
}

/// A decoder on windows of bytes, monitored by the loss.
fn language_model() -> Recipe {
    let mut recipe = base(
        "language-model",
        Data::PlainText {
            path: String::new(),
        },
    );
    recipe.split.test_fraction = 0.05;
    recipe.split.valid_fraction = 0.05;
    recipe.tokenizer.kind = TokenKind::Bytes;
    let gpt = GptConfig::new(0)
        .with_d_model(192)
        .with_n_heads(6)
        .with_n_layers(4)
        .with_d_hidden(512);
    recipe.model = TextModelConfig::Gpt(Template(gpt));
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
        ..language_model()
    }
}

fn fine_tune() -> Recipe {
    let mut recipe = base("fine-tune", own_texts());
    recipe.tokenizer.kind = TokenKind::Pretrained;
    recipe.tokenizer.max_len = 128;
    recipe.model = TextModelConfig::Bert(PretrainedConfig::default());
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
        let assignments = ["model.kind=cnn", "model.n_filters=8", "data.kind=texts"];
        let recipe = assign(requests(), &assignments.map(str::to_owned)).unwrap();
        assert!(matches!(&recipe.model, TextModelConfig::Cnn(config) if config.0.n_filters == 8));
        assert!(matches!(recipe.data, Data::Texts { .. }));
    }

    #[test]
    fn every_kind_of_data_has_a_default_and_a_misspelled_one_has_none() {
        for kind in [
            "requests",
            "ag-news",
            "sms-spam",
            "sst2",
            "reviews",
            "cuad",
            "contract-nli",
            "texts",
            "pairs",
            "multi-label",
            "tagged",
            "plain-text",
        ] {
            let table = toml::Table::try_from(Data::of_kind(kind).unwrap()).unwrap();
            assert_eq!(table["kind"].as_str(), Some(kind));
        }
        assert_eq!(Data::of_kind("request"), None);
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
