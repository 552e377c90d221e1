//! The columns of a Parquet file, through the same inference as those of CSV.
//!
//! Format: <https://parquet.apache.org/docs/file-format/>. Its numbers, booleans and moments are
//! taken as they are; its strings are treated like the cells of a CSV file, marks of missing cells
//! included. Lists and maps are no cells: they are left out, and the report says so.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;

use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::DataType;
use parquet::errors::ParquetError;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::{ColumnDescPtr, ColumnDescriptor};

use super::Table;
use super::csv::{MAX_COLUMNS, check_distinct};
use super::error::TableError;
use super::number::EXACT_DIGITS;
use super::options::{ReadNote, ReadOptions, ReadReport};
use super::parse::Context;
use super::raw::{Lines, Markers, RawColumn};
use super::read::{Plan, check_overrides, marker_in, settle_roles};
use super::schema::Schema;
use super::source::{check_memory, memory_limit};
use super::typed::{Cell, Gathered, conform_gathered, infer_gathered};
use crate::random::{below, stream};

/// The first whole number with more digits than an `f64` holds of any number.
const LONG: u128 = 10_u128.pow(EXACT_DIGITS as u32);

/// Rows decoded at once.
const BATCH: usize = 8192;

pub(crate) fn read_parquet(
    file: File,
    path: &Path,
    options: &ReadOptions,
) -> Result<(Table, ReadReport), TableError> {
    options.validate()?;
    let file = ParquetFile::open(file, path, options)?;
    let names: Vec<String> = file
        .columns
        .iter()
        .map(|column| column.name.clone())
        .collect();
    check_overrides(&names, true, options, &file.name)?;
    file.check_memory(|_| true, options)?;
    let (markers, lines) = (Markers::new(&options.missing), file.lines());
    let context = file.context(&markers, &lines, options);
    let (mut columns, mut report) = (Vec::new(), file.report());
    for column in &file.columns {
        let gathered = file.gather(column, options)?;
        if options.target.as_ref() == Some(&column.name)
            && let Gathered::Text(raw) = &gathered
        {
            report.target_marker = marker_in(raw, &markers);
        }
        let kind = options.kinds.get(&column.name).copied();
        let (column, note) = infer_gathered(&column.name, gathered, kind, &context)?;
        columns.push(column);
        report.notes.extend(note);
    }
    settle_roles(&mut columns, false, options);
    let table = Table {
        lines,
        missing: options.missing.clone(),
        ..Table::new(file.name, columns)?
    };
    Ok((table, report))
}

pub(crate) fn read_parquet_with(
    file: File,
    path: &Path,
    schema: &Schema,
    optional: &[&str],
    options: &ReadOptions,
) -> Result<(Table, ReadReport), TableError> {
    options.validate()?;
    let file = ParquetFile::open(file, path, options)?;
    let names: Vec<String> = file
        .columns
        .iter()
        .map(|column| column.name.clone())
        .collect();
    let plan = Plan::new(&names, true, schema, optional, &file.name)?;
    file.check_memory(|at| plan.of_column.contains(&Some(at)), options)?;
    let (markers, lines) = (Markers::new(&schema.missing), file.lines());
    let context = file.context(&markers, &lines, options);
    let mut columns = Vec::new();
    for (column, place) in schema.columns.iter().zip(&plan.of_column) {
        if let Some(at) = place {
            let gathered = file.gather(&file.columns[*at], options)?;
            columns.push(conform_gathered(column, gathered, &context)?);
        }
    }
    let mut report = file.report();
    report.ignored.extend(plan.ignored(&names));
    report.absent = plan.absent(schema);
    report.notes.clear();
    let table = Table {
        lines,
        missing: schema.missing.clone(),
        header: schema.header,
        ..Table::new(file.name, columns)?
    };
    Ok((table, report))
}

/// A column that can be read.
struct ParquetColumn {
    name: String,
    /// Its place among all columns of the file.
    at: usize,
    meaning: Meaning,
    descriptor: ColumnDescPtr,
}

impl ParquetColumn {
    /// Whether it holds whole numbers, which may have more digits than an `f64` holds.
    fn is_whole(&self) -> bool {
        let integer = matches!(self.descriptor.physical_type(), Type::INT32 | Type::INT64);
        match self.meaning {
            Meaning::Unsigned | Meaning::Decimal(1.0) => true,
            Meaning::Number(1.0) => integer,
            _ => false,
        }
    }
}

