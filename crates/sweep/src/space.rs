//! The values that a search chooses from: ranges and choices of recipe keys.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use tinderbox_train::overlay::{OverlayError, Patchable, assign, recipe_table};
use toml::{Table, Value};

/// Values of recipe keys, by key.
pub type Values = BTreeMap<String, Value>;

/// The keys that a search changes, with what it chooses from.
#[derive(Clone, Debug, PartialEq)]
pub struct Space {
    parameters: Vec<Parameter>,
}

/// A key that a search changes.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// The key of the recipe, as in `optimizer.learning_rate`.
    pub key: String,
    /// What its value is chosen from.
    pub range: Range,
    /// Keys and the values of which they must have one; the parameter is left alone otherwise.
    pub when: Vec<(String, Vec<Value>)>,
}

/// What a value is chosen from.
#[derive(Clone, Debug, PartialEq)]
pub enum Range {
    /// A number between two others, both included.
    Float {
        /// The least.
        min: f64,
        /// The greatest.
        max: f64,
        /// Whether ratios count rather than differences.
        log: bool,
    },
    /// A whole number between two others, both included.
    Int {
        /// The least.
        min: i64,
        /// The greatest.
        max: i64,
        /// Whether ratios count rather than differences.
        log: bool,
    },
    /// One of a list.
    Choices(Vec<Value>),
}

/// Why a search space cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SpaceError {
    /// No TOML.
    #[error("the search space is not valid TOML: {0}")]
    Syntax(String),
    /// Nothing to search.
    #[error("the search space is empty: name at least one key of the recipe, such as `{EXAMPLE}`")]
    Empty,
    /// A key without a range.
    #[error(
        "`{key}` in the search space is {value}, which is no range; write `{{ min = A, max = B }}` or \
         `{{ choices = [A, B] }}`, or fix the value with `--set {key}={value}`"
    )]
    NoRange {
        /// The key.
        key: String,
        /// Its value.
        value: String,
    },
    /// A range that is written in another way.
    #[error("`{key}` in the search space {problem}")]
    Range {
        /// The key.
        key: String,
        /// What is wrong.
        problem: String,
    },
    /// The recipe has no such key, or it cannot have such a value.
    #[error("`{key}` in the search space: {source}")]
    Recipe {
        /// The key.
        key: String,
        /// Why the recipe refuses it.
        source: OverlayError,
    },
    /// A value of the right type that no recipe can have.
    #[error("`{key}` in the search space: {reason}")]
    Value {
        /// The key.
        key: String,
        /// Why the recipe refuses it.
        reason: String,
    },
    /// Conditions that wait for each other.
    #[error("the conditions of {keys} in the search space depend on each other")]
    Circular {
        /// The keys.
        keys: String,
    },
    /// A recipe with no key that the built-in spaces know.
    #[error(
        "there is no built-in search space for the recipe `{0}`: no key that one would search has an effect, or `--set` \
         fixes them all; write a space and pass it with `--space`"
    )]
    NoDefault(String),
}

const EXAMPLE: &str = "optimizer.learning_rate = { min = 1e-4, max = 1e-2, log = true }";

/// Words of the table of a parameter.
const WORDS: [&str; 5] = ["min", "max", "log", "choices", "when"];

/// Keys that say which items there are and what is predicted, besides those of `split` and `data.format`: their trials
/// would not be judged on the same items.
const ITEM_KEYS: [&str; 23] = [
    "data.background",
    "data.bad_boxes",
    "data.bad_points",
    "data.classes",
    "data.download",
    "data.first",
    "data.group_by",
    "data.kind",
    "data.label",
    "data.names",
    "data.path",
    "data.points",
    "data.positive",
    "data.sample",
    "data.second",
    "data.seed",
    "data.skip_broken",
    "data.skip_empty",
    "data.target",
    "data.task",
    "data.test",
    "data.text",
    "data.values",
];

/// Whether a key says which items there are, what is predicted of them, or in which split they are.
fn is_of_items(key: &str) -> bool {
    ["split.", "data.format."]
        .iter()
        .any(|section| key.starts_with(section))
        || key == "environment"
        || ITEM_KEYS.contains(&key)
}

impl Space {
    /// Reads a space of the keys of a recipe.
    ///
    /// # Errors
    ///
    /// If it is no TOML, or the recipe does not have a key or cannot have a value.
    pub fn parse<T: Patchable + Clone>(text: &str, recipe: &T) -> Result<Self, SpaceError> {
        let table: Table = text
            .parse()
            .map_err(|error: toml::de::Error| SpaceError::Syntax(error.to_string()))?;
        let mut found = Vec::new();
        collect(&table, "", &mut found)?;
        Self::of(found, recipe)
    }

