//! The key that somebody meant who wrote another: by meaning, by its last part, by spelling.

use toml::{Table, Value};

/// Words in use elsewhere, and the keys that mean the same here, the best one first. A key without a
/// section is looked for in every section.
const MEANINGS: &[(&[&str], &[&str])] = &[
    (
        &[
            "epoch",
            "epochs",
            "iterations",
            "max_epochs",
            "max_iter",
            "n_epochs",
            "num_epochs",
            "num_train_epochs",
        ],
        &["train.epochs", "train.total_timesteps"],
    ),
    (
        &["budget", "max_time", "time_budget", "time_limit"],
        &["train.budget"],
    ),
    (
        &[
            "max_steps",
            "num_steps",
            "steps",
            "timesteps",
            "total_timesteps",
        ],
        &["train.total_timesteps", "train.epochs"],
    ),
    (
        &[
            "base_lr",
            "eta",
            "learning_rate",
            "learningrate",
            "lr",
            "max_lr",
            "rate",
            "step_size",
        ],
        &["optimizer.learning_rate"],
    ),
    (
        &[
            "batch",
            "batch_size",
            "batchsize",
            "bs",
            "minibatch",
            "minibatch_size",
            "per_device_train_batch_size",
            "train_batch_size",
        ],
        &["train.batch_size"],
    ),
    (
        &[
            "early_stop",
            "early_stopping",
            "early_stopping_patience",
            "early_stopping_rounds",
            "n_iter_no_change",
            "patience",
        ],
        &["train.patience", "train.stop_after"],
    ),
    (
        &["random_seed", "random_state", "rng", "seed"],
        &["train.seed"],
    ),
    (
        &[
            "accumulate_grad_batches",
            "gradient_accumulation",
            "gradient_accumulation_steps",
        ],
        &["train.gradient_accumulation"],
    ),
    (
        &[
            "clip",
            "clip_grad",
            "clip_grad_norm",
            "grad_clip",
            "gradient_clip_val",
            "max_grad_norm",
        ],
        &["clip_norm"],
    ),
    (&["ema", "swa"], &["train.ema_decay"]),
    (
        &["dataloader_num_workers", "n_jobs", "num_workers", "threads"],
        &["train.workers"],
    ),
    (&["l2", "wd", "weight_penalty"], &["optimizer.weight_decay"]),
    (&["betas", "beta1", "beta_one"], &["optimizer.beta_1"]),
    (&["beta2", "beta_two"], &["optimizer.beta_2"]),
    (&["eps"], &["optimizer.epsilon"]),
    (
        &["lr_scheduler", "lr_scheduler_type", "scheduler"],
        &["schedule.kind"],
    ),
    (&["warmup_ratio", "warmup_steps"], &["schedule.warmup"]),
    (&["optim"], &["optimizer.kind"]),
    (
        &["arch", "architecture", "network", "net"],
        &["model.kind", "model.net.kind", "agent.kind"],
    ),
    (
        &[
            "drop_prob",
            "drop_rate",
            "dropout_p",
            "dropout_rate",
            "p_dropout",
        ],
        &["dropout"],
    ),
    (
        &[
            "d_hidden",
            "hidden_dim",
            "hidden_layer_sizes",
            "hidden_layers",
            "hidden_size",
            "units",
        ],
        &["hidden", "d_hidden", "d_block", "d_feed_forward"],
    ),
    (
        &["depth", "n_layers", "num_hidden_layers", "num_layers"],
        &["layers", "n_blocks", "blocks", "hidden"],
    ),
    (
        &["n_head", "num_attention_heads", "num_heads"],
        &["heads", "n_heads"],
    ),
    (
        &["embedding_dim", "embedding_size", "n_embd"],
        &["d_model", "d_embedding", "d_token"],
    ),
    (
        &[
            "block_size",
            "context_length",
            "max_length",
            "max_seq_length",
            "seq_len",
            "truncation",
        ],
        &["tokenizer.max_len"],
    ),
    (
        &["max_features", "vocab", "vocab_size", "vocabulary_size"],
        &["tokenizer.vocabulary"],
    ),
    (&["min_df", "min_frequency"], &["tokenizer.min_count"]),
    (&["do_lower_case", "lower"], &["tokenizer.lowercase"]),
    (
        &[
            "cv",
            "cross_validation",
            "k",
            "k_fold",
            "kfold",
            "n_folds",
            "n_splits",
        ],
        &["split.folds"],
    ),
    (
        &[
            "test",
            "test_ratio",
            "test_share",
            "test_size",
            "test_split",
        ],
        &["test_fraction"],
    ),
    (
        &[
            "val_fraction",
            "val_size",
            "val_split",
            "valid_size",
            "validation_fraction",
            "validation_size",
            "validation_split",
        ],
        &["valid_fraction"],
    ),
    (
        &["bagging", "models", "n_estimators", "n_models"],
        &["ensemble"],
    ),
    (&["smoothing"], &["loss.label_smoothing"]),
    (
        &[
            "balance",
            "balanced",
            "class_weight",
            "class_weights",
            "pos_weight",
            "scale_pos_weight",
        ],
        &["loss.class_weights", "loss.balanced"],
    ),
    (&["focal_gamma", "focal_loss"], &["loss.focal"]),
    (
        &["label_column", "target_column", "y"],
        &["data.target", "data.label"],
    ),
    (&["text_column"], &["data.text"]),
    (
        &[
            "csv", "dataset", "file", "folder", "input", "path", "root", "train",
        ],
        &["data.path", "data.source.path"],
    ),
    (&["sep", "separator"], &["data.format.delimiter"]),
    (&["na_values"], &["data.format.missing"]),
    (&["dayfirst"], &["data.format.date_order"]),
    (&["exclude", "ignore"], &["data.drop"]),
    (
        &["max_rows", "n_rows", "nrows", "subsample"],
        &["data.sample"],
    ),
    (&["scaler", "scaling"], &["features.numeric"]),
    (&["hflip", "horizontal_flip"], &["augment.flip"]),
    (&["rotation", "rotation_range"], &["augment.rotate"]),
    (
        &["height_shift_range", "translate", "width_shift_range"],
        &["augment.shift"],
    ),
    (&["zoom_range"], &["augment.scale"]),
    (&["image_size", "img_size", "size"], &["data.height"]),
    (&["discount"], &["agent.gamma"]),
    (
        &["replay_buffer", "replay_buffer_size", "replay_size"],
        &["agent.buffer_size"],
    ),
    (&["envs", "n_envs"], &["train.num_envs"]),
    (&["env", "env_id", "env_name"], &["environment"]),
    (
        &["n_steps", "rollout", "rollout_length"],
        &["agent.n_steps", "agent.n_step"],
    ),
    (
        &["hidden", "hidden_sizes", "policy_kwargs"],
        &["agent.net_arch"],
    ),
    (&["evaluate_every", "eval_every"], &["train.eval_freq"]),
    (&["gae"], &["agent.gae_lambda"]),
    (&["clip_epsilon"], &["agent.clip_range"]),
    (&["entropy_coef", "entropy_weight"], &["agent.ent_coef"]),
    (&["value_coef", "value_weight"], &["agent.vf_coef"]),
];

