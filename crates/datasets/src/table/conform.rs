//! Columns whose kind is known: as the user has decided, or as another file had it.

use super::column::{Column, Words};
use super::date::DateOrder;
use super::error::TableError;
use super::infer::{
    boolean_column, number_column, opposite_of_only_word, opposites, spread, styled_column,
    words_column,
};
use super::number::{DecimalMark, Parsed, Styled, find_style, parse_plain};
use super::parse::{Context, NumberScan, cell_at, dates, find_dates, intern};
use super::raw::{PLAIN_NUMBER, RawColumn};
use super::schema::{BooleanWords, ColumnSchema, Kind};

/// Makes a column of the kind that the user has decided.
pub(crate) fn force(
    name: &str,
    kind: Kind,
    raw: &RawColumn,
    context: &Context<'_>,
) -> Result<Column, TableError> {
    match kind {
        Kind::Numeric => force_numeric(name, raw, context),
        Kind::Boolean => force_boolean(name, raw, context),
        Kind::Date => force_date(name, raw, context),
        Kind::Identifier => identifier(name, raw, context),
        Kind::Categorical | Kind::Text => Ok(words_column(name, kind, intern(name, raw, context)?)),
    }
}

fn force_numeric(name: &str, raw: &RawColumn, context: &Context<'_>) -> Result<Column, TableError> {
    let schema = ColumnSchema::new(name, Kind::Numeric);
    let scan = NumberScan::new(raw, context.markers);
    // With a decimal comma set, `1.234` is 1234.
    let points = context.decimal == Some(DecimalMark::Comma) && !scan.plain_integers;
    let row = match scan.first_word {
        Some(row) => row,
        None if points => 0,
        None => return plain_numbers(schema, raw, scan, context),
    };
    let words = intern(name, raw, context)?;
    let style = match find_style(words.levels(), context.decimal) {
        Some(Styled::Sure(style)) => style,
        Some(Styled::Ambiguous { grouped, decimal }) => {
            if context.comma_separates {
                grouped
            } else {
                decimal
            }
        }
        None => return Err(context.bad_cell(name, row, &cell_at(raw, row), schema.expected())),
    };
    Ok(styled_column(name, &words, style))
}

fn plain_numbers(
    schema: ColumnSchema,
    raw: &RawColumn,
    scan: NumberScan,
    context: &Context<'_>,
) -> Result<Column, TableError> {
    if let Some(row) = scan.first_word {
        let cell = cell_at(raw, row);
        return Err(context.bad_cell(&schema.name, row, &cell, schema.expected()));
    }
    match scan.first_infinite {
        Some(row) => Err(context.infinite(&schema.name, row, &cell_at(raw, row), false)),
        None => Ok(number_column(schema, scan.values)),
    }
}

fn force_boolean(name: &str, raw: &RawColumn, context: &Context<'_>) -> Result<Column, TableError> {
    let scan = NumberScan::new(raw, context.markers);
    let binary = |x: &f64| x.is_nan() || *x == 0.0 || *x == 1.0;
    if scan.words == 0 && scan.first_infinite.is_none() && scan.values.iter().all(binary) {
        return Ok(number_column(
            ColumnSchema::new(name, Kind::Boolean),
            scan.values,
        ));
    }
    let words = intern(name, raw, context)?;
    let known = opposites(words.levels()).or_else(|| opposite_of_only_word(words.levels()));
    let truth = known.or_else(|| {
        let mut levels: Vec<&str> = words.levels().iter().collect();
        levels.sort_unstable();
        let &[falsity, truth] = levels.as_slice() else {
            return None;
        };
        Some(BooleanWords {
            falsity: falsity.to_owned(),
            truth: truth.to_owned(),
        })
    });
    let Some(truth) = truth else {
        let reason = format!("it has {} distinct values, not two", words.levels().len());
        return Err(context.kind(name, Kind::Boolean, reason));
    };
    Ok(boolean_column(name, &words, truth))
}

fn force_date(name: &str, raw: &RawColumn, context: &Context<'_>) -> Result<Column, TableError> {
    if let Some(found) = find_dates(raw, context) {
        let schema = ColumnSchema::dated(name, found.order);
        return Ok(number_column(schema, found.days));
    }
    let set = context.date_order;
    let schema = ColumnSchema::dated(name, set.unwrap_or_else(|| most_likely(raw, context)));
    conform_date(&schema, raw, context)
}

