//! Counts of values in ranges.

use std::fmt::Write as _;

use super::lines::draw_mark;
use super::{Axes, COLORS, Mark, Scale, open};

/// Counts of one or several kinds of values; bars of kinds overlap and let each other be seen.
pub fn histogram(
    title: &str,
    axis: &str,
    edges: &[f64],
    series: &[(String, Vec<usize>)],
    mark: Option<&Mark>,
) -> Option<String> {
    let (first, last) = (edges.first()?, edges.last()?);
    let counts = series.iter().flat_map(|(_, counts)| counts);
    let most = counts.copied().max().filter(|most| *most > 0)?;
    let axes = Axes::new([*first, *last], [0.0, most as f64], Scale::Linear).named([axis, "count"]);
    let mut svg = open(title);
    axes.draw(&mut svg);
    for (at, (_, counts)) in series.iter().enumerate() {
        let ranges = edges.iter().zip(edges.iter().skip(1));
        for ((&from, &to), &count) in ranges.zip(counts).filter(|(_, count)| **count > 0) {
            let [left, top] = axes.place([from, count as f64]);
            let [right, bottom] = axes.place([to, 0.0]);
            // Writing into a string cannot fail.
            let _ = writeln!(
                svg,
                "<rect class=\"s{} fill\" x=\"{:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\"/>",
                at % COLORS,
                left + 0.5,
                (right - left - 1.0).max(0.5),
                bottom - top
            );
        }
    }
    if let Some(mark) = mark {
        draw_mark(&mut svg, &axes, mark);
    }
    svg.push_str("</svg>\n");
    Some(svg)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_count_above_zero_has_a_bar() {
        let edges = [0.0, 0.5, 1.0];
        let series = [("a".to_owned(), vec![2, 0]), ("b".to_owned(), vec![1, 4])];
        let svg = histogram("t", "score", &edges, &series, None).unwrap();
        assert_eq!(svg.matches("<rect").count(), 3);
        let none = [("a".to_owned(), vec![0, 0])];
        assert_eq!(histogram("t", "score", &edges, &none, None), None);
    }
}
