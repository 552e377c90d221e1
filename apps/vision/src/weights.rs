//! The flag `--weights` of `train`, and the default weights.

use std::path::Path;

use tinderbox_cli::escape::shell_word;
use tinderbox_cli::recipe::overridden;
use tinderbox_cli::{App as _, DownloadProgress, Failure, RunArgs, note};
use tinderbox_recipes::vision::{
    DEFAULT_WEIGHTS, FINE_TUNING, InferredDetection, InferredLandmarks, InferredRecipe,
    InferredSegmentation, TransferError, VisionRecipe, fetch_weights,
};
use tinderbox_train::TaskRecipe as _;

use crate::Vision;

/// The flags with the weights as a key of the recipe, which is `transfer` where none is named.
pub(crate) fn in_recipe(weights: Option<&str>, run: &RunArgs) -> Result<RunArgs, Failure> {
    let mut run = run.clone();
    if let Some(weights) = weights {
        if run.recipe.is_none() && run.resume.is_none() {
            run.recipe = Some("transfer".to_owned());
        }
        let recipe = Vision::recipes().named(&run)?;
        run.set.splice(0..0, sets(&recipe, weights));
    }
    Ok(run)
}

/// The keys of a recipe that published weights set; flags can set them again.
fn sets(recipe: &VisionRecipe, weights: &str) -> Vec<String> {
    let key = match recipe {
        VisionRecipe::Segmentation(_) | VisionRecipe::Detection(_) | VisionRecipe::Landmarks(_) => {
            "weights"
        }
        VisionRecipe::Classification(_) => "transfer.weights",
    };
    // A string of JSON is one of TOML.
    let path = serde_json::Value::from(weights).to_string();
    let mut sets = vec![format!("{key}={path}")];
    let builtin = VisionRecipe::builtin(recipe.name());
    if recipe.detection().is_some() && builtin.as_ref() == Some(recipe) {
        sets.extend(FINE_TUNING.map(str::to_owned));
    }
    sets
}

/// Refuses the flag with a recipe that starts from nothing.
pub(crate) fn check(weights: Option<&str>, recipe: &VisionRecipe) -> Result<(), Failure> {
    let Some(recipe) = recipe.classification().filter(|_| weights.is_some()) else {
        return Ok(());
    };
    let known = VisionRecipe::builtin(&recipe.name);
    let known = known.as_ref().and_then(VisionRecipe::classification);
    if known.is_some_and(|known| known.transfer.is_none()) {
        return Err(Failure::user(format!(
            "`--weights` does not apply to the recipe `{}`, which trains from scratch; use `--recipe transfer`",
            recipe.name
        )));
    }
    Ok(())
}

/// Fetches weights of the hub if the cache lacks them, and shows how much has arrived.
pub(crate) fn fetch(name: &str, quiet: bool) -> Result<(), TransferError> {
    let mut progress = DownloadProgress::new(name);
    fetch_weights(name, &mut |part| {
        if !quiet {
            progress.set(part.file, part.bytes, part.total);
        }
    })?;
    Ok(())
}

/// The recipe for data that comes without one: with the default weights where these can be had and the
/// flags change neither the network nor the images.
pub(crate) fn inferred(data: &Path, run: &RunArgs) -> Result<InferredRecipe, Failure> {
    let inferred = InferredRecipe::of(data)?;
    let fits = |set: &String| !set.starts_with("model") && !set.starts_with("data");
    if !inferred.takes_weights() || !data.exists() || !run.set.iter().all(fits) {
        return Ok(inferred);
    }
    let (inferred, line) = match fetch(DEFAULT_WEIGHTS, run.quiet) {
        Ok(()) => (
            inferred.with_weights(DEFAULT_WEIGHTS),
            format!(
                "transfer learning from the published weights `{DEFAULT_WEIGHTS}`; \
                 `--recipe image-folder` trains from scratch"
            ),
        ),
        Err(error) => (inferred, without_weights(data, &error)),
    };
    if !run.quiet {
        note(&line);
    }
    Ok(inferred)
}

