//! What follows from a map: regions as a table and as data.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tinderbox_train::Section;
use tinderbox_train::format::thousands;
use tinderbox_train::task::Noun;

use super::map::HeatMap;
use super::mask_metrics::{LesionMask, MaskMetrics};
use super::regions::Region;
use crate::vision::analysis::outputs::with_suffix;

/// After the name of the map, the name of the image with it.
pub(super) const OVERLAY: &str = "-overlay";

/// Regions that are printed and drawn.
pub(super) const SHOWN: usize = 10;

/// The map of an image with what follows from it.
pub(super) struct Mapped {
    pub(super) size: [usize; 2],
    pub(super) class: String,
    pub(super) patch: usize,
    pub(super) threshold: f64,
    pub(super) map: HeatMap,
    pub(super) regions: Vec<Region>,
    pub(super) mask: Option<LesionMask>,
    pub(super) metrics: Option<MaskMetrics>,
    pub(super) notes: Vec<String>,
}

/// The file of the overlay next to that of the heat.
pub(super) fn overlay_path(heat: &Path) -> PathBuf {
    with_suffix(heat, OVERLAY)
}

/// How many patches of which side there are, and how many of them are white, for people.
fn patches(count: usize, side: usize, white: usize) -> String {
    let noun = Noun("patch", "patches").of(count);
    let text = format!("{} {noun} of {side}x{side}", thousands(count));
    if white == 0 {
        return text;
    }
    let noun = Noun("white one", "white ones").of(white);
    format!("{text} ({} {noun} skipped)", thousands(white))
}

impl Mapped {
    fn mean(&self) -> f64 {
        let sum: f64 = self.map.values.iter().map(|&value| f64::from(value)).sum();
        sum / self.map.values.len() as f64
    }

    /// First column and row, width, height and area of a region, in pixels of the image.
    fn pixels(&self, region: &Region) -> [usize; 5] {
        let cell = self.map.grid.cell;
        let [top, left, height, width] = region.bounds.map(|cells| cells * cell);
        let (height, width) = (
            height.min(self.size[0] - top),
            width.min(self.size[1] - left),
        );
        let area = (region.cells * cell * cell).min(height * width);
        [left, top, width, height, area]
    }

    pub(super) fn sections(&self, name: &str, out: Option<&Path>) -> Vec<Section> {
        let [height, width] = self.size;
        let map = &self.map;
        let patches = patches(map.patches, self.patch, map.white);
        let mean = 100.0 * self.mean();
        let line = format!(
            "{name}: {width} x {height} pixels, {patches}; mean probability of {} {mean:.1}%",
            self.class
        );
        let mut sections = vec![Section::text(line), self.region_section()];
        sections.extend(
            self.metrics
                .as_ref()
                .map(|found| found.section(self.threshold)),
        );
        sections.extend(out.map(|out| {
            let overlay = overlay_path(out);
            let scale = match self.map.grid.cell {
                1 => String::new(),
                cell => format!(", a pixel for {cell}x{cell} of the image"),
            };
            let (out, overlay) = (out.display(), overlay.display());
            Section::text(format!("written to {out} and {overlay}{scale}"))
        }));
        sections
    }

    fn region_section(&self) -> Section {
        let count = self.regions.len();
        if count == 0 {
            return Section::text(format!("No region of at least {}.", self.threshold));
        }
        let head = [
            "region", "x", "y", "width", "height", "area", "mean", "highest",
        ];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        for (at, region) in self.regions.iter().take(SHOWN).enumerate() {
            let pixels = self.pixels(region).map(thousands);
            let scores =
                [region.mean, f64::from(region.highest)].map(|score| format!("{score:.4}"));
            let number = std::iter::once((at + 1).to_string());
            rows.push(number.chain(pixels).chain(scores).collect());
        }
        let mut title = format!(
            "Regions of at least {}, in pixels: {}",
            self.threshold,
            thousands(count)
        );
        if count > SHOWN {
            title = format!("{title} (the first {SHOWN}; `--json` has all)");
        }
        Section::table(title, rows)
    }

    pub(super) fn line(&self, name: &str, out: Option<&Path>) -> Value {
        let region = |region: &Region| {
            let [x, y, width, height, area] = self.pixels(region);
            json!({
                "x": x, "y": y, "width": width, "height": height, "area": area,
                "mean": region.mean, "highest": region.highest,
            })
        };
        let [height, width] = self.size;
        json!({
            "input": name,
            "width": width,
            "height": height,
            "class": self.class,
            "patch": self.patch,
            "patches": self.map.patches,
            "white_patches": self.map.white,
            "cell": self.map.grid.cell,
            "mean": self.mean(),
            "threshold": self.threshold,
            "regions": self.regions.iter().map(region).collect::<Vec<_>>(),
            "agreement": self.metrics.as_ref().map(MaskMetrics::json),
            "out": out,
            "overlay": out.map(overlay_path),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_patch_is_said_in_the_singular() {
        assert_eq!(patches(1, 16, 0), "1 patch of 16x16");
        assert_eq!(
            patches(2, 16, 1),
            "2 patches of 16x16 (1 white one skipped)"
        );
        let many = patches(1_200, 8, 2);
        assert_eq!(many, "1,200 patches of 8x8 (2 white ones skipped)");
    }
}
