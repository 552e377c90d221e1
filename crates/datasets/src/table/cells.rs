//! Tables of cells that do not come from a file, such as those of a request.

use super::Table;
use super::error::TableError;
use super::options::ReadOptions;
use super::parse::Context;
use super::raw::{Lines, Markers};
use super::schema::Schema;
use super::typed::{Gathered, conform_gathered};

/// The cells of a column, row by row.
#[derive(Clone, Debug, PartialEq)]
pub enum CellValues<'a> {
    /// Values as the column holds them, of which NaN is missing: numbers, or booleans as 0 and 1.
    Numbers(Vec<f64>),
    /// Texts as a file would have them, of which an empty one is missing.
    Texts(Vec<&'a str>),
}

impl Table {
    /// A table of columns of a known schema, with their cells; texts are typed as those of a file are.
    /// `name` stands for it in messages, which count rows from 1 where a file has lines.
    ///
    /// # Errors
    ///
    /// If the schema lacks a column, columns have different lengths, or a cell is not of the kind of
    /// its column.
    pub fn from_cells(
        name: &str,
        schema: &Schema,
        columns: Vec<(&str, CellValues<'_>)>,
    ) -> Result<Self, TableError> {
        let (markers, lines, options) = (
            Markers::of(schema),
            Lines::default(),
            ReadOptions::default(),
        );
        let context = Context {
            file: name,
            markers: &markers,
            lines: &lines,
            date_order: options.date_order,
            decimal: options.decimal,
            comma_separates: false,
        };
        let typed = columns.into_iter().map(|(column, cells)| {
            let known = schema.columns.iter().map(|column| column.name.as_str());
            let own = schema
                .column(column)
                .ok_or_else(|| TableError::no_column(name, column, known, true))?;
            let gathered = match cells {
                CellValues::Numbers(values) if own.kind == super::Kind::Boolean => {
                    Gathered::Booleans(values)
                }
                CellValues::Numbers(values) => Gathered::Numbers(values),
                CellValues::Texts(texts) => {
                    let mut gathered = Gathered::text();
                    for text in texts {
                        gathered.push_raw(text.as_bytes());
                    }
                    gathered
                }
            };
            conform_gathered(own, gathered, &context)
        });
        Ok(Self {
            missing: schema.missing.clone(),
            header: schema.header,
            ..Self::new(name, typed.collect::<Result<_, _>>()?)?
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{ReadOptions, read_csv};

    fn schema() -> Schema {
        let csv = "day;price;sold;city\n1.2.2024;3,50;yes;Bonn\n28.2.2024;4,25;no;Ulm\n1.3.2024;1,00;no;Bonn\n";
        let (table, _) = read_csv(csv.as_bytes(), "a.csv", &ReadOptions::default()).unwrap();
        table.schema()
    }

    #[test]
    fn cells_are_typed_as_those_of_a_file() {
        let schema = schema();
        let table = Table::from_cells(
            "request",
            &schema,
            vec![
                ("price", CellValues::Numbers(vec![1.234, f64::NAN])),
                ("day", CellValues::Texts(vec!["2.3.2024", ""])),
                ("sold", CellValues::Numbers(vec![1.0, 0.0])),
                ("city", CellValues::Texts(vec!["Ulm", "?"])),
            ],
        )
        .unwrap();
        let column = |name| table.column(name).unwrap();
        assert!((column("price").number(0) - 1.234).abs() < 1e-12);
        assert!(column("price").is_missing(1) && column("day").is_missing(1));
        assert!((column("day").number(0) - 19_784.0).abs() < 1e-9);
        assert_eq!(column("city").text(0), "Ulm");
        assert!(column("city").is_missing(1));
        assert!((column("sold").number(0) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_bad_cell_is_named_with_its_row() {
        let cells = vec![("day", CellValues::Texts(vec!["2.3.2024", "soon"]))];
        let error = Table::from_cells("request", &schema(), cells).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("line 2") && text.contains("`day`") && text.contains("`soon`"),
            "{text}"
        );
        let cells = vec![("dya", CellValues::Texts(vec![]))];
        let error = Table::from_cells("request", &schema(), cells).unwrap_err();
        assert!(error.to_string().contains("`dya`"), "{error}");
    }
}