/// What the stored values stand for.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Meaning {
    Boolean,
    /// A number, to be divided by this.
    Number(f64),
    Unsigned,
    /// A moment, in this many parts of a day.
    Moment(f64),
    Text,
    /// A big-endian number, to be divided by this.
    Decimal(f64),
    Half,
}

struct ParquetFile {
    name: String,
    reader: SerializedFileReader<File>,
    columns: Vec<ParquetColumn>,
    nested: Vec<String>,
    rows: usize,
    /// Rows of the sample, in order.
    sample: Option<BTreeSet<usize>>,
}

impl ParquetFile {
    fn open(file: File, path: &Path, options: &ReadOptions) -> Result<Self, TableError> {
        let name = path.display().to_string();
        let reader = SerializedFileReader::new(file).map_err(|error| damaged(&name, &error))?;
        let descriptors = reader.metadata().file_metadata().schema_descr();
        let (mut columns, mut nested) = (Vec::new(), Vec::new());
        for (at, descriptor) in descriptors.columns().iter().enumerate() {
            let name = descriptor.path().string();
            match meaning(descriptor) {
                Some(meaning) => {
                    let descriptor = descriptor.clone();
                    columns.push(ParquetColumn {
                        name,
                        at,
                        meaning,
                        descriptor,
                    });
                }
                None => nested.push(name),
            }
        }
        let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
        check_distinct(&names, &name)?;
        let rows = usize::try_from(reader.metadata().file_metadata().num_rows()).unwrap_or(0);
        if columns.is_empty() {
            return Err(TableError::Empty { file: name });
        }
        if columns.len() > MAX_COLUMNS {
            return Err(TableError::TooManyColumns {
                file: name,
                line: 1,
                most: MAX_COLUMNS,
            });
        }
        if rows == 0 {
            return Err(TableError::NoRows {
                file: name,
                columns: columns.len(),
            });
        }
        let sample = options.sample.filter(|&size| size < rows);
        let sample = sample.map(|size| choose(size, rows, options.seed));
        Ok(Self {
            name,
            reader,
            columns,
            nested,
            rows,
            sample,
        })
    }

    /// Compares what the columns chosen will take with what there is.
    fn check_memory(
        &self,
        chosen: impl Fn(usize) -> bool,
        options: &ReadOptions,
    ) -> Result<(), TableError> {
        if options.sample.is_some() {
            return Ok(());
        }
        let chosen = self
            .columns
            .iter()
            .enumerate()
            .filter(|(at, _)| chosen(*at));
        let groups = self.reader.metadata().row_groups();
        let needed = chosen.map(|(_, column)| {
            let text: i64 = groups
                .iter()
                .map(|group| group.column(column.at).uncompressed_size())
                .sum();
            let text = if column.meaning == Meaning::Text {
                text.max(0) as u64
            } else {
                0
            };
            8 * self.rows as u64 + 2 * text
        });
        check_memory(&self.name, needed.sum(), options)
    }

    fn lines(&self) -> Lines {
        let mut lines = Lines::default();
        match &self.sample {
            Some(rows) => rows.iter().for_each(|&row| lines.push(row as u64 + 1)),
            None => (1..=self.rows as u64).for_each(|row| lines.push(row)),
        }
        lines
    }

