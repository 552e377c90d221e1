//! Lines over a common axis.

use std::fmt::Write as _;

use super::{Axes, FRAME, open, text};

/// The look of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// A line.
    Solid,
    /// A line in dashes.
    Dashed,
    /// A line with its points.
    Dotted,
    /// Points alone.
    Points,
}

/// A line of a chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Class of its color in the style sheet.
    pub class: String,
    /// Its look.
    pub style: Style,
    /// Its points.
    pub points: Vec<[f64; 2]>,
}

impl Line {
    /// The line number `at`, in a color of the style sheet.
    pub fn numbered(at: usize, style: Style, points: Vec<[f64; 2]>) -> Self {
        Self {
            class: format!("s{}", at % super::COLORS),
            style,
            points,
        }
    }
}

/// A place on the horizontal axis with a name, such as the best epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// The name.
    pub name: String,
    /// The place.
    pub x: f64,
}

/// Lines on axes; `title` is read aloud in place of the picture.
pub fn lines(title: &str, axes: &Axes, lines: &[Line], mark: Option<&Mark>) -> String {
    let mut svg = open(title);
    axes.draw(&mut svg);
    if let Some(mark) = mark {
        draw_mark(&mut svg, axes, mark);
    }
    for line in lines {
        draw(&mut svg, axes, line);
    }
    svg.push_str("</svg>\n");
    svg
}

pub(super) fn draw_mark(svg: &mut String, axes: &Axes, mark: &Mark) {
    let [left, top, right, bottom] = FRAME;
    let [x, _] = axes.place([mark.x, axes.y[0]]);
    let _ = writeln!(svg, "<path class=\"mark\" d=\"M{x:.1} {top}V{bottom}\"/>");
    let (anchor, beside) = if x > f64::midpoint(left, right) {
        ("end", -5.0)
    } else {
        ("start", 5.0)
    };
    text(svg, [x + beside, top + 10.0], anchor, &mark.name);
}

fn draw(svg: &mut String, axes: &Axes, line: &Line) {
    let finite = |point: &&[f64; 2]| point.iter().all(|value| value.is_finite());
    let points = line.points.iter().filter(finite);
    let places: Vec<[f64; 2]> = points.map(|point| axes.place(*point)).collect();
    let class = &line.class;
    let alone = places.len() == 1 || line.style == Style::Points;
    if !alone {
        let text: Vec<String> = places
            .iter()
            .map(|[x, y]| format!("{x:.1},{y:.1}"))
            .collect();
        let dashed = if line.style == Style::Dashed {
            " dashed"
        } else {
            ""
        };
        // Writing into a string cannot fail.
        let _ = writeln!(
            svg,
            "<polyline class=\"{class}{dashed}\" points=\"{}\"/>",
            text.join(" ")
        );
    }
    if alone || line.style == Style::Dotted {
        let radius = if line.style == Style::Dotted {
            3.5
        } else {
            4.5
        };
        for [x, y] in &places {
            let _ = writeln!(
                svg,
                "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\"/>"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Scale;
    use super::*;

    #[test]
    fn a_name_cannot_break_the_picture() {
        let axes = Axes::new([0.0, 1.0], [0.0, 1.0], Scale::Linear).named(["<a>", "\"b\" & c"]);
        let mark = Mark {
            name: "<script>".to_owned(),
            x: 0.5,
        };
        let svg = lines("<title>", &axes, &[], Some(&mark));
        assert!(!svg.contains("<a>") && !svg.contains("<script") && !svg.contains("<title"));
        assert!(svg.contains("&lt;a&gt;") && svg.contains("&quot;b&quot; &amp; c"));
    }

    #[test]
    fn a_single_point_is_a_dot() {
        let axes = Axes::new([0.0, 1.0], [0.0, 1.0], Scale::Linear);
        let line = Line::numbered(7, Style::Solid, vec![[0.5, 0.5]]);
        let svg = lines("", &axes, &[line], None);
        assert!(svg.contains("<circle class=\"s1\"") && !svg.contains("<polyline"));
        let line = Line::numbered(
            0,
            Style::Dashed,
            vec![[0.0, 0.5], [0.5, f64::NAN], [1.0, 1.0]],
        );
        let svg = lines("", &axes, &[line], None);
        assert!(svg.contains("points=\"54.0,113.0 408.0,12.0\""), "{svg}");
    }
}
