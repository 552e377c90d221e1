//! A live dashboard of the training on the last lines of a terminal.

use std::collections::BTreeMap;
use std::io::{self, Stderr, Write as _};
use std::time::{Duration, Instant};

use burn::train::Interrupter;
use burn::train::logger::TrainingProgressLogger;
use burn::train::metric::MetricDefinition;
use burn::train::renderer::{MetricState, MetricsRenderer, MetricsRendererTraining};
use ratatui::backend::CrosstermBackend;
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Color, Style};
use ratatui::symbols::Marker;
use ratatui::text::Line;
use ratatui::widgets::{Axis, Block, Chart, Dataset, GraphType, Paragraph};
use ratatui::{Frame, Terminal, TerminalOptions, Viewport};

use tinderbox_train::{Renderers, Silent};

use crate::progress::metric;
use crate::recipe::Recipe;

/// Height, in lines.
const HEIGHT: u16 = 16;

/// Shortest time between two updates.
const INTERVAL: Duration = Duration::from_millis(100);

/// A chart of returns with the latest numbers.
///
/// It leaves the terminal in its normal mode, so that nothing has to be restored if the program is
/// killed.
pub struct Dashboard {
    terminal: Terminal<CrosstermBackend<Stderr>>,
    title: String,
    interrupter: Interrupter,
    curves: Curves,
    drawn: Instant,
}

/// The numbers to draw.
struct Curves {
    started: Instant,
    /// Environment steps, their largest number, and those at the first event.
    step: usize,
    total: usize,
    first: Option<usize>,
    /// Latest values by the split and the metric.
    latest: BTreeMap<[&'static str; 2], f64>,
    /// Mean returns over the environment steps.
    train: Vec<(f64, f64)>,
    valid: Vec<(f64, f64)>,
}

impl Curves {
    fn new() -> Self {
        Self {
            started: Instant::now(),
            step: 0,
            total: 0,
            first: None,
            latest: BTreeMap::new(),
            train: Vec::new(),
            valid: Vec::new(),
        }
    }

    fn add(&mut self, split: &'static str, state: &MetricState) {
        let Some((name, value)) = metric(state) else {
            return;
        };
        if name == "return_mean" {
            let curve = if split == "train" {
                &mut self.train
            } else {
                &mut self.valid
            };
            curve.push((self.step as f64, value));
        }
        self.latest.insert([split, name], value);
    }

    fn text(&self, split: &'static str, name: &'static str, digits: usize) -> String {
        let value = self.latest.get(&[split, name]);
        value.map_or("-".to_owned(), |value| format!("{value:.digits$}"))
    }

    fn rows(&self, seconds: f64) -> Vec<(&'static str, String)> {
        let done = self.step - self.first.unwrap_or(self.step);
        let greedy = match self.latest.get(&["valid", "return_std"]) {
            Some(std) => format!("{} ± {std:.1}", self.text("valid", "return_mean", 1)),
            None => "-".to_owned(),
        };
        vec![
            ("step", format!("{} / {}", self.step, self.total)),
            ("return", self.text("train", "return_mean", 1)),
            ("greedy return", greedy),
            ("epsilon", self.text("train", "epsilon", 3)),
            ("loss", self.text("train", "loss", 4)),
            ("steps/s", format!("{:.0}", done as f64 / seconds.max(1e-9))),
            ("time", format!("{seconds:.1} s")),
        ]
    }
}

impl Dashboard {
    /// A dashboard for each training, or nothing where the terminal cannot be drawn on.
    pub fn renderer(recipe: &Recipe, interrupter: Interrupter) -> Box<Renderers> {
        let title = format!("{} on {}", recipe.name, recipe.environment);
        Box::new(move |_| match Self::open(&title, interrupter.clone()) {
            Ok(dashboard) => Box::new(dashboard),
            Err(_) => Box::new(Silent),
        })
    }

    /// Takes the last lines of the terminal.
    ///
    /// # Errors
    ///
    /// If the terminal cannot be drawn on.
    pub fn open(title: &str, interrupter: Interrupter) -> io::Result<Self> {
        let viewport = Viewport::Inline(HEIGHT);
        let backend = CrosstermBackend::new(io::stderr());
        Ok(Self {
            terminal: Terminal::with_options(backend, TerminalOptions { viewport })?,
            title: format!(" {title} "),
            interrupter,
            curves: Curves::new(),
            drawn: Instant::now(),
        })
    }

    fn draw_if_due(&mut self) {
        if self.drawn.elapsed() >= INTERVAL {
            self.draw();
        }
    }