    fn context<'a>(
        &'a self,
        markers: &'a Markers,
        lines: &'a Lines,
        options: &ReadOptions,
    ) -> Context<'a> {
        Context {
            file: &self.name,
            markers,
            lines,
            date_order: options.date_order,
            decimal: options.decimal,
            comma_separates: false,
        }
    }

    fn report(&self) -> ReadReport {
        let nested = self.nested.iter().map(|column| ReadNote::Nested {
            column: column.clone(),
        });
        ReadReport {
            file: self.name.clone(),
            format: "parquet",
            delimiter: None,
            header: true,
            encoding: None,
            rows_in_file: self.rows,
            rows: self.sample.as_ref().map_or(self.rows, BTreeSet::len),
            target_marker: None,
            ignored: self.nested.clone(),
            absent: Vec::new(),
            notes: nested.collect(),
        }
    }

    /// Reads all cells of a column; as text if there are whole numbers of more digits than an `f64`
    /// holds, so that they are treated like those of a CSV file.
    fn gather(
        &self,
        column: &ParquetColumn,
        options: &ReadOptions,
    ) -> Result<Gathered, TableError> {
        let (gathered, long) = self.gather_as(column, empty(column.meaning), options)?;
        if !long {
            return Ok(gathered);
        }
        drop(gathered);
        let text = Gathered::Text(RawColumn::default());
        Ok(self.gather_as(column, text, options)?.0)
    }

    /// Reads all cells of a column into `gathered`, and whether a whole number is too long for it.
    fn gather_as(
        &self,
        column: &ParquetColumn,
        gathered: Gathered,
        options: &ReadOptions,
    ) -> Result<(Gathered, bool), TableError> {
        let mut cells = Cells {
            gathered,
            long: false,
            row: 0,
            sample: self.sample.as_ref(),
            limit: memory_limit(options),
        };
        for group in 0..self.reader.num_row_groups() {
            self.gather_group(group, column, &mut cells)
                .map_err(|failed| self.failed(failed, column, &cells))?;
        }
        if cells.row != self.rows {
            return Err(TableError::Parquet {
                file: self.name.clone(),
                reason: format!(
                    "column `{}` has {} of {} rows",
                    column.name, cells.row, self.rows
                ),
            });
        }
        Ok((cells.gathered, cells.long))
    }

    fn gather_group(
        &self,
        group: usize,
        column: &ParquetColumn,
        cells: &mut Cells<'_>,
    ) -> Result<(), Failed> {
        let mut reader = self
            .reader
            .get_row_group(group)?
            .get_column_reader(column.at)?;
        while cells.read(&mut reader, column, BATCH)? > 0 {
            cells.check_memory()?;
        }
        Ok(())
    }

    /// Says why a column cannot be read.
    fn failed(&self, failed: Failed, column: &ParquetColumn, cells: &Cells<'_>) -> TableError {
        match failed {
            Failed::Parquet(error) => damaged(&self.name, &error),
            Failed::Text => TableError::Parquet {
                file: self.name.clone(),
                reason: format!("column `{}`, row {}: not UTF-8", column.name, cells.row + 1),
            },
            Failed::Memory(needed) => TableError::Memory {
                file: self.name.clone(),
                needed,
                limit: cells.limit,
            },
        }
    }
}

/// The rows of a file, some at a time.
pub(crate) struct ParquetRows {
    file: ParquetFile,
    /// The next group of rows, the last one, and the readers of the current one.
    group: usize,
    end: usize,
    readers: Vec<ColumnReader>,
    row: usize,
}

impl ParquetRows {
    pub(crate) fn open(file: File, path: &Path, options: &ReadOptions) -> Result<Self, TableError> {
        let options = ReadOptions {
            sample: None,
            ..options.clone()
        };
        let file = ParquetFile::open(file, path, &options)?;
        Ok(Self {
            end: file.reader.num_row_groups(),
            file,
            group: 0,
            readers: Vec::new(),
            row: 0,
        })
    }

    /// Names of the columns.
    pub(crate) fn names(&self) -> Vec<String> {
        let columns = self.file.columns.iter();
        columns.map(|column| column.name.clone()).collect()
    }

    /// Number of the last row that is read.
    pub(crate) fn len(&self) -> u64 {
        self.rows_before(self.end)
    }

    /// Number of groups.
    pub(crate) fn groups(&self) -> usize {
        self.file.reader.num_row_groups()
    }

    /// Rows in the groups before this one.
    pub(crate) fn rows_before(&self, group: usize) -> u64 {
        let groups = self.file.reader.metadata().row_groups().iter().take(group);
        let rows: i64 = groups.map(RowGroupMetaData::num_rows).sum();
        u64::try_from(rows).unwrap_or(0)
    }

    /// Reads some of the groups only, from the first of them on.
    pub(crate) fn restrict(&mut self, groups: std::ops::Range<usize>) {
        self.row = usize::try_from(self.rows_before(groups.start)).unwrap_or(usize::MAX);
        (self.group, self.end) = (groups.start, groups.end.min(self.groups()));
    }

