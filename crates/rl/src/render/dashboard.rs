//! How training goes, on the last lines of a terminal.

use std::io::{self, Stderr};
use std::time::{Duration, Instant};

use burn::train::Interrupter;
use ratatui::backend::CrosstermBackend;
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Color, Style};
use ratatui::symbols::Marker;
use ratatui::text::Line;
use ratatui::widgets::{Axis, Block, Chart, Dataset, GraphType, Paragraph};
use ratatui::{Frame, Terminal, TerminalOptions, Viewport};
use tinderbox_rl::recipe::Recipe;
use tinderbox_rl::train::Progress;

/// Lines taken.
const HEIGHT: u16 = 16;

/// Shortest time between two pictures.
const PACE: Duration = Duration::from_millis(100);

/// A curve of returns with the latest numbers beside it.
///
/// It stays where the cursor is and needs no other mode of the terminal, so that nothing has to be
/// put right if the program is killed.
pub(crate) struct Dashboard {
    terminal: Terminal<CrosstermBackend<Stderr>>,
    title: String,
    interrupter: Interrupter,
    train: Vec<(f64, f64)>,
    valid: Vec<(f64, f64)>,
    latest: Option<Progress>,
    drawn: Instant,
}

impl Dashboard {
    pub(crate) fn open(recipe: &Recipe, interrupter: Interrupter) -> io::Result<Self> {
        let viewport = Viewport::Inline(HEIGHT);
        let backend = CrosstermBackend::new(io::stderr());
        Ok(Self {
            terminal: Terminal::with_options(backend, TerminalOptions { viewport })?,
            title: format!(" {} on {} ", recipe.name, recipe.environment),
            interrupter,
            train: Vec::new(),
            valid: Vec::new(),
            latest: None,
            drawn: Instant::now(),
        })
    }

    pub(crate) fn show(&mut self, progress: &Progress) {
        let step = progress.steps[0] as f64;
        if let Some([mean, _]) = progress.evaluation {
            self.valid.push((step, mean));
        } else if progress.return_mean.is_finite() {
            self.train.push((step, progress.return_mean));
        }
        let known = self.latest.take();
        let mut latest = progress.clone();
        if latest.evaluation.is_none() {
            latest.evaluation = known.as_ref().and_then(|known| known.evaluation);
        } else if let Some(known) = known {
            // An evaluation comes with no loss and no speed of its own.
            (latest.loss, latest.steps_per_s) = (known.loss, known.steps_per_s);
        }
        self.latest = Some(latest);
        if self.drawn.elapsed() >= PACE {
            self.draw();
        }
    }

    fn draw(&mut self) {
        let Self {
            terminal,
            title,
            train,
            valid,
            latest,
            interrupter,
            ..
        } = self;
        let Some(latest) = latest else { return };
        let title = if interrupter.should_stop() {
            " stopping, the state is being saved "
        } else {
            title.as_str()
        };
        // A picture that cannot be drawn is no reason to stop.
        let _ = terminal.draw(|frame| render(frame, title, train, valid, latest));
        self.drawn = Instant::now();
    }
}

impl Drop for Dashboard {
    fn drop(&mut self) {
        self.draw();
        // Below the picture, for what is printed next.
        let _ = self.terminal.show_cursor();
        let area = self.terminal.get_frame().area();
        let _ = self.terminal.set_cursor_position((0, area.bottom()));
        tinderbox_cli::note("");
    }
}

fn render(
    frame: &mut Frame<'_>,
    title: &str,
    train: &[(f64, f64)],
    valid: &[(f64, f64)],
    latest: &Progress,
) {
    let columns = Layout::horizontal([Constraint::Min(20), Constraint::Length(30)]);
    let [left, right] = columns.areas(frame.area());
    let values = || train.iter().chain(valid).map(|point| point.1);
    let low = values().fold(f64::INFINITY, f64::min).min(0.0);
    let high = values().fold(f64::NEG_INFINITY, f64::max);
    let high = if high > low { high } else { low + 1.0 };
    let last = latest.steps[0].max(1) as f64;
    let labels = |ends: [f64; 2]| ends.map(|end| Line::from(format!("{end:.0}")));
    let line = |name, points, color| {
        Dataset::default()
            .name(name)
            .marker(Marker::Braille)
            .graph_type(GraphType::Line)
            .style(Style::default().fg(color))
            .data(points)
    };
    let sets = vec![
        line("training", train, Color::DarkGray),
        line("greedy", valid, Color::Green),
    ];
    let chart = Chart::new(sets)
        .block(Block::bordered().title(title.to_owned()))
        .x_axis(
            Axis::default()
                .bounds([0.0, last])
                .labels(labels([0.0, last])),
        )
        .y_axis(
            Axis::default()
                .bounds([low, high])
                .labels(labels([low, high])),
        );
    frame.render_widget(chart, left);
    let evaluation = latest.evaluation.map_or("-".to_owned(), |[mean, std]| {
        format!("{mean:.1} ± {std:.1}")
    });
    let epsilon = latest
        .epsilon
        .map_or("-".to_owned(), |epsilon| format!("{epsilon:.3}"));
    let rows = [
        ("step", format!("{} / {}", latest.steps[0], latest.steps[1])),
        ("episodes", latest.episodes.to_string()),
        ("updates", latest.updates.to_string()),
        ("return", format!("{:.1}", latest.return_mean)),
        ("greedy return", evaluation),
        ("exploration", epsilon),
        ("loss", format!("{:.4}", latest.loss)),
        ("steps/s", format!("{:.0}", latest.steps_per_s)),
        ("time", format!("{:.1} s", latest.wall_s)),
    ];
    let lines: Vec<Line<'_>> = rows
        .iter()
        .map(|(name, value)| Line::from(format!("{name:<14}{value}")))
        .collect();
    let block = Block::bordered().title(" now ");
    frame.render_widget(Paragraph::new(lines).block(block), right);
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::backend::TestBackend;

    #[test]
    fn the_curve_and_the_numbers_are_on_the_screen() {
        let progress = Progress {
            steps: [2000, 50_000],
            episodes: 31,
            updates: 250,
            return_mean: 87.5,
            loss: 0.25,
            epsilon: Some(0.4),
            steps_per_s: 12_345.0,
            evaluation: Some([99.0, 2.5]),
            wall_s: 1.5,
        };
        let mut terminal = Terminal::new(TestBackend::new(80, HEIGHT)).unwrap();
        let points = [(0.0, 10.0), (2000.0, 90.0)];
        terminal
            .draw(|frame| render(frame, " dqn ", &points, &points, &progress))
            .unwrap();
        let text = terminal.backend().to_string();
        for part in [
            "dqn",
            "2000 / 50000",
            "99.0 ± 2.5",
            "0.400",
            "12345",
            "greedy",
        ] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
    }
}
