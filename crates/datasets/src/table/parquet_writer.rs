//! Tables written as Parquet, row by row.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{Type, TypePtr};

use super::writer::{CellKind, WriteError};

/// Rows of a group, which are in memory at a time.
const GROUP: usize = 1 << 16;

/// A column that waits to be written.
enum Waiting {
    Text(Vec<ByteArray>),
    Whole(Vec<i64>),
    Number(Vec<f64>),
}

/// A Parquet file that is being written.
pub(super) struct ParquetWriter<W: Write + Send> {
    file: SerializedFileWriter<W>,
    waiting: Vec<Waiting>,
    rows: usize,
}

impl<W: Write + Send> ParquetWriter<W> {
    pub(super) fn new(out: W, columns: &[(String, CellKind)]) -> Result<Self, WriteError> {
        let fields = columns.iter().map(|(name, kind)| {
            let (physical, logical) = match kind {
                CellKind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
                CellKind::Whole => (Physical::INT64, None),
                CellKind::Number => (Physical::DOUBLE, None),
            };
            let field = Type::primitive_type_builder(name, physical)
                .with_repetition(Repetition::REQUIRED)
                .with_logical_type(logical);
            field.build().map(Arc::new)
        });
        let fields: Vec<TypePtr> = fields.collect::<Result<_, _>>()?;
        let schema = Type::group_type_builder("predictions").with_fields(fields);
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY);
        let file = SerializedFileWriter::new(
            out,
            Arc::new(schema.build()?),
            Arc::new(properties.build()),
        )?;
        let waiting = columns.iter().map(|(_, kind)| match kind {
            CellKind::Text => Waiting::Text(Vec::new()),
            CellKind::Whole => Waiting::Whole(Vec::new()),
            CellKind::Number => Waiting::Number(Vec::new()),
        });
        Ok(Self {
            waiting: waiting.collect(),
            file,
            rows: 0,
        })
    }

    pub(super) fn row<S: AsRef<str>>(&mut self, cells: &[S]) -> Result<(), WriteError> {
        for (column, cell) in self.waiting.iter_mut().zip(cells) {
            let cell = cell.as_ref();
            let no_number = || WriteError::NoNumber(cell.to_owned());
            match column {
                Waiting::Text(values) => values.push(cell.into()),
                Waiting::Whole(values) => values.push(cell.parse().map_err(|_| no_number())?),
                Waiting::Number(values) => values.push(cell.parse().map_err(|_| no_number())?),
            }
        }
        self.rows += 1;
        if self.rows == GROUP {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), WriteError> {
        if self.rows == 0 {
            return Ok(());
        }
        let mut group = self.file.next_row_group()?;
        for waiting in &mut self.waiting {
            let Some(mut column) = group.next_column()? else {
                break;
            };
            match waiting {
                Waiting::Text(values) => {
                    column
                        .typed::<ByteArrayType>()
                        .write_batch(values, None, None)?;
                    values.clear();
                }
                Waiting::Whole(values) => {
                    column
                        .typed::<Int64Type>()
                        .write_batch(values, None, None)?;
                    values.clear();
                }
                Waiting::Number(values) => {
                    column
                        .typed::<DoubleType>()
                        .write_batch(values, None, None)?;
                    values.clear();
                }
            }
            column.close()?;
        }
        group.close()?;
        self.rows = 0;
        Ok(())
    }

    /// Adds the rows of a file that such a writer has written.
    pub(super) fn append(&mut self, path: &Path) -> Result<(), WriteError> {
        let reader = SerializedFileReader::new(File::open(path).map_err(WriteError::Io)?)?;
        for group in 0..reader.num_row_groups() {
            let group = reader.get_row_group(group)?;
            let rows = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
            let columns = (0..group.num_columns()).map(|at| {
                Ok(match group.get_column_reader(at)? {
                    ColumnReader::ByteArrayColumnReader(reader) => {
                        Waiting::Text(read(reader, rows)?)
                    }
                    ColumnReader::Int64ColumnReader(reader) => Waiting::Whole(read(reader, rows)?),
                    ColumnReader::DoubleColumnReader(reader) => {
                        Waiting::Number(read(reader, rows)?)
                    }
                    _ => return Err(WriteError::OtherColumns),
                })
            });
            let columns: Vec<Waiting> = columns.collect::<Result<_, _>>()?;
            self.add(columns, rows)?;
        }
        Ok(())
    }

    /// Adds columns of so many rows, a group at a time.
    fn add(&mut self, mut columns: Vec<Waiting>, mut rows: usize) -> Result<(), WriteError> {
        if columns.len() != self.waiting.len() {
            return Err(WriteError::OtherColumns);
        }
        while rows > 0 {
            let count = rows.min(GROUP - self.rows);
            for (waiting, column) in self.waiting.iter_mut().zip(&mut columns) {
                match (waiting, column) {
                    (Waiting::Text(to), Waiting::Text(from)) => to.extend(from.drain(..count)),
                    (Waiting::Whole(to), Waiting::Whole(from)) => to.extend(from.drain(..count)),
                    (Waiting::Number(to), Waiting::Number(from)) => to.extend(from.drain(..count)),
                    _ => return Err(WriteError::OtherColumns),
                }
            }
            self.rows += count;
            rows -= count;
            if self.rows == GROUP {
                self.flush()?;
            }
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<W, WriteError> {
        self.flush()?;
        Ok(self.file.into_inner()?)
    }
}

/// The columns of a file that such a writer has written.
pub(super) fn columns_of(path: &Path) -> Result<Vec<(String, CellKind)>, WriteError> {
    let reader = SerializedFileReader::new(File::open(path).map_err(WriteError::Io)?)?;
    let schema = reader.metadata().file_metadata().schema_descr();
    let column = |column: &parquet::schema::types::ColumnDescPtr| {
        let kind = match column.physical_type() {
            Physical::INT64 => CellKind::Whole,
            Physical::DOUBLE => CellKind::Number,
            _ => CellKind::Text,
        };
        (column.name().to_owned(), kind)
    };
    Ok(schema.columns().iter().map(column).collect())
}

/// All values of a column of a group.
fn read<T: DataType>(
    mut reader: ColumnReaderImpl<T>,
    rows: usize,
) -> Result<Vec<T::T>, WriteError> {
    let mut values = Vec::with_capacity(rows);
    while values.len() < rows {
        let (read, ..) = reader.read_records(rows - values.len(), None, None, &mut values)?;
        if read == 0 {
            return Err(WriteError::OtherColumns);
        }
    }
    Ok(values)
}

impl From<ParquetError> for WriteError {
    fn from(error: ParquetError) -> Self {
        Self::Parquet(error.to_string())
    }
}
