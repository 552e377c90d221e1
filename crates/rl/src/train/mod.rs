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
use tinderbox_train::overlay::reread;
use tinderbox_train::run_dir::{BEST_DIR, write_length};
use tinderbox_train::{
    CHECKPOINT_DIR, CheckpointError, METRICS_FILE, MetricLines, Ranks, Saving, Schedule, TaskError,
    TrainError,
};

use crate::environment::{EnvSpec, Environment};
use crate::evaluation::{EpisodeReturns, evaluate_policy};
use crate::policy::{Policy, TestEpisodes};
use crate::random::Purpose;
use crate::recipe::{Recipe, TrainingOptions};
use crate::vector_env::VectorEnv;

pub use checkpoint::{BestEvaluation, Milestone};
use checkpoint::{State, Totals, foreign, from_bytes, take, to_bytes};
use learner::{Clock, Learner};

/// Share of a time budget after which its number of steps is decided.
const MEASURED: f64 = 0.2;

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
    /// Called before the first round and after each one with the environment steps so far and their number at the end.
    pub on_step: Box<dyn FnMut([u64; 2])>,
    /// Called for each checkpoint that is skipped because it is damaged.
    pub on_damage: Box<dyn Fn(&CheckpointError)>,
    /// Called with what was decided for the user, such as the number of steps of a time budget.
    pub on_note: fn(&str),
    /// The processes that train together; only rank 0 needs a folder.
    ///
    /// Each steps its part of the environments and computes the gradients of its part of each batch. There are
    /// `train.num_envs` environments and `train.batch_size` transitions of a batch for each rank, so several ranks
    /// do what one with the environments and the batches of all would.
    pub ranks: Ranks,
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
            on_step: Box::new(|_| ()),
            on_damage: Box::new(|error| tracing::warn!("{error}")),
            on_note: |text| tracing::info!("{text}"),
            ranks: Ranks::default(),
            test: true,
        }
    }
}

/// The progress of a training.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// Environment steps so far, and their number at the end, which is that of whole rounds.
    pub steps: [u64; 2],
    /// Finished episodes.
    pub episodes: u64,
    /// Optimizer steps.
    pub updates: u64,
    /// Mean return of the last 20 episodes of the training; NaN before the first has ended.
    pub return_mean: f64,
    /// Mean loss since the last point of the curve; NaN without an update.
    pub loss: f64,
    /// Learning rate of the latest updates.
    pub learning_rate: f64,
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
    /// The first evaluation whose mean return reached the threshold of the environment.
    pub solved: Option<Milestone>,
    /// Whether it ended before its last step, because evaluations reached `train.reward_threshold`.
    pub stopped_early: bool,
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
/// the folder cannot be written, training is interrupted, or another rank fails.
pub fn train<E: Environment>(
    recipe: &Recipe,
    env: &E,
    device: &Device,
    options: Options,
) -> Result<Trained, TaskError> {
    let ranks = options.ranks.clone();
    train_on_rank(recipe, env, device, options).map_err(|error| {
        let failure = ranks.end(error.kind(), &error);
        failure.map_or(error, |failure| TrainError::Rank(failure).into())
    })
}

fn train_on_rank<E: Environment>(
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
    (options.on_step)(run.steps());
    while !run.state.finished {
        let before = run.state.steps;
        let clock = Clock {
            steps: before,
            total: run.config.total_timesteps as u64,
            rate: run.rate(),
        };
        run.learning_rate = run.base_learning_rate * clock.rate;
        let round = run.learner.round(&mut run.envs, clock)?;
        run.state.add(&round, run.envs.len());
        let after = run.state.steps;
        let stop = run.agree((options.should_stop)())?;
        run.plan(&options);
        let crossed = |every: usize| every > 0 && before / every as u64 != after / every as u64;
        (options.on_step)(run.steps());
        let last = run.is_last();
        if crossed(run.config.log_every) || last {
            let progress = run.log()?;
            (options.observer)(&progress);
        }
        if crossed(run.config.eval_freq) || last {
            let progress = run.evaluate(env)?;
            (options.observer)(&progress);
            run.agree(false)?;
            run.state.finished = run.is_finished();
        }
        if run.state.finished || crossed(run.config.checkpoint_every) {
            run.save()?;
        } else if stop {
            run.save()?;
            let step = after as usize;
            return Err(TrainError::Interrupted { step }.into());
        }
    }
    drop(saving);
    run.finish(env, options.test)
}

