//! Data sets that the built-in recipes know by name, as tables.
//!
//! | function | what it is | ships here |
//! |---|---|---|
//! | [`cancer`] | 569 tumours by 30 measures of their cells | yes |
//! | [`adult`] | 48,842 people, who earns more than 50,000 dollars; its official split | no |
//! | [`german_credit`] | 1,000 loans, good and bad | no |
//! | [`Amlsim`] | accounts and payments between them, some of which launder money | no |
//! | [`Prospect`] | maps of elements and rocks, with known deposits | no |

#![expect(
    clippy::float_cmp,
    reason = "days and marks are whole numbers of a file"
)]

mod amlsim;
mod cancer;
mod prospect;
mod uci;

pub use amlsim::{Account, Alert, Amlsim, AmlsimError, Payment, Rule, ScreenLimits};
pub use cancer::cancer;
pub use prospect::{LabelledMaps, Prospect, ProspectError, Site};
pub use uci::{adult, german_credit};
