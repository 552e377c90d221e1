//! The doors: a file, a stream, with the kinds inferred or known.

use std::io::Read;
use std::path::Path;

use super::Table;
use super::column::Column;
use super::conform::{conform, force};
use super::csv::{Gathered, gather};
use super::error::{TableError, nearest_name};
use super::infer::{Inferred, as_index, as_target, infer, is_index_name};
use super::number::DecimalMark;
use super::options::{ReadNote, ReadOptions, ReadReport};
use super::parse::{Context, cell_at};
use super::raw::{Markers, RawColumn};
use super::schema::{ColumnSchema, Kind, Schema};
use super::source::Source;
use crate::parallel::parallel_map;

/// Reads a table, CSV or Parquet, and infers the kinds of its columns.
///
/// The content decides: Parquet is told by its first bytes, gzip is unpacked, and `-` is standard
/// input. What is found out about the file stands in the report.
///
/// # Errors
///
/// If the file is missing, damaged, empty, too large for the memory, not UTF-8 though no encoding is
/// set, or if a row is longer or shorter than the first. Every error names the file, and the line
/// where there is one.
pub fn read(path: &Path, options: &ReadOptions) -> Result<(Table, ReadReport), TableError> {
    if let Some(file) = parquet_file(path)? {
        return read_parquet(file, path, options);
    }
    infer_csv(Source::open(path, options)?, options)
}

/// Reads a CSV table from a stream; `name` stands for it in messages.
///
/// # Errors
///
/// As [`read`].
pub fn read_csv(
    reader: impl Read,
    name: &str,
    options: &ReadOptions,
) -> Result<(Table, ReadReport), TableError> {
    infer_csv(Source::new(Box::new(reader), name, options)?, options)
}

/// Reads another file of a known kind: its columns may come in any order, and more of them.
///
/// The columns of the table are those of `schema`, in its order. Those in `optional`, such as the
/// target, may be absent. The marks of missing cells are those of the schema; kinds in `options` do
/// not count.
///
/// # Errors
///
/// As [`read`], and if a column is missing or a cell is not what the column holds.
pub fn read_with(
    path: &Path,
    schema: &Schema,
    optional: &[&str],
    options: &ReadOptions,
) -> Result<(Table, ReadReport), TableError> {
    if let Some(file) = parquet_file(path)? {
        return read_parquet_with(file, path, schema, optional, options);
    }
    conform_csv(Source::open(path, options)?, schema, optional, options)
}

/// [`read_with`] for a CSV table from a stream; `name` stands for it in messages.
///
/// # Errors
///
/// As [`read_with`].
pub fn read_csv_with(
    reader: impl Read,
    name: &str,
    schema: &Schema,
    optional: &[&str],
    options: &ReadOptions,
) -> Result<(Table, ReadReport), TableError> {
    conform_csv(
        Source::new(Box::new(reader), name, options)?,
        schema,
        optional,
        options,
    )
}

fn infer_csv(source: Source<'_>, options: &ReadOptions) -> Result<(Table, ReadReport), TableError> {
    let file = source.file.clone();
    let keep = |names: &[String], header| {
        check_overrides(names, header, options, &file)?;
        Ok(vec![true; names.len()])
    };
    let mut gathered = gather(source, options, None, &keep)?;
    let (markers, columns) = (
        Markers::new(&options.missing),
        std::mem::take(&mut gathered.columns),
    );
    let context = context(&file, &markers, &gathered, options);
    let target = gathered.names.iter().zip(&columns);
    let target_marker = target
        .filter(|(name, _)| options.target.as_ref() == Some(name))
        .find_map(|(_, raw)| marker_in(raw, &markers));
    let typed = typed(gathered.names.iter().zip(columns), |(name, raw)| {
        match options.kinds.get(name) {
            Some(&kind) => force(name, kind, &raw, &context).map(|column| (column, None)),
            None => infer(name, &raw, &context),
        }
        .map(|inferred| (inferred, unsure(raw, options, &context)))
    })?;
    let typed = with_points_between_thousands(typed, &context)?;
    let (mut columns, notes): (Vec<Column>, Vec<Option<ReadNote>>) = typed.into_iter().unzip();
    let first_is_index = settle_roles(&mut columns, gathered.unnamed_first, options);
    let mut report = report(&file, &gathered, &columns);
    report.target_marker = target_marker;
    let named = report.notes.iter_mut().find_map(|note| match note {
        ReadNote::Named { index, .. } => Some(index),
        _ => None,
    });
    if let Some(index) = named.filter(|_| gathered.unnamed_first) {
        *index = first_is_index;
    }
    report.notes.extend(notes.into_iter().flatten());
    report
        .notes
        .extend(gathered.stray.map(|stray| ReadNote::StrayQuote {
            line: stray.line,
            lines: stray.lines,
        }));
    Ok((
        table(file, columns, gathered, options.missing.clone()),
        report,
    ))
}

