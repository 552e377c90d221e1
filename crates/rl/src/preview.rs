//! The beginning of a test episode as an image of the run.

use std::path::Path;

use serde_json::Value;
use tinderbox_train::TaskError;

use crate::env::ClassicControl;
use crate::policy::Policy;

/// Writes the image and gives the key of the summary that names it.
#[cfg(feature = "render")]
pub(crate) fn write(
    run: &Path,
    policy: &Policy,
    env: &ClassicControl,
    seed: u64,
) -> Result<Option<(String, Value)>, TaskError> {
    use std::io::Write as _;

    let file = "images/episode.gif";
    let mut gif = Vec::new();
    crate::render::Player::new(policy, env.clone(), 1, seed).write_preview(&mut gif)?;
    std::fs::create_dir_all(run.join("images"))?;
    tinderbox_datasets::atomic_file::write_atomic(&run.join(file), |out| out.write_all(&gif))?;
    Ok(Some(("images".to_owned(), serde_json::json!([file]))))
}

/// Nothing: episodes cannot be drawn without the feature `render`.
#[cfg(not(feature = "render"))]
#[expect(clippy::unnecessary_wraps, reason = "as with the feature")]
pub(crate) fn write(
    _: &Path,
    _: &Policy,
    _: &ClassicControl,
    _: u64,
) -> Result<Option<(String, Value)>, TaskError> {
    Ok(None)
}
