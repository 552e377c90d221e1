//! The networks for rows of a table, as in `tinderbox_models::tabular`.

use tinderbox_models::Template;
use tinderbox_predict::tabular::{Architecture, Spec};

use super::encoder::Rows;
use super::features::features;
use super::{ft_transformer, mlp, resnet, tabm};
use crate::error::ExportError;
use crate::graph::Value;
use crate::net::Net;

/// The scores of each member, `[batch, members, d_output]`; of a network without members, `[batch, d_output]`.
pub(super) enum Scores {
    One(Value),
    Members(Value),
}

pub(super) fn forward(net: &mut Net<'_>, spec: &Spec, rows: &Rows) -> Result<Scores, ExportError> {
    match &spec.model {
        Architecture::Mlp(Template(config)) => {
            let x = features(net, spec, rows)?;
            mlp::forward(net, config, &x).map(Scores::One)
        }
        Architecture::Resnet(Template(config)) => {
            let x = features(net, spec, rows)?;
            resnet::forward(net, config, &x).map(Scores::One)
        }
        Architecture::FtTransformer(Template(config)) => {
            ft_transformer::forward(net, config, spec, rows).map(Scores::One)
        }
        Architecture::Tabm(Template(config)) => {
            let x = features(net, spec, rows)?;
            tabm::forward(net, config, &x).map(Scores::Members)
        }
    }
}
