//! Flips, turns, elastic deformation and colors, of an image and its mask alike.

use super::*;
use crate::image::Keypoint;
use crate::random::stream;

/// An image whose gray values are the classes of the mask.
fn pair(height: usize, width: usize) -> (Image, Mask) {
    let pixels: Vec<u8> = (0..height * width).map(|at| (at % 250 + 1) as u8).collect();
    let classes = pixels.iter().map(|&value| u16::from(value)).collect();
    let image = Image {
        height,
        width,
        channels: 1,
        pixels,
    };
    (image, Mask::new(height, width, classes).unwrap())
}

fn turned(turns: u8, height: usize, width: usize) -> Geometry {
    Geometry {
        turns,
        ..Geometry::identity(height, width)
    }
}

fn as_classes(image: &Image) -> Vec<u16> {
    image.pixels.iter().map(|&value| u16::from(value)).collect()
}

#[test]
fn image_and_mask_are_flipped_and_turned_alike() {
    let (image, mask) = pair(3, 3);
    let right = turned(1, 3, 3).apply_image(image.clone());
    assert_eq!(right.pixels, [7, 4, 1, 8, 5, 2, 9, 6, 3]);
    let down = Geometry {
        vertical_flip: true,
        ..Geometry::identity(3, 3)
    };
    assert_eq!(down.apply_image(image).pixels, [7, 8, 9, 4, 5, 6, 1, 2, 3]);
    assert!(down.is_flipped());
    for turns in 0..4 {
        let (image, mask) = pair(5, 5);
        let geometry = turned(turns, 5, 5);
        let turned = geometry.apply_image(image);
        assert_eq!(geometry.apply_mask(mask, 0).classes, as_classes(&turned));
    }
    let half = turned(2, 2, 3).apply_mask(Mask::new(2, 3, vec![1, 2, 3, 4, 5, 6]).unwrap(), 0);
    assert_eq!(half.classes, [6, 5, 4, 3, 2, 1]);
    assert_eq!(turned(0, 3, 3).apply_mask(mask.clone(), 0), mask);
}

#[test]
fn points_move_with_the_pixels() {
    for (turns, vertical_flip) in [(0, true), (1, false), (2, true), (3, false)] {
        let geometry = Geometry {
            vertical_flip,
            ..turned(turns, 5, 5)
        };
        let (image, _) = pair(5, 5);
        let moved = geometry.apply_image(image.clone());
        let point = Keypoint {
            x: 3.5,
            y: 1.5,
            visible: true,
        };
        let at = geometry.apply_points(&[point], &[])[0];
        let index = at.y.floor() as usize * 5 + at.x.floor() as usize;
        assert_eq!(
            moved.pixels[index],
            image.pixels[5 + 3],
            "{turns} {vertical_flip}"
        );
    }
}

#[test]
fn all_turns_of_a_square_and_only_half_turns_of_another_shape_are_drawn() {
    let augment = Augment {
        quarter_turns: 1.0,
        ..Augment::default()
    };
    let draw = |shape: [usize; 3]| -> std::collections::BTreeSet<u8> {
        let turns = |index| {
            augment
                .sample(shape, &mut stream(1, &[index]))
                .geometry
                .turns
        };
        (0..60).map(turns).collect()
    };
    assert_eq!(
        draw([4, 4, 1]).into_iter().collect::<Vec<_>>(),
        [0, 1, 2, 3]
    );
    assert_eq!(draw([4, 5, 1]).into_iter().collect::<Vec<_>>(), [0, 2]);
}

#[test]
fn an_elastic_deformation_moves_image_and_mask_alike() {
    let (height, width) = (60, 80);
    let disk = |at: usize| {
        let (y, x) = ((at / width) as f64 - 30.0, (at % width) as f64 - 40.0);
        u16::from(y * y + x * x < 300.0)
    };
    let classes: Vec<u16> = (0..height * width).map(disk).collect();
    let image = Image {
        height,
        width,
        channels: 1,
        pixels: classes.iter().map(|&class| 255 * class as u8).collect(),
    };
    let mask = Mask::new(height, width, classes).unwrap();
    let augment = Augment {
        elastic: 0.05,
        ..Augment::default()
    };
    let params = augment.sample([height, width, 1], &mut stream(3, &[]));
    let bent = params.apply_mask(mask.clone());
    let white = as_classes(&params.apply_image(image));
    let known = || {
        bent.classes
            .iter()
            .zip(&white)
            .filter(|(class, _)| **class != IGNORE)
    };
    let differ = known()
        .filter(|(class, white)| **class != u16::from(**white > 127))
        .count();
    let moved = bent
        .classes
        .iter()
        .zip(&mask.classes)
        .filter(|(a, b)| a != b)
        .count();
    // Only rounding at the edge differs, and something has moved.
    assert!(differ < 20 && moved > 60, "{differ} {moved}");
    let again = augment.sample([height, width, 1], &mut stream(3, &[]));
    assert_eq!(again, params);
    // A pixel of the result is found where its source went.
    let elastic = params.geometry.elastic.unwrap();
    let [right, down] = elastic.shift(20.0, 33.0);
    let back = elastic.apply_point([33.5 + right, 20.5 + down]);
    assert!(
        (back[0] - 33.5).abs() < 0.01 && (back[1] - 20.5).abs() < 0.01,
        "{back:?}"
    );
}

