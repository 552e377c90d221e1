//! Evaluation of models for texts.

use burn::data::dataset::Dataset as _;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor};
use tinderbox_datasets::loader::{BatchContext, Collate as _};
use tinderbox_datasets::text::SplitPaths;
use tinderbox_predict::PredictError;
use tinderbox_predict::text::{
    MAX_BATCH_TOKENS, TextEnsemble, TextModel, TextPredictor, TokenBatch, Tokens,
};
use tinderbox_train::TaskError;
use tinderbox_train::metrics::{Evaluation, Labels, Predictions};
use tinderbox_train::splits::{Scope, SplitList};
use tinderbox_train::task::{EvalReport, EvalRequest};

use super::TrainingData;
use super::batch::{BatchTargets, Windows};
use super::contents::{items, split_list};
use super::data::{Corpus, LabeledTexts, PlainText, Targets, open_all, open_known};
use super::error::DataError;
use super::recipe::Recipe;
use super::source::Data;
use super::truncation::truncation_warning;

/// Predicts some of the texts and pairs the predictions with the targets.
pub(super) fn evaluate_texts(
    ensemble: &TextEnsemble,
    tokens: &[Tokens],
    texts: &LabeledTexts,
    rows: &[usize],
    device: &Device,
) -> Result<Evaluation, TaskError> {
    let own: Vec<&Tokens> = rows.iter().map(|&row| &tokens[row]).collect();
    let probabilities = ensemble.probabilities(&own, device)?;
    Ok(match &texts.targets {
        Targets::Classes(classes) => {
            let mut predictions = Predictions::default();
            let labels = rows.iter().map(|&row| classes[row]);
            predictions.extend(ensemble.num_outputs, &probabilities.concat(), labels);
            Evaluation::Classes(predictions)
        }
        Targets::Labels(flags) => Evaluation::Labels(Labels {
            labels: ensemble.num_outputs,
            probabilities: probabilities
                .iter()
                .flatten()
                .map(|&p| f64::from(p))
                .collect(),
            truth: rows.iter().flat_map(|&row| flags[row].clone()).collect(),
        }),
        Targets::Tags(tags) => {
            let mut words = Predictions::default();
            // Truncated words have no prediction and are not measured.
            let kept = rows.iter().zip(&own).flat_map(|(&row, text)| {
                let kept = text.words.len();
                tags[row][..kept.min(tags[row].len())].iter().copied()
            });
            words.extend(ensemble.num_outputs, &probabilities.concat(), kept);
            Evaluation::Tags {
                words,
                lengths: own.iter().map(|text| text.words.len()).collect(),
                names: texts.labels.clone(),
            }
        }
    })
}

/// Calibrates an ensemble on some of the texts; tags are not calibrated.
pub(super) fn calibrate(
    ensemble: &mut TextEnsemble,
    tokens: &[Tokens],
    targets: &Targets,
    rows: &[usize],
    device: &Device,
) -> Result<(), TaskError> {
    let own: Vec<&Tokens> = rows.iter().map(|&row| &tokens[row]).collect();
    match targets {
        Targets::Classes(classes) => {
            let classes: Vec<usize> = rows.iter().map(|&row| classes[row]).collect();
            ensemble.calibrate_classes(&own, &classes, device)?;
        }
        Targets::Labels(flags) => {
            let flags: Vec<bool> = rows.iter().flat_map(|&row| flags[row].clone()).collect();
            ensemble.calibrate_labels(&own, &flags, device)?;
        }
        Targets::Tags(_) => {}
    }
    Ok(())
}

/// The likelihood of plain text under a language model, in windows that follow each other.
pub(super) fn evaluate_language_model(
    ensemble: &TextEnsemble,
    tokens: &[u32],
    characters: usize,
    width: usize,
    device: &Device,
) -> Result<Evaluation, TaskError> {
    let width = window_width(tokens.len(), width);
    let windows = Windows::new(tokens.to_vec(), width, false)?;
    let batch = (MAX_BATCH_TOKENS / width).max(1);
    let (mut nats, mut count) = (0.0, 0);
    let all: Vec<usize> = (0..windows.len()).collect();
    for chunk in all.chunks(batch) {
        let context = BatchContext {
            seed: 0,
            epoch: 1,
            batch: 0,
            rank: 0,
            indices: chunk.to_vec(),
        };
        let batch = windows.collate(chunk.to_vec(), &context, device);
        let batch = batch.map_err(PredictError::device)?;
        let BatchTargets::Tokens { targets, .. } = batch.targets else {
            continue;
        };
        nats += negative_log_likelihood(ensemble, &batch.inputs, &targets)?;
        count += chunk.len() * width;
    }
    Ok(plain_evaluation(nats, count, tokens.len(), characters))
}

