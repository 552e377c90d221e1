//! A model that is open in the page.

use std::path::Path;

use burn::tensor::Device;
use serde::Serialize;
use serde_json::{Map, Value};
use tinderbox_datasets::image::Mask;
use tinderbox_predict::tabular::InputColumn;
use tinderbox_predict::{Model, ModelFiles, PredictError};

/// The kind of models that this program leaves out.
const TEXT_KIND: &str = "text-model";

/// What a page needs to know of a model to ask for its inputs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Description {
    /// The kind of the model, as in `model.json`.
    pub kind: &'static str,
    /// Name of the recipe.
    pub recipe: String,
    /// Names of the classes, in their order; empty for numbers and points.
    pub labels: Vec<String>,
    /// Whether its images are drawings as well as photos: those of gray pixels.
    pub draw: bool,
    /// The columns of a row; empty for images.
    pub columns: Vec<InputColumn>,
    /// The column that is predicted.
    pub target: Option<String>,
}

/// The predictions for one file.
#[derive(Clone, Debug)]
pub struct Answer {
    /// As the command `predict` prints them.
    pub lines: Vec<Map<String, Value>>,
    /// The class of each pixel, from a segmentation model.
    pub mask: Option<Mask>,
}

/// A model that is open in the page.
#[derive(Debug)]
pub struct Session {
    model: Model,
}

impl Session {
    /// Reads a model.
    ///
    /// # Errors
    ///
    /// If a file is missing, damaged or of another version, or the model is one of texts.
    pub fn open(files: &ModelFiles) -> Result<Self, PredictError> {
        if files.kind()? == TEXT_KIND {
            let reason = "models of texts do not run in a page; use `text predict --run DIR`";
            return Err(files.refuse(reason).into());
        }
        let model = Model::load(files, &Device::flex())?;
        Ok(Self { model })
    }

    /// What a page needs to know of the model.
    pub fn description(&self) -> Description {
        let table = match &self.model {
            Model::Table(model) => Some(model),
            _ => None,
        };
        Description {
            kind: self.model.kind(),
            recipe: self.model.recipe().to_owned(),
            labels: self.model.labels().to_vec(),
            draw: matches!(&self.model, Model::Image(model) if model.spec().input.channels == 1),
            columns: table.map_or_else(Vec::new, |model| model.input_columns()),
            target: table.map(|model| model.spec().target_column.clone()),
        }
    }

    /// Predicts the content of a file: an image, or a table with the columns of the training file.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn predict(&self, name: &str, content: &[u8]) -> Result<Answer, PredictError> {
        let Model::Segmenter(model) = &self.model else {
            let lines = self.model.predict_json(&[(name, content)])?;
            return Ok(Answer { lines, mask: None });
        };
        let photo = model.decode(content, Path::new(name))?;
        let found = model
            .ensemble()
            .probabilities(std::slice::from_ref(&photo))?;
        let refine = model.refines();
        let mask = found
            .first()
            .map(|found| found.segment(&photo, refine).mask);
        let lines = mask.iter().map(|mask| {
            let mut line = Map::from_iter([("input".to_owned(), Value::from(name))]);
            line.extend(model.prediction(mask, None).to_json());
            line
        });
        let lines = lines.collect();
        Ok(Answer { lines, mask })
    }

    /// Predicts a row of texts by column, as they are written in the training file; an empty one is missing.
    ///
    /// # Errors
    ///
    /// If a cell is not what its column holds.
    pub fn predict_row(&self, row: &Map<String, Value>) -> Result<Answer, PredictError> {
        let row = to_ascii_json(row).map_err(PredictError::input)?;
        self.predict("row", &row)
    }
}

/// JSON in ASCII, which reads the same in every encoding that a training file may have had.
fn to_ascii_json(row: &Map<String, Value>) -> Result<Vec<u8>, serde_json::Error> {
    let mut ascii = String::new();
    for letter in serde_json::to_string(row)?.chars() {
        if letter.is_ascii() {
            ascii.push(letter);
        } else {
            let units = letter.encode_utf16(&mut [0; 2]).to_vec();
            ascii.extend(units.iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    Ok(ascii.into_bytes())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::PathBuf;

    use tinderbox_predict::error_chain;

    use super::*;

    /// Models and predictions that `tinderbox-predict` keeps readable.
    fn stored(name: &str) -> PathBuf {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        package.join("../../crates/predict/tests/models").join(name)
    }

    fn open(name: &str) -> Result<Session, PredictError> {
        Session::open(&ModelFiles::open(&stored(name)))
    }

    #[test]
    fn an_image_is_predicted_as_by_the_command_line() {
        let session = open("image-classifier").unwrap();
        let description = session.description();
        assert!(description.draw && description.columns.is_empty());
        assert_eq!(description.labels.len(), 10);
        let image = fs::read(stored("image-classifier.in.png")).unwrap();
        let answer = session.predict("digit.png", &image).unwrap();
        let lines = fs::read_to_string(stored("image-classifier.jsonl")).unwrap();
        let expected: Value = serde_json::from_str(&lines).unwrap();
        assert_eq!(answer.lines[0]["label"], expected["label"]);
        assert!(answer.mask.is_none());
    }

    #[test]
    fn a_filled_in_row_is_the_row_of_a_file() {
        let session = open("table-model").unwrap();
        let columns = session.description().columns;
        assert_eq!(columns.len(), 30);
        let csv = fs::read(stored("table-model.in.csv")).unwrap();
        let of_file = session.predict("cells.csv", &csv).unwrap().lines;
        let text = String::from_utf8(csv).unwrap();
        let cells: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
        let row = cells[0].iter().zip(&cells[1]);
        let row = row
            .map(|(name, cell)| ((*name).to_owned(), Value::from(*cell)))
            .collect();
        let alone = session.predict_row(&row).unwrap().lines;
        assert_eq!(alone[0]["probabilities"], of_file[0]["probabilities"]);
        assert_eq!((of_file.len(), alone.len()), (2, 1));
        // The form as it opens is a row.
        let usual = columns
            .into_iter()
            .map(|column| (column.name, Value::from(column.typical)));
        assert!(session.predict_row(&usual.collect()).is_ok());
        let wrong = Map::from_iter([("mean radius".to_owned(), Value::from("wide"))]);
        assert!(session.predict_row(&wrong).is_err());
    }

    #[test]
    fn what_cannot_be_opened_is_one_sentence() {
        let error = open("text-model").unwrap_err();
        assert!(
            error_chain(&error).contains("texts do not run in a page"),
            "{error}"
        );
        let json =
            br#"{"format": 99, "kind": "image-classifier", "versions": {"tinderbox": "9.0.0"}}"#;
        let files = BTreeMap::from([("model.json".to_owned(), json.to_vec())]);
        let error = Session::open(&ModelFiles::from_memory(files)).unwrap_err();
        let text = error_chain(&error);
        assert!(
            text.contains("format is 99") && text.contains("update this program"),
            "{text}"
        );
    }

    #[test]
    fn a_row_is_written_in_ascii() {
        let row = Map::from_iter([("Größe".to_owned(), Value::from("😀\""))]);
        let json = to_ascii_json(&row).unwrap();
        assert!(json.is_ascii());
        assert_eq!(serde_json::from_slice::<Map<_, _>>(&json).unwrap(), row);
    }
}
