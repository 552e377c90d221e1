//! The `explain` command.

use std::path::PathBuf;

use tinderbox_cli::explain::ExplainChartArgs;
use tinderbox_cli::{Failure, progress};
use tinderbox_recipes::tabular::analysis::{self, ExplainRequest};

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    common: ExplainChartArgs,
    /// CSV, JSON or Parquet file; must have the target column unless `--row` is given
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// Explain the prediction for one row; the first is 1
    #[arg(long, value_name = "N", value_parser = row)]
    row: Option<u64>,
    /// Permutations per column, or samples for one row
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    repeats: Option<u32>,
    /// Random seed
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

/// The number of a row, from 1.
fn row(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(0) => Err("rows are counted from 1".to_owned()),
        Ok(row) => Ok(row),
        Err(_) => Err("it is not a whole number above 0".to_owned()),
    }
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let model = args.common.load::<crate::TabularApp>()?;
    let request = ExplainRequest {
        data: &args.data,
        row: args.row.map(|row| row as usize),
        repeats: args.repeats.map(|repeats| repeats as usize),
        seed: args.seed,
    };
    let mut counter = progress::counter("columns");
    let analysis = analysis::explain(model.networks(), &request, &mut counter)?;
    args.common.print(analysis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_counted_from_1() {
        assert_eq!(row("3"), Ok(3));
        assert_eq!(row("0"), Err("rows are counted from 1".to_owned()));
        assert!(row("-1").is_err());
    }
}
