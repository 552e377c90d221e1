//! The task: models of tables.

use std::path::Path;

use burn::tensor::Device;
use tinderbox_datasets::table::{Kind, find_leaks};
use tinderbox_datasets::{InputRange, Shard};
use tinderbox_models::LayerSummary;
use tinderbox_predict::tabular::{Encoded, KIND, Sizes, Target};
use tinderbox_train::classify::{ClassWeights, check_by_class};
use tinderbox_train::format::thousands;
use tinderbox_train::metrics::Evaluation;
use tinderbox_train::run::{self, Part};
use tinderbox_train::run_dir::RunDir;
use tinderbox_train::splits::SplitList;
use tinderbox_train::task::{
    EvalReport, EvalRequest, FoldReport, InputOptions, InputReport, Noun, Overview,
    PredictionListener, Report, SplitOverview, THIS_MODEL, compare,
};
use tinderbox_train::{Options, Section, Splits, Task, TaskError, class_warnings};

use super::analysis::{self, Area, Capture, Findings, Prospectivity};
use super::data::{self, TableDataset, folds, hold_out, open};
use super::error::DataError;
use super::evaluate::evaluate;
use super::fit::{Fitted, positive, sizes};
use super::input::{predict_file, range};
use super::predictor::TabularPredictor;
use super::recipe::{Data, Recipe, Source, TaskType, of_recipe};
use super::targets::fit_scale;

/// Most rows that are predicted alone to measure the time of one.
const TIMED_ROWS: usize = 200;

/// Models of tables: a recipe whose rows were read and checked.
pub struct Tabular {
    pub(super) recipe: Recipe,
    pub(super) dataset: TableDataset,
    splits: Splits,
    folds: Vec<Splits>,
    layers: Vec<LayerSummary>,
    pub(super) list: SplitList,
    /// Columns that leak the target, and rare classes.
    data_warnings: Vec<String>,
    /// Whether the test split is within reach.
    has_test: bool,
}

impl Task for Tabular {
    type Recipe = Recipe;
    type Model = TabularPredictor;
    type InputOptions = ();

    const KIND: &'static str = KIND;
    const ITEM: Noun = Noun("row", "rows");

    fn check_recipe(recipe: &Recipe) -> Result<(), TaskError> {
        recipe.validate()?;
        // The network for the smallest table.
        let sizes = Sizes {
            n_numeric: 1,
            cardinalities: Vec::new(),
            d_output: 1,
        };
        let layers = recipe.model.layers(&sizes, &recipe.features);
        layers.map_err(of_recipe)?;
        Ok(())
    }

    fn prepare(mut recipe: Recipe) -> Result<Self, TaskError> {
        recipe.validate()?;
        let dataset = open(&recipe.data, &recipe.split)?;
        resolve_inferred(&mut recipe.data, &dataset);
        check_by_class(
            recipe.loss.class_weights,
            recipe.train.balanced_sampling,
            dataset.targets.classes().is_some(),
        )?;
        let splits = data::split(&dataset, &recipe.split)?;
        let folds = if recipe.split.folds > 0 {
            folds(&dataset, &recipe.split)?
        } else {
            Vec::new()
        };
        for splits in folds.iter().chain([&splits]) {
            recipe.check_batch(recipe.train.batch_size.min(splits.train.len()))?;
            let (mut target, name) = (dataset.target.clone(), &recipe.data.target);
            let scaling = recipe.features.target_scaling;
            fit_scale(&mut target, &dataset.targets, &splits.train, scaling, name)?;
        }
        let list = SplitList::new(
            dataset.items(),
            [&splits.train[..], &splits.valid, &splits.test],
        );
        let mut task = Self {
            recipe,
            dataset,
            splits,
            folds,
            layers: Vec::new(),
            list,
            data_warnings: Vec::new(),
            has_test: true,
        };
        let encoder = task.encoder(&task.splits)?;
        let sizes = sizes(&encoder, &task.dataset.target);
        let layers = task.recipe.model.layers(&sizes, &task.recipe.features);
        task.layers = layers.map_err(of_recipe)?;
        task.data_warnings = task.find_data_warnings()?;
        Ok(task)
    }

    fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    fn overview(&self) -> Overview {
        let report = self.dataset.report.as_ref();
        let (lost_rows, notes) = analysis::reader_notes(report);
        let notes = notes.into_iter().map(|note| format!("note: {note}"));
        let dropped = self.dataset.dropped.iter();
        let dropped = dropped.map(|reason| format!("left out {reason}"));
        let warnings = self.data_warnings.iter();
        let warnings = warnings.map(|warning| format!("warning: {warning}"));
        Overview {
            summary: self.description(),
            splits: self.split_overviews(),
            duplicates: self.dataset.duplicates(&self.recipe.split),
            shared: self.dataset.shared(&self.splits),
            notes: dropped.chain(notes).chain(warnings).collect(),
            warnings: lost_rows,
            sections: self.column_kinds().into_iter().collect(),
            layers: self.layers.clone(),
            ..Overview::default()
        }
    }

    fn split_list(&self) -> Option<&SplitList> {
        Some(&self.list)
    }

    fn without_test(mut self) -> Self {
        self.splits.hide_test(&mut self.folds);
        self.has_test = false;
        self
    }

    fn train_in(
        &self,
        run: &RunDir,
        device: &Device,
        options: &mut Options,
    ) -> Result<Report, TaskError> {
        let folds = run::cross_validate(run, &self.folds, |part, splits| {
            self.fold(part, splits, device, options)
        })?;
        let fitted = self.fit(&Part::main(run), &self.splits, device, options)?;
        let valid = self.evaluate_rows(&fitted, &self.splits.valid, device)?;
        let threshold = valid.tuned_threshold();
        let valid = valid.decided_at(threshold).metrics();
        self.save(run, &fitted, threshold, &[])?;
        let evaluation = self.evaluate_rows(&fitted, &self.splits.test, device)?;
        let evaluation = evaluation.decided_at(threshold);
        let test = evaluation.metrics();
        if self.has_test {
            fitted.members.log_test(&test)?;
        }
        let anomalies = self.anomalies(&fitted, &evaluation, device)?;
        let seconds_per_item = self.seconds_per_row(&fitted, device)?;
        // It holds out every deposit in turn, those of the test split included.
        let prospectivity = match &self.dataset.area {
            Some(area) if self.has_test => Some((
                area,
                self.prospectivity(area, &fitted, run, device, options)?,
            )),
            _ => None,
        };
        let baselines = self.baselines(&fitted, &self.splits, options)?;
        if let Some((name, content)) = &baselines.file {
            self.save(run, &fitted, threshold, &[(*name, content.as_slice())])?;
        }
        let baselines = baselines.reports;
        let mut findings = Findings::default();
        let methods = analysis::methods(&evaluation, &baselines);
        findings.add_predictions(&methods, &self.dataset, &self.splits.test);
        findings.add("anomaly_detection", anomalies);
        if let Some((area, prospectivity)) = prospectivity {
            let (sections, capture) = prospectivity.sections(area, run.path())?;
            findings.sections.extend(sections);
            findings.details.insert("capture".to_owned(), capture);
        }
        let (target, name) = (&self.dataset.target, &self.recipe.data.target);
        findings
            .sections
            .push(analysis::overall(target, name, &evaluation));
        let appendix = if self.has_test {
            analysis::mistakes(self, run, &evaluation, device)?
        } else {
            Vec::new()
        };
        let data_warnings = self.data_warnings.clone();
        Ok(Report {
            run: run.clone(),
            training: fitted.members.training.clone(),
            parameters: fitted.parameters(),
            warnings: analysis::warnings(self, &test, &baselines, data_warnings),
            valid,
            test,
            comparison: compare(&evaluation, &folds, &baselines),
            evaluation,
            labels: target.labels().to_vec(),
            folds,
            baselines,
            seconds_per_item,
            sections: findings.sections,
            appendix,
            details: findings.details,
        })
    }

    fn load(dir: &Path, device: &Device) -> Result<TabularPredictor, TaskError> {
        TabularPredictor::load(dir, device)
    }

    fn with_threshold(
        model: TabularPredictor,
        threshold: f64,
    ) -> Result<TabularPredictor, TaskError> {
        model.with_threshold(threshold)
    }

    fn evaluate(
        model: &TabularPredictor,
        request: &EvalRequest<'_, Recipe>,
    ) -> Result<EvalReport, TaskError> {
        evaluate(model, request)
    }

