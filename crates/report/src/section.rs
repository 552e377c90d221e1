//! Sections of a run as HTML.

use std::fmt::Write as _;

use tinderbox_train::section::{Body, Curve, Section};

use crate::html;
use crate::svg::{
    Axes, COLORS, Line, Mark, Scale, Style, bars, histogram, lines, parallel, points,
};
use tinderbox_datasets::escape::escape_markup;
use tinderbox_datasets::format::thousands;

/// Most rows of a table.
const MAX_ROWS: usize = 100;

/// Most bars of a chart.
const MAX_BARS: usize = 30;

/// Most classes of a confusion matrix that is shown as a whole.
const MAX_CLASSES: usize = 30;

/// Confusions that are named where there are more classes.
const NAMED: usize = 25;

/// Most characters of a text.
const MAX_TEXT: usize = 6_000;

/// How much of the width of a page a section takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Width {
    /// A chart, next to others.
    Chart,
    /// That of two charts, where there is room.
    Half,
    /// All.
    Full,
}

/// Sections, charts next to each other.
pub(crate) fn all(sections: &[Section]) -> String {
    let mut page = String::from("<div class=\"charts\">\n");
    for section in sections {
        let (content, width) = body(&section.title, &section.body);
        if content.is_empty() {
            continue;
        }
        let class = match width {
            Width::Chart => "card",
            Width::Half => "card half",
            Width::Full => "card full",
        };
        let heading = if section.title.is_empty() {
            String::new()
        } else {
            format!("<h3>{}</h3>\n", html::prose(&section.title))
        };
        let _ = writeln!(page, "<div class=\"{class}\">{heading}{content}</div>");
    }
    page.push_str("</div>\n");
    page
}

fn body(title: &str, body: &Body) -> (String, Width) {
    match body {
        Body::Text { text } => (html::paragraph(&cut(text, MAX_TEXT)), Width::Full),
        Body::Table { rows } => (table(rows), table_width(rows)),
        Body::Bars { bars: all } => (bar_chart(title, all), Width::Full),
        Body::Curves { axes, curves } => (curve_chart(title, axes, curves), Width::Chart),
        Body::Highlights { parts } => (html::highlights(parts), Width::Full),
        Body::Parallel { axes, lines } => (
            parallel(title, axes, lines).map_or(String::new(), |chart| {
                // On a phone its text would be too small.
                format!("<div class=\"scroll\">{chart}</div>")
            }),
            Width::Full,
        ),
        Body::Matrix {
            axes,
            rows,
            columns,
            counts,
        } => {
            let matrix = Matrix {
                axes,
                rows,
                columns,
                counts,
            };
            let longest = |names: &[String]| names.iter().map(|name| name.chars().count()).max();
            let letters = longest(rows).unwrap_or(0)
                + columns.len() * (longest(columns).unwrap_or(0).clamp(2, 10) + 2);
            let width = match letters {
                0..=34 => Width::Chart,
                35..=75 => Width::Half,
                _ => Width::Full,
            };
            (matrix.html(), width)
        }
        Body::Points {
            axes,
            points: all,
            total,
            ideal,
        } => {
            let names = [axes[0].as_str(), axes[1].as_str()];
            let chart = points(title, names, all, *ideal).unwrap_or_default();
            let note = if *total > all.len() {
                format!(
                    "<p class=\"key\">{} of {} points</p>\n",
                    thousands(all.len()),
                    thousands(*total)
                )
            } else {
                String::new()
            };
            (chart + &note, Width::Chart)
        }
        Body::Histogram {
            axis,
            edges,
            series,
            mark,
        } => {
            let mark = mark.as_ref().map(|(name, x)| Mark {
                name: name.clone(),
                x: *x,
            });
            let chart = histogram(title, axis, edges, series, mark.as_ref());
            let names = series.iter().enumerate();
            let names = names.map(|(at, (name, _))| (format!("s{}", at % COLORS), name.as_str()));
            let key = if series.len() > 1 {
                html::key(names)
            } else {
                String::new()
            };
            (
                chart.map_or(String::new(), |chart| chart + &key),
                Width::Chart,
            )
        }
    }
}

