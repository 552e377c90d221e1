//! The test rows ranked by the probability of the positive class, for those who act on a ranking.

use serde::Serialize;
use serde_json::{Map, Value, json};
use tinderbox_train::Section;
use tinderbox_train::format::percent;
use tinderbox_train::metrics::{Approval, Evaluation, Ranking, approval};

/// The metrics of a ranking.
#[derive(Serialize)]
struct RankingMetrics {
    capture_1_percent: Option<f64>,
    capture_4_percent: Option<f64>,
    capture_10_percent: Option<f64>,
    lift_10_percent: Option<f64>,
    /// Share of the rows above the 80% recall threshold.
    workload_at_80_percent_recall: f64,
    alerts_per_hit_at_80_percent_recall: f64,
    /// Share of positives among the lowest-ranked rows, by their share of all rows.
    default_rate_by_approval: Vec<[f64; 2]>,
}

impl RankingMetrics {
    fn new(evaluation: &Evaluation) -> Option<Self> {
        let (scores, labels) = evaluation.binary()?;
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

    fn row(&self, method: &str) -> Vec<String> {
        let lowest = self.default_rate_by_approval.iter();
        let lowest = lowest.copied().find(|[rate, _]| *rate > 0.79);
        vec![
            method.to_owned(),
            percent(self.capture_10_percent.unwrap_or(f64::NAN)),
            percent(self.workload_at_80_percent_recall),
            percent(lowest.map_or(f64::NAN, |[_, rate]| rate)),
        ]
    }
}

/// The metrics of the rankings of all methods; `None` unless there are two classes.
pub(super) fn ranking(methods: &[(&str, &Evaluation)]) -> Option<(Section, Value)> {
    let head = [
        "ranked by probability",
        "recall in top 10%",
        "rows for 80% recall",
        "positives in lowest 80%",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    let mut details = Map::new();
    for (name, evaluation) in methods {
        if let Some(metrics) = RankingMetrics::new(evaluation) {
            rows.push(metrics.row(name));
            details.insert((*name).to_owned(), json!(metrics));
        }
    }
    (rows.len() > 1).then(|| (Section::table("", rows), Value::Object(details)))
}
