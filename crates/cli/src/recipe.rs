//! From `--recipe`, `--set` and the other flags to one recipe.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use time::OffsetDateTime;
use tinderbox_train::overlay::{
    Patchable, annotated, assign, keys, nearest, overlay, recipe_table, reference, reread,
};
use tinderbox_train::run_dir::{RECIPE_FILE, RunDir};
use toml::{Table, Value};

use crate::interrupt::set_run;
use crate::{Failure, OrUserError as _, Output, RecipesArgs, RunArgs, table};

/// The recipes of an app.
pub struct Catalogue<T> {
    /// Names with a line on each; the first is the default.
    pub names: &'static [(&'static str, &'static str)],
    /// A recipe by its name.
    pub builtin: fn(&str) -> Option<T>,
}

impl<T: Patchable> Catalogue<T> {
    /// A built-in recipe.
    ///
    /// # Errors
    ///
    /// If there is none of that name; names the nearest.
    pub fn get(&self, name: &str) -> Result<T, Failure> {
        (self.builtin)(name).ok_or_else(|| {
            let near = nearest(name, self.names.iter().map(|(name, _)| *name));
            let hint = near
                .map(|near| format!(" (did you mean `{near}`?)"))
                .unwrap_or_default();
            let known: Vec<&str> = self.names.iter().map(|(name, _)| *name).collect();
            Failure::UserError(anyhow!(
                "unknown recipe `{name}`{hint}; known are {}, or a file that ends in `.toml`",
                known.join(", ")
            ))
        })
    }

    /// The default recipe, a built-in one, or a file laid over the built-in one that its `name`
    /// says (else over the default).
    ///
    /// # Errors
    ///
    /// If it is not there, or has an unknown key or an invalid value.
    pub fn resolve(&self, name_or_file: Option<&str>, sets: &[String]) -> Result<T, Failure> {
        let default = self.names.first().map_or("", |(name, _)| name);
        let recipe = match name_or_file {
            None => self.get(default)?,
            Some(file) if is_file_name(file) => self.read(Path::new(file))?,
            Some(name) => self.get(name)?,
        };
        assign(recipe, sets).context("`--set`").or_user_error()
    }

    /// The recipe that the flags name, with nothing overridden: that of the run to resume, or a
    /// built-in one or a file.
    ///
    /// # Errors
    ///
    /// As for [`resolve`](Self::resolve), or if there is no run to resume.
    pub fn named(&self, args: &RunArgs) -> Result<T, Failure> {
        match (&args.resume, &args.recipe) {
            (Some(dir), None) => {
                let text = RunDir::recipe(dir).or_user_error()?;
                self.load(&text, &dir.join(RECIPE_FILE))
            }
            (_, recipe) => self.resolve(recipe.as_deref(), &[]),
        }
    }

    /// The recipe that the flags describe: the named one, with the keys that `--set` and the
    /// shortcuts override.
    ///
    /// # Errors
    ///
    /// As for [`named`](Self::named) and [`overridden`].
    pub fn of_run(&self, args: &RunArgs) -> Result<T, Failure> {
        overridden(self.named(args)?, args)
    }

    /// Every key that some recipe has, those of the default recipe first.
    pub fn keys(&self) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        for recipe in self.all() {
            let table = recipe_table(&recipe).ok();
            for key in table.as_ref().map(keys).unwrap_or_default() {
                if !all.contains(&key) {
                    all.push(key);
                }
            }
        }
        all
    }

    /// A built-in recipe as TOML with a comment on every key, ready to save and edit.
    ///
    /// # Errors
    ///
    /// If there is none of that name.
    pub fn text(&self, name: &str) -> Result<String, Failure> {
        Ok(annotated(&self.get(name)?)?)
    }

    /// The part of `docs/recipes.md` about this app.
    ///
    /// # Errors
    ///
    /// If a recipe cannot be written as TOML.
    pub fn reference(&self) -> Result<String, Failure> {
        let rows = self.names.iter();
        let rows: Vec<String> = rows
            .map(|(name, line)| format!("| `{name}` | {line} |"))
            .collect();
        let list = rows.join("\n");
        let keys = reference(&self.all())?;
        Ok(format!("\n| recipe | |\n|---|---|\n{list}\n{keys}"))
    }

    /// Every built-in recipe, the default one first.
    pub fn all(&self) -> Vec<T> {
        let recipes = self.names.iter().map(|(name, _)| (self.builtin)(name));
        recipes.flatten().collect()
    }

    /// Prints the list of recipes, or one of them.
    ///
    /// # Errors
    ///
    /// If there is none of that name.
    pub fn print(&self, args: &RecipesArgs) -> Result<(), Failure> {
        let text = if let Some(name) = &args.name {
            self.text(name)?
        } else {
            let row = |(name, line): &(&str, &str)| vec![(*name).to_owned(), (*line).to_owned()];
            table(&self.names.iter().map(row).collect::<Vec<_>>())
        };
        Output::Stdout.line(text.trim_end())
    }

    /// The recipe in a file.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or has an unknown key or a value that does not fit.
    pub fn read(&self, path: &Path) -> Result<T, Failure> {
        let text = fs::read_to_string(path)
            .with_context(|| format!("cannot read the recipe `{}`", path.display()))
            .or_user_error()?;
        self.load(&text, path)
    }

    /// A stored recipe.
    ///
    /// # Errors
    ///
    /// If it is not what this version writes.
    pub fn load(&self, text: &str, path: &Path) -> Result<T, Failure> {
        let default = self.names.first().map_or("", |(name, _)| name);
        // What a whole recipe lacks, as it is older, is not what the built-in one has today. One that only names
        // the keys it changes cannot be read alone.
        let whole = reread::<T>(text);
        self.parse(whole.as_deref().unwrap_or(text), default)
            .with_context_of(path)
    }

    fn parse(&self, text: &str, default: &str) -> anyhow::Result<T> {
        let patch = text.parse::<Table>().unwrap_or_default();
        let name = patch.get("name").and_then(Value::as_str);
        let named = name.and_then(self.builtin).into_iter();
        let mut bases: Vec<T> = named.chain((self.builtin)(default)).collect();
        bases.extend(self.all());
        // A recipe with an unknown name is applied on top of one of the same task.
        let task = patch.get("task");
        let of_task = |base: &T| Table::try_from(base).is_ok_and(|table| table.get("task") == task);
        let at = bases.iter().position(of_task).unwrap_or(0);
        let base = bases.get(at);
        let base = base.ok_or_else(|| anyhow!("there is no default recipe"))?;
        Ok(overlay(base, text)?)
    }
}

