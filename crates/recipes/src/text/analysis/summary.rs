//! Extractive summaries, compared with a reference.

use std::path::Path;

use serde_json::json;
use tinderbox_predict::text::{Sentence, TextPredictor, read_document, sentences};
use tinderbox_train::metrics::rouge;
use tinderbox_train::section::Analysis;
use tinderbox_train::{Section, TaskError};

/// Most sentences of a summary whose length is not given.
const MAX_SENTENCES: usize = 10;

/// The most important sentences of a document: `count`, or one in five, at most ten. See
/// [`TextPredictor::summarize`].
///
/// # Errors
///
/// If a file cannot be read, the model does not classify texts, or the device fails.
pub fn summarize(
    model: &TextPredictor,
    document: &Path,
    count: Option<usize>,
    reference: Option<&Path>,
) -> Result<Analysis, TaskError> {
    let text = read_document(document)?;
    let all = sentences(&text).len();
    let count = count.unwrap_or(all.div_ceil(5).clamp(1, MAX_SENTENCES));
    let picked = model.summarize(&text, count)?;
    let lines: Vec<String> = picked.iter().map(line).collect();
    let noun = if all == 1 { "sentence" } else { "sentences" };
    let mut sections = vec![
        Section::text(lines.join("\n")),
        Section::text(format!("{} of {all} {noun}", picked.len())),
    ];
    let mut scores = None;
    if let Some(reference) = reference {
        let summary: Vec<&str> = picked.iter().map(|s| s.text.as_str()).collect();
        let rouge = rouge(&summary.join("\n"), &read_document(reference)?);
        sections.push(Section::text(format!(
            "ROUGE-1 {:.4}, ROUGE-2 {:.4}, ROUGE-L {:.4}",
            rouge.rouge1, rouge.rouge2, rouge.rouge_l
        )));
        let (r1, r2, rl) = (rouge.rouge1, rouge.rouge2, rouge.rouge_l);
        scores = Some(json!({ "rouge1": r1, "rouge2": r2, "rougeL": rl }));
    }
    let line = json!({ "input": document, "of": all, "sentences": picked, "rouge": scores });
    Ok(Analysis {
        sections,
        lines: vec![line],
        notes: Vec::new(),
    })
}

fn line(sentence: &Sentence) -> String {
    let words: Vec<&str> = sentence.text.split_whitespace().collect();
    format!(
        "{:>4}  {:.3}  {}  {}",
        sentence.number,
        sentence.score,
        sentence.label,
        words.join(" ")
    )
}
