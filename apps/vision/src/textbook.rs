//! How a network learns, shown on the way: input, forward, loss, backward, update.

use std::fs;
use std::path::Path;

use burn::module::{Module as _, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use serde_json::Value;
use tinderbox_cli::{note, table};
use tinderbox_recipes::vision::ImageNet;
use tinderbox_train::classify::Classifier;
use tinderbox_train::{METRICS_FILE, StepListener};

const INTRODUCTION: &str = "\
each step: the input (a batch of images) goes forward through the layers above to one score per
class; the loss says how wrong the scores are; it goes backward through the same layers and gives
every weight a gradient, the direction in which the loss grows; the update moves every weight a
little against its gradient.";

/// Shows the gradients of the first step.
pub(crate) fn listener() -> Box<StepListener<Classifier<ImageNet>>> {
    note(INTRODUCTION);
    Box::new(|model, grads, step| {
        if step == 1 {
            let head = ["backward, step 1", "weights", "their size", "gradient"];
            let rows = vec![head.map(str::to_owned).to_vec()];
            let mut gradients = Gradients {
                grads,
                path: Vec::new(),
                rows,
            };
            model.net.visit(&mut gradients);
            note(&table(&gradients.rows));
        }
    })
}

/// Root mean square of each parameter and of its gradient.
struct Gradients<'a> {
    grads: &'a GradientsParams,
    path: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl ModuleVisitor for Gradients<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some(grad) = self.grads.get::<D>(param.id) else {
            return;
        };
        let shape: Vec<String> = grad.dims().iter().map(usize::to_string).collect();
        let size = |tensor: Tensor<D>| {
            format!("{:.6}", tensor.square().mean().sqrt().into_scalar::<f32>())
        };
        // The first part is the kind of network.
        let name = self.path.get(1..).unwrap_or_default().join(".");
        let weights = size(param.val().without_autodiff());
        self.rows
            .push(vec![name, shape.join("x"), weights, size(grad)]);
    }
}

/// Draws the training loss of every epoch.
pub(crate) fn loss_curve(run: &Path) {
    let losses = losses(&run.join(METRICS_FILE));
    let highest = losses.iter().fold(f64::MIN_POSITIVE, |a, &b| a.max(b));
    note("training loss, epoch by epoch");
    for (epoch, loss) in losses.iter().enumerate() {
        let bar = "#".repeat((50.0 * loss / highest).round() as usize);
        note(&format!("  {:>4}  {loss:.4}  {bar}", epoch + 1));
    }
}

fn losses(file: &Path) -> Vec<f64> {
    // Only a picture: a file that cannot be read leaves it empty.
    let text = fs::read_to_string(file).unwrap_or_default();
    let lines = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let of_epochs = lines.filter(|line| line["split"] == "train" && line["name"] == "epoch_loss");
    of_epochs
        .filter_map(|line| line["value"].as_f64())
        .collect()
}