    /// The space that fits most recipes: learning rate, regularization, batch size and width, around the values of
    /// this one. Keys without an effect and `fixed` ones, or those of a fixed section, are left out.
    ///
    /// # Errors
    ///
    /// If no key is left.
    pub fn around<T: Patchable + Clone>(
        recipe: &T,
        name: &str,
        fixed: &[&str],
    ) -> Result<Self, SpaceError> {
        let table = base_table(recipe)?;
        let is_fixed = |key: &str| {
            fixed.iter().any(|fixed| {
                let rest = key.strip_prefix(*fixed);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            })
        };
        let mut found = Vec::new();
        for (key, rule) in RULES {
            if is_fixed(key) || !has_effect(key, &table) {
                continue;
            }
            let Some(value) = lookup(&table, key) else {
                continue;
            };
            if let Some(range) = rule(value) {
                found.push(Found {
                    key: (*key).to_owned(),
                    table: range,
                });
            }
        }
        if found.is_empty() {
            return Err(SpaceError::NoDefault(name.to_owned()));
        }
        Self::of(found, recipe)
    }

    fn of<T: Patchable + Clone>(found: Vec<Found>, recipe: &T) -> Result<Self, SpaceError> {
        if found.is_empty() {
            return Err(SpaceError::Empty);
        }
        let parameters = found
            .into_iter()
            .map(|found| parameter(found, recipe))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            parameters: ordered(parameters)?,
        })
    }

    /// Checks a new space: no key says which items there are, and a recipe can have both ends of each range and each
    /// choice: as it is, or with a value of one other key of the space. `valid` says why a recipe cannot be trained.
    ///
    /// # Errors
    ///
    /// Names a key that cannot be searched, or a value with which no recipe is valid.
    pub fn check<T: Patchable + Clone>(
        &self,
        recipe: &T,
        valid: impl Fn(&T) -> Result<(), String>,
    ) -> Result<(), SpaceError> {
        let fits = |base: &T, values: &Values| {
            let recipe = apply(base.clone(), values).map_err(|error| error.to_string())?;
            valid(&recipe)
        };
        for Parameter { key, range, when } in &self.parameters {
            if is_of_items(key) {
                return Err(SpaceError::Range {
                    key: key.clone(),
                    problem: "says which items there are or how they are split, and trials on different items cannot \
                              be compared; fix it with `--set`"
                        .to_owned(),
                });
            }
            let bases = bases(when, recipe).map_err(|source| SpaceError::Recipe {
                key: key.clone(),
                source,
            });
            let (base, others) = bases?;
            for value in range.ends() {
                let one = Values::from([(key.clone(), value)]);
                let Err(reason) = fits(&base, &one) else {
                    continue;
                };
                let pairs = self.pairs(&one);
                let is_possible = std::iter::once(&base).chain(&others).any(|base| {
                    let mut all = std::iter::once(&one).chain(&pairs);
                    all.any(|values| fits(base, values).is_ok())
                });
                if !is_possible {
                    let key = key.clone();
                    return Err(SpaceError::Value { key, reason });
                }
            }
        }
        Ok(())
    }

    /// A value with each end and choice of each other parameter.
    fn pairs(&self, one: &Values) -> Vec<Values> {
        let others = self
            .parameters
            .iter()
            .filter(|other| !one.contains_key(&other.key));
        let pairs = others.flat_map(|other| {
            let ends = other.range.ends().into_iter();
            ends.map(move |value| {
                let mut pair = one.clone();
                pair.insert(other.key.clone(), value);
                pair
            })
        });
        pairs.collect()
    }

    /// The parameters, those that others depend on first.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// The space as TOML.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for parameter in &self.parameters {
            let mut words = match &parameter.range {
                Range::Float { min, max, log } => {
                    let ends = [min, max].map(|end| Value::Float(*end));
                    ends_text(&ends, *log)
                }
                Range::Int { min, max, log } => {
                    let ends = [min, max].map(|end| Value::Integer(*end));
                    ends_text(&ends, *log)
                }
                Range::Choices(values) => format!("choices = {}", Value::Array(values.clone())),
            };
            if !parameter.when.is_empty() {
                let conditions = parameter
                    .when
                    .iter()
                    .map(|(key, values)| match &values[..] {
                        [value] => format!("\"{key}\" = {value}"),
                        _ => format!("\"{key}\" = {}", Value::Array(values.clone())),
                    });
                let conditions: Vec<String> = conditions.collect();
                let _ = write!(words, ", when = {{ {} }}", conditions.join(", "));
            }
            let _ = writeln!(text, "{} = {{ {words} }}", parameter.key);
        }
        text
    }
}