#[test]
fn a_share_of_the_images_is_not_warped() {
    let augment = Augment {
        rotate: 20.0,
        elastic: 0.02,
        flip: 0.5,
        unwarped: 0.25,
        ..Augment::default()
    };
    assert_eq!(augment.validate(), Ok(()));
    let drawn: Vec<Geometry> = (0..400)
        .map(|index| {
            augment
                .sample([32, 32, 1], &mut stream(6, &[index]))
                .geometry
        })
        .collect();
    let sharp = drawn.iter().filter(|geometry| geometry.warp.is_none());
    let sharp: Vec<&Geometry> = sharp.collect();
    assert!((80..120).contains(&sharp.len()), "{}", sharp.len());
    assert!(sharp.iter().all(|geometry| geometry.elastic.is_none()));
    assert!(sharp.iter().any(|geometry| geometry.flip));
    let warped = drawn.iter().filter(|geometry| geometry.elastic.is_some());
    assert_eq!(warped.count() + sharp.len(), drawn.len());
}

#[test]
fn what_comes_from_outside_is_ignored() {
    let (image, mask) = pair(8, 8);
    let augment = Augment {
        rotate: 45.0,
        erase: 1.0,
        brightness: 0.5,
        ..Augment::default()
    };
    let params = augment.sample([8, 8, 1], &mut stream(5, &[]));
    let mask = params.apply_mask(mask);
    assert!(mask.classes.contains(&IGNORE));
    assert_eq!(params.apply_image(image).pixels.len(), mask.classes.len());
}

fn color(pixels: &[u8], change: impl Fn(&mut Augment)) -> Vec<Vec<u8>> {
    let mut augment = Augment::default();
    change(&mut augment);
    let image = Image {
        height: 1,
        width: pixels.len() / 3,
        channels: 3,
        pixels: pixels.to_vec(),
    };
    let draw = |index| {
        augment
            .apply(image.clone(), &mut stream(0, &[index]))
            .pixels
    };
    (0..50).map(draw).collect()
}

#[test]
fn colors_change_as_their_keys_say() {
    let pixels = [200, 40, 40, 10, 10, 10, 60, 90, 200];
    // Brightness multiplies: what is three times as bright stays so.
    for changed in color(&[30, 60, 90], |a| a.brightness = 0.5) {
        let factor = f32::from(changed[1]) / 60.0;
        assert!((0.49..1.51).contains(&factor));
        assert!(
            (f32::from(changed[2]) - 90.0 * factor).abs() < 2.0,
            "{changed:?}"
        );
    }
    // Saturation keeps gray, and the gray value of colors where nothing is cut off.
    for changed in color(&[120, 100, 110, 10, 10, 10], |a| a.saturation = 1.0) {
        assert_eq!(changed[3..], [10, 10, 10]);
        let gray = 0.299 * f32::from(changed[0]) + 0.587 * f32::from(changed[1]);
        let gray = gray + 0.114 * f32::from(changed[2]);
        assert!((gray - 107.12).abs() < 1.0, "{changed:?}");
    }
    // Hue keeps the lightest and the darkest channel.
    let hues = color(&pixels, |a| a.hue = 0.5);
    for changed in &hues {
        for (before, after) in pixels.chunks(3).zip(changed.chunks(3)) {
            assert_eq!(before.iter().max(), after.iter().max());
            assert_eq!(before.iter().min(), after.iter().min());
        }
    }
    assert!(
        hues.iter().any(|changed| changed[1] > 190),
        "some red turns green"
    );
    // Contrast moves values away from the mean or toward it.
    for changed in color(&[100, 100, 100, 140, 140, 140], |a| a.contrast = 0.5) {
        assert_eq!(u16::from(changed[0]) + u16::from(changed[3]), 240);
    }
}

#[test]
fn a_red_pixel_goes_around_the_color_wheel() {
    let mut image = Image {
        height: 1,
        width: 1,
        channels: 3,
        pixels: vec![255, 0, 0],
    };
    let augment = Augment {
        hue: 0.5,
        ..Augment::default()
    };
    for index in 0..20 {
        let params = augment.sample([1, 1, 3], &mut stream(9, &[index]));
        let pixel = params.apply_image(image.clone()).pixels;
        assert!(pixel.contains(&255) && pixel.contains(&0), "{pixel:?}");
    }
    image.pixels = vec![7, 7, 7];
    let params = augment.sample([1, 1, 3], &mut stream(9, &[0]));
    assert_eq!(params.apply_image(image).pixels, [7, 7, 7]);
}

#[test]
fn a_window_is_cut_from_both_and_a_small_image_is_centered() {
    let (image, mask) = pair(6, 7);
    let mut places = std::collections::BTreeSet::new();
    for index in 0..200 {
        let window = CropWindow::sample([6, 7], [4, 4], &mut stream(2, &[index]));
        let part = window.apply_image(&image);
        assert_eq!(window.apply_mask(&mask).classes, as_classes(&part));
        let first = window.top.cast_unsigned() * 7 + window.left.cast_unsigned();
        assert_eq!(part.pixels[0], image.pixels[first]);
        places.insert((window.top, window.left));
    }
    assert_eq!(places.len(), 3 * 4);
    let window = CropWindow::sample([1, 2], [3, 4], &mut stream(2, &[0]));
    let small = Mask::new(1, 2, vec![5, 6]).unwrap();
    let ignored = [IGNORE; 4];
    let centered = [ignored, [IGNORE, 5, 6, IGNORE], ignored].concat();
    assert_eq!(window.apply_mask(&small).classes, centered);
}
