//! Environments as shapes, and with the feature `render` as pixels, animated GIF and in the
//! terminal.

#[cfg(feature = "render")]
mod canvas;
#[cfg(feature = "render")]
mod dashboard;
#[cfg(feature = "render")]
mod gif;
#[cfg(feature = "render")]
mod player;
#[cfg(feature = "render")]
mod scene_widget;

#[cfg(feature = "render")]
pub use self::{
    canvas::Canvas, dashboard::Dashboard, gif::Gif, player::Player, scene_widget::SceneWidget,
};

/// An environment that can be drawn.
pub trait Render {
    /// The current state as shapes. The bounds are always the same.
    fn render(&self) -> Scene;

    /// Time per frame, in s.
    fn frame_s(&self) -> f64;
}

/// Shapes in the coordinates of the environment; `x` grows to the right, `y` upwards.
#[derive(Clone, Debug, PartialEq)]
pub struct Scene {
    /// The left and right edge.
    pub x: [f64; 2],
    /// The lower and upper edge, in the same unit.
    pub y: [f64; 2],
    /// From back to front: a shape covers those before it.
    pub shapes: Vec<Shape>,
}

/// A shape of one color.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// Its outline.
    pub form: Form,
    /// Its color.
    pub color: Color,
}

/// An outline.
#[derive(Clone, Debug, PartialEq)]
pub enum Form {
    /// A line with round ends.
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
        /// Its center.
        center: Point,
        /// Its radius.
        radius: f64,
    },
    /// A filled convex polygon, its corners in order, either way round.
    Polygon(Vec<Point>),
}

/// A point, `[x, y]`.
pub type Point = [f64; 2];

/// Red, green and blue.
pub type Color = [u8; 3];

/// The ground and the tracks.
pub const GRAY: Color = [140, 140, 140];
/// Bodies on the ground.
pub const DARK: Color = [60, 64, 72];
/// The body to control.
pub const ORANGE: Color = [214, 126, 61];
/// Joints.
pub const BLUE: Color = [92, 106, 196];
/// Goals.
pub const GREEN: Color = [64, 160, 90];

impl Shape {
    /// A line from one point to another.
    pub fn line(from: Point, to: Point, width: f64, color: Color) -> Self {
        let form = Form::Line { from, to, width };
        Self { form, color }
    }

    /// A filled circle.
    pub fn circle(center: Point, radius: f64, color: Color) -> Self {
        let form = Form::Circle { center, radius };
        Self { form, color }
    }

    /// A filled rectangle around `center`, turned by `angle` rad counterclockwise.
    pub fn rectangle(center: Point, [width, height]: [f64; 2], angle: f64, color: Color) -> Self {
        let corner =
            |right: f64, up: f64| turn(center, [right * width / 2.0, up * height / 2.0], angle);
        let corners = [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)];
        Self::polygon(corners.map(|(right, up)| corner(right, up)).to_vec(), color)
    }

    /// A filled convex polygon.
    pub fn polygon(corners: Vec<Point>, color: Color) -> Self {
        let form = Form::Polygon(corners);
        Self { form, color }
    }
}

/// The point at `offset` from `origin`, where the offset is turned by `angle` rad
/// counterclockwise.
pub fn turn([x, y]: Point, [right, up]: [f64; 2], angle: f64) -> Point {
    let (sin, cos) = angle.sin_cos();
    [x + right * cos - up * sin, y + right * sin + up * cos]
}
