//! What a lender gains: defaults and losses at equal approvals, beside a scorecard.

use serde::Serialize;
use serde_json::{Map, Value, json};
use tinderbox_cli::table;
use tinderbox_recipes::tabular::{Prepared, Report};
use tinderbox_train::metrics::approval;

use crate::train::{methods, yes_or_no};

/// Shares of the applications that are approved, the riskiest turned down.
const RATES: [f64; 5] = [0.5, 0.6, 0.7, 0.8, 0.9];

/// The method that lenders score by.
const SCORECARD: &str = "logistic regression";

/// What one method costs at one share of approvals.
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
    /// more. Nothing without a scorecard or its losses.
    loss_avoided_beside_scorecard: Option<f64>,
}

/// The curves of all methods, by their names.
pub(crate) struct Curves(Vec<(String, Vec<Point>)>);

impl Curves {
    /// Of the test rows, where the recipe says what is at stake.
    pub(crate) fn new(prepared: &Prepared, report: &Report) -> Option<Self> {
        let amounts = prepared.opened().amounts.as_ref()?;
        let test = prepared.parts().test.iter();
        let amounts: Vec<f64> = test.map(|&row| amounts[row]).collect();
        let curves = methods(report).into_iter().filter_map(|(name, answers)| {
            let (risk, defaulted) = yes_or_no(answers)?;
            let curve = approval(&risk, &defaulted, Some(&amounts), &RATES);
            let point = curve.into_iter().map(|at| Point {
                approved: at.rate,
                default_rate: at.default_rate,
                loss_rate: at.loss_rate,
                loss_avoided: at.loss_avoided,
                loss_avoided_beside_scorecard: None,
            });
            Some((name.to_owned(), point.collect()))
        });
        let mut curves = Self(curves.collect());
        curves.compare();
        (!curves.0.is_empty()).then_some(curves)
    }

    /// Sets every curve beside the scorecard's.
    fn compare(&mut self) {
        let Some((_, card)) = self.0.iter().find(|(name, _)| name == SCORECARD) else {
            return;
        };
        let lost: Vec<f64> = card.iter().map(|point| 1.0 - point.loss_avoided).collect();
        for (_, curve) in &mut self.0 {
            for (point, lost) in curve.iter_mut().zip(&lost) {
                point.loss_avoided_beside_scorecard =
                    (*lost > 0.0).then(|| 1.0 - (1.0 - point.loss_avoided) / lost);
            }
        }
    }

    /// As `summary.json` holds them.
    pub(crate) fn to_json(&self) -> Value {
        let curves = self.0.iter();
        let curves = curves.map(|(name, curve)| (name.clone(), json!(curve)));
        Value::Object(curves.collect::<Map<_, _>>())
    }

    /// A table with the methods one under the other at each share of approvals.
    pub(crate) fn to_table(&self) -> String {
        let head = [
            "approved, by risk",
            "ranked by",
            "default",
            "of the money lost",
            "losses avoided beside the scorecard",
        ];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        for at in 0..RATES.len() {
            for (index, (name, curve)) in self.0.iter().enumerate() {
                rows.push(row(name, &curve[at], index == 0));
            }
        }
        table(&rows)
    }
}

fn row(name: &str, point: &Point, first: bool) -> Vec<String> {
    let share = |value: f64| format!("{:.1}%", 100.0 * value);
    let approved = if first {
        format!("{:.0}%", 100.0 * point.approved)
    } else {
        String::new()
    };
    let beside = point
        .loss_avoided_beside_scorecard
        .filter(|_| name != SCORECARD);
    vec![
        approved,
        name.to_owned(),
        share(point.default_rate),
        share(point.loss_rate),
        beside.map_or("-".to_owned(), share),
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
            loss_avoided_beside_scorecard: None,
        };
        (name.to_owned(), vec![point])
    }

    #[test]
    fn losses_are_set_beside_those_of_the_scorecard() {
        let mut curves = Curves(vec![curve("this model", 0.8), curve(SCORECARD, 0.6)]);
        curves.compare();
        let beside = |at: usize| curves.0[at].1[0].loss_avoided_beside_scorecard.unwrap();
        assert!((beside(0) - 0.5).abs() < 1e-12);
        assert!(beside(1).abs() < 1e-12);
        let mut alone = Curves(vec![curve("this model", 0.8)]);
        alone.compare();
        assert!(alone.0[0].1[0].loss_avoided_beside_scorecard.is_none());
        let mut nothing_lost = Curves(vec![curve("this model", 1.0), curve(SCORECARD, 1.0)]);
        nothing_lost.compare();
        assert!(
            nothing_lost.0[0].1[0]
                .loss_avoided_beside_scorecard
                .is_none()
        );
    }
}