    fn predict(
        model: &TabularPredictor,
        path: &Path,
        options: &InputOptions<()>,
        each: &mut PredictionListener<'_>,
    ) -> Result<InputReport, TaskError> {
        predict_file(model, path, options, each)
    }

    fn range(
        model: &TabularPredictor,
        path: &Path,
        (): &(),
        shard: Shard,
    ) -> Result<InputRange, TaskError> {
        range(model, path, shard)
    }

    fn columns(model: &TabularPredictor) -> Vec<String> {
        model.networks().columns()
    }
}

impl Tabular {
    /// The rows.
    pub fn dataset(&self) -> &TableDataset {
        &self.dataset
    }

    /// The rows of each split.
    pub fn splits(&self) -> &Splits {
        &self.splits
    }

    fn fold(
        &self,
        part: &Part,
        splits: &Splits,
        device: &Device,
        options: &mut Options,
    ) -> Result<FoldReport, TaskError> {
        let fitted = self.fit(part, splits, device, options)?;
        let valid = self.evaluate_rows(&fitted, &splits.valid, device)?;
        let evaluation = self.evaluate_rows(&fitted, &splits.test, device)?;
        let evaluation = evaluation.decided_at(valid.tuned_threshold());
        Ok(FoldReport {
            test: evaluation.metrics(),
            evaluation,
            baselines: self.baselines(&fitted, splits, options)?.reports,
        })
    }

    /// The anomaly detection by an autoencoder, if the recipe asks for it.
    fn anomalies(
        &self,
        fitted: &Fitted,
        evaluation: &Evaluation,
        device: &Device,
    ) -> Result<Option<(Section, serde_json::Value)>, TaskError> {
        if !self.recipe.anomaly_detection {
            return Ok(None);
        }
        let Splits { train, valid, test } = &self.splits;
        let [train, valid, test] = [train, valid, test].map(|rows| fitted.encoded.take(rows));
        let config = self.recipe.train_config();
        let rows = [&train, &valid, &test];
        let errors = analysis::reconstruction_errors(&fitted.encoder, rows, config, device)?;
        Ok(analysis::anomalies(&errors, evaluation))
    }

    /// Time to predict one row alone, in s.
    fn seconds_per_row(&self, fitted: &Fitted, device: &Device) -> Result<f64, TaskError> {
        let device = device.clone().inner();
        let rows = self.splits.test.iter().take(TIMED_ROWS);
        let rows: Vec<Encoded> = rows.map(|&row| fitted.encoded.take(&[row])).collect();
        let predict = |row: &Encoded| fitted.ensemble.predict(row, &device).map(drop);
        Ok(run::seconds_per_item(&rows, predict)?)
    }

    /// Leaves out every cell with a deposit once and ranks the whole area without it.
    fn prospectivity(
        &self,
        area: &Area,
        fitted: &Fitted,
        run: &RunDir,
        device: &Device,
        options: &mut Options,
    ) -> Result<Prospectivity, TaskError> {
        let table = &area.prospect.table;
        let score = |fitted: &Fitted| -> Result<(Encoded, Vec<f32>), TaskError> {
            let rows = fitted.encoder.encode(table).map_err(DataError::from)?;
            let outputs = fitted.ensemble.predict(&rows, &device.clone().inner())?;
            Ok((rows, positive(&outputs)))
        };
        let labels = self.dataset.targets.classes().unwrap_or_default();
        let cells: Vec<usize> = (0..labels.len()).filter(|&row| labels[row] == 1).collect();
        let mut captures: Vec<Capture> = Vec::new();
        for (number, &cell) in cells.iter().enumerate() {
            let splits = self.without(cell, labels.len(), number)?;
            let part = Part::of(run, "without deposit", "deposits", number, cells.len());
            let without = self.fit(&part, &splits, device, options)?;
            let (rows, own) = score(&without)?;
            let classical = self.baseline_scores(&without, &splits, (table, &rows), options)?;
            let own = std::iter::once((THIS_MODEL.to_owned(), own));
            for (index, (method, scores)) in own.chain(classical).enumerate() {
                if captures.len() == index {
                    captures.push(Capture::new(method));
                }
                captures[index].add(&scores, area.rows[cell]);
            }
        }
        let (_, scores) = score(fitted)?;
        Ok(Prospectivity { captures, scores })
    }