fn ends_text([min, max]: &[Value; 2], log: bool) -> String {
    let log = if log { ", log = true" } else { "" };
    format!("min = {min}, max = {max}{log}")
}

impl Range {
    /// Both ends, or all choices.
    fn ends(&self) -> Vec<Value> {
        match self {
            Self::Float { min, max, .. } => vec![Value::Float(*min), Value::Float(*max)],
            Self::Int { min, max, .. } => vec![Value::Integer(*min), Value::Integer(*max)],
            Self::Choices(values) => values.clone(),
        }
    }
}

impl Parameter {
    /// Whether the parameter has a value where the keys have these, else those of the recipe.
    pub fn applies(&self, values: &Values, recipe: &Table) -> bool {
        self.when.iter().all(|(key, wanted)| {
            let value = values.get(key).or_else(|| lookup(recipe, key));
            value.is_some_and(|value| wanted.contains(value))
        })
    }
}

/// A recipe with these values.
///
/// # Errors
///
/// If it has no such key or cannot have such a value.
pub fn apply<T: Patchable>(recipe: T, values: &Values) -> Result<T, OverlayError> {
    // What a section is comes before what is in it.
    let (kinds, rest): (Vec<_>, Vec<_>) = values.iter().partition(|(key, _)| is_kind(key));
    let assignments = kinds.into_iter().chain(rest);
    let assignments: Vec<String> = assignments
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    assign(recipe, &assignments)
}

/// Whether a key says what the section that it is in holds.
fn is_kind(key: &str) -> bool {
    key.rsplit('.').next() == Some("kind")
}

/// A key with the table that describes its range.
struct Found {
    key: String,
    table: Table,
}

fn collect(table: &Table, path: &str, found: &mut Vec<Found>) -> Result<(), SpaceError> {
    for (name, value) in table {
        let key = match path {
            "" => name.clone(),
            path => format!("{path}.{name}"),
        };
        match value {
            Value::Table(inner) if WORDS.iter().any(|word| inner.contains_key(*word)) => {
                found.push(Found {
                    key,
                    table: inner.clone(),
                });
            }
            Value::Table(inner) => collect(inner, &key, found)?,
            value => {
                let value = value.to_string();
                return Err(SpaceError::NoRange { key, value });
            }
        }
    }
    Ok(())
}

fn parameter<T: Patchable + Clone>(found: Found, recipe: &T) -> Result<Parameter, SpaceError> {
    let Found { key, mut table } = found;
    let refuse = |problem: String| SpaceError::Range {
        key: key.clone(),
        problem,
    };
    if key == "train.seed" {
        return Err(refuse(
            "has no effect, because the sweep sets it; to train each trial with several seeds, use `--seeds N`".to_owned(),
        ));
    }
    if let Some(word) = table.keys().find(|word| !WORDS.contains(&word.as_str())) {
        return Err(refuse(format!(
            "has `{word}`; known are min, max, log, choices and when"
        )));
    }
    let when = conditions(table.remove("when"), &key)?;
    let refused = |source| SpaceError::Recipe {
        key: key.clone(),
        source,
    };
    let (base, others) = bases(&when, recipe).map_err(refused)?;
    let log = match table.remove("log") {
        None => false,
        Some(Value::Boolean(log)) => log,
        Some(other) => return Err(refuse(format!("has log = {other}; write true or false"))),
    };
    let range = match (
        table.remove("min"),
        table.remove("max"),
        table.remove("choices"),
    ) {
        (Some(min), Some(max), None) => {
            let current = base_table(&base)?;
            let is_float = matches!(lookup(&current, &key), Some(Value::Float(_)));
            range(&min, &max, log, is_float).map_err(refuse)?
        }
        (None, None, Some(Value::Array(values))) if log => {
            return Err(refuse(format!(
                "has log = true, which its {} choices cannot have",
                values.len()
            )));
        }
        (None, None, Some(Value::Array(values))) if values.is_empty() => {
            return Err(refuse("has no choices; name at least one value".to_owned()));
        }
        (None, None, Some(Value::Array(values))) => Range::Choices(values),
        (None, None, Some(other)) => {
            return Err(refuse(format!(
                "has choices = {other}; write a list in brackets"
            )));
        }
        _ => {
            return Err(refuse(
                "needs either both min and max, or choices".to_owned(),
            ));
        }
    };
    for value in range.ends() {
        let one = Values::from([(key.clone(), value)]);
        for base in std::iter::once(&base).chain(&others) {
            apply(base.clone(), &one).map_err(refused)?;
        }
    }
    Ok(Parameter { key, range, when })
}

