//! Reinforcement learning as a task: the contract of apps, servers and tests.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

use burn::tensor::Device;
use serde_json::{Map, Value, json};
use tinderbox_predict::ModelFiles;
use tinderbox_train::format::{counted, thousands};
use tinderbox_train::run_dir::RunDir;
use tinderbox_train::task::{
    EvalReport, EvalRequest, InputOptions, InputReport, Noun, Objective, Overview,
    PredictionListener, Training, compare,
};
use tinderbox_train::{
    ConfigError, MonitorMode, Options, Report, Section, Stage, Task, TaskError, TaskRecipe as _,
    Timings, run,
};

use crate::baseline::baselines;
use crate::env::ClassicControl;
use crate::environment::{ActionSpace, Environment as _};
use crate::evaluation::{EpisodeReturns, episodes, return_metrics};
use crate::observations;
use crate::policy::{KIND, Policy, TestEpisodes};
use crate::preview;
use crate::progress::RendererFeed;
use crate::recipe::Recipe;
use crate::train::{self, Milestone, Trained, train};

/// Observations whose time is measured.
const TIMED: u64 = 100;

/// The test of a model that does not contain its own.
const DEFAULT_TEST: TestEpisodes = TestEpisodes {
    seed: 0,
    episodes: 100,
};

/// A recipe with its environment.
///
/// ```
/// use tinderbox_rl::ReinforcementLearning;
/// use tinderbox_rl::recipe::Recipe;
/// use tinderbox_train::Task as _;
///
/// let recipe = Recipe::builtin("dqn").ok_or("no such recipe")?;
/// let task = ReinforcementLearning::prepare(recipe)?;
/// assert!(task.overview().summary.starts_with("CartPole-v1"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct ReinforcementLearning {
    recipe: Recipe,
    env: ClassicControl,
    /// Whether the best policy plays its test episodes.
    has_test: bool,
}

impl Task for ReinforcementLearning {
    type Recipe = Recipe;
    type Model = Policy;
    type InputOptions = ();

    const KIND: &'static str = KIND;
    const ITEM: Noun = Noun("observation", "observations");
    const TEST_ITEM: Noun = Noun("episode", "episodes");

    fn check_recipe(recipe: &Recipe) -> Result<(), TaskError> {
        Ok(recipe.validate(&recipe.make_env()?.spec())?)
    }

    fn prepare(recipe: Recipe) -> Result<Self, TaskError> {
        let env = recipe.make_env()?;
        recipe.validate(&env.spec())?;
        if recipe.metrics.histograms {
            let expected = "false: event files of agents have no weights";
            return Err(ConfigError::new("metrics.histograms", true, expected).into());
        }
        Ok(Self {
            recipe,
            env,
            has_test: true,
        })
    }

    fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    fn overview(&self) -> Overview {
        let spec = self.env.spec();
        let actions = match &spec.action_space {
            ActionSpace::Discrete(count) => format!("{count} discrete actions"),
            ActionSpace::Continuous(space) => {
                format!("actions of {}", counted(space.len(), "value"))
            }
        };
        Overview {
            summary: format!(
                "{}, observations of {} values, {actions}, at most {} steps",
                spec.name,
                spec.observation_space.len(),
                thousands(self.recipe.train.total_timesteps)
            ),
            layers: self.recipe.agent.layers(&spec),
            ..Overview::default()
        }
    }

    fn without_test(mut self) -> Self {
        self.has_test = false;
        self
    }

    /// Steps until the environment was solved. A run that did not solve it has all its steps, and more the lower its
    /// best return; where nothing counts as solved, it is that return.
    fn objective(&self, report: &Report) -> Option<Objective> {
        let best = *report.valid.get("return_mean")?;
        let Some(threshold) = self.env.spec().reward_threshold else {
            return Some(Objective {
                metric: "return_mean".to_owned(),
                mode: MonitorMode::Max,
                scores: vec![best],
                unsolved: 0,
            });
        };
        let solved = report.details.get("solved");
        let steps = solved.and_then(|solved| solved.get("steps")?.as_f64());
        let missing = (threshold - best).max(0.0) / threshold.abs().max(1.0);
        let all = self.recipe.train.total_timesteps as f64;
        Some(Objective {
            metric: "steps_to_solve".to_owned(),
            mode: MonitorMode::Min,
            scores: vec![steps.unwrap_or(all * (1.0 + missing))],
            unsolved: usize::from(steps.is_none()),
        })
    }

