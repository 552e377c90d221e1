//! The flag `--weights` of `train`.

use tinderbox_cli::{App as _, Failure, RunArgs};
use tinderbox_recipes::vision::VisionRecipe;

use crate::Vision;

/// The flags with the weights as a key of the recipe, which is `transfer` where none is named.
pub(crate) fn in_recipe(weights: Option<&str>, run: &RunArgs) -> Result<RunArgs, Failure> {
    let mut run = run.clone();
    if let Some(weights) = weights {
        if run.recipe.is_none() && run.resume.is_none() {
            run.recipe = Some("transfer".to_owned());
        }
        // A string of JSON is one of TOML.
        let path = serde_json::Value::from(weights).to_string();
        let recipe = Vision::recipes().named(&run)?;
        let key = match recipe.segmentation() {
            Some(_) => "weights",
            None => "transfer.weights",
        };
        run.set.insert(0, format!("{key}={path}"));
    }
    Ok(run)
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
