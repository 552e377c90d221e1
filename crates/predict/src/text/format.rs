//! Format of a file of texts, where it is not to be inferred.

use serde::{Deserialize, Serialize};
use tinderbox_datasets::table::{Encoding, ReadOptions};
use tinderbox_datasets::text::TextOptions;
use tinderbox_models::ConfigError;

/// Format of a file of texts. Empty and `auto` values are inferred from the file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Format {
    /// The character between the cells of a table, or `tab`.
    pub delimiter: String,
    /// Whether double quotes enclose cells with delimiters, line feeds and doubled quotes. `auto`: yes;
    /// but where tabs separate the cells, only if every cell of the first line is in quotes.
    pub quoting: Choice,
    /// Whether the first line has the names of the columns.
    pub header: Choice,
    /// The encoding by its name on the web: `windows-1252`, `utf-16le`, `shift_jis`, …
    pub encoding: String,
}

/// A property of a file that can be inferred.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Choice {
    /// Inferred from the file.
    #[default]
    Auto,
    /// Yes.
    Yes,
    /// No.
    No,
}

impl Choice {
    fn answer(self) -> Option<bool> {
        match self {
            Self::Auto => None,
            Self::Yes => Some(true),
            Self::No => Some(false),
        }
    }
}

impl Format {
    /// Sets the options of a reader.
    ///
    /// # Errors
    ///
    /// Names the first key with an invalid value.
    pub fn apply(&self, options: &mut TextOptions) -> Result<(), ConfigError> {
        options.delimiter = self.delimiter()?;
        options.quoting = self.quoting.answer();
        options.header = self.header.answer();
        options.encoding = self.encoding()?;
        Ok(())
    }

    /// Checks every key.
    ///
    /// # Errors
    ///
    /// Names the first key with an invalid value.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.apply(&mut TextOptions::default())
    }

    fn delimiter(&self) -> Result<Option<char>, ConfigError> {
        let text = match self.delimiter.as_str() {
            "tab" | "\\t" => "\t",
            other => other,
        };
        let mut letters = text.chars();
        match (letters.next(), letters.next()) {
            (None, _) => Ok(None),
            (Some(mark), None) if ReadOptions::is_mark(mark) => Ok(Some(mark)),
            _ => {
                let expected = "one ASCII character other than a quote, or `tab`";
                Err(ConfigError::new("data.format.delimiter", text, expected))
            }
        }
    }

    fn encoding(&self) -> Result<Option<Encoding>, ConfigError> {
        if self.encoding.is_empty() {
            return Ok(None);
        }
        let expected = "an encoding such as `utf-8` or `windows-1252`";
        let refuse = |_| ConfigError::new("data.format.encoding", &self.encoding, expected);
        self.encoding.parse().map(Some).map_err(refuse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_reaches_the_reader() {
        let mut options = TextOptions::default();
        Format::default().apply(&mut options).unwrap();
        assert_eq!(options, TextOptions::default());
        let format = Format {
            delimiter: "tab".to_owned(),
            quoting: Choice::Yes,
            header: Choice::No,
            encoding: "latin1".to_owned(),
        };
        format.apply(&mut options).unwrap();
        let expected = TextOptions {
            delimiter: Some('\t'),
            quoting: Some(true),
            header: Some(false),
            encoding: Some(Encoding::WINDOWS_1252),
            ..TextOptions::default()
        };
        assert_eq!(options, expected);
    }

    #[test]
    fn an_invalid_value_names_its_key() {
        for (format, key) in [
            (
                Format {
                    delimiter: "::".to_owned(),
                    ..Format::default()
                },
                "data.format.delimiter",
            ),
            (
                Format {
                    encoding: "utf-9".to_owned(),
                    ..Format::default()
                },
                "data.format.encoding",
            ),
        ] {
            assert_eq!(format.validate().unwrap_err().key, key);
        }
    }
}
