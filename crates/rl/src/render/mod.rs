//! What an environment looks like, as plain shapes.
//!
//! Nothing is drawn here: who has a screen or a file takes the shapes and their bounds.

/// An environment that can be looked at.
pub trait Render {
    /// What it looks like now. The bounds are always the same.
    fn render(&self) -> Scene;

    /// Time for which a scene is shown, in s, so that the whole looks natural.
    fn frame_s(&self) -> f64;
}

/// A picture in the environment's own coordinates; `x` grows to the right, `y` upwards.
#[derive(Clone, Debug, PartialEq)]
pub struct Scene {
    /// The left and right end of what is seen.
    pub x: [f64; 2],
    /// The lower and upper end of what is seen, in the same unit.
    pub y: [f64; 2],
    /// From the farthest to the nearest: a shape covers those before it.
    pub shapes: Vec<Shape>,
}

/// One shape of one colour.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// Its outline.
    pub form: Form,
    /// Its colour.
    pub color: Color,
}

/// An outline.
#[derive(Clone, Debug, PartialEq)]
pub enum Form {
    /// A straight stroke with round ends.
    Line {
        /// One end.
        from: Point,
        /// The other end.
        to: Point,
        /// Its width.
        width: f64,
    },
    /// A filled circle.
    Circle {
        /// Its middle.
        centre: Point,
        /// Its radius.
        radius: f64,
    },
    /// A filled convex polygon, its corners in order, either way round.
    Polygon(Vec<Point>),
}

/// A place, `[x, y]`.
pub type Point = [f64; 2];

/// Red, green and blue.
pub type Color = [u8; 3];

/// What the ground and the tracks are drawn with.
pub const GREY: Color = [140, 140, 140];
/// What stands on the ground.
pub const DARK: Color = [60, 64, 72];
/// What is to be moved.
pub const ORANGE: Color = [214, 126, 61];
/// Joints.
pub const BLUE: Color = [92, 106, 196];
/// Goals.
pub const GREEN: Color = [64, 160, 90];

impl Shape {
    /// A stroke from one point to another.
    pub fn line(from: Point, to: Point, width: f64, color: Color) -> Self {
        let form = Form::Line { from, to, width };
        Self { form, color }
    }

    /// A filled circle.
    pub fn circle(centre: Point, radius: f64, color: Color) -> Self {
        let form = Form::Circle { centre, radius };
        Self { form, color }
    }

    /// A filled rectangle around `centre`, turned by `angle` rad against the clock.
    pub fn rectangle(centre: Point, [width, height]: [f64; 2], angle: f64, color: Color) -> Self {
        let corner =
            |right: f64, up: f64| turn(centre, [right * width / 2.0, up * height / 2.0], angle);
        let corners = [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)];
        Self::polygon(corners.map(|(right, up)| corner(right, up)).to_vec(), color)
    }

    /// A filled convex polygon.
    pub fn polygon(corners: Vec<Point>, color: Color) -> Self {
        let form = Form::Polygon(corners);
        Self { form, color }
    }
}

/// The point at `offset` from `origin`, where the offset is turned by `angle` rad against the
/// clock.
pub fn turn([x, y]: Point, [right, up]: [f64; 2], angle: f64) -> Point {
    let (sin, cos) = angle.sin_cos();
    [x + right * cos - up * sin, y + right * sin + up * cos]
}
