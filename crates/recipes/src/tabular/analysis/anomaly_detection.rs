//! Ranking rows without labels: what an autoencoder rebuilds badly is unlike the rest.
//!
//! Reference: Hawkins et al., *Outlier detection using replicator neural networks*, 2002,
//! <https://doi.org/10.1007/3-540-46145-0_17>.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use burn::train::{InferenceStep, RegressionOutput, TrainOutput, TrainStep};
use tinderbox_datasets::loader::{Loader, LoaderConfig};
use tinderbox_models::tabular::{Autoencoder, AutoencoderConfig};

use super::encoder::{Encoded, Encoder};
use super::error::TabularError;
use super::learner::{Sample, TableBatch, loss_output, tensors};
use super::target::{Target, Truth};
use tinderbox_train::{TrainConfig, Trainer, init_seeded};

/// Widths of the encoder.
const HIDDEN: [usize; 2] = [64, 8];

/// Rows in a batch where no gradient is needed.
const EVAL_BATCH: usize = 1_024;

/// An autoencoder as burn-train's learner wants it; it does not look at the truth of a batch.
#[derive(Module, Debug)]
struct Rebuilder {
    net: Autoencoder,
}

impl Rebuilder {
    fn loss(&self, batch: TableBatch) -> Tensor<1> {
        self.net.errors(batch.rows).mean()
    }
}

impl TrainStep for Rebuilder {
    type Input = TableBatch;
    type Output = RegressionOutput;

    fn step(&self, batch: TableBatch) -> TrainOutput<RegressionOutput> {
        let loss = self.loss(batch);
        let grads = loss.backward();
        TrainOutput::new(self, grads, loss_output(loss))
    }
}

impl InferenceStep for Rebuilder {
    type Input = TableBatch;
    type Output = RegressionOutput;

    fn step(&self, batch: TableBatch) -> RegressionOutput {
        loss_output(self.loss(batch))
    }
}

/// Trains an autoencoder on some rows and gives the error of each row of others: the higher, the
/// less it is like what was learned from.
pub(super) fn rank(
    encoder: &Encoder,
    [train, valid, test]: [&Encoded; 3],
    config: TrainConfig,
    device: &Device,
) -> Result<Vec<f64>, TabularError> {
    let autodiff = device.clone().autodiff();
    let shape = AutoencoderConfig::new(encoder.n_numeric(), encoder.cardinalities())
        .with_hidden(HIDDEN.to_vec());
    shape.validate()?;
    let seed = config.train.seed;
    let Ok(net) = init_seeded(seed, &autodiff, || {
        Ok::<_, std::convert::Infallible>(shape.init(&autodiff))
    });
    let nothing = |rows: &Encoded| {
        let truth = Truth::Classes(vec![0; rows.rows]);
        let labels = vec![String::new()];
        Sample::new(rows.clone(), &truth, &Target::Classes { labels })
    };
    let (train, valid) = (nothing(train), nothing(valid));
    let loader = LoaderConfig::train(config.train.batch_size.min(train.len()), seed);
    let loader = Loader::new(train.shared(), train, loader, device)?;
    let eval = Loader::new(
        valid.shared(),
        valid,
        LoaderConfig::eval(EVAL_BATCH),
        device,
    )?;
    let trained = Trainer::new(config)
        .fit(Rebuilder { net }, loader, eval, |training| training)
        .map_err(TabularError::from)?;
    errors(&trained.model.net, test, &device.clone().inner())
}

fn errors(net: &Autoencoder, rows: &Encoded, device: &Device) -> Result<Vec<f64>, TabularError> {
    let all: Vec<usize> = (0..rows.rows).collect();
    let mut errors = Vec::with_capacity(rows.rows);
    for batch in all.chunks(EVAL_BATCH) {
        let said = net.errors(tensors(rows.take(batch), device));
        let values = said.try_into_vec_as::<f64>();
        errors.extend(values.map_err(|error| TabularError::Device(error.to_string()))?);
    }
    Ok(errors)
}
