//! The format of a table file, where it is not inferred.

use serde::{Deserialize, Serialize};
use tinderbox_datasets::table::{DateOrder, DecimalMark, Encoding, ReadOptions, default_missing};

use tinderbox_models::{ConfigError, check_range};

/// The format of a table file. What is empty, `auto` or 0 is inferred from the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Format {
    /// The character between cells, or `tab`.
    pub delimiter: String,
    /// Whether a cell in double quotes may hold delimiters, line feeds and doubled quotes.
    pub quoting: bool,
    /// Whether the first line has the names of the columns.
    pub header: Header,
    /// The encoding: `windows-1252`, `utf-16le`, `shift_jis`, …
    pub encoding: String,
    /// Lines that begin with this character are skipped; empty for none.
    pub comment: String,
    /// Words that mark a missing cell, without regard to case. An empty cell is always missing.
    pub missing: Vec<String>,
    /// The decimal mark, `.` or `,`, where numbers such as `1,234` are ambiguous.
    pub decimal: String,
    /// The order of dates, such as `day-month-year`, where `1/2/2024` is ambiguous.
    pub date_order: String,
    /// Largest memory for reading, in GB; 0 for half of what is free.
    pub memory: f64,
}

/// Whether the first line of a file has the names of the columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Header {
    /// Inferred.
    #[default]
    Auto,
    /// It has.
    Yes,
    /// It has not.
    No,
}

impl Default for Format {
    fn default() -> Self {
        Self {
            delimiter: String::new(),
            quoting: true,
            header: Header::Auto,
            encoding: String::new(),
            comment: String::new(),
            missing: default_missing(),
            decimal: String::new(),
            date_order: String::new(),
            memory: 0.0,
        }
    }
}

impl Format {
    /// The options of the table reader.
    ///
    /// # Errors
    ///
    /// Names the first invalid key.
    pub fn options(&self) -> Result<ReadOptions, ConfigError> {
        check_range("data.format.memory", self.memory, 0.0..=1e9)?;
        let delimiter = match self.delimiter.as_str() {
            "tab" | "\\t" => "\t",
            other => other,
        };
        Ok(ReadOptions {
            delimiter: mark("data.format.delimiter", delimiter)?,
            quoting: self.quoting,
            header: match self.header {
                Header::Auto => None,
                Header::Yes => Some(true),
                Header::No => Some(false),
            },
            encoding: self.encoding()?,
            comment: mark("data.format.comment", &self.comment)?,
            missing: self.missing.clone(),
            decimal: self.decimal()?,
            date_order: self.date_order()?,
            memory: (self.memory > 0.0).then_some((self.memory * 1e9) as u64),
            ..ReadOptions::default()
        })
    }

    fn encoding(&self) -> Result<Option<Encoding>, ConfigError> {
        let label = &self.encoding;
        if label.is_empty() {
            return Ok(None);
        }
        let expected = "an encoding such as `utf-8` or `windows-1252`";
        let refuse = |_| ConfigError::new("data.format.encoding", label, expected);
        label.parse().map(Some).map_err(refuse)
    }

    fn decimal(&self) -> Result<Option<DecimalMark>, ConfigError> {
        match self.decimal.as_str() {
            "" => Ok(None),
            "." => Ok(Some(DecimalMark::Point)),
            "," => Ok(Some(DecimalMark::Comma)),
            other => Err(ConfigError::new(
                "data.format.decimal",
                other,
                "`.`, `,` or empty",
            )),
        }
    }

    fn date_order(&self) -> Result<Option<DateOrder>, ConfigError> {
        let name = &self.date_order;
        if name.is_empty() {
            return Ok(None);
        }
        let found = DateOrder::ALL.into_iter().find(|date| date.name() == name);
        found.map(Some).ok_or_else(|| {
            let known = DateOrder::ALL.map(DateOrder::name).join(", ");
            ConfigError::new("data.format.date_order", name, format!("one of {known}"))
        })
    }
}

/// A single character, or none.
fn mark(key: &'static str, text: &str) -> Result<Option<char>, ConfigError> {
    let mut letters = text.chars();
    match (letters.next(), letters.next()) {
        (None, _) => Ok(None),
        (Some(mark), None) if ReadOptions::is_mark(mark) => Ok(Some(mark)),
        _ => Err(ConfigError::new(key, text, "one ASCII character, no quote")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_inferred() {
        assert_eq!(Format::default().options().unwrap(), ReadOptions::default());
    }

    #[test]
    fn every_key_is_used() {
        let format = Format {
            delimiter: "tab".to_owned(),
            quoting: false,
            header: Header::No,
            encoding: "latin1".to_owned(),
            comment: "#".to_owned(),
            missing: vec!["-9".to_owned()],
            decimal: ",".to_owned(),
            date_order: "day-month-year".to_owned(),
            memory: 0.5,
        };
        let expected = ReadOptions {
            delimiter: Some('\t'),
            quoting: false,
            header: Some(false),
            encoding: Some(Encoding::WINDOWS_1252),
            comment: Some('#'),
            missing: vec!["-9".to_owned()],
            decimal: Some(DecimalMark::Comma),
            date_order: Some(DateOrder::DayMonthYear),
            memory: Some(500_000_000),
            ..ReadOptions::default()
        };
        assert_eq!(format.options().unwrap(), expected);
    }

    #[test]
    fn invalid_keys_are_named() {
        let refused = |change: fn(&mut Format)| {
            let mut format = Format::default();
            change(&mut format);
            format.options().unwrap_err().key
        };
        assert_eq!(
            refused(|format| "::".clone_into(&mut format.delimiter)),
            "data.format.delimiter"
        );
        assert_eq!(
            refused(|format| "\"".clone_into(&mut format.comment)),
            "data.format.comment"
        );
        assert_eq!(
            refused(|format| "utf-9".clone_into(&mut format.encoding)),
            "data.format.encoding"
        );
        assert_eq!(
            refused(|format| "comma".clone_into(&mut format.decimal)),
            "data.format.decimal"
        );
        assert_eq!(
            refused(|format| "dmy".clone_into(&mut format.date_order)),
            "data.format.date_order"
        );
        assert_eq!(refused(|format| format.memory = -1.0), "data.format.memory");
    }
}
