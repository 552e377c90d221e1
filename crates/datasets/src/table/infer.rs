//! Decides what a column is. The rules stand in the table of the [module](super).

use std::collections::HashSet;

use super::column::{Cells, Column, Levels, Numbers, Words};
use super::date::DateOrder;
use super::error::TableError;
use super::number::{
    DecimalMark, NegativeForm, NumberStyle, Styled, find_style, may_be_codes, percent_mix,
    unsupported,
};
use super::options::ReadNote;
use super::parse::{Context, NumberScan, cell_at, dates, find_dates, intern};
use super::raw::RawColumn;
use super::schema::{BooleanWords, ColumnSchema, Kind};

/// Fewest rows of which a running number or distinct words are taken for identifiers.
const MIN_IDENTIFIERS: usize = 20;

/// Share of distinct words above which they are identifiers.
const IDENTIFIER_SHARE: f64 = 0.95;

/// Words per cell from which a column is text rather than categories.
const TEXT_WORDS: f64 = 5.0;

/// Opposite words, the one for 0 in front.
const OPPOSITES: [(&str, &str); 5] = [
    ("no", "yes"),
    ("n", "y"),
    ("false", "true"),
    ("f", "t"),
    ("off", "on"),
];

/// What became of a column, and what the user should know about it.
pub(crate) type Inferred = (Column, Option<ReadNote>);

/// Infers the kind of a column of text.
pub(crate) fn infer(
    name: &str,
    raw: &RawColumn,
    context: &Context<'_>,
) -> Result<Inferred, TableError> {
    let scan = NumberScan::new(raw, context.markers);
    if scan.present == 0 {
        let words = intern(name, raw, context)?;
        return Ok((words_column(name, Kind::Categorical, words), None));
    }
    if let Some(row) = scan.long_codes() {
        let words = intern(name, raw, context)?;
        let column = words_column(name, word_kind(name, &words), words);
        let note = ReadNote::LongIntegers {
            column: name.to_owned(),
            kind: column.kind(),
            example: cell_at(raw, row),
        };
        return Ok((column, Some(note)));
    }
    // With a decimal comma set, `1.234` is 1234.
    let points = context.decimal == Some(DecimalMark::Comma) && !scan.plain_integers;
    if scan.is_numeric() && !scan.padded && !points {
        return numbers(name, raw, scan, context).map(|column| (column, None));
    }
    if let Some(found) = find_dates(raw, context) {
        let note = found.ambiguous.then(|| ReadNote::AmbiguousDates {
            column: name.to_owned(),
            order: found.order,
        });
        let schema = ColumnSchema::dated(name, found.order);
        return Ok((number_column(schema, found.days), note));
    }
    let NumberScan {
        present,
        words,
        first_word,
        ..
    } = scan;
    drop(scan.values);
    let (column, note) = infer_words(name, intern(name, raw, context)?, context);
    let mostly = words > 0 && words * 20 <= present && present >= MIN_IDENTIFIERS;
    let note = note.or_else(|| {
        let row = first_word.filter(|_| mostly && column.words().is_some())?;
        Some(ReadNote::MostlyNumbers {
            column: name.to_owned(),
            kind: column.kind(),
            words,
            example: super::error::shorten(&cell_at(raw, row)),
            line: context.lines.line(row),
        })
    });
    Ok((column, note))
}

fn numbers(
    name: &str,
    raw: &RawColumn,
    scan: NumberScan,
    context: &Context<'_>,
) -> Result<Column, TableError> {
    if let Some(row) = scan.first_infinite {
        return Err(context.infinite(name, row, &cell_at(raw, row), false));
    }
    let (kind, plain) = (number_kind(name, &scan.values), scan.plain_integers);
    let compact = kind == Kind::Numeric && plain && may_be_compact(&scan.values);
    if compact && let Ok(days) = dates(raw, DateOrder::Compact, context.markers) {
        return Ok(number_column(
            ColumnSchema::dated(name, DateOrder::Compact),
            days,
        ));
    }
    if kind == Kind::Identifier && !plain {
        return Ok(words_column(name, kind, intern(name, raw, context)?));
    }
    Ok(number_column(ColumnSchema::new(name, kind), scan.values))
}

