//! Image files in JSON: as base64 texts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::Value;

use crate::predict::Content;
use crate::problem::Problem;

/// The image files in JSON values: texts, or objects with one text, as rows of a table with one column are.
pub(crate) fn images(values: &[Value]) -> Result<Content, Problem> {
    let files = values.iter().zip(1_usize..).map(|(value, number)| {
        let name = format!("image {number}");
        let bytes = decode(value).map_err(|reason| Problem::input(format!("{name} {reason}")))?;
        Ok((name, bytes))
    });
    Ok(Content::Files(files.collect::<Result<_, Problem>>()?))
}

fn decode(value: &Value) -> Result<Bytes, String> {
    let text: &str = match value {
        Value::String(text) => text,
        Value::Object(row) if row.len() != 1 => {
            let columns = row.len();
            return Err(format!(
                "has {columns} columns, and this model reads one: the base64 text of an image file"
            ));
        }
        Value::Object(row) => row.values().next().and_then(Value::as_str).unwrap_or(""),
        Value::Array(_) => {
            return Err(
                "is a list of values: this model reads image files, each as one base64 text"
                    .to_owned(),
            );
        }
        _ => "",
    };
    let wrong = || "is not the base64 text of an image file".to_owned();
    if text.is_empty() {
        return Err(wrong());
    }
    // Python's `encodebytes`, which clients of MLflow use, breaks lines.
    let characters = text.bytes().filter(|byte| !byte.is_ascii_whitespace());
    let bytes = STANDARD.decode(characters.collect::<Vec<u8>>());
    Ok(Bytes::from(bytes.map_err(|_| wrong())?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(values: &[Value]) -> Result<Vec<Vec<u8>>, String> {
        match images(values) {
            Ok(Content::Files(files)) => {
                Ok(files.into_iter().map(|(_, bytes)| bytes.to_vec()).collect())
            }
            Ok(other) => Err(format!("{other:?}")),
            Err(problem) => Err(problem.detail),
        }
    }

    #[test]
    fn texts_rows_of_one_column_and_broken_lines_are_read() {
        let values = [json!("YWJj"), json!({"image": "YWJj"}), json!("YW\nJj\r\n")];
        assert_eq!(read(&values), Ok(vec![b"abc".to_vec(); 3]));
    }

    #[test]
    fn what_is_no_image_file_is_refused_with_its_number() {
        for (value, words) in [
            (json!("YWJ"), "image 2 is not the base64 text"),
            (json!(""), "image 2 is not the base64 text"),
            (json!(7), "image 2 is not the base64 text"),
            (json!({"a": 7}), "image 2 is not the base64 text"),
            (json!({}), "image 2 has 0 columns"),
            (json!({"a": "YWJj", "b": 1}), "image 2 has 2 columns"),
            (json!([[0, 255], [1, 2]]), "image 2 is a list of values"),
        ] {
            let error = read(&[json!("YWJj"), value.clone()]).unwrap_err();
            assert!(error.starts_with(words), "{value}: {error}");
        }
    }
}