/// Number of tokens of a window of a text that may be shorter than the context of the network.
pub(super) fn window_width(tokens: usize, max_len: usize) -> usize {
    max_len.min(tokens.saturating_sub(1)).max(1)
}

/// The likelihood of the `predicted` tokens of a text that has so many `tokens` and `characters`, in `nats`.
pub(super) fn plain_evaluation(
    nats: f64,
    predicted: usize,
    tokens: usize,
    characters: usize,
) -> Evaluation {
    let share = predicted as f64 / tokens.saturating_sub(1).max(1) as f64;
    Evaluation::Tokens {
        nats,
        tokens: predicted,
        characters: (characters as f64 * share).round() as usize,
    }
}

/// Of the mean probability of all networks, as in their predictions, in nats.
fn negative_log_likelihood(
    ensemble: &TextEnsemble,
    inputs: &TokenBatch,
    targets: &Tensor<1, Int>,
) -> Result<f64, PredictError> {
    let [batch, seq] = inputs.ids.dims();
    let rows = batch * seq;
    let log = |model: &TextModel| {
        let scores = model.forward_tokens(inputs.clone());
        let scores = log_softmax(scores.reshape([rows, ensemble.num_outputs]), 1);
        scores.gather(1, targets.clone().unsqueeze_dim(1))
    };
    let log_probabilities = match &ensemble.models[..] {
        [model] => log(model),
        models => {
            let sum = models
                .iter()
                .map(|model| log(model).exp())
                .reduce(|a, b| a + b);
            let mean = sum.map(|sum| sum.div_scalar(models.len() as f64));
            mean.map_or_else(|| log(&models[0]), |mean| mean.clamp_min(1e-30).log())
        }
    };
    let values = log_probabilities
        .try_into_vec_as::<f64>()
        .map_err(PredictError::device)?;
    Ok(-values.iter().sum::<f64>())
}

/// Evaluates a model on a split of the data that it was trained on, or on other data.
///
/// See [`SplitList::choose`] for the texts of a stored split. Other data is evaluated as a whole, or on
/// its own split of this name.
pub(super) fn evaluate(
    model: &TextPredictor,
    request: &EvalRequest<'_, Recipe>,
) -> Result<EvalReport, TaskError> {
    let training: TrainingData =
        serde_json::from_value(model.spec().training.clone()).map_err(TaskError::user)?;
    let mut data = request
        .recipe
        .map_or(training.data.clone(), |recipe| recipe.data.clone());
    if let Some(path) = request.data {
        let slot = data.path_mut().ok_or_else(|| {
            TaskError::user("`--data` does not fit this model, which generates its own texts")
        })?;
        let path = path
            .to_str()
            .ok_or_else(|| TaskError::user("`--data` is not UTF-8: rename the file"))?;
        path.clone_into(slot);
    }
    if data.is_plain_text() {
        evaluate_plain(model, request, &training, &data)
    } else {
        evaluate_labeled(model, request, &training, &data)
    }
}