/// Whether all numbers lie where `20240131` and its like do, from 1900 to 2099.
fn may_be_compact(values: &[f64]) -> bool {
    values
        .iter()
        .all(|&x| x.is_nan() || (19_000_101.0..=20_991_231.0).contains(&x))
}

/// The kind of a column of finite numbers.
pub(crate) fn number_kind(name: &str, values: &[f64]) -> Kind {
    let is = |wanted: f64| move |&x: &f64| x == wanted;
    let binary = values.iter().all(|&x| x.is_nan() || x == 0.0 || x == 1.0);
    if binary && values.iter().any(is(0.0)) && values.iter().any(is(1.0)) {
        return Kind::Boolean;
    }
    let candidate = values.len() >= MIN_IDENTIFIERS || (values.len() >= 2 && is_id_name(name));
    if candidate && distinct_integers(values) && (is_id_name(name) || is_running(values)) {
        return Kind::Identifier;
    }
    Kind::Numeric
}

/// Whether all are whole, none is missing, and no two are equal.
fn distinct_integers(values: &[f64]) -> bool {
    let whole = |x: &f64| x.fract() == 0.0 && x.is_finite();
    // Most columns show themselves in their first rows.
    let start = &values[..values.len().min(1000)];
    let mut seen = HashSet::new();
    if !start.iter().all(|x| whole(x) && seen.insert(x.to_bits())) || !values.iter().all(whole) {
        return false;
    }
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.windows(2).all(|pair| pair[0] < pair[1])
}

/// Whether distinct whole numbers count from 0 or 1 without a gap.
fn is_running(values: &[f64]) -> bool {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (low == 0.0 || low == 1.0) && high - low == values.len() as f64 - 1.0
}

/// Whether a name says that the column numbers or names the rows: `id`, `row number`, `user_uuid`, but
/// neither `heat index` nor `%`.
pub(crate) fn is_id_name(name: &str) -> bool {
    const ANYWHERE: [&str; 5] = ["idx", "rownum", "unnamed", "uuid", "guid"];
    const ROWS: [&str; 2] = ["row", "index"];
    const NUMBERS: [&str; 9] = [
        "number", "num", "no", "nr", "index", "idx", "label", "level", "name",
    ];
    const OWNERS: [&str; 13] = [
        "user", "node", "customer", "account", "row", "client", "case", "record", "person",
        "patient", "product", "item", "p",
    ];
    let tokens = tokens(name);
    let (Some(first), Some(last)) = (tokens.first(), tokens.last()) else {
        return matches!(name.trim(), "" | "#");
    };
    let owned = last
        .strip_suffix("id")
        .is_some_and(|owner| OWNERS.contains(&owner));
    let is = |list: &[&str], token: &String| list.contains(&token.as_str());
    let of_rows = is(&ROWS, first) && tokens.get(1).is_none_or(|second| is(&NUMBERS, second));
    first == "id"
        || last == "id"
        || owned
        || of_rows
        || tokens.iter().any(|token| is(&ANYWHERE, token))
}

/// Whether a column without a name of its own, the first of the file, is the index that a data frame
/// was saved with: an empty name in CSV, `Unnamed: 0` after another round, `__index_level_0__` in Parquet.
pub(crate) fn is_index_name(name: &str) -> bool {
    let tokens = tokens(name);
    let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
    matches!(tokens[..], ["unnamed", ..] | ["index", "level", _])
}

/// Makes an identifier of a column that is the index of the rows: whole numbers, even if some come
/// twice, or words that are all different. Dates and others are kept, as they may tell something.
pub(crate) fn as_index(column: &mut Column) -> bool {
    let index = match &column.cells {
        Cells::Numbers(numbers) => {
            column.schema.kind == Kind::Numeric
                && column.schema.number.is_plain()
                && numbers.iter().all(|x| x.fract() == 0.0)
        }
        Cells::Words(words) => {
            let distinct = words.levels().len() == words.len();
            column.schema.kind == Kind::Categorical && distinct && words.len() > 1
        }
    };
    if index {
        column.schema.kind = Kind::Identifier;
    }
    column.schema.kind == Kind::Identifier
}

