//! The model card: Markdown with front matter, as the Hugging Face hub reads it.
//!
//! Reference: Mitchell et al., *Model cards for model reporting*, 2019, <https://arxiv.org/abs/1810.03993>, and
//! <https://huggingface.co/docs/hub/model-cards>.

use std::fmt::Write as _;

use tinderbox_train::run_dir::Summary;
use tinderbox_train::section::{Body, Section};

use crate::facts::{capital, fold_rows, score_rows, sentence, split_rows};
use crate::model::{labels, network, task};
use crate::page::title;
use crate::{REPORT_FILE, Run, reproduce, warnings};
use tinderbox_datasets::escape::{escape_markdown, escape_yaml};

/// What every card begins with.
pub const CARD_START: &str = "---\nlibrary_name: tinderbox\n";

/// Most labels that are named.
const MAX_LABELS: usize = 100;

/// Most rows of a table.
const MAX_ROWS: usize = 100;

/// Metrics of the front matter.
const MAX_METRICS: usize = 12;

/// The model card of a run.
pub fn card(run: &Run) -> String {
    let mut card = front_matter(run);
    let _ = writeln!(card, "# {}\n", escape_markdown(&title(run)));
    add_paragraph(&mut card, &sentence(run));
    add_warnings(&mut card, run);
    add_purpose(&mut card, run);
    add_scores(&mut card, run);
    add_sections(&mut card, run);
    add_reproduction(&mut card, run);
    card
}

fn front_matter(run: &Run) -> String {
    let task = task(run);
    let mut text = CARD_START.to_owned();
    if !task.tag.is_empty() {
        let _ = writeln!(text, "pipeline_tag: {}", task.tag);
    }
    text.push_str("tags:\n- tinderbox\n- burn\n");
    if let Some(network) = network(run) {
        let _ = writeln!(text, "- {}", escape_yaml(network));
    }
    if let Some(summary) = run.summary.as_ref().filter(|all| !all.test.is_empty()) {
        add_index(&mut text, run, summary, task.tag);
    }
    text.push_str("---\n\n");
    text
}

/// The scores, as the hub shows them.
fn add_index(text: &mut String, run: &Run, summary: &Summary, tag: &str) {
    let first = summary.headline.as_ref().map(|headline| &headline.metric);
    let mut metrics: Vec<(&String, &f64)> = summary.test.iter().collect();
    metrics.sort_by_key(|(name, _)| Some(*name) != first);
    metrics.truncate(MAX_METRICS);
    text.push_str("metrics:\n");
    for (name, _) in &metrics {
        let _ = writeln!(text, "- {}", escape_yaml(name));
    }
    let name = escape_yaml(&title(run));
    let tag = if tag.is_empty() { "other" } else { tag };
    let environment = run
        .detail("environment")
        .and_then(serde_json::Value::as_str);
    let data = escape_yaml(environment.unwrap_or(&summary.recipe));
    let _ = writeln!(
        text,
        "model-index:\n- name: {name}\n  results:\n  - task:\n      type: {tag}\n    dataset:\n      name: {data}\n      \
         type: {data}\n      split: test\n    metrics:"
    );
    for (name, value) in metrics {
        let _ = writeln!(
            text,
            "    - type: {}\n      value: {value:.6}",
            escape_yaml(name)
        );
    }
}

fn add_paragraph(card: &mut String, text: &str) {
    for line in text.lines() {
        let _ = writeln!(card, "{}\n", escape_markdown(line));
    }
}

fn add_warnings(card: &mut String, run: &Run) {
    let mut all = warnings::warnings(run);
    all.push("scores on data from another time or place may be lower".to_owned());
    card.push_str("## Limitations\n\n");
    for warning in all {
        let _ = writeln!(card, "- {}", escape_markdown(&capital(&warning)));
    }
    card.push('\n');
}

