//! The `train` command.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use tinderbox_backend::Opened;
use tinderbox_cli::output::thousands;
use tinderbox_cli::recipe::{data_path, overridden, run_dir};
use tinderbox_cli::report::{F1, Finished, class_warnings, layer_rows, scores, times, verdict};
use tinderbox_cli::splits::{TEXT, duplicates_note, shared_note, split_lines};
use tinderbox_cli::{Failure, Output, TrainArgs, note, open_device, progress, table};
use tinderbox_recipes::text::{
    Architecture, Corpus, Data, FoldReport, Prepared, Recipe, Report, Rows, Sampling, Task,
    TokenKind, Truth,
};
use tinderbox_train::classify::ClassWeights;
use tinderbox_train::metrics::{Comparison, spread};
use tinderbox_train::run_dir::Summary;
use tinderbox_train::task::SplitOverview;
use tinderbox_train::{Metrics, MonitorMode};

use crate::{RECIPES, failure, reading, usage};

/// Texts that the default recipe's model is shown at the end: none is from its data.
const SHOWN: [&str; 3] = [
    "hello, I still see two payments for the same order on my card",
    "the tracking page says delivered but nothing has arrived here",
    "I cannot sign in, it keeps telling me the password is wrong",
];

/// What `train` takes.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct Args {
    /// The flags of every `train` on data.
    #[command(flatten)]
    train: TrainArgs,
    /// Column or key of the text; repeat it to join columns, or for the two texts of a pair
    #[arg(long, value_name = "COLUMN")]
    text: Vec<String>,
    /// Column or key of the label
    #[arg(long, value_name = "COLUMN")]
    label: Option<String>,
    /// Folder with pretrained weights: config.json, tokenizer.json, model.safetensors
    #[arg(long, value_name = "DIR")]
    weights: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let common = &args.train.run;
    let device = open_device(common.device, env!("CARGO_PKG_NAME"))?;
    let recipe = resolve(args)?;
    let (dir, resume) = run_dir(common, &recipe.name, recipe.train.seed)?;
    let prepared = Prepared::new(recipe).map_err(failure)?;
    // What was dropped is told even where nothing else is.
    for message in prepared.corpus().report().messages() {
        note(&format!("warning: {message}"));
    }
    if !common.quiet {
        describe(&prepared, &device, &dir, resume);
    }
    let options = progress::watch(&args.train, &dir, resume);
    let report = prepared.train(&device.device, options).map_err(failure)?;
    let summary = summary(&prepared, &device, &report);
    report.run.finish(&summary)?;
    print(&prepared, &report, &summary, &dir)?;
    show(&prepared, &device, &dir)
}

/// The recipe that the flags describe: for texts of one's own none has to be named.
fn resolve(args: &Args) -> Result<Recipe, Failure> {
    let mut common = args.train.run.clone();
    if common.recipe.is_none() && common.resume.is_none() {
        let own = args.train.data.is_some() || args.label.is_some() || !args.text.is_empty();
        if args.weights.is_some() {
            common.recipe = Some("fine-tune".to_owned());
        } else if own {
            common.recipe = Some("texts".to_owned());
        }
    }
    let mut recipe = RECIPES.named(&common)?;
    if let Some(dir) = &args.weights {
        fine_tune(&mut recipe, data_path(dir)?)?;
    }
    let mut recipe = overridden(recipe, &common)?;
    columns(&mut recipe, &args.text, args.label.as_ref())?;
    if let Some(data) = &args.train.data {
        let Some(slot) = recipe.data.path_mut() else {
            return Err(Failure::user(format!(
                "`--data` does not fit the recipe `{}`, whose texts the app makes up; choose another \
                 with `--recipe`",
                recipe.name
            )));
        };
        data_path(data)?.clone_into(slot);
    }
    Ok(recipe)
}

/// Puts published weights in the place of a recipe's network, and what suits them in the place of how
/// it learns: a network that knows the language needs few passes.
fn fine_tune(recipe: &mut Recipe, dir: &str) -> Result<(), Failure> {
    if !matches!(recipe.model, Architecture::Bert { .. }) {
        let tuned = RECIPES.get("fine-tune")?;
        recipe.ensemble = tuned.ensemble;
        recipe.tokenizer = tuned.tokenizer;
        recipe.augment = tuned.augment;
        recipe.model = tuned.model;
        recipe.optimizer = tuned.optimizer;
        recipe.schedule = tuned.schedule;
        recipe.train.epochs = tuned.train.epochs;
        recipe.train.patience = tuned.train.patience;
        recipe.train.ema_decay = tuned.train.ema_decay;
    }
    if let Architecture::Bert { weights, .. } = &mut recipe.model {
        dir.clone_into(weights);
    }
    Ok(())
}

