//! The `train` command.

use std::path::Path;

use serde::Serialize;
use serde_json::{Map, Value, json};
use tinderbox_backend::Opened;
use tinderbox_cli::output::thousands;
use tinderbox_cli::recipe::{data_path, run_dir};
use tinderbox_cli::report::{F1, Finished, class_warnings, layer_rows, scores, times};
use tinderbox_cli::splits::{ROW, duplicates_note, shared_note, split_lines};
use tinderbox_cli::{
    Failure, OrUserError as _, Output, TrainArgs, note, open_device, progress, table,
};
use tinderbox_datasets::table::find_leaks;
use tinderbox_recipes::tabular::{
    self, Answers, Capture, FoldReport, Prepared, Recipe, Report, Source, Target, Truth,
    describe_note, pooled,
};
use tinderbox_train::Metrics;
use tinderbox_train::classify::ClassWeights;
use tinderbox_train::metrics::{Approval, Ranking, approval, spread};
use tinderbox_train::run_dir::Summary;
use tinderbox_train::task::SplitOverview;

use crate::inspect::weight;
use crate::usage::{f1_of, shown};
use crate::{RECIPES, credit, failure, map, story};

/// What `train` takes.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct Args {
    /// The flags of every `train` on data.
    #[command(flatten)]
    pub(crate) train: TrainArgs,
    /// Column to predict
    #[arg(long, value_name = "COLUMN")]
    target: Option<String>,
    /// Keep the fitted baselines in the model folder, for `--model` of `eval` and `predict`
    #[arg(long, conflicts_with = "no_baseline")]
    keep_baselines: bool,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let common = &args.train.run;
    let device = open_device(common.device, env!("CARGO_PKG_NAME"))?;
    let recipe = resolve(args)?;
    let (dir, resume) = run_dir(common, &recipe.name, recipe.train.seed)?;
    let prepared = Prepared::new(recipe).map_err(failure)?;
    let warnings = warnings(&prepared)?;
    if !common.quiet {
        describe(&prepared, &device, &dir, resume);
        for warning in &warnings {
            note(&format!("warning: {warning}"));
        }
    } else if let Some(report) = &prepared.opened().report {
        // Lost rows are worth a line even where no other is wanted.
        let lost = report
            .notes
            .iter()
            .filter(|found| weight(found) == "warning");
        lost.for_each(|found| note(&format!("warning: {}", describe_note(found))));
    }
    let mut options = progress::watch(&args.train, &dir, resume);
    options.keep_baselines = args.keep_baselines;
    let report = prepared.train(&device.device, options).map_err(failure)?;
    let summary = summary(&prepared, &device, &report);
    report.run.finish(&summary)?;
    print(&prepared, &report, &summary, &dir)?;
    story::tell(&prepared, &report, &device.device, common.quiet, warnings)
}

/// What is suspicious before anything was learned: columns that give the target away, rare classes.
fn warnings(prepared: &Prepared) -> Result<Vec<String>, Failure> {
    let (opened, parts) = (prepared.opened(), prepared.parts());
    let target = &prepared.recipe().data.target;
    let leaks = find_leaks(&opened.table, target, &opened.columns).or_user_error()?;
    let mut warnings: Vec<String> = leaks.iter().map(ToString::to_string).collect();
    if let (Target::Classes { labels }, Truth::Classes(classes)) = (&opened.target, &opened.truth) {
        let counts = |rows: &[usize]| {
            let mut counts = vec![0; labels.len()];
            for &row in rows {
                counts[classes[row]] += 1;
            }
            counts
        };
        let [train, test] = [&parts.train, &parts.test].map(|rows| counts(rows));
        let weighted = prepared.recipe().loss.class_weights != ClassWeights::None;
        warnings.extend(class_warnings(labels, &train, &test, "rows", weighted));
    }
    Ok(warnings)
}

