use std::time::Instant;

use rand_xoshiro::rand_core::Rng as _;

use super::*;
use crate::image::{BoundingBox, Keypoint, Mask};
use crate::random::stream;

fn image(height: usize, width: usize, channels: usize) -> Image {
    let pixels = (1..=height * width * channels)
        .map(|i| (i * 37 % 251) as u8)
        .collect();
    Image {
        height,
        width,
        channels,
        pixels,
    }
}

fn all_on() -> Augment {
    Augment {
        shift: 0.1,
        rotate: 15.0,
        scale: 0.1,
        shear: 5.0,
        flip: 0.5,
        crop: 4,
        erase: 0.5,
        mixup: 0.2,
        cutmix: 1.0,
        ..Augment::default()
    }
}

fn flip(image: &mut Image) {
    image.mirror();
}

fn pad_and_cut(image: &Image, crop: usize, rng: &mut Stream) -> Image {
    let augment = Augment {
        crop,
        ..Augment::default()
    };
    augment.apply(image.clone(), rng)
}

fn erase(image: &mut Image, rng: &mut Stream) {
    let shape = [image.height, image.width, image.channels];
    if let Some(erase) = Erase::sample(shape, rng) {
        erase.apply(image);
    }
}

fn still() -> Warp {
    Warp {
        right: 0.0,
        down: 0.0,
        angle: 0.0,
        scale: 1.0,
        shear: 0.0,
    }
}

#[test]
fn off_changes_nothing_and_draws_nothing() {
    let augment = Augment::default();
    assert!(augment.is_none() && augment.validate().is_ok());
    let mut rng = stream(0, &[]);
    assert_eq!(augment.apply(image(5, 7, 3), &mut rng), image(5, 7, 3));
    assert_eq!(augment.sample_mix(5, 7, &mut rng), None);
    assert_eq!(rng, stream(0, &[]));
}

#[test]
fn equal_words_give_equal_pixels_and_other_words_do_not() {
    let augment = all_on();
    let draw = |words: &[u64]| augment.apply(image(28, 28, 1), &mut stream(42, words));
    assert_eq!(draw(&[1, 7]), draw(&[1, 7]));
    assert_ne!(draw(&[1, 7]), draw(&[1, 8]));
    assert_ne!(draw(&[1, 7]), draw(&[2, 7]));
}

/// The bytes that augmentation gave when seeds were first stored with trained weights: a change of a
/// draw, of their order or of the arithmetic changes them.
#[test]
fn seeded_augmentation_is_byte_identical_to_the_stored_one() {
    let only = |change: fn(&mut Augment)| {
        let mut augment = Augment::default();
        change(&mut augment);
        augment
    };
    let cases = [
        all_on(),
        only(|a| a.shift = 0.2),
        only(|a| (a.rotate, a.scale) = (30.0, 0.3)),
        only(|a| a.shear = 10.0),
        only(|a| a.flip = 0.5),
        only(|a| a.crop = 4),
        only(|a| a.erase = 1.0),
    ];
    let hashes = cases.map(|augment| {
        let mut hasher = crate::ContentHasher::default();
        for (height, width, channels) in [(28, 28, 1), (17, 32, 3)] {
            for index in 0..20 {
                let mut rng = stream(42, &[1, index]);
                let result = augment.apply(image(height, width, channels), &mut rng);
                hasher.bytes(&result.pixels);
                // The next draw shows how many were made.
                hasher.bytes(&rng.next_u64().to_le_bytes());
            }
        }
        hasher.finish()
    });
    let stored: [u64; 7] = [
        0x27aa_f970_7323_81f0,
        0x8650_d064_e83b_b9ff,
        0x7110_ea24_7c53_f1c7,
        0x1267_0009_e977_f260,
        0x961c_1ca6_6da2_f5b1,
        0x8605_eadd_5eb7_a6fb,
        0x45f0_6fd0_0466_495f,
    ];
    assert_eq!(hashes, stored);
}

