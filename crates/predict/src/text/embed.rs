//! One vector for each text, to find those that are alike.

use std::path::Path;

use burn::tensor::{Device, TensorData};

use super::batch::pad;
use super::error::TextRecipeError;
use super::net::{Architecture, FineTune, Scored, Sizes, TextNet};
use super::predict::Predictor;
use super::tokenizer::{Input, TOKENIZER_FILE, TextTokenizer, Tokens};

/// Texts that go through the network at once.
const BATCH: usize = 32;

/// Most tokens of a text for published weights, which say for how many they have positions and not
/// on how many they were trained.
const PUBLISHED_LEN: usize = 256;

/// A network that gives each text one vector: the mean of its tokens' last states.
pub struct Embedder {
    net: TextNet,
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
    /// If it gives no such vectors: only networks of kind `bag`, `encoder` and `bert` do.
    pub fn trained(model: Predictor) -> Result<Self, TextRecipeError> {
        let kind = model.spec.architecture.kind();
        let max_len = model.max_len();
        let net = model.committee.nets.into_iter().next();
        let embedder = net.map(|net| Self {
            net,
            tokenizer: model.tokenizer,
            max_len,
            kind,
            device: model.device,
        });
        embedder.ok_or_else(|| no_vectors(kind))
    }

    /// Published weights as they are: those of a sentence encoder, as `all-MiniLM-L6-v2` is one, were
    /// trained for this (Reimers and Gurevych, *Sentence-BERT*, 2019,
    /// <https://arxiv.org/abs/1908.10084>).
    ///
    /// # Errors
    ///
    /// If `dir` lacks `config.json`, `tokenizer.json` or `model.safetensors`, or they cannot be used.
    pub fn published(dir: &Path, device: &Device) -> Result<Self, TextRecipeError> {
        let tokenizer = TextTokenizer::load(&dir.join(TOKENIZER_FILE))?;
        let architecture = Architecture::Bert {
            weights: dir.display().to_string(),
            fine_tune: FineTune::default(),
        };
        // The head is not used.
        let sizes = Sizes {
            vocabulary: tokenizer.vocabulary(),
            outputs: 1,
            max_len: PUBLISHED_LEN,
        };
        let device = device.clone().inner();
        let net = architecture.init(sizes, Scored::Texts, &device)?;
        let max_len = net
            .max_len()
            .map_or(PUBLISHED_LEN, |most| most.min(PUBLISHED_LEN));
        Ok(Self {
            net,
            tokenizer,
            max_len,
            kind: architecture.kind(),
            device,
        })
    }

    /// One vector of length 1 for each text: products of two are their likeness.
    ///
    /// # Errors
    ///
    /// If the network has none, or the device fails.
    pub fn embed(&self, inputs: &[Input]) -> Result<Vec<Vec<f32>>, TextRecipeError> {
        let tokens = self.tokenizer.encode(inputs, self.max_len)?;
        // Texts of about one length, so that little is padded.
        let mut order: Vec<usize> = (0..tokens.len()).collect();
        order.sort_by_key(|&row| tokens[row].ids.len());
        let mut vectors = vec![Vec::new(); tokens.len()];
        for rows in order.chunks(BATCH) {
            let batch: Vec<&Tokens> = rows.iter().map(|&row| &tokens[row]).collect();
            let inputs = pad(&batch, self.tokenizer.padding(), &self.device);
            let found = self
                .net
                .embed(inputs)
                .ok_or_else(|| no_vectors(self.kind))?;
            let [_, width] = found.dims();
            let data: TensorData = found.into_data();
            let found = data.try_to_vec::<f32>().map_err(TextRecipeError::device)?;
            for (&row, vector) in rows.iter().zip(found.chunks_exact(width)) {
                let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-12);
                vectors[row] = vector.iter().map(|x| x / length).collect();
            }
        }
        Ok(vectors)
    }
}

fn no_vectors(kind: &str) -> TextRecipeError {
    TextRecipeError::Asked(format!(
        "a model of kind `{kind}` has no text embeddings; train one of kind `bag`, `encoder` or \
         `bert`, or name published weights with `--weights DIR`"
    ))
}
