//! The report of a run: one page that needs nothing else, and a model card.
//!
//! ```no_run
//! use std::path::Path;
//! use tinderbox_report::{Run, card, page};
//!
//! # fn main() -> Result<(), tinderbox_report::ReportError> {
//! let run = Run::read(Path::new("runs/digits/20260101-42"))?;
//! let html = page(std::slice::from_ref(&run));
//! let markdown = card(&run);
//! # Ok(())
//! # }
//! ```
//!
//! Everything is read from the run directory: `summary.json`, `metrics.jsonl`, `sections.json`, `recipe.toml`,
//! `model/model.json` and the images that the summary names. Nothing is computed again, so a page can be made on
//! any machine without the data. The same run gives the same bytes.
//!
//! | module | for |
//! |---|---|
//! | [`Run`] | what a run directory stores |
//! | [`page`] | one run, or several side by side, as HTML |
//! | [`card`] | the model card, Markdown with front matter |
//! | [`html`] | the shell of a page, its style sheet, highlighted texts |
//! | [`svg`] | charts |
//!
//! Non-goals: metrics, apps, commands, and pages that fetch or execute anything.

mod card;
mod compare;
mod curves;
mod error;
mod facts;
pub mod html;
pub mod images;
mod model;
pub mod number;
mod page;
mod reproduce;
mod run;
mod section;
mod series;
mod style;
pub mod svg;
mod verdict;
mod warnings;

pub use card::{CARD_START, card};
pub use error::ReportError;
pub use page::page;
pub use run::Run;
pub use verdict::{F1, verdict};

/// Name of the page in a run directory.
pub const REPORT_FILE: &str = "report.html";

/// Name of the model card in a run directory.
pub const CARD_FILE: &str = "README.md";
