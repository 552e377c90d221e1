//! Text embeddings, to find similar texts.

use std::path::Path;

use burn::tensor::{Device, TensorData};

use super::config::{PretrainedConfig, TextModelConfig, TextSizes};
use super::error::Unsupported;
use super::net::{TextModel, TokenBatch};
use super::predictor::TextPredictor;
use super::task::HeadKind;
use super::tokenizer::{TOKENIZER_FILE, TextInput, TextTokenizer, Tokens};
use crate::PredictError;

/// Texts in a batch.
const BATCH: usize = 32;

/// Largest number of tokens per text for pretrained weights, which have positions for more than they
/// were trained on.
const PRETRAINED_LEN: usize = 256;

/// Computes text embeddings: the mean of the last states of the tokens.
pub struct Embedder {
    model: TextModel,
    tokenizer: TextTokenizer,
    max_len: usize,
    kind: &'static str,
    device: Device,
}

impl Embedder {
    /// The first network of a trained model.
    ///
    /// # Errors
    ///
    /// If it has no text embeddings: only networks of kind `bag`, `encoder` and `bert` do.
    pub fn trained(predictor: &TextPredictor) -> Result<Self, PredictError> {
        let kind = predictor.spec().model.kind();
        let model = predictor.ensemble().models.first();
        let embedder = model.map(|model| Self {
            model: model.clone(),
            tokenizer: predictor.tokenizer().clone(),
            max_len: predictor.max_len(),
            kind,
            device: predictor.device().clone(),
        });
        embedder.ok_or_else(|| no_embeddings(kind))
    }

    /// Pretrained weights without fine-tuning: a sentence encoder, such as `all-MiniLM-L6-v2`, was
    /// trained for this (Reimers and Gurevych, *Sentence-BERT*, 2019,
    /// <https://arxiv.org/abs/1908.10084>).
    ///
    /// # Errors
    ///
    /// If `dir` lacks `config.json`, `tokenizer.json` or `model.safetensors`, or they cannot be used.
    pub fn pretrained(dir: &Path, device: &Device) -> Result<Self, PredictError> {
        let tokenizer = TextTokenizer::load(&dir.join(TOKENIZER_FILE))?;
        let config = TextModelConfig::Bert(PretrainedConfig {
            weights: dir.display().to_string(),
            ..PretrainedConfig::default()
        });
        // The head is not used.
        let sizes = TextSizes {
            vocab_size: tokenizer.vocab_size(),
            num_classes: 1,
            max_len: PRETRAINED_LEN,
        };
        let device = device.clone().inner();
        let model = config.init(sizes, HeadKind::SequenceClassification, &device)?;
        let max_len = model
            .max_len()
            .map_or(PRETRAINED_LEN, |most| most.min(PRETRAINED_LEN));
        Ok(Self {
            model,
            tokenizer,
            max_len,
            kind: config.kind(),
            device,
        })
    }

    /// One vector of length 1 per text: the dot product of two is their cosine similarity.
    ///
    /// # Errors
    ///
    /// If the network has no embeddings, or the device fails.
    pub fn embed(&self, inputs: &[TextInput]) -> Result<Vec<Vec<f32>>, PredictError> {
        let tokens = self.tokenizer.encode(inputs, self.max_len)?;
        // Texts of similar lengths together, so that little is padded.
        let mut order: Vec<usize> = (0..tokens.len()).collect();
        order.sort_by_key(|&row| tokens[row].ids.len());
        let mut vectors = vec![Vec::new(); tokens.len()];
        for rows in order.chunks(BATCH) {
            let batch: Vec<&Tokens> = rows.iter().map(|&row| &tokens[row]).collect();
            let batch = TokenBatch::new(&batch, self.tokenizer.padding(), &self.device);
            let embeddings = self
                .model
                .embed(batch)
                .ok_or_else(|| no_embeddings(self.kind))?;
            let [_, width] = embeddings.dims();
            let data: TensorData = embeddings.into_data();
            let values = data.try_to_vec::<f32>().map_err(PredictError::device)?;
            for (&row, vector) in rows.iter().zip(values.chunks_exact(width)) {
                let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-12);
                vectors[row] = vector.iter().map(|x| x / length).collect();
            }
        }
        Ok(vectors)
    }
}

fn no_embeddings(kind: &str) -> PredictError {
    PredictError::input(Unsupported(format!(
        "a model of kind `{kind}` has no text embeddings; train one of kind `bag`, `encoder` or \
         `bert`, or name a folder of pretrained weights in place of the run"
    )))
}
