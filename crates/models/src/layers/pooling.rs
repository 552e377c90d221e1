//! How the vectors of a text's tokens become one.

use burn::tensor::{Bool, Tensor};
use serde::{Deserialize, Serialize};

/// What a classifier reads of a text, written in kebab case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pooling {
    /// The mean of all tokens.
    Mean,
    /// The first token, which the tokenizer puts there for it (Devlin et al., 2019).
    Cls,
}

/// Reduces a text to one vector. A text without a token becomes zero.
///
/// - x: `[batch, seq, d_model]`
/// - padding: `[batch, seq]`, true where there is no token
/// - output: `[batch, d_model]`
pub(crate) fn pool(pooling: Pooling, x: Tensor<3>, padding: Tensor<2, Bool>) -> Tensor<2> {
    match pooling {
        Pooling::Cls => x.narrow(1, 0, 1).squeeze_dim(1),
        Pooling::Mean => mean(x, padding),
    }
}

/// The mean of the tokens that there are.
pub(crate) fn mean(x: Tensor<3>, padding: Tensor<2, Bool>) -> Tensor<2> {
    let kept = padding.bool_not().float();
    let count = kept.clone().sum_dim(1).clamp_min(1.0);
    let shares = (kept / count).unsqueeze_dim::<3>(1);
    // A product with the shares reads the tokens once and keeps no masked copy.
    shares.matmul(x).squeeze_dim(1)
}