/// Where in a file of one's own the texts and labels are.
pub(crate) fn columns(
    recipe: &mut Recipe,
    texts: &[String],
    labels: Option<&String>,
) -> Result<(), Failure> {
    if texts.is_empty() && labels.is_none() {
        return Ok(());
    }
    let name = recipe.name.clone();
    let refuse = |flag: &str| {
        Err(Failure::user(format!(
            "`{flag}` does not fit the recipe `{name}`: it fits `texts`, `labels`, `pairs` and \
             `fine-tune`, whose file is yours"
        )))
    };
    match &mut recipe.data {
        Data::Texts { text, .. } if !texts.is_empty() => *text = texts.to_vec(),
        Data::MultiLabel { text, .. } if texts.len() == 1 => text.clone_from(&texts[0]),
        Data::Pairs { first, second, .. } if texts.len() == 2 => {
            first.clone_from(&texts[0]);
            second.clone_from(&texts[1]);
        }
        Data::Pairs { .. } if !texts.is_empty() => {
            return Err(Failure::user(
                "a pair has two texts: give `--text` twice, as in `--text premise --text hypothesis`",
            ));
        }
        _ if !texts.is_empty() => return refuse("--text"),
        _ => {}
    }
    let Some(wanted) = labels else {
        return Ok(());
    };
    match &mut recipe.data {
        Data::Texts { label, .. } | Data::MultiLabel { label, .. } | Data::Pairs { label, .. } => {
            label.clone_from(wanted);
            Ok(())
        }
        _ => refuse("--label"),
    }
}

fn describe(prepared: &Prepared, device: &Opened, dir: &Path, resume: bool) {
    let recipe = prepared.recipe();
    let counts = match prepared.corpus() {
        Corpus::Rows(rows) => {
            let parts = &rows.parts;
            let [train, valid, test] =
                [&parts.train, &parts.valid, &parts.test].map(|part| thousands(part.len()));
            let what = match prepared.task() {
                Task::Tags => "tags",
                Task::Labels => "labels",
                Task::Classes | Task::Next => "classes",
            };
            let names = rows.names.len();
            format!("{train} train, {valid} valid, {test} test texts, {names} {what}")
        }
        Corpus::Running(text) => {
            let [train, valid, test] =
                [&text.train, &text.valid, &text.test].map(|part| thousands(part.chars().count()));
            format!("{train} train, {valid} valid, {test} test characters")
        }
    };
    note(&format!("recipe {}: {counts}", recipe.name));
    if let Corpus::Rows(rows) = prepared.corpus() {
        describe_splits(rows, prepared.task());
    }
    for warning in warnings(prepared) {
        note(&format!("warning: {warning}"));
    }
    let sizes = prepared.sizes();
    note(&format!(
        "{} different tokens ({}), at most {} of them in a text",
        thousands(sizes.vocabulary),
        kind_name(recipe.tokenizer.kind),
        thousands(sizes.max_len)
    ));
    note(&table(&layer_rows(prepared.layers())));
    let total: usize = prepared.layers().iter().map(|layer| layer.parameters).sum();
    let verb = if resume { "resuming in" } else { "writing to" };
    note(&format!(
        "{} parameters on {} ({}), {verb} {}",
        thousands(total),
        device.spec,
        device.backend,
        dir.display()
    ));
}

/// Classes that are too rare to be sure of.
fn warnings(prepared: &Prepared) -> Vec<String> {
    let Corpus::Rows(rows) = prepared.corpus() else {
        return Vec::new();
    };
    let Truth::Classes(classes) = &rows.truth else {
        return Vec::new();
    };
    let counts = |part: &[usize]| {
        let mut counts = vec![0; rows.names.len()];
        for &row in part {
            counts[classes[row]] += 1;
        }
        counts
    };
    let [train, test] = [&rows.parts.train, &rows.parts.test].map(|part| counts(part));
    let weighted = prepared.recipe().loss.class_weights != ClassWeights::None;
    class_warnings(&rows.names, &train, &test, "texts", weighted)
}