    /// Reads up to `rows` rows of the columns `kept`, the same ones each time, and says how many.
    pub(crate) fn read(
        &mut self,
        kept: &[usize],
        rows: usize,
    ) -> Result<(Vec<Gathered>, usize), TableError> {
        loop {
            if self.readers.is_empty() && !self.next_group(kept)? {
                return Ok((Vec::new(), 0));
            }
            let (columns, read) = self.read_group(kept, rows)?;
            if read > 0 {
                self.row += read;
                return Ok((columns, read));
            }
            self.readers.clear();
        }
    }

    fn next_group(&mut self, kept: &[usize]) -> Result<bool, TableError> {
        if self.group >= self.end {
            return Ok(false);
        }
        let open = || {
            let group = self.file.reader.get_row_group(self.group)?;
            let columns = kept.iter().map(|&at| &self.file.columns[at]);
            let readers = columns.map(|column| group.get_column_reader(column.at));
            readers.collect::<Result<Vec<_>, ParquetError>>()
        };
        self.readers = open().map_err(|error| damaged(&self.file.name, &error))?;
        self.group += 1;
        // Without a column there is nothing to read.
        Ok(!self.readers.is_empty())
    }

    fn read_group(
        &mut self,
        kept: &[usize],
        rows: usize,
    ) -> Result<(Vec<Gathered>, usize), TableError> {
        let (mut columns, mut read) = (Vec::new(), None);
        for (reader, &at) in self.readers.iter_mut().zip(kept) {
            let column = &self.file.columns[at];
            let whole = column.is_whole();
            let mut cells = Cells {
                gathered: if whole {
                    Gathered::text()
                } else {
                    empty(column.meaning)
                },
                long: false,
                row: self.row,
                sample: None,
                limit: u64::MAX,
            };
            let mut own = 0;
            while own < rows {
                let more = cells.read(reader, column, rows - own);
                match more.map_err(|failed| self.file.failed(failed, column, &cells))? {
                    0 => break,
                    more => own += more,
                }
            }
            if *read.get_or_insert(own) != own {
                return Err(TableError::Parquet {
                    file: self.file.name.clone(),
                    reason: format!("column `{}` has another number of rows", column.name),
                });
            }
            columns.push(if whole && !cells.long {
                cells.gathered.into_numbers()
            } else {
                cells.gathered
            });
        }
        Ok((columns, read.unwrap_or(0)))
    }
}

/// Why a column cannot be read.
enum Failed {
    Parquet(ParquetError),
    Text,
    Memory(u64),
}

impl From<ParquetError> for Failed {
    fn from(error: ParquetError) -> Self {
        Self::Parquet(error)
    }
}

fn damaged(file: &str, error: &ParquetError) -> TableError {
    TableError::Parquet {
        file: file.to_owned(),
        reason: error.to_string(),
    }
}

/// Where the cells of a column go.
struct Cells<'a> {
    gathered: Gathered,
    /// Whether a whole number has more digits than an `f64` holds.
    long: bool,
    row: usize,
    sample: Option<&'a BTreeSet<usize>>,
    limit: u64,
}

impl Cells<'_> {
    fn push(&mut self, cell: Cell<'_>) {
        if self.sample.is_none_or(|rows| rows.contains(&self.row)) {
            if let Cell::Integer(value) = cell {
                self.long |= value.unsigned_abs() >= LONG;
            }
            self.gathered.push(cell);
        }
        self.row += 1;
    }

    /// Reads up to `rows` rows of a column, and says how many; 0 at the end of a group.
    fn read(
        &mut self,
        reader: &mut ColumnReader,
        column: &ParquetColumn,
        rows: usize,
    ) -> Result<usize, Failed> {
        let levels = column.descriptor.max_def_level();
        let meaning = column.meaning;
        match reader {
            ColumnReader::BoolColumnReader(reader) => each(reader, levels, self, rows, |&x| {
                Ok(Cell::Number(f64::from(u8::from(x))))
            }),
            ColumnReader::Int32ColumnReader(reader) => each(reader, levels, self, rows, |&x| {
                Ok(integer(x.into(), (x as u32).into(), meaning))
            }),
            ColumnReader::Int64ColumnReader(reader) => each(reader, levels, self, rows, |&x| {
                Ok(integer(x, x as u64, meaning))
            }),
            ColumnReader::Int96ColumnReader(reader) => each(reader, levels, self, rows, |x| {
                // Nanoseconds of the day, low word first, and the Julian day.
                let &[low, high, day] = x.data() else {
                    return Ok(Cell::Missing);
                };
                let nanoseconds = (u64::from(high) << 32 | u64::from(low)) as f64;
                Ok(Cell::Number(
                    f64::from(day) - 2_440_588.0 + nanoseconds / 86_400e9,
                ))
            }),
            ColumnReader::FloatColumnReader(reader) => {
                each(reader, levels, self, rows, |&x| Ok(Cell::Number(x.into())))
            }
            ColumnReader::DoubleColumnReader(reader) => {
                each(reader, levels, self, rows, |&x| Ok(Cell::Number(x)))
            }
            ColumnReader::ByteArrayColumnReader(reader) => {
                each(reader, levels, self, rows, |x| bytes(x.data(), meaning))
            }
            ColumnReader::FixedLenByteArrayColumnReader(reader) => {
                each(reader, levels, self, rows, |x| bytes(x.data(), meaning))
            }
        }
    }

    fn check_memory(&self) -> Result<(), Failed> {
        let needed = self.gathered.bytes() as u64;
        if needed > self.limit {
            Err(Failed::Memory(needed))
        } else {
            Ok(())
        }
    }
}

