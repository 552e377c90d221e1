//! Operations that are faster than the backend's own, where the backend is slow.
//!
//! Each function here has an equal in Burn and gives the same numbers, up to rounding. It looks at
//! the device of its input: where there is a kernel of ours it takes that, with a gradient of its
//! own, and everywhere else it calls Burn. Callers need to know nothing of this.
//!
//! Ours are for Flex, Burn's CPU backend, behind the feature `flex`. They sum in an order that does
//! not depend on the number of threads: the same input gives the same bits.
//!
//! Not here: operations that Burn does not have. Those belong beside the model that needs them.

mod adam;
mod batch_norm;
mod conv2d;
#[cfg(feature = "flex")]
mod flex;
mod max_pool;

pub use adam::{AdamStep, Moved, adam};
pub use batch_norm::{Normalized, batch_norm_train};
pub use conv2d::{Walk, conv2d};
pub use max_pool::max_pool2x2;
