//! `predict --shard I/N` and `predict --merge`: one input, predicted by several processes or machines.
//!
//! Each part has a file for every input, and a manifest, which is written last: a part without a manifest is not
//! finished. Files appear under their names when they are complete, so that a process that is killed loses the
//! part that it was working on and no other.

use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};

use crate::escape::shell_word;
use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use tinderbox_backend::DeviceSpec;
use tinderbox_datasets::files::is_same_file;
use tinderbox_datasets::table::{TableWriter, written_columns};
use tinderbox_datasets::{FileHash, InputRange, Shard, hash_folder};
use tinderbox_train::Task;
use tinderbox_train::format::thousands;

use crate::app::{App, PredictCommand};
use crate::model_dir::{locate_model, model_dir};
use crate::output::check_extension;
use crate::predict::{self, Format};
use crate::{Failure, OrUserError as _, Output, note};

/// Version of the manifest.
const FORMAT: u32 = 1;

/// Beginning of the names of all files of parts.
const PREFIX: &str = "part-";

/// What a part is: enough to tell whether two of them belong together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    /// [`FORMAT`].
    format: u32,
    /// Version of the program.
    version: String,
    /// Number of the part, from 1.
    part: u64,
    /// Number of parts.
    parts: u64,
    settings: Settings,
    inputs: Vec<Part>,
}

/// What all parts have in common.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    app: String,
    /// SHA-256 of the files of the model folder.
    model: String,
    output: Format,
    /// The flags that choose the model and say how inputs are read.
    flags: String,
    /// The device that was used, which `auto` may have chosen.
    device: String,
}

/// The part of one input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    /// The input as it was named.
    input: String,
    range: InputRange,
    /// The file with the predictions, in the folder of the manifest.
    file: String,
    rows: usize,
    /// Rows that `--skip-errors` left out.
    skipped: usize,
    /// Bytes of the line with the names of the columns, of CSV.
    header: usize,
    sha256: String,
}

impl Part {
    /// The same without what is only known once it is predicted.
    fn is_of(&self, input: &str, range: &InputRange) -> bool {
        self.input == input && self.range == *range
    }
}

/// Predicts part `shard` of the inputs into the folder that `--out` names.
pub(crate) fn run<A: App>(
    args: &PredictCommand<A::ModelFlags, A::InputFlags>,
    shard: Shard,
) -> Result<(), Failure> {
    let common = &args.predict;
    let (Some(run), Some(dir)) = (&common.run, &common.out) else {
        return Err(Failure::user(
            "`--shard` needs a run, `--run DIR`, and a folder for the parts, `--out DIR`",
        ));
    };
    let mut job = predict::Job::<A>::open(args)?;
    let inputs = common.inputs.iter().map(|input| {
        let range = A::Task::range(&job.model, input, &job.options.own, shard)?;
        Ok((input.as_path(), range))
    });
    let inputs: Vec<(&Path, InputRange)> = inputs.collect::<Result<_, Failure>>()?;
    if dir.exists() && !dir.is_dir() {
        return Err(Failure::user(format!(
            "`{}` is a file, and `--shard` writes into a folder",
            dir.display()
        )));
    }
    fs::create_dir_all(dir)
        .with_context(|| format!("cannot create the folder `{}`", dir.display()))
        .or_user_error()?;
    let settings = settings::<A>(args, run, job.device)?;
    let name = part_name(shard.number(), shard.count());
    let manifest = dir.join(format!("{name}.json"));
    if is_finished(&manifest, &settings, &inputs)? {
        note(&format!(
            "part {} of {} is finished",
            shard.number(),
            shard.count()
        ));
        return Ok(());
    }
    let mut parts = Vec::new();
    for (number, (input, range)) in inputs.into_iter().enumerate() {
        let file = format!("{name}-{}.{}", number + 1, settings.output.extension());
        job.options.range = Some(range.clone());
        let path = dir.join(&file);
        let written = job.predict_to(&path, input)?;
        parts.push(Part {
            input: input.display().to_string(),
            range,
            sha256: hash_of(&path)?,
            file,
            rows: written.rows,
            skipped: written.skipped,
            header: written.header,
        });
    }
    job.finish()?;
    let rows: usize = parts.iter().map(|part| part.rows).sum();
    let mut out = Output::new(Some(&manifest))?;
    let content = Manifest {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        part: shard.number(),
        parts: shard.count(),
        settings,
        inputs: parts,
    };
    writeln!(out, "{}", serde_json::to_string_pretty(&content)?)?;
    out.finish()?;
    note(&format!(
        "part {} of {}: {} {}",
        shard.number(),
        shard.count(),
        thousands(rows),
        A::Task::ITEM.of(rows)
    ));
    Ok(())
}

