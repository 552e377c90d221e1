//! Trained models as files for other software: ONNX with preprocessing and calibration, so that its
//! output is that of `predict --json`, and SafeTensors with the names of PyTorch.
//!
//! ```no_run
//! use burn::tensor::Device;
//! use tinderbox_predict::{Model, ModelFiles};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let model = Model::load(&ModelFiles::open("runs/mine/model".as_ref()), &Device::flex())?;
//! std::fs::write("model.onnx", tinderbox_export::onnx(&model)?)?;
//! # Ok(())
//! # }
//! ```
//!
//! Non-goals: reading ONNX, quantization, and preprocessing that ONNX has no operators for, such as
//! decoding of images and tokenizers.

mod error;
mod graph;
mod layers;
mod net;
mod onnx;
mod outputs;
mod policy;
mod python;
mod tabular;
#[cfg(feature = "text")]
mod text;
mod vision;
mod weights;

pub use error::ExportError;
pub use policy::{PolicyNetwork, policy};
use tinderbox_predict::Model;
use tinderbox_predict::vision::{Detector, ImageClassifier, Landmarker, Segmenter};
pub use weights::{Weights, safetensors};

/// A model as an ONNX file.
///
/// # Errors
///
/// If ONNX cannot express it, or there is no writer for its architecture.
pub fn onnx(model: &Model) -> Result<Vec<u8>, ExportError> {
    match model {
        Model::Image(model) => vision::export_classifier(model),
        Model::Table(model) => tabular::export(model),
        Model::Segmenter(model) => vision::export_segmenter(model),
        Model::Detector(model) => vision::export_detector(model),
        Model::Landmarker(model) => Err(ExportError::unsupported(
            format!("the architecture `{}`", vision::landmark_network(model)),
            "there is no writer for networks of landmarks",
        )),
        #[cfg(feature = "text")]
        Model::Text(model) => text::export(model),
        // Another package of the build may ask for kinds that this one leaves out.
        model => Err(ExportError::unsupported(
            format!("a model of kind `{}`", model.kind()),
            "this program has no writer for it",
        )),
    }
}

/// What `predict` does after the graph of this model, which ONNX has no operators for, as a sentence.
pub fn not_in_graph(model: &Model) -> Option<&'static str> {
    match model {
        Model::Segmenter(model) if model.refines() => Some(
            "the graph gives the probabilities of pixels; `predict` also refines the edges of masks with the photo \
             (`refine` in the recipe), which is not in the file",
        ),
        _ => None,
    }
}

/// Checks that there is a writer for a kind of model, as in `image-classifier`.
///
/// # Errors
///
/// If there is none.
pub fn check_kind(kind: &str) -> Result<(), ExportError> {
    let known = [
        ImageClassifier::KIND,
        Segmenter::KIND,
        Detector::KIND,
        Landmarker::KIND,
        tinderbox_predict::tabular::KIND,
        "text-model",
    ];
    if known.contains(&kind) {
        return Ok(());
    }
    Err(ExportError::unsupported(
        format!("a model of kind `{kind}`"),
        "there is no writer for it",
    ))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_kind_without_a_writer_is_named_with_advice() {
        assert!(super::check_kind("table-model").is_ok());
        let error = super::check_kind("counts").unwrap_err();
        assert!(error.is_user());
        let text = error.to_string();
        for words in ["`counts`", "use `--format safetensors`"] {
            assert!(text.contains(words), "{text}");
        }
    }
}
