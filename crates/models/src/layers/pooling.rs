//! Pooling of token vectors to one vector per text.

use burn::tensor::{Bool, Tensor};
use serde::{Deserialize, Serialize};

/// Pooling of token vectors, serialized in kebab case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pooling {
    /// Mean of all tokens.
    Mean,
    /// First token, `[CLS]` (Devlin et al., 2019).
    Cls,
}

/// Pools each text to one vector; that of an empty text is zero.
///
/// - x: `[batch, seq, d_model]`
/// - padding: `[batch, seq]`, true at padding positions
/// - output: `[batch, d_model]`
pub(crate) fn pool(pooling: Pooling, x: Tensor<3>, padding: Tensor<2, Bool>) -> Tensor<2> {
    match pooling {
        Pooling::Cls => x.narrow(1, 0, 1).squeeze_dim(1),
        Pooling::Mean => mean(x, padding),
    }
}

/// Mean over the tokens that are not padding.
pub(crate) fn mean(x: Tensor<3>, padding: Tensor<2, Bool>) -> Tensor<2> {
    let kept = padding.bool_not().float();
    let count = kept.clone().sum_dim(1).clamp_min(1.0);
    let weights = (kept / count).unsqueeze_dim::<3>(1);
    // A matrix product with the weights reads the tokens once and needs no masked copy.
    weights.matmul(x).squeeze_dim(1)
}
