//! Numbers that JSON cannot hold.

use ciborium::Value;
use serde::Serialize;

/// The path of the first number in `value` that is not finite, as in `encoder.columns[3].mean`.
///
/// JSON has no NaN and no infinity; they would be written as `null`, which cannot be read back as
/// a number.
pub(crate) fn non_finite(value: &impl Serialize) -> Option<String> {
    // Unlike JSON's, these values hold every number. What cannot be held at all is reported when it
    // is written.
    let value = Value::serialized(value).ok()?;
    find(&value, "")
}

fn find(value: &Value, path: &str) -> Option<String> {
    match value {
        Value::Float(number) if !number.is_finite() => Some(path.to_owned()),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(index, item)| find(item, &format!("{path}[{index}]"))),
        Value::Map(entries) => entries.iter().find_map(|(key, value)| {
            let key = match key {
                Value::Text(key) => key.clone(),
                other => format!("{other:?}"),
            };
            let path = if path.is_empty() {
                key
            } else {
                format!("{path}.{key}")
            };
            find(value, &path)
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Serialize)]
    struct Outer {
        inner: Inner,
        #[serde(flatten)]
        more: BTreeMap<String, Vec<f32>>,
    }

    #[derive(Serialize, Default)]
    #[serde(tag = "kind")]
    enum Inner {
        #[default]
        Nothing,
        Scale {
            mean: f64,
            deviation: Option<f64>,
        },
    }

    #[test]
    fn the_first_number_that_is_not_finite_is_named() {
        let scale = |mean, deviation| Inner::Scale { mean, deviation };
        for (inner, last, expected) in [
            (Inner::Nothing, 1.0, None),
            (scale(1e300, None), 1.0, None),
            (scale(f64::INFINITY, None), 1.0, Some("inner.mean")),
            (scale(0.0, Some(f64::NAN)), 1.0, Some("inner.deviation")),
            (Inner::Nothing, f32::NEG_INFINITY, Some("bounds[1]")),
        ] {
            let more = BTreeMap::from([("bounds".to_owned(), vec![0.0, last])]);
            let found = non_finite(&Outer { inner, more });
            assert_eq!(found.as_deref(), expected);
        }
    }
}