#[test]
fn validate_names_the_key_and_its_range() {
    assert_eq!(all_on().validate(), Ok(()));
    let wrong = Augment {
        rotate: 181.0,
        ..Augment::default()
    };
    let error = wrong.validate().unwrap_err();
    assert_eq!(
        error.to_string(),
        "`rotate` must be from 0 to 180 (got 181)"
    );
    for wrong in [
        Augment {
            shift: 1.0,
            ..Augment::default()
        },
        Augment {
            flip: -0.1,
            ..Augment::default()
        },
        Augment {
            mixup: f32::NAN,
            ..Augment::default()
        },
        Augment {
            cutmix: f32::INFINITY,
            ..Augment::default()
        },
        Augment {
            crop: 1025,
            ..Augment::default()
        },
    ] {
        assert!(wrong.validate().is_err(), "{wrong:?}");
    }
}

#[test]
fn a_quarter_turn_is_exact() {
    for side in [4, 5] {
        let source = image(side, side, 3);
        let turned = Warp {
            angle: std::f64::consts::FRAC_PI_2,
            ..still()
        }
        .apply_image(&source, 0);
        for row in 0..side {
            for column in 0..side {
                for c in 0..3 {
                    // From the right toward the bottom: the left column becomes the top row.
                    let from = ((side - 1 - column) * side + row) * 3 + c;
                    let to = (row * side + column) * 3 + c;
                    assert_eq!(turned.pixels[to], source.pixels[from]);
                }
            }
        }
    }
}

#[test]
fn a_shift_moves_right_and_down_and_leaves_black() {
    let source = image(3, 4, 1);
    let shifted = Warp {
        right: 1.0,
        down: 1.0,
        ..still()
    }
    .apply_image(&source, 0);
    let p = &source.pixels;
    assert_eq!(
        shifted.pixels,
        [0, 0, 0, 0, 0, p[0], p[1], p[2], 0, p[4], p[5], p[6]],
    );
    let away = Warp {
        right: 40.0,
        ..still()
    }
    .apply_image(&source, 0);
    assert_eq!(away.pixels, [0; 12]);
}

#[test]
fn scale_and_shear_move_the_corners_as_named() {
    let mut dot = Image {
        height: 5,
        width: 5,
        channels: 1,
        pixels: vec![0; 25],
    };
    dot.pixels[5 + 3] = 200;
    // One up and one right of the center.
    let doubled = Warp {
        scale: 2.0,
        ..still()
    }
    .apply_image(&dot, 0);
    assert_eq!(doubled.pixels[4], 200);
    let sheared = Warp {
        shear: 1.0,
        ..still()
    }
    .apply_image(&dot, 0);
    assert_eq!((sheared.pixels[5 + 2], sheared.pixels[5 + 3]), (200, 0));
}

#[test]
fn half_a_pixel_is_the_mean_of_two() {
    let source = Image {
        height: 1,
        width: 3,
        channels: 1,
        pixels: vec![10, 20, 40],
    };
    let moved = Warp {
        right: -0.5,
        ..still()
    }
    .apply_image(&source, 0);
    assert_eq!(moved.pixels, [15, 30, 20]);
}

#[test]
fn flipping_twice_changes_nothing() {
    for (width, channels) in [(4, 1), (5, 3), (1, 3)] {
        let mut flipped = image(3, width, channels);
        flip(&mut flipped);
        assert_eq!(flipped == image(3, width, channels), width == 1);
        flip(&mut flipped);
        assert_eq!(flipped, image(3, width, channels));
    }
}

#[test]
fn a_cut_is_a_shift_by_at_most_the_margin() {
    let source = image(4, 5, 3);
    let mut seen = std::collections::BTreeSet::new();
    for index in 0..300 {
        let cut = pad_and_cut(&source, 1, &mut stream(0, &[index]));
        let shifted = (0..9).find(|&case| {
            let (down, right) = (f64::from(case / 3 - 1), f64::from(case % 3 - 1));
            Warp {
                right,
                down,
                ..still()
            }
            .apply_image(&source, 0)
                == cut
        });
        seen.insert(shifted.unwrap());
    }
    assert_eq!(seen.len(), 9);
    // A margin wider than the image may leave nothing, but nothing breaks.
    for index in 0..200 {
        let cut = pad_and_cut(&source, 20, &mut stream(1, &[index]));
        assert_eq!(cut.pixels.len(), 60);
    }
}

#[test]
fn erasing_changes_one_box_of_the_stated_area() {
    let white = Image {
        height: 32,
        width: 32,
        channels: 1,
        pixels: vec![255; 1024],
    };
    let mut changed = 0;
    for index in 0..100 {
        let mut erased = white.clone();
        erase(&mut erased, &mut stream(3, &[index]));
        let area = erased.pixels.iter().filter(|&&v| v != 255).count();
        assert!(area < 450, "{area}");
        changed += usize::from(area > 10);
    }
    assert!(changed > 90, "{changed}");
    let mut tiny = image(1, 1, 1);
    erase(&mut tiny, &mut stream(3, &[]));
    assert_eq!(tiny, image(1, 1, 1));
}

