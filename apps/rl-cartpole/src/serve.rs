//! The policy of an agent as a server has it: observations in, actions out.

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use serde_json::Value;
use tinderbox_cli::Failure;
use tinderbox_predict::{Action as PredictedAction, Inputs, ModelFiles, PredictError, Prediction};
use tinderbox_rl::environment::{Action, ActionSpace};
use tinderbox_rl::policy::Policy;
use tinderbox_serve::{AnswerForm, InputForm, Loaded, ModelInfo, Served};

/// Largest number of an observation.
const LARGEST: f64 = f32::MAX as f64;

struct ServedPolicy(Policy);

/// Reads the policy in a model folder.
pub(crate) fn open(dir: &Path, device: &Device) -> Result<Loaded, Failure> {
    let files = ModelFiles::open(dir);
    let policy = Policy::load(&files, device).map_err(|error| Failure::of(error, false, true))?;
    let size = policy.spec().observation_space.len();
    let input = InputForm::Observation { size };
    // A model of an older version does not name its recipe.
    let recipe = policy.spec().recipe.as_deref();
    let recipe = recipe.unwrap_or(policy.environment()).to_owned();
    let answer = match &policy.spec().action_space {
        ActionSpace::Discrete(_) => AnswerForm::Action,
        ActionSpace::Continuous(space) => AnswerForm::ActionVector(space.len()),
    };
    let info = ModelInfo::new(&files, recipe, Vec::new(), input, answer);
    let info = info.map_err(|error| Failure::of(error, false, true))?;
    Ok(Loaded {
        info: Arc::new(info),
        model: Arc::new(ServedPolicy(policy)),
    })
}

impl Served for ServedPolicy {
    fn read_file(&self, _: &str, _: &[u8], _: u64) -> Result<Inputs, PredictError> {
        Err(PredictError::input(
            "this model reads observations: send a JSON list of numbers",
        ))
    }

    fn read_values(&self, values: &[Value]) -> Result<Inputs, PredictError> {
        let rows = values.iter().zip(1..);
        let rows = rows.map(|(value, number)| self.observation(value, number));
        Ok(Inputs::of_observations(rows.collect::<Result<_, _>>()?))
    }

    fn answer(&self, inputs: &Inputs) -> Result<Vec<Prediction>, PredictError> {
        let Some(rows) = inputs.observations() else {
            return Err(PredictError::input("the inputs are no observations"));
        };
        let actions = self.0.act(&rows.concat());
        let action = |row| {
            let action = match actions.get(row) {
                Action::Discrete(action) => PredictedAction::Discrete(action),
                Action::Continuous(values) => PredictedAction::Continuous(values.to_vec()),
            };
            Prediction::Action { action }
        };
        Ok((0..rows.len()).map(action).collect())
    }
}

impl ServedPolicy {
    fn observation(&self, value: &Value, number: usize) -> Result<Vec<f32>, PredictError> {
        let size = self.0.spec().observation_space.len();
        let wrong = || {
            PredictError::input(format!(
                "observation {number} must be a list of {size} numbers, as observations of {} are",
                self.0.environment()
            ))
        };
        let values = value.as_array().filter(|values| values.len() == size);
        let numbers = values.ok_or_else(wrong)?.iter().map(|value| {
            let value = value.as_f64().ok_or_else(wrong)?;
            if value.abs() > LARGEST {
                return Err(PredictError::input(format!(
                    "observation {number}: {value:e} is too large for a 32-bit number"
                )));
            }
            Ok(value as f32)
        });
        numbers.collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tinderbox_backend::DeviceSpec;
    use tinderbox_cli::open_device;

    use super::*;

    #[test]
    fn a_number_that_is_too_large_is_named() {
        let fixture =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/rl/tests/fixtures/agent");
        let device = open_device(DeviceSpec::Cpu, "rl-cartpole").unwrap().device;
        let policy = ServedPolicy(Policy::load(&ModelFiles::open(&fixture), &device).unwrap());
        let error = |values| policy.observation(&values, 1).unwrap_err().to_string();
        let text = error(json!([1e99, 1, 1, 1]));
        assert_eq!(text, "observation 1: 1e99 is too large for a 32-bit number");
        let text = error(json!([1, 1, 1]));
        assert!(text.contains("a list of 4 numbers"), "{text}");
    }
}
