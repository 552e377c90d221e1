//! Analyses of a run as data: what a terminal, a page or another program shows.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tinderbox_datasets::atomic_file::write_atomic;

use crate::run_dir::RunError;

/// Name of the file with the sections of a run.
pub const SECTIONS_FILE: &str = "sections.json";

/// A part of a report: a title with what belongs to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Section {
    /// What it shows, such as `Confusion matrix (rows: true, columns: predicted)`; empty for none.
    pub title: String,
    /// Its content.
    pub body: Body,
}

/// The result of an analysis, for people and as data.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Analysis {
    /// For people.
    pub sections: Vec<Section>,
    /// The same as data, one JSON object each.
    pub lines: Vec<Value>,
    /// What was assumed or skipped, as whole lines.
    pub notes: Vec<String>,
}

/// The content of a section.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Body {
    /// A paragraph.
    Text {
        /// The text.
        text: String,
    },
    /// A table; its first row is the header.
    Table {
        /// The rows, all of the same length.
        rows: Vec<Vec<String>>,
    },
    /// Signed values with names, such as the importance of features.
    Bars {
        /// The bars, in the order in which they are drawn.
        bars: Vec<Bar>,
    },
    /// Curves over a common axis.
    Curves {
        /// Names of the horizontal and the vertical axis.
        axes: [String; 2],
        /// The curves.
        curves: Vec<Curve>,
    },
    /// How often each row met each column, such as a confusion matrix.
    Matrix {
        /// What the rows and what the columns are.
        axes: [String; 2],
        /// Names of the rows.
        rows: Vec<String>,
        /// Names of the columns.
        columns: Vec<String>,
        /// The counts of each row.
        counts: Vec<Vec<usize>>,
    },
    /// Points in a plane, such as predicted against actual values.
    Points {
        /// Names of the horizontal and the vertical axis.
        axes: [String; 2],
        /// The points; some of them, evenly chosen, where there are too many to draw.
        points: Vec<[f64; 2]>,
        /// How many points there are.
        total: usize,
        /// Where points of a perfect prediction lie.
        ideal: Ideal,
    },
    /// How many values lie in each of several ranges.
    Histogram {
        /// Name of the values.
        axis: String,
        /// Edges of the ranges, ascending: one more than there are ranges.
        edges: Vec<f64>,
        /// Kinds of values with their count in each range.
        series: Vec<(String, Vec<usize>)>,
        /// A value with a name, such as a threshold.
        mark: Option<(String, f64)>,
    },
    /// Parallel coordinates: a line for each item through a value on every axis.
    Parallel {
        /// The axes; the lines are colored by the last one.
        axes: Vec<Axis>,
        /// The values of each line; none where an axis does not apply to it.
        lines: Vec<Vec<Option<f64>>>,
    },
    /// A text of which parts carry a weight, such as the words that decided a prediction.
    Highlights {
        /// The parts in their order with their weights; 0 for parts without one.
        parts: Vec<(String, f64)>,
    },
}

/// Where points of a perfect prediction lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ideal {
    /// Where both coordinates are equal.
    Diagonal,
    /// Where the vertical coordinate is 0.
    Zero,
}

/// A value with a name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bar {
    /// The name.
    pub name: String,
    /// The value.
    pub value: f64,
    /// The value as text, with its error.
    pub note: String,
}

/// An axis of parallel coordinates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Axis {
    /// Its name.
    pub name: String,
    /// Whether equal ratios are equally far apart.
    pub log: bool,
    /// Names of the values 0, 1, 2 and so on, where the axis has no numbers.
    pub ticks: Vec<String>,
}

/// A curve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// Its name.
    pub name: String,
    /// Its points.
    pub points: Vec<[f64; 2]>,
}

impl Section {
    /// A paragraph.
    pub fn text(text: impl Into<String>) -> Self {
        let body = Body::Text { text: text.into() };
        Self {
            title: String::new(),
            body,
        }
    }

    /// A table; its first row is the header.
    pub fn table(title: impl Into<String>, rows: Vec<Vec<String>>) -> Self {
        Self {
            title: title.into(),
            body: Body::Table { rows },
        }
    }

    /// Curves over a common axis.
    pub fn curves(title: impl Into<String>, axes: [&str; 2], curves: Vec<Curve>) -> Self {
        let axes = axes.map(str::to_owned);
        Self {
            title: title.into(),
            body: Body::Curves { axes, curves },
        }
    }

    /// Signed values with names.
    pub fn bars(title: impl Into<String>, bars: Vec<Bar>) -> Self {
        Self {
            title: title.into(),
            body: Body::Bars { bars },
        }
    }

    /// Writes the sections of a run.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn save_all(sections: &[Self], run: &Path) -> Result<(), RunError> {
        let path = run.join(SECTIONS_FILE);
        let json = serde_json::to_vec_pretty(sections)
            .map_err(|error| RunError::io("write", &path)(error.into()))?;
        write_atomic(&path, |file| file.write_all(&json)).map_err(RunError::io("write", &path))
    }

    /// Reads the sections of a run; none if it has no file of them.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub fn load_all(run: &Path) -> Result<Vec<Self>, RunError> {
        let path = run.join(SECTIONS_FILE);
        if !path.exists() {
            return Ok(Vec::new());
        }
        let json = fs::read(&path).map_err(RunError::io("read", &path))?;
        serde_json::from_slice(&json).map_err(|error| RunError::io("read", &path)(error.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_survive_their_file() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Section::load_all(dir.path()).unwrap(), []);
        let bar = Bar {
            name: "age".to_owned(),
            value: -0.25,
            note: "-0.2500 ± 0.0100".to_owned(),
        };
        let row = ["a", "b"].map(str::to_owned).to_vec();
        let sections = vec![
            Section::text("AUROC 99.1%."),
            Section::table("Confusion matrix", vec![row.clone(), row]),
            Section::bars("Permutation importance", vec![bar]),
            Section {
                title: "Confusion matrix".to_owned(),
                body: Body::Matrix {
                    axes: ["true", "predicted"].map(str::to_owned),
                    rows: vec!["a".to_owned()],
                    columns: vec!["a".to_owned()],
                    counts: vec![vec![3]],
                },
            },
            Section {
                title: "Predicted and actual".to_owned(),
                body: Body::Points {
                    axes: ["actual", "predicted"].map(str::to_owned),
                    points: vec![[1.0, 1.5]],
                    total: 20,
                    ideal: Ideal::Diagonal,
                },
            },
            Section {
                title: "Scores".to_owned(),
                body: Body::Histogram {
                    axis: "score".to_owned(),
                    edges: vec![0.0, 0.5, 1.0],
                    series: vec![("yes".to_owned(), vec![1, 2])],
                    mark: Some(("threshold".to_owned(), 0.25)),
                },
            },
        ];
        Section::save_all(&sections, dir.path()).unwrap();
        assert_eq!(Section::load_all(dir.path()).unwrap(), sections);
    }
}
