//! Episodes of a trained agent, frame by frame: in the terminal or as an animated GIF.

use std::io::Write;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{self, Event, KeyCode, KeyModifiers};
use ratatui::layout::{Constraint, Layout};
use tinderbox_train::TaskError;

use super::{Canvas, Gif, Render, SceneWidget};
use crate::environment::Environment;
use crate::policy::Policy;
use crate::random::Purpose;
use crate::vector_env::VectorEnvError;

/// Width of a GIF, in pixels.
const WIDTH: u16 = 480;

/// The same of a preview, which has every other frame of the first seconds.
const PREVIEW_WIDTH: u16 = 320;
const PREVIEW_FRAMES: u64 = 150;

/// Plays episodes of a policy in an environment.
pub struct Player<'a, E> {
    policy: &'a Policy,
    env: E,
    episodes: u32,
    seed: u64,
}

/// The position of a frame.
struct Frame {
    /// Number of the episode, from 1.
    episode: u32,
    /// Steps since its start.
    step: u64,
    /// Sum of its rewards.
    total: f64,
}

impl<'a, E: Environment + Render> Player<'a, E> {
    /// A player of `episodes` episodes, whose seeds follow from `seed`.
    pub fn new(policy: &'a Policy, env: E, episodes: u32, seed: u64) -> Self {
        Self {
            policy,
            env,
            episodes,
            seed,
        }
    }

    /// Plays the episodes and gives their returns.
    ///
    /// # Errors
    ///
    /// If the policy does not fit the environment.
    pub fn play(self) -> Result<Vec<f64>, TaskError> {
        self.each_frame(|_, _| Ok(ControlFlow::Continue(())))
    }

    /// Gives every frame to `draw`, to the end or until that breaks, and gives the returns of whole
    /// episodes.
    fn each_frame(
        mut self,
        mut draw: impl FnMut(&E, &Frame) -> Result<ControlFlow<()>, TaskError>,
    ) -> Result<Vec<f64>, TaskError> {
        self.policy.check(&self.env.spec())?;
        let mut observation = vec![0.0; self.env.spec().observation_space.len()];
        let mut returns = Vec::new();
        for episode in 1..=self.episodes {
            let seed = Purpose::Test.seed(self.seed, u64::from(episode) + 1);
            self.env.reset(seed, &mut observation);
            let mut frame = Frame {
                episode,
                step: 0,
                total: 0.0,
            };
            let mut done = false;
            loop {
                if draw(&self.env, &frame)?.is_break() {
                    return Ok(returns);
                }
                if done {
                    break;
                }
                let actions = self.policy.act(&observation);
                let action = actions.get(0);
                let step = self.env.step(action, &mut observation);
                let step = step.map_err(VectorEnvError::from)?;
                frame.step += 1;
                frame.total += f64::from(step.reward);
                done = step.done();
            }
            returns.push(frame.total);
        }
        Ok(returns)
    }

    /// Shows the episodes in the terminal, in real time; `q` quits. Gives the returns of whole
    /// episodes.
    ///
    /// # Errors
    ///
    /// If the terminal cannot be drawn on, or the policy does not fit the environment.
    pub fn show(self) -> Result<Vec<f64>, TaskError> {
        let frame_time = Duration::from_secs_f64(self.env.frame_s());
        let (name, episodes) = (self.env.spec().name, self.episodes);
        let mut terminal = ratatui::try_init()?;
        let mut next = Instant::now();
        let returns = self.each_frame(|env, frame| {
            terminal.draw(|area| {
                let rows = Layout::vertical([Constraint::Min(1), Constraint::Length(1)]);
                let [scene, line] = rows.areas(area.area());
                area.render_widget(SceneWidget(&env.render()), scene);
                let text = format!(
                    " {name}  episode {} of {episodes}  step {}  return {:.1}   q quits",
                    frame.episode, frame.step, frame.total
                );
                area.render_widget(text, line);
            })?;
            next += frame_time;
            wait_for_quit(next)
        });
        ratatui::restore();
        returns
    }

    /// Writes the episodes as an animated GIF and gives their returns.
    ///
    /// # Errors
    ///
    /// If `out` cannot be written, or the policy does not fit the environment.
    pub fn write_gif(self, out: impl Write) -> Result<Vec<f64>, TaskError> {
        self.write_frames(out, WIDTH, 1, u64::MAX)
    }

    /// Writes the beginning of an episode as a small animated GIF, for the report of a run.
    ///
    /// # Errors
    ///
    /// If `out` cannot be written, or the policy does not fit the environment.
    pub fn write_preview(self, out: impl Write) -> Result<(), TaskError> {
        self.write_frames(out, PREVIEW_WIDTH, 2, PREVIEW_FRAMES)?;
        Ok(())
    }

    /// Writes each frame whose number `every` divides, `most` at most.
    fn write_frames(
        self,
        out: impl Write,
        width: u16,
        every: u64,
        most: u64,
    ) -> Result<Vec<f64>, TaskError> {
        let scene = self.env.render();
        let ratio = (scene.y[1] - scene.y[0]) / (scene.x[1] - scene.x[0]);
        let height = (f64::from(width) * ratio).round() as u16;
        let frame_s = self.env.frame_s() * every as f64;
        let mut gif = Gif::new(out, width, height, frame_s).map_err(TaskError::internal)?;
        let mut left = most;
        self.each_frame(|env, frame| {
            if !frame.step.is_multiple_of(every) {
                return Ok(ControlFlow::Continue(()));
            }
            let canvas = Canvas::new(&env.render(), width.into(), height.into());
            gif.frame(&canvas).map_err(TaskError::internal)?;
            left -= 1;
            Ok(if left == 0 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            })
        })
    }
}

/// Waits until the time of the next frame; breaks if a key asks to quit.
fn wait_for_quit(next: Instant) -> Result<ControlFlow<()>, TaskError> {
    while event::poll(next.saturating_duration_since(Instant::now()))? {
        if let Event::Key(key) = event::read()? {
            let interrupt =
                key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
            if interrupt || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc) {
                return Ok(ControlFlow::Break(()));
            }
        }
    }
    Ok(ControlFlow::Continue(()))
}