/// The beginning of a text.
fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(most).collect();
    short.push('…');
    short
}

/// Small tables stand next to charts.
fn table_width(rows: &[Vec<String>]) -> Width {
    let letters = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells
            .map(|cell| cell.chars().count() + 3)
            .max()
            .unwrap_or(0)
    };
    let columns = rows.first().map_or(0, Vec::len);
    let all: usize = (0..columns).map(letters).sum();
    match (all, rows.len()) {
        (..=40, ..=14) => Width::Chart,
        (..=88, ..=30) => Width::Half,
        _ => Width::Full,
    }
}

fn table(rows: &[Vec<String>]) -> String {
    let shown = &rows[..rows.len().min(MAX_ROWS + 1)];
    let left_out = rows.len() - shown.len();
    let mut table = html::table(shown);
    if left_out > 0 {
        let _ = writeln!(
            table,
            "<p class=\"soft\">{left_out} more rows are in <code>sections.json</code>.</p>"
        );
    }
    table
}

fn bar_chart(title: &str, all: &[tinderbox_train::section::Bar]) -> String {
    let shown = &all[..all.len().min(MAX_BARS)];
    let mut chart = bars(title, shown);
    let left_out = all.len() - shown.len();
    if left_out > 0 {
        let _ = writeln!(
            chart,
            "<p class=\"soft\">{left_out} more bars are in <code>sections.json</code>.</p>"
        );
    }
    chart
}

/// Whether a curve is what a curve of a model is compared with.
fn is_reference(name: &str) -> bool {
    matches!(name, "chance" | "perfect calibration")
}

fn curve_chart(title: &str, names: &[String; 2], curves: &[Curve]) -> String {
    let all = curves.iter().flat_map(|curve| curve.points.iter().copied());
    let Some(axes) = Axes::around(all, Scale::Linear) else {
        return String::new();
    };
    let axes = axes.named([&names[0], &names[1]]);
    let (mut drawn, mut key) = (Vec::new(), Vec::new());
    let mut number = 0;
    for curve in curves {
        let points = curve.points.clone();
        if is_reference(&curve.name) {
            drawn.push(Line {
                class: "chance".to_owned(),
                style: Style::Dashed,
                points,
            });
            key.push(("chance".to_owned(), curve.name.as_str()));
            continue;
        }
        let style = if points.len() <= 20 {
            Style::Dotted
        } else {
            Style::Solid
        };
        drawn.push(Line::numbered(number, style, points));
        key.push((format!("s{}", number % COLORS), curve.name.as_str()));
        number += 1;
    }
    lines(title, &axes, &drawn, None) + &html::key(key)
}

struct Matrix<'a> {
    axes: &'a [String; 2],
    rows: &'a [String],
    columns: &'a [String],
    counts: &'a [Vec<usize>],
}

impl Matrix<'_> {
    fn html(&self) -> String {
        if self.rows.len().max(self.columns.len()) > MAX_CLASSES {
            return self.confusions();
        }
        let mut table = format!(
            "<p class=\"soft\">Rows: {}; columns: {}.</p>\n<div class=\"scroll\"><table class=\"heat\">\n\
             <thead><tr><th></th>",
            escape_markup(&self.axes[0]),
            escape_markup(&self.axes[1])
        );
        for column in self.columns {
            let name = escape_markup(column);
            let _ = writeln!(table, "<th title=\"{name}\">{name}</th>");
        }
        table.push_str("</tr></thead>\n<tbody>");
        for (name, counts) in self.rows.iter().zip(self.counts) {
            let total = counts.iter().sum::<usize>().max(1);
            let _ = write!(table, "<tr><th>{}</th>", escape_markup(name));
            for count in counts {
                // The color is the share of the row, as classes differ in size.
                let share = *count as f64 / total as f64;
                let style = if *count > 0 {
                    let opacity = 0.08 + 0.62 * share;
                    format!(" style=\"background:rgba(var(--cell),{opacity:.2})\"")
                } else {
                    String::new()
                };
                let _ = writeln!(table, "<td{style}>{count}</td>");
            }
            table.push_str("</tr>");
        }
        table.push_str("</tbody></table></div>\n");
        table
    }

    /// The most frequent confusions.
    fn confusions(&self) -> String {
        let mut wrong: Vec<(usize, &str, &str)> = Vec::new();
        for (row, counts) in self.rows.iter().zip(self.counts) {
            let pairs = self.columns.iter().zip(counts);
            let own = pairs.filter(|(column, count)| **count > 0 && *column != row);
            wrong.extend(own.map(|(column, count)| (*count, row.as_str(), column.as_str())));
        }
        // Sorting keeps the order of equals.
        wrong.sort_by_key(|(count, _, _)| std::cmp::Reverse(*count));
        let head = [
            self.axes[0].clone(),
            self.axes[1].clone(),
            "count".to_owned(),
        ];
        let rows = wrong.iter().take(NAMED).map(|(count, row, column)| {
            vec![(*row).to_owned(), (*column).to_owned(), count.to_string()]
        });
        let rows: Vec<Vec<String>> = std::iter::once(head.to_vec()).chain(rows).collect();
        format!(
            "<p class=\"soft\">The most frequent of {} kinds of confusion between {} classes.</p>\n{}",
            wrong.len(),
            self.rows.len(),
            html::table(&rows)
        )
    }
}