/// The recipe that the flags describe: for a file of one's own none has to be named.
fn resolve(args: &Args) -> Result<Recipe, Failure> {
    let mut common = args.train.run.clone();
    let own_file = args.train.data.is_some() || args.target.is_some();
    if own_file && common.recipe.is_none() && common.resume.is_none() {
        common.recipe = Some("file".to_owned());
    }
    let mut recipe = RECIPES.of_run(&common)?;
    if let Some(target) = &args.target {
        target.clone_into(&mut recipe.data.target);
    }
    if let Some(data) = &args.train.data {
        let Some(slot) = recipe.data.source.path_mut() else {
            return Err(Failure::user(format!(
                "`--data` does not fit the recipe `{}`, whose rows ship with the app; choose \
                 another with `--recipe`",
                recipe.name
            )));
        };
        data_path(data)?.clone_into(slot);
    }
    Ok(recipe)
}

fn describe(prepared: &Prepared, device: &Opened, dir: &Path, resume: bool) {
    let (recipe, opened, parts) = (prepared.recipe(), prepared.opened(), prepared.parts());
    let what = match &opened.target {
        Target::Number { .. } => "a number".to_owned(),
        Target::Classes { labels } if labels.len() == 2 => {
            format!("whether it is `{}` or `{}`", labels[1], labels[0])
        }
        Target::Classes { labels } => format!("one of {} classes", labels.len()),
    };
    note(&format!(
        "recipe {}: {} rows of {} columns; predicts `{}`, {what}",
        recipe.name,
        thousands(opened.table.rows()),
        opened.columns.len(),
        recipe.data.target,
    ));
    let lines = split_lines(&sizes(prepared), ROW);
    note(&lines.join("\n"));
    let copies = opened.copies(&recipe.split);
    let shared = opened.shared(parts);
    let copies = duplicates_note(copies, opened.own, ROW);
    let shared = shared_note(shared, parts.test.len(), ROW);
    copies
        .into_iter()
        .chain(shared)
        .for_each(|line| note(&line));
    if matches!(recipe.data.source, Source::File { .. }) {
        let kinds = opened.columns.iter().filter_map(|name| {
            let column = opened.table.column(name).ok()?;
            Some(vec![name.clone(), column.kind().name().to_owned()])
        });
        note(&table(&kinds.collect::<Vec<_>>()));
    }
    for reason in &opened.left_out {
        note(&format!("left out {reason}"));
    }
    if let Some(report) = &opened.report {
        for found in &report.notes {
            note(&format!("{}: {}", weight(found), describe_note(found)));
        }
    }
    note(&table(&layer_rows(prepared.layers())));
    let verb = if resume { "resuming in" } else { "writing to" };
    note(&format!(
        "on {} ({}), {verb} {}",
        device.spec,
        device.backend,
        dir.display()
    ));
}

/// The size, source and class counts of each split.
fn sizes(prepared: &Prepared) -> Vec<SplitOverview> {
    let (recipe, opened, parts) = (prepared.recipe(), prepared.opened(), prepared.parts());
    let own_test = opened.own < opened.table.rows();
    let [file, test] = match &recipe.data.source {
        Source::File { path, test } => [path, test].map(|path| file_name(path)),
        _ => [String::new(), String::new()],
    };
    let splits = [
        ("train", &parts.train, &file),
        ("valid", &parts.valid, &file),
        ("test", &parts.test, if own_test { &test } else { &file }),
    ];
    let line = |(name, rows, source): (&str, &Vec<usize>, &String)| SplitOverview {
        name: name.to_owned(),
        count: rows.len(),
        source: source.clone(),
        classes: class_counts(opened, rows),
    };
    splits.into_iter().map(line).collect()
}

