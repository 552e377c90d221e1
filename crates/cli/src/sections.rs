//! Sections of a report on a terminal.

use std::io::{IsTerminal as _, Write as _};

use tinderbox_train::Report;
use tinderbox_train::format::thousands;
use tinderbox_train::metrics::{Evaluation, diagnostics};
use tinderbox_train::section::{Analysis, Bar, Body, Curve, SECTIONS_FILE, Section};
use tinderbox_train::task::THIS_MODEL;

use crate::escape::escape_cell;
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
        Body::Matrix {
            rows,
            columns,
            counts,
            ..
        } => table(&confusion_rows(rows, columns, counts)),
        Body::Points {
            axes: [x, y],
            total,
            ..
        } => format!("{y} by {x}: {} points", thousands(*total)),
        Body::Histogram {
            axis,
            edges,
            series,
            ..
        } => table(&histogram_rows(axis, edges, series)),
        Body::Parallel { axes, lines } => format!(
            "{} lines through {} axes",
            thousands(lines.len()),
            axes.len()
        ),
        Body::Highlights { parts } => highlights::plain(parts),
    };
    if section.title.is_empty() {
        body
    } else {
        format!("{}\n{body}", section.title)
    }
}

/// Stores more sections of a finished run with the others, and prints them unless `quiet`.
///
/// # Errors
///
/// If nothing can be printed or stored.
pub fn add(report: &Report, more: &[Section], quiet: bool) -> Result<(), Failure> {
    let all = [&of(report), more].concat();
    Section::save_all(&all, report.run.path())?;
    if quiet {
        return Ok(());
    }
    let mut out = Output::Stdout;
    more.iter()
        .try_for_each(|section| out.line(&shortened(section)))
}

/// The sections of a report, with the scores of each class, the confusion matrix and the charts of its
/// predictions.
pub(crate) fn of(report: &Report) -> Vec<Section> {
    let mut all = report.sections.clone();
    if let Some(predictions) = report.evaluation.predictions() {
        let rows = class_rows(&report.labels, &predictions.per_class());
        all.push(Section::table("Scores of each class", rows));
        all.push(Section {
            title: "Confusion matrix".to_owned(),
            body: Body::Matrix {
                axes: ["true class", "predicted class"].map(str::to_owned),
                rows: report.labels.clone(),
                columns: report.labels.clone(),
                counts: predictions.confusion(),
            },
        });
    }
    let baselines = report.baselines.iter();
    let baselines = baselines.map(|one| (one.result.method.as_str(), &one.evaluation));
    let methods: Vec<(&str, &Evaluation)> = std::iter::once((THIS_MODEL, &report.evaluation))
        .chain(baselines)
        .collect();
    all.extend(diagnostics(&methods, &report.labels));
    all.extend(report.appendix.iter().cloned());
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

/// The counts of each range, a range in each row.
fn histogram_rows(axis: &str, edges: &[f64], series: &[(String, Vec<usize>)]) -> Vec<Vec<String>> {
    let names = series.iter().map(|(name, _)| name.clone());
    let head = std::iter::once(axis.to_owned()).chain(names);
    let mut rows = vec![head.collect::<Vec<_>>()];
    for (at, ends) in edges.windows(2).enumerate() {
        let counts = series.iter().map(|(_, counts)| {
            let count = counts.get(at);
            count.map_or("-".to_owned(), |count| thousands(*count))
        });
        let range = format!("{:.4} to {:.4}", ends[0], ends[1]);
        rows.push(std::iter::once(range).chain(counts).collect());
    }
    rows
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
    use tinderbox_train::section::Ideal;

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
        let section = Section {
            title: String::new(),
            body: Body::Matrix {
                axes: ["true", "predicted"].map(str::to_owned),
                rows: vec!["a".to_owned()],
                columns: vec!["b".to_owned()],
                counts: vec![vec![7]],
            },
        };
        assert!(text(&section).contains('7') && text(&section).contains('b'));
        let section = Section {
            title: String::new(),
            body: Body::Histogram {
                axis: "score".to_owned(),
                edges: vec![0.0, 0.5, 1.0],
                series: vec![("yes".to_owned(), vec![1, 23])],
                mark: None,
            },
        };
        assert!(text(&section).contains("0.5000 to 1.0000") && text(&section).contains("23"));
        let section = Section {
            title: String::new(),
            body: Body::Points {
                axes: ["actual", "predicted"].map(str::to_owned),
                points: vec![[1.0, 1.0]],
                total: 1_500,
                ideal: Ideal::Diagonal,
            },
        };
        assert_eq!(text(&section), "predicted by actual: 1,500 points");
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
