//! Observations in a file or on stdin, one per line: a JSON array, or numbers with commas or spaces
//! between them. A first line without any cell that begins like a number is a header.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::ops::ControlFlow;
use std::path::Path;

use tinderbox_predict::{Action as PredictedAction, Prediction};
use tinderbox_train::TaskError;
use tinderbox_train::task::{InputItem, Position, PredictionListener};

use crate::environment::Action;
use crate::policy::Policy;

/// Observations in a batch.
const BATCH: usize = 256;

/// A line that is not an observation.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
enum ObservationError {
    #[error("`{name}` line {line}: `{cell}` is not a finite 32-bit number")]
    NotANumber {
        name: String,
        line: u64,
        cell: String,
    },
    #[error(
        "`{name}` line {line} has {values}, but observations of {environment} have {expected}, with commas or \
         spaces between them"
    )]
    Width {
        name: String,
        line: u64,
        /// How many it has, in words.
        values: String,
        expected: usize,
        environment: String,
    },
}

/// Gives the actions for the observations of a file, or of stdin (`-`), in batches to `each`.
pub(crate) fn predict(
    policy: &Policy,
    path: &Path,
    each: &mut PredictionListener<'_>,
) -> Result<(), TaskError> {
    let name = path.display().to_string();
    let (reader, total): (Box<dyn BufRead>, Option<u64>) = if path == Path::new("-") {
        (Box::new(io::stdin().lock()), None)
    } else {
        let open = || {
            let file = File::open(path)?;
            let total = file.metadata()?.len();
            Ok((file, total))
        };
        let (file, total) = open().map_err(|error| cannot_read(&name, &error))?;
        (Box::new(BufReader::new(file)), Some(total))
    };
    let mut batch = Batch::new(policy);
    let mut position = Position { done: 0, total };
    for (number, line) in (1..).zip(reader.lines()) {
        let line = line.map_err(|error| cannot_read(&name, &error))?;
        position.done += line.len() as u64 + 1;
        let item = match parse(&line, &name, number, policy) {
            Ok(None) => continue,
            Ok(Some(values)) => values,
            Err(error) => {
                let flushed = batch.flush(each, position);
                let skipped = flushed.is_continue().then(|| each(Err(error), position));
                if skipped.is_none_or(|flow| flow.is_break()) {
                    return Ok(());
                }
                continue;
            }
        };
        batch.push(&name, number, &item);
        if batch.items.len() == BATCH && batch.flush(each, position).is_break() {
            return Ok(());
        }
    }
    // Whether there is a next batch is not asked.
    let _ = batch.flush(each, position);
    Ok(())
}

fn cannot_read(name: &str, error: &io::Error) -> TaskError {
    TaskError::user(format!("cannot read `{name}`: {error}"))
}

/// The values of a line; `None` for an empty line and for a header.
fn parse(
    line: &str,
    name: &str,
    number: u64,
    policy: &Policy,
) -> Result<Option<Vec<f32>>, TaskError> {
    let inner = line.trim().trim_start_matches('[').trim_end_matches(']');
    let separators = |letter: char| letter == ',' || letter.is_whitespace();
    let cells: Vec<&str> = inner
        .split(separators)
        .filter(|cell| !cell.is_empty())
        .collect();
    let values: Vec<Option<f32>> = cells.iter().map(|cell| number_in(cell)).collect();
    if cells.is_empty() || (number == 1 && is_header(&cells)) {
        return Ok(None);
    }
    let expected = policy.spec().observation_space.len();
    if values.len() != expected {
        return Err(TaskError::user(ObservationError::Width {
            name: name.to_owned(),
            line: number,
            values: match values.len() {
                1 => "1 value".to_owned(),
                count => format!("{count} values"),
            },
            expected,
            environment: policy.environment().to_owned(),
        }));
    }
    let cells = cells.iter().zip(values);
    let values = cells.map(|(cell, value)| {
        value.ok_or_else(|| {
            TaskError::user(ObservationError::NotANumber {
                name: name.to_owned(),
                line: number,
                cell: (*cell).to_owned(),
            })
        })
    });
    values.collect::<Result<_, _>>().map(Some)
}

/// Whether no cell is, or begins like, a number: `1;2;3;4` is an observation that cannot be read, not a header.
fn is_header(cells: &[&str]) -> bool {
    let begins = |cell: &str| {
        let digits = cell.trim_start_matches(['+', '-', '.', '"', '\'']);
        digits.starts_with(|first: char| first.is_ascii_digit())
    };
    let number = |cell: &&str| begins(cell) || cell.parse::<f32>().is_ok();
    !cells.iter().any(number)
}

fn number_in(cell: &str) -> Option<f32> {
    cell.parse().ok().filter(|value: &f32| value.is_finite())
}

struct Batch<'a> {
    policy: &'a Policy,
    items: Vec<InputItem>,
    values: Vec<f32>,
}

impl<'a> Batch<'a> {
    fn new(policy: &'a Policy) -> Self {
        Self {
            policy,
            items: Vec::new(),
            values: Vec::new(),
        }
    }

    fn push(&mut self, name: &str, line: u64, values: &[f32]) {
        self.items.push(InputItem {
            name: name.to_owned(),
            row: Some(line),
            ..InputItem::default()
        });
        self.values.extend_from_slice(values);
    }

    fn flush(&mut self, each: &mut PredictionListener<'_>, position: Position) -> ControlFlow<()> {
        if self.items.is_empty() {
            return ControlFlow::Continue(());
        }
        let actions = self.policy.act(&self.values);
        self.values.clear();
        let items = std::mem::take(&mut self.items).into_iter().enumerate();
        let predictions = items.map(|(index, item)| (item, prediction(actions.get(index))));
        each(Ok(predictions.collect()), position)
    }
}

fn prediction(action: Action<'_>) -> Prediction {
    let action = match action {
        Action::Discrete(number) => PredictedAction::Discrete(number),
        Action::Continuous(values) => PredictedAction::Continuous(values.to_vec()),
    };
    Prediction::Action { action }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_line_with_digits_is_no_header() {
        assert!(is_header(&["cart_position", "x1", "angle"]));
        for cell in ["1;2;3;4", "-.5x", "nan", "inf", "0.1"] {
            assert!(!is_header(&["a", cell]), "{cell}");
        }
        let error = ObservationError::Width {
            name: "a.csv".to_owned(),
            line: 1,
            values: "1 value".to_owned(),
            expected: 4,
            environment: "CartPole-v1".to_owned(),
        };
        let expected = "`a.csv` line 1 has 1 value, but observations of CartPole-v1 have 4, with commas or spaces \
                        between them";
        assert_eq!(error.to_string(), expected);
    }
}
