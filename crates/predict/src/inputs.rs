//! Decoded inputs of a model: what waits until a batch is full.

use std::path::Path;

use serde_json::{Map, Value};
use tinderbox_datasets::image::{DecodeOptions, Image, MAX_PIXELS, decode_bytes, decode_full};

use crate::tabular::{Encoded, UnseenCategories};
#[cfg(feature = "text")]
use crate::text::{TextInput, Tokens};
use crate::{Model, PredictError, Prediction};

/// Decoded inputs of one model, each of which gets a prediction.
#[derive(Clone, Debug, PartialEq)]
pub struct Inputs {
    items: Items,
    /// What was assumed or left out, as sentences.
    notes: Vec<String>,
    /// Names of columns that the model does not know.
    unknown: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
enum Items {
    Images(Vec<Image>),
    Rows(Encoded),
    Observations(Vec<Vec<f32>>),
    #[cfg(feature = "text")]
    Texts(Vec<(TextInput, Tokens)>),
}

impl Inputs {
    /// Number of inputs.
    pub fn len(&self) -> usize {
        match &self.items {
            Items::Images(images) => images.len(),
            Items::Rows(rows) => rows.rows,
            Items::Observations(rows) => rows.len(),
            #[cfg(feature = "text")]
            Items::Texts(texts) => texts.len(),
        }
    }

    /// Whether there is no input.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Observations of an environment.
    pub fn of_observations(rows: Vec<Vec<f32>>) -> Self {
        Self::new(Items::Observations(rows))
    }

    /// The observations, if they are some.
    pub fn observations(&self) -> Option<&[Vec<f32>]> {
        match &self.items {
            Items::Observations(rows) => Some(rows),
            _ => None,
        }
    }

    /// Number of tokens of all texts; 0 for other inputs.
    pub fn tokens(&self) -> usize {
        match &self.items {
            #[cfg(feature = "text")]
            Items::Texts(texts) => texts.iter().map(|(_, tokens)| tokens.ids.len()).sum(),
            _ => 0,
        }
    }

    /// What was assumed or left out, as sentences.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Names of columns that the model does not know and that were ignored.
    pub fn unknown_columns(&self) -> &[String] {
        &self.unknown
    }

    /// Adds inputs of the same model.
    ///
    /// # Errors
    ///
    /// If they are of a model of another kind.
    pub fn append(&mut self, other: Self) -> Result<(), PredictError> {
        match (&mut self.items, other.items) {
            (Items::Images(images), Items::Images(more)) => images.extend(more),
            (Items::Rows(rows), Items::Rows(more)) => {
                rows.rows += more.rows;
                rows.numeric.extend(more.numeric);
                rows.codes.extend(more.codes);
            }
            (Items::Observations(rows), Items::Observations(more)) => rows.extend(more),
            #[cfg(feature = "text")]
            (Items::Texts(texts), Items::Texts(more)) => texts.extend(more),
            _ => {
                return Err(PredictError::input(
                    "the inputs are of models of different kinds",
                ));
            }
        }
        self.notes.extend(other.notes);
        for name in other.unknown {
            if !self.unknown.contains(&name) {
                self.unknown.push(name);
            }
        }
        Ok(())
    }

    fn new(items: Items) -> Self {
        Self {
            items,
            notes: Vec::new(),
            unknown: Vec::new(),
        }
    }
}

impl Model {
    /// Decodes a file: an image, a table as CSV or JSON with the columns of the training file, or a text
    /// in UTF-8. `name` stands for it in messages.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or is an image of more than `max_pixels` pixels.
    pub fn read_file(
        &self,
        name: &str,
        bytes: &[u8],
        max_pixels: u64,
    ) -> Result<Inputs, PredictError> {
        let limit = max_pixels.min(MAX_PIXELS);
        let path = Path::new(name);
        let photo = |channels| {
            let image = decode_full(bytes, path, channels, limit).map_err(PredictError::input)?;
            Ok(Inputs::new(Items::Images(vec![image])))
        };
        match self {
            Self::Image(model) => {
                let input = &model.spec().input;
                let options = DecodeOptions {
                    max_pixels: input.max_pixels.min(limit),
                    ..input.clone()
                };
                let image = decode_bytes(bytes, path, &options).map_err(PredictError::input)?;
                Ok(Inputs::new(Items::Images(vec![image])))
            }
            Self::Segmenter(model) => photo(model.spec().input.channels),
            Self::Detector(model) => photo(model.spec().input.channels),
            Self::Landmarker(model) => photo(model.spec().input.channels),
            Self::Table(model) => {
                let table = model.read_bytes(bytes, name).map_err(PredictError::input)?;
                rows_of(model, &table)
            }
            #[cfg(feature = "text")]
            Self::Text(model) => {
                let text = std::str::from_utf8(bytes)
                    .map_err(|_| PredictError::input(format!("`{name}` is not UTF-8")))?;
                texts_of(model, vec![model.parse(text)?])
            }
        }
    }