/// Hands up to `rows` values of a column over, missing ones included, and says how many.
fn each<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    levels: i16,
    cells: &mut Cells<'_>,
    rows: usize,
    cell: impl for<'v> Fn(&'v T::T) -> Result<Cell<'v>, Failed>,
) -> Result<usize, Failed> {
    let (mut defined, mut values) = (Vec::new(), Vec::new());
    let (read, present, _) =
        reader.read_records(rows.min(BATCH), Some(&mut defined), None, &mut values)?;
    if defined.is_empty() {
        defined.resize(present, levels);
    }
    let mut values = values.iter();
    for &level in &defined {
        let value = if level == levels { values.next() } else { None };
        cells.push(value.map_or(Ok(Cell::Missing), &cell)?);
    }
    Ok(read)
}

fn integer(signed: i64, unsigned: u64, meaning: Meaning) -> Cell<'static> {
    match meaning {
        Meaning::Unsigned => Cell::Integer(unsigned.into()),
        Meaning::Number(1.0) => Cell::Integer(signed.into()),
        Meaning::Number(parts) | Meaning::Moment(parts) => Cell::Number(signed as f64 / parts),
        _ => Cell::Number(signed as f64),
    }
}

fn bytes(bytes: &[u8], meaning: Meaning) -> Result<Cell<'_>, Failed> {
    match (meaning, bytes) {
        (Meaning::Decimal(1.0), _) if bytes.len() <= 16 => Ok(Cell::Integer(whole(bytes))),
        (Meaning::Decimal(parts), _) => Ok(Cell::Number(big_endian(bytes) / parts)),
        (Meaning::Half, &[low, high]) => Ok(Cell::Number(half(u16::from_le_bytes([low, high])))),
        _ => match std::str::from_utf8(bytes) {
            Ok(text) if !text.contains('\0') => Ok(Cell::Text(text)),
            _ => Err(Failed::Text),
        },
    }
}

/// A whole number of up to 16 bytes in two's complement, the highest byte first.
fn whole(bytes: &[u8]) -> i128 {
    let negative = bytes.first().is_some_and(|&first| first >= 0x80);
    let start = if negative { -1 } else { 0 };
    bytes
        .iter()
        .fold(start, |value, &byte| value << 8 | i128::from(byte))
}

/// A number in two's complement, the highest byte first.
fn big_endian(bytes: &[u8]) -> f64 {
    let negative = bytes.first().is_some_and(|&first| first >= 0x80);
    let value = bytes
        .iter()
        .fold(0.0, |value, &byte| value * 256.0 + f64::from(byte));
    if negative {
        value - bytes.iter().fold(1.0, |range, _| range * 256.0)
    } else {
        value
    }
}

/// A float of 16 bits, as IEEE 754 has them.
fn half(bits: u16) -> f64 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (
        i32::from(bits >> 10 & 0x1F),
        f64::from(bits & 0x3FF) / 1024.0,
    );
    sign * match exponent {
        0 => fraction * 2_f64.powi(-14),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1.0 + fraction) * 2_f64.powi(exponent - 15),
    }
}

