//! A model as the server sees it.

use std::sync::Arc;

use burn::tensor::Device;
use serde::Serialize;
use serde_json::Value;
use tinderbox_predict::tabular::{self, InputColumn};
#[cfg(feature = "text")]
use tinderbox_predict::text::{Sampling, TextPredictor, TextTask};
use tinderbox_predict::{Inputs, Model, ModelFiles, PredictError, Prediction};

/// A model that answers requests.
pub trait Served: Send + Sync + 'static {
    /// Decodes a file; `name` stands for it in messages.
    ///
    /// # Errors
    ///
    /// If the model does not read such a file, or it is an image of more than `max_pixels` pixels.
    fn read_file(&self, name: &str, bytes: &[u8], max_pixels: u64) -> Result<Inputs, PredictError>;

    /// Reads JSON values, each of which is one input.
    ///
    /// # Errors
    ///
    /// If a value does not fit the model.
    fn read_values(&self, values: &[Value]) -> Result<Inputs, PredictError>;

    /// Predicts decoded inputs: one prediction for each.
    ///
    /// # Errors
    ///
    /// If the device fails.
    fn answer(&self, inputs: &Inputs) -> Result<Vec<Prediction>, PredictError>;

    /// Continues a prompt by some tokens, until `sink` returns false.
    ///
    /// # Errors
    ///
    /// If the model does not generate text, or the prompt does not fit it.
    #[cfg(feature = "text")]
    fn generate(
        &self,
        prompt: &str,
        tokens: usize,
        sampling: Sampling,
        sink: &mut dyn FnMut(String) -> bool,
    ) -> Result<(), PredictError> {
        let _ = (prompt, tokens, sampling, sink);
        Err(PredictError::input("this model does not generate text"))
    }
}

impl Served for Model {
    fn read_file(&self, name: &str, bytes: &[u8], max_pixels: u64) -> Result<Inputs, PredictError> {
        Self::read_file(self, name, bytes, max_pixels)
    }

    fn read_values(&self, values: &[Value]) -> Result<Inputs, PredictError> {
        Self::read_values(self, values)
    }

    fn answer(&self, inputs: &Inputs) -> Result<Vec<Prediction>, PredictError> {
        Self::answer(self, inputs)
    }

    #[cfg(feature = "text")]
    fn generate(
        &self,
        prompt: &str,
        tokens: usize,
        sampling: Sampling,
        sink: &mut dyn FnMut(String) -> bool,
    ) -> Result<(), PredictError> {
        let Self::Text(model) = self else {
            return Err(PredictError::input("this model does not generate text"));
        };
        let mut generator = model.generate(prompt, sampling)?;
        for _ in 0..tokens {
            let text = generator.next_text()?;
            if !text.is_empty() && !sink(text) {
                return Ok(());
            }
        }
        let rest = generator.rest()?;
        if !rest.is_empty() {
            sink(rest);
        }
        Ok(())
    }
}

/// A loaded model with its description.
#[derive(Clone)]
pub struct Loaded {
    /// The model.
    pub model: Arc<dyn Served>,
    /// Its description, shared: every request takes it.
    pub info: Arc<ModelInfo>,
}

/// The description of a model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelInfo {
    /// The kind of the model, as in `image-classifier`.
    pub kind: String,
    /// Name of the recipe that it was trained by.
    pub recipe: String,
    /// Names of the classes, labels or tags; empty if it has none.
    pub classes: Vec<String>,
    /// Of two classes, the probability of the second from which on it is the label, if it is not a half.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// SHA-256 of its weights, in hexadecimal.
    pub weights_sha256: String,
    /// Versions of the programs that wrote it.
    pub versions: Value,
    /// Its inputs.
    pub input: InputForm,
    /// Its answers.
    pub answer: AnswerForm,
}

/// The answers of a model: the keys of its predictions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnswerForm {
    /// `label` and `probabilities`.
    Class,
    /// `labels` and `probabilities`.
    Labels,
    /// `tags`: words with their tags.
    Tags,
    /// `value`.
    Number,
    /// `action`, a number.
    Action,
    /// `action`, a list of as many numbers.
    ActionVector(#[serde(skip)] usize),
    /// `height`, `width` and `areas`.
    Mask,
    /// `height`, `width` and `objects`.
    Objects,
    /// `height`, `width` and `faces`.
    Landmarks,
    /// Text, by `POST /v1/generate`.
    Text,
}

