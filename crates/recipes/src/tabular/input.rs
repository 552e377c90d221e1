//! Predictions for the rows of a file, read in chunks.

use std::ops::ControlFlow;
use std::path::Path;

use tinderbox_datasets::table::{Chunk, Passthrough, TableReader};
use tinderbox_datasets::{InputRange, Shard};
use tinderbox_predict::Prediction;
use tinderbox_predict::tabular::{InputError, UnseenCategories};
use tinderbox_train::TaskError;
use tinderbox_train::task::{
    InputItem, InputOptions, InputReport, Position, Predicted, PredictionListener,
};

use super::error::table_error;
use super::evaluate::unseen_notes;
use super::predictor::TabularPredictor;

/// Rows that are in memory, and predicted together, at a time. Parts of a file begin at multiples of it.
const CHUNK: usize = 4_096;

/// The part of a file that a shard is.
pub(super) fn range(
    model: &TabularPredictor,
    path: &Path,
    shard: Shard,
) -> Result<InputRange, TaskError> {
    if path.as_os_str() == "-" {
        return Err(TaskError::user(
            "standard input cannot be read in parts: save it as a file first",
        ));
    }
    let reader = model.networks().reader(path, Passthrough::Columns(&[]));
    let reader = reader.map_err(TaskError::user)?;
    let range = reader.range(path, shard, CHUNK as u64);
    range.map_err(|error| TaskError::user(InputError::from(error)))
}

/// A file that is being predicted.
struct Input<'a, 'b> {
    model: &'a TabularPredictor,
    name: String,
    /// Names of the copied columns.
    copied: Vec<String>,
    each: &'a mut PredictionListener<'b>,
    unseen: Vec<UnseenCategories>,
    rows: usize,
}

pub(super) fn predict_file(
    model: &TabularPredictor,
    path: &Path,
    options: &InputOptions<()>,
    each: &mut PredictionListener<'_>,
) -> Result<InputReport, TaskError> {
    let passthrough = if options.all_columns {
        Passthrough::All
    } else {
        Passthrough::Columns(&options.columns)
    };
    let reader = model.networks().reader(path, passthrough);
    let mut reader = reader.map_err(TaskError::user)?;
    if let Some(range) = &options.range {
        let part = reader.restrict(path, range);
        part.map_err(|error| TaskError::user(InputError::from(error)))?;
    }
    let size = || match &options.range {
        Some(range) => Some(range.end - range.start),
        None => plain_size(path),
    };
    let total = reader.rows().or_else(size);
    let mut input = Input {
        model,
        name: path.to_string_lossy().into_owned(),
        copied: reader.passthrough().map(str::to_owned).collect(),
        each,
        unseen: Vec::new(),
        rows: 0,
    };
    input.predict_all(&mut reader, total)?;
    Ok(InputReport {
        notes: unseen_notes(&input.unseen, input.rows, &input.name),
        already_done: 0,
    })
}

impl Input<'_, '_> {
    fn predict_all(
        &mut self,
        reader: &mut TableReader,
        total: Option<u64>,
    ) -> Result<(), TaskError> {
        while let Some(chunk) = reader.next_chunk(CHUNK) {
            let position = Position {
                done: reader.position(),
                total,
            };
            let flow = match chunk {
                Ok(chunk) => self.predict_chunk(chunk, position)?,
                Err(error) if error.is_row() => self.fail(error.into(), position),
                Err(error) => return Err(TaskError::user(InputError::from(error))),
            };
            if flow.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Predicts the rows of a chunk up to the first that is out of range, and so on.
    fn predict_chunk(
        &mut self,
        chunk: Chunk,
        position: Position,
    ) -> Result<ControlFlow<()>, TaskError> {
        let mut rest = Some(chunk);
        while let Some(chunk) = rest.take() {
            let count = chunk.rows.len();
            let (usable, bad) = match self.model.networks().check_range(&chunk.table) {
                Ok(()) => (chunk, None),
                Err((row, error)) => {
                    rest = (row + 1 < count).then(|| chunk.slice(row + 1..count));
                    (chunk.slice(0..row), Some(error))
                }
            };
            let mut flow = ControlFlow::Continue(());
            if !usable.rows.is_empty() {
                let batch = self.predict_rows(&usable)?;
                flow = (self.each)(Ok(batch), position);
            }
            if let (Some(error), ControlFlow::Continue(())) = (bad, flow) {
                flow = self.fail(error, position);
            }
            if flow.is_break() {
                return Ok(flow);
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn predict_rows(&mut self, chunk: &Chunk) -> Result<Vec<(InputItem, Prediction)>, TaskError> {
        let unseen = self.model.networks().encoder();
        let unseen = unseen.unseen_categories(&chunk.table);
        self.add_unseen(unseen.map_err(table_error)?);
        self.rows += chunk.rows.len();
        let predictions = self.model.predict(&chunk.table)?;
        let item = |at: usize| InputItem {
            name: self.name.clone(),
            is_text: false,
            row: Some(chunk.rows[at]),
            columns: self
                .copied
                .iter()
                .cloned()
                .zip(chunk.passthrough.iter().map(|cells| cells[at].clone()))
                .collect(),
        };
        let items = (0..chunk.rows.len()).map(item);
        Ok(items.zip(predictions).collect())
    }

    fn fail(&mut self, error: InputError, position: Position) -> ControlFlow<()> {
        let error: Predicted = Err(TaskError::user(error));
        (self.each)(error, position)
    }

    fn add_unseen(&mut self, more: Vec<UnseenCategories>) {
        for new in more {
            let mut known = self.unseen.iter_mut();
            match known.find(|known| known.column == new.column) {
                Some(known) => known.cells += new.cells,
                None => self.unseen.push(new),
            }
        }
    }
}

/// Bytes of a file that is not compressed; the size of the text of others is unknown.
fn plain_size(input: &Path) -> Option<u64> {
    let packed = input
        .extension()
        .is_some_and(|end| end.eq_ignore_ascii_case("gz"));
    let data = std::fs::metadata(input).ok()?;
    (data.is_file() && !packed).then_some(data.len())
}