fn add_purpose(card: &mut String, run: &Run) {
    card.push_str("## Model\n\n");
    let mut text = capital(task(run).name);
    if let Some(data) = run
        .summary
        .as_ref()
        .and_then(|summary| summary.data.as_ref())
    {
        let _ = write!(text, ": {}", data.summary);
    }
    add_paragraph(card, &(text.trim_end_matches('.').to_owned() + "."));
    let labels = labels(run);
    if !labels.is_empty() {
        let named: Vec<String> = labels
            .iter()
            .take(MAX_LABELS)
            .map(|label| escape_markdown(label))
            .collect();
        let more = labels.len().saturating_sub(MAX_LABELS);
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        let _ = writeln!(card, "Classes: {}{more}.\n", named.join(", "));
    }
    if let Some(summary) = &run.summary {
        let _ = writeln!(
            card,
            "Use it with `{0} predict --run DIR INPUT` and check it with `{0} eval --run DIR`.\n",
            code(&summary.app)
        );
    }
}

/// Text inside of backticks, which no text can end.
fn code(text: &str) -> String {
    text.replace(['`', '\n', '\r'], " ")
}

fn add_scores(card: &mut String, run: &Run) {
    let Some(summary) = &run.summary else { return };
    for (heading, rows) in [
        ("Scores", score_rows(summary)),
        ("Cross-validation", fold_rows(run)),
        ("Data", split_rows(summary)),
    ] {
        if rows.len() > 1 {
            let _ = writeln!(card, "## {heading}\n\n{}", table(&rows));
        }
    }
}

/// Texts and tables; charts are on the page.
fn add_sections(card: &mut String, run: &Run) {
    let sections = run.sections.iter().flatten();
    let shown = sections.filter(|section| {
        matches!(
            section.body,
            Body::Text { .. } | Body::Table { .. } | Body::Bars { .. }
        )
    });
    let shown: Vec<&Section> = shown.collect();
    if shown.is_empty() {
        return;
    }
    card.push_str("## Results\n\n");
    for section in shown {
        if !section.title.is_empty() {
            let _ = writeln!(card, "### {}\n", escape_markdown(&section.title));
        }
        match &section.body {
            Body::Text { text } => add_paragraph(card, text),
            Body::Table { rows } => {
                let _ = writeln!(card, "{}", table(rows));
            }
            Body::Bars { bars } => {
                let head = vec!["name".to_owned(), "value".to_owned()];
                let rows = bars
                    .iter()
                    .map(|bar| vec![bar.name.clone(), bar.note.clone()]);
                let rows: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
                let _ = writeln!(card, "{}", table(&rows));
            }
            _ => {}
        }
    }
    let _ = writeln!(card, "Charts are in [{REPORT_FILE}]({REPORT_FILE}).\n");
}

/// A table of Markdown, whose first row is the header.
fn table(rows: &[Vec<String>]) -> String {
    let Some((head, body)) = rows.split_first() else {
        return String::new();
    };
    let line = |row: &Vec<String>| {
        let cells: Vec<String> = row.iter().map(|cell| escape_markdown(cell)).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    let mut text = line(head);
    let rule = head.iter().enumerate();
    let rule = rule.map(|(at, _)| if at == 0 { "---" } else { "---:" });
    let _ = writeln!(text, "| {} |", rule.collect::<Vec<_>>().join(" | "));
    for row in body.iter().take(MAX_ROWS) {
        text.push_str(&line(row));
    }
    if body.len() > MAX_ROWS {
        let _ = writeln!(text, "\n{} more rows.", body.len() - MAX_ROWS);
    }
    text
}

fn add_reproduction(card: &mut String, run: &Run) {
    card.push_str("## Reproducibility\n\n");
    if let Some(command) = reproduce::command(run) {
        let _ = writeln!(
            card,
            "`{}` in this directory repeats the run.\n",
            code(&command)
        );
    }
    let facts = reproduce::facts(run).into_iter().map(Vec::from);
    let head = vec!["fact".to_owned(), "value".to_owned()];
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(facts).collect();
    card.push_str(&table(&rows));
}
