//! The loop: rounds of acting and learning, with evaluations, a curve and checkpoints between.
//!
//! It replaces burn-rl's runner, which treats a time limit as a failure, has no random streams that
//! could be stored, and evaluates one episode at a time.

mod checkpoint;
mod learner;

use std::path::{Path, PathBuf};
use std::time::Instant;

use burn::tensor::Device;
use tinderbox_train::checkpoint::{CheckpointContents, Store};
use tinderbox_train::format::thousands;
use tinderbox_train::run_dir::{BEST_DIR, write_length};
use tinderbox_train::{
    CHECKPOINT_DIR, CheckpointError, METRICS_FILE, MetricLines, Saving, Schedule, TaskError,
    TrainError,
};

use crate::environment::{EnvSpec, Environment};
use crate::evaluation::{EpisodeReturns, evaluate_policy};
use crate::policy::{Policy, TestEpisodes};
use crate::random::Purpose;
use crate::recipe::{Recipe, TrainingOptions};
use crate::vector_env::VectorEnv;

pub use checkpoint::{BestEvaluation, Milestone};
use checkpoint::{State, foreign, from_bytes, take, to_bytes};
use learner::{Clock, Learner};

/// Share of a time budget after which its number of steps is decided.
const MEASURED: f64 = 0.1;

/// Share of a time budget that is planned with.
const PLANNED: f64 = 0.95;

/// Share of a time budget after which no round begins.
const LATEST: f64 = 0.98;

/// How a training is watched, and where it is kept.
pub struct Options {
    /// Folder of `metrics.jsonl` and `checkpoint/`, which must exist; `None` keeps nothing.
    pub dir: Option<PathBuf>,
    /// Whether to resume from the latest good checkpoint there.
    pub resume: bool,
    /// Whether to stop; asked after every round.
    pub should_stop: Box<dyn Fn() -> bool>,
    /// Called at each point of the training curve and after each evaluation.
    pub observer: Box<dyn FnMut(&Progress)>,
    /// Called for each checkpoint that is skipped because it is damaged.
    pub on_damage: Box<dyn Fn(&CheckpointError)>,
    /// Called with what was decided for the user, such as the number of steps of a time budget.
    pub on_note: fn(&str),
    /// Whether the best policy plays test episodes; else those of another evaluation stand for them.
    pub test: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            dir: None,
            resume: false,
            should_stop: Box::new(|| false),
            observer: Box::new(|_| ()),
            on_damage: Box::new(|error| tracing::warn!("{error}")),
            on_note: |text| tracing::info!("{text}"),
            test: true,
        }
    }
}

/// The progress of a training.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// Environment steps so far, and their largest number.
    pub steps: [u64; 2],
    /// Finished episodes.
    pub episodes: u64,
    /// Optimizer steps.
    pub updates: u64,
    /// Mean return of the last 20 episodes of the training; NaN before the first has ended.
    pub return_mean: f64,
    /// Mean loss since the last point of the curve; NaN without an update.
    pub loss: f64,
    /// Probability of a random action, for an agent that has one.
    pub epsilon: Option<f64>,
    /// Environment steps per second since the last point.
    pub steps_per_s: f64,
    /// Mean and standard deviation of the returns, after an evaluation.
    pub evaluation: Option<[f64; 2]>,
    /// Time since the start, in s.
    pub wall_s: f64,
}

/// The result of a training.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The policy with the highest mean return in an evaluation, the latest of equals.
    pub policy: Policy,
    /// The evaluation that selected it.
    pub best: BestEvaluation,
    /// Test episodes, which selected nothing.
    pub test: EpisodeReturns,
    /// Environment steps.
    pub steps: u64,
    /// Finished episodes.
    pub episodes: u64,
    /// Optimizer steps.
    pub updates: u64,
    /// Evaluations.
    pub evaluations: u64,
    /// The first evaluation at which the environment counts as solved.
    pub solved: Option<Milestone>,
    /// Time since the start, in s, interrupted sessions included, without the test.
    pub wall_s: f64,
    /// Time spent on evaluations, in s.
    pub evaluation_s: f64,
    /// Trainable parameters.
    pub parameters: usize,
}

