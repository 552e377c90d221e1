//! A task of its own: the next count of a short time series, with the commands of every app.
use std::io::Read as _;

use burn::nn::{Linear, LinearConfig};
use burn::prelude::*;
use burn::tensor::activation::relu;
use serde::{Deserialize, Serialize};
use tinderbox_cli::app::{App, NoCommand, NoFlags};
use tinderbox_cli::recipe::Catalogue;
use tinderbox_predict::Prediction;
use tinderbox_train::metrics::Evaluation;
use tinderbox_train::task::Noun;
use tinderbox_train::{
    ConfigError, ItemRecipe, ItemTask, Items, MonitorMode, TaskError, check_range,
};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Config {
    window: usize,
    d_hidden: usize,
}

/// Counts in a row, and the count after them.
type Window = (Vec<f32>, f32);
/// `[batch, window]` and `[batch]`.
type Batch = (Tensor<2>, Tensor<1>);

#[derive(Module, Debug)]
struct Net {
    hidden: Linear,
    output: Linear,
}

impl Net {
    /// Logarithm of the expected next count.
    fn forward(&self, counts: Tensor<2>) -> Tensor<1> {
        let x = counts.add_scalar(1.0).log();
        self.output.forward(relu(self.hidden.forward(x))).squeeze_dim(1)
    }
}

/// The lines of a file, each a series of counts; `-` reads stdin.
fn series(path: &str) -> Result<Vec<Vec<f32>>, TaskError> {
    let mut text = String::new();
    let read = match path {
        "-" => std::io::stdin().read_to_string(&mut text).map(drop),
        _ => std::fs::read_to_string(path).map(|read| text = read),
    };
    read.map_err(|error| TaskError::user(format!("cannot read `{path}`: {error}")))?;
    let line = |(at, line): (usize, &str)| {
        let counts = line.split(',').map(|cell| cell.trim().parse().ok().filter(|at| *at >= 0.0));
        let counts: Option<Vec<f32>> = counts.collect();
        counts.ok_or_else(|| TaskError::user(format!("`{path}` line {}: not counts", at + 1)))
    };
    text.lines().enumerate().map(line).collect()
}

/// Visitors in each hour of a year: calm nights, busy days.
fn visitors() -> Vec<Vec<f32>> {
    let hour = |at: u32| 20.0 + 15.0 * (at as f32 * 0.2618).sin() + (at * 7919 % 11) as f32;
    vec![(0..8760).map(|at| hour(at).round()).collect()]
}

#[derive(Clone, Debug)]
struct Counts;

impl ItemTask for Counts {
    type Config = Config;
    type Item = Window;
    type Batch = Batch;
    type Net = Net;
    const KIND: &'static str = "counts";
    const ITEM: Noun = Noun("window", "windows");

    fn read(path: &str, config: &Config) -> Result<Vec<Window>, TaskError> {
        check_range("model.window", config.window, 1..=1000)?;
        let all = if path.is_empty() { visitors() } else { series(path)? };
        let windows = all.iter().flat_map(|counts| counts.windows(config.window + 1));
        Ok(windows.map(|at| (at[..config.window].to_vec(), at[config.window])).collect())
    }

    fn read_inputs(path: &str, config: &Config) -> Result<Vec<Window>, TaskError> {
        let last = |counts: Vec<f32>| match counts.len().checked_sub(config.window) {
            Some(from) => Ok((counts[from..].to_vec(), 0.0)),
            None => Err(TaskError::user(format!("a series needs {} counts", config.window))),
        };
        series(path)?.into_iter().map(last).collect()
    }

    fn init(config: &Config, device: &Device) -> Result<Net, ConfigError> {
        check_range("d_hidden", config.d_hidden, 1..=1000)?;
        let layer = |from, to| LinearConfig::new(from, to).init(device);
        Ok(Net { hidden: layer(config.window, config.d_hidden), output: layer(config.d_hidden, 1) })
    }

    fn batch(items: &[Window], device: &Device) -> Batch {
        let (counts, next): (Vec<_>, Vec<_>) = items.iter().cloned().unzip();
        let shape = [counts.len(), counts[0].len()];
        let counts = Tensor::from_data(TensorData::new(counts.concat(), shape), device);
        (counts, Tensor::from_data(&next[..], device))
    }

    /// Negative log-likelihood of a Poisson distribution, without its constant.
    fn loss(net: &Net, (counts, next): Batch) -> Tensor<1> {
        let log_rate = net.forward(counts);
        log_rate.clone().exp() - next * log_rate
    }

    fn predict(net: &Net, (counts, _): Batch) -> Result<Vec<Prediction>, TaskError> {
        let rates = net.forward(counts).exp().try_into_vec_as::<f64>();
        let rates = rates.map_err(|error| TaskError::internal(error.to_string()))?;
        Ok(rates.into_iter().map(|value| Prediction::Number { value }).collect())
    }

    fn evaluate(items: &[Window], predictions: &[Prediction]) -> Evaluation {
        let error =
            |((_, next), of): (&Window, &Prediction)| Some((of.value()? - f64::from(*next)).abs());
        let errors = items.iter().zip(predictions).filter_map(error);
        let mean = errors.sum::<f64>() / items.len() as f64;
        Evaluation::of_metric("mae", MonitorMode::Min, mean, items.len())
    }
}

struct Program;

impl App for Program {
    type Task = Items<Counts>;
    type TrainFlags = NoFlags;
    type ModelFlags = NoFlags;
    type EvalFlags = NoFlags;
    type InputFlags = NoFlags;
    type Command = NoCommand;
    const NAME: &'static str = "own-task";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const ABOUT: &'static str = "Predict the next count of a time series";

    fn recipes() -> Catalogue<ItemRecipe<Config>> {
        let names = &[("visitors", "visitors in each hour of a year, generated")];
        let builtin = |name: &str| {
            (name == "visitors").then(|| ItemRecipe::new(name, Config { window: 24, d_hidden: 32 }))
        };
        Catalogue { names, builtin }
    }
}

tinderbox_cli::main!(Program);
