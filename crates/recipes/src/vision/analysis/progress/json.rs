//! What was derived as data.

use serde_json::{Map, Value, json};

use super::Progress;
use super::change::Cell;
use super::items::Item;
use super::outcome::Bound;
use super::views::Placed;

impl Progress<'_> {
    /// All numbers, as one object.
    pub(super) fn json(&self) -> Value {
        let photos = (0..self.photos.len()).map(|at| self.photo_json(at));
        let deviations = self.rows.iter().map(|row| {
            let (days, bound) = row.days();
            json!({
                "item": row.item,
                "date": row.date.to_string(),
                "unit": row.unit.name(),
                "planned": row.planned,
                "actual": row.actual,
                "actual_is_lower_bound": row.is_bound,
                "days": days,
                "bound": bound.map(Bound::name),
            })
        });
        let width = self.photos.get(self.views.reference);
        let width = width.map_or(1, |photo| photo.image.width) as f64;
        let parts = self.views.heights.iter().map(|height| {
            json!({"columns": [height.part.start as f64 / width, height.part.end as f64 / width]})
        });
        json!({
            "run": self.options.run,
            "plan": self.options.plan,
            "reference": self.photos.get(self.views.reference).map(|photo| &photo.name),
            "photos": photos.collect::<Vec<_>>(),
            "items": self.items.iter().map(item_json).collect::<Vec<_>>(),
            "parts": parts.collect::<Vec<_>>(),
            "deviations": deviations.collect::<Vec<_>>(),
            "out": self.options.out,
        })
    }

    fn photo_json(&self, at: usize) -> Value {
        let photo = &self.photos[at];
        let placed = &self.views.placed[at];
        let (residual, corners, via) = match placed {
            Placed::Reference => (Some(0.0), None, None),
            Placed::Aligned(found, via) => (
                Some(found.residual * photo.scale()),
                Some([found.agreeing, found.matched]),
                via.map(|via| self.photos[via].name.as_str()),
            ),
            Placed::Not(not) => (None, Some([not.agreeing, not.matched]), None),
        };
        let size = [photo.image.height, photo.image.width];
        let change = self.views.changes[at].as_ref();
        let cells = |kind: Cell| change.map(|change| change.map.count(kind));
        json!({
            "input": photo.name,
            "date": photo.time.date().to_string(),
            "width": photo.size[1],
            "height": photo.size[0],
            "aligned": placed.to_reference().is_some(),
            "through": via,
            "shift_px": placed.shift(size).map(|shift| shift.map(|pixels| pixels * photo.scale())),
            "residual_px": residual,
            "corners_agreeing": corners.map(|corners| corners[0]),
            "corners_matched": corners.map(|corners| corners[1]),
            "compared_with": change.map(|change| &self.photos[change.before].name),
            "changed_share": change.and_then(|change| change.map.share()),
            "cells_changed": cells(Cell::Changed),
            "cells_same": cells(Cell::Same),
        })
    }
}

fn item_json(item: &Item) -> Value {
    let values = item.values.iter().map(|value| {
        json!({
            "date": value.date.to_string(),
            "value": value.value,
            "is_lower_bound": value.is_bound,
        })
    });
    let mut object = Map::new();
    object.insert("name".to_owned(), json!(item.name));
    object.insert("unit".to_owned(), json!(item.unit.name()));
    object.insert("values".to_owned(), values.collect());
    Value::Object(object)
}
