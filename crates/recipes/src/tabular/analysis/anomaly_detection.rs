//! Anomaly detection without labels: an autoencoder reconstructs unusual rows badly.
//!
//! Reference: Hawkins et al., *Outlier detection using replicator neural networks*, 2002,
//! <https://doi.org/10.1007/3-540-46145-0_17>.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use burn::train::{InferenceStep, TrainOutput, TrainStep};
use tinderbox_datasets::loader::{Loader, LoaderConfig};
use tinderbox_models::tabular::{Autoencoder, AutoencoderConfig};

use serde_json::{Value, json};
use tinderbox_predict::PredictError;
use tinderbox_predict::tabular::{Encoded, Encoder, Target};
use tinderbox_train::format::{percent, thousands};
use tinderbox_train::metrics::{Evaluation, Ranking};
use tinderbox_train::{LossOutput, Section, TaskError, TrainConfig, Trainer, init_seeded};

use crate::tabular::dataset::{EncodedDataset, TableBatch};
use crate::tabular::targets::Targets;

/// Widths of the encoder.
const HIDDEN: [usize; 2] = [64, 8];

/// Rows in a batch where no gradient is needed.
const EVAL_BATCH: usize = 1_024;

/// The training step of an autoencoder, which ignores the targets of a batch.
#[derive(Module, Debug)]
struct Reconstruction {
    net: Autoencoder,
}

impl Reconstruction {
    fn loss(&self, batch: TableBatch) -> Tensor<1> {
        self.net.errors(batch.rows).mean()
    }
}

impl TrainStep for Reconstruction {
    type Input = TableBatch;
    type Output = LossOutput;

    fn step(&self, batch: TableBatch) -> TrainOutput<LossOutput> {
        let loss = self.loss(batch);
        let grads = loss.backward();
        TrainOutput::new(self, grads, LossOutput::new(loss))
    }
}

impl InferenceStep for Reconstruction {
    type Input = TableBatch;
    type Output = LossOutput;

    fn step(&self, batch: TableBatch) -> LossOutput {
        LossOutput::new(self.loss(batch))
    }
}

/// Trains an autoencoder and gives the reconstruction error of each test row: the higher, the less it
/// is like the training rows.
pub(in crate::tabular) fn reconstruction_errors(
    encoder: &Encoder,
    [train, valid, test]: [&Encoded; 3],
    config: TrainConfig,
    device: &Device,
) -> Result<Vec<f64>, TaskError> {
    let autodiff = device.clone().autodiff();
    let shape = AutoencoderConfig::new(encoder.n_numeric(), encoder.cardinalities())
        .with_hidden(HIDDEN.to_vec());
    shape.validate()?;
    let seed = config.train.seed;
    let Ok(net) = init_seeded(seed, &autodiff, || {
        Ok::<_, std::convert::Infallible>(shape.init(&autodiff))
    });
    let unlabeled = |rows: &Encoded| {
        let targets = Targets::Classes(vec![0; rows.rows]);
        let labels = vec![String::new()];
        EncodedDataset::new(rows.clone(), &targets, &Target::Classes { labels })
    };
    let (train, valid) = (unlabeled(train), unlabeled(valid));
    let loader = LoaderConfig::train(config.train.batch_size.min(train.len()), seed);
    let loader = Loader::new(train.shared(), train, loader, device)?;
    let eval = Loader::new(
        valid.shared(),
        valid,
        LoaderConfig::eval(EVAL_BATCH),
        device,
    )?;
    let trained =
        Trainer::new(config).fit(Reconstruction { net }, loader, eval, |training| training)?;
    Ok(errors(&trained.model.net, test, &device.clone().inner())?)
}

fn errors(net: &Autoencoder, rows: &Encoded, device: &Device) -> Result<Vec<f64>, PredictError> {
    let all: Vec<usize> = (0..rows.rows).collect();
    let mut errors = Vec::with_capacity(rows.rows);
    for batch in all.chunks(EVAL_BATCH) {
        let values = net.errors(rows.take(batch).into_tensors(device));
        let values = values.try_into_vec_as::<f64>();
        errors.extend(values.map_err(PredictError::device)?);
    }
    Ok(errors)
}

/// The ranking of the test rows by their reconstruction errors; `None` unless there are two classes.
pub(in crate::tabular) fn anomalies(
    errors: &[f64],
    evaluation: &Evaluation,
) -> Option<(Section, Value)> {
    let (_, labels) = evaluation.binary()?;
    let ranking = Ranking::new(errors, &labels);
    let [auroc, capture] = [ranking.auroc(), ranking.capture(0.1)];
    let text = format!(
        "Anomaly detection without labels: the reconstruction error of an autoencoder ranks the {} \
         test rows with an AUROC of {:.4}; the top 10% contain {} of the positives.",
        thousands(labels.len()),
        auroc.unwrap_or(f64::NAN),
        percent(capture.unwrap_or(f64::NAN))
    );
    let details = json!({
        "auroc": auroc,
        "average_precision": ranking.average_precision(),
        "capture_10_percent": capture,
    });
    Some((Section::text(text), details))
}
