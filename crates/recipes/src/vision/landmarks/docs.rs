//! The keys that only a recipe of landmarks has.

use tinderbox_train::overlay::KeyDoc;

/// The keys of landmarks; those that it shares with other tasks are there.
pub(in crate::vision) const DOCS: &[KeyDoc] = &[
    KeyDoc::new(
        "data.extra",
        "Folders of additional faces, used for training only, in every fold",
        "list of folders",
    ),
    KeyDoc::new(
        "data.points",
        "Number of points per face; 0 for that of the data",
        "0 or more",
    ),
    KeyDoc::new(
        "data.margin",
        "Margin of the crop on each side, as a fraction of the longer side of the box around the points",
        "0 to 2",
    ),
    KeyDoc::new(
        "data.bad_points",
        "Handling of faces with invalid points: refuse the data, clip points to the image, or drop the faces; they \
         are counted",
        "refuse, clip or drop",
    ),
    KeyDoc::new("model.modes", "Modes of the shape model", "1 to 65,536"),
    KeyDoc::new(
        "model.stages",
        "Number of backbone stages to compute",
        "1 to 7",
    ),
    KeyDoc::new(
        "model.levels",
        "Number of these stages, from the last, whose features are sampled at the points",
        "1 to `model.stages`",
    ),
    KeyDoc::new(
        "model.steps",
        "Cascade steps after the first one",
        "0 to 16",
    ),
    KeyDoc::new(
        "cascade",
        "Fitting of landmark-cascade (with --weights), which does not use optimizer, schedule, loss and train.epochs",
        "",
    ),
    KeyDoc::new(
        "cascade.versions",
        "Crops of each training face, the original and augmented ones; fewer if there would be more than 6,000 in all",
        "1 to 1,000",
    ),
    KeyDoc::new(
        "cascade.coarse_l2",
        "L2 penalty of the first step, relative to the mean squared norm of the features",
        "1e-6 to 1e9",
    ),
    KeyDoc::new(
        "cascade.l2",
        "L2 penalty of the other steps, in the same unit",
        "1e-6 to 1e9",
    ),
    KeyDoc::new(
        "loss.width",
        "Width of the nonlinear part of the wing loss, in half sides of a crop",
        "0.0001 to 10",
    ),
    KeyDoc::new(
        "loss.curvature",
        "Epsilon of the wing loss, which limits its curvature near 0, in the same unit",
        "0.0001 to 10",
    ),
];
