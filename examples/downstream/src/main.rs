//! Classification of two moons: an own dataset and an own model, trained by the Tinderbox crates.
use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::{Dataset, DatasetError};
use burn::nn::{Linear, LinearConfig};
use burn::prelude::*;
use burn::tensor::activation::relu;
use tinderbox_backend::{DeviceSpec, open};
use tinderbox_predict::Classify;
use tinderbox_train::classify::{Classifier, LabeledBatch, Loss};
use tinderbox_train::{TrainConfig, Trainer};

struct Moons(usize); // how many points

impl Dataset<([f32; 2], i32)> for Moons {
    fn get(&self, index: usize) -> Result<([f32; 2], i32), DatasetError> {
        let (class, angle) = ((index % 2) as i32, index as f32 * 0.618 % std::f32::consts::PI);
        let (x, y) = (angle.cos(), angle.sin());
        Ok((if class == 0 { [x, y] } else { [1.0 - x, 0.5 - y] }, class))
    }
    fn len(&self) -> usize {
        self.0
    }
}

struct Points;

impl Batcher<([f32; 2], i32), LabeledBatch<Tensor<2>>> for Points {
    fn batch(&self, items: Vec<([f32; 2], i32)>, device: &Device) -> LabeledBatch<Tensor<2>> {
        let (points, labels): (Vec<_>, Vec<_>) = items.into_iter().unzip();
        let points = TensorData::new(points.concat(), [labels.len(), 2]);
        LabeledBatch::new(Tensor::from_data(points, device), Tensor::from_data(&labels[..], device))
    }
}

#[derive(Module, Debug)]
struct Net {
    hidden: Linear,
    output: Linear,
}

impl Classify for Net {
    type Input = Tensor<2>;
    fn classify(&self, points: Tensor<2>) -> Tensor<2> {
        self.output.forward(relu(self.hidden.forward(points)))
    }
}

fn main() -> anyhow::Result<()> {
    let device = open(DeviceSpec::Auto)?.device;
    device.seed(42); // the weights that training starts from
    let layer = |from, to| LinearConfig::new(from, to).init(&device);
    let model =
        Classifier::new(Net { hidden: layer(2, 32), output: layer(32, 2) }, Loss::default());
    let mut config = TrainConfig::default();
    *config.optimizer.learning_rate_mut() = 0.02;
    let trained = Trainer::new(config).fit_sets(model, Moons(2000), Moons(333), Points)?;
    println!("validation loss {:.4} after {} steps", trained.valid["loss"], trained.steps);
    anyhow::ensure!(trained.valid["loss"] < 0.1, "the moons were not separated");
    Ok(())
}