/// A line for each split, and one for copies.
fn describe_splits(rows: &Rows, task: Task) {
    let inspection = rows.inspect();
    let lines = inspection.splits.iter().map(|split| SplitOverview {
        name: split.name.to_owned(),
        count: split.texts,
        source: split.source.clone(),
        classes: if task == Task::Classes {
            split.classes.clone()
        } else {
            Vec::new()
        },
    });
    note(&split_lines(&lines.collect::<Vec<_>>(), TEXT).join("\n"));
    let copies = duplicates_note(rows.copies(), rows.inputs.len(), TEXT);
    let shared = shared_note(rows.shared(), rows.parts.test.len(), TEXT);
    copies
        .into_iter()
        .chain(shared)
        .for_each(|line| note(&line));
}

fn kind_name(kind: TokenKind) -> &'static str {
    match kind {
        TokenKind::WordPiece => "parts of words, WordPiece",
        TokenKind::Bpe => "parts of words, BPE",
        TokenKind::Unigram => "parts of words, Unigram",
        TokenKind::Words => "words",
        TokenKind::Bytes => "bytes",
        TokenKind::Pretrained => "those of the published weights",
    }
}

fn summary(prepared: &Prepared, device: &Opened, report: &Report) -> Summary {
    let recipe = prepared.recipe();
    let finished = Finished {
        app: [env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")],
        recipe: &recipe.name,
        seed: recipe.train.seed,
        device,
        parameters: report.parameters,
        valid: report.valid.clone(),
        test: report.test.clone(),
        baselines: report
            .baselines
            .iter()
            .map(|method| method.baseline.clone())
            .collect(),
        details: details(prepared, report),
    };
    finished.summary(&report.trained)
}

/// What only texts have.
fn details(prepared: &Prepared, report: &Report) -> Map<String, Value> {
    let mut details = Map::new();
    let mut put = |name: &str, value: Value| details.insert(name.to_owned(), value);
    put("tokens_per_s", json!(report.tokens_per_s));
    put("cut_texts", json!(report.truncation.fraction()));
    if let Some(comparison) = comparison(prepared, report) {
        put("comparison", json!(comparison));
    }
    if report.text_s > 0.0 {
        put("predict_text_us", json!(report.text_s * 1e6));
    }
    if !report.folds.is_empty() {
        let spreads = |folds: &[Metrics]| -> Value {
            let all = spread(folds).into_iter();
            let pairs = all.map(|(name, s)| (name, json!({ "mean": s.mean, "std": s.deviation })));
            Value::Object(pairs.collect())
        };
        let methods = by_method(&report.folds).into_iter();
        let methods: Map<String, Value> = methods
            .map(|(name, folds)| (name, spreads(&folds)))
            .collect();
        put(
            "folds",
            json!({ "count": report.folds.len(), "test": methods }),
        );
    }
    if let Some(reading) = &report.reading {
        put("confusion_of_verdicts", json!(reading.confusion));
    }
    details
}

/// The metrics of each fold, of this model and of the classical methods.
fn by_method(folds: &[FoldReport]) -> Vec<(String, Vec<Metrics>)> {
    let own = folds.iter().map(|fold| fold.test.clone()).collect();
    let mut methods = vec![("this model".to_owned(), own)];
    for (index, (name, _)) in folds[0].baselines.iter().enumerate() {
        let of = folds.iter().map(|fold| fold.baselines[index].1.clone());
        methods.push((name.clone(), of.collect()));
    }
    methods
}

/// The metrics that a person looks at first.
fn headline(prepared: &Prepared) -> &'static [&'static str] {
    match (prepared.task(), prepared.corpus()) {
        (Task::Classes, Corpus::Rows(rows)) if rows.names.len() == 2 => {
            &["accuracy", "f1_positive", "f1", "auroc", "loss", "ece"]
        }
        (Task::Classes, _) => &["accuracy", "f1", "auroc", "loss", "ece"],
        (Task::Labels, _) => &[
            "f1",
            "f1_micro",
            "auroc",
            "loss",
            "verdict_f1",
            "verdict_accuracy",
            "skipped_at_95_recall",
        ],
        (Task::Tags, _) => &["accuracy", "f1", "f1_spans", "loss"],
        (Task::Next, _) => &["loss", "perplexity", "nats_per_character"],
    }
}