fn evaluate_labeled(
    model: &TextPredictor,
    request: &EvalRequest<'_, Recipe>,
    training: &TrainingData,
    data: &Data,
) -> Result<EvalReport, TaskError> {
    let (split, is_other) = (request.split, request.data.is_some());
    let texts = open_labeled(model, request, training, data);
    let texts = texts.map_err(DataError::without_keys)?;
    let scope = match request.splits {
        Some(list) => Some(list.choose(&items(&texts), split, is_other)),
        None => is_other.then_some(Scope::Whole { trained_on: 0 }),
    };
    let has_splits = match &texts.located {
        Some(located) => located.has_splits(),
        None => data.has_official_splits(),
    };
    let is_whole = matches!(scope, Some(Scope::Whole { .. }));
    let rows: Vec<usize> = match &scope {
        Some(Scope::Stored { rows, .. }) => rows.clone(),
        _ if is_whole && !has_splits => (0..texts.inputs.len()).collect(),
        _ => {
            let rows = texts.splits.get(split);
            rows.ok_or_else(|| DataError::NoSplit(split.to_owned()))?
                .to_vec()
        }
    };
    if rows.is_empty() {
        return Err(DataError::EmptySplit(split.to_owned()).into());
    }
    let tokens = model
        .tokenizer()
        .encode(&texts.inputs, model.max_len())
        .map_err(PredictError::from)?;
    model.count_truncated(rows.iter().map(|&row| &tokens[row]));
    let evaluation = evaluate_texts(model.ensemble(), &tokens, &texts, &rows, model.device())?;
    let located = texts.located.as_ref().filter(|_| is_whole && has_splits);
    Ok(EvalReport {
        evaluation: evaluation.decided_at(model.threshold()),
        labels: model.labels().to_vec(),
        scope,
        source: located.and_then(|located| source_of(located, split)),
        notes: notes(model, &texts.report.messages()),
    })
}

/// The labeled texts that a model is evaluated on.
fn open_labeled(
    model: &TextPredictor,
    request: &EvalRequest<'_, Recipe>,
    training: &TrainingData,
    data: &Data,
) -> Result<LabeledTexts, DataError> {
    let (labels, is_other) = (model.labels(), request.data.is_some());
    let takes_all = match data {
        Data::SmsSpam { .. } => is_other,
        _ => data.is_own() && (request.splits.is_some() || is_other),
    };
    let texts = if takes_all {
        let mut data = data.clone();
        if let (Data::Texts { test, .. }, true) = (&mut data, is_other) {
            test.clear();
        }
        open_all(&data, labels)?
    } else {
        match open_known(data, &training.split, Some(labels))? {
            Corpus::Labeled(texts) => texts,
            Corpus::Plain(_) => return Err(DataError::NoSplit(request.split.to_owned())),
        }
    };
    if texts.labels != labels {
        let class = texts.labels.iter().find(|label| !labels.contains(label));
        return Err(DataError::UnknownClass {
            class: class.unwrap_or(&texts.labels[0]).clone(),
            known: labels.to_vec(),
        });
    }
    Ok(texts)
}

/// The file or folder of a split.
fn source_of(located: &SplitPaths, split: &str) -> Option<String> {
    let path = match split {
        "train" => Some(&located.train),
        "valid" => located.valid.as_ref(),
        "test" => located.test.as_ref(),
        _ => None,
    };
    path.map(|path| path.display().to_string())
}

fn evaluate_plain(
    model: &TextPredictor,
    request: &EvalRequest<'_, Recipe>,
    training: &TrainingData,
    data: &Data,
) -> Result<EvalReport, TaskError> {
    let split = request.split;
    let corpus = open_known(data, &training.split, None).map_err(DataError::without_keys)?;
    let current = split_list(&corpus);
    let Corpus::Plain(text) = corpus else {
        return Err(DataError::NoSplit(split.to_owned()).into());
    };
    let is_known = request.splits.is_some_and(|list| *list == current);
    let is_whole = request.data.is_some() && !is_known;
    let part = if is_whole {
        [&text.train[..], &text.valid, &text.test].concat()
    } else {
        part_of(&text, split)?.to_owned()
    };
    let tokens = model.tokenizer().encode_plain(&part);
    let tokens = tokens.map_err(PredictError::from)?;
    let (ensemble, device) = (model.ensemble(), model.device());
    let characters = part.chars().count();
    let evaluation =
        evaluate_language_model(ensemble, &tokens, characters, model.max_len(), device)?;
    Ok(EvalReport {
        evaluation,
        labels: Vec::new(),
        scope: scope_of_plain(request.splits, &current, is_whole),
        source: None,
        notes: notes(model, &text.report.messages()),
    })
}

fn part_of<'a>(text: &'a PlainText, split: &str) -> Result<&'a str, DataError> {
    match split {
        "train" => Ok(&text.train),
        "valid" => Ok(&text.valid),
        "test" => Ok(&text.test),
        _ => Err(DataError::NoSplit(split.to_owned())),
    }
}

