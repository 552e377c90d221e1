//! The command line of an app, with advice by meaning where a word is not known.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use crate::escape::shell_word;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, Command, Error};
use tinderbox_train::overlay::{nearest, suggest};

use crate::failure::shown;
use crate::mpi;

/// Flags in use elsewhere, and the ones that mean the same here, the best one first.
const FLAGS: &[(&[&str], &[&str])] = &[
    (
        &[
            "epoch",
            "iterations",
            "max-epochs",
            "n-epochs",
            "num-epochs",
            "num-train-epochs",
        ],
        &["--epochs"],
    ),
    (&["learning-rate", "rate"], &["--lr"]),
    (&["batch", "batchsize", "bs"], &["--batch-size"]),
    (
        &[
            "cross-validation",
            "cv",
            "k-fold",
            "kfold",
            "n-folds",
            "n-splits",
        ],
        &["--folds"],
    ),
    (&["members", "n-estimators", "n-models"], &["--ensemble"]),
    (&["random-seed", "random-state"], &["--seed"]),
    (&["cuda", "gpu", "use-cuda", "use-gpu"], &["--device cuda"]),
    (&["cpu", "no-cuda"], &["--device cpu"]),
    (&["config", "preset"], &["--recipe"]),
    (
        &[
            "log-dir",
            "output",
            "output-dir",
            "outdir",
            "save",
            "save-dir",
            "o",
        ],
        &["--out"],
    ),
    (
        &[
            "csv-file",
            "dataset",
            "dir",
            "file",
            "folder",
            "input",
            "path",
            "train-data",
            "train-file",
        ],
        &["--data"],
    ),
    (
        &["class", "label", "label-column", "target-column", "y"],
        &["--target", "--label"],
    ),
    (&["content", "text-column", "x"], &["--text"]),
    (
        &[
            "checkpoint",
            "ckpt",
            "load",
            "model",
            "model-dir",
            "run-dir",
            "weights",
        ],
        &["--run", "--weights", "--set model.kind=…"],
    ),
    (
        &[
            "continue",
            "restart",
            "resume-from",
            "resume-from-checkpoint",
        ],
        &["--resume"],
    ),
    (&["env-name", "environment"], &["--env"]),
    (&["silent"], &["--quiet"]),
    (
        &["baseline", "baselines", "skip-baseline"],
        &["--no-baseline"],
    ),
    (&["format", "json-output"], &["--json"]),
    (
        &["debug", "v", "verbose", "vv"],
        &["the variable TINDERBOX_LOG=debug"],
    ),
];

/// Commands in use elsewhere, and the ones that mean the same here.
const COMMANDS: &[(&[&str], &[&str])] = &[
    (&["finetune", "fit", "learn", "run"], &["train"]),
    (&["evaluate", "score", "test", "validate"], &["eval"]),
    (&["classify", "infer", "inference", "label"], &["predict"]),
    (
        &["analyze", "describe", "info", "profile", "stats"],
        &["inspect"],
    ),
    (&["importance", "interpret", "shap"], &["explain"]),
    (&["list", "ls", "models", "show"], &["recipes"]),
    (&["cuda", "gpu", "gpus"], &["devices"]),
    (&["check", "diagnose", "selftest"], &["doctor"]),
    (&["complete", "sample", "write"], &["generate"]),
    (&["summary", "tldr"], &["summarize"]),
    (&["search"], &["similar"]),
    (&["render", "view", "watch"], &["play"]),
    (&["benchmark", "compare"], &["ablation"]),
];

/// Reads the command line; `keys` are those that `--set` takes.
///
/// # Errors
///
/// The exit code: 2 after a message on what is wrong, 0 after help or the version.
pub fn parse<T: clap::Parser>(keys: &[String]) -> Result<T, ExitCode> {
    let matches = parse_command(T::command(), keys)?;
    T::from_arg_matches(&matches).map_err(|error| {
        let _ = error.print();
        ExitCode::from(2)
    })
}

/// Reads the arguments of the process as `command` takes them; `keys` are those that `--set` takes.
///
/// # Errors
///
/// The exit code: 2 after a message on what is wrong, 0 after help or the version. Of several ranks of a training, the
/// first one alone prints and has that code.
pub fn parse_command(command: Command, keys: &[String]) -> Result<ArgMatches, ExitCode> {
    let args: Vec<OsString> = std::env::args_os().collect();
    let mut app = command.clone();
    app.build();
    command.try_get_matches_from(&args).map_err(|error| {
        let message = advice(&error, &args, &app, keys);
        let is_plain = message.is_none() && !error.to_string().contains(is_odd);
        let text = message.unwrap_or_else(|| error.to_string());
        let text = text.strip_prefix("error: ").unwrap_or(&text).trim_end();
        if !prints(&error, text, &args, &app) {
            return ExitCode::SUCCESS;
        }
        if is_plain {
            // If stderr is gone, there is nobody left to tell.
            let _ = error.print();
        } else {
            let _ = writeln!(io::stderr(), "error: {}", shown(text));
        }
        ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
    })
}

