//! Tables back to CSV.

use std::io::Write;

use super::{Column, Table};

impl Table {
    /// Writes the table as CSV with a header, numbers with a decimal point, dates as ISO 8601,
    /// missing cells empty.
    ///
    /// # Errors
    ///
    /// If `writer` fails.
    pub fn write_csv(&self, writer: impl Write) -> std::io::Result<()> {
        let mut csv = csv::Writer::from_writer(writer);
        csv.write_record(self.columns().iter().map(Column::name))?;
        for row in 0..self.rows() {
            csv.write_record(
                self.columns()
                    .iter()
                    .map(|column| column.text(row).into_owned()),
            )?;
        }
        csv.flush()
    }
}