    fn train_in(
        &self,
        run: &RunDir,
        device: &Device,
        options: &mut Options,
    ) -> Result<Report, TaskError> {
        let feed = RendererFeed::new((options.renderer)(&Stage::of("", 0, 1)));
        let feed = Rc::new(RefCell::new(feed));
        let steps_feed = Rc::clone(&feed);
        let interrupter = options.interrupter.clone();
        let is_compared = options.baselines && self.has_test;
        let options = train::Options {
            test: self.has_test,
            on_note: options.on_note,
            ranks: options.ranks.clone(),
            dir: Some(run.path().to_owned()),
            resume: options.resume,
            should_stop: Box::new(move || interrupter.should_stop()),
            observer: Box::new(move |progress| feed.borrow_mut().show(progress)),
            on_step: Box::new(move |steps| steps_feed.borrow_mut().step(steps)),
            on_damage: Box::new(options.on_damage),
        };
        let trained = train(&self.recipe, &self.env, device, options)?;
        trained.policy.save(&run.model_dir())?;
        let mut report = self.report(run, &trained)?;
        if let Some(test) = trained.policy.test().filter(|_| is_compared) {
            match baselines(&self.env, test) {
                Ok(found) => report.baselines = found,
                // The agent is trained already.
                Err(error) => {
                    let warning = format!("cannot evaluate the baseline: {error}");
                    report.warnings.push(warning);
                }
            }
            report.comparison = compare(&report.evaluation, &[], &report.baselines);
        }
        Ok(report)
    }

    fn load(dir: &Path, device: &Device) -> Result<Policy, TaskError> {
        Ok(Policy::load(&ModelFiles::open(dir), device)?)
    }

    fn with_threshold(_: Policy, _: f64) -> Result<Policy, TaskError> {
        Err(TaskError::user("an agent has no decision threshold"))
    }

    fn evaluate(
        model: &Policy,
        request: &EvalRequest<'_, Recipe>,
    ) -> Result<EvalReport, TaskError> {
        if request.data.is_some() || request.split != "test" {
            return Err(TaskError::user(
                "an agent is evaluated on test episodes of its environment: it has no data and no \
                 other split",
            ));
        }
        let returns = test_episodes(model, None, None, None)?;
        Ok(EvalReport {
            evaluation: returns.evaluation(),
            labels: Vec::new(),
            scope: None,
            source: None,
            notes: Vec::new(),
        })
    }

    fn predict(
        model: &Policy,
        path: &Path,
        options: &InputOptions<()>,
        each: &mut PredictionListener<'_>,
    ) -> Result<InputReport, TaskError> {
        if options.all_columns || !options.columns.is_empty() {
            return Err(TaskError::user(
                "`--id` and `--keep` do not apply to observations",
            ));
        }
        observations::predict(model, path, each)?;
        Ok(InputReport::default())
    }

    fn columns(model: &Policy) -> Vec<String> {
        match &model.spec().action_space {
            ActionSpace::Discrete(_) => vec!["action".to_owned()],
            ActionSpace::Continuous(space) => {
                let names = (0..space.len()).map(|index| format!("action_{index}"));
                names.collect()
            }
        }
    }
}

/// The environment of a name, with its time limit.
///
/// # Errors
///
/// If there is none; suggests the nearest name.
pub fn make_env(name: &str) -> Result<ClassicControl, TaskError> {
    Ok(name.parse()?)
}

/// Plays test episodes of a policy: those of its training if no other environment, seed or number is
/// given.
///
/// # Errors
///
/// If the environment is unknown or not that of the training.
pub fn test_episodes(
    policy: &Policy,
    env: Option<&str>,
    seed: Option<u64>,
    episodes: Option<u32>,
) -> Result<EpisodeReturns, TaskError> {
    let env = make_env(env.unwrap_or(policy.environment()))?;
    policy.check(&env.spec())?;
    let own = policy.test().unwrap_or(DEFAULT_TEST);
    let test = TestEpisodes {
        seed: seed.unwrap_or(own.seed),
        episodes: episodes.map_or(own.episodes, |episodes| episodes as usize),
    };
    Ok(test.evaluate(policy, &env)?)
}

impl ReinforcementLearning {
    fn report(&self, run: &RunDir, trained: &Trained) -> Result<Report, TaskError> {
        let train_s = trained.wall_s - trained.evaluation_s;
        let training = Training {
            epochs: trained.evaluations as usize,
            best_epoch: trained.best.evaluation as usize,
            steps: trained.steps as usize,
            samples: trained.steps as usize,
            timings: Timings {
                compute_s: train_s,
                valid_s: trained.evaluation_s,
                ..Timings::default()
            },
            wall_s: trained.wall_s,
        };
        let (mut details, mut warnings) = (self.details(trained, train_s), Vec::new());
        match preview::write(run.path(), &trained.policy, &self.env, self.recipe.seed()) {
            Ok(images) => details.extend(images),
            // The agent is trained already.
            Err(error) => warnings.push(format!("no image of an episode: {error}")),
        }
        Ok(Report {
            run: run.clone(),
            training,
            parameters: trained.parameters,
            valid: return_metrics(trained.best.return_mean, trained.best.return_std),
            test: trained.test.metrics(),
            evaluation: trained.test.evaluation(),
            labels: Vec::new(),
            folds: Vec::new(),
            baselines: Vec::new(),
            comparison: None,
            seconds_per_item: self.seconds_per_action(&trained.policy)?,
            sections: self.sections(trained),
            appendix: Vec::new(),
            details,
            warnings,
        })
    }

