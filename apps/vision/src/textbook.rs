//! A textbook view of training: input, forward, loss, backward, update.

use std::path::Path;

use tinderbox_cli::{note, table};
use tinderbox_predict::error_chain;
use tinderbox_predict::vision::ImageModelConfig;
use tinderbox_recipes::vision::VisionTask;
use tinderbox_train::run_options::FirstStepListener;
use tinderbox_train::{METRICS_FILE, MetricLinesError, Task as _, read_metrics};

const INTRODUCTION: &str = "\
each step: the input (a batch of images) goes forward through the layers above to one score per
class; the loss says how wrong the scores are; it goes backward through the same layers and gives
every weight a gradient, the direction in which the loss grows; the update moves every weight a
little against its gradient.";

/// Whether training is shown step by step: for the network of the textbook.
pub(crate) fn applies(task: &VisionTask, quiet: bool) -> bool {
    let recipe = task.recipe().classification();
    !quiet && recipe.is_some_and(|recipe| matches!(recipe.model, ImageModelConfig::Mlp(_)))
}

/// Shows the gradients of the first step.
pub(crate) fn listener() -> Box<FirstStepListener> {
    note(INTRODUCTION);
    Box::new(|parameters| {
        let head = ["backward, step 1", "shape", "weight RMS", "gradient RMS"];
        let rows = parameters.iter().map(|parameter| {
            // The first parts are the field of the network and its kind.
            let name: Vec<&str> = parameter.path.split('.').skip(2).collect();
            let shape: Vec<String> = parameter.shape.iter().map(usize::to_string).collect();
            vec![
                name.join("."),
                shape.join("x"),
                format!("{:.6}", parameter.weight_rms),
                format!("{:.6}", parameter.gradient_rms),
            ]
        });
        let head = head.map(str::to_owned).to_vec();
        note(&table(
            &std::iter::once(head).chain(rows).collect::<Vec<_>>(),
        ));
    })
}

/// Draws the training loss of every epoch.
pub(crate) fn loss_curve(run: &Path) {
    let losses = match losses(&run.join(METRICS_FILE)) {
        Ok(losses) => losses,
        // Only a picture.
        Err(error) => {
            note(&format!("no curve of the loss: {}", error_chain(&error)));
            return;
        }
    };
    let highest = losses.iter().fold(f64::MIN_POSITIVE, |a, &b| a.max(b));
    note("training loss, epoch by epoch");
    for (epoch, loss) in losses.iter().enumerate() {
        let bar = "#".repeat((50.0 * loss / highest).round() as usize);
        note(&format!("  {:>4}  {loss:.4}  {bar}", epoch + 1));
    }
}

fn losses(file: &Path) -> Result<Vec<f64>, MetricLinesError> {
    let lines = read_metrics(file)?.into_iter();
    let of_epochs = lines.filter(|line| line.split == "train" && line.name == "epoch_loss");
    Ok(of_epochs.filter_map(|line| line.value).collect())
}