/// Trains an agent in copies of `env` on `device`.
///
/// The same recipe, environment and device give the same agent to the bit, however often training is
/// interrupted and resumed.
///
/// # Errors
///
/// If the recipe does not fit the environment, the environment returns a value that is not finite,
/// the folder cannot be written, or training is interrupted.
pub fn train<E: Environment>(
    recipe: &Recipe,
    env: &E,
    device: &Device,
    mut options: Options,
) -> Result<Trained, TaskError> {
    let mut run = Run::start(recipe, env, device, &options)?;
    let saving = run.store.is_some().then(Saving::begin);
    if run.state.steps == 0 {
        // Finds a folder that cannot be written now and not at the end.
        run.save()?;
    }
    while !run.state.finished {
        let before = run.state.steps;
        let clock = Clock {
            steps: before,
            total: run.config.total_timesteps as u64,
            rate: run.rate(),
        };
        let round = run.learner.round(&mut run.envs, clock)?;
        run.state.add(&round, run.envs.len());
        let after = run.state.steps;
        run.plan(&options);
        let crossed = |every: usize| every > 0 && before / every as u64 != after / every as u64;
        let last = run.is_last();
        if crossed(run.config.log_every) || last {
            let progress = run.log()?;
            (options.observer)(&progress);
        }
        if crossed(run.config.eval_freq) || last {
            let progress = run.evaluate(env)?;
            (options.observer)(&progress);
            run.state.finished = run.is_finished();
        }
        if run.state.finished || crossed(run.config.checkpoint_every) {
            run.save()?;
        } else if (options.should_stop)() {
            run.save()?;
            let step = after as usize;
            return Err(TrainError::Interrupted { step }.into());
        }
    }
    drop(saving);
    run.finish(env, options.test)
}

struct Run<E: Environment> {
    config: TrainingOptions,
    schedule: Schedule,
    identity: String,
    spec: EnvSpec,
    learner: Learner,
    envs: VectorEnv<E>,
    state: State,
    best: Option<Policy>,
    store: Option<Store>,
    lines: MetricLines,
    metrics_path: PathBuf,
    best_dir: Option<PathBuf>,
    started: Instant,
    /// Steps and time at the last point of the curve.
    mark: (u64, Instant),
    /// The time budget, in s.
    budget: Option<f64>,
    /// Steps and time in the middle of the time that is kept to plan it.
    half: (u64, f64),
}

impl<E: Environment> Run<E> {
    fn start(
        recipe: &Recipe,
        env: &E,
        device: &Device,
        options: &Options,
    ) -> Result<Self, TaskError> {
        let spec = env.spec();
        recipe.validate(&spec)?;
        let config = recipe.train.clone();
        let seed = Purpose::Environments.seed(config.seed, 0);
        let dir = options.dir.as_deref();
        let store = dir.map(|dir| Store::new(dir.join(CHECKPOINT_DIR)));
        let checkpoint = match &store {
            Some(store) if options.resume => {
                let (checkpoint, damaged) = store.latest()?;
                for error in &damaged {
                    (options.on_damage)(error);
                }
                checkpoint
            }
            _ => None,
        };
        let metrics_path = dir.unwrap_or(Path::new("")).join(METRICS_FILE);
        let mut run = Self {
            learner: Learner::new(recipe, &spec, device)?,
            envs: VectorEnv::new(env, config.num_envs, seed)?,
            state: State::default(),
            best: None,
            lines: MetricLines::open(None, 0).map_err(TrainError::Metrics)?,
            started: Instant::now(),
            mark: (0, Instant::now()),
            budget: config.time_budget()?,
            half: (0, 0.0),
            config,
            schedule: recipe.schedule.clone(),
            identity: recipe.identity()?,
            spec,
            store,
            metrics_path,
            best_dir: dir.map(|dir| dir.join(BEST_DIR)),
        };
        if let Some(checkpoint) = checkpoint {
            run.restore(checkpoint)?;
        }
        let path = dir.is_some().then_some(run.metrics_path.as_path());
        let bytes = run.state.metrics_bytes;
        run.lines = MetricLines::open(path, bytes).map_err(TrainError::Metrics)?;
        run.mark.0 = run.state.steps;
        Ok(run)
    }

    fn wall_s(&self) -> f64 {
        self.state.wall_s + self.started.elapsed().as_secs_f64()
    }

