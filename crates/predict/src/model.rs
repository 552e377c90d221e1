//! A trained model of any kind.

use std::path::Path;

use burn::tensor::Device;
use serde_json::{Map, Value};

use crate::error::PredictError;
#[cfg(feature = "text")]
use crate::text::TextPredictor;
use crate::vision::{Detector, ImageClassifier, Landmarker, Segmenter};
use crate::{ModelFiles, Prediction, tabular};

/// A trained model of any kind: bytes in, structured predictions out.
///
/// ```no_run
/// use burn::tensor::Device;
/// use tinderbox_predict::{Model, ModelFiles};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let files = ModelFiles::open("runs/mine/model".as_ref());
/// let model = Model::load(&files, &Device::flex())?;
/// let image = std::fs::read("cat.png")?;
/// for line in model.predict_json(&[("cat.png", &image)])? {
///     println!("{}", serde_json::to_string(&line)?);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub enum Model {
    /// An image classifier; its inputs are image files.
    Image(Box<ImageClassifier>),
    /// A segmentation model; its inputs are image files.
    Segmenter(Box<Segmenter>),
    /// A detector; its inputs are image files.
    Detector(Box<Detector>),
    /// A model of landmarks; its inputs are image files, each with one face.
    Landmarker(Box<Landmarker>),
    /// A model of tables; its inputs are CSV files with the columns of the training file.
    Table(Box<tabular::Predictor>),
    /// A model for texts; its inputs are texts in UTF-8.
    #[cfg(feature = "text")]
    Text(Box<TextPredictor>),
}

impl Model {
    /// Reads a model of any kind.
    ///
    /// # Errors
    ///
    /// If a file is missing, damaged or of another version, or this build does not know the kind.
    pub fn load(files: &ModelFiles, device: &Device) -> Result<Self, PredictError> {
        match files.kind()?.as_str() {
            ImageClassifier::KIND => {
                Ok(Self::Image(Box::new(ImageClassifier::load(files, device)?)))
            }
            Segmenter::KIND => Ok(Self::Segmenter(Box::new(Segmenter::load(files, device)?))),
            Detector::KIND => Ok(Self::Detector(Box::new(Detector::load(files, device)?))),
            Landmarker::KIND => Ok(Self::Landmarker(Box::new(Landmarker::load(files, device)?))),
            #[cfg(feature = "text")]
            TextPredictor::KIND => Ok(Self::Text(Box::new(TextPredictor::load(files, device)?))),
            tabular::KIND => Ok(Self::Table(Box::new(tabular::Predictor::from_files(
                files, device,
            )?))),
            kind => {
                let reason = format!("this program does not use models of kind `{kind}`");
                Err(files.refuse(reason).into())
            }
        }
    }

    /// Predicts inputs by their names and contents, in batches: one prediction for each image or text,
    /// and one for each row of a table, with the number of the row, from 1.
    ///
    /// # Errors
    ///
    /// If an input cannot be read, or the device fails.
    pub fn predict(
        &self,
        inputs: &[(&str, &[u8])],
    ) -> Result<Vec<(String, Option<u64>, Prediction)>, PredictError> {
        let unnumbered = |predictions: Vec<Prediction>| {
            let named = inputs.iter().zip(predictions);
            named
                .map(|((name, _), prediction)| ((*name).to_owned(), None, prediction))
                .collect()
        };
        match self {
            Self::Image(model) => {
                let images = inputs.iter();
                let images = images.map(|(name, bytes)| model.decode(bytes, Path::new(name)));
                let images: Vec<_> = images.collect::<Result<_, _>>()?;
                Ok(unnumbered(model.predict(&images)?))
            }
            Self::Segmenter(model) => {
                let predictions = inputs.iter().map(|(name, bytes)| {
                    let photo = model.decode(bytes, Path::new(name))?;
                    let photos = std::slice::from_ref(&photo);
                    let found = model.ensemble().probabilities(photos)?;
                    let masks = found.iter().map(|found| found.segment(&photo, true).mask);
                    Ok(masks.map(|mask| model.prediction(&mask, None)).collect())
                });
                let predictions: Vec<Vec<Prediction>> =
                    predictions.collect::<Result<_, PredictError>>()?;
                Ok(unnumbered(predictions.concat()))
            }
            Self::Detector(model) => {
                let predictions = inputs.iter().map(|(name, bytes)| {
                    let photo = model.decode(bytes, Path::new(name))?;
                    let found = model.detect(std::slice::from_ref(&photo))?.concat();
                    Ok(model.prediction([photo.height, photo.width], &found, None))
                });
                Ok(unnumbered(
                    predictions.collect::<Result<_, PredictError>>()?,
                ))
            }
            Self::Landmarker(model) => {
                let predictions = inputs.iter().map(|(name, bytes)| {
                    let photo = model.decode(bytes, Path::new(name))?;
                    let faces = [model.locate(&photo, None)?];
                    Ok(model.prediction([photo.height, photo.width], &faces, None))
                });
                Ok(unnumbered(
                    predictions.collect::<Result<_, PredictError>>()?,
                ))
            }
            #[cfg(feature = "text")]
            Self::Text(model) => {
                let texts = inputs.iter().map(|(name, bytes)| {
                    let text = std::str::from_utf8(bytes);
                    let text =
                        text.map_err(|_| PredictError::input(format!("`{name}` is not UTF-8")))?;
                    model.parse(text)
                });
                let texts: Vec<_> = texts.collect::<Result<_, _>>()?;
                Ok(unnumbered(model.predict(&texts)?))
            }
            Self::Table(model) => {
                let mut all = Vec::new();
                for (name, bytes) in inputs {
                    let table = model.read_bytes(bytes, name).map_err(PredictError::input)?;
                    let rows = model.predict(&table)?.into_iter().zip(1..);
                    let named = rows.map(|(row, at)| ((*name).to_owned(), Some(at), row));
                    all.extend(named);
                }
                Ok(all)
            }
        }
    }

    /// The same as the JSON lines that the command `predict` prints.
    ///
    /// # Errors
    ///
    /// As for [`predict`](Self::predict).
    pub fn predict_json(
        &self,
        inputs: &[(&str, &[u8])],
    ) -> Result<Vec<Map<String, Value>>, PredictError> {
        let lines = self.predict(inputs)?.into_iter();
        Ok(lines
            .map(|(name, row, prediction)| {
                let mut line = Map::from_iter([("input".to_owned(), Value::from(name))]);
                line.extend(row.map(|row| ("row".to_owned(), Value::from(row))));
                line.extend(prediction.to_json());
                line
            })
            .collect())
    }
}
