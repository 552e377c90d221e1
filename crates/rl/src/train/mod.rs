//! The loop: rounds of acting and learning, with evaluations, a curve and checkpoints between.
//!
//! It is not burn-rl's runner, which takes a time limit for a failure, has no random streams that
//! could be stored, and evaluates one episode at a time.

mod learner;
mod state;

use std::path::PathBuf;
use std::time::Instant;

use burn::tensor::Device;
use tinderbox_train::checkpoint::{CheckpointContents, Store};
use tinderbox_train::run_dir::BEST_DIR;
use tinderbox_train::{CHECKPOINT_DIR, CheckpointError, METRICS_FILE, MetricLines, Saving};

use crate::environment::{Environment, EnvSpec};
use crate::error::RlError;
use crate::evaluation::{Evaluation, evaluate};
use crate::policy::{Policy, TestEpisodes};
use crate::random::Purpose;
use crate::recipe::{Loop, Recipe};
use crate::vector_env::VectorEnv;

use learner::{Clock, Learner};
use state::State;
pub use state::{Best, Milestone};

/// What training takes besides what decides its result.
pub struct Options {
    /// Where `metrics.jsonl` and `checkpoint/` are kept; the folder must exist.
    pub dir: Option<PathBuf>,
    /// Whether to go on from the latest good checkpoint there.
    pub resume: bool,
    /// Whether somebody wants training to stop; asked after every round.
    pub should_stop: Box<dyn Fn() -> bool>,
    /// Sees how training goes, at each line of the curve and after each evaluation.
    pub observer: Box<dyn FnMut(&Progress)>,
    /// Hears of checkpoints that were skipped because they are damaged.
    pub on_damage: Box<dyn Fn(&CheckpointError)>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            dir: None,
            resume: false,
            should_stop: Box::new(|| false),
            observer: Box::new(|_| ()),
            on_damage: Box::new(|error| tracing::warn!("{error}")),
        }
    }
}

/// How training goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// Steps of the environments, and the most there will be.
    pub steps: [u64; 2],
    /// Episodes ended.
    pub episodes: u64,
    /// Updates of the weights.
    pub updates: u64,
    /// Mean return of the last 20 episodes of the training; NaN before the first has ended.
    pub return_mean: f64,
    /// Mean loss since the last line; NaN without an update.
    pub loss: f64,
    /// Share of random actions, for an agent that has one.
    pub epsilon: Option<f64>,
    /// Steps in a second since the last line.
    pub steps_per_s: f64,
    /// Mean and standard deviation of the returns, if this comes after an evaluation.
    pub evaluation: Option<[f64; 2]>,
    /// Time since the start, in s.
    pub wall_s: f64,
}

/// What training leaves behind.
#[derive(Clone, Debug)]
pub struct Trained {
    /// What had the highest mean return in an evaluation, the latest of equals.
    pub policy: Policy,
    /// The evaluation that it was chosen by.
    pub best: Best,
    /// One of as many other episodes, which decided nothing.
    pub test: Evaluation,
    /// Steps of the environments.
    pub steps: u64,
    /// Episodes ended.
    pub episodes: u64,
    /// Updates of the weights.
    pub updates: u64,
    /// The first evaluation at which the environment counts as solved.
    pub solved: Option<Milestone>,
    /// Time since the start, in s, earlier sittings included, without the test.
    pub wall_s: f64,
    /// Time spent in evaluations, in s.
    pub evaluation_s: f64,
    /// Number of parameters.
    pub parameters: usize,
}

/// Trains an agent in copies of `env` on `device`.
///
/// The same recipe, environment and device give the same agent to the bit, however often it is
/// stopped and gone on with.
///
/// # Errors
///
/// If the recipe makes no sense for the environment, the environment gives something that is not
/// finite, the folder cannot be written, or somebody asks to stop.
pub fn train<E: Environment>(
    recipe: &Recipe,
    env: &E,
    device: &Device,
    mut options: Options,
) -> Result<Trained, RlError> {
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
            total: run.config.steps as u64,
            rate: run.rate(),
        };
        let round = run.learner.round(&mut run.envs, clock)?;
        run.state.take(&round, run.envs.len());
        let after = run.state.steps;
        let crossed = |every: usize| every > 0 && before / every as u64 != after / every as u64;
        let last = after >= run.config.steps as u64;
        if crossed(run.config.log_every) || last {
            let progress = run.log()?;
            (options.observer)(&progress);
        }
        if crossed(run.config.evaluate_every) || last {
            let progress = run.evaluate(env)?;
            (options.observer)(&progress);
            run.state.finished = last || run.state.streak >= run.config.stop_after;
        }
        if run.state.finished || crossed(run.config.checkpoint_every) {
            run.save()?;
        } else if (options.should_stop)() {
            run.save()?;
            return Err(RlError::Interrupted { steps: after });
        }
    }
    drop(saving);
    run.finish(env)
}