/// The order that goes furthest before a cell is no date.
fn most_likely(raw: &RawColumn, context: &Context<'_>) -> DateOrder {
    let reach = |order: &DateOrder| {
        dates(raw, *order, context.markers)
            .err()
            .unwrap_or(usize::MAX)
    };
    let orders = DateOrder::ALL.into_iter().rev();
    orders.max_by_key(reach).unwrap_or(DateOrder::YearMonthDay)
}

/// Whole numbers where text would say no more, else words.
fn identifier(name: &str, raw: &RawColumn, context: &Context<'_>) -> Result<Column, TableError> {
    let scan = NumberScan::new(raw, context.markers);
    if scan.is_numeric() && scan.plain_integers && !scan.padded {
        return Ok(number_column(
            ColumnSchema::new(name, Kind::Identifier),
            scan.values,
        ));
    }
    drop(scan);
    Ok(words_column(
        name,
        Kind::Identifier,
        intern(name, raw, context)?,
    ))
}

/// Reads a column as another file had it.
pub(crate) fn conform(
    schema: &ColumnSchema,
    raw: &RawColumn,
    context: &Context<'_>,
) -> Result<Column, TableError> {
    let name = &schema.name;
    let mut column = match (schema.kind, &schema.words) {
        (Kind::Numeric, _) if schema.number.is_plain() => {
            let scan = NumberScan::new(raw, context.markers);
            plain_numbers(schema.clone(), raw, scan, context)
        }
        (Kind::Numeric, _) => conform_styled(schema, raw, context),
        (Kind::Boolean, Some(truth)) => conform_boolean(schema, truth, raw, context),
        (Kind::Boolean, None) => conform_binary(schema, raw, context),
        (Kind::Date, _) => conform_date(schema, raw, context),
        (kind, _) => force(name, kind, raw, context),
    }?;
    column.schema = schema.clone();
    Ok(column)
}

fn conform_date(
    schema: &ColumnSchema,
    raw: &RawColumn,
    context: &Context<'_>,
) -> Result<Column, TableError> {
    let order = schema.date.unwrap_or(DateOrder::YearMonthDay);
    let days = dates(raw, order, context.markers).map_err(|row| {
        context.bad_cell(&schema.name, row, &cell_at(raw, row), schema.expected())
    })?;
    Ok(number_column(schema.clone(), days))
}

fn conform_styled(
    schema: &ColumnSchema,
    raw: &RawColumn,
    context: &Context<'_>,
) -> Result<Column, TableError> {
    let words = intern(&schema.name, raw, context)?;
    level_values(schema, &words, context, |level| {
        let Some(plain) = level.strip_prefix(PLAIN_NUMBER) else {
            return schema.number.parse(level);
        };
        match parse_plain(plain.as_bytes()) {
            Parsed::Finite(value) => Some(value),
            _ => None,
        }
    })
}

fn conform_boolean(
    schema: &ColumnSchema,
    truth: &BooleanWords,
    raw: &RawColumn,
    context: &Context<'_>,
) -> Result<Column, TableError> {
    let words = intern(&schema.name, raw, context)?;
    level_values(schema, &words, context, |level| {
        let is = |word: &str| level.eq_ignore_ascii_case(word);
        is(&truth.truth)
            .then_some(1.0)
            .or_else(|| is(&truth.falsity).then_some(0.0))
    })
}

fn conform_binary(
    schema: &ColumnSchema,
    raw: &RawColumn,
    context: &Context<'_>,
) -> Result<Column, TableError> {
    let words = intern(&schema.name, raw, context)?;
    level_values(schema, &words, context, |level| {
        level.parse::<f64>().ok().filter(|&x| x == 0.0 || x == 1.0)
    })
}

/// Parses each distinct word once; the first row of a bad one is named.
fn level_values(
    schema: &ColumnSchema,
    words: &Words,
    context: &Context<'_>,
    parse: impl Fn(&str) -> Option<f64>,
) -> Result<Column, TableError> {
    let mut values = Vec::with_capacity(words.levels().len());
    for (code, level) in words.levels().iter().enumerate() {
        let value = parse(level).ok_or_else(|| {
            let row = words
                .codes()
                .iter()
                .position(|&other| other as usize == code);
            let cell = level.trim_start_matches(PLAIN_NUMBER);
            context.bad_cell(&schema.name, row.unwrap_or(0), cell, schema.expected())
        })?;
        values.push(value);
    }
    Ok(number_column(schema.clone(), spread(words, &values)))
}
