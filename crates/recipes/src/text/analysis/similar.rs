//! Search for similar texts.

use std::path::Path;

use burn::tensor::Device;
use serde_json::json;
use tinderbox_datasets::format::shorten;
use tinderbox_predict::ModelFiles;
use tinderbox_predict::model_dir::SPEC_FILE;
use tinderbox_predict::text::{Embedder, NamedTexts, TextPredictor};
use tinderbox_train::section::Analysis;
use tinderbox_train::{Section, TaskError};

/// Characters of a text that are shown.
const SHOWN: usize = 80;

/// The `top` texts of a folder, table or file that are most similar to a query, by a model folder or a
/// folder of pretrained weights.
///
/// # Errors
///
/// If the model has no text embeddings, the query is empty, the texts cannot be read, or the device
/// fails.
pub fn similar(
    model: &Path,
    device: &Device,
    query: &str,
    path: &Path,
    top: usize,
) -> Result<Analysis, TaskError> {
    if query.trim().is_empty() {
        return Err(TaskError::user("`--query` is empty"));
    }
    let embedder = if model.join(SPEC_FILE).is_file() {
        Embedder::trained(&TextPredictor::load(&ModelFiles::open(model), device)?)?
    } else {
        Embedder::pretrained(model, device)?
    };
    let texts = NamedTexts::read(path)?;
    let warning = |message: &String| format!("warning: {message}");
    let mut analysis = Analysis {
        notes: texts.messages.iter().map(warning).collect(),
        ..Analysis::default()
    };
    for found in embedder.rank(query, &texts.texts)?.into_iter().take(top) {
        let (name, similarity) = (&texts.names[found.index], found.similarity);
        let text = beginning(&texts.texts[found.index]);
        let line = json!({ "input": name, "similarity": similarity });
        analysis.lines.push(line);
        let text = format!("{similarity:.3}  {name}  {text}");
        analysis.sections.push(Section::text(text));
    }
    Ok(analysis)
}

/// The beginning of a text, on one line.
fn beginning(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    shorten(&line, SHOWN)
}