    fn draw(&mut self) {
        let title = if self.interrupter.should_stop() {
            " stopping, the state is being saved "
        } else {
            self.title.as_str()
        };
        let seconds = self.curves.started.elapsed().as_secs_f64();
        let curves = &self.curves;
        // A failure to draw is no reason to stop.
        let _ = self
            .terminal
            .draw(|frame| render(frame, title, curves, seconds));
        self.drawn = Instant::now();
    }
}

impl Drop for Dashboard {
    fn drop(&mut self) {
        self.draw();
        // Puts what is printed next below the dashboard.
        let _ = self.terminal.show_cursor();
        let area = self.terminal.get_frame().area();
        let _ = self.terminal.set_cursor_position((0, area.bottom()));
        let _ = writeln!(io::stderr());
    }
}

impl TrainingProgressLogger for Dashboard {
    fn start(&mut self, _: usize, _: usize, items: Option<usize>, _: Option<&str>) {
        self.curves.total = items.unwrap_or(0);
    }
    fn update_epoch(&mut self, _: usize) {
        self.draw_if_due();
    }
    fn start_split(&mut self, _: &str, _: usize) {}
    fn update_split(&mut self, items: usize) {
        self.curves.step = items;
        self.curves.first.get_or_insert(items);
    }
    fn end_split(&mut self) {}
    fn end(&mut self) {}
    fn log_event_training(&mut self, _: String) {}
}

impl MetricsRendererTraining for Dashboard {
    fn update_train(&mut self, state: MetricState) {
        self.curves.add("train", &state);
        self.draw_if_due();
    }
    fn update_valid(&mut self, state: MetricState) {
        self.curves.add("valid", &state);
    }
}

tinderbox_train::without_evaluation!(Dashboard);

impl MetricsRenderer for Dashboard {
    fn manual_close(&mut self) {}
    fn register_metric(&mut self, _: MetricDefinition) {}
}

fn render(frame: &mut Frame<'_>, title: &str, curves: &Curves, seconds: f64) {
    let columns = Layout::horizontal([Constraint::Min(20), Constraint::Length(30)]);
    let [left, right] = columns.areas(frame.area());
    frame.render_widget(chart(title, curves), left);
    let rows = curves.rows(seconds);
    let lines: Vec<Line<'_>> = rows
        .iter()
        .map(|(name, value)| Line::from(format!("{name:<14}{value}")))
        .collect();
    let block = Block::bordered().title(" now ");
    frame.render_widget(Paragraph::new(lines).block(block), right);
}

fn chart<'a>(title: &str, curves: &'a Curves) -> Chart<'a> {
    let values = || {
        curves
            .train
            .iter()
            .chain(&curves.valid)
            .map(|point| point.1)
    };
    let low = values().fold(f64::INFINITY, f64::min).min(0.0);
    let high = values().fold(f64::NEG_INFINITY, f64::max);
    let high = if high > low { high } else { low + 1.0 };
    let last = curves.step.max(1) as f64;
    let axis = |ends: [f64; 2]| {
        let labels = ends.map(|end| Line::from(format!("{end:.0}")));
        Axis::default().bounds(ends).labels(labels)
    };
    let line = |name, points, color| {
        Dataset::default()
            .name(name)
            .marker(Marker::Braille)
            .graph_type(GraphType::Line)
            .style(Style::default().fg(color))
            .data(points)
    };
    let sets = vec![
        line("training", &curves.train, Color::DarkGray),
        line("greedy", &curves.valid, Color::Green),
    ];
    Chart::new(sets)
        .block(Block::bordered().title(title.to_owned()))
        .x_axis(axis([0.0, last]))
        .y_axis(axis([low, high]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::state;
    use ratatui::backend::TestBackend;

    #[test]
    fn the_curve_and_the_numbers_are_on_the_screen() {
        let mut curves = Curves::new();
        curves.total = 50_000;
        curves.first = Some(0);
        for (step, train, valid) in [(0, 10.0, 12.0), (2000, 87.5, 99.0)] {
            curves.step = step;
            curves.add("train", &state("return_mean", train));
            curves.add("train", &state("epsilon", 0.4));
            curves.add("valid", &state("return_mean", valid));
            curves.add("valid", &state("return_std", 2.5));
        }
        let mut terminal = Terminal::new(TestBackend::new(80, HEIGHT)).unwrap();
        terminal
            .draw(|frame| render(frame, " dqn ", &curves, 0.162))
            .unwrap();
        let text = terminal.backend().to_string();
        for part in [
            "dqn",
            "2000 / 50000",
            "87.5",
            "99.0 ± 2.5",
            "0.400",
            "12346",
            "greedy",
        ] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
    }
}