/// Makes what is to be predicted of a column that was taken for an identifier.
pub(crate) fn as_target(column: &mut Column) {
    if column.schema.kind != Kind::Identifier {
        return;
    }
    column.schema.kind = match &mut column.cells {
        Cells::Numbers(_) => Kind::Numeric,
        Cells::Words(words) => {
            words.sort();
            Kind::Categorical
        }
    };
}

/// The words of a name in lower case: `customerID` is `customer` and `id`.
fn tokens(name: &str) -> Vec<String> {
    let mut tokens = vec![String::new()];
    let mut last_lower = false;
    for letter in name.chars() {
        let starts = !letter.is_alphanumeric() || (letter.is_uppercase() && last_lower);
        if starts {
            tokens.push(String::new());
        }
        if letter.is_alphanumeric()
            && let Some(token) = tokens.last_mut()
        {
            token.extend(letter.to_lowercase());
        }
        last_lower = letter.is_lowercase();
    }
    tokens.retain(|token| !token.is_empty());
    tokens
}

fn infer_words(name: &str, words: Words, context: &Context<'_>) -> Inferred {
    if let Some(truth) = opposites(words.levels()) {
        return (boolean_column(name, &words, truth), None);
    }
    let levels = words.levels();
    let column = || name.to_owned();
    let digits = levels.get(0).bytes().any(|byte| byte.is_ascii_digit());
    let style = find_style(levels, context.decimal).filter(|_| digits);
    if let Some(
        Styled::Sure(percent)
        | Styled::Ambiguous {
            grouped: percent, ..
        },
    ) = &style
        && let Some([signed, cells]) = percent_mix(&words, percent)
    {
        let note = ReadNote::MixedPercent {
            column: column(),
            sign: percent.affix.clone(),
            signed,
            cells,
        };
        return (
            words_column(name, word_kind(name, &words), words),
            Some(note),
        );
    }
    let (style, note) = match style {
        Some(Styled::Sure(style)) if !padded(levels, &style) && !may_be_codes(levels, &style) => {
            let example = negative_example(levels, &style);
            let note = example.map(|(example, value)| ReadNote::NegativeNumbers {
                column: column(),
                example,
                value,
            });
            (Some(style), note)
        }
        // Between cells that a comma separates, a quoted `1,234` has a comma between thousands.
        Some(Styled::Ambiguous { grouped, .. }) if context.comma_separates => {
            let example = levels.get(0).to_owned();
            let value = grouped.parse(&example).unwrap_or(f64::NAN);
            let note = ReadNote::Thousands {
                column: column(),
                example,
                value,
            };
            (Some(grouped), Some(note))
        }
        Some(Styled::Ambiguous { .. }) => {
            let example = levels.get(0).to_owned();
            (
                None,
                Some(ReadNote::AmbiguousNumbers {
                    column: column(),
                    example,
                }),
            )
        }
        _ => (None, None),
    };
    if let Some(style) = style {
        return (styled_column(name, &words, style), note);
    }
    let note = note.or_else(|| {
        let example = unsupported(levels)?;
        let example = super::error::shorten(example);
        Some(ReadNote::UnsupportedNumbers {
            column: column(),
            example,
        })
    });
    (words_column(name, word_kind(name, &words), words), note)
}

/// A negative number that is not written with a minus in front, and its value.
fn negative_example(levels: &Levels, style: &NumberStyle) -> Option<(String, f64)> {
    if style.negative == NegativeForm::Minus {
        return None;
    }
    let value = |word: &str| style.parse(word).filter(|value| *value < 0.0);
    let found = levels.iter().find_map(|word| Some((word, value(word)?)));
    found.map(|(word, value)| (word.to_owned(), value))
}

/// Whether a plain style fits only because codes such as `007` look like numbers.
fn padded(levels: &Levels, style: &NumberStyle) -> bool {
    style.is_plain()
        || levels
            .iter()
            .any(|level| super::number::is_padded(level.as_bytes()))
}

