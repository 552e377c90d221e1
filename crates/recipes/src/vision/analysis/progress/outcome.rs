//! Planned against measured.

use std::path::Path;

use time::Date;

use super::error::ProgressError;
use super::items::Item;
use super::plan::{Deviation, ItemPlan, Unit};
use super::series::Measures;

/// An item at a date, planned and measured.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub(super) item: String,
    pub(super) unit: Unit,
    pub(super) date: Date,
    /// None before the first date of the plan.
    pub(super) planned: Option<f64>,
    pub(super) actual: Option<f64>,
    /// Whether the true value may be larger.
    pub(super) is_bound: bool,
    pub(super) deviation: Option<Deviation>,
}

/// Checks before anything is computed that the model measures what the plan has.
pub(super) fn check(
    plan: &[ItemPlan],
    measures: Measures<'_>,
    path: &Path,
) -> Result<(), ProgressError> {
    let labels = &measures.labels[measures.first.min(measures.labels.len())..];
    for item in plan {
        if labels.contains(&item.name) {
            check_unit(item, measures.unit, path)?;
        } else if is_height(&item.name) {
            check_unit(item, Unit::Share, path)?;
        } else {
            let labels: Vec<String> = labels
                .iter()
                .take(20)
                .map(|name| format!("`{name}`"))
                .collect();
            let known = if labels.is_empty() {
                "without `--run` only `height` is compared with a plan; name a run that has the class".to_owned()
            } else {
                format!(
                    "the classes of the run are {}, and `height` needs none",
                    labels.join(", ")
                )
            };
            return Err(unknown(item, known, path));
        }
    }
    Ok(())
}

fn unknown(item: &ItemPlan, known: String, path: &Path) -> ProgressError {
    ProgressError::UnknownItem {
        path: path.to_owned(),
        line: item.line,
        item: item.name.clone(),
        known,
    }
}

fn is_height(name: &str) -> bool {
    name == "height"
        || name
            .strip_prefix("height ")
            .is_some_and(|end| end.parse::<usize>().is_ok())
}

fn check_unit(item: &ItemPlan, measured: Unit, path: &Path) -> Result<(), ProgressError> {
    if item.unit == measured {
        return Ok(());
    }
    Err(ProgressError::OtherUnit {
        path: path.to_owned(),
        line: item.line,
        item: item.name.clone(),
        planned: item.unit.name(),
        measured: measured.name(),
    })
}

/// The rows of all planned items, in the order of the plan.
///
/// # Errors
///
/// If the plan has a height that the photos do not show.
pub(super) fn rows(
    plan: &[ItemPlan],
    items: &[Item],
    path: &Path,
) -> Result<Vec<Row>, ProgressError> {
    let mut rows = Vec::new();
    for planned in plan {
        let Some(item) = items.iter().find(|item| item.name == planned.name) else {
            let heights: Vec<String> = items
                .iter()
                .filter(|item| is_height(&item.name))
                .map(|item| format!("`{}`", item.name))
                .collect();
            let known = if heights.is_empty() {
                "no part of the skyline rises on the aligned photos; `--columns` names one"
                    .to_owned()
            } else {
                format!(
                    "the heights that were found are {}; `--columns` names others",
                    heights.join(", ")
                )
            };
            return Err(unknown(planned, known, path));
        };
        rows.extend(item.values.iter().map(|value| {
            let day = f64::from(value.date.to_julian_day());
            let deviation = value.value.map(|actual| planned.deviation(day, actual));
            Row {
                item: planned.name.clone(),
                unit: planned.unit,
                date: value.date,
                planned: planned.value(day),
                actual: value.value,
                is_bound: value.is_bound,
                deviation,
            }
        }));
    }
    Ok(rows)
}

/// A value with its unit, for people.
pub(super) fn value_text(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Share => format!("{:.1}%", 100.0 * value),
        Unit::Count if (value - value.round()).abs() < 1e-9 => format!("{value:.0}"),
        Unit::Count => format!("{value:.1}"),
    }
}

impl Row {
    /// The planned value, for people.
    pub(super) fn planned_text(&self) -> String {
        let text = |value| value_text(value, self.unit);
        self.planned.map_or_else(|| "–".to_owned(), text)
    }

