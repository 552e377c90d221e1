//! The activations as types, so that a loop is compiled for each of them.
//!
//! NaN propagates. Derivatives at the kinks are those of PyTorch.

use crate::flex::simd_math::{sigmoid, silu};

/// An element-wise function with its gradient.
pub(crate) trait Function: Copy + Send + Sync {
    /// The function.
    fn value(self, x: f32) -> f32;

    /// The gradient of the input from the input and the gradient of the output.
    fn gradient(self, x: f32, gradient: f32) -> f32;
}

#[derive(Clone, Copy)]
pub(crate) struct Identity;

impl Function for Identity {
    #[inline(always)]
    fn value(self, x: f32) -> f32 {
        x
    }

    #[inline(always)]
    fn gradient(self, _x: f32, gradient: f32) -> f32 {
        gradient
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Relu;

impl Function for Relu {
    #[inline(always)]
    fn value(self, x: f32) -> f32 {
        if x < 0.0 { 0.0 } else { x }
    }

    #[inline(always)]
    fn gradient(self, x: f32, gradient: f32) -> f32 {
        if x <= 0.0 { 0.0 } else { gradient }
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Relu6;

impl Function for Relu6 {
    #[inline(always)]
    fn value(self, x: f32) -> f32 {
        let x = if x < 0.0 { 0.0 } else { x };
        if x > 6.0 { 6.0 } else { x }
    }

    #[inline(always)]
    fn gradient(self, x: f32, gradient: f32) -> f32 {
        let gradient = if x <= 0.0 { 0.0 } else { gradient };
        if x >= 6.0 { 0.0 } else { gradient }
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Silu;

impl Function for Silu {
    #[inline(always)]
    fn value(self, x: f32) -> f32 {
        silu(x)
    }

    #[inline(always)]
    fn gradient(self, x: f32, gradient: f32) -> f32 {
        let sigmoid = sigmoid(x);
        gradient * sigmoid * (1.0 + x * (1.0 - sigmoid))
    }
}

#[derive(Clone, Copy)]
pub(crate) struct HardSwish;

impl Function for HardSwish {
    #[inline(always)]
    fn value(self, x: f32) -> f32 {
        x * Relu6.value(x + 3.0) * (1.0 / 6.0)
    }

    #[inline(always)]
    fn gradient(self, x: f32, gradient: f32) -> f32 {
        let inside = gradient * (x * (1.0 / 3.0) + 0.5);
        let upper = if x >= 3.0 { gradient } else { inside };
        if x <= -3.0 { 0.0 } else { upper }
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Sigmoid;

impl Function for Sigmoid {
    #[inline(always)]
    fn value(self, x: f32) -> f32 {
        sigmoid(x)
    }

    #[inline(always)]
    fn gradient(self, x: f32, gradient: f32) -> f32 {
        let value = sigmoid(x);
        gradient * value * (1.0 - value)
    }
}

/// Evaluates an expression with the [`Function`] of an [`Activation`](crate::Activation).
macro_rules! with_function {
    ($activation:expr, |$function:ident| $body:expr) => {{
        use $crate::activation::functions;
        match $activation {
            $crate::Activation::Identity => {
                let $function = functions::Identity;
                $body
            }
            $crate::Activation::Relu => {
                let $function = functions::Relu;
                $body
            }
            $crate::Activation::Relu6 => {
                let $function = functions::Relu6;
                $body
            }
            $crate::Activation::Silu => {
                let $function = functions::Silu;
                $body
            }
            $crate::Activation::HardSwish => {
                let $function = functions::HardSwish;
                $body
            }
            $crate::Activation::Sigmoid => {
                let $function = functions::Sigmoid;
                $body
            }
        }
    }};
}

pub(crate) use with_function;