/// Whether this process prints help or the error `text`, which all ranks of a training may have or one of them.
fn prints(error: &Error, text: &str, args: &[OsString], app: &Command) -> bool {
    if !error.use_stderr() {
        return !mpi::is_other_rank();
    }
    let command = args.get(1).and_then(|name| app.find_subcommand(name));
    let trains = command.is_none_or(|command| command.get_name() == "train");
    // Without the advice to ask for help.
    !trains || mpi::reports(text.split("\n\n").next().unwrap_or(text))
}

fn is_odd(letter: char) -> bool {
    letter.is_control() && letter != '\n'
}

/// A message in place of clap's, where a word of the command line has a meaning of its own.
fn advice(error: &Error, args: &[OsString], app: &Command, keys: &[String]) -> Option<String> {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(word)) => Some(word.as_str()),
        _ => None,
    };
    match error.kind() {
        ErrorKind::UnknownArgument => {
            let word = context(ContextKind::InvalidArg)?;
            let command = args.get(1)?.to_str()?;
            let command = app.find_subcommand(command).unwrap_or(app);
            if let Some(flag) = flag_before(word, args, command) {
                return Some(negative(word, flag));
            }
            unknown_argument(word, app.get_name(), command, keys)
        }
        ErrorKind::ValueValidation => {
            let (flag, value) = (
                context(ContextKind::InvalidArg)?,
                context(ContextKind::InvalidValue)?,
            );
            let flag = flag.split(' ').next().unwrap_or(flag);
            is_negative(value).then(|| negative(value, flag))
        }
        ErrorKind::InvalidSubcommand => {
            let word = context(ContextKind::InvalidSubcommand)?;
            unknown_command(word, app)
        }
        _ => None,
    }
}

/// Whether a word is a number below zero, and no flag.
fn is_negative(word: &str) -> bool {
    word.starts_with('-') && word.parse::<f64>().is_ok_and(|number| number < 0.0)
}

/// The flag of `command` that the number `word` below zero was meant for.
fn flag_before<'a>(word: &str, args: &'a [OsString], command: &Command) -> Option<&'a str> {
    if !is_negative(word) {
        return None;
    }
    let at = args.iter().position(|arg| arg == word)?;
    let flag = args[..at].last()?.to_str()?;
    let name = flag.strip_prefix("--")?;
    let takes_value =
        |arg: &clap::Arg| arg.get_long() == Some(name) && arg.get_action().takes_values();
    command.get_arguments().any(takes_value).then_some(flag)
}

/// No flag takes a number below zero.
fn negative(value: &str, flag: &str) -> String {
    format!("`{flag}` must not be negative (got {value})")
}

fn unknown_argument(word: &str, app: &str, command: &Command, keys: &[String]) -> Option<String> {
    let name = command.get_name();
    if name == app && word.starts_with("--") {
        return Some(format!(
            "unknown flag `{word}`: a command comes first, as in `{app} train {word} …`"
        ));
    }
    let takes = |flag: &str| {
        let flag = flag.strip_prefix("--").unwrap_or_default();
        let flag = flag.split(' ').next().unwrap_or_default();
        command
            .get_arguments()
            .any(|arg| arg.get_long() == Some(flag))
    };
    let Some(flag) = word.strip_prefix('-') else {
        return takes("--data").then(|| {
            let path = shell_word(word);
            format!("unexpected argument `{word}`: did you mean `{app} {name} --data {path}`?")
        });
    };
    let flag = flag.trim_start_matches('-').split('=').next()?;
    let plain = flag.to_lowercase().replace('_', "-");
    let meant = FLAGS
        .iter()
        .find(|(words, _)| words.contains(&plain.as_str()));
    let meant = meant.and_then(|(_, meant)| {
        let known = |meant: &&&str| !meant.starts_with("--") || takes(meant);
        meant.iter().find(known)
    });
    let end = "; all flags: ";
    let help = format!("`{app} {name} --help`");
    if let Some(meant) = meant {
        return Some(format!("unknown flag `{word}`: use `{meant}`{end}{help}"));
    }
    let longs: Vec<&str> = command
        .get_arguments()
        .filter_map(clap::Arg::get_long)
        .collect();
    let slip = |near: &&str| strsim::jaro_winkler(&plain, near) > 0.88;
    if let Some(near) = nearest(&plain, longs.iter().copied()).filter(slip) {
        return Some(format!(
            "unknown flag `{word}`: did you mean `--{near}`?{end}{help}"
        ));
    }
    if takes("--set")
        && let Some(key) = suggest(keys, &plain)
    {
        return Some(format!(
            "unknown flag `{word}`: use `--set {key}=…`{end}{help}"
        ));
    }
    Some(format!("unknown flag `{word}`{end}{help}"))
}