/// The checkpoint to resume from.
fn latest(
    store: Option<&Store>,
    options: &Options,
) -> Result<Option<CheckpointContents>, TaskError> {
    let Some(store) = store.filter(|_| options.resume) else {
        return Ok(None);
    };
    let (checkpoint, damaged) = store.latest()?;
    for error in &damaged {
        (options.on_damage)(error);
    }
    Ok(checkpoint)
}

/// What the ranks of a stored training share; `None` where it was written by a version that had one rank.
fn stored_totals(checkpoint: &CheckpointContents) -> Result<Option<Totals>, TaskError> {
    let missing = || foreign("`state` is missing");
    let state = checkpoint.blobs.get("state").ok_or_else(missing)?;
    Ok(from_bytes::<State>(state)?.totals)
}

struct Run<E: Environment> {
    /// Name of the recipe.
    recipe: String,
    config: TrainingOptions,
    schedule: Schedule,
    base_learning_rate: f64,
    /// That of the latest round.
    learning_rate: f64,
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
    ranks: Ranks,
    /// Time since the start on rank 0, in s, which decides for all.
    now: f64,
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
        let ranks = options.ranks.clone();
        let dir = options.dir.as_deref().filter(|_| ranks.is_first());
        let store = dir.map(|dir| Store::new(dir.join(CHECKPOINT_DIR)));
        let identity = recipe.identity()?;
        ranks.check_same(&toml::to_string(recipe)?, "")?;
        let checkpoint = ranks.checkpoint_of_first(latest(store.as_ref(), options)?)?;
        let stored = checkpoint
            .as_ref()
            .map(stored_totals)
            .transpose()?
            .flatten();
        let totals = stored.unwrap_or(Totals {
            ranks: ranks.size(),
            num_envs: recipe.train.num_envs * ranks.size(),
            batch_size: recipe.train.batch_size * ranks.size(),
        });
        if totals.ranks != ranks.size() && ranks.is_first() {
            (options.on_note)(&totals.note(ranks.size()));
        }
        let mut recipe = recipe.clone();
        recipe.train.num_envs = totals.num_envs;
        recipe.train.batch_size = totals.batch_size;
        let config = recipe.train.clone();
        let seed = Purpose::Environments.seed(config.seed, 0);
        let envs = VectorEnv::new(env, config.num_envs, seed)?;
        let metrics_path = dir.unwrap_or(Path::new("")).join(METRICS_FILE);
        let mut run = Self {
            recipe: recipe.name.clone(),
            learner: Learner::new(&recipe, &spec, device, &ranks)?,
            envs: envs.on_ranks(ranks.clone()),
            state: State {
                totals: Some(totals),
                ..State::default()
            },
            best: None,
            lines: MetricLines::open(None, 0).map_err(TrainError::Metrics)?,
            started: Instant::now(),
            mark: (0, Instant::now()),
            budget: config.time_budget()?,
            ranks,
            now: 0.0,
            half: (0, 0.0),
            config,
            schedule: recipe.schedule.clone(),
            base_learning_rate: recipe.optimizer.learning_rate(),
            learning_rate: 0.0,
            identity,
            spec,
            store,
            metrics_path,
            best_dir: dir.map(|dir| dir.join(BEST_DIR)),
        };
        match checkpoint {
            Some(checkpoint) => run.restore(checkpoint)?,
            None => run.share_weights()?,
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

    /// Whether any rank is to stop, and what time it is, by the clock of rank 0.
    fn agree(&mut self, stop: bool) -> Result<bool, TrainError> {
        let own = self.wall_s();
        if self.ranks.is_alone() {
            self.now = own;
            return Ok(stop);
        }
        let mut told = vec![u8::from(stop)];
        told.extend(own.to_le_bytes());
        let all = self.ranks.all_gather(told)?;
        let clock = all[0].get(1..).and_then(|bytes| bytes.try_into().ok());
        self.now = clock.map_or(own, f64::from_le_bytes);
        Ok(all.iter().any(|told| told.first() == Some(&1)))
    }

    /// Begins with the weights of rank 0: the same seed may draw others on another device.
    fn share_weights(&mut self) -> Result<(), TaskError> {
        if self.ranks.is_alone() {
            return Ok(());
        }
        let contents = CheckpointContents {
            state: serde_json::Value::Null,
            blobs: self.learner.save()?,
        };
        let first = self.ranks.checkpoint_of_first(Some(contents))?;
        first.map_or(Ok(()), |mut first| self.learner.restore(&mut first.blobs))
    }

    fn is_last(&self) -> bool {
        let is_late = self.budget.is_some_and(|budget| self.now > LATEST * budget);
        is_late || self.state.steps >= self.config.total_timesteps as u64
    }

    /// Decides once how many steps fit into the time budget, by the second half of the time that is kept for it: the
    /// first steps are faster, because nothing is learned in them.
    fn plan(&mut self, options: &Options) {
        let Some(budget) = self.budget else { return };
        if self.state.planned > 0 {
            return;
        }
        let now = self.now;
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
        if let Some(dir) = options.dir.as_ref().filter(|_| self.ranks.is_first())
            && let Err(error) = write_length(dir, "total_timesteps", self.config.total_timesteps)
        {
            (options.on_note)(&format!(
                "warning: the number of steps is not in `recipe.toml`: {error}"
            ));
        }
    }

    /// Environment steps so far, and their number at the end: a round is not divided.
    fn steps(&self) -> [u64; 2] {
        let round = self.learner.rows() * self.envs.len() as u64;
        let total = self.config.total_timesteps as u64;
        [self.state.steps, total.next_multiple_of(round.max(1))]
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

    /// The policy of the weights of now.
    fn policy(&self) -> Policy {
        let policy = self.learner.policy(&self.spec);
        policy.with_test(self.test()).with_recipe(&self.recipe)
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
            steps: self.steps(),
            episodes: self.state.episodes,
            updates: self.learner.updates(),
            return_mean: self.state.recent_mean(),
            loss: self.state.loss(),
            learning_rate: self.learning_rate,
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
        self.write("train", "learning_rate", progress.learning_rate)?;
        if let Some(norm) = self.learner.gradient_norm_mut().take() {
            self.write("train", "gradient_norm", norm)?;
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
        let policy = self.policy();
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

    /// Writes a checkpoint, which rank 0 does for all.
    fn save(&mut self) -> Result<(), TaskError> {
        self.envs.gather()?;
        self.write_checkpoint()?;
        Ok(self.ranks.all_well(Ok(()))?)
    }

    fn write_checkpoint(&mut self) -> Result<(), TaskError> {
        let Some(store) = &self.store else {
            return Ok(());
        };
        self.state.metrics_bytes = self.lines.sync().map_err(TrainError::Metrics)?;
        let state = State {
            wall_s: self.wall_s(),
            gradient_norm: *self.learner.gradient_norm_mut(),
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
        // One of an older version lacks keys that are newer.
        let stored = reread::<Recipe>(stored).unwrap_or_else(|| stored.to_owned());
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
        let totals = self.state.totals;
        self.state = from_bytes(&take(blobs, "state")?)?;
        self.state.totals = totals;
        *self.learner.gradient_norm_mut() = self.state.gradient_norm;
        if self.state.planned > 0 {
            self.config.total_timesteps = self.state.planned as usize;
        }
        // The run may be longer than when the checkpoint was written.
        self.state.finished = self.state.evaluations > 0 && self.is_finished();
        let envs: VectorEnv<E> = from_bytes(&take(blobs, "environments")?)?;
        self.envs = envs.on_ranks(self.ranks.clone());
        if self.state.best.is_some() {
            let best = take(blobs, "best")?;
            self.best = Some(self.policy().with_weights(best)?);
        }
        self.learner.restore(blobs)
    }

    fn finish(mut self, env: &E, has_test: bool) -> Result<Trained, TaskError> {
        let wall_s = self.wall_s();
        let stopped_early = self.state.streak >= self.config.evals_to_stop && !self.is_last();
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
            stopped_early,
            wall_s,
            evaluation_s: self.state.evaluation_s,
        })
    }
}
