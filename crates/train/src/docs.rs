//! The keys of recipes that every task shares, for those who edit one.

use crate::overlay::KeyDoc;

/// The keys of every recipe with data.
pub const RECIPE_DOCS: &[KeyDoc] = &[
    KeyDoc::new(
        "name",
        "Name of the recipe and of its folder under runs/",
        "letters, digits, -, _ and .",
    ),
    KeyDoc::new(
        "ensemble",
        "Number of networks, with different seeds, whose predictions are averaged",
        "1 to 100",
    ),
    KeyDoc::new(
        "calibrate",
        "Calibrate probabilities by temperature scaling on the validation split",
        "true or false",
    ),
];

/// The keys of the `split` section.
pub const SPLIT_DOCS: &[KeyDoc] = &[
    KeyDoc::new("split", "Splits, for data without predefined ones", ""),
    KeyDoc::new(
        "split.test_fraction",
        "Fraction held out for the test",
        "above 0 and below 1",
    ),
    KeyDoc::new(
        "split.valid_fraction",
        "Fraction of the rest held out for validation",
        "above 0 and below 1",
    ),
    KeyDoc::new(
        "split.folds",
        "Cross-validation folds before the final training; 0 for none",
        "0, or 2 to 1,000",
    ),
    KeyDoc::new("split.seed", "Random seed of the splits", "0 or more"),
];

/// The keys of an optimizer.
pub const OPTIMIZER_DOCS: &[KeyDoc] = &[
    KeyDoc::new("optimizer", "Optimizer", ""),
    KeyDoc::new("optimizer.kind", "Algorithm", ""),
    KeyDoc::new(
        "optimizer.learning_rate",
        "Learning rate, before the schedule",
        "above 0",
    ),
    KeyDoc::new("optimizer.momentum", "Momentum", "at least 0 and below 1"),
    KeyDoc::new(
        "optimizer.nesterov",
        "Use Nesterov momentum",
        "true or false",
    ),
    KeyDoc::new(
        "optimizer.weight_decay",
        "Weight decay; adamw excludes biases and normalization layers",
        "0 to 1,000",
    ),
    KeyDoc::new(
        "optimizer.beta_1",
        "Decay of the mean of the gradient",
        "at least 0 and below 1",
    ),
    KeyDoc::new(
        "optimizer.beta_2",
        "Decay of the mean of the squared gradient",
        "at least 0 and below 1",
    ),
    KeyDoc::new(
        "optimizer.epsilon",
        "Constant added to the denominator for stability",
        "1e-15 to 1",
    ),
    KeyDoc::new(
        "schedule",
        "Learning rate schedule, as a factor on optimizer.learning_rate",
        "",
    ),
    KeyDoc::new("schedule.kind", "Shape of the schedule", ""),
    KeyDoc::new(
        "schedule.warmup",
        "Fraction of the steps spent on linear warm-up",
        "at least 0 and below 1",
    ),
    KeyDoc::new("schedule.floor", "Final factor", "0 to 1"),
    KeyDoc::new(
        "schedule.rise",
        "Fraction of the steps that increase the learning rate",
        "above 0 and below 1",
    ),
    KeyDoc::new("schedule.start", "Initial factor", "0 to 1"),
];

/// The keys of a schedule that follows the validation metric; they come after [`OPTIMIZER_DOCS`].
pub const PLATEAU_DOCS: &[KeyDoc] = &[
    KeyDoc::new(
        "schedule.factor",
        "Factor applied each time the monitored metric has stopped improving",
        "above 0 and below 1",
    ),
    KeyDoc::new(
        "schedule.patience",
        "Epochs without improvement before the factor is applied",
        "0 or more",
    ),
];

/// The keys of the training loop and the schedule.
pub const TRAIN_DOCS: &[KeyDoc] = &[
    KeyDoc::new("train", "Training loop", ""),
    KeyDoc::new(
        "train.epochs",
        "Passes over the training data; the maximum if train.budget is set",
        "1 to 1,000,000",
    ),
    KeyDoc::new(
        "train.budget",
        "Time for training, which sets the number of epochs, at most train.epochs; shared by the folds and the \
         networks of an ensemble; empty for none",
        "a time such as 90s, 20m or 1h30m, or empty",
    )
    .optional(),
    KeyDoc::new("train.batch_size", "Items per batch", "1 to 65,536"),
    KeyDoc::new(
        "train.sync_batch_norm",
        "Compute batch normalization over the items of all ranks when training on several processes",
        "true or false",
    )
    .optional_flag(false),
    KeyDoc::new(
        "train.balanced_sampling",
        "Sample training items so that all classes are equally frequent; an image with boxes counts as its rarest \
         class",
        "true or false",
    ),
    KeyDoc::new(
        "train.seed",
        "Random seed of initial weights, shuffling, augmentation and dropout",
        "0 or more",
    ),
    KeyDoc::new(
        "train.gradient_accumulation",
        "Batches whose gradients are averaged before one optimizer step",
        "1 to 65,536",
    ),
    KeyDoc::new(
        "train.clip_norm",
        "Largest global norm of the gradient; 0 turns clipping off",
        "0 to 1e9",
    ),
    KeyDoc::new(
        "train.ema_decay",
        "Decay of the moving average of the weights, which is then validated and saved; 0 turns it off",
        "at least 0 and below 1",
    ),
    KeyDoc::new(
        "train.monitor",
        "Validation metric that selects the best epoch",
        "name of a metric, e.g. loss, accuracy, auroc",
    ),
    KeyDoc::new(
        "train.monitor_mode",
        "Direction of the monitored metric",
        "",
    ),
    KeyDoc::new(
        "train.patience",
        "Epochs without improvement before training stops early; 0 never stops early",
        "0 or more",
    ),
    KeyDoc::new(
        "train.checkpoint_every",
        "Steps between checkpoints; 0 writes one at the end of each epoch",
        "0 or more",
    ),
    KeyDoc::new(
        "train.log_every",
        "Steps between points of the training curve in metrics.jsonl",
        "1 or more",
    ),
    KeyDoc::new(
        "train.workers",
        "Threads that prepare batches; does not change the result",
        "0 to 256",
    ),
];

/// The keys of what is recorded besides `metrics.jsonl`.
pub const METRICS_DOCS: &[KeyDoc] = &[
    KeyDoc::new(
        "metrics",
        "Additional outputs, without effect on the result",
        "",
    ),
    KeyDoc::new(
        "metrics.tensorboard",
        "Write event files for TensorBoard to tensorboard/ in the run directory",
        "true or false",
    )
    .optional_flag(false),
    KeyDoc::new(
        "metrics.histograms",
        "Also write histograms of the weights after each epoch; implies metrics.tensorboard",
        "true or false",
    )
    .optional_flag(false),
    KeyDoc::new(
        "metrics.report",
        "Write report.html and the model card README.md at the end",
        "true or false",
    )
    .optional_flag(true),
];

/// The keys of a loss for classes.
pub const LOSS_DOCS: &[KeyDoc] = &[
    KeyDoc::new("loss", "Loss", ""),
    KeyDoc::new(
        "loss.label_smoothing",
        "Label smoothing",
        "at least 0 and below 1",
    ),
    KeyDoc::new(
        "loss.class_weights",
        "Weight classes by the inverse of their frequency",
        "",
    ),
];