/// The cells again, if all have a point before three digits, as in `1.234`: where other columns have
/// decimal commas, such points hardly mark decimals.
fn unsure(raw: RawColumn, options: &ReadOptions, context: &Context<'_>) -> Option<RawColumn> {
    if context.comma_separates || options.decimal.is_some() {
        return None;
    }
    let mut cells = raw
        .cells()
        .filter(|cell| !context.markers.is_missing(cell))
        .peekable();
    let grouped = cells.peek().is_some() && cells.all(is_grouped);
    grouped.then_some(raw)
}

/// Whether a cell is one to three digits, a point, and three digits.
fn is_grouped(cell: &[u8]) -> bool {
    let digits = cell.strip_prefix(b"-").unwrap_or(cell);
    let Some((whole, [b'.', decimals @ ..])) =
        digits.split_at_checked(digits.len().wrapping_sub(4))
    else {
        return false;
    };
    let all = |part: &[u8]| part.iter().all(u8::is_ascii_digit);
    (1..=3).contains(&whole.len()) && whole[0] != b'0' && all(whole) && all(decimals)
}

/// Reads the columns that are [`unsure`] anew if another has decimal commas; where no other has decimals
/// at all, they are noted.
fn with_points_between_thousands(
    typed: Vec<(Inferred, Option<RawColumn>)>,
    context: &Context<'_>,
) -> Result<Vec<Inferred>, TableError> {
    let commas = typed
        .iter()
        .any(|((column, _), _)| column.schema.number.decimal == DecimalMark::Comma);
    let points = typed
        .iter()
        .any(|((column, _), raw)| raw.is_none() && has_decimal_points(column));
    let context = Context {
        decimal: Some(DecimalMark::Comma),
        ..*context
    };
    let again = |((column, note), raw): (Inferred, Option<RawColumn>)| {
        let plain = column.kind() == Kind::Numeric && column.schema.number.is_plain();
        let Some(raw) = raw.filter(|_| plain && (commas || !points)) else {
            return Ok((column, note));
        };
        let column = if commas {
            infer(column.name(), &raw, &context)?.0
        } else {
            column
        };
        let row = (0..column.len())
            .find(|&row| !column.is_missing(row))
            .unwrap_or(0);
        let (name, example) = (column.name().to_owned(), cell_at(&raw, row));
        let value = column.number(row);
        let note = if commas {
            ReadNote::Thousands {
                column: name,
                example,
                value,
            }
        } else {
            ReadNote::AmbiguousPoints {
                column: name,
                example,
                value,
            }
        };
        Ok((column, Some(note)))
    };
    typed.into_iter().map(again).collect()
}

/// Whether a column has plain numbers that are not whole.
fn has_decimal_points(column: &Column) -> bool {
    let plain = column.kind() == Kind::Numeric && column.schema.number.is_plain();
    let broken = |x: f64| x.is_finite() && x.fract() != 0.0;
    plain
        && column
            .numbers()
            .is_some_and(|numbers| numbers.iter().any(broken))
}

/// The first word of a column that marks a missing cell.
pub(crate) fn marker_in(raw: &RawColumn, markers: &Markers) -> Option<String> {
    let word = raw
        .cells()
        .find(|cell| !cell.is_empty() && markers.is_missing(cell))?;
    Some(String::from_utf8_lossy(word).into_owned())
}