struct Run<E: Environment> {
    config: Loop,
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
    /// Steps and time at the last line.
    mark: (u64, Instant),
}

impl<E: Environment> Run<E> {
    fn start(
        recipe: &Recipe,
        env: &E,
        device: &Device,
        options: &Options,
    ) -> Result<Self, RlError> {
        let spec = env.spec();
        recipe.validate(&spec)?;
        let config = recipe.train.clone();
        let seed = Purpose::Environments.seed(config.seed, 0);
        let identity =
            toml::to_string(recipe).map_err(|error| RlError::Foreign(error.to_string()))?;
        let dir = options.dir.as_deref();
        let store = dir.map(|dir| Store::new(dir.join(CHECKPOINT_DIR)));
        let parts = match &store {
            Some(store) if options.resume => {
                let (parts, damaged) = store.latest()?;
                for error in &damaged {
                    (options.on_damage)(error);
                }
                parts
            }
            _ => None,
        };
        let metrics_path = dir.unwrap_or(std::path::Path::new("")).join(METRICS_FILE);
        let mut run = Self {
            learner: Learner::new(recipe, &spec, device)?,
            envs: VectorEnv::new(env, config.envs, seed)?,
            state: State::default(),
            best: None,
            lines: MetricLines::open(None, 0).map_err(metrics(&metrics_path))?,
            started: Instant::now(),
            mark: (0, Instant::now()),
            config,
            identity,
            spec,
            store,
            metrics_path,
            best_dir: dir.map(|dir| dir.join(BEST_DIR)),
        };
        if let Some(parts) = parts {
            run.restore(parts)?;
        }
        let path = dir.is_some().then_some(run.metrics_path.as_path());
        run.lines =
            MetricLines::open(path, run.state.metrics_bytes).map_err(metrics(&run.metrics_path))?;
        run.mark.0 = run.state.steps;
        Ok(run)
    }

    fn wall_s(&self) -> f64 {
        self.state.wall_s + self.started.elapsed().as_secs_f64()
    }

    /// Step size as a share of the optimizer's.
    fn rate(&self) -> f64 {
        let progress = self.state.steps as f64 / self.config.steps as f64;
        1.0 - (1.0 - self.config.final_rate) * progress.min(1.0)
    }

    fn test(&self) -> TestEpisodes {
        TestEpisodes {
            seed: self.config.seed,
            episodes: self.config.evaluation_episodes,
        }
    }

    fn write(&mut self, split: &str, name: &str, value: f64) -> Result<(), RlError> {
        let at = [self.state.steps, self.state.episodes].map(|count| count as usize);
        let wall_s = self.wall_s();
        self.lines
            .write(at, split, name, value, wall_s)
            .map_err(metrics(&self.metrics_path))
    }