/// The recipe with the first value of each condition, and for each further value the same with that one.
fn bases<T: Patchable + Clone>(
    when: &[(String, Vec<Value>)],
    recipe: &T,
) -> Result<(T, Vec<T>), OverlayError> {
    let firsts = when
        .iter()
        .filter_map(|(key, values)| Some((key.clone(), values.first()?.clone())));
    let firsts: Values = firsts.collect();
    let base = apply(recipe.clone(), &firsts)?;
    let mut others = Vec::new();
    for (key, values) in when {
        for value in values.iter().skip(1) {
            let mut one = firsts.clone();
            one.insert(key.clone(), value.clone());
            others.push(apply(recipe.clone(), &one)?);
        }
    }
    Ok((base, others))
}

fn range(min: &Value, max: &Value, log: bool, is_float: bool) -> Result<Range, String> {
    let number = |value: &Value| match value {
        Value::Float(number) => Some(*number),
        Value::Integer(number) => Some(*number as f64),
        _ => None,
    };
    let (Some(low), Some(high)) = (number(min), number(max)) else {
        return Err(format!(
            "goes from {min} to {max}, which are not both numbers"
        ));
    };
    if !(low.is_finite() && high.is_finite() && low < high) {
        return Err(format!(
            "has an empty range: min {min} is not below max {max}"
        ));
    }
    if log && low <= 0.0 {
        return Err(format!(
            "has log = true, for which min must be above 0 (got {min})"
        ));
    }
    Ok(match (min, max) {
        (Value::Integer(min), Value::Integer(max)) if !is_float => Range::Int {
            min: *min,
            max: *max,
            log,
        },
        _ => Range::Float {
            min: low,
            max: high,
            log,
        },
    })
}

fn conditions(when: Option<Value>, key: &str) -> Result<Vec<(String, Vec<Value>)>, SpaceError> {
    let refuse = |problem: String| SpaceError::Range {
        key: key.to_owned(),
        problem,
    };
    let Some(when) = when else {
        return Ok(Vec::new());
    };
    let Value::Table(table) = when else {
        return Err(refuse(format!(
            "has when = {when}; write when = {{ \"model.kind\" = \"mlp\" }}"
        )));
    };
    let mut conditions = Vec::new();
    flatten(&table, "", &mut conditions);
    if let Some((name, _)) = conditions.iter().find(|(_, values)| values.is_empty()) {
        return Err(refuse(format!(
            "has no value for `{name}` in when; name at least one"
        )));
    }
    Ok(conditions)
}

fn flatten(table: &Table, path: &str, all: &mut Vec<(String, Vec<Value>)>) {
    for (name, value) in table {
        let key = match path {
            "" => name.clone(),
            path => format!("{path}.{name}"),
        };
        match value {
            Value::Table(inner) => flatten(inner, &key, all),
            Value::Array(values) => all.push((key, values.clone())),
            value => all.push((key, vec![value.clone()])),
        }
    }
}

/// The parameters, each after those that its conditions name.
fn ordered(mut left: Vec<Parameter>) -> Result<Vec<Parameter>, SpaceError> {
    let mut done: Vec<Parameter> = Vec::new();
    while !left.is_empty() {
        let waits = |parameter: &Parameter| {
            let mut keys = parameter.when.iter().map(|(key, _)| key);
            keys.any(|key| left.iter().any(|other| other.key == *key))
        };
        let Some(at) = left.iter().position(|parameter| !waits(parameter)) else {
            let keys: Vec<String> = left.iter().map(|one| format!("`{}`", one.key)).collect();
            return Err(SpaceError::Circular {
                keys: keys.join(" and "),
            });
        };
        done.push(left.remove(at));
    }
    Ok(done)
}

/// The value at a path such as `model.kind`.
pub(crate) fn lookup<'a>(table: &'a Table, key: &str) -> Option<&'a Value> {
    let (section, name) = match key.rsplit_once('.') {
        None => (table, key),
        Some((path, name)) => {
            let mut section = table;
            for part in path.split('.') {
                section = section.get(part)?.as_table()?;
            }
            (section, name)
        }
    };
    section.get(name)
}

