//! A scene in the terminal, with two pixels in each cell.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Color;
use ratatui::widgets::Widget;

use super::{Canvas, Scene};

/// Fills an area with a scene.
pub struct SceneWidget<'a>(pub &'a Scene);

impl Widget for SceneWidget<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let (width, height) = (usize::from(area.width), usize::from(area.height));
        let canvas = Canvas::new(self.0, width, 2 * height);
        let color = |x: usize, y: usize| {
            let [r, g, b] = canvas.pixels[y * width + x];
            Color::Rgb(r, g, b)
        };
        for row in 0..height {
            for column in 0..width {
                let (x, y) = (area.x + column as u16, area.y + row as u16);
                if let Some(cell) = buffer.cell_mut((x, y)) {
                    cell.set_symbol("▀")
                        .set_fg(color(column, 2 * row))
                        .set_bg(color(column, 2 * row + 1));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::ClassicControl;
    use crate::environment::Environment as _;
    use crate::render::Render as _;

    #[test]
    fn the_pole_is_on_the_screen() {
        let mut env: ClassicControl = "CartPole-v1".parse().unwrap();
        env.reset(1, &mut [0.0; 4]);
        let area = Rect::new(0, 0, 60, 20);
        let mut buffer = Buffer::empty(area);
        SceneWidget(&env.render()).render(area, &mut buffer);
        // The pole is thinner than a pixel here, and so paler than its own color.
        let warm = |color: Color| matches!(color, Color::Rgb(r, _, b) if r > b.saturating_add(40));
        let cells = buffer.content().iter();
        assert!(cells.filter(|cell| warm(cell.fg) || warm(cell.bg)).count() > 5);
    }
}