/// Sections in which a key is most likely meant, where several have it.
const SECTIONS: [&str; 5] = ["train.", "optimizer.", "model.", "agent.", "split."];

/// Every key of a recipe with its path, sections included.
pub fn keys(table: &Table) -> Vec<String> {
    let mut all = Vec::new();
    collect(table, "", &mut all);
    all
}

fn collect(table: &Table, path: &str, all: &mut Vec<String>) {
    for (name, value) in table {
        let key = joined(path, name);
        if let Value::Table(inner) = value {
            collect(inner, &key, all);
        }
        all.push(key);
    }
}

pub(super) fn joined(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

/// The one of `keys` that is most likely meant by `wanted`.
pub fn suggest<'a>(keys: &'a [String], wanted: &str) -> Option<&'a str> {
    let wanted = wanted.to_lowercase().replace('-', "_");
    let name = last(&wanted);
    by_meaning(keys, name)
        .or_else(|| best(keys.iter().filter(|key| last(key) == name)))
        .or_else(|| by_spelling(keys, &wanted))
}

fn by_meaning<'a>(keys: &'a [String], name: &str) -> Option<&'a str> {
    let (_, meant) = MEANINGS.iter().find(|(words, _)| words.contains(&name))?;
    meant.iter().find_map(|meant| {
        let whole = meant.contains('.');
        let fits = |key: &&String| {
            if whole {
                key == meant
            } else {
                last(key) == *meant
            }
        };
        best(keys.iter().filter(fits))
    })
}

