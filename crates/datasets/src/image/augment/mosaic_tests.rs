//! Mosaics and augmented images with boxes.

use super::*;
use crate::image::{BoundingBox, ImageSample};
use crate::random::stream;

type Sample = ImageSample<Vec<BoundingBox>>;

fn bounds([x_min, y_min, x_max, y_max]: [f32; 4], class: u16) -> BoundingBox {
    BoundingBox {
        x_min,
        y_min,
        x_max,
        y_max,
        class,
    }
}

/// Whether each channel is lit in the color of a class: one of seven.
fn color(class: u16) -> [bool; 3] {
    [0, 1, 2].map(|channel| (class + 1) >> channel & 1 == 1)
}

/// A black image with one colored box.
fn sample([height, width]: [usize; 2], edges: [f32; 4], class: u16) -> Sample {
    let [left, top, right, bottom] = edges.map(|edge| edge as usize);
    let mut pixels = vec![0; height * width * 3];
    for row in top..bottom {
        for column in left..right {
            let at = (row * width + column) * 3;
            pixels[at..at + 3].copy_from_slice(&color(class).map(|lit| u8::from(lit) * 255));
        }
    }
    let image = Image {
        height,
        width,
        channels: 3,
        pixels,
    };
    let target = vec![bounds(edges, class)];
    ImageSample { image, target }
}

fn samples() -> Vec<Sample> {
    vec![
        sample([60, 80], [20.0, 10.0, 60.0, 50.0], 0),
        sample([90, 50], [5.0, 30.0, 45.0, 80.0], 1),
        sample([40, 40], [2.0, 4.0, 38.0, 36.0], 2),
        sample([50, 100], [70.0, 5.0, 95.0, 30.0], 3),
        sample([100, 100], [10.0, 60.0, 40.0, 80.0], 4),
        sample([30, 60], [10.0, 10.0, 50.0, 20.0], 5),
        sample([160, 120], [30.0, 40.0, 80.0, 90.0], 6),
    ]
}

/// The box around all pixels of the color of a class.
fn drawn(image: &Image, class: u16) -> [f32; 4] {
    let mut edges = [f32::INFINITY, f32::INFINITY, 0.0, 0.0];
    for (at, pixel) in image.pixels.chunks_exact(3).enumerate() {
        let (x, y) = ((at % image.width) as f32, (at / image.width) as f32);
        let lit = color(class);
        let is_lit = |(&value, lit): (&u8, bool)| if lit { value > 127 } else { value < 100 };
        if pixel.iter().zip(lit).all(is_lit) {
            edges = [
                edges[0].min(x),
                edges[1].min(y),
                edges[2].max(x + 1.0),
                edges[3].max(y + 1.0),
            ];
        }
    }
    edges
}

/// Checks what holds for every result, and returns the number of its boxes.
fn check(result: &Sample, side: usize, name: &str) -> usize {
    let ImageSample { image, target } = result;
    assert_eq!(
        (image.height, image.width, image.pixels.len()),
        (side, side, side * side * 3)
    );
    for bounds in target {
        let edges = [bounds.x_min, bounds.y_min, bounds.x_max, bounds.y_max];
        assert!(
            edges.iter().all(|edge| (0.0..=side as f32).contains(edge)),
            "{name}: {bounds:?}"
        );
        let sides = [edges[2] - edges[0], edges[3] - edges[1]];
        assert!(sides.iter().all(|side| *side >= 2.0), "{name}: {bounds:?}");
        let drawn = drawn(image, bounds.class);
        let is_near = edges.iter().zip(drawn).all(|(a, b)| (a - b).abs() <= 1.5);
        assert!(is_near, "{name}: {bounds:?} and {drawn:?}");
    }
    target.len()
}