fn conform_csv(
    source: Source<'_>,
    schema: &Schema,
    optional: &[&str],
    options: &ReadOptions,
) -> Result<(Table, ReadReport), TableError> {
    let options = ReadOptions {
        missing: schema.missing.clone(),
        header: options.header.or(Some(schema.header)),
        // What was named by its place is found again by its place.
        names: None,
        ..options.clone()
    };
    let file = source.file.clone();
    let keep = |names: &[String], header| {
        let plan = Plan::new(names, header, schema, optional, &file)?;
        Ok((0..names.len())
            .map(|at| plan.of_column.contains(&Some(at)))
            .collect())
    };
    let mut gathered = gather(source, &options, Some(schema), &keep)?;
    if let Some(stray) = gathered.stray {
        return Err(TableError::StrayQuote {
            file,
            line: stray.line,
            lines: stray.lines,
        });
    }
    let plan = Plan::new(&gathered.names, gathered.header, schema, optional, &file)?;
    let markers = Markers::of(schema);
    let columns = std::mem::take(&mut gathered.columns);
    let columns = in_schema_order(columns, schema, &plan);
    let context = context(&file, &markers, &gathered, &options);
    let columns = typed(columns, |(column, raw)| conform(column, &raw, &context))?;
    let mut report = report(&file, &gathered, &columns);
    report.ignored = plan.ignored(&gathered.names);
    report.absent = plan.absent(schema);
    report.notes.clear();
    let mut table = table(file, columns, gathered, options.missing);
    table.header = schema.header;
    Ok((table, report))
}

/// Where the columns of a schema are in a file.
pub(crate) struct Plan {
    /// For each column of the schema its place in the file, or `None` where it is absent.
    pub(crate) of_column: Vec<Option<usize>>,
}

impl Plan {
    pub(crate) fn new(
        names: &[String],
        header: bool,
        schema: &Schema,
        optional: &[&str],
        file: &str,
    ) -> Result<Self, TableError> {
        let of_column = if header {
            by_name(names, schema, optional, file)?
        } else {
            by_place(names.len(), schema, optional, file)?
        };
        Ok(Self { of_column })
    }

    pub(crate) fn ignored(&self, names: &[String]) -> Vec<String> {
        let unused = |at: &usize| !self.of_column.contains(&Some(*at));
        (0..names.len())
            .filter(unused)
            .map(|at| names[at].clone())
            .collect()
    }

    pub(crate) fn absent(&self, schema: &Schema) -> Vec<String> {
        let columns = schema.columns.iter().zip(&self.of_column);
        let absent = columns.filter(|(_, place)| place.is_none());
        absent.map(|(column, _)| column.name.clone()).collect()
    }
}

fn by_name(
    names: &[String],
    schema: &Schema,
    optional: &[&str],
    file: &str,
) -> Result<Vec<Option<usize>>, TableError> {
    let place = |column: &ColumnSchema| {
        let place = names.iter().position(|name| *name == column.name);
        if place.is_none() && !optional.contains(&column.name.as_str()) {
            // A name that the schema has itself was not meant for another.
            let unknown = names
                .iter()
                .map(String::as_str)
                .filter(|name| schema.column(name).is_none());
            let nearest = nearest_name(&column.name, unknown);
            return Err(TableError::NoColumn {
                file: file.to_owned(),
                name: column.name.clone(),
                nearest,
                columns: names.to_vec(),
                header: true,
            });
        }
        Ok(place)
    };
    schema.columns.iter().map(place).collect()
}

/// Without a header all columns are there in their order, or all but the optional ones, or all but the
/// first of these.
fn by_place(
    found: usize,
    schema: &Schema,
    optional: &[&str],
    file: &str,
) -> Result<Vec<Option<usize>>, TableError> {
    let expected = schema.columns.len();
    let is_optional = |column: &&ColumnSchema| optional.contains(&column.name.as_str());
    let count = schema.columns.iter().filter(is_optional).count();
    let absent: &[&str] = if found == expected {
        &[]
    } else if found + count == expected {
        optional
    } else if count > 0 && found + 1 == expected {
        &optional[..1]
    } else {
        return Err(TableError::ColumnCount {
            file: file.to_owned(),
            expected,
            found,
        });
    };
    let mut places = 0..found;
    let place = |column: &ColumnSchema| {
        if absent.contains(&column.name.as_str()) {
            None
        } else {
            places.next()
        }
    };
    Ok(schema.columns.iter().map(place).collect())
}

/// Pairs the columns that the schema has and the file holds.
fn in_schema_order<'s, C>(
    columns: Vec<C>,
    schema: &'s Schema,
    plan: &Plan,
) -> Vec<(&'s ColumnSchema, C)> {
    let mut kept: Vec<usize> = plan.of_column.iter().copied().flatten().collect();
    kept.sort_unstable();
    let mut columns: Vec<Option<C>> = columns.into_iter().map(Some).collect();
    let take = |(column, place): (&'s ColumnSchema, &Option<usize>)| {
        let at = kept.binary_search(&(*place)?).ok()?;
        Some((column, columns.get_mut(at)?.take()?))
    };
    schema
        .columns
        .iter()
        .zip(&plan.of_column)
        .filter_map(take)
        .collect()
}