    /// Factor of the schedule on the learning rate.
    fn rate(&self) -> f64 {
        let steps = self.state.steps as usize;
        self.schedule.factor(steps, self.config.total_timesteps)
    }

    fn is_last(&self) -> bool {
        let is_late = self
            .budget
            .is_some_and(|budget| self.wall_s() > LATEST * budget);
        is_late || self.state.steps >= self.config.total_timesteps as u64
    }

    /// Decides once how many steps fit into the time budget, by the second half of the time that is kept for it: the
    /// first steps are faster, because nothing is learned in them.
    fn plan(&mut self, options: &Options) {
        let Some(budget) = self.budget else { return };
        if self.state.planned > 0 {
            return;
        }
        let now = self.wall_s();
        if now < MEASURED * budget / 2.0 {
            self.half = (self.state.steps, now);
        }
        let steps = self.state.steps - self.half.0;
        if now < MEASURED * budget || steps == 0 {
            return;
        }
        let rate = steps as f64 / (now - self.half.1).max(f64::MIN_POSITIVE);
        let left = (rate * (PLANNED * budget - now)).max(0.0) as u64;
        let most = self.config.total_timesteps as u64;
        self.state.planned = (self.state.steps + left).min(most);
        self.config.total_timesteps = self.state.planned as usize;
        (options.on_note)(&format!(
            "`train.budget` {}: training for {} of at most {} steps",
            self.config.budget,
            thousands(self.config.total_timesteps),
            thousands(most as usize)
        ));
        if let Some(dir) = &options.dir
            && let Err(error) = write_length(dir, "total_timesteps", self.config.total_timesteps)
        {
            (options.on_note)(&format!(
                "warning: the number of steps is not in `recipe.toml`: {error}"
            ));
        }
    }

    fn is_finished(&self) -> bool {
        self.is_last() || self.state.streak >= self.config.evals_to_stop
    }

    fn test(&self) -> TestEpisodes {
        TestEpisodes {
            seed: self.config.seed,
            episodes: self.config.n_eval_episodes,
        }
    }

    fn write(&mut self, split: &str, name: &str, value: f64) -> Result<(), TrainError> {
        let at = [self.state.steps, self.state.episodes].map(|count| count as usize);
        let wall_s = self.wall_s();
        self.lines
            .write(at, split, name, value, wall_s)
            .map_err(TrainError::Metrics)
    }

    fn progress(&self, evaluation: Option<[f64; 2]>) -> Progress {
        Progress {
            steps: [self.state.steps, self.config.total_timesteps as u64],
            episodes: self.state.episodes,
            updates: self.learner.updates(),
            return_mean: self.state.recent_mean(),
            loss: self.state.loss(),
            epsilon: self.learner.epsilon(self.state.steps),
            steps_per_s: (self.state.steps - self.mark.0) as f64
                / self.mark.1.elapsed().as_secs_f64().max(1e-9),
            evaluation,
            wall_s: self.wall_s(),
        }
    }

    fn log(&mut self) -> Result<Progress, TrainError> {
        let progress = self.progress(None);
        self.write("train", "return_mean", progress.return_mean)?;
        self.write("train", "loss", progress.loss)?;
        if let Some(epsilon) = progress.epsilon {
            self.write("train", "epsilon", epsilon)?;
        }
        self.lines.flush().map_err(TrainError::Metrics)?;
        self.state.clear_loss();
        self.mark = (self.state.steps, Instant::now());
        if self.state.not_finite {
            let step = self.state.steps as usize;
            return Err(TrainError::NotFinite { step });
        }
        Ok(progress)
    }