#[test]
fn boxes_stay_with_their_objects() {
    let samples = samples();
    let mosaic = Mosaic {
        probability: 1.0,
        scale: [0.4, 1.6],
    };
    let none = Mosaic::default();
    let zoom = Augment {
        scale: 0.5,
        shift: 0.2,
        flip: 0.5,
        vertical_flip: 0.5,
        ..Augment::default()
    };
    let turn = Augment {
        quarter_turns: 1.0,
        crop: 10,
        ..Augment::default()
    };
    let plain = Augment::default();
    let cases = [
        ("letterbox", &plain, &none),
        ("mosaic", &plain, &mosaic),
        ("zoom", &zoom, &none),
        ("mosaic and zoom", &zoom, &mosaic),
        ("mosaic and turns", &turn, &mosaic),
    ];
    for (name, augment, mosaic) in cases {
        let mut boxes = 0;
        for index in 0..60 {
            let mut rng = stream(7, &[index]);
            let at = index as usize % samples.len();
            // An image that is seen twice is not told apart by its color.
            let tiles = mosaic.tiles(&samples, at, 96, &mut rng.clone());
            let mut used: Vec<usize> = tiles.iter().map(|tile| tile.sample).collect();
            used.sort_unstable();
            used.dedup();
            if used.len() == tiles.len() {
                let result = augment_boxes(augment, mosaic, &samples, at, 96, &mut rng);
                boxes += check(&result, 96, name);
            }
        }
        assert!(boxes >= 30, "{name}: {boxes} boxes");
    }
}

#[test]
fn a_rotated_box_is_around_its_object() {
    let augment = Augment {
        rotate: 20.0,
        shear: 5.0,
        scale: 0.2,
        ..Augment::default()
    };
    let mosaic = Mosaic::default();
    let mut gray = 0;
    for index in 0..20 {
        let mut rng = stream(1, &[index]);
        let result = augment_boxes(&augment, &mosaic, &samples()[2..], 0, 96, &mut rng);
        let bounds = result.target[0];
        let drawn = drawn(&result.image, 2);
        // The corners are cut by the border in some, so the box may be larger.
        assert!(
            bounds.x_min <= drawn[0] + 1.5 && bounds.y_max >= drawn[3] - 1.5,
            "{bounds:?} and {drawn:?}"
        );
        gray += usize::from(result.image.pixels[..3] == [114; 3]);
    }
    assert!(gray > 5, "the border is gray in {gray}");
}

#[test]
fn without_augmentation_the_image_is_scaled_to_fit_and_centered() {
    let augment = Augment::default();
    let mosaic = Mosaic::default();
    let mut rng = stream(0, &[]);
    let result = augment_boxes(&augment, &mosaic, &samples(), 0, 160, &mut rng);
    assert_eq!(result.target, [bounds([40.0, 40.0, 120.0, 120.0], 0)]);
    assert_eq!(result.image.pixels[..3], [114; 3]);
    let resized = crate::image::resize_image(&samples()[0].image, 120, 160);
    assert_eq!(
        result.image.pixels[20 * 160 * 3..140 * 160 * 3],
        resized.pixels
    );
}

#[test]
fn a_box_is_dropped_when_less_than_a_quarter_or_two_pixels_are_left() {
    let place = |edges: [f32; 4], right: isize| {
        let mut sample = sample([100, 100], [0.0, 0.0, 1.0, 1.0], 0);
        sample.target = vec![bounds(edges, 3)];
        let mut boxes = canvas::Boxes::default();
        let tile = canvas::Tile::centered(0, [100, 100], 100);
        let placed = canvas::Canvas::new(100, 3).draw(&sample.image, &tile);
        boxes.add(&sample.target, &placed.unwrap());
        let geometry = Geometry {
            right,
            ..Geometry::identity(100, 100)
        };
        boxes.transformed(&geometry, 100)
    };
    let wide = [0.0, 10.0, 40.0, 30.0];
    assert_eq!(place(wide, -30), [bounds([0.0, 10.0, 10.0, 30.0], 3)]);
    assert_eq!(place(wide, -31), []);
    // What the image itself lacks counts as lost, too.
    assert_eq!(place([-80.0, 10.0, 20.0, 30.0], 0), []);
    assert_eq!(place([10.0, 10.0, 12.0, 40.0], 0).len(), 1);
    assert_eq!(place([10.0, 10.0, 11.9, 40.0], 0), []);
}

