//! XML of label files.

use roxmltree::{Document, Error, ParsingOptions};

/// Parses a text that may declare a document type. Entities are limited in depth and number, and nothing is
/// read from other files.
pub(crate) fn parse(text: &str) -> Result<Document<'_>, Error> {
    let options = ParsingOptions {
        allow_dtd: true,
        ..ParsingOptions::default()
    };
    Document::parse_with_options(text, options)
}