/// A recipe with the keys that the flags override: `--set` first, then the shortcuts, then the seed.
///
/// # Errors
///
/// If the recipe has no such key, or the value does not fit.
pub fn overridden<T: Patchable>(recipe: T, args: &RunArgs) -> Result<T, Failure> {
    let mut recipe = assign(recipe, &args.set)
        .context("`--set`")
        .or_user_error()?;
    let known = keys(&recipe_table(&recipe)?);
    for shortcut in args.shortcuts() {
        let flag = shortcut.flag;
        let has = |key: &&&str| known.iter().any(|known| known == **key);
        let key = shortcut.keys.iter().find(has).ok_or_else(|| {
            Failure::user(format!(
                "`{flag}` does not apply to this recipe, which has no {}{}",
                shortcut.lacks,
                instead(flag, &known)
            ))
        })?;
        let assignment = format!("{key}={}", shortcut.value);
        recipe = assign(recipe, &[assignment])
            .context(format!("`{flag}`"))
            .or_user_error()?;
    }
    if let Some(seed) = args.seed {
        let assignment = format!("train.seed={seed}");
        recipe = assign(recipe, &[assignment])
            .context("`--seed`")
            .or_user_error()?;
    }
    Ok(recipe)
}

/// What sets the length of a training that has no epochs.
fn instead(flag: &str, known: &[String]) -> &'static str {
    let steps = known.iter().any(|key| key == "train.total_timesteps");
    if flag == "--epochs" && steps {
        "; set its length with `--set train.total_timesteps=N`"
    } else {
        ""
    }
}

trait ContextOf<T> {
    fn with_context_of(self, path: &Path) -> Result<T, Failure>;
}

impl<T> ContextOf<T> for anyhow::Result<T> {
    fn with_context_of(self, path: &Path) -> Result<T, Failure> {
        self.with_context(|| format!("recipe `{}`", path.display()))
            .or_user_error()
    }
}

fn is_file_name(name: &str) -> bool {
    Path::new(name)
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("toml"))
        || name.contains(std::path::MAIN_SEPARATOR)
}

/// The run directory that the flags describe, and whether to resume the run that is there.
///
/// # Errors
///
/// If a new run was asked for where something is already.
pub fn run_dir(args: &RunArgs, recipe: &str, seed: u64) -> Result<(PathBuf, bool), Failure> {
    if let Some(dir) = &args.resume {
        set_run(dir);
        return Ok((dir.clone(), true));
    }
    let dir = args
        .out
        .clone()
        .unwrap_or_else(|| default_out(recipe, seed));
    RunDir::check_free(&dir).or_user_error()?;
    set_run(&dir);
    Ok((dir, false))
}

/// `--data` as a recipe holds it.
///
/// # Errors
///
/// If it is not UTF-8.
pub fn data_path(path: &Path) -> Result<&str, Failure> {
    path.to_str().ok_or_else(|| {
        Failure::user(format!(
            "`{}` is not UTF-8: rename the file",
            path.display()
        ))
    })
}

/// `runs/<recipe>/<UTC time>-<seed>`.
pub fn default_out(recipe: &str, seed: u64) -> PathBuf {
    Path::new("runs").join(recipe).join(stamp(seed))
}

/// `<UTC time>-<seed>`.
pub(crate) fn stamp(seed: u64) -> String {
    let now = OffsetDateTime::now_utc();
    let (date, time) = (now.date(), now.time());
    format!(
        "{:04}{:02}{:02}T{:02}{:02}{:02}Z-{seed}",
        date.year(),
        u8::from(date.month()),
        date.day(),
        time.hour(),
        time.minute(),
        time.second()
    )
}