fn scope_of_plain(list: Option<&SplitList>, current: &SplitList, is_whole: bool) -> Option<Scope> {
    if is_whole {
        return Some(Scope::Whole { trained_on: 0 });
    }
    list.map(|list| Scope::Stored {
        rows: vec![0],
        changes: list.changes(current.items()),
    })
}

fn notes(model: &TextPredictor, messages: &[String]) -> Vec<String> {
    let messages = messages.iter().map(|message| format!("warning: {message}"));
    messages.chain(truncation_warning(model)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tinderbox_datasets::text::TextReport;
    use tinderbox_models::text::FastTextConfig;
    use tinderbox_predict::calibration::Temperature;
    use tinderbox_predict::decision::argmax;
    use tinderbox_predict::text::TextTask;
    use tinderbox_train::{Splits, init_seeded};

    fn ensemble(task: TextTask, device: &Device) -> TextEnsemble {
        let config = FastTextConfig::new(20, 3).with_d_embedding(2);
        let model = || Ok::<_, ()>(TextModel::Bag(config.init(device)));
        TextEnsemble {
            models: vec![init_seeded(7, device, model).unwrap()],
            task,
            padding: 0,
            num_outputs: 3,
            temperature: Temperature::default(),
        }
    }

    fn targets(task: TextTask, before: &[Vec<f32>]) -> Targets {
        if task == TextTask::MultiLabel {
            let flags = |row: &Vec<f32>| row.iter().map(|&p| p >= 0.5).collect();
            let mut flags: Vec<Vec<bool>> = before.iter().map(flags).collect();
            for row in &mut flags[..4] {
                row[0] = !row[0];
            }
            return Targets::Labels(flags);
        }
        let mut classes: Vec<usize> = before.iter().map(|row| argmax(row)).collect();
        for class in &mut classes[..4] {
            *class = (*class + 1) % 3;
        }
        Targets::Classes(classes)
    }

    /// An untrained network is unsure, and here most texts have the class that it predicts.
    #[test]
    fn a_temperature_lowers_the_loss_and_changes_no_prediction() {
        let device = Device::flex();
        let tokens: Vec<Tokens> = (1..19_u32)
            .map(|id| Tokens {
                ids: vec![id],
                second: 1,
                ..Tokens::default()
            })
            .collect();
        let rows: Vec<usize> = (0..tokens.len()).collect();
        let all: Vec<&Tokens> = tokens.iter().collect();
        for task in [TextTask::Classification, TextTask::MultiLabel] {
            let mut ensemble = ensemble(task, &device);
            let before = ensemble.probabilities(&all, &device).unwrap();
            let texts = LabeledTexts {
                inputs: Vec::new(),
                targets: targets(task, &before),
                labels: Vec::new(),
                splits: Splits::default(),
                folds: Vec::new(),
                agreements: Vec::new(),
                located: None,
                report: TextReport::default(),
            };
            let loss = |ensemble: &TextEnsemble| {
                let evaluation = evaluate_texts(ensemble, &tokens, &texts, &rows, &device);
                evaluation.unwrap().metrics()["loss"]
            };
            let uncalibrated = loss(&ensemble);
            calibrate(&mut ensemble, &tokens, &texts.targets, &rows, &device).unwrap();
            // Labels of random weights can be calibrated as they are.
            let calibrated = loss(&ensemble);
            assert!(calibrated <= uncalibrated + 1e-9, "{task:?}");
            assert!(task == TextTask::MultiLabel || calibrated < uncalibrated);
            let after = ensemble.probabilities(&all, &device).unwrap();
            for (before, after) in before.iter().zip(&after) {
                assert_eq!(argmax(before), argmax(after));
                let yes = |row: &[f32]| row.iter().map(|&p| p >= 0.5).collect::<Vec<_>>();
                assert!(task == TextTask::Classification || yes(before) == yes(after));
            }
            assert!(calibrate(&mut ensemble, &tokens, &texts.targets, &[], &device).is_ok());
            assert_eq!(ensemble.temperature, Temperature::default());
        }
    }
}