#[test]
fn mixup_is_the_weighted_mean_with_the_next_image() {
    let mut pixels = vec![0.0, 8.0, 4.0, 4.0, 8.0, 0.0];
    let mix = Mix {
        weight: 0.25,
        kind: MixKind::Mixup,
    };
    mix.blend(&mut pixels, 3, 1, 1, 2);
    assert_eq!(pixels, [1.0, 7.0, 5.0, 3.0, 6.0, 2.0]);
    let mut alone = vec![1.0, 2.0];
    mix.blend(&mut alone, 1, 2, 1, 1);
    assert_eq!(alone, [1.0, 2.0]);
    mix.blend(&mut [], 0, 1, 2, 2);
}

#[test]
fn the_weight_of_cutmix_is_the_area_of_its_box() {
    let augment = Augment {
        cutmix: 1.0,
        ..Augment::default()
    };
    let (channels, height, width) = (3, 8, 12);
    let size = channels * height * width;
    let mut mean = 0.0;
    for index in 0..400 {
        let Some(mix) = augment.sample_mix(height, width, &mut stream(9, &[index])) else {
            continue;
        };
        // Two images, all 0 and all 1.
        let mut pixels = [vec![0.0; size], vec![1.0; size]].concat();
        mix.blend(&mut pixels, 2, channels, height, width);
        let share = pixels[..size].iter().sum::<f32>() / size as f32;
        assert!((share - mix.weight).abs() < 1e-6, "{mix:?}");
        let share = pixels[size..].iter().sum::<f32>() / size as f32;
        assert!((share - (1.0 - mix.weight)).abs() < 1e-6, "{mix:?}");
        mean += mix.weight / 400.0;
    }
    // Half without clipping at the border.
    assert!((0.2..0.5).contains(&mean), "{mean}");
}

#[test]
fn a_coin_chooses_between_mixup_and_cutmix() {
    let mixups = (0..1000)
        .filter_map(|index| all_on().sample_mix(28, 28, &mut stream(0, &[index])))
        .filter(|mix| mix.kind == MixKind::Mixup)
        .count();
    assert!((430..570).contains(&mixups), "{mixups}");
    let only = Augment {
        mixup: 0.2,
        ..Augment::default()
    };
    let mix = only.sample_mix(28, 28, &mut stream(0, &[])).unwrap();
    assert_eq!(mix.kind, MixKind::Mixup);
}

#[test]
fn a_patch_may_name_some_keys_but_no_unknown_one() {
    use serde::de::value::{Error, MapDeserializer};
    let read = |key: &'static str| {
        let pairs = MapDeserializer::<_, Error>::new([(key, 0.5_f32)].into_iter());
        Augment::deserialize(pairs)
    };
    assert_eq!(
        read("flip").unwrap(),
        Augment {
            flip: 0.5,
            ..Augment::default()
        }
    );
    assert!(
        read("flop")
            .unwrap_err()
            .to_string()
            .contains("unknown field `flop`")
    );
}

#[test]
#[ignore = "measures time; run alone with `--ignored --nocapture`"]
fn a_warp_of_mnist_size_is_fast() {
    let augment = Augment {
        shift: 0.1,
        rotate: 10.0,
        scale: 0.1,
        ..Augment::default()
    };
    let source = image(28, 28, 1);
    let start = Instant::now();
    let mut sum = 0_usize;
    for index in 0..20_000 {
        let warped = augment.apply(source.clone(), &mut stream(0, &[index]));
        sum += usize::from(warped.pixels[400]);
    }
    let micros = start.elapsed().as_secs_f64() * 1e6 / 20_000.0;
    println!("{micros:.2} us per image ({sum})");
    assert!(micros < 15.0);
}

/// The geometry that only warps.
fn warped(warp: Warp, height: usize, width: usize) -> Geometry {
    Geometry {
        warp: Some(warp),
        ..Geometry::identity(height, width)
    }
}