    fn progress(&self, evaluation: Option<[f64; 2]>) -> Progress {
        Progress {
            steps: [self.state.steps, self.config.steps as u64],
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

    fn log(&mut self) -> Result<Progress, RlError> {
        let progress = self.progress(None);
        self.write("train", "return_mean", progress.return_mean)?;
        self.write("train", "loss", progress.loss)?;
        if let Some(epsilon) = progress.epsilon {
            self.write("train", "epsilon", epsilon)?;
        }
        self.lines.flush().map_err(metrics(&self.metrics_path))?;
        self.state.clear_loss();
        self.mark = (self.state.steps, Instant::now());
        if self.state.not_finite {
            let steps = self.state.steps;
            return Err(RlError::NotFinite { steps });
        }
        Ok(progress)
    }

    fn evaluate(&mut self, env: &E) -> Result<Progress, RlError> {
        let started = Instant::now();
        let policy = self.learner.policy(&self.spec.name).with_test(self.test());
        let seed = Purpose::Evaluation.seed(self.config.seed, self.state.evaluations);
        let episodes = self.config.evaluation_episodes;
        let evaluation = evaluate(env, episodes, seed, |rows| policy.act(rows))?;
        self.state.evaluations += 1;
        let (mean, std) = (evaluation.mean(), evaluation.std());
        self.state.evaluation_s += started.elapsed().as_secs_f64();
        let wall_s = self.wall_s();
        let (steps, solved) = (self.state.steps, self.spec.solved);
        if self.state.solved.is_none() && solved.is_some_and(|solved| mean >= solved) {
            self.state.solved = Some(Milestone { steps, wall_s });
        }
        // Of equals the latest is kept: it has seen more.
        if self
            .state
            .best
            .as_ref()
            .is_none_or(|best| mean >= best.return_mean)
        {
            self.state.best = Some(Best {
                steps,
                return_mean: mean,
                return_std: std,
            });
            if let Some(dir) = &self.best_dir {
                policy.save_best(dir)?;
            }
            self.best = Some(policy);
        }
        self.state.streak = if mean >= self.config.stop_return {
            self.state.streak + 1
        } else {
            0
        };
        self.write("valid", "return_mean", mean)?;
        self.write("valid", "return_std", std)?;
        self.lines.flush().map_err(metrics(&self.metrics_path))?;
        let progress = self.progress(Some([mean, std]));
        self.mark.1 += started.elapsed();
        Ok(progress)
    }

    fn save(&mut self) -> Result<(), RlError> {
        let Some(store) = &self.store else {
            return Ok(());
        };
        self.state.metrics_bytes = self.lines.sync().map_err(metrics(&self.metrics_path))?;
        let state = State {
            wall_s: self.wall_s(),
            ..self.state.clone()
        };
        let mut blobs = self.learner.save()?;
        blobs.insert("state".to_owned(), state::to_bytes(&state)?);
        blobs.insert("environments".to_owned(), state::to_bytes(&self.envs)?);
        if let Some(best) = &self.best {
            blobs.insert("best".to_owned(), best.to_bytes()?);
        }
        let steps = self.state.steps;
        let state = serde_json::json!({ "identity": self.identity, "steps": steps });
        store.save(steps as usize, &CheckpointContents { state, blobs })?;
        Ok(())
    }

    fn restore(&mut self, mut parts: CheckpointContents) -> Result<(), RlError> {
        let found = parts.state.get("identity").and_then(|text| text.as_str());
        let found = found.unwrap_or_default();
        if found != self.identity {
            let lines = self.identity.lines().zip(found.lines());
            let differs = lines.into_iter().find(|(ours, theirs)| ours != theirs);
            return Err(RlError::Foreign(match differs {
                Some((ours, theirs)) => format!("it has `{theirs}` where this run has `{ours}`"),
                None => "they differ in length".to_owned(),
            }));
        }
        let blobs = &mut parts.blobs;
        self.state = state::from_bytes(&state::part(blobs, "state")?)?;
        self.envs = state::from_bytes(&state::part(blobs, "environments")?)?;
        if self.state.best.is_some() {
            let best = state::part(blobs, "best")?;
            let policy = self.learner.policy(&self.spec.name).with_weights(best)?;
            self.best = Some(policy.with_test(self.test()));
        }
        self.learner.restore(blobs)
    }

    fn finish(self, env: &E) -> Result<Trained, RlError> {
        let wall_s = self.wall_s();
        let missing = || RlError::Foreign("it has no best policy".to_owned());
        let test = self.test();
        let policy = self.best.ok_or_else(missing)?;
        let best = self.state.best.ok_or_else(missing)?;
        let test = test.evaluate(&policy, env)?;
        let mut lines = self.lines;
        for (name, value) in [("return_mean", test.mean()), ("return_std", test.std())] {
            let at = [self.state.steps, self.state.episodes].map(|count| count as usize);
            lines
                .write(at, "test", name, value, wall_s)
                .and_then(|()| lines.flush())
                .map_err(metrics(&self.metrics_path))?;
        }
        Ok(Trained {
            parameters: policy.parameters(),
            policy,
            best,
            test,
            steps: self.state.steps,
            episodes: self.state.episodes,
            updates: self.learner.updates(),
            solved: self.state.solved,
            wall_s,
            evaluation_s: self.state.evaluation_s,
        })
    }
}

fn metrics(path: &std::path::Path) -> impl Fn(std::io::Error) -> RlError {
    let path = path.to_owned();
    move |source| RlError::Metrics {
        path: path.clone(),
        source,
    }
}