    fn evaluate(&mut self, env: &E) -> Result<Progress, TaskError> {
        let started = Instant::now();
        let policy = self.learner.policy(&self.spec).with_test(self.test());
        let seed = Purpose::Evaluation.seed(self.config.seed, self.state.evaluations);
        let episodes = self.config.n_eval_episodes;
        let returns = evaluate_policy(env, episodes, seed, |rows| policy.act(rows))?;
        self.state.evaluations += 1;
        let (mean, std) = (returns.mean(), returns.std());
        self.state.evaluation_s += started.elapsed().as_secs_f64();
        let wall_s = self.wall_s();
        let (steps, threshold) = (self.state.steps, self.spec.reward_threshold);
        if self.state.solved.is_none() && threshold.is_some_and(|threshold| mean >= threshold) {
            self.state.solved = Some(Milestone { steps, wall_s });
        }
        // Of equals the latest is kept: it has seen more.
        let best = self.state.best.as_ref();
        if best.is_none_or(|best| mean >= best.return_mean) {
            self.state.best = Some(BestEvaluation {
                steps,
                evaluation: self.state.evaluations,
                return_mean: mean,
                return_std: std,
            });
            if let Some(dir) = &self.best_dir {
                policy.save_best(dir)?;
            }
            self.best = Some(policy);
        }
        self.state.streak = if mean >= self.config.reward_threshold {
            self.state.streak + 1
        } else {
            0
        };
        self.write("valid", "return_mean", mean)?;
        self.write("valid", "return_std", std)?;
        self.lines.flush().map_err(TrainError::Metrics)?;
        let progress = self.progress(Some([mean, std]));
        self.mark.1 += started.elapsed();
        Ok(progress)
    }

    fn save(&mut self) -> Result<(), TaskError> {
        let Some(store) = &self.store else {
            return Ok(());
        };
        self.state.metrics_bytes = self.lines.sync().map_err(TrainError::Metrics)?;
        let state = State {
            wall_s: self.wall_s(),
            ..self.state.clone()
        };
        let mut blobs = self.learner.save()?;
        blobs.insert("state".to_owned(), to_bytes(&state)?);
        blobs.insert("environments".to_owned(), to_bytes(&self.envs)?);
        if let Some(best) = &self.best {
            blobs.insert("best".to_owned(), best.to_bytes()?);
        }
        let steps = self.state.steps;
        let state = serde_json::json!({ "identity": self.identity, "steps": steps });
        store.save(steps as usize, &CheckpointContents { state, blobs })?;
        Ok(())
    }

    fn restore(&mut self, mut checkpoint: CheckpointContents) -> Result<(), TaskError> {
        let stored = checkpoint.state.get("identity");
        let stored = stored.and_then(|text| text.as_str()).unwrap_or_default();
        if stored != self.identity {
            let mut lines = self.identity.lines().zip(stored.lines());
            return Err(match lines.find(|(ours, theirs)| ours != theirs) {
                Some((ours, theirs)) => {
                    foreign(format!("it has `{theirs}` where this run has `{ours}`"))
                }
                None => foreign("they differ in length"),
            });
        }
        let blobs = &mut checkpoint.blobs;
        self.state = from_bytes(&take(blobs, "state")?)?;
        if self.state.planned > 0 {
            self.config.total_timesteps = self.state.planned as usize;
        }
        // The run may be longer than when the checkpoint was written.
        self.state.finished = self.state.evaluations > 0 && self.is_finished();
        self.envs = from_bytes(&take(blobs, "environments")?)?;
        if self.state.best.is_some() {
            let best = take(blobs, "best")?;
            let policy = self.learner.policy(&self.spec).with_weights(best)?;
            self.best = Some(policy.with_test(self.test()));
        }
        self.learner.restore(blobs)
    }

    fn finish(mut self, env: &E, has_test: bool) -> Result<Trained, TaskError> {
        let wall_s = self.wall_s();
        let missing = || foreign("it has no best policy");
        let policy = self.best.take().ok_or_else(missing)?;
        let best = self.state.best.ok_or_else(missing)?;
        let test = if has_test {
            let test = self.test().evaluate(&policy, env)?;
            self.write("test", "return_mean", test.mean())?;
            self.write("test", "return_std", test.std())?;
            test
        } else {
            let seed = Purpose::Evaluation.seed(self.config.seed, self.state.evaluations);
            evaluate_policy(env, self.config.n_eval_episodes, seed, |rows| {
                policy.act(rows)
            })?
        };
        self.lines.flush().map_err(TrainError::Metrics)?;
        Ok(Trained {
            parameters: policy.parameters(),
            policy,
            best,
            test,
            steps: self.state.steps,
            episodes: self.state.episodes,
            updates: self.learner.updates(),
            evaluations: self.state.evaluations,
            solved: self.state.solved,
            wall_s,
            evaluation_s: self.state.evaluation_s,
        })
    }
}
