//! The format of `MLflow`'s scoring server: `POST /invocations`,
//! <https://mlflow.org/docs/latest/deployment/deploy-model-locally>.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Map, Value, json};

use crate::base64_images::images;
use crate::body::{self, Json};
use crate::model::InputForm;
use crate::predict::{Content, answer, decode, json as parse, note};
use crate::problem::Problem;
use crate::server::Shared;

/// The keys that a body may have, of which it has one.
const KEYS: [&str; 4] = [
    "dataframe_split",
    "dataframe_records",
    "instances",
    "inputs",
];

/// `GET /version`, which clients of `MLflow` ask for.
pub(crate) async fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// `POST /invocations`
pub(crate) async fn invocations(
    State(shared): State<Arc<Shared>>,
    request: Request,
) -> Result<Response, Problem> {
    let entry = shared.models.get(None)?;
    let loaded = entry.loaded();
    let (parts, content) = request.into_parts();
    let media = body::media_type(&parts.headers);
    let bytes = body::read(content, &parts.headers, &shared.limits).await?;
    let content = if media == "text/csv" && matches!(loaded.info.input, InputForm::Row { .. }) {
        Content::File(bytes)
    } else {
        let Content::Json(body) = parse(&bytes)? else {
            return Err(Problem::malformed("the body is not JSON"));
        };
        let values = values(body, &loaded.info.input)?;
        match loaded.info.input {
            // As MLflow has columns of bytes.
            InputForm::Image => images(&values)?,
            _ => Content::Json(Value::Array(values)),
        }
    };
    let decoded = decode(&shared, &loaded, content).await?;
    let note = note(&decoded.inputs);
    let predictions = answer(&shared, &entry, &loaded, decoded.inputs).await?;
    let predictions: Vec<Value> = predictions
        .iter()
        .map(|one| Value::Object(one.to_json()))
        .collect();
    Ok((note, Json(json!({"predictions": predictions}))).into_response())
}

/// The inputs of a body.
fn values(body: Value, input: &InputForm) -> Result<Vec<Value>, Problem> {
    let expected = || {
        let keys = KEYS.map(|key| format!("`{key}`")).join(", ");
        Problem::input(format!("the body must be an object with one of {keys}"))
    };
    let Value::Object(mut body) = body else {
        return Err(expected());
    };
    body.remove("params");
    let mut keys = body.keys().filter(|key| KEYS.contains(&key.as_str()));
    let (Some(key), 1) = (keys.next().cloned(), body.len()) else {
        return Err(expected());
    };
    let content = body.remove(&key).unwrap_or_default();
    match (key.as_str(), content) {
        ("dataframe_split", Value::Object(frame)) => of_split(frame),
        (_, Value::Array(values)) if key != "dataframe_split" => Ok(values),
        // Columns with their values.
        ("inputs", Value::Object(columns))
            if matches!(input, InputForm::Row { .. } | InputForm::Image) =>
        {
            of_columns(columns)
        }
        _ => Err(Problem::input(format!(
            "`{key}` does not have the form that MLflow describes"
        ))),
    }
}

fn of_split(mut frame: Map<String, Value>) -> Result<Vec<Value>, Problem> {
    let wrong = || {
        Problem::input(
            "`dataframe_split` must have `columns`, a list of names, and `data`, a list of rows as long as it",
        )
    };
    let columns = frame.remove("columns").ok_or_else(wrong)?;
    let Value::Array(columns) = columns else {
        return Err(wrong());
    };
    // A data frame without names numbers its columns.
    let name = |column: Value| match column {
        Value::String(name) => Ok(name),
        Value::Number(number) => Ok(number.to_string()),
        _ => Err(wrong()),
    };
    let columns: Vec<String> = columns.into_iter().map(name).collect::<Result<_, _>>()?;
    let mut seen = BTreeSet::new();
    if let Some(column) = columns.iter().find(|column| !seen.insert(*column)) {
        return Err(Problem::input(format!("the column `{column}` comes twice")));
    }
    let Some(Value::Array(rows)) = frame.remove("data") else {
        return Err(wrong());
    };
    let object = |row: Value| match row {
        Value::Array(cells) if cells.len() == columns.len() => {
            Ok(Value::Object(columns.iter().cloned().zip(cells).collect()))
        }
        _ => Err(wrong()),
    };
    rows.into_iter().map(object).collect()
}