fn print(
    prepared: &Prepared,
    report: &Report,
    summary: &Summary,
    dir: &Path,
) -> Result<(), Failure> {
    let mut out = Output::Stdout;
    let known = |name: &&&str| summary.test.contains_key(**name);
    let names: Vec<&str> = headline(prepared).iter().filter(known).copied().collect();
    out.line(&table(&scores(summary, &names, F1::Macro, thousands)))?;
    if let Corpus::Rows(rows) = prepared.corpus() {
        usage::print_classes(&mut out, &report.answers, &rows.names)?;
    }
    if let Some(reading) = &report.reading {
        reading::print(&mut out, reading)?;
    }
    if !report.folds.is_empty() {
        out.line(&table(&fold_rows(&report.folds, &names)))?;
    }
    if let Some(comparison) = comparison(prepared, report) {
        let texts = report.answers.len();
        out.line(&verdict(&comparison, F1::Macro, texts, "texts"))?;
    }
    let max_len = prepared.sizes().max_len;
    if let Some(count) = usage::truncated(report.truncation, "training text", max_len) {
        out.line(&format!("{count}; raise `tokenizer.max_len` to read more"))?;
    }
    let alone = if report.text_s > 0.0 {
        format!(", {:.2} ms for one text alone", report.text_s * 1e3)
    } else {
        String::new()
    };
    out.line(&format!(
        "best epoch {} of {}, {} tokens/s, {} parameters{alone}",
        summary.best_epoch,
        summary.epochs,
        thousands(report.tokens_per_s as usize),
        thousands(summary.parameters),
    ))?;
    out.line(&times(&summary.timings, summary.wall_s))?;
    out.line(&format!("run {}", dir.display()))
}

fn fold_rows(folds: &[FoldReport], names: &[&str]) -> Vec<Vec<String>> {
    let head = std::iter::once(format!("mean of {} folds", folds.len()));
    let mut rows = vec![
        head.chain(names.iter().map(|name| F1::Macro.label(name)))
            .collect(),
    ];
    for (method, metrics) in by_method(folds) {
        let spread = spread(&metrics);
        let value = |name: &&str| {
            let found = spread.iter().find(|(known, _)| known == name);
            found.map_or("-".to_owned(), |(_, s)| {
                format!("{:.4} ± {:.4}", s.mean, s.deviation)
            })
        };
        let values: Vec<String> = names.iter().map(value).collect();
        rows.push([vec![method], values].concat());
    }
    rows
}

/// This model beside its baseline, over the folds if there are any.
fn comparison(prepared: &Prepared, report: &Report) -> Option<Comparison> {
    let name = if report.reading.is_some() {
        "verdict_f1"
    } else {
        prepared.task().headline()
    };
    let goal = MonitorMode::Max;
    if !report.folds.is_empty() {
        let methods = by_method(&report.folds);
        let mut methods = methods.iter().map(|(method, folds)| {
            let values = folds.iter().filter_map(|fold| fold.get(name).copied());
            (method.as_str(), values.collect::<Vec<f64>>())
        });
        let (_, own) = methods.next()?;
        return Comparison::of_folds(name, goal, &own, methods);
    }
    let baseline = report.baselines.first()?;
    let method = &baseline.baseline.method;
    if report.reading.is_some() {
        let [own, other] = [&report.test, &baseline.baseline.test].map(|test| test.get(name));
        return Some(Comparison::of_values(name, goal, *own?, method, *other?));
    }
    let other = (method.as_str(), baseline.answers.estimate()?);
    Comparison::of_rows(name, goal, &report.answers.estimate()?, [other])
}

/// Shows what the model of the default recipe says of texts that it has not seen, and what a
/// language model writes.
fn show(prepared: &Prepared, device: &Opened, dir: &Path) -> Result<(), Failure> {
    let mut out = Output::Stdout;
    if matches!(prepared.recipe().data, Data::Requests { .. }) {
        let model = usage::load(dir, &device.device)?;
        let inputs: Result<Vec<_>, _> = SHOWN.iter().map(|text| model.input(text)).collect();
        let said = model.predict(&inputs.map_err(failure)?).map_err(failure)?;
        for (text, prediction) in SHOWN.iter().zip(&said) {
            out.line(&usage::words(text, prediction))?;
        }
    }
    if let Corpus::Running(text) = prepared.corpus() {
        let model = usage::load(dir, &device.device)?;
        // The beginning of a line that the model has not seen.
        let line = text.test.lines().find(|line| line.trim().len() > 1);
        let most = (prepared.sizes().max_len / 4).clamp(1, 24);
        let prompt: String = line.unwrap_or("The").chars().take(most).collect();
        let mut writer = model.write(&prompt, Sampling::default()).map_err(failure)?;
        for _ in 0..200 {
            writer.step().map_err(failure)?;
        }
        out.line(&writer.text().map_err(failure)?)?;
    }
    Ok(())
}