fn base_table<T: Patchable>(recipe: &T) -> Result<Table, SpaceError> {
    recipe_table(recipe).map_err(|error| SpaceError::Syntax(error.to_string()))
}

/// From the value of a recipe to the table of a range around it; none if it is to stay.
type Rule = fn(&Value) -> Option<Table>;

/// The keys of the built-in spaces.
const RULES: &[(&str, Rule)] = &[
    ("optimizer.learning_rate", |value| factor(value, 10.0)),
    ("optimizer.weight_decay", |value| factor(value, 10.0)),
    ("train.batch_size", |value| powers(value, 8)),
    ("model.dropout", |_| between(0.0, 0.5)),
    ("model.d_block", |value| powers(value, 16)),
    ("model.d_hidden", |value| powers(value, 16)),
    ("augment.token_dropout", |value| {
        unless_zero(value, 0.0, 0.6)
    }),
    ("loss.label_smoothing", |_| between(0.0, 0.2)),
    ("transfer.l2", |_| logarithmic(0.1, 1000.0)),
    ("agent.gamma", |_| between(0.95, 0.999)),
    ("agent.n_step", |_| whole(1, 20)),
    ("agent.target_update_interval", |value| powers(value, 16)),
    ("agent.ent_coef", |_| between(0.0, 0.02)),
];

/// Whether the value of a key of the built-in spaces changes what is trained.
fn has_effect(key: &str, recipe: &Table) -> bool {
    let text = |key: &str| {
        let value = lookup(recipe, key).and_then(Value::as_str);
        value.unwrap_or_default()
    };
    let is_transfer = !text("transfer.weights").is_empty();
    let is_frozen = is_transfer && text("transfer.mode") == "frozen";
    let (section, _) = key.split_once('.').unwrap_or((key, ""));
    match section {
        // The network is that of the published weights.
        "model" => !is_transfer && text("weights").is_empty(),
        // Only the last layer is fitted, and not in steps.
        "optimizer" | "schedule" | "augment" | "train" => !is_frozen,
        "transfer" => is_frozen,
        // Numbers and sets of labels have another loss than one class of several.
        "loss" => text("data.task") != "regression" && text("data.kind") != "multi-label",
        _ => true,
    }
}

/// Every value up to so many times smaller and larger.
fn factor(value: &Value, times: f64) -> Option<Table> {
    let value = value.as_float().filter(|value| *value > 0.0)?;
    // Rounded, so that the space can be read.
    let [min, max] = [value / times, value * times]
        .map(|end| format!("{end:.3e}").parse::<f64>().map(Value::Float));
    let ends = [
        ("min", min.ok()?),
        ("max", max.ok()?),
        ("log", Value::Boolean(true)),
    ];
    Some(table_of(ends))
}

/// Half of a number, the number, and twice as much, from `least`.
fn powers(value: &Value, least: i64) -> Option<Table> {
    let value = value.as_integer().filter(|value| *value > 0)?;
    let choices: Vec<Value> = [value / 2, value, value * 2]
        .into_iter()
        .filter(|choice| *choice >= least.min(value))
        .map(Value::Integer)
        .collect();
    Some(table_of([("choices", Value::Array(choices))]))
}

#[expect(clippy::unnecessary_wraps, reason = "the type of a rule")]
fn between(min: f64, max: f64) -> Option<Table> {
    Some(table_of([
        ("min", Value::Float(min)),
        ("max", Value::Float(max)),
    ]))
}

#[expect(clippy::unnecessary_wraps, reason = "the type of a rule")]
fn logarithmic(min: f64, max: f64) -> Option<Table> {
    Some(table_of([
        ("min", Value::Float(min)),
        ("max", Value::Float(max)),
        ("log", Value::Boolean(true)),
    ]))
}

#[expect(clippy::unnecessary_wraps, reason = "the type of a rule")]
fn whole(min: i64, max: i64) -> Option<Table> {
    Some(table_of([
        ("min", Value::Integer(min)),
        ("max", Value::Integer(max)),
    ]))
}

/// A range for what a recipe uses.
fn unless_zero(value: &Value, min: f64, max: f64) -> Option<Table> {
    value.as_float().filter(|value| *value > 0.0)?;
    between(min, max)
}

fn table_of<const N: usize>(pairs: [(&str, Value); N]) -> Table {
    pairs
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

#[cfg(test)]
pub(crate) mod tests;
