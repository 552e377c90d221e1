//! Weights of pixels between objects that nearly touch.

use tinderbox_datasets::image::Mask;

/// The weight of every pixel, `[height, width]`: 1, and more for background pixels between two objects.
///
/// A background pixel, of class 0, gets `1 + extra * exp(-(d1 + d2)^2 / (2 * sigma^2))` with the distances
/// in pixels to the nearest two objects: connected pixels (by their sides) of one class other than 0 and
/// `ignore`.
///
/// Reference: Ronneberger, Fischer and Brox, *U-Net: convolutional networks for biomedical image
/// segmentation*, 2015, <https://arxiv.org/abs/1505.04597>, equation 2.
/// Differs from it: distances beyond 2.5 `sigma` count as infinite, where the extra weight has fallen to
/// 4%; no weights of classes.
pub fn boundary_weights(mask: &Mask, ignore: Option<u16>, extra: f32, sigma: f32) -> Vec<f32> {
    let objects = objects(mask, ignore);
    let offsets = offsets(2.5 * sigma);
    let weight = |at: usize| {
        if mask.classes[at] != 0 {
            return 1.0;
        }
        let (row, column) = (at / mask.width, at % mask.width);
        let Some(sum) = two_nearest(&objects, mask, [row, column], &offsets) else {
            return 1.0;
        };
        1.0 + extra * (-sum * sum / (2.0 * sigma * sigma)).exp()
    };
    (0..mask.classes.len()).map(weight).collect()
}

/// Offsets of the pixels within a radius with their distances, the nearest first.
fn offsets(radius: f32) -> Vec<([isize; 2], f32)> {
    let most = radius.floor() as isize;
    let mut all = Vec::new();
    for down in -most..=most {
        for right in -most..=most {
            let distance = ((down * down + right * right) as f32).sqrt();
            if distance <= radius {
                all.push(([down, right], distance));
            }
        }
    }
    all.sort_by(|a, b| a.1.total_cmp(&b.1));
    all
}

/// The sum of the distances to the nearest two objects, if both are near.
fn two_nearest(
    objects: &[u32],
    mask: &Mask,
    [row, column]: [usize; 2],
    offsets: &[([isize; 2], f32)],
) -> Option<f32> {
    let mut nearest: Option<(u32, f32)> = None;
    for &([down, right], distance) in offsets {
        let row = row
            .checked_add_signed(down)
            .filter(|&row| row < mask.height);
        let column = column.checked_add_signed(right);
        let column = column.filter(|&column| column < mask.width);
        let (Some(row), Some(column)) = (row, column) else {
            continue;
        };
        let object = objects[row * mask.width + column];
        match nearest {
            _ if object == 0 => {}
            None => nearest = Some((object, distance)),
            Some((first, _)) if first == object => {}
            Some((_, first)) => return Some(first + distance),
        }
    }
    None
}

/// The object of every pixel, from 1; 0 for none.
fn objects(mask: &Mask, ignore: Option<u16>) -> Vec<u32> {
    let Mask {
        height,
        width,
        classes,
    } = mask;
    let is_object = |at: usize| classes[at] != 0 && Some(classes[at]) != ignore;
    let (mut objects, mut count) = (vec![0; classes.len()], 0);
    let mut pending = Vec::new();
    for start in 0..classes.len() {
        if objects[start] != 0 || !is_object(start) {
            continue;
        }
        count += 1;
        objects[start] = count;
        pending.push(start);
        while let Some(at) = pending.pop() {
            let (row, column) = (at / width, at % width);
            let neighbors = [
                (row > 0).then(|| at - width),
                (row + 1 < *height).then(|| at + width),
                (column > 0).then(|| at - 1),
                (column + 1 < *width).then(|| at + 1),
            ];
            for next in neighbors.into_iter().flatten() {
                if objects[next] == 0 && classes[next] == classes[at] {
                    objects[next] = count;
                    pending.push(next);
                }
            }
        }
    }
    objects
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn background_between_two_objects_weighs_more() {
        // Two objects with two pixels between them, of which one row is ignored.
        let classes = vec![1, 0, 0, 1, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0];
        let mask = Mask::new(1, 16, classes).unwrap();
        let weights = boundary_weights(&mask, Some(9), 10.0, 2.0);
        let between = 1.0 + 10.0 * (-9.0_f32 / 8.0).exp();
        assert_eq!(weights[..1], [1.0]);
        assert!((weights[1] - between).abs() < 1e-5 && (weights[2] - between).abs() < 1e-5);
        // The distances to both objects are 1 and 4.
        let outside = 1.0 + 10.0 * (-25.0_f32 / 8.0).exp();
        assert!((weights[4] - outside).abs() < 1e-5);
        assert!(weights[6..] == [1.0; 10], "{weights:?}");
    }

    #[test]
    fn one_object_has_no_boundary_to_another() {
        let mask = Mask::new(2, 3, vec![1, 1, 0, 0, 1, 1]).unwrap();
        assert_eq!(boundary_weights(&mask, None, 10.0, 5.0), [1.0; 6]);
    }
}