#[cfg(test)]
mod tests {
    use tinderbox_train::section::{Bar, Ideal};

    use super::*;

    /// Every kind of section, with markup wherever there is a text.
    pub(crate) fn hostile() -> Vec<Section> {
        let bad = || "</p></svg><script>alert(1)</script>\"'&".to_owned();
        let section = |body| Section { title: bad(), body };
        vec![
            section(Body::Text { text: bad() }),
            section(Body::Table {
                rows: vec![vec![bad()], vec![bad()]],
            }),
            section(Body::Bars {
                bars: vec![Bar {
                    name: bad(),
                    value: 1.0,
                    note: bad(),
                }],
            }),
            section(Body::Curves {
                axes: [bad(), bad()],
                curves: vec![Curve {
                    name: bad(),
                    points: vec![[0.0, 0.0], [1.0, 1.0]],
                }],
            }),
            section(Body::Highlights {
                parts: vec![(bad(), 1.0), (bad(), 0.0)],
            }),
            section(Body::Matrix {
                axes: [bad(), bad()],
                rows: vec![bad()],
                columns: vec![bad()],
                counts: vec![vec![3]],
            }),
            section(Body::Points {
                axes: [bad(), bad()],
                points: vec![[0.0, 1.0], [2.0, 2.0]],
                total: 2,
                ideal: Ideal::Diagonal,
            }),
            section(Body::Histogram {
                axis: bad(),
                edges: vec![0.0, 1.0],
                series: vec![(bad(), vec![1]), (bad(), vec![2])],
                mark: Some((bad(), 0.5)),
            }),
        ]
    }

    #[test]
    fn markup_in_any_text_of_any_section_stays_text() {
        let page = all(&hostile());
        assert!(
            !page.contains("<script") && !page.contains("</svg><"),
            "{page}"
        );
        assert_eq!(page.matches("<div class=\"card").count(), 8);
        assert!(page.matches("&lt;script&gt;").count() >= 16);
    }

    #[test]
    fn many_classes_have_their_most_frequent_confusions() {
        let names: Vec<String> = (0..40).map(|at| format!("class {at}")).collect();
        let mut counts = vec![vec![0; 40]; 40];
        counts[3][7] = 9;
        counts[2][2] = 50;
        let section = Section {
            title: String::new(),
            body: Body::Matrix {
                axes: ["true", "predicted"].map(str::to_owned),
                rows: names.clone(),
                columns: names,
                counts,
            },
        };
        let page = all(&[section]);
        assert!(
            page.contains("<td>class 3</td><td>class 7</td><td>9</td>"),
            "{page}"
        );
        assert!(!page.contains("class 2<"));
    }

    #[test]
    fn long_tables_are_cut_and_counted() {
        let rows = vec![vec!["a".to_owned()]; 150];
        let page = all(&[Section::table("t", rows)]);
        assert_eq!(page.matches("<td>").count(), MAX_ROWS);
        assert!(page.contains("49 more rows"));
    }
}