/// Why a run has no published weights, and how to get them.
fn without_weights(data: &Path, error: &TransferError) -> String {
    format!(
        "training from scratch, without published weights: {error}\n\
         with few images they help most: `vision train --weights {DEFAULT_WEIGHTS} --data {}`, or name a \
         folder with `--weights`",
        shell_word(data)
    )
}

/// The recipe for photos with boxes or masks that come without one.
pub(crate) fn of_objects(
    weights: Option<&str>,
    data: Option<&Path>,
    run: &RunArgs,
) -> Result<Option<VisionRecipe>, Failure> {
    let Some(data) = data.filter(|_| run.recipe.is_none() && run.resume.is_none()) else {
        return Ok(None);
    };
    // Annotations of COCO with outlines are both: the outlines say more.
    match of_masks(weights, data, run)? {
        Some(recipe) => Ok(Some(recipe)),
        None => match of_landmarks(weights, data, run)? {
            Some(recipe) => Ok(Some(recipe)),
            None => of_boxes(weights, data, run),
        },
    }
}

/// The recipe for images with landmarks: with the weights of the flag.
fn of_landmarks(
    weights: Option<&str>,
    data: &Path,
    run: &RunArgs,
) -> Result<Option<VisionRecipe>, Failure> {
    let inferred = InferredLandmarks::of(data);
    let inferred = inferred.map(|inferred| (inferred.note(data), inferred.recipe.into()));
    with_weights(inferred, weights, run)
}

/// The recipe for images with boxes: with the weights of the flag.
fn of_boxes(
    weights: Option<&str>,
    data: &Path,
    run: &RunArgs,
) -> Result<Option<VisionRecipe>, Failure> {
    let inferred = InferredDetection::of(data);
    let inferred = inferred.map(|inferred| (inferred.note(data), inferred.recipe.into()));
    with_weights(inferred, weights, run)
}

/// A recipe that follows from the data, with a line about it, and what the flags change.
fn with_weights(
    inferred: Option<(String, VisionRecipe)>,
    weights: Option<&str>,
    run: &RunArgs,
) -> Result<Option<VisionRecipe>, Failure> {
    let Some((line, recipe)) = inferred else {
        return Ok(None);
    };
    if !run.quiet {
        note(&line);
    }
    let mut run = run.clone();
    if let Some(weights) = weights {
        run.set.splice(0..0, sets(&recipe, weights));
    }
    Ok(Some(overridden(recipe, &run)?))
}

/// The recipe for photos with masks: with the weights of the flag or, where the flags
/// leave the network as it is and they can be had, the default weights.
fn of_masks(
    weights: Option<&str>,
    data: &Path,
    run: &RunArgs,
) -> Result<Option<VisionRecipe>, Failure> {
    let (inferred, passed_over) = InferredSegmentation::of(data);
    if let Some(line) = passed_over.filter(|_| !run.quiet) {
        note(&line);
    }
    let Some(mut inferred) = inferred else {
        return Ok(None);
    };
    if let Some(weights) = weights {
        weights.clone_into(&mut inferred.recipe.weights);
    }
    let recipe = overridden(VisionRecipe::from(inferred.recipe.clone()), run)?;
    if let Some(recipe) = recipe.segmentation() {
        inferred.recipe = recipe.clone();
    }
    let sets = |key: &str| run.set.iter().any(|set| set.starts_with(key));
    if !sets("data.classes") {
        inferred.set_classes(data)?;
    }
    let mut line = inferred.note(data);
    if inferred.recipe.weights.is_empty() && !sets("model") && !sets("data.channels") {
        line = format!("{line}\n{}", set_weights(&mut inferred, data, run.quiet));
    }
    if !run.quiet {
        note(&line);
    }
    Ok(Some(inferred.recipe.into()))
}

/// Starts from the default weights if they can be had; a line about it.
fn set_weights(inferred: &mut InferredSegmentation, data: &Path, quiet: bool) -> String {
    match fetch(DEFAULT_WEIGHTS, quiet) {
        Ok(()) => {
            DEFAULT_WEIGHTS.clone_into(&mut inferred.recipe.weights);
            format!(
                "encoder: the published weights `{DEFAULT_WEIGHTS}`; `--recipe cutout` trains from scratch"
            )
        }
        Err(error) => without_weights(data, &error),
    }
}