/// Rows of columns that have the same number of values.
pub(crate) fn of_columns(columns: Map<String, Value>) -> Result<Vec<Value>, Problem> {
    let mut rows: Option<Vec<Map<String, Value>>> = None;
    for (name, values) in columns {
        let Value::Array(values) = values else {
            return Err(Problem::input(format!("`{name}` must be a list of values")));
        };
        let rows = rows.get_or_insert_with(|| vec![Map::new(); values.len()]);
        if rows.len() != values.len() {
            return Err(Problem::input(format!(
                "`{name}` has {} values, and the columns before it have {}",
                values.len(),
                rows.len()
            )));
        }
        for (row, value) in rows.iter_mut().zip(values) {
            row.insert(name.clone(), value);
        }
    }
    let rows = rows.unwrap_or_default().into_iter();
    Ok(rows.map(Value::Object).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(body: Value) -> Result<Vec<Value>, String> {
        let input = InputForm::Row {
            columns: Vec::new(),
            ignored: Vec::new(),
        };
        values(body, &input).map_err(|problem| problem.detail)
    }

    #[test]
    fn every_form_of_mlflow_gives_the_same_rows() {
        let expected = vec![json!({"a": 1, "b": "x"}), json!({"a": 2, "b": "y"})];
        for body in [
            json!({"dataframe_split": {"columns": ["a", "b"], "data": [[1, "x"], [2, "y"]]}}),
            json!({"dataframe_records": [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]}),
            json!({"instances": [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}], "params": {}}),
            json!({"inputs": {"a": [1, 2], "b": ["x", "y"]}}),
        ] {
            assert_eq!(rows(body.clone()).unwrap(), expected, "{body}");
        }
    }

    #[test]
    fn every_form_of_mlflow_has_images() {
        for body in [
            json!({"dataframe_split": {"columns": ["image"], "data": [["YQ=="], ["Yg=="]]}}),
            json!({"dataframe_split": {"index": [0, 1], "columns": [0], "data": [["YQ=="], ["Yg=="]]}}),
            json!({"dataframe_records": [{"image": "YQ=="}, {"image": "Yg=="}]}),
            json!({"instances": ["YQ==", "Yg=="]}),
            json!({"instances": [{"b64": "YQ=="}, {"b64": "Yg=="}]}),
            json!({"inputs": ["YQ==", "Yg=="]}),
            json!({"inputs": {"image": ["YQ==", "Yg=="]}}),
        ] {
            let values = values(body.clone(), &InputForm::Image).unwrap();
            let Ok(Content::Files(files)) = images(&values) else {
                panic!("{body}");
            };
            let bytes: Vec<&[u8]> = files.iter().map(|(_, bytes)| &bytes[..]).collect();
            assert_eq!(bytes, [b"a", b"b"], "{body}");
        }
    }

    #[test]
    fn other_bodies_are_refused() {
        for (body, words) in [
            (json!([1]), "one of `dataframe_split`"),
            (json!({"a": []}), "one of `dataframe_split`"),
            (json!({"inputs": [], "instances": []}), "one of"),
            (
                json!({"dataframe_split": {"columns": ["a", "a"], "data": [[1, 2]]}}),
                "`a` comes twice",
            ),
            (
                json!({"dataframe_split": {"columns": ["a"], "data": [[1, 2]]}}),
                "as long as it",
            ),
            (json!({"dataframe_split": []}), "does not have the form"),
            (
                json!({"inputs": {"a": [1], "b": [1, 2]}}),
                "`b` has 2 values",
            ),
            (json!({"inputs": {"a": 1}}), "list of values"),
        ] {
            let error = rows(body.clone()).unwrap_err();
            assert!(error.contains(words), "{body}: {error}");
        }
    }
}