fn file_name(path: &str) -> String {
    let name = Path::new(path).file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

fn class_counts(opened: &tabular::Opened, rows: &[usize]) -> Vec<(String, usize)> {
    let (Target::Classes { labels }, Truth::Classes(classes)) = (&opened.target, &opened.truth)
    else {
        return Vec::new();
    };
    let mut counts = vec![0; labels.len()];
    for &row in rows {
        counts[classes[row]] += 1;
    }
    labels.iter().cloned().zip(counts).collect()
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

/// Each method's name and answers, this model first.
pub(crate) fn methods(report: &Report) -> Vec<(&str, &Answers)> {
    let classical = report.baselines.iter();
    let classical = classical.map(|method| (method.baseline.method.as_str(), &method.answers));
    std::iter::once(("this model", &report.answers))
        .chain(classical)
        .collect()
}

/// What only some tasks have.
fn details(prepared: &Prepared, report: &Report) -> Map<String, Value> {
    let mut details = Map::new();
    let mut put = |name: &str, value: Value| details.insert(name.to_owned(), value);
    put("predict_row_us", json!(report.row_s * 1e6));
    if let Some(threshold) = report.answers.threshold() {
        put("threshold", json!(threshold));
    }
    if let Some(comparison) = story::comparison(prepared, report) {
        put("comparison", json!(comparison));
    }
    if !report.folds.is_empty() {
        put("folds", folds(&report.folds));
    }
    let ranked: Map<String, Value> = methods(report)
        .into_iter()
        .filter_map(|(name, answers)| Some((name.to_owned(), json!(Ranked::new(answers)?))))
        .collect();
    if !ranked.is_empty() {
        put("ranked", Value::Object(ranked));
    }
    if let Some(curves) = credit::Curves::new(prepared, report) {
        put("approval", curves.to_json());
    }
    if let Some((ranking, _)) = unlabelled(report) {
        put(
            "unlabelled",
            json!({
                "auroc": ranking.auroc(),
                "average_precision": ranking.average_precision(),
                "capture_10_percent": ranking.capture(0.1),
            }),
        );
    }
    if let Some(screen) = Screen::new(prepared, report) {
        put("screen", json!(screen));
    }
    if let Some(prospects) = &report.prospects {
        let curve = |capture: &Capture| {
            let at = CAPTURED.map(|share| json!([share, capture.within(share)]));
            (capture.method.clone(), Value::from(at.to_vec()))
        };
        put(
            "capture",
            Value::Object(prospects.captures.iter().map(curve).collect()),
        );
    }
    details
}

/// Shares of an area that a capture curve is told at.
const CAPTURED: [f64; 6] = [0.01, 0.02, 0.04, 0.1, 0.2, 0.5];

/// What those who act on a ranking of two classes ask.
#[derive(Serialize)]
struct Ranked {
    capture_1_percent: Option<f64>,
    capture_4_percent: Option<f64>,
    capture_10_percent: Option<f64>,
    lift_10_percent: Option<f64>,
    /// Share of the rows that have to be looked at.
    workload_at_80_percent_recall: f64,
    alerts_per_hit_at_80_percent_recall: f64,
    /// Share of the bad among those approved at each rate, the riskiest turned down.
    default_rate_by_approval: Vec<[f64; 2]>,
}

impl Ranked {
    fn new(answers: &Answers) -> Option<Self> {
        let (scores, labels) = yes_or_no(answers)?;
        let ranking = Ranking::new(&scores, &labels);
        let workload = ranking.workload(0.8)?;
        let curve = approval(&scores, &labels, None, &[0.5, 0.6, 0.7, 0.8, 0.9]);
        let point = |point: &Approval| [point.rate, point.default_rate];
        Some(Self {
            capture_1_percent: ranking.capture(0.01),
            capture_4_percent: ranking.capture(0.04),
            capture_10_percent: ranking.capture(0.1),
            lift_10_percent: ranking.lift(0.1),
            workload_at_80_percent_recall: workload.share,
            alerts_per_hit_at_80_percent_recall: workload.alerts_per_hit,
            default_rate_by_approval: curve.iter().map(point).collect(),
        })
    }
}

pub(crate) fn yes_or_no(answers: &Answers) -> Option<(Vec<f64>, Vec<bool>)> {
    match answers {
        Answers::Classes(predictions) if predictions.classes == 2 => Some(predictions.of_yes()),
        _ => None,
    }
}

/// The ranking of an autoencoder that knows no label, and how many rows it is of.
fn unlabelled(report: &Report) -> Option<(Ranking, usize)> {
    let errors = report.unlabelled.as_ref()?;
    let (_, labels) = yes_or_no(&report.answers)?;
    Some((Ranking::new(errors, &labels), labels.len()))
}

/// The model beside a screen by rules, on the test rows.
#[derive(Serialize)]
struct Screen {
    /// Share of the positives that the rules point at.
    recall: f64,
    /// Share of the rows that they point at.
    share: f64,
    /// Share of the rows that the model has to be followed through to the same recall.
    share_of_this_model: f64,
    /// Share of the investigations that it saves.
    saved: f64,
}

impl Screen {
    fn new(prepared: &Prepared, report: &Report) -> Option<Self> {
        let screened = prepared.opened().screened.as_ref()?;
        let (scores, labels) = yes_or_no(&report.answers)?;
        let test = &prepared.parts().test;
        let hit = |(row, label): (&usize, &bool)| screened[*row] && *label;
        let hits = test.iter().zip(&labels).filter(|&pair| hit(pair)).count() as f64;
        let alerts = test.iter().filter(|&&row| screened[row]).count() as f64;
        let recall = hits / labels.iter().filter(|&&label| label).count().max(1) as f64;
        let own = Ranking::new(&scores, &labels).workload(recall)?.share;
        let share = alerts / test.len().max(1) as f64;
        Some(Self {
            recall,
            share,
            share_of_this_model: own,
            saved: 1.0 - own / share,
        })
    }
}

/// The methods of a cross-validation with each fold's metrics and answers, this model first.
pub(crate) fn by_method(folds: &[FoldReport]) -> Vec<(&str, Vec<Metrics>, Vec<&Answers>)> {
    let own = folds.iter().map(|fold| (fold.test.clone(), &fold.answers));
    let (metrics, answers) = own.unzip();
    let mut methods = vec![("this model", metrics, answers)];
    for (index, (name, _, _)) in folds[0].baselines.iter().enumerate() {
        let of = folds.iter().map(|fold| {
            let (_, metrics, answers) = &fold.baselines[index];
            (metrics.clone(), answers)
        });
        let (metrics, answers) = of.unzip();
        methods.push((name, metrics, answers));
    }
    methods
}

fn folds(folds: &[FoldReport]) -> Value {
    let (mut test, mut together) = (Map::new(), Map::new());
    for (name, metrics, answers) in by_method(folds) {
        let spread = spread(&metrics).into_iter().map(|(metric, spread)| {
            (
                metric,
                json!({ "mean": spread.mean, "std": spread.deviation }),
            )
        });
        test.insert(name.to_owned(), Value::Object(spread.collect()));
        together.insert(name.to_owned(), json!(pooled(answers.into_iter())));
    }
    json!({ "count": folds.len(), "test": test, "pooled": together })
}

fn print(
    prepared: &Prepared,
    report: &Report,
    summary: &Summary,
    dir: &Path,
) -> Result<(), Failure> {
    let mut out = Output::Stdout;
    let names: &[&str] = match &prepared.opened().target {
        Target::Number { .. } => &["rmse", "mae", "r2", "median_ape"],
        Target::Classes { labels } if labels.len() == 2 => &[
            "auroc",
            "average_precision",
            "accuracy",
            "f1",
            "loss",
            "brier",
            "ece",
        ],
        Target::Classes { .. } => &["accuracy", "f1", "auroc", "loss", "ece"],
    };
    let f1 = f1_of(&prepared.opened().target);
    let mut rows = scores(summary, names, f1, thousands);
    add_thresholds(&mut rows, report);
    out.line(&table(&rows))?;
    if !report.folds.is_empty() {
        out.line(&table(&fold_rows(&report.folds, names, f1)))?;
    }
    print_ranked(&mut out, prepared, report)?;
    if let Some(curves) = credit::Curves::new(prepared, report) {
        out.line(&curves.to_table())?;
    }
    if let Some(prospects) = &report.prospects {
        out.line(&table(&capture_rows(&prospects.captures)))?;
        let map = dir.join("map.png");
        map::draw(prepared, prospects, &map)?;
        out.line(&format!("map {}", map.display()))?;
    }
    out.line(&format!(
        "best epoch {} of {}, {} rows/s, {} parameters, {:.0} µs for one row alone",
        summary.best_epoch,
        summary.epochs,
        thousands(summary.samples_per_s as usize),
        thousands(summary.parameters),
        report.row_s * 1e6
    ))?;
    out.line(&times(&summary.timings, summary.wall_s))?;
    out.line(&format!("run {}", dir.display()))
}

/// Adds the decision threshold of two classes behind the metrics of each method.
fn add_thresholds(rows: &mut [Vec<String>], report: &Report) {
    if report.answers.threshold().is_none() {
        return;
    }
    let thresholds = methods(report).into_iter();
    let thresholds = thresholds.map(|(_, answers)| answers.threshold().map_or("-".into(), shown));
    let column = std::iter::once("threshold".to_owned()).chain(thresholds);
    for (row, cell) in rows.iter_mut().zip(column) {
        row.push(cell);
    }
}

/// What a ranking of two classes is good for.
fn print_ranked(out: &mut Output, prepared: &Prepared, report: &Report) -> Result<(), Failure> {
    let share = |value: f64| format!("{:.1}%", 100.0 * value);
    let head = [
        "ranked by probability",
        "positives in the top 10%",
        "rows to look at for 80% of them",
        "positives left among the lowest 80%",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    let mut add = |name: &str, ranked: &Ranked| {
        let approved = ranked
            .default_rate_by_approval
            .iter()
            .find(|[rate, _]| *rate > 0.79);
        rows.push(vec![
            name.to_owned(),
            share(ranked.capture_10_percent.unwrap_or(f64::NAN)),
            share(ranked.workload_at_80_percent_recall),
            share(approved.map_or(f64::NAN, |[_, rate]| *rate)),
        ]);
    };
    for (name, answers) in methods(report) {
        if let Some(ranked) = Ranked::new(answers) {
            add(name, &ranked);
        }
    }
    if rows.len() > 1 {
        out.line(&table(&rows))?;
    }
    if let Some((ranking, count)) = unlabelled(report) {
        let [auroc, capture] = [ranking.auroc(), ranking.capture(0.1)];
        out.line(&format!(
            "an autoencoder that knows no label ranks the {} rows with an auroc of {:.4}; its top \
             10% hold {} of the positives",
            thousands(count),
            auroc.unwrap_or(f64::NAN),
            share(capture.unwrap_or(f64::NAN))
        ))?;
    }
    if let Some(screen) = Screen::new(prepared, report) {
        out.line(&format!(
            "a screen by rules points at {} of the rows and finds {} of the positives; this model \
             finds as many in {} and saves {} of the investigations",
            share(screen.share),
            share(screen.recall),
            share(screen.share_of_this_model),
            share(screen.saved)
        ))?;
    }
    Ok(())
}

fn capture_rows(captures: &[Capture]) -> Vec<Vec<String>> {
    let head = CAPTURED.map(|share| format!("top {:.0}% of the area", 100.0 * share));
    let head = std::iter::once("deposits never seen, found in".to_owned()).chain(head);
    let mut rows = vec![head.collect()];
    rows.extend(captures.iter().map(|capture| {
        let values = CAPTURED.map(|share| format!("{:.1}%", 100.0 * capture.within(share)));
        std::iter::once(capture.method.clone())
            .chain(values)
            .collect()
    }));
    rows
}

fn fold_rows(folds: &[FoldReport], names: &[&str], f1: F1) -> Vec<Vec<String>> {
    let line = |what: String, value: &dyn Fn(&str) -> String| -> Vec<String> {
        let values = names.iter().map(|name| value(name));
        std::iter::once(what).chain(values).collect()
    };
    let count = folds.len();
    let mut rows = vec![line(format!("mean of {count} folds"), &|name| {
        f1.label(name)
    })];
    for (method, metrics, answers) in by_method(folds) {
        let spread = spread(&metrics);
        rows.push(line(method.to_owned(), &|name| {
            let found = spread.iter().find(|(known, _)| known == name);
            found.map_or("-".to_owned(), |(_, s)| {
                format!("{:.4} ± {:.4}", s.mean, s.deviation)
            })
        }));
        let pooled = pooled(answers.into_iter());
        rows.push(line(format!("{method}, all folds' rows"), &|name| {
            pooled
                .get(name)
                .map_or("-".to_owned(), |value| format!("{value:.4}"))
        }));
    }
    rows
}
