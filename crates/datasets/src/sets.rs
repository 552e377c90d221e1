//! Data sets that the built-in recipes know by name, as tables or as texts.
//!
//! | function | what it is | ships here |
//! |---|---|---|
//! | [`cancer`] | 569 tumors by 30 measures of their cells | yes |
//! | [`digits`] | 1,797 handwritten digits of 8 x 8 pixels | yes |
//! | [`adult`] | 48,842 people, who earns more than 50,000 dollars; its official split | no |
//! | [`german_credit`] | 1,000 loans, good and bad | no |
//! | [`Amlsim`] | accounts and payments between them, some of which launder money | no |
//! | [`Prospect`] | maps of elements and rocks, with known deposits | no |
//! | [`requests`] | lines to a help desk, of eight kinds; made here | yes |
//! | [`ag_news`] | news of four topics; the official test | no |
//! | [`sms_spam`] | 5,574 messages, spam or not | no |
//! | [`sst2`] | sentences about films, for or against; the official split | no |
//! | [`movie_reviews`] | 2,000 long reviews, for or against, in ten folds | no |
//! | [`cuad`] | clauses of 510 contracts, of 41 types | no |
//! | [`contract_nli`] | agreements, and what they say to 17 claims | no |

#![expect(
    clippy::float_cmp,
    reason = "days and marks are whole numbers of a file"
)]

mod ag_news;
mod amlsim;
mod cancer;
mod contract_nli;
mod cuad;
mod digits;
mod prospect;
mod requests;
mod reviews;
mod sentences;
mod uci;

pub use ag_news::ag_news;
pub use amlsim::{Account, Alert, Amlsim, AmlsimError, Payment, Rule, ScreenLimits};
pub use cancer::cancer;
pub use contract_nli::{Answer, Claim, Nda, contract_nli};
pub use cuad::cuad;
pub use digits::{DigitsError, digits};
pub use prospect::{LabeledMaps, Prospect, ProspectError, Site};
pub use requests::{Requests, requests};
pub use reviews::movie_reviews;
pub use sentences::{sms_spam, sst2};
pub use uci::{adult, german_credit};

#[cfg(test)]
mod tests {
    /// A folder with those files.
    pub(super) fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        dir
    }
}
