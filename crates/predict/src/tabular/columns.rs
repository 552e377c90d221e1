//! The columns of a row, as a form or a client needs to know them.

use serde::Serialize;
use serde_json::Value;
use tinderbox_datasets::table::{Column, ColumnSchema, DateOrder, Kind, Schema};

use super::encoder::{Coding, Encoder, Feature};
use super::predictor::Predictor;

/// A column that a model reads.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InputColumn {
    /// Its name.
    pub name: String,
    /// What its cells are.
    pub kind: Kind,
    /// The cells that the model knows, if it knows all that matter: frequent categories, or the words of a boolean.
    pub values: Vec<String>,
    /// A cell to begin with, as it is written in the training file: the median of numbers and dates, or the most
    /// frequent category or word of a boolean; the false one if the model is too old to know it.
    pub typical: String,
    /// How the training file writes it.
    #[serde(skip)]
    pub schema: ColumnSchema,
}

impl InputColumn {
    /// The usual cell as a JSON value of a row.
    pub fn typical_json(&self) -> Value {
        let text = self.typical.as_str();
        match self.kind {
            _ if text.is_empty() => Value::Null,
            Kind::Boolean if self.schema.words.is_none() => Value::from(text == "1"),
            Kind::Numeric if self.schema.number.is_plain() => {
                text.parse::<f64>().map_or(Value::Null, Value::from)
            }
            _ => Value::from(text),
        }
    }
}

impl Predictor {
    /// The columns that the model reads, in their order.
    pub fn input_columns(&self) -> Vec<InputColumn> {
        input_columns(self.encoder(), &self.spec().schema)
    }
}

/// The columns of a row, in their order; `schema` is that of the training file.
fn input_columns(encoder: &Encoder, schema: &Schema) -> Vec<InputColumn> {
    let features = encoder.features().iter();
    features
        .map(|Feature { name, coding }| {
            let kind = kind(coding);
            let column = schema.column(name).cloned();
            let column = column.unwrap_or_else(|| ColumnSchema::new(name, kind));
            let values = values(coding, &column);
            let typical = typical(coding, &column, &values);
            InputColumn {
                name: column.name.clone(),
                kind,
                values,
                typical,
                schema: column,
            }
        })
        .collect()
}

fn kind(coding: &Coding) -> Kind {
    match coding {
        Coding::Number { .. } => Kind::Numeric,
        Coding::Date { .. } => Kind::Date,
        Coding::Categories { .. } => Kind::Categorical,
        Coding::Boolean { .. } => Kind::Boolean,
    }
}

fn values(coding: &Coding, column: &ColumnSchema) -> Vec<String> {
    match (coding, &column.words) {
        (Coding::Categories { categories, .. }, _) => categories.clone(),
        (Coding::Boolean { .. }, Some(words)) => vec![words.falsity.clone(), words.truth.clone()],
        (Coding::Boolean { .. }, None) => vec!["0".to_owned(), "1".to_owned()],
        (Coding::Number { .. } | Coding::Date { .. }, _) => Vec::new(),
    }
}

fn typical(coding: &Coding, column: &ColumnSchema, values: &[String]) -> String {
    match (coding, column.date) {
        (Coding::Number { fill, .. }, _) => {
            let mark = column.number.decimal.mark();
            fill.to_string().replace('.', &mark.to_string())
        }
        (Coding::Date { fill, .. }, None | Some(DateOrder::YearMonthDay)) => {
            Column::date("", vec![*fill]).text(0).into_owned()
        }
        (Coding::Date { .. }, Some(order)) => order.example().to_owned(),
        (Coding::Boolean { usually: true }, _) => values.last().cloned().unwrap_or_default(),
        (Coding::Categories { .. } | Coding::Boolean { .. }, _) => {
            values.first().cloned().unwrap_or_default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tabular::Features;
    use tinderbox_datasets::table::{BooleanWords, DecimalMark, Table};

    fn fit(columns: Vec<Column>) -> (Encoder, Schema) {
        let names: Vec<String> = columns
            .iter()
            .map(|column| column.name().to_owned())
            .collect();
        let table = Table::new("test", columns).unwrap();
        let rows: Vec<usize> = (0..table.rows()).collect();
        let features = Features {
            min_frequency: 2,
            ..Features::default()
        };
        let encoder = Encoder::fit(&table, &names, &rows, &features).unwrap();
        (encoder, table.schema())
    }

    #[test]
    fn a_form_has_the_cells_that_the_model_knows() {
        let words = ["b", "a", "a", "c", "b", "a"].map(Some);
        let (encoder, mut schema) = fit(vec![
            Column::numeric("size", vec![1.0, 3.0, f64::NAN, 5.0, 3.0, 1000.0]),
            Column::categorical("word", words),
            Column::boolean("new", vec![1.0, 0.0, f64::NAN, 1.0, 1.0, 0.0]),
        ]);
        let column = |name: &str, kind, values: &[&str], typical: &str| {
            let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
            (name.to_owned(), kind, values, typical.to_owned())
        };
        let found = |schema: &Schema| -> Vec<_> {
            let columns = input_columns(&encoder, schema).into_iter();
            let parts =
                columns.map(|column| (column.name, column.kind, column.values, column.typical));
            parts.collect()
        };
        let size = column("size", Kind::Numeric, &[], "3");
        let word = column("word", Kind::Categorical, &["a", "b"], "a");
        let new = column("new", Kind::Boolean, &["0", "1"], "1");
        let json: Vec<Value> = input_columns(&encoder, &schema)
            .iter()
            .map(InputColumn::typical_json)
            .collect();
        assert_eq!(
            json,
            [Value::from(3.0), Value::from("a"), Value::from(true)]
        );
        let expected = [size.clone(), word.clone(), new];
        assert_eq!(found(&schema), expected);
        schema.columns[2].words = Some(BooleanWords {
            falsity: "old".to_owned(),
            truth: "new".to_owned(),
        });
        let new = column("new", Kind::Boolean, &["old", "new"], "new");
        assert_eq!(found(&schema), [size, word, new]);
    }

    #[test]
    fn the_usual_word_of_a_boolean_is_stored_where_it_is_the_true_one() {
        let (encoder, schema) = fit(vec![
            Column::boolean("yes", vec![1.0, 0.0, 1.0, f64::NAN]),
            Column::boolean("no", vec![1.0, 0.0, 0.0, f64::NAN]),
        ]);
        let json = serde_json::to_value(&encoder).unwrap();
        assert_eq!(
            json[0]["coding"],
            serde_json::json!({"kind": "boolean", "usually": true})
        );
        assert_eq!(json[1]["coding"], serde_json::json!({"kind": "boolean"}));
        let read: Encoder = serde_json::from_value(json).unwrap();
        let usual = input_columns(&read, &schema).into_iter();
        assert!(usual.map(|column| column.typical).eq(["1", "0"]));
    }

    #[test]
    fn usual_cells_are_written_as_in_the_training_file() {
        let (encoder, mut schema) = fit(vec![
            Column::date("day", vec![0.0, 1.0, 2.5]),
            Column::numeric("price", vec![1.5, 2.5, 3.5]),
        ]);
        let usual = |schema: &Schema| {
            let columns = input_columns(&encoder, schema).into_iter();
            columns.map(|column| column.typical).collect::<Vec<_>>()
        };
        assert_eq!(usual(&schema), ["1970-01-02", "2.5"]);
        schema.columns[0].date = Some(DateOrder::DayMonthYear);
        schema.columns[1].number.decimal = DecimalMark::Comma;
        assert_eq!(usual(&schema), [DateOrder::DayMonthYear.example(), "2,5"]);
    }
}