    /// The splits with one row as the test split; `number` counts them.
    fn without(&self, row: usize, rows: usize, number: usize) -> Result<Splits, DataError> {
        let rest: Vec<usize> = (0..rows).filter(|&other| other != row).collect();
        let split = &self.recipe.split;
        let share = split.valid_fraction;
        let (train, valid) = hold_out(&self.dataset, &rest, split, share, 3 + number)?;
        Ok(Splits {
            train,
            valid,
            test: vec![row],
        })
    }

    /// Warnings that are known before training: columns that leak the target, rare classes.
    fn find_data_warnings(&self) -> Result<Vec<String>, DataError> {
        let (dataset, target) = (&self.dataset, &self.recipe.data.target);
        let leaks = find_leaks(&dataset.table, target, &dataset.columns)?;
        let mut warnings: Vec<String> = leaks.iter().map(ToString::to_string).collect();
        let weighted = self.recipe.loss.class_weights != ClassWeights::None;
        let splits = self.split_overviews();
        warnings.extend(class_warnings(&splits, Self::ITEM, weighted));
        Ok(warnings)
    }

    fn description(&self) -> String {
        let target = match &self.dataset.target {
            Target::Number { .. } => "a number".to_owned(),
            Target::Classes { labels } if labels.len() == 2 => {
                format!("`{}` or `{}`", labels[1], labels[0])
            }
            Target::Classes { labels } => format!("one of {} classes", labels.len()),
        };
        format!(
            "{} rows, {} features; target `{}`: {target}",
            thousands(self.dataset.table.rows()),
            self.dataset.columns.len(),
            self.recipe.data.target,
        )
    }

    fn split_overviews(&self) -> Vec<SplitOverview> {
        let has_test_rows = self.dataset.split_rows < self.dataset.table.rows();
        let [file, test] = match &self.recipe.data.source {
            Source::File { path, test } => [path, test].map(|path| file_name(path)),
            _ => [String::new(), String::new()],
        };
        let splits = self.splits.named();
        splits
            .into_iter()
            .map(|(name, rows)| SplitOverview {
                name: name.to_owned(),
                count: rows.len(),
                source: if name == "test" && has_test_rows {
                    test.clone()
                } else {
                    file.clone()
                },
                classes: self.class_counts(rows),
            })
            .collect()
    }

    fn class_counts(&self, rows: &[usize]) -> Vec<(String, usize)> {
        let Some(classes) = self.dataset.targets.classes() else {
            return Vec::new();
        };
        let labels = self.dataset.target.labels();
        let mut counts = vec![0; labels.len()];
        for &row in rows {
            counts[classes[row]] += 1;
        }
        labels.iter().cloned().zip(counts).collect()
    }

    /// The inferred kinds of the columns of a file.
    fn column_kinds(&self) -> Option<Section> {
        if !matches!(self.recipe.data.source, Source::File { .. }) {
            return None;
        }
        let kinds = self.dataset.columns.iter().filter_map(|name| {
            let column = self.dataset.table.column(name).ok()?;
            Some(vec![name.clone(), column.kind().name().to_owned()])
        });
        let head = ["feature", "kind"].map(str::to_owned).to_vec();
        Some(Section::table(
            "",
            std::iter::once(head).chain(kinds).collect(),
        ))
    }
}

fn file_name(path: &str) -> String {
    let name = Path::new(path).file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// Writes what was inferred from the data into the recipe: the same recipe on another file means the
/// same.
fn resolve_inferred(data: &mut Data, dataset: &TableDataset) {
    data.task = match &dataset.target {
        Target::Classes { labels } => {
            if let [_, positive] = labels.as_slice() {
                positive.clone_into(&mut data.positive);
            }
            TaskType::Classification
        }
        Target::Number { .. } => TaskType::Regression,
    };
    let of_kind = |kind: Kind| {
        let columns = dataset.table.columns().iter();
        let columns = columns.filter(move |column| column.kind() == kind);
        columns.map(|column| column.name().to_owned()).collect()
    };
    if matches!(data.source, Source::File { .. }) {
        data.numeric = of_kind(Kind::Numeric);
        data.categorical = of_kind(Kind::Categorical);
        data.boolean = of_kind(Kind::Boolean);
        data.dates = of_kind(Kind::Date);
    }
}
