//! The evaluation of a trained model on a split of its data, or on other data.

use std::path::Path;

use tinderbox_datasets::table::Table;
use tinderbox_predict::tabular::UnseenCategories;
use tinderbox_train::TaskError;
use tinderbox_train::format::thousands;
use tinderbox_train::splits::{Item, Scope, digest};
use tinderbox_train::task::{EvalReport, EvalRequest};

use super::data::row_hash::{items, row_hashes};
use super::data::{open, read_options, split as split_rows, table_of};
use super::error::{DataError, table_error};
use super::predictor::{TabularPredictor, Training};
use super::recipe::{Data, Recipe, Source};
use super::targets::read_known_targets;

pub(super) fn evaluate(
    model: &TabularPredictor,
    request: &EvalRequest<'_, Recipe>,
) -> Result<EvalReport, TaskError> {
    let training = model.training()?;
    let data = data_of(request, &training)?;
    let table = read_labeled(model, &data, &training, request.data.is_some())?;
    let items = items_of(model, &table)?;
    let scope = scope_of(request, &items, &training);
    let rows = match &scope {
        Some(Scope::Stored { rows, .. }) => rows.clone(),
        Some(Scope::Whole { .. }) => (0..table.rows()).collect(),
        None => {
            let dataset = open(&data, &training.split)?;
            let splits = split_rows(&dataset, &training.split)?;
            let rows = splits.get(request.split);
            let missing = || DataError::NoSplit(request.split.to_owned());
            rows.ok_or_else(missing)?.to_vec()
        }
    };
    if rows.is_empty() {
        let split = request.split.to_owned();
        return Err(DataError::NoRowsLeft { split }.into());
    }
    let table = table.take(&rows);
    let unseen = model.networks().encoder().unseen_categories(&table);
    let unseen = unseen.map_err(table_error)?;
    let file = data.source.path().unwrap_or_default();
    Ok(EvalReport {
        evaluation: model.evaluate_table(&table)?,
        labels: model.networks().target().labels().to_vec(),
        scope,
        source: None,
        notes: unseen_notes(&unseen, rows.len(), file),
    })
}

/// The data of the training, with another path if the user named one.
fn data_of(request: &EvalRequest<'_, Recipe>, training: &Training) -> Result<Data, DataError> {
    let recipe = request.recipe.map(|recipe| recipe.data.clone());
    let mut data = recipe.unwrap_or_else(|| training.data.clone());
    if let Some(path) = request.data {
        let slot = data.source.path_mut().ok_or(DataError::Bundled)?;
        let name = path.to_str();
        name.ok_or_else(|| DataError::NotUtf8(path.to_owned()))?
            .clone_into(slot);
    }
    Ok(data)
}

/// The rows with the split list of the run, or with the digest of the training.
fn scope_of(
    request: &EvalRequest<'_, Recipe>,
    items: &[Item],
    training: &Training,
) -> Option<Scope> {
    let other = request.data.is_some();
    match request.splits {
        Some(list) => Some(list.choose(items, request.split, other)),
        None if other && training.digest != digest(items) => Some(Scope::Whole { trained_on: 0 }),
        None => None,
    }
}

fn items_of(model: &TabularPredictor, table: &Table) -> Result<Vec<Item>, TaskError> {
    let networks = model.networks();
    let column = table.column(&networks.spec().target_column);
    let column = column.map_err(table_error)?;
    let targets = read_known_targets(networks.target(), column, |row| table.line(row))?;
    let hashes = row_hashes(table, networks.encoder().names()).map_err(table_error)?;
    Ok(items(&hashes, &targets, networks.target()))
}

/// Reads the rows of an evaluation with the model's schema.
fn read_labeled(
    model: &TabularPredictor,
    data: &Data,
    training: &Training,
    other: bool,
) -> Result<Table, TaskError> {
    let Source::File { path, test } = &data.source else {
        let table = open(data, &training.split)?.table;
        check_kinds(model, &table)?;
        return Ok(table);
    };
    if path.is_empty() {
        return Err(DataError::NoPath.into());
    }
    let mut options = read_options(data)?;
    options.sample = options.sample.filter(|_| !other);
    let read = |path: &Path| {
        let table = model.networks().read_with(path, true, &options);
        table.map_err(TaskError::user)
    };
    let table = read(&table_of(Path::new(path))?)?;
    if other || test.is_empty() {
        return Ok(table);
    }
    table.append(&read(Path::new(test))?).map_err(table_error)
}

/// Checks that data other than a table file has the columns of the training data.
fn check_kinds(model: &TabularPredictor, table: &Table) -> Result<(), DataError> {
    for expected in &model.networks().spec().schema.columns {
        let found = table.column(&expected.name)?.kind();
        if found != expected.kind {
            return Err(DataError::OtherKind {
                column: expected.name.clone(),
                found,
                expected: expected.kind,
            });
        }
    }
    Ok(())
}

/// A warning for each column with categories that no training row has, in `rows` rows of `file`.
pub(super) fn unseen_notes(unseen: &[UnseenCategories], rows: usize, file: &str) -> Vec<String> {
    let note = |unseen: &UnseenCategories| {
        let UnseenCategories {
            column,
            cells,
            example,
            line,
        } = unseen;
        let verb = if *cells == 1 { "has" } else { "have" };
        format!(
            "warning: column `{column}`: {} of {} cells {verb} a category that was never seen in \
             training, such as `{example}` in line {line} of `{file}`",
            thousands(*cells),
            thousands(rows),
        )
    };
    unseen.iter().map(note).collect()
}
