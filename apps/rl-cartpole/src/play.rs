//! The `play` command.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{self, Event, KeyCode, KeyModifiers};
use ratatui::layout::{Constraint, Layout};
use tinderbox_backend::DeviceSpec;
use tinderbox_cli::args::DEVICE_HELP;
use tinderbox_cli::{Failure, Output, open_device};
use tinderbox_rl::env::Native;
use tinderbox_rl::environment::{Environment as _, Step};
use tinderbox_rl::policy::Policy;
use tinderbox_rl::random::Purpose;
use tinderbox_rl::scene::Look as _;

use crate::eval::load;
use crate::failure;
use crate::picture::{Gif, Picture};
use crate::screen::SceneWidget;

/// Size of a GIF, in pixels.
const WIDTH: u16 = 480;

/// What `play` takes.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    /// Run directory, or a model folder
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// Write an animated GIF instead of showing the agent
    #[arg(long, value_name = "FILE.gif")]
    out: Option<PathBuf>,
    /// Number of episodes
    #[arg(long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    episodes: u32,
    /// Random seed of the episodes
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Device to compute on
    #[arg(long, value_name = "DEV", default_value_t, help = DEVICE_HELP)]
    device: DeviceSpec,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    if let Some(out) = &args.out
        && out.extension().is_none_or(|extension| extension != "gif")
    {
        return Err(Failure::user(format!(
            "`--out {}` does not end in `.gif`, the only form there is",
            out.display()
        )));
    }
    let device = open_device(args.device, "rl-cartpole")?.device;
    let (policy, env) = load(&args.run, None, &device)?;
    let game = Game {
        policy,
        env,
        episodes: args.episodes,
        seed: args.seed,
    };
    if let Some(out) = &args.out {
        return game.write(out);
    }
    if std::io::stdout().is_terminal() && std::io::stdin().is_terminal() {
        return game.show();
    }
    game.play(|_, _| Ok(true))
        .and_then(|returns| tell(&returns))
}

/// A line per episode.
fn tell(returns: &[f64]) -> Result<(), Failure> {
    for (index, value) in returns.iter().enumerate() {
        Output::Stdout.line(&format!("episode {}: return {value:.1}", index + 1))?;
    }
    Ok(())
}

struct Game {
    policy: Policy,
    env: Native,
    episodes: u32,
    seed: u64,
}

/// What a frame shows besides the scene.
struct Caption {
    episode: u32,
    step: u64,
    total: f64,
}

impl Game {
    /// Plays to the end, or until `frame` says no, and gives the returns of whole episodes.
    fn play(
        mut self,
        mut frame: impl FnMut(&Native, &Caption) -> Result<bool, Failure>,
    ) -> Result<Vec<f64>, Failure> {
        let mut observation = vec![0.0; self.env.spec().observation.len()];
        let mut returns = Vec::new();
        for episode in 1..=self.episodes {
            let seed = Purpose::Test.seed(self.seed, u64::from(episode) + 1);
            self.env.reset(seed, &mut observation);
            let mut caption = Caption {
                episode,
                step: 0,
                total: 0.0,
            };
            if !frame(&self.env, &caption)? {
                return Ok(returns);
            }
            loop {
                let actions = self.policy.act(&observation);
                let step: Step =
                    self.env
                        .step(actions.get(0), &mut observation)
                        .map_err(|error| {
                            failure(tinderbox_rl::vector::VectorError::from(error).into())
                        })?;
                caption.step += 1;
                caption.total += f64::from(step.reward);
                if !frame(&self.env, &caption)? {
                    return Ok(returns);
                }
                if step.done() {
                    break;
                }
            }
            returns.push(caption.total);
        }
        Ok(returns)
    }

    /// Shows every step at its own pace.
    fn show(self) -> Result<(), Failure> {
        let pace = Duration::from_secs_f64(self.env.frame_s());
        let (name, episodes) = (self.env.name(), self.episodes);
        let mut terminal = ratatui::try_init()?;
        let mut next = Instant::now();
        let played = self.play(|env, caption| {
            terminal.draw(|frame| {
                let rows = Layout::vertical([Constraint::Min(1), Constraint::Length(1)]);
                let [picture, line] = rows.areas(frame.area());
                frame.render_widget(SceneWidget(&env.scene()), picture);
                let text = format!(
                    " {name}  episode {} of {episodes}  step {}  return {:.1}   q quits",
                    caption.episode, caption.step, caption.total
                );
                frame.render_widget(text, line);
            })?;
            next += pace;
            loop {
                let left = next.saturating_duration_since(Instant::now());
                if !event::poll(left)? {
                    return Ok(true);
                }
                if let Event::Key(key) = event::read()? {
                    let interrupt = key.code == KeyCode::Char('c')
                        && key.modifiers.contains(KeyModifiers::CONTROL);
                    if interrupt || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc) {
                        return Ok(false);
                    }
                }
            }
        });
        ratatui::restore();
        played.and_then(|returns| tell(&returns))
    }

    /// Writes every step as a frame.
    fn write(self, path: &Path) -> Result<(), Failure> {
        let mut out = Output::new(Some(path))?;
        let returns = self.write_to(&mut out)?;
        out.finish()?;
        tell(&returns)
    }

    fn write_to(self, out: &mut Output) -> Result<Vec<f64>, Failure> {
        let scene = self.env.scene();
        let ratio = (scene.y[1] - scene.y[0]) / (scene.x[1] - scene.x[0]);
        let height = (f64::from(WIDTH) * ratio).round() as u16;
        let mut gif = Gif::new(out, WIDTH, height, self.env.frame_s())?;
        self.play(|env, _| {
            let picture = Picture::new(&env.scene(), WIDTH.into(), height.into());
            gif.frame(&picture)?;
            Ok(true)
        })
    }
}
