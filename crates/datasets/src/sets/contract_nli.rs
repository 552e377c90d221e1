//! What agreements say to claims, and where.

use std::collections::BTreeMap;
use std::io::BufReader;
use std::path::Path;

use serde::Deserialize;

use crate::text::{TextError, open};

/// What an agreement says to a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
pub enum Answer {
    /// The claim follows from the agreement.
    Entailment,
    /// The agreement says the opposite.
    Contradiction,
    /// The agreement does not say.
    NotMentioned,
}

/// A claim about an agreement, with the answer that lawyers gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Its key, as in `nda-11`.
    pub key: String,
    /// The claim in a few words.
    pub title: String,
    /// The claim as a sentence.
    pub hypothesis: String,
    /// What the agreement says to it.
    pub answer: Answer,
    /// The spans that show it, as positions in [`Nda::spans`]; none where nothing is said.
    pub evidence: Vec<usize>,
}

/// A non-disclosure agreement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nda {
    /// The name of its document.
    pub name: String,
    /// Its text in sentences and items of lists. They keep their place even if one is blank.
    pub spans: Vec<String>,
    /// The claims, in the order of their numbers: the same for every agreement.
    pub claims: Vec<Claim>,
}

/// Reads `ContractNLI`: agreements to train on and 123 to test on.
///
/// `folder` holds `test.json`, and to train on `train.json` (423 agreements) or, where that is not
/// there, `dev.json` (61).
///
/// Reference: Koreeda and Manning, *`ContractNLI`: a dataset for document-level natural language inference
/// for contracts*, 2021, <https://arxiv.org/abs/2110.01799>.
///
/// # Errors
///
/// If a file is missing, not laid out as its authors do, or points to what is not there.
pub fn contract_nli(folder: &Path) -> Result<(Vec<Nda>, Vec<Nda>), TextError> {
    let train = folder.join("train.json");
    let train = if train.exists() {
        train
    } else {
        folder.join("dev.json")
    };
    Ok((read(&train)?, read(&folder.join("test.json"))?))
}

#[derive(Deserialize)]
struct File {
    documents: Vec<Document>,
    labels: BTreeMap<String, Label>,
}

#[derive(Deserialize)]
struct Document {
    file_name: String,
    text: String,
    spans: Vec<(usize, usize)>,
    annotation_sets: Vec<AnnotationSet>,
}

#[derive(Deserialize)]
struct AnnotationSet {
    annotations: BTreeMap<String, Annotation>,
}

#[derive(Deserialize)]
struct Annotation {
    choice: Answer,
    spans: Vec<usize>,
}

#[derive(Deserialize)]
struct Label {
    short_description: String,
    hypothesis: String,
}

fn read(path: &Path) -> Result<Vec<Nda>, TextError> {
    let name = path.display().to_string();
    let wrong = |reason: String| TextError::Layout {
        file: name.clone(),
        expected: "ContractNLI file",
        reason,
    };
    let file: File = serde_json::from_reader(BufReader::new(open(path)?))
        .map_err(|error| wrong(error.to_string()))?;
    if file.documents.is_empty() {
        return Err(TextError::Empty { file: name });
    }
    let File { documents, labels } = file;
    documents
        .iter()
        .map(|document| agreement(document, &labels).map_err(&wrong))
        .collect()
}

fn agreement(document: &Document, labels: &BTreeMap<String, Label>) -> Result<Nda, String> {
    let name = document.file_name.clone();
    let spans = spans(document).map_err(|reason| format!("document `{name}`: {reason}"))?;
    let [set] = document.annotation_sets.as_slice() else {
        let found = document.annotation_sets.len();
        return Err(format!(
            "document `{name}` has {found} sets of answers, not 1"
        ));
    };
    let answers = set.annotations.iter();
    let claims: Result<Vec<Claim>, String> = answers
        .map(|(key, answer)| {
            claim(key, answer, labels, spans.len())
                .map_err(|reason| format!("document `{name}`, claim `{key}`: {reason}"))
        })
        .collect();
    let mut claims = claims?;
    // By number: `nda-2` before `nda-11`.
    claims.sort_by(|a, b| (a.key.len(), &a.key).cmp(&(b.key.len(), &b.key)));
    Ok(Nda {
        name,
        spans,
        claims,
    })
}