fn unknown_command(word: &str, app: &Command) -> Option<String> {
    let name = app.get_name();
    let has = |command: &&&str| app.find_subcommand(command).is_some();
    let plain = word.to_lowercase();
    let meant = COMMANDS
        .iter()
        .find(|(words, _)| words.contains(&plain.as_str()));
    if let Some(meant) = meant.and_then(|(_, meant)| meant.iter().find(has)) {
        return Some(format!(
            "unknown command `{word}`: did you mean `{name} {meant}`?"
        ));
    }
    let train = app.find_subcommand("train")?;
    let takes_data = train
        .get_arguments()
        .any(|arg| arg.get_long() == Some("data"));
    if takes_data && (Path::new(word).exists() || word.contains(['/', '.'])) {
        let path = shell_word(word);
        return Some(format!(
            "`{word}` is not a command: did you mean `{name} train --data {path}`?"
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Parser, Subcommand};

    #[derive(Parser, Debug)]
    #[command(name = "app")]
    struct Cli {
        #[command(subcommand)]
        command: Option<Commands>,
    }

    #[derive(Subcommand, Debug)]
    enum Commands {
        Train(crate::TrainArgs),
        Eval(crate::EvalArgs),
        Predict(crate::PredictArgs),
    }

    fn message(line: &str) -> Option<String> {
        let args: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let keys = [
            "train.epochs",
            "train.patience",
            "model.dropout",
            "model.kind",
        ];
        let keys = keys.map(str::to_owned);
        let error = Cli::try_parse_from(&args).unwrap_err();
        advice(
            &error,
            &args,
            &<Cli as clap::CommandFactory>::command(),
            &keys,
        )
    }

    #[test]
    fn a_word_in_use_elsewhere_gets_advice() {
        for (line, words) in [
            ("app train --learning-rate 0.1", "use `--lr`"),
            ("app train --learning_rate=0.1", "use `--lr`"),
            ("app train --num-epochs 3", "use `--epochs`"),
            ("app train --epoch 3", "use `--epochs`"),
            ("app train --batch_size 3", "did you mean `--batch-size`?"),
            ("app train --n-splits 5", "use `--folds`"),
            ("app train --gpu", "use `--device cuda`"),
            ("app train --output x", "use `--out`"),
            (
                "app train --early-stopping 3",
                "use `--set train.patience=…`",
            ),
            ("app train --dropout 0.3", "use `--set model.dropout=…`"),
            ("app train --model mlp", "use `--set model.kind=…`"),
            ("app train --qiuet", "did you mean `--quiet`?"),
            ("app predict --model m x.csv", "use `--run`"),
            ("app eval --checkpoint m", "use `--run`"),
            (
                "app train my.csv",
                "did you mean `app train --data my.csv`?",
            ),
            ("app my.csv", "did you mean `app train --data my.csv`?"),
            ("app --data my.csv", "as in `app train --data …`"),
            ("app fit", "did you mean `app train`?"),
            ("app test", "did you mean `app eval`?"),
            (
                "app train --xyzzy",
                "unknown flag `--xyzzy`; all flags: `app train --help`",
            ),
        ] {
            let message = message(line).unwrap_or_default();
            assert!(message.contains(words), "{line}: {message}");
        }
        assert_eq!(message("app train --epochs many"), None);
        for line in ["app train --epochs -1", "app train --epochs=-1"] {
            let expected = "`--epochs` must not be negative (got -1)";
            assert_eq!(message(line).as_deref(), Some(expected), "{line}");
        }
    }

    #[test]
    fn no_word_means_two_things() {
        for table in [FLAGS, COMMANDS] {
            let words: Vec<&&str> = table.iter().flat_map(|(words, _)| *words).collect();
            let mut once = words.clone();
            once.sort();
            once.dedup();
            assert_eq!(once.len(), words.len());
        }
    }
}
