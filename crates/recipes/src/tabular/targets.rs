//! The target of every row: classes or numbers.

use tinderbox_datasets::table::{Column, Kind, looks_like_classes};
use tinderbox_predict::tabular::{Target, TargetScaling};
use tinderbox_train::MonitorMode;
use tinderbox_train::metrics::{Evaluation, Predictions};

use super::error::DataError;
use super::recipe::{Data, TaskType};

/// Most classes.
const MAX_CLASSES: usize = 1_000;

/// The target of every row.
#[derive(Clone, Debug, PartialEq)]
pub enum Targets {
    /// Indices of the classes.
    Classes(Vec<usize>),
    /// Numbers in the target's unit.
    Numbers(Vec<f64>),
}

impl Targets {
    /// Some of the rows.
    pub fn take(&self, rows: &[usize]) -> Self {
        match self {
            Self::Classes(labels) => Self::Classes(rows.iter().map(|&row| labels[row]).collect()),
            Self::Numbers(values) => Self::Numbers(rows.iter().map(|&row| values[row]).collect()),
        }
    }

    /// These rows followed by those of `other`, which is of the same kind.
    pub(crate) fn with(mut self, other: Self) -> Self {
        match (&mut self, other) {
            (Self::Classes(labels), Self::Classes(more)) => labels.extend(more),
            (Self::Numbers(values), Self::Numbers(more)) => values.extend(more),
            // Both were read as one target.
            (Self::Classes(_), Self::Numbers(_)) | (Self::Numbers(_), Self::Classes(_)) => {}
        }
        self
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Self::Classes(labels) => labels.len(),
            Self::Numbers(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The classes; `None` for numbers.
    pub fn classes(&self) -> Option<&[usize]> {
        match self {
            Self::Classes(classes) => Some(classes),
            Self::Numbers(_) => None,
        }
    }

    /// These targets with predictions: probabilities of classes, row after row, or numbers in the
    /// target's unit.
    pub(crate) fn evaluation(self, outputs: &[f64]) -> Evaluation {
        match self {
            Self::Classes(labels) => {
                let mut predictions = Predictions::default();
                let classes = outputs.len() / labels.len().max(1);
                let probabilities: Vec<f32> = outputs.iter().map(|&p| p as f32).collect();
                predictions.extend(classes, &probabilities, labels);
                if classes == 2 {
                    Evaluation::Binary(predictions)
                } else {
                    Evaluation::Classes(predictions)
                }
            }
            Self::Numbers(actual) => Evaluation::Numbers {
                predicted: outputs.to_vec(),
                actual,
            },
        }
    }
}

/// The metric that decides between two models, and its direction.
pub(super) fn headline(target: &Target) -> (&'static str, MonitorMode) {
    match target {
        Target::Number { .. } => ("rmse", MonitorMode::Min),
        Target::Classes { labels } if labels.len() == 2 => ("auroc", MonitorMode::Max),
        Target::Classes { .. } => ("accuracy", MonitorMode::Max),
    }
}

/// Infers the meaning of a target column, and reads the target of every row.
///
/// The scale of a number is fitted later, by [`fit_scale`], on the training rows.
///
/// # Errors
///
/// If a row has none, all have the same, or it does not fit the recipe.
pub(crate) fn read_targets(column: &Column, data: &Data) -> Result<(Target, Targets), DataError> {
    check_present(column, |row| row as u64 + 1)?;
    let classes = match data.task {
        TaskType::Classification => true,
        TaskType::Regression => false,
        TaskType::Auto => looks_like_classes(column),
    };
    if classes {
        return read_classes(column, data);
    }
    if column.kind() != Kind::Numeric {
        return Err(DataError::TargetIsNoNumber(column.name().to_owned()));
    }
    let values: Vec<f64> = (0..column.len()).map(|row| column.number(row)).collect();
    if values
        .iter()
        .all(|value| value.to_bits() == values[0].to_bits())
    {
        return Err(single(column));
    }
    let target = Target::Number {
        log: false,
        mean: 0.0,
        deviation: 1.0,
    };
    Ok((target, Targets::Numbers(values)))
}

/// Fits the scale of a number on some rows; does nothing for classes.
///
/// # Errors
///
/// If the logarithm is asked for, and not all numbers are above zero.
pub(crate) fn fit_scale(
    target: &mut Target,
    targets: &Targets,
    rows: &[usize],
    scaling: TargetScaling,
    name: &str,
) -> Result<(), DataError> {
    let (
        Target::Number {
            log,
            mean,
            deviation,
        },
        Targets::Numbers(values),
    ) = (target, targets)
    else {
        return Ok(());
    };
    let positive = values.iter().all(|&value| value > 0.0);
    *log = match scaling {
        TargetScaling::Standard => false,
        TargetScaling::Log if positive => true,
        TargetScaling::Log => return Err(DataError::NoLogarithm(name.to_owned())),
        TargetScaling::Auto => {
            let skew = |log: bool| {
                let values = rows.iter().map(|&row| values[row]);
                skewness(
                    &values
                        .map(|x| if log { x.ln() } else { x })
                        .collect::<Vec<_>>(),
                )
            };
            positive && skew(true).abs() + 0.5 < skew(false)
        }
    };
    let scaled = rows
        .iter()
        .map(|&row| if *log { values[row].ln() } else { values[row] });
    let scaled: Vec<f64> = scaled.collect();
    let [center, square] = moments(&scaled);
    *mean = center;
    *deviation = if square > 0.0 { square.sqrt() } else { 1.0 };
    Ok(())
}

/// Reads the targets of another table, whose classes must be those of `target`; `line` gives the line
/// of a row in its file.
///
/// # Errors
///
/// If a row has none, or a class that the training rows do not have.
pub(crate) fn read_known_targets(
    target: &Target,
    column: &Column,
    line: impl Fn(usize) -> u64,
) -> Result<Targets, DataError> {
    check_present(column, &line)?;
    let rows = 0..column.len();
    match target {
        Target::Number { .. } if column.numbers().is_some() => Ok(Targets::Numbers(
            rows.map(|row| column.number(row)).collect(),
        )),
        Target::Number { .. } => Err(DataError::TargetIsNoNumber(column.name().to_owned())),
        Target::Classes { labels } => {
            let class = |row| {
                let name = column.text(row);
                labels
                    .iter()
                    .position(|label| *label == name)
                    .ok_or_else(|| DataError::UnseenClass {
                        class: name.into_owned(),
                        line: line(row),
                        known: labels.clone(),
                    })
            };
            Ok(Targets::Classes(rows.map(class).collect::<Result<_, _>>()?))
        }
    }
}

fn check_present(column: &Column, line: impl Fn(usize) -> u64) -> Result<(), DataError> {
    let missing = column.missing();
    if missing == 0 {
        return Ok(());
    }
    let first = (0..column.len()).position(|row| column.is_missing(row));
    Err(DataError::MissingTarget {
        column: column.name().to_owned(),
        count: missing,
        first: line(first.unwrap_or(0)),
        marker: None,
        as_text: None,
    })
}

fn single(column: &Column) -> DataError {
    DataError::SingleTarget {
        column: column.name().to_owned(),
        value: column.text(0).into_owned(),
    }
}

fn read_classes(column: &Column, data: &Data) -> Result<(Target, Targets), DataError> {
    let names: Vec<String> = (0..column.len())
        .map(|row| column.text(row).into_owned())
        .collect();
    let mut labels: Vec<String> = names.clone();
    labels.sort_by(|left, right| natural(left, right));
    labels.dedup();
    if labels.len() < 2 {
        return Err(single(column));
    }
    if labels.len() > MAX_CLASSES {
        return Err(DataError::TooManyClasses {
            column: column.name().to_owned(),
            count: labels.len(),
            most: MAX_CLASSES,
        });
    }
    if labels.len() == 2 && second_is_negative(&labels, &names, &data.positive)? {
        labels.swap(0, 1);
    } else if labels.len() > 2 && !data.positive.is_empty() {
        return Err(DataError::PositiveOfMany(data.positive.clone()));
    }
    let position = |name: &String| labels.iter().position(|label| label == name).unwrap_or(0);
    let targets = Targets::Classes(names.iter().map(position).collect());
    Ok((Target::Classes { labels }, targets))
}

/// Whether the second of two classes is the negative one: not that of the recipe, or else not the
/// rarer one.
fn second_is_negative(
    labels: &[String],
    names: &[String],
    positive: &str,
) -> Result<bool, DataError> {
    if positive.is_empty() {
        let second = names.iter().filter(|name| **name == labels[1]).count();
        return Ok(2 * second > names.len());
    }
    let at = labels.iter().position(|label| label == positive);
    at.map(|at| at == 0).ok_or_else(|| DataError::UnknownClass {
        class: positive.to_owned(),
        known: labels.to_vec(),
    })
}

/// Numbers by size, then words by letters. Only equal texts are equal: codes of many digits may be one
/// number, and so may `7` and `07`.
fn natural(left: &str, right: &str) -> std::cmp::Ordering {
    match (left.parse::<f64>(), right.parse::<f64>()) {
        (Ok(a), Ok(b)) => a.total_cmp(&b).then_with(|| left.cmp(right)),
        (Ok(_), Err(_)) => std::cmp::Ordering::Less,
        (Err(_), Ok(_)) => std::cmp::Ordering::Greater,
        (Err(_), Err(_)) => left.cmp(right),
    }
}

/// Mean, and mean square around it.
fn moments(values: &[f64]) -> [f64; 2] {
    let count = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / count;
    let square = values
        .iter()
        .map(|value| (value - mean).powi(2))
        .sum::<f64>()
        / count;
    [mean, square]
}

fn skewness(values: &[f64]) -> f64 {
    let [mean, square] = moments(values);
    let cube = values
        .iter()
        .map(|value| (value - mean).powi(3))
        .sum::<f64>();
    let cube = cube / values.len().max(1) as f64;
    if square > 0.0 {
        cube / square.powf(1.5)
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tabular::Recipe;

    fn data() -> Data {
        Recipe::builtin("file").unwrap().data
    }

    #[test]
    fn the_rarer_class_is_the_positive_one_by_default() {
        let column = Column::categorical("y", ["a", "b", "a", "b", "a"].map(Some));
        let (target, targets) = read_targets(&column, &data()).unwrap();
        let labels = ["a", "b"].map(str::to_owned).to_vec();
        assert_eq!(target, Target::Classes { labels });
        assert_eq!(targets, Targets::Classes(vec![0, 1, 0, 1, 0]));
        let mut data = data();
        data.positive = "a".to_owned();
        let (_, targets) = read_targets(&column, &data).unwrap();
        assert_eq!(targets, Targets::Classes(vec![1, 0, 1, 0, 1]));
        data.positive = "c".to_owned();
        let error = read_targets(&column, &data).unwrap_err().to_string();
        assert!(error.contains("`c`") && error.contains('a'), "{error}");
    }

    #[test]
    fn few_whole_numbers_are_classes_and_others_are_not() {
        let classes = Column::numeric("y", [2.0, 10.0, 1.0, 2.0].repeat(5));
        let (target, _) = read_targets(&classes, &data()).unwrap();
        let labels = ["1", "2", "10"].map(str::to_owned).to_vec();
        assert_eq!(target, Target::Classes { labels });
        let numbers = Column::numeric("y", vec![2.5, 10.0, 1.0, 2.0]);
        let (target, _) = read_targets(&numbers, &data()).unwrap();
        assert!(matches!(target, Target::Number { .. }));
        let many = Column::numeric("y", (0..50).map(f64::from).collect());
        let (target, _) = read_targets(&many, &data()).unwrap();
        assert!(matches!(target, Target::Number { .. }));
    }

    #[test]
    fn codes_that_are_one_number_are_different_classes() {
        let codes = ["9007199254740993", "9007199254740992", "7", "07"];
        let rows = codes.repeat(6);
        let column = Column::categorical("y", rows.iter().copied().map(Some));
        let (target, targets) = read_targets(&column, &data()).unwrap();
        let labels = ["07", "7", "9007199254740992", "9007199254740993"];
        let labels = labels.map(str::to_owned).to_vec();
        assert_eq!(target, Target::Classes { labels });
        assert_eq!(targets, Targets::Classes([3, 2, 1, 0].repeat(6)));
    }

    #[test]
    fn prices_are_learned_by_their_logarithm_and_come_back() {
        let values: Vec<f64> = (1..200).map(|i| (f64::from(i) / 20.0).exp()).collect();
        let column = Column::numeric("price", values.clone());
        let (mut target, targets) = read_targets(&column, &data()).unwrap();
        let rows: Vec<usize> = (0..150).collect();
        fit_scale(&mut target, &targets, &rows, TargetScaling::Auto, "price").unwrap();
        assert!(matches!(target, Target::Number { log: true, .. }));
        for value in values {
            let back = target.unscaled(target.scaled(value));
            assert!((back / value - 1.0).abs() < 1e-5, "{back} is not {value}");
        }
        let even = Column::numeric("share", (0..100).map(|i| f64::from(i) + 0.5).collect());
        let (mut target, targets) = read_targets(&even, &data()).unwrap();
        fit_scale(
            &mut target,
            &targets,
            &[0, 50, 99],
            TargetScaling::Auto,
            "share",
        )
        .unwrap();
        assert!(matches!(target, Target::Number { log: false, .. }));
    }

    #[test]
    fn a_target_that_nothing_can_be_learned_from_is_refused() {
        let refuse = |column: &Column| read_targets(column, &data()).unwrap_err().to_string();
        let one = refuse(&Column::categorical("y", [Some("a"), Some("a")]));
        assert!(one.contains("`a`"), "{one}");
        let missing = refuse(&Column::numeric("y", vec![1.0, f64::NAN, 2.0]));
        assert!(missing.contains("in line 2"), "{missing}");
        let many: Vec<String> = (0..1_001).map(|i| format!("w{i}")).collect();
        let many = refuse(&Column::categorical(
            "y",
            many.iter().map(|w| Some(w.as_str())),
        ));
        assert!(many.contains("1001"), "{many}");
    }
}
