//! An n-gram model of the network's tokens.

use std::time::Instant;

use tinderbox_baselines::NgramConfig;
use tinderbox_predict::text::TextSizes;
use tinderbox_train::TaskError;
use tinderbox_train::format::thousands;
use tinderbox_train::task::BaselineReport;

use super::report;
use crate::text::evaluate::{plain_evaluation, window_width};

/// N-grams with modified Kneser-Ney smoothing, of the training tokens. The validation tokens choose the order
/// and are not added to them.
///
/// The predicted tokens are those of the network, and so are the tokens that each is predicted from: those
/// before it in its window. So loss, perplexity and nats per character compare directly.
pub(super) fn ngrams(
    [train, valid, test]: [&[u32]; 3],
    text: &str,
    sizes: TextSizes,
    warnings: &mut Vec<String>,
) -> Result<BaselineReport, TaskError> {
    let started = Instant::now();
    let config = NgramConfig::default();
    let valid = windows(valid, sizes.max_len);
    let model = config.fit(train, &valid, sizes.vocab_size);
    let model = model.map_err(TaskError::internal)?;
    let windows = windows(test, sizes.max_len);
    let nats = model.nats(&windows).map_err(TaskError::internal)?;
    let predicted: usize = windows.iter().map(|window| window.len() - 1).sum();
    if model.tokens() < train.len() {
        warnings.push(format!(
            "the n-gram baseline is fitted on the last {} of {} training tokens, to limit its memory",
            thousands(model.tokens()),
            thousands(train.len())
        ));
    }
    if model.tried() < config.max_order.min(model.tokens()) {
        warnings.push(format!(
            "the n-gram baseline is limited to order {}: longer n-grams exceed its memory limit",
            model.tried()
        ));
    }
    let characters = text.chars().count();
    Ok(report(
        format!("Kneser-Ney {}-grams", model.order()),
        model.tokens(),
        started,
        plain_evaluation(nats, predicted, test.len(), characters),
    ))
}

/// The windows that the network is evaluated on, each with the token after it.
fn windows(tokens: &[u32], max_len: usize) -> Vec<&[u32]> {
    let width = window_width(tokens.len(), max_len);
    let starts = (0..tokens.len().saturating_sub(width)).step_by(width);
    starts.map(|from| &tokens[from..=from + width]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_follow_each_other_and_share_a_token() {
        let tokens: Vec<u32> = (0..11).collect();
        let found = windows(&tokens, 4);
        assert_eq!(found, [&[0, 1, 2, 3, 4][..], &[4, 5, 6, 7, 8]]);
        assert_eq!(windows(&tokens[..9], 4).len(), 2);
        assert_eq!(windows(&tokens[..3], 64), [&[0, 1, 2]]);
        assert!(windows(&tokens[..1], 64).is_empty());
    }

    #[test]
    fn the_metrics_are_those_of_a_language_model() {
        let sizes = TextSizes {
            vocab_size: 256,
            num_classes: 256,
            max_len: 16,
        };
        let text = "hey diddle diddle, the cat and the fiddle.\n".repeat(20);
        let tokens: Vec<u32> = text.bytes().map(u32::from).collect();
        let mut warnings = Vec::new();
        let found = ngrams([&tokens; 3], &text, sizes, &mut warnings).unwrap();
        assert!(warnings.is_empty(), "{warnings:?}");
        // Expected: an independent implementation in Python, which tried the orders 2 to 6.
        assert_eq!(found.result.method, "Kneser-Ney 4-grams");
        assert_eq!(found.result.samples, tokens.len());
        let names: Vec<&str> = found.result.test.keys().map(String::as_str).collect();
        assert_eq!(names, ["loss", "nats_per_character", "perplexity"]);
        // One byte a character; the first is not predicted, and its share of the characters is.
        let [loss, per_character] = ["loss", "nats_per_character"].map(|of| found.result.test[of]);
        assert!((loss - 0.236_711).abs() < 1e-5, "{loss}");
        assert!(
            (loss * 848.0 / 849.0 - per_character).abs() < 1e-9,
            "{per_character}"
        );
        let predicted = (tokens.len() - 1) / 16 * 16;
        assert_eq!(found.evaluation.len(), predicted);
    }
}
