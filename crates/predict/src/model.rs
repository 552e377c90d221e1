//! A trained model of any kind.

use burn::tensor::Device;
use serde_json::{Map, Value};
use tinderbox_datasets::image::MAX_PIXELS;

use crate::error::PredictError;
#[cfg(feature = "text")]
use crate::text::TextPredictor;
use crate::vision::{Detector, ImageClassifier, Landmarker, Segmenter};
use crate::{Inputs, ModelFiles, Prediction, tabular};

/// A trained model of any kind: bytes in, structured predictions out.
///
/// The features of the build decide which kinds there are, so a `match` needs an arm for other kinds.
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
#[non_exhaustive]
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

    /// The kind of the model, as in `model.json`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Image(_) => ImageClassifier::KIND,
            Self::Segmenter(_) => Segmenter::KIND,
            Self::Detector(_) => Detector::KIND,
            Self::Landmarker(_) => Landmarker::KIND,
            Self::Table(_) => tabular::KIND,
            #[cfg(feature = "text")]
            Self::Text(_) => TextPredictor::KIND,
        }
    }

    /// Name of the recipe that it was trained by.
    pub fn recipe(&self) -> &str {
        match self {
            Self::Image(model) => &model.spec().recipe,
            Self::Segmenter(model) => &model.spec().recipe,
            Self::Detector(model) => &model.spec().recipe,
            Self::Landmarker(model) => &model.spec().recipe,
            Self::Table(model) => &model.spec().recipe,
            #[cfg(feature = "text")]
            Self::Text(model) => &model.spec().recipe,
        }
    }

    /// Names of the classes, labels or tags, in their order; none for numbers and points.
    pub fn labels(&self) -> &[String] {
        match self {
            Self::Image(model) => model.labels(),
            Self::Segmenter(model) => model.labels(),
            Self::Detector(model) => model.labels(),
            Self::Landmarker(_) => &[],
            Self::Table(model) => model.target().labels(),
            #[cfg(feature = "text")]
            Self::Text(model) => model.labels(),
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
        // Images of the size of the network and texts fit in memory together; photos and tables may not.
        #[cfg(feature = "text")]
        let is_small = matches!(self, Self::Image(_) | Self::Text(_));
        #[cfg(not(feature = "text"))]
        let is_small = matches!(self, Self::Image(_));
        let group = if is_small { inputs.len().max(1) } else { 1 };
        let mut all = Vec::new();
        for inputs in inputs.chunks(group) {
            let mut decoded: Option<Inputs> = None;
            let mut names = Vec::new();
            for (name, bytes) in inputs {
                let input = self.read_file(name, bytes, MAX_PIXELS)?;
                let is_table = matches!(self, Self::Table(_));
                let rows = (1..=input.len() as u64).map(|row| is_table.then_some(row));
                names.extend(rows.map(|row| ((*name).to_owned(), row)));
                match &mut decoded {
                    Some(decoded) => decoded.append(input)?,
                    None => decoded = Some(input),
                }
            }
            let Some(decoded) = decoded else { continue };
            let predictions = names.into_iter().zip(self.answer(&decoded)?);
            all.extend(predictions.map(|((name, row), prediction)| (name, row, prediction)));
        }
        Ok(all)
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
