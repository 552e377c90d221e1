//! Points in a plane.

use std::fmt::Write as _;

use tinderbox_train::section::Ideal;

use super::{Axes, FRAME, Scale, open};

/// Points with the line of a perfect prediction.
pub fn points(title: &str, names: [&str; 2], points: &[[f64; 2]], ideal: Ideal) -> Option<String> {
    let both = points.iter().flat_map(|&[x, y]| match ideal {
        // Both axes get the same values.
        Ideal::Diagonal => vec![[x.min(y), x.min(y)], [x.max(y), x.max(y)]],
        Ideal::Zero => vec![[x, y], [x, 0.0]],
    });
    let axes = Axes::around(both, Scale::Linear)?.named(names);
    let mut svg = open(title);
    axes.draw(&mut svg);
    let ends = match ideal {
        Ideal::Diagonal => {
            let low = axes.x[0].max(axes.y[0]);
            let high = axes.x[1].min(axes.y[1]);
            [[low, low], [high, high]]
        }
        Ideal::Zero => [[axes.x[0], 0.0], [axes.x[1], 0.0]],
    };
    let [[x1, y1], [x2, y2]] = ends.map(|end| axes.place(end));
    let mut path = String::new();
    for point in points {
        let [x, y] = axes.place(*point);
        debug_assert!(x >= FRAME[0] && y >= FRAME[1]);
        let _ = write!(path, "M{x:.1} {y:.1}h0");
    }
    // Dots of one path are a tenth of the bytes of circles.
    let _ = writeln!(
        svg,
        "<path class=\"dots s0\" d=\"{path}\"/>\n\
         <path class=\"ideal\" d=\"M{x1:.1} {y1:.1}L{x2:.1} {y2:.1}\"/>\n</svg>"
    );
    Some(svg)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_is_drawn_once() {
        let all = [[1.0, 2.0], [3.0, 1.0], [5.0, 5.0]];
        for ideal in [Ideal::Diagonal, Ideal::Zero] {
            let svg = points("a", ["x", "y"], &all, ideal).unwrap();
            assert_eq!(svg.matches("h0").count(), 3, "{svg}");
        }
        assert_eq!(points("a", ["x", "y"], &[], Ideal::Zero), None);
    }
}