    fn seconds_per_action(&self, policy: &Policy) -> Result<f64, TaskError> {
        let width = self.env.spec().observation_space.len();
        let first = |seed: u64| {
            let mut observation = vec![0.0; width];
            self.env.clone().reset(seed, &mut observation);
            observation
        };
        let observations: Vec<Vec<f32>> = (0..TIMED).map(first).collect();
        run::seconds_per_item(&observations, |observation| {
            policy.act(observation);
            Ok(())
        })
    }

    fn sections(&self, trained: &Trained) -> Vec<Section> {
        let returns = trained.test.over_episodes();
        let mut lines = vec![format!("{}: {returns}", self.recipe.environment)];
        if let Some(threshold) = self.env.spec().reward_threshold {
            lines.extend(self.solved(threshold, trained.solved, trained.test.mean()));
        }
        if trained.stopped_early {
            lines.push(self.early_stop());
        }
        lines.push(format!(
            "{} steps, {} episodes, {} updates",
            thousands(trained.steps as usize),
            thousands(trained.episodes as usize),
            thousands(trained.updates as usize),
        ));
        vec![Section::text(lines.join("\n"))]
    }

    /// Whether the threshold of the environment was reached, and over how many episodes.
    fn solved(&self, threshold: f64, solved: Option<Milestone>, test_mean: f64) -> Vec<String> {
        let Some(Milestone { steps, wall_s }) = solved else {
            let text = format!("not solved: no validation reached the threshold of {threshold}");
            return vec![text];
        };
        let count = self.recipe.train.n_eval_episodes;
        let mut lines = vec![format!(
            "solved after {} steps, {wall_s:.2} s: reached the threshold of {threshold} in a validation of {} {}",
            thousands(steps as usize),
            thousands(count),
            episodes(count)
        )];
        if test_mean < threshold {
            lines.push(format!(
                "the mean return of the test, {test_mean:.1}, is below the threshold of {threshold}"
            ));
        }
        lines
    }

    /// Why a training ended before its last step.
    fn early_stop(&self) -> String {
        let train = &self.recipe.train;
        let (threshold, count) = (train.reward_threshold, train.evals_to_stop);
        if count == 1 {
            return format!(
                "stopped early: a validation reached `train.reward_threshold`, {threshold}"
            );
        }
        let count = thousands(count);
        format!(
            "stopped early: {count} validations in a row reached `train.reward_threshold`, {threshold}"
        )
    }

    fn details(&self, trained: &Trained, train_s: f64) -> Map<String, Value> {
        let steps_per_s = trained.steps as f64 / train_s.max(f64::MIN_POSITIVE);
        let solved = trained.solved.map(|Milestone { steps, wall_s }| {
            let episodes = self.recipe.train.n_eval_episodes;
            json!({ "steps": steps, "wall_s": wall_s, "episodes": episodes })
        });
        let details = [
            ("environment", json!(self.recipe.environment)),
            ("episodes", json!(trained.episodes)),
            ("updates", json!(trained.updates)),
            ("best_step", json!(trained.best.steps)),
            ("steps_per_s", json!(steps_per_s)),
            ("solved", json!(solved)),
        ];
        let pairs = details.map(|(name, value)| (name.to_owned(), value));
        pairs.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(change: impl FnOnce(&mut Recipe)) -> ReinforcementLearning {
        let mut recipe = Recipe::builtin("dqn").unwrap();
        change(&mut recipe);
        ReinforcementLearning::prepare(recipe).unwrap()
    }

    #[test]
    fn solved_says_over_how_many_episodes() {
        let task = task(|recipe| recipe.train.n_eval_episodes = 3);
        let milestone = Milestone {
            steps: 2_048,
            wall_s: 1.5,
        };
        let solved = "solved after 2,048 steps, 1.50 s: reached the threshold of 475 in a validation of 3 episodes";
        let lines = task.solved(475.0, Some(milestone), 480.0);
        assert_eq!(lines, [solved]);
        let below = "the mean return of the test, 384.9, is below the threshold of 475";
        let lines = task.solved(475.0, Some(milestone), 384.9);
        assert_eq!(lines, [solved, below]);
        let lines = task.solved(475.0, None, 384.9);
        assert_eq!(
            lines,
            ["not solved: no validation reached the threshold of 475"]
        );
    }

    #[test]
    fn an_early_stop_names_the_key() {
        let text = task(|_| ()).early_stop();
        let expected =
            "stopped early: 3 validations in a row reached `train.reward_threshold`, 500";
        assert_eq!(text, expected);
        let text = task(|recipe| recipe.train.evals_to_stop = 1).early_stop();
        assert!(text.contains("a validation reached"), "{text}");
    }
}