fn empty(meaning: Meaning) -> Gathered {
    match meaning {
        Meaning::Boolean => Gathered::Booleans(Vec::new()),
        Meaning::Moment(_) => Gathered::Dates(Vec::new()),
        Meaning::Text => Gathered::Text(RawColumn::default()),
        _ => Gathered::Numbers(Vec::new()),
    }
}

/// `None` for lists, maps and types that are no cells.
fn meaning(column: &ColumnDescriptor) -> Option<Meaning> {
    if column.max_rep_level() > 0 {
        return None;
    }
    let tens = || 10_f64.powi(column.type_scale());
    let is_decimal = column.converted_type() == ConvertedType::DECIMAL
        || matches!(column.logical_type_ref(), Some(LogicalType::Decimal(_)));
    Some(match column.physical_type() {
        Type::BOOLEAN => Meaning::Boolean,
        Type::INT96 => Meaning::Moment(1.0),
        Type::INT32 | Type::INT64 if is_decimal => Meaning::Number(tens()),
        Type::INT32 | Type::INT64 => integer_meaning(column),
        Type::FLOAT | Type::DOUBLE => Meaning::Number(1.0),
        Type::BYTE_ARRAY | Type::FIXED_LEN_BYTE_ARRAY if is_decimal => Meaning::Decimal(tens()),
        Type::BYTE_ARRAY => Meaning::Text,
        Type::FIXED_LEN_BYTE_ARRAY => match column.logical_type_ref() {
            Some(LogicalType::Float16) => Meaning::Half,
            _ => return None,
        },
    })
}

fn integer_meaning(column: &ColumnDescriptor) -> Meaning {
    const DAY: f64 = 86_400.0;
    match (column.logical_type_ref(), column.converted_type()) {
        (Some(LogicalType::Date), _) | (_, ConvertedType::DATE) => Meaning::Moment(1.0),
        (Some(LogicalType::Timestamp(moment)), _) => Meaning::Moment(match moment.unit {
            TimeUnit::MILLIS => DAY * 1e3,
            TimeUnit::MICROS => DAY * 1e6,
            TimeUnit::NANOS => DAY * 1e9,
        }),
        (_, ConvertedType::TIMESTAMP_MILLIS) => Meaning::Moment(DAY * 1e3),
        (_, ConvertedType::TIMESTAMP_MICROS) => Meaning::Moment(DAY * 1e6),
        (
            _,
            ConvertedType::UINT_8
            | ConvertedType::UINT_16
            | ConvertedType::UINT_32
            | ConvertedType::UINT_64,
        ) => Meaning::Unsigned,
        (Some(LogicalType::Integer(integer)), _) if !integer.is_signed => Meaning::Unsigned,
        _ => Meaning::Number(1.0),
    }
}

/// Draws `size` of `rows` rows: Floyd's algorithm, in Bentley and Floyd, *A sample of brilliance*,
/// 1987, <https://doi.org/10.1145/30401.315746>.
fn choose(size: usize, rows: usize, seed: u64) -> BTreeSet<usize> {
    let mut rng = stream(seed, &[]);
    let mut chosen = BTreeSet::new();
    for last in rows - size..rows {
        let row = below(&mut rng, last + 1);
        if !chosen.insert(row) {
            chosen.insert(last);
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_and_big_numbers_are_decoded() {
        let cases = [
            (0x3C00, 1.0),
            (0xC000, -2.0),
            (0x3555, 0.333_251_953_125),
            (0x0001, 2_f64.powi(-24)),
        ];
        for (bits, value) in cases {
            assert_eq!(half(bits), value);
        }
        assert_eq!(half(0x7C00), f64::INFINITY);
        assert_eq!(big_endian(&[0x01, 0x00]), 256.0);
        assert_eq!(big_endian(&[0xFF, 0xFE]), -2.0);
        assert_eq!(big_endian(&[]), 0.0);
        assert_eq!(whole(&[0x01, 0x00]), 256);
        assert_eq!(whole(&[0xFF, 0xFE]), -2);
        assert_eq!(whole(&[]), 0);
    }

    #[test]
    fn a_choice_has_the_size_asked_for_and_follows_the_seed() {
        let chosen = choose(10, 100, 1);
        assert_eq!(chosen.len(), 10);
        assert!(chosen.iter().all(|&row| row < 100));
        assert_eq!(chosen, choose(10, 100, 1));
        assert_ne!(chosen, choose(10, 100, 2));
    }
}