#[test]
fn what_the_mosaic_and_the_warp_cut_off_is_counted_together() {
    // Half of the box is cut off by the quarter, and half of the rest by the border: a quarter is left.
    let mut boxes = canvas::Boxes::default();
    let sample = sample([100, 100], [0.0, 0.0, 1.0, 1.0], 0);
    let tile = canvas::Tile::in_window(0, [100, 100], 100.0, [50.0, 0.0, 100.0, 100.0], [0.0, 0.0]);
    let placed = canvas::Canvas::new(100, 3).draw(&sample.image, &tile);
    boxes.add(&[bounds([30.0, 0.0, 70.0, 20.0], 1)], &placed.unwrap());
    let count = |right| {
        let geometry = Geometry {
            right,
            ..Geometry::identity(100, 100)
        };
        boxes.transformed(&geometry, 100).len()
    };
    assert_eq!((count(0), count(10), count(11)), (1, 1, 0));
}

#[test]
fn equal_streams_give_equal_images_and_others_do_not() {
    let mosaic = Mosaic {
        probability: 1.0,
        ..Mosaic::default()
    };
    let augment = Augment {
        scale: 0.3,
        hue: 0.1,
        flip: 0.5,
        ..Augment::default()
    };
    let draw = |index| {
        let mut rng = stream(3, &[index]);
        augment_boxes(&augment, &mosaic, &samples(), 1, 64, &mut rng)
    };
    assert_eq!(draw(0), draw(0));
    assert_ne!(draw(0), draw(1));
}

#[test]
fn a_mosaic_always_has_the_image_asked_for_and_often_others() {
    let mosaic = Mosaic {
        probability: 1.0,
        scale: [0.3, 0.4],
    };
    let mut others = 0;
    for index in 0..30 {
        let result = mosaic.apply(&samples()[..3], 1, 96, &mut stream(5, &[index]));
        let has = |class| result.target.iter().any(|bounds| bounds.class == class);
        assert!(has(1), "{index}: {:?}", result.target);
        others += usize::from(has(0)) + usize::from(has(2));
    }
    assert!(others > 20, "{others}");
    let alone = mosaic.apply(&samples()[..1], 0, 96, &mut stream(5, &[0]));
    assert!(alone.target.len() > 1);
}

#[test]
fn bad_keys_of_a_mosaic_are_refused() {
    let message = |probability, scale| {
        let mosaic = Mosaic { probability, scale };
        mosaic.validate().map_err(|error| error.to_string())
    };
    assert_eq!(message(1.0, [0.5, 0.5]), Ok(()));
    for (probability, scale, expected) in [
        (
            1.5,
            [0.5, 1.5],
            "`probability` must be from 0 to 1 (got 1.5)",
        ),
        (0.5, [0.0, 1.5], "`scale` must be from 0.05 to 4 (got 0)"),
        (
            0.5,
            [1.5, 0.5],
            "`scale` must be an ascending range up to 4 (got 0.5)",
        ),
        (
            0.5,
            [0.5, f32::NAN],
            "`scale` must be an ascending range up to 4 (got NaN)",
        ),
    ] {
        assert_eq!(message(probability, scale), Err(expected.to_owned()));
    }
}

#[test]
fn hairs_and_single_pixels_are_augmented() {
    let mosaic = Mosaic {
        probability: 1.0,
        scale: [0.05, 4.0],
    };
    let samples: Vec<Sample> = [[1, 1], [1, 500], [500, 1]]
        .map(|size| sample(size, [0.0, 0.0, 1.0, 1.0], 0))
        .into();
    for index in 0..20 {
        let result = mosaic.apply(&samples, 0, 32, &mut stream(2, &[index]));
        assert_eq!(result.image.pixels.len(), 32 * 32 * 3);
    }
}
