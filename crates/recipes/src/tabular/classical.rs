//! The classical baselines of a part of a run, if the crate is built with them.

use tinderbox_datasets::table::Table;
use tinderbox_predict::tabular::Encoded;
use tinderbox_train::task::BaselineReport;
use tinderbox_train::{Options, Splits, TaskError};

use super::fit::Fitted;
use super::task::Tabular;

/// The results of the baselines, and the file that keeps them.
#[derive(Default)]
pub(super) struct Baselines {
    pub(super) reports: Vec<BaselineReport>,
    /// Name and content of the file; `None` if they are not kept.
    pub(super) file: Option<(&'static str, Vec<u8>)>,
}

#[cfg(feature = "baseline")]
impl Tabular {
    /// Fits the baselines and evaluates them on the test rows.
    pub(super) fn baselines(
        &self,
        fitted: &Fitted,
        splits: &Splits,
        options: &Options,
    ) -> Result<Baselines, TaskError> {
        if !options.baselines {
            return Ok(Baselines::default());
        }
        let methods = self.rows(fitted, splits).fit_all()?;
        let file = if options.keep_baselines {
            let json = super::baseline::to_json(&methods).map_err(TaskError::internal)?;
            Some((super::baseline::BASELINES_FILE, json))
        } else {
            None
        };
        let report = |method: super::baseline::Classical| BaselineReport {
            result: method.result,
            evaluation: method.evaluation,
        };
        Ok(Baselines {
            reports: methods.into_iter().map(report).collect(),
            file,
        })
    }

    /// The probability of the positive class that each baseline gives to all rows of another table.
    pub(super) fn baseline_scores(
        &self,
        fitted: &Fitted,
        splits: &Splits,
        (table, encoded): (&Table, &Encoded),
        options: &Options,
    ) -> Result<Vec<(String, Vec<f32>)>, TaskError> {
        if !options.baselines {
            return Ok(Vec::new());
        }
        self.rows(fitted, splits).scores_of(table, encoded)
    }

    fn rows<'a>(&'a self, fitted: &'a Fitted, splits: &'a Splits) -> super::baseline::Rows<'a> {
        super::baseline::Rows {
            table: &self.dataset.table,
            encoder: &fitted.encoder,
            encoded: &fitted.encoded,
            targets: &self.dataset.targets,
            target: &fitted.ensemble.target,
            train: &splits.train,
            valid: &splits.valid,
            test: &splits.test,
        }
    }
}

#[cfg(not(feature = "baseline"))]
#[expect(
    clippy::unnecessary_wraps,
    clippy::unused_self,
    reason = "as with baselines"
)]
impl Tabular {
    /// There are none.
    pub(super) fn baselines(
        &self,
        _: &Fitted,
        _: &Splits,
        _: &Options,
    ) -> Result<Baselines, TaskError> {
        Ok(Baselines::default())
    }

    /// There are none.
    pub(super) fn baseline_scores(
        &self,
        _: &Fitted,
        _: &Splits,
        _: (&Table, &Encoded),
        _: &Options,
    ) -> Result<Vec<(String, Vec<f32>)>, TaskError> {
        Ok(Vec::new())
    }
}