/// Geometries of 40 x 60 images with and without a quarter turn, and random ones of all kinds.
fn geometries() -> Vec<Geometry> {
    let identity = Geometry::identity(40, 60);
    let mut geometries = vec![
        identity.clone(),
        Geometry {
            flip: true,
            ..identity.clone()
        },
        Geometry {
            down: -3,
            right: 5,
            ..identity
        },
        warped(
            Warp {
                right: 4.0,
                down: -2.0,
                ..still()
            },
            40,
            60,
        ),
        warped(
            Warp {
                angle: std::f64::consts::FRAC_PI_2,
                ..still()
            },
            40,
            60,
        ),
        warped(
            Warp {
                scale: 1.5,
                ..still()
            },
            40,
            60,
        ),
        warped(
            Warp {
                shear: 0.3,
                ..still()
            },
            40,
            60,
        ),
    ];
    let augment = Augment {
        erase: 0.0,
        ..all_on()
    };
    geometries.extend((0..30).map(|index| {
        let shape = [40, 60, 1];
        augment.sample(shape, &mut stream(8, &[index])).geometry
    }));
    geometries
}

/// Rows 14 to 22 and columns 20 to 34 of a 40 x 60 image.
fn region() -> (Image, Mask, BoundingBox) {
    let inside = |at: usize| (14..22).contains(&(at / 60)) && (20..34).contains(&(at % 60));
    let pixels = (0..2400).map(|at| 255 * u8::from(inside(at)));
    let image = Image {
        height: 40,
        width: 60,
        channels: 1,
        pixels: pixels.collect(),
    };
    let classes = (0..2400).map(|at| 7 * u16::from(inside(at))).collect();
    let bounding_box = BoundingBox {
        x_min: 20.0,
        y_min: 14.0,
        x_max: 34.0,
        y_max: 22.0,
        class: 7,
    };
    (image, Mask::new(40, 60, classes).unwrap(), bounding_box)
}

#[test]
fn image_mask_box_and_points_move_together() {
    let (image, mask, bounding_box) = region();
    for geometry in geometries() {
        let image = geometry.apply_image(image.clone());
        let mask = geometry.apply_mask(mask.clone(), 0);
        // The mask is the bright half of the blended edge.
        let differing = image.pixels.iter().zip(&mask.classes);
        let differing = differing.filter(|&(&pixel, &class)| (pixel > 127) != (class == 7));
        assert!(differing.count() <= 4, "{geometry:?}");

        // The box of the moved corners lies around the mask and touches it on all sides, up to a
        // pixel, unless the region was turned out of the axes.
        let moved = geometry.apply_boxes(&[bounding_box], 0.0);
        assert_eq!((moved.boxes.len(), moved.dropped), (1, 0), "{geometry:?}");
        let moved = moved.boxes[0];
        assert_eq!(moved.class, 7);
        let marked = (0..2400).filter(|&at| mask.classes[at] == 7);
        let (columns, rows): (Vec<_>, Vec<_>) = marked
            .map(|at| ((at % 60) as f32, (at / 60) as f32))
            .unzip();
        let ends = |values: &[f32]| {
            let least = values.iter().copied().fold(f32::INFINITY, f32::min);
            (least, values.iter().copied().fold(0.0, f32::max) + 1.0)
        };
        let ((left, right), (top, bottom)) = (ends(&columns), ends(&rows));
        for (edge, marked) in [
            (moved.x_min, left),
            (moved.y_min, top),
            (moved.x_max, right),
            (moved.y_max, bottom),
        ] {
            assert!((edge - marked).abs() <= 1.5, "{geometry:?}: {moved:?}");
        }

        // Its corners, a pixel further in, are marked; a pixel further out they are not.
        let corners = |margin: f32| {
            let (x, y) = (
                [20.0 + margin, 34.0 - margin],
                [14.0 + margin, 22.0 - margin],
            );
            let points = x.into_iter().flat_map(|x| {
                y.map(|y| Keypoint {
                    x,
                    y,
                    visible: true,
                })
            });
            geometry.apply_points(&points.collect::<Vec<_>>(), &[])
        };
        let class = |point: &Keypoint| mask.classes[point.y as usize * 60 + point.x as usize];
        assert!(
            corners(1.5).iter().all(|point| class(point) == 7),
            "{geometry:?}"
        );
        assert!(
            corners(-1.5).iter().all(|point| class(point) == 0),
            "{geometry:?}"
        );
    }
}