/// Identifiers, sentences or categories.
fn word_kind(name: &str, words: &Words) -> Kind {
    let present = words
        .codes()
        .iter()
        .filter(|&&code| code != Words::MISSING)
        .count();
    let levels = words.levels();
    let share = levels.len() as f64 / present.max(1) as f64;
    if words_per_cell(levels) >= TEXT_WORDS && share > 0.5 && levels.len() >= 10 {
        return Kind::Text;
    }
    let many = present >= MIN_IDENTIFIERS && share >= IDENTIFIER_SHARE;
    if many || (present >= 2 && levels.len() == present && is_id_name(name)) {
        return Kind::Identifier;
    }
    Kind::Categorical
}

/// Mean number of words in the first thousand levels.
pub(crate) fn words_per_cell(levels: &Levels) -> f64 {
    let few = levels.len().min(1000);
    let words: usize = levels
        .iter()
        .take(few)
        .map(|level| level.split_whitespace().count())
        .sum();
    words as f64 / few.max(1) as f64
}

/// The words for 0 and 1, if there are two and they are opposites.
pub(crate) fn opposites(levels: &Levels) -> Option<BooleanWords> {
    let mut seen: Vec<&str> = Vec::new();
    for level in levels.iter() {
        if !seen.iter().any(|other| other.eq_ignore_ascii_case(level)) {
            seen.push(level);
        }
        if seen.len() > 2 {
            return None;
        }
    }
    let &[a, b] = seen.as_slice() else {
        return None;
    };
    let pair = |falsity: &str, truth: &str| {
        let fits = |(no, yes): &(&str, &str)| {
            falsity.eq_ignore_ascii_case(no) && truth.eq_ignore_ascii_case(yes)
        };
        OPPOSITES.iter().any(fits).then(|| BooleanWords {
            falsity: falsity.to_owned(),
            truth: truth.to_owned(),
        })
    };
    pair(a, b).or_else(|| pair(b, a))
}

/// The words for 0 and 1, if all are the same word of a known pair.
pub(crate) fn opposite_of_only_word(levels: &Levels) -> Option<BooleanWords> {
    let same = |word: &str| levels.iter().all(|level| level.eq_ignore_ascii_case(word));
    let mut pairs = OPPOSITES.iter();
    let &(falsity, truth) = pairs.find(|(no, yes)| same(no) || same(yes))?;
    Some(BooleanWords {
        falsity: falsity.to_owned(),
        truth: truth.to_owned(),
    })
}

pub(crate) fn boolean_column(name: &str, words: &Words, truth: BooleanWords) -> Column {
    let values: Vec<f64> = words
        .levels()
        .iter()
        .map(|level| f64::from(u8::from(level.eq_ignore_ascii_case(&truth.truth))))
        .collect();
    let schema = ColumnSchema {
        words: Some(truth),
        ..ColumnSchema::new(name, Kind::Boolean)
    };
    number_column(schema, spread(words, &values))
}

pub(crate) fn styled_column(name: &str, words: &Words, style: NumberStyle) -> Column {
    let values: Vec<f64> = words
        .levels()
        .iter()
        .map(|level| style.parse(level).unwrap_or(f64::NAN))
        .collect();
    let schema = ColumnSchema {
        number: style,
        ..ColumnSchema::new(name, Kind::Numeric)
    };
    number_column(schema, spread(words, &values))
}

/// Gives each row the value of its word.
pub(crate) fn spread(words: &Words, values: &[f64]) -> Vec<f64> {
    let value = |&code: &u32| values.get(code as usize).copied().unwrap_or(f64::NAN);
    words.codes().iter().map(value).collect()
}

pub(crate) fn number_column(schema: ColumnSchema, values: Vec<f64>) -> Column {
    Column {
        schema,
        cells: Cells::Numbers(Numbers::new(values)),
    }
}

pub(crate) fn words_column(name: &str, kind: Kind, mut words: Words) -> Column {
    if kind == Kind::Categorical {
        words.sort();
    }
    Column {
        schema: ColumnSchema::new(name, kind),
        cells: Cells::Words(words),
    }
}