/// The inputs of a model.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum InputForm {
    /// Image files.
    Image,
    /// Rows of a table.
    Row {
        /// The columns that the model reads.
        columns: Vec<InputColumn>,
        /// Columns of the training file that it ignores.
        ignored: Vec<String>,
    },
    /// Texts, or pairs of texts.
    Text {
        /// Whether an input is a pair.
        pair: bool,
        /// Whether the model tags words.
        tokens: bool,
    },
    /// Prompts to continue.
    Prompt,
    /// Observations of an environment.
    Observation {
        /// Numbers in an observation.
        size: usize,
    },
}

impl Loaded {
    /// Reads a model of any task, from its folder or from memory.
    ///
    /// # Errors
    ///
    /// If it cannot be used.
    pub fn open(files: &ModelFiles, device: &Device) -> Result<Self, PredictError> {
        let model = Model::load(files, device)?;
        let (recipe, classes) = (model.recipe().to_owned(), model.labels().to_vec());
        let (input, answer) = forms(&model)?;
        let mut info = ModelInfo::new(files, recipe, classes, input, answer)?;
        if let Model::Table(model) = &model {
            info.threshold = model.threshold();
        }
        Ok(Self {
            info: Arc::new(info),
            model: Arc::new(model),
        })
    }
}

impl ModelInfo {
    /// The description of a model with these files.
    ///
    /// # Errors
    ///
    /// If the files cannot be read.
    pub fn new(
        files: &ModelFiles,
        recipe: String,
        classes: Vec<String>,
        input: InputForm,
        answer: AnswerForm,
    ) -> Result<Self, PredictError> {
        Ok(Self {
            kind: files.kind().unwrap_or_else(|_| "agent".to_owned()),
            recipe,
            classes,
            threshold: None,
            weights_sha256: files.weights_sha256()?,
            versions: files.versions()?,
            input,
            answer,
        })
    }
}

/// The inputs and answers of a model.
fn forms(model: &Model) -> Result<(InputForm, AnswerForm), PredictError> {
    Ok(match model {
        Model::Image(_) => (InputForm::Image, AnswerForm::Class),
        Model::Segmenter(_) => (InputForm::Image, AnswerForm::Mask),
        Model::Detector(_) => (InputForm::Image, AnswerForm::Objects),
        Model::Landmarker(_) => (InputForm::Image, AnswerForm::Landmarks),
        Model::Table(table) if model.labels().is_empty() => (row_form(table), AnswerForm::Number),
        Model::Table(table) => (row_form(table), AnswerForm::Class),
        #[cfg(feature = "text")]
        Model::Text(model) => text_forms(model),
        // Another package of the build may ask for kinds that this one leaves out.
        model => {
            let kind = model.kind();
            return Err(PredictError::input(format!(
                "this server does not serve models of kind `{kind}`"
            )));
        }
    })
}

#[cfg(feature = "text")]
fn text_forms(model: &TextPredictor) -> (InputForm, AnswerForm) {
    let (pair, task) = (model.spec().input.pair, model.task());
    let tokens = task == TextTask::TokenClassification;
    let text = InputForm::Text { pair, tokens };
    match task {
        TextTask::Classification => (text, AnswerForm::Class),
        TextTask::MultiLabel => (text, AnswerForm::Labels),
        TextTask::TokenClassification => (text, AnswerForm::Tags),
        TextTask::LanguageModeling => (InputForm::Prompt, AnswerForm::Text),
    }
}

fn row_form(model: &tabular::Predictor) -> InputForm {
    let columns = model.input_columns();
    let is_read = |name: &str| columns.iter().any(|column| column.name == name);
    let all = model.spec().schema.columns.iter();
    let ignored = all.map(|column| column.name.clone());
    InputForm::Row {
        ignored: ignored.filter(|name| !is_read(name)).collect(),
        columns,
    }
}