#[test]
fn flip_and_quarter_turn_are_exact_for_every_target() {
    let (image, mask, bounding_box) = region();
    let flip = Geometry {
        flip: true,
        ..Geometry::identity(40, 60)
    };
    let flipped = flip.apply_boxes(&[bounding_box], 0.0).boxes[0];
    assert_eq!((flipped.x_min, flipped.x_max), (26.0, 40.0));
    assert_eq!((flipped.y_min, flipped.y_max), (14.0, 22.0));
    let as_mask = |image: Image| -> Vec<u16> {
        image
            .pixels
            .iter()
            .map(|&v| 7 * u16::from(v > 127))
            .collect()
    };
    assert_eq!(
        as_mask(flip.apply_image(image)),
        flip.apply_mask(mask, 0).classes
    );
    // A quarter turn from the right toward the bottom.
    let turn = Warp {
        angle: std::f64::consts::FRAC_PI_2,
        ..still()
    };
    let turn = warped(turn, 5, 5);
    let right = Keypoint {
        x: 4.5,
        y: 2.5,
        visible: true,
    };
    let turned = turn.apply_points(&[right], &[])[0];
    assert!((turned.x - 2.5).abs() < 1e-6 && (turned.y - 4.5).abs() < 1e-6);
    let mut dot = Mask::new(5, 5, vec![0; 25]).unwrap();
    dot.classes[2 * 5 + 4] = 9;
    let dot = turn.apply_mask(dot, 3);
    assert_eq!(
        dot.classes.iter().position(|&class| class == 9),
        Some(4 * 5 + 2)
    );
}

#[test]
fn boxes_are_clipped_and_dropped_by_their_visible_fraction() {
    let boxes = [0.0, 4.0, 8.0].map(|x_min| BoundingBox {
        x_min,
        y_min: 2.0,
        x_max: x_min + 4.0,
        y_max: 4.0,
        class: 1,
    });
    let left = Geometry {
        right: -7,
        ..Geometry::identity(6, 12)
    };
    let kept = |min_visibility| left.apply_boxes(&boxes, min_visibility);
    // The first box leaves the image, a quarter of the second is left, the third stays whole.
    assert_eq!((kept(0.0).boxes.len(), kept(0.0).dropped), (2, 1));
    assert_eq!((kept(0.25).boxes.len(), kept(0.25).dropped), (2, 1));
    assert_eq!((kept(0.3).boxes.len(), kept(0.3).dropped), (1, 2));
    assert_eq!(
        (kept(0.0).boxes[0].x_min, kept(0.0).boxes[0].x_max),
        (0.0, 1.0)
    );
}

#[test]
fn points_outside_are_not_visible_and_left_and_right_are_swapped_by_a_flip() {
    let point = |x, visible| Keypoint { x, y: 1.0, visible };
    let points = [point(1.0, true), point(9.0, true), point(5.0, false)];
    let mut geometry = Geometry {
        right: 2,
        ..Geometry::identity(4, 10)
    };
    let visible = |points: Vec<Keypoint>| points.iter().map(|p| p.visible).collect::<Vec<_>>();
    let moved = geometry.apply_points(&points, &[[0, 1]]);
    assert_eq!((moved[0].x, moved[1].x), (3.0, 11.0));
    assert_eq!(visible(moved), [true, false, false]);
    geometry.flip = true;
    assert!(geometry.is_flipped());
    let moved = geometry.apply_points(&points, &[[0, 1]]);
    assert_eq!((moved[0].x, moved[1].x), (3.0, 11.0));
    assert_eq!(visible(moved), [true, false, false]);
}

#[test]
fn what_a_mask_is_filled_with_is_told_from_its_classes() {
    let mask = Mask::new(2, 3, vec![1; 6]).unwrap();
    let shift = Geometry {
        right: 1,
        ..Geometry::identity(2, 3)
    };
    assert_eq!(
        shift.apply_mask(mask.clone(), 255).classes,
        [255, 1, 1, 255, 1, 1]
    );
    let warp = warped(
        Warp {
            right: 1.0,
            ..still()
        },
        2,
        3,
    );
    assert_eq!(warp.apply_mask(mask, 255).classes, [255, 1, 1, 255, 1, 1]);
}

#[test]
#[should_panic(expected = "sampled for images of this size")]
fn another_size_is_refused() {
    Geometry::identity(4, 5).apply_image(image(5, 4, 1));
}