/// Types columns on all cores; of several errors the one of the first column is returned.
pub(crate) fn typed<I, T: Send>(
    columns: impl IntoIterator<Item = I>,
    type_one: impl Fn(I) -> Result<T, TableError> + Sync + Send,
) -> Result<Vec<T>, TableError>
where
    I: Send,
{
    parallel_map(columns, type_one).into_iter().collect()
}

/// Checks that the columns whose kind is set are there.
pub(crate) fn check_overrides(
    names: &[String],
    header: bool,
    options: &ReadOptions,
    file: &str,
) -> Result<(), TableError> {
    let own = header || options.names.is_some();
    match options.kinds.keys().find(|name| !names.contains(name)) {
        Some(name) => {
            let names = names.iter().map(String::as_str);
            Err(TableError::no_column(file, name, names, own))
        }
        None => Ok(()),
    }
}

/// Settles which columns are identifiers whatever their cells are: an index is, the target is not.
/// `unnamed_first` says that the first column has no name. Returns whether that one is an index.
pub(crate) fn settle_roles(
    columns: &mut [Column],
    unnamed_first: bool,
    options: &ReadOptions,
) -> bool {
    let is_target = |column: &Column| options.target.as_deref() == Some(column.name());
    let many = columns.len() > 1;
    let mut index = false;
    if let Some(first) = columns.first_mut() {
        let set = options.kinds.contains_key(first.name()) || is_target(first);
        if many && !set && (unnamed_first || is_index_name(first.name())) {
            index = as_index(first);
        }
    }
    let mut columns = columns.iter_mut();
    let target = columns.find(|column| is_target(column));
    if let Some(target) = target.filter(|target| !options.kinds.contains_key(target.name())) {
        as_target(target);
    }
    index
}

fn context<'a>(
    file: &'a str,
    markers: &'a Markers,
    gathered: &'a Gathered,
    options: &ReadOptions,
) -> Context<'a> {
    Context {
        file,
        markers,
        lines: &gathered.lines,
        date_order: options.date_order,
        decimal: options.decimal,
        comma_separates: gathered.delimiter == Some(','),
    }
}

fn report(file: &str, gathered: &Gathered, columns: &[Column]) -> ReadReport {
    ReadReport {
        file: file.to_owned(),
        format: gathered.format.name(),
        delimiter: gathered.delimiter,
        header: gathered.header,
        encoding: Some(gathered.encoding),
        rows_in_file: gathered.rows_in_file,
        rows: columns.first().map_or(0, Column::len),
        target_marker: None,
        ignored: Vec::new(),
        absent: Vec::new(),
        notes: gathered.notes.clone(),
    }
}

fn table(name: String, columns: Vec<Column>, gathered: Gathered, missing: Vec<String>) -> Table {
    Table {
        name,
        columns,
        lines: gathered.lines,
        missing,
        header: gathered.header,
    }
}

/// The file, if its first bytes are those of Parquet.
pub(crate) fn parquet_file(path: &Path) -> Result<Option<std::fs::File>, TableError> {
    use super::source::{open_file, read_error};
    if path.as_os_str() == "-" {
        return Ok(None);
    }
    let mut file = open_file(path)?;
    let mut magic = Vec::with_capacity(4);
    let read = (&mut file).take(4).read_to_end(&mut magic);
    read.map_err(|source| read_error(&path.display().to_string(), source))?;
    Ok((magic == b"PAR1").then_some(file))
}

#[cfg(feature = "parquet")]
use super::parquet::{read_parquet, read_parquet_with};

#[cfg(not(feature = "parquet"))]
fn read_parquet(
    _: std::fs::File,
    path: &Path,
    _: &ReadOptions,
) -> Result<(Table, ReadReport), TableError> {
    Err(TableError::NoParquet {
        file: path.display().to_string(),
    })
}

#[cfg(not(feature = "parquet"))]
fn read_parquet_with(
    file: std::fs::File,
    path: &Path,
    _: &Schema,
    _: &[&str],
    options: &ReadOptions,
) -> Result<(Table, ReadReport), TableError> {
    read_parquet(file, path, options)
}

#[cfg(test)]
mod tests;