fn by_spelling<'a>(keys: &'a [String], wanted: &str) -> Option<&'a str> {
    let name = last(wanted);
    let section = &wanted[..wanted.len() - name.len()];
    let siblings = |key: &&String| key.strip_suffix(last(key)) == Some(section);
    let near = |key: &str| strsim::jaro_winkler(name, last(key));
    let nearest = |among: &mut dyn Iterator<Item = &'a String>, least: f64| {
        among
            .map(|key| (near(key), key.as_str()))
            .filter(|(likeness, _)| *likeness > least)
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, key)| key)
    };
    nearest(&mut keys.iter().filter(siblings), 0.85)
        .or_else(|| nearest(&mut keys.iter(), 0.9))
        .or_else(|| nearest(&mut keys.iter().filter(siblings), 0.7))
}

/// Of keys that fit equally, the one in the section that is most often meant.
fn best<'a>(keys: impl Iterator<Item = &'a String>) -> Option<&'a str> {
    let rank = |key: &&String| {
        let section = SECTIONS.iter().position(|section| key.starts_with(section));
        section.unwrap_or(SECTIONS.len())
    };
    keys.min_by_key(rank).map(String::as_str)
}

fn last(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_suggested_by_meaning_then_by_name_then_by_spelling() {
        let keys = [
            "name",
            "ensemble",
            "data",
            "data.path",
            "data.seed",
            "split.folds",
            "split.test_fraction",
            "model.kind",
            "model.dropout",
            "model.hidden",
            "loss.label_smoothing",
            "optimizer.kind",
            "optimizer.learning_rate",
            "optimizer.weight_decay",
            "train.batch_size",
            "train.clip_norm",
            "train.epochs",
            "train.patience",
            "train.seed",
        ]
        .map(str::to_owned);
        for (wanted, meant) in [
            ("epochs", Some("train.epochs")),
            ("num_train_epochs", Some("train.epochs")),
            ("training.epochs", Some("train.epochs")),
            ("lr", Some("optimizer.learning_rate")),
            ("train.lr", Some("optimizer.learning_rate")),
            ("learning_rate", Some("optimizer.learning_rate")),
            ("learning-rate", Some("optimizer.learning_rate")),
            ("early_stopping", Some("train.patience")),
            ("batch_size", Some("train.batch_size")),
            ("Batch-Size", Some("train.batch_size")),
            ("dropout", Some("model.dropout")),
            ("dropout_rate", Some("model.dropout")),
            ("seed", Some("train.seed")),
            ("random_state", Some("train.seed")),
            ("n_splits", Some("split.folds")),
            ("test_size", Some("split.test_fraction")),
            ("max_grad_norm", Some("train.clip_norm")),
            ("weight_decay", Some("optimizer.weight_decay")),
            ("model.hiden", Some("model.hidden")),
            ("train.epoch", Some("train.epochs")),
            ("nmae", Some("name")),
            ("label_smothing", Some("loss.label_smoothing")),
            ("zzz", None),
        ] {
            assert_eq!(suggest(&keys, wanted), meant, "{wanted}");
        }
    }

    #[test]
    fn no_word_means_two_things() {
        let words: Vec<&&str> = MEANINGS.iter().flat_map(|(words, _)| *words).collect();
        let mut once = words.clone();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), words.len());
    }
}