    /// Reads JSON values: rows of a table as objects with a value for each column, or texts as strings
    /// or objects (see `TextPredictor::input_of`).
    ///
    /// # Errors
    ///
    /// If a value does not fit the model.
    pub fn read_values(&self, values: &[Value]) -> Result<Inputs, PredictError> {
        match self {
            Self::Table(model) => {
                let rows = values.iter().zip(1..).map(|(value, number)| {
                    value.as_object().ok_or_else(|| {
                        let row = match values.len() {
                            1 => "the row".to_owned(),
                            _ => format!("row {number}"),
                        };
                        PredictError::input(format!(
                            "{row} is {}, not an object with the columns as keys",
                            kind_of(value)
                        ))
                    })
                });
                let rows: Vec<&Map<String, Value>> = rows.collect::<Result<_, _>>()?;
                let (table, unknown) = model.table_of(&rows)?;
                Ok(Inputs {
                    unknown,
                    ..rows_of(model, &table)?
                })
            }
            #[cfg(feature = "text")]
            Self::Text(model) => {
                let texts = values.iter().zip(1..).map(|(value, number)| {
                    let input = model.input_of(value);
                    input.map_err(|error| match values.len() {
                        1 => error,
                        _ => PredictError::input(format!("text {number}: {error}")),
                    })
                });
                texts_of(model, texts.collect::<Result<_, _>>()?)
            }
            _ => Err(PredictError::input(
                "this model reads images: send the bytes of an image file",
            )),
        }
    }

    /// Predicts decoded inputs, in batches: one prediction for each.
    ///
    /// # Errors
    ///
    /// If they are of another kind of model, or the device fails.
    pub fn answer(&self, inputs: &Inputs) -> Result<Vec<Prediction>, PredictError> {
        match (self, &inputs.items) {
            (Self::Image(model), Items::Images(images)) => model.predict(images),
            (Self::Segmenter(model), Items::Images(photos)) => {
                let predictions = photos.iter().map(|photo| {
                    let found = model
                        .ensemble()
                        .probabilities(std::slice::from_ref(photo))?;
                    let refine = model.refines();
                    let masks = found.iter().map(|found| found.segment(photo, refine).mask);
                    Ok(masks.map(|mask| model.prediction(&mask, None)).collect())
                });
                let predictions: Vec<Vec<Prediction>> =
                    predictions.collect::<Result<_, PredictError>>()?;
                Ok(predictions.concat())
            }
            (Self::Detector(model), Items::Images(photos)) => {
                let predictions = photos.iter().map(|photo| {
                    let found = model.detect(std::slice::from_ref(photo))?.concat();
                    Ok(model.prediction([photo.height, photo.width], &found, None))
                });
                predictions.collect()
            }
            (Self::Landmarker(model), Items::Images(photos)) => {
                let predictions = photos.iter().map(|photo| {
                    let faces = [model.locate(photo, None)?];
                    Ok(model.prediction([photo.height, photo.width], &faces, None))
                });
                predictions.collect()
            }
            (Self::Table(model), Items::Rows(rows)) => {
                Ok(model.predictions(&model.outputs(rows)?, model.threshold()))
            }
            #[cfg(feature = "text")]
            (Self::Text(model), Items::Texts(texts)) => {
                let texts = texts.iter().map(|(input, tokens)| (input, tokens));
                model.predict_encoded(&texts.collect::<Vec<_>>())
            }
            _ => Err(PredictError::input(
                "the inputs are of a model of another kind",
            )),
        }
    }
}

fn rows_of(
    model: &crate::tabular::Predictor,
    table: &tinderbox_datasets::table::Table,
) -> Result<Inputs, PredictError> {
    let unseen = model.encoder().unseen_categories(table);
    let notes = unseen.map_err(PredictError::input)?.into_iter();
    Ok(Inputs {
        items: Items::Rows(model.encode(table)?),
        notes: notes.map(|unseen| unseen_note(&unseen)).collect(),
        unknown: Vec::new(),
    })
}

fn unseen_note(unseen: &UnseenCategories) -> String {
    let UnseenCategories {
        column,
        cells,
        example,
        ..
    } = unseen;
    let values = if *cells == 1 { "value" } else { "values" };
    format!("`{column}`: {cells} {values} that no training row has, such as `{example}`")
}

#[cfg(feature = "text")]
fn texts_of(
    model: &crate::text::TextPredictor,
    texts: Vec<TextInput>,
) -> Result<Inputs, PredictError> {
    let tokens = model.tokenizer().encode(&texts, model.max_len())?;
    model.count_truncated(&tokens);
    let truncated = crate::text::Truncation::of(&tokens).truncated;
    let note = match (truncated, texts.len()) {
        (0, _) => None,
        (_, 1) => Some(format!(
            "the text was truncated to {} tokens",
            model.max_len()
        )),
        (truncated, all) => Some(format!(
            "{truncated} of {all} texts were truncated to {} tokens",
            model.max_len()
        )),
    };
    Ok(Inputs {
        items: Items::Texts(texts.into_iter().zip(tokens).collect()),
        notes: note.into_iter().collect(),
        unknown: Vec::new(),
    })
}

/// A JSON value in words.
pub(crate) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