fn settings<A: App>(
    args: &PredictCommand<A::ModelFlags, A::InputFlags>,
    run: &Path,
    device: DeviceSpec,
) -> Result<Settings, Failure> {
    let common = &args.predict;
    // It has been loaded already, with its warnings.
    let model = match locate_model(run) {
        Some(dir) => dir,
        None => model_dir(run, A::NAME)?,
    };
    let flags = [
        format!("{:?}", args.own),
        format!("{:?}", args.inputs),
        format!("id {:?}", common.id),
        format!("keep {}", common.keep),
        format!("raw {}", common.raw),
        format!("skip-errors {}", common.skip_errors),
        format!("threshold {:?}", common.threshold),
    ];
    Ok(Settings {
        app: A::NAME.to_owned(),
        model: hash_folder(&model).with_context(|| format!("cannot read `{}`", model.display()))?,
        output: Format::of_part(common),
        flags: flags.join(", "),
        device: device.to_string(),
    })
}

/// The name of the files of a part, without what follows.
fn part_name(number: u64, count: u64) -> String {
    format!("{PREFIX}{number:05}-of-{count:05}")
}

/// Whether the part has been predicted already. Its files are made anew if they have changed since.
fn is_finished(
    manifest: &Path,
    settings: &Settings,
    inputs: &[(&Path, InputRange)],
) -> Result<bool, Failure> {
    if !manifest.exists() {
        return Ok(false);
    }
    let found = read(manifest)?;
    let same_inputs = found.inputs.len() == inputs.len()
        && found
            .inputs
            .iter()
            .zip(inputs)
            .all(|(part, (input, range))| part.is_of(&input.display().to_string(), range));
    let inputs_differ = (!same_inputs).then_some("the input differs");
    if let Some(difference) = difference(&found.settings, settings).or(inputs_differ) {
        return Err(Failure::user(format!(
            "`{}` is of another call: {difference}; choose another folder with `--out`, or remove the parts in this one",
            manifest.display(),
        )));
    }
    let dir = manifest.parent().unwrap_or(Path::new(""));
    for part in &found.inputs {
        let path = dir.join(&part.file);
        if hash_of(&path).ok().as_ref() != Some(&part.sha256) {
            note(&format!(
                "warning: `{}` is missing or damaged and is made again",
                path.display()
            ));
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether two parts were made on one kind of device. Parts of older versions say `auto` for what it chose.
fn same_device(a: &str, b: &str) -> bool {
    a == b || [a, b].contains(&"auto")
}

/// In what two settings differ.
fn difference(a: &Settings, b: &Settings) -> Option<&'static str> {
    if a.app != b.app || a.model != b.model {
        Some("the model differs")
    } else if a.output != b.output {
        Some("the output format differs")
    } else if !same_device(&a.device, &b.device) {
        Some("the device differs")
    } else if a.flags != b.flags {
        Some("the flags differ")
    } else {
        None
    }
}

fn read(manifest: &Path) -> Result<Manifest, Failure> {
    let damaged = || {
        format!(
            "`{}` is damaged: remove it and make the part again",
            manifest.display()
        )
    };
    let text = fs::read(manifest).with_context(damaged).or_user_error()?;
    let found: Manifest = serde_json::from_slice(&text)
        .with_context(damaged)
        .or_user_error()?;
    let name = part_name(found.part, found.parts);
    let is_named = manifest
        .file_stem()
        .is_some_and(|stem| stem == name.as_str());
    if found.format != FORMAT || !is_named {
        return Err(Failure::user(damaged()));
    }
    Ok(found)
}

fn hash_of(path: &Path) -> Result<String, Failure> {
    let mut hash = FileHash::new();
    let read = File::open(path).and_then(|mut file| {
        copy(&mut file, |bytes| {
            hash.update(bytes);
            Ok(())
        })
    });
    read.with_context(|| format!("cannot read `{}`", path.display()))?;
    Ok(hash.finish())
}

/// Hands the bytes of a file on, some at a time.
fn copy(file: &mut File, mut each: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => each(&buffer[..read])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Writes the parts in a folder as one file, which has the bytes of a prediction in one go.
pub(crate) fn merge(dir: &Path, out: Option<&Path>) -> Result<(), Failure> {
    let manifests = manifests(dir)?;
    check(dir, &manifests)?;
    let output = manifests[0].settings.output;
    if let Some(out) = out {
        check_extension(out, output.extensions())?;
        check_merged(out, dir, &manifests)?;
    }
    let count = manifests[0].inputs.len();
    let of_input = |input: usize| {
        manifests
            .iter()
            .map(move |manifest| &manifest.inputs[input])
    };
    // A part without rows has no header as CSV, and its columns as Parquet, unless an older version wrote it.
    let has_columns = |part: &&Part| {
        let is_table = || fs::metadata(dir.join(&part.file)).is_ok_and(|file| file.len() > 0);
        part.rows > 0 || (output == Format::Parquet && is_table())
    };
    let parts = (0..count).flat_map(of_input).filter(has_columns);
    let parts: Vec<(PathBuf, &Part)> = parts.map(|part| (dir.join(&part.file), part)).collect();
    let rows: usize = parts.iter().map(|(_, part)| part.rows).sum();
    if output == Format::Parquet {
        merge_tables(&parts, out)?;
    } else {
        merge_lines(&parts, out)?;
    }
    let skipped: usize = manifests
        .iter()
        .flat_map(|manifest| &manifest.inputs)
        .map(|part| part.skipped)
        .sum();
    let skipped = if skipped > 0 {
        format!(", {} skipped", thousands(skipped))
    } else {
        String::new()
    };
    note(&format!(
        "merged {} predictions of {} parts{skipped}",
        thousands(rows),
        thousands(manifests.len())
    ));
    Ok(())
}

/// Refuses to write the merged file over what was predicted, or over one of the parts.
fn check_merged(out: &Path, dir: &Path, manifests: &[Manifest]) -> Result<(), Failure> {
    let parts = || manifests.iter().flat_map(|manifest| &manifest.inputs);
    let inputs: Vec<PathBuf> = parts().map(|part| PathBuf::from(&part.input)).collect();
    predict::check_not_input(out, &inputs)?;
    let of_manifest = |one: &Manifest| dir.join(format!("{}.json", part_name(one.part, one.parts)));
    let mut files = parts()
        .map(|part| dir.join(&part.file))
        .chain(manifests.iter().map(of_manifest));
    if files.any(|file| is_same_file(out, &file)) {
        return Err(Failure::user(format!(
            "`--out {}` is a file of the parts; name another file",
            out.display()
        )));
    }
    Ok(())
}

/// Lines of all parts, as a file or printed.
fn merge_lines(parts: &[(PathBuf, &Part)], out: Option<&Path>) -> Result<(), Failure> {
    let mut out = Output::new(out)?;
    if matches!(out, Output::Stdout) {
        // What is printed cannot be taken back, so all parts are checked first.
        join_lines(parts, &mut io::sink())?;
    }
    join_lines(parts, &mut out)?;
    out.finish()
}

/// Text without its names of columns, but for the first part.
fn join_lines(parts: &[(PathBuf, &Part)], out: &mut impl io::Write) -> Result<(), Failure> {
    let mut names: Option<Vec<u8>> = None;
    for (path, part) in parts {
        let mut file = open(path)?;
        let mut hash = FileHash::new();
        let mut header = vec![0; part.header];
        file.read_exact(&mut header).map_err(|_| changed(path))?;
        hash.update(&header);
        match &names {
            None => {
                out.write_all(&header)?;
                names = Some(header);
            }
            Some(names) if *names != header => {
                return Err(Failure::user(format!(
                    "`{}` has other columns than the parts before it",
                    path.display()
                )));
            }
            Some(_) => {}
        }
        copy(&mut file, |bytes| {
            hash.update(bytes);
            out.write_all(bytes)
        })?;
        if hash.finish() != part.sha256 {
            return Err(changed(path));
        }
    }
    Ok(())
}

fn merge_tables(parts: &[(PathBuf, &Part)], out: Option<&Path>) -> Result<(), Failure> {
    let Some(out) = out else {
        return Err(predict::needs_file());
    };
    let mut writer = None;
    for (path, part) in parts {
        if hash_of(path)? != part.sha256 {
            return Err(changed(path));
        }
        let columns = written_columns(path).map_err(anyhow::Error::from)?;
        let (names, writer) = match &mut writer {
            Some((names, writer)) => (names, writer),
            none => {
                let new = TableWriter::new(Output::new(Some(out))?, &columns);
                let new = new.map_err(anyhow::Error::from)?;
                let (names, writer) = none.insert((columns.clone(), new));
                (names, writer)
            }
        };
        if *names != columns {
            return Err(Failure::user(format!(
                "`{}` has other columns than the parts before it",
                path.display()
            )));
        }
        writer.append(path).map_err(anyhow::Error::from)?;
    }
    match writer {
        Some((_, writer)) => writer.finish().map_err(anyhow::Error::from)?.finish(),
        None => Output::new(Some(out))?.finish(),
    }
}

fn open(path: &Path) -> Result<File, Failure> {
    File::open(path)
        .with_context(|| format!("cannot read `{}`", path.display()))
        .or_user_error()
}

fn changed(path: &Path) -> Failure {
    Failure::user(format!(
        "`{}` is not as it was written: make the part again with the same `predict --shard`",
        path.display()
    ))
}

/// The manifests in a folder in the order of their parts.
fn manifests(dir: &Path) -> Result<Vec<Manifest>, Failure> {
    let entries = fs::read_dir(dir)
        .with_context(|| format!("cannot read `{}`", dir.display()))
        .or_user_error()?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let is_manifest = |path: &PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy());
        name.is_some_and(|name| {
            let stem = name
                .strip_prefix(PREFIX)
                .and_then(|rest| rest.strip_suffix(".json"));
            // Parts of the output format JSON lines end otherwise.
            stem.is_some_and(|stem| stem.contains("-of-"))
        })
    };
    let manifests = paths.filter(is_manifest).map(|path| read(&path));
    let mut manifests: Vec<Manifest> = manifests.collect::<Result<_, _>>()?;
    if manifests.is_empty() {
        return Err(Failure::user(format!(
            "`{}` has no finished part: make the parts with `predict --shard I/N --out {}`",
            dir.display(),
            shell_word(dir)
        )));
    }
    manifests.sort_by_key(|manifest| (manifest.parts, manifest.part));
    Ok(manifests)
}

/// Checks that the parts are all there and belong together.
fn check(dir: &Path, manifests: &[Manifest]) -> Result<(), Failure> {
    let dir = dir.display();
    let first = &manifests[0];
    if let Some(other) = manifests.iter().find(|other| other.parts != first.parts) {
        return Err(Failure::user(format!(
            "`{dir}` has parts of {} and of {}: remove those that do not belong",
            first.parts, other.parts
        )));
    }
    let is_there = |number: &u64| manifests.iter().any(|manifest| manifest.part == *number);
    let missing: Vec<u64> = (1..=first.parts)
        .filter(|number| !is_there(number))
        .collect();
    if let Some(next) = missing.first() {
        let more = missing.len() - 1;
        let more = if more > 0 {
            format!(" and {} more", thousands(more))
        } else {
            String::new()
        };
        return Err(Failure::user(format!(
            "`{dir}` lacks part {next} of {}{more}: make it with `predict --shard {next}/{}`",
            first.parts, first.parts
        )));
    }
    for pair in manifests.windows(2) {
        let [a, b] = pair else { continue };
        if let Some(what) = disagreement(a, b) {
            return Err(Failure::user(format!(
                "parts {} and {} of {} in `{dir}` do not belong together: {what}; make one of them again",
                a.part, b.part, a.parts
            )));
        }
    }
    Ok(())
}

/// Why two parts that follow each other do not belong together.
fn disagreement(a: &Manifest, b: &Manifest) -> Option<String> {
    if let Some(difference) = difference(&a.settings, &b.settings) {
        return Some(difference.to_owned());
    }
    if a.inputs.len() != b.inputs.len() {
        return Some("the numbers of inputs differ".to_owned());
    }
    let mut inputs = a.inputs.iter().zip(&b.inputs);
    let odd = inputs.find(|(a, b)| a.input != b.input || !a.range.is_followed_by(&b.range));
    odd.map(|(a, b)| {
        if a.input == b.input {
            format!("`{}` was not the same file for both", a.input)
        } else {
            format!("one is of `{}` and one of `{}`", a.input, b.input)
        }
    })
}