    /// The measured value, for people.
    pub(super) fn actual_text(&self) -> String {
        let bound = if self.is_bound { "≥ " } else { "" };
        self.actual.map_or_else(
            || "–".to_owned(),
            |value| bound.to_owned() + &value_text(value, self.unit),
        )
    }

    /// The deviation in days, for people.
    pub(super) fn days_text(&self) -> String {
        let (days, bound) = self.days();
        let Some(days) = days else {
            return match self.deviation {
                Some(_) => "outside the plan".to_owned(),
                None => "not measured".to_owned(),
            };
        };
        let rounded = days.round();
        let side = if rounded < 0.0 { "behind" } else { "ahead" };
        let size = rounded.abs();
        match (bound, rounded < 0.0) {
            (None, _) if size < 0.5 => "on plan".to_owned(),
            (Some(Bound::Lower), _) if size < 0.5 => "on plan or ahead".to_owned(),
            (Some(Bound::Upper), _) if size < 0.5 => "on plan or behind".to_owned(),
            (None, _) => format!("{size:.0} {side}"),
            (Some(Bound::Lower), false) | (Some(Bound::Upper), true) => {
                format!("at least {size:.0} {side}")
            }
            _ => format!("at most {size:.0} {side}"),
        }
    }

    /// Days ahead of the plan, and whether the truth may be more or less.
    pub(super) fn days(&self) -> (Option<f64>, Option<Bound>) {
        match self.deviation {
            Some(Deviation::Days(days)) => (Some(days), self.is_bound.then_some(Bound::Lower)),
            Some(Deviation::AtLeast(days)) if days >= 0.0 => (Some(days), Some(Bound::Lower)),
            // A value that may be larger says nothing if it is below all of the plan.
            Some(Deviation::AtLeast(days)) if !self.is_bound => (Some(days), Some(Bound::Upper)),
            _ => (None, None),
        }
    }
}

/// Which side of a number of days the truth is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    /// At least so many days.
    Lower,
    /// At most so many days.
    Upper,
}

impl Bound {
    /// Its name in JSON.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Lower => "at_least",
            Self::Upper => "at_most",
        }
    }
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use super::super::items::Value;
    use super::*;

    fn row(deviation: Option<Deviation>, is_bound: bool) -> Row {
        Row {
            item: "slab".to_owned(),
            unit: Unit::Count,
            date: Date::MIN,
            planned: Some(3.0),
            actual: Some(2.0),
            is_bound,
            deviation,
        }
    }

    #[test]
    fn a_date_before_the_plan_has_a_measured_value_and_no_planned_one() {
        let dates = [Date::MIN, Date::MIN.saturating_add(Duration::days(60))];
        let value = |date| Value {
            date,
            value: Some(3.0),
            is_bound: false,
        };
        let item = Item {
            name: "slab".to_owned(),
            unit: Unit::Count,
            values: dates.map(value).to_vec(),
        };
        let plan = ItemPlan {
            name: "slab".to_owned(),
            unit: Unit::Count,
            line: 2,
            points: vec![(f64::from(dates[1].to_julian_day()), 3.0)],
        };
        let rows = rows(&[plan], &[item], Path::new("plan.csv")).unwrap();
        let texts = rows
            .iter()
            .map(|row| [row.planned_text(), row.actual_text(), row.days_text()]);
        let wanted = [["–", "3", "outside the plan"], ["3", "3", "on plan"]];
        assert_eq!(texts.collect::<Vec<_>>(), wanted);
    }

    #[test]
    fn days_are_said_with_their_side_and_their_bound() {
        for (deviation, is_bound, text) in [
            (Some(Deviation::Days(4.2)), false, "4 ahead"),
            (Some(Deviation::Days(-1.6)), false, "2 behind"),
            (Some(Deviation::Days(-1.6)), true, "at most 2 behind"),
            (Some(Deviation::Days(0.3)), false, "on plan"),
            (Some(Deviation::AtLeast(7.0)), false, "at least 7 ahead"),
            (Some(Deviation::AtLeast(-7.0)), false, "at least 7 behind"),
            (Some(Deviation::AtLeast(-7.0)), true, "outside the plan"),
            (Some(Deviation::Outside), false, "outside the plan"),
            (None, false, "not measured"),
        ] {
            assert_eq!(row(deviation, is_bound).days_text(), text);
        }
    }
}
