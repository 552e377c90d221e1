//! Sections of a report on a terminal, and charts as SVG.

use std::io::{IsTerminal as _, Write as _};

use tinderbox_train::Report;
use tinderbox_train::section::{Analysis, Bar, Body, Curve, SECTIONS_FILE, Section};

use crate::escape::escape_cell;
use crate::eval::CONFUSION_TITLE;
use crate::report::{class_rows, confusion_rows};
use crate::{Failure, Output, chart, highlights, note, table};

/// Prints an analysis: its sections, or its data as JSON lines.
///
/// # Errors
///
/// If nothing can be printed.
pub fn print(analysis: &Analysis, json: bool) -> Result<(), Failure> {
    analysis.notes.iter().for_each(|line| note(line));
    let mut out = Output::Stdout;
    if json {
        let mut lines = analysis.lines.iter();
        return lines.try_for_each(|line| out.line(&line.to_string()));
    }
    let colored = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    for section in &analysis.sections {
        match &section.body {
            Body::Highlights { parts } if colored => {
                let (title, text) = (escape_cell(&section.title), highlights::colored(parts));
                writeln!(out, "{title}: {text}")?;
            }
            _ => out.line(&text(section))?,
        }
    }
    Ok(())
}

/// Bars that are printed after training; all are stored.
const SHOWN_BARS: usize = 8;

/// A section as text for a terminal.
pub fn text(section: &Section) -> String {
    let body = match &section.body {
        Body::Text { text } => text.clone(),
        Body::Table { rows } => table(rows),
        Body::Bars { bars } => chart::lines(bars),
        Body::Curves { axes, curves } => table(&curve_rows(axes, curves)),
        Body::Highlights { parts } => highlights::plain(parts),
    };
    if section.title.is_empty() {
        body
    } else {
        format!("{}\n{body}", section.title)
    }
}

/// Prints more sections of a finished run, and stores them with the others.
///
/// # Errors
///
/// If nothing can be printed or stored.
pub fn add(report: &Report, more: &[Section]) -> Result<(), Failure> {
    let all = [&of(report), more].concat();
    Section::save_all(&all, report.run.path())?;
    let mut out = Output::Stdout;
    more.iter()
        .try_for_each(|section| out.line(&shortened(section)))
}

/// The sections of a report, with the scores of each class and the confusion matrix.
pub(crate) fn of(report: &Report) -> Vec<Section> {
    let mut all = report.sections.clone();
    if let Some(predictions) = report.evaluation.predictions() {
        let rows = class_rows(&report.labels, &predictions.per_class());
        all.push(Section::table("Scores of each class", rows));
        let rows = confusion_rows(&report.labels, &predictions.confusion());
        all.push(Section::table(CONFUSION_TITLE, rows));
    }
    all
}

/// A section as text with its first bars only.
fn shortened(section: &Section) -> String {
    match &section.body {
        Body::Bars { bars } if bars.len() > SHOWN_BARS => {
            let first = Section::bars(section.title.clone(), bars[..SHOWN_BARS].to_vec());
            let more = bars.len() - SHOWN_BARS;
            format!("{}\n  … {more} more in {SECTIONS_FILE}", text(&first))
        }
        _ => text(section),
    }
}

/// The bars of the first section that has some.
pub fn bars(sections: &[Section]) -> Option<(&str, &[Bar])> {
    sections.iter().find_map(|section| match &section.body {
        Body::Bars { bars } => Some((section.title.as_str(), bars.as_slice())),
        _ => None,
    })
}

/// Curves as a table: one column for each point of the first curve.
fn curve_rows(axes: &[String; 2], curves: &[Curve]) -> Vec<Vec<String>> {
    let Some(first) = curves.first() else {
        return Vec::new();
    };
    let head = first.points.iter().map(|[x, _]| format!("{x:.4}"));
    let corner = format!("{} at {}", axes[1], axes[0]);
    let mut rows = vec![std::iter::once(corner).chain(head).collect::<Vec<_>>()];
    for curve in curves {
        let values = curve.points.iter().map(|[_, y]| format!("{y:.4}"));
        rows.push(std::iter::once(curve.name.clone()).chain(values).collect());
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_bars_are_counted_after_training() {
        let bar = |at: usize| Bar {
            name: format!("column {at}"),
            value: 1.0,
            note: "1.0".to_owned(),
        };
        let section = Section::bars("Importance", (0..10).map(bar).collect());
        let text = shortened(&section);
        assert!(
            text.contains("column 7") && !text.contains("column 8"),
            "{text}"
        );
        assert!(text.ends_with("2 more in sections.json"), "{text}");
    }

    #[test]
    fn every_kind_of_section_has_a_text() {
        let row = |a: &str, b: &str| vec![a.to_owned(), b.to_owned()];
        let section = Section::table("Title", vec![row("a", "b"), row("1", "2")]);
        assert!(text(&section).starts_with("Title\n"));
        assert_eq!(text(&Section::text("words")), "words");
        let curve = Curve {
            name: "model".to_owned(),
            points: vec![[0.5, 0.25], [1.0, 1.0]],
        };
        let section = Section {
            title: String::new(),
            body: Body::Curves {
                axes: ["share", "recall"].map(str::to_owned),
                curves: vec![curve],
            },
        };
        let text = text(&section);
        assert!(
            text.contains("recall at share") && text.contains("0.2500"),
            "{text}"
        );
    }
}