/// Cuts the text; the file counts in letters, not in bytes.
fn spans(document: &Document) -> Result<Vec<String>, String> {
    let text = &document.text;
    let mut starts: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    starts.push(text.len());
    let cut = |&(start, end): &(usize, usize)| {
        let span = starts.get(start).zip(starts.get(end));
        let span = span.and_then(|(&start, &end)| text.get(start..end));
        span.map(|span| span.trim().to_owned()).ok_or_else(|| {
            let letters = starts.len() - 1;
            format!("the span {start} to {end} is not in its {letters} letters")
        })
    };
    document.spans.iter().map(cut).collect()
}

fn claim(
    key: &str,
    answer: &Annotation,
    labels: &BTreeMap<String, Label>,
    spans: usize,
) -> Result<Claim, String> {
    let label = labels.get(key).ok_or("it is not among the labels")?;
    if let Some(at) = answer.spans.iter().find(|&&at| at >= spans) {
        return Err(format!("its evidence is span {at}, of {spans} from 0"));
    }
    Ok(Claim {
        key: key.to_owned(),
        title: label.short_description.clone(),
        hypothesis: label.hypothesis.clone(),
        answer: answer.choice,
        evidence: answer.spans.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sets::tests::folder;

    const FILE: &str = r#"{"documents": [{"id": 3, "file_name": "a.pdf", "text": "Für A.\nNo copies.",
        "spans": [[0, 6], [7, 17]], "annotation_sets": [{"annotations": {
        "nda-11": {"choice": "NotMentioned", "spans": []},
        "nda-2": {"choice": "Contradiction", "spans": [1]}}}]}],
        "labels": {"nda-11": {"short_description": "No tools", "hypothesis": "No tools are made."},
        "nda-2": {"short_description": "Copies", "hypothesis": "Copies are allowed."}}}"#;

    fn message(file: &str) -> String {
        let dir = folder(&[("dev.json", file), ("test.json", FILE)]);
        contract_nli(dir.path()).unwrap_err().to_string()
    }

    #[test]
    fn claims_come_by_number_with_their_evidence() {
        let dir = folder(&[("dev.json", FILE), ("test.json", FILE)]);
        let (train, test) = contract_nli(dir.path()).unwrap();
        assert_eq!(train, test);
        assert_eq!(train[0].spans, ["Für A.", "No copies."]);
        let claims = &train[0].claims;
        assert_eq!([&claims[0].key, &claims[1].key], ["nda-2", "nda-11"]);
        assert_eq!(claims[0].answer, Answer::Contradiction);
        assert_eq!(claims[0].evidence, [1]);
        assert_eq!(claims[1].hypothesis, "No tools are made.");
    }

    #[test]
    fn what_points_to_nothing_is_named() {
        let text = message(&FILE.replace("[7, 17]", "[7, 18]"));
        assert!(
            text.ends_with("`a.pdf`: the span 7 to 18 is not in its 17 letters"),
            "{text}"
        );
        let text = message(&FILE.replace("[1]", "[2]"));
        assert!(
            text.ends_with("claim `nda-2`: its evidence is span 2, of 2 from 0"),
            "{text}"
        );
        let text = message(&FILE.replace("\"nda-2\": {\"short", "\"nda-3\": {\"short"));
        assert!(
            text.ends_with("claim `nda-2`: it is not among the labels"),
            "{text}"
        );
    }

    #[test]
    fn another_layout_is_named() {
        let text = message("{\"documents\": []}");
        assert!(
            text.contains("is not a valid ContractNLI file: missing field `labels`"),
            "{text}"
        );
        let text = message(&FILE.replace("NotMentioned", "Maybe"));
        assert!(text.contains("unknown variant `Maybe`"), "{text}");
    }
}
