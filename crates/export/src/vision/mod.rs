//! Models of images: one input with pixels from 0 to 1.

mod classifier;
mod cnn;
mod conv_norm;
mod detector;
mod fast_detector;
mod inverted_residual;
mod resnet;
mod segmenter;
mod unet;
mod yolox;

pub(crate) use classifier::export as export_classifier;
pub(crate) use detector::export as export_detector;
pub(crate) use segmenter::export as export_segmenter;
use tinderbox_predict::vision::{LandmarkModelConfig, Landmarker, Normalize};

use crate::graph::{Axis, Element, Graph, Value, word};

/// The name of the network of a model of landmarks in a recipe.
pub(crate) fn landmark_network(model: &Landmarker) -> &'static str {
    match model.spec().model {
        LandmarkModelConfig::LandmarkCnn(_) => "landmark-cnn",
        LandmarkModelConfig::LandmarkCascade(_) => "landmark-cascade",
    }
}

/// Name of the input.
const INPUT: &str = "image";

/// How images come to the input; what follows says how they are resized.
const PIXELS: &str = "Input `image`: [batch, channels, height, width] in single precision, the values of the pixels \
    divided by 255, red before green before blue. Normalization is part of the graph. ";

/// The input, normalized.
fn image_input(graph: &mut Graph, normalize: &Normalize, [height, width]: [Axis; 2]) -> Value {
    let channels = normalize.mean.len();
    let axes = [Axis::Any("batch"), Axis::Size(channels), height, width];
    let doc = "pixels from 0 to 1, red before green before blue";
    let x = graph.input(INPUT, Element::Float, &axes, doc);
    let shape = [1, channels, 1, 1];
    let (mean, std) = (
        graph.floats(&shape, &normalize.mean),
        graph.floats(&shape, &normalize.std),
    );
    let x = graph.sub(&x, &mean);
    graph.div(&x, &std)
}

/// Mirrors images or feature maps along axes.
fn flip(graph: &mut Graph, x: &Value, axes: &[i64]) -> Value {
    let ones = vec![-1; axes.len()];
    let (starts, steps) = (graph.list(&ones), graph.list(&ones));
    let ends = graph.list(&vec![i64::from(i32::MIN); axes.len()]);
    let axes = graph.list(axes);
    graph.op("Slice", &[x, &starts, &ends, &axes, &steps])
}

/// Feature maps of `factor` times the resolution: each pixel repeated, or interpolated between the centers of
/// pixels if `smooth`.
fn enlarge(graph: &mut Graph, x: &Value, factor: usize, smooth: bool) -> Value {
    let scales = graph.floats(&[4], &[1.0, 1.0, factor as f32, factor as f32]);
    let attributes = if smooth {
        vec![
            word("mode", "linear"),
            word("coordinate_transformation_mode", "half_pixel"),
        ]
    } else {
        vec![
            word("mode", "nearest"),
            word("coordinate_transformation_mode", "asymmetric"),
            word("nearest_mode", "floor"),
        ]
    };
    graph.op_with("Resize", &[x, &Graph::none(), &scales], attributes)
}
