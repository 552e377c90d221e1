//! Credit approval: defaults and losses at equal approvals, compared with a scorecard.

use serde::Serialize;
use serde_json::{Map, Value, json};
use tinderbox_train::Section;
use tinderbox_train::format::percent;
use tinderbox_train::metrics::{Evaluation, approval};

use crate::tabular::data::TableDataset;

/// Shares of the applications that are approved, the riskiest rejected.
const RATES: [f64; 5] = [0.5, 0.6, 0.7, 0.8, 0.9];

/// The usual scorecard of lenders.
const SCORECARD: &str = "logistic regression";

/// The cost of one method at one approval rate.
#[derive(Serialize)]
struct Point {
    approved: f64,
    /// Share of the approved who default.
    default_rate: f64,
    /// Share of the approved money that is lost with them, all of it.
    loss_rate: f64,
    /// Share of the losses of approving everybody that is avoided.
    loss_avoided: f64,
    /// Share of the scorecard's losses that is avoided at as many approvals; below zero if there are
    /// more. `None` without a scorecard or its losses.
    loss_avoided_vs_scorecard: Option<f64>,
}

/// The curves of all methods, by their names.
struct Curves(Vec<(String, Vec<Point>)>);

/// The approval curves of all methods, where the recipe names the column of the amounts.
pub(super) fn approval_curves(
    methods: &[(&str, &Evaluation)],
    dataset: &TableDataset,
    test: &[usize],
) -> Option<(Section, Value)> {
    let amounts = dataset.amounts.as_ref()?;
    let amounts: Vec<f64> = test.iter().map(|&row| amounts[row]).collect();
    let curves = Curves::new(methods, &amounts)?;
    Some((curves.to_table(), curves.to_json()))
}

impl Curves {
    fn new(methods: &[(&str, &Evaluation)], amounts: &[f64]) -> Option<Self> {
        let curves = methods.iter().filter_map(|(name, evaluation)| {
            let (risk, defaulted) = evaluation.binary()?;
            let curve = approval(&risk, &defaulted, Some(amounts), &RATES);
            let point = curve.into_iter().map(|at| Point {
                approved: at.rate,
                default_rate: at.default_rate,
                loss_rate: at.loss_rate,
                loss_avoided: at.loss_avoided,
                loss_avoided_vs_scorecard: None,
            });
            Some(((*name).to_owned(), point.collect()))
        });
        let mut curves = Self(curves.collect());
        curves.compare();
        (!curves.0.is_empty()).then_some(curves)
    }

    /// Compares every curve with the scorecard's.
    fn compare(&mut self) {
        let Some((_, card)) = self.0.iter().find(|(name, _)| name == SCORECARD) else {
            return;
        };
        let lost: Vec<f64> = card.iter().map(|point| 1.0 - point.loss_avoided).collect();
        for (_, curve) in &mut self.0 {
            for (point, lost) in curve.iter_mut().zip(&lost) {
                point.loss_avoided_vs_scorecard =
                    (*lost > 0.0).then(|| 1.0 - (1.0 - point.loss_avoided) / lost);
            }
        }
    }

    /// The curves for `summary.json`.
    fn to_json(&self) -> Value {
        let curves = self.0.iter();
        let curves = curves.map(|(name, curve)| (name.clone(), json!(curve)));
        Value::Object(curves.collect::<Map<_, _>>())
    }

    /// A table of all methods at each approval rate.
    fn to_table(&self) -> Section {
        let head = [
            "approval rate",
            "ranked by",
            "default rate",
            "loss rate",
            "losses avoided vs. scorecard",
        ];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        for at in 0..RATES.len() {
            for (index, (name, curve)) in self.0.iter().enumerate() {
                rows.push(row(name, &curve[at], index == 0));
            }
        }
        Section::table("", rows)
    }
}

fn row(name: &str, point: &Point, first: bool) -> Vec<String> {
    let approved = if first {
        format!("{:.0}%", 100.0 * point.approved)
    } else {
        String::new()
    };
    let avoided = point
        .loss_avoided_vs_scorecard
        .filter(|_| name != SCORECARD);
    vec![
        approved,
        name.to_owned(),
        percent(point.default_rate),
        percent(point.loss_rate),
        avoided.map_or("-".to_owned(), percent),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(name: &str, loss_avoided: f64) -> (String, Vec<Point>) {
        let point = Point {
            approved: 0.5,
            default_rate: 0.1,
            loss_rate: 0.2,
            loss_avoided,
            loss_avoided_vs_scorecard: None,
        };
        (name.to_owned(), vec![point])
    }

    #[test]
    fn losses_are_compared_with_those_of_the_scorecard() {
        let mut curves = Curves(vec![curve("this model", 0.8), curve(SCORECARD, 0.6)]);
        curves.compare();
        let avoided = |at: usize| curves.0[at].1[0].loss_avoided_vs_scorecard.unwrap();
        assert!((avoided(0) - 0.5).abs() < 1e-12);
        assert!(avoided(1).abs() < 1e-12);
        let mut alone = Curves(vec![curve("this model", 0.8)]);
        alone.compare();
        assert!(alone.0[0].1[0].loss_avoided_vs_scorecard.is_none());
        let mut nothing_lost = Curves(vec![curve("this model", 1.0), curve(SCORECARD, 1.0)]);
        nothing_lost.compare();
        assert!(nothing_lost.0[0].1[0].loss_avoided_vs_scorecard.is_none());
    }
}
