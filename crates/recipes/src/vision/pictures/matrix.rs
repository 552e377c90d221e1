//! Confusion matrices.

use super::canvas::color::{BLACK, BLUE, GRAY, LIGHT, VERMILION, WHITE};
use super::{Align, Canvas, Color, LINE_HEIGHT, shorten, width};

/// Most classes that are drawn, so that every name has a line.
const MAX_CLASSES: usize = 40;

/// Most pixels of a class name.
const MAX_NAME: usize = 220;

/// Draws how often each true class (row) was given each class (column).
///
/// The color of a cell is its share of the row, blue where it is right. Of more than 40 classes, those
/// with the most mistakes are drawn, and the title says so.
pub fn confusion_matrix(title: &str, names: &[String], counts: &[Vec<usize>]) -> Canvas {
    let classes = shown(counts);
    let shown: Vec<String> = classes
        .iter()
        .map(|&class| shorten(&names[class], MAX_NAME))
        .collect();
    let longest = shown.iter().map(|name| width(name)).max().unwrap_or(0);
    let most = classes
        .iter()
        .flat_map(|&row| classes.iter().map(move |&column| counts[row][column]));
    let digits = most.max().unwrap_or(0).to_string();
    let cell = (width(&digits) + 12).max(if classes.len() <= 12 {
        48
    } else {
        LINE_HEIGHT + 6
    });
    let side = cell * classes.len();
    let subtitle = if classes.len() < counts.len() {
        format!(
            "rows: true, columns: predicted; the {} classes of {} with the most mistakes",
            classes.len(),
            counts.len()
        )
    } else {
        "rows: true, columns: predicted".to_owned()
    };
    let (left, top) = (longest + 24, 2 * LINE_HEIGHT + longest + 34);
    let room = (left + side + 24).max(width(title).max(width(&subtitle)) + 24);
    let mut canvas = Canvas::new(room, top + side + 24);
    canvas.bold(title, [12, 8], Align::Left, BLACK);
    canvas.text(
        &subtitle,
        [12, 10 + LINE_HEIGHT.cast_signed()],
        Align::Left,
        GRAY,
    );
    for (at, name) in shown.iter().enumerate() {
        let middle = (at * cell + cell / 2).cast_signed() - LINE_HEIGHT.cast_signed() / 2;
        let place = [left.cast_signed() - 8, top.cast_signed() + middle];
        canvas.text(name, place, Align::Right, BLACK);
        canvas.text_upward(
            name,
            [left.cast_signed() + middle, top.cast_signed() - 8],
            BLACK,
        );
    }
    for (row, &truth) in classes.iter().enumerate() {
        let total: usize = counts[truth].iter().sum();
        for (column, &given) in classes.iter().enumerate() {
            let corner = [left + column * cell, top + row * cell].map(usize::cast_signed);
            draw_cell(
                &mut canvas,
                corner,
                cell,
                counts[truth][given],
                total,
                truth == given,
            );
        }
    }
    canvas
}

/// The same of a detector at a threshold: the last row and column of `counts` are the background.
pub fn detection_confusion(names: &[String], counts: &[Vec<usize>], threshold: f32) -> Canvas {
    let title = format!("Confusion matrix, score at least {threshold:.2}, IoU at least 0.5");
    let names = names.iter().cloned().chain(["(background)".to_owned()]);
    confusion_matrix(&title, &names.collect::<Vec<_>>(), counts)
}

fn draw_cell(
    canvas: &mut Canvas,
    corner: [isize; 2],
    cell: usize,
    count: usize,
    total: usize,
    right: bool,
) {
    let share = (count as f64 / total.max(1) as f64).sqrt();
    let full = if right { BLUE } else { VERMILION };
    let color = mixed(WHITE, full, share);
    canvas.fill(corner[0], corner[1], cell, cell, color);
    canvas.frame(corner, [cell, cell], 1, LIGHT);
    let text = count.to_string();
    let place = [
        corner[0] + (cell / 2).cast_signed(),
        corner[1] + (cell / 2).cast_signed() - LINE_HEIGHT.cast_signed() / 2,
    ];
    let ink = match (count, share > 0.6) {
        (0, _) => LIGHT,
        (_, true) => WHITE,
        (_, false) => BLACK,
    };
    canvas.text(&text, place, Align::Center, ink);
}

fn mixed(from: Color, to: Color, share: f64) -> Color {
    let mix = |(from, to): (u8, u8)| {
        (f64::from(from) + share * (f64::from(to) - f64::from(from))).round() as u8
    };
    [
        mix((from[0], to[0])),
        mix((from[1], to[1])),
        mix((from[2], to[2])),
    ]
}

/// The classes that are drawn, in their order.
fn shown(counts: &[Vec<usize>]) -> Vec<usize> {
    let mut classes: Vec<usize> = (0..counts.len()).collect();
    if classes.len() > MAX_CLASSES {
        let mistakes = |class: usize| -> usize {
            let row: usize = counts[class].iter().sum();
            let column: usize = counts.iter().map(|row| row[class]).sum();
            row + column - 2 * counts[class][class]
        };
        classes.sort_by_key(|&class| std::cmp::Reverse(mistakes(class)));
        classes.truncate(MAX_CLASSES);
        classes.sort_unstable();
    }
    classes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_classes_those_with_mistakes_are_drawn() {
        let mut counts = vec![vec![0; 60]; 60];
        for (class, row) in counts.iter_mut().enumerate() {
            row[class] = 5;
        }
        counts[57][3] = 2;
        let drawn = shown(&counts);
        assert_eq!(drawn.len(), MAX_CLASSES);
        assert!(drawn.contains(&57) && drawn.contains(&3) && drawn.is_sorted());
        let names: Vec<String> = (0..60).map(|class| format!("class {class}")).collect();
        let canvas = confusion_matrix("Confusion matrix", &names, &counts);
        assert!(canvas.width < 2000 && canvas.height < 2000);
    }

    #[test]
    fn right_is_blue_and_wrong_is_not() {
        let names = ["a", "b"].map(str::to_owned);
        let canvas = confusion_matrix("m", &names, &[vec![9, 0], vec![9, 0]]);
        // The corner of the first cell of each row, which has no letter.
        let (left, top) = (width("a") + 24, 2 * LINE_HEIGHT + width("a") + 34);
        assert_eq!(canvas.pixel(left + 3, top + 3), BLUE);
        assert_eq!(canvas.pixel(left + 3, top + 48 + 3), VERMILION);
        assert_eq!(canvas.pixel(left + 48 + 3, top + 3), WHITE);
    }
}
