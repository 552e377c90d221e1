//! The map as a picture, and over its image.

use super::mapped::{Mapped, SHOWN};
use crate::vision::pictures::color::{BLACK, GREEN, WHITE};
use crate::vision::pictures::{Align, Canvas, LINE_HEIGHT, drawable, heat_color, width};

impl Mapped {
    /// The map in colors, a pixel per cell.
    pub(super) fn heat(&self) -> Canvas {
        let map = &self.map;
        let mut canvas = Canvas::new(map.grid.width, map.grid.height);
        let pixels = canvas.pixels.chunks_exact_mut(3).zip(&map.values);
        pixels.for_each(|(pixel, &value)| pixel.copy_from_slice(&heat_color(value)));
        canvas
    }

    /// The image with the map, the numbers of the first regions, the outline of the mask and a color scale.
    pub(super) fn overlay(&self) -> Canvas {
        let map = &self.map;
        let mut canvas = Canvas::of(&map.thumbnail);
        canvas.overlay(|[y, x]| Some(map.values[y * map.grid.width + x]));
        if let Some(mask) = &self.mask {
            let edge = (0..map.values.len()).filter(|&at| mask.is_edge(at, map.grid.width));
            for at in edge {
                canvas.fill(
                    (at % map.grid.width).cast_signed(),
                    (at / map.grid.width).cast_signed(),
                    2,
                    2,
                    GREEN,
                );
            }
        }
        for (at, region) in self.regions.iter().take(SHOWN).enumerate() {
            let [top, left, height, wide] = region.bounds;
            let [top, left] = [top, left].map(usize::cast_signed);
            canvas.frame([left, top], [wide, height], 1, WHITE);
            let text = format!("{} {:.2}", at + 1, region.highest);
            let box_width = width(&text) + 6;
            if box_width + 2 < wide && LINE_HEIGHT + 4 < height {
                canvas.fill(left + 1, top + 1, box_width, LINE_HEIGHT + 2, BLACK);
                canvas.text(&text, [left + 4, top + 2], Align::Left, WHITE);
            }
        }
        let class = if drawable(&self.class) {
            &self.class
        } else {
            "the class"
        };
        canvas.with_heat_scale(&format!("probability of {class}"))
    }
}
