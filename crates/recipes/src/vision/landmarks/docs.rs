//! The keys that only a recipe of landmarks has.

use tinderbox_train::overlay::KeyDoc;

/// The keys of landmarks; those that it shares with other tasks are there.
pub(in crate::vision) const DOCS: &[KeyDoc] = &[
    KeyDoc::new(
        "data.extra",
        "Folders of more faces, which are only trained on, in every fold",
        "list of folders",
    ),
    KeyDoc::new(
        "data.points",
        "Number of points of a face; 0 for that of the data",
        "0 or more",
    ),
    KeyDoc::new(
        "data.margin",
        "Share of the longer side of the box around the points that the crop is larger by, on each side",
        "0 to 2",
    ),
    KeyDoc::new(
        "data.bad_points",
        "What is done with faces whose points cannot be used as they are: refuse the data, move points outside of \
         the image to its edge, or drop the faces; they are counted",
        "refuse, clip or drop",
    ),
    KeyDoc::new(
        "model.modes",
        "Modes of a shape, of landmark-cnn",
        "1 to 65,536",
    ),
    KeyDoc::new(
        "model.stages",
        "Stages of the backbone that are computed, of landmark-cascade",
        "1 to 7",
    ),
    KeyDoc::new(
        "model.levels",
        "Last of these stages whose features are read at the points",
        "1 to `model.stages`",
    ),
    KeyDoc::new("model.steps", "Steps after the first one", "0 to 16"),
    KeyDoc::new(
        "cascade",
        "How landmark-cascade is fitted (with --weights); optimizer, schedule, loss and train.epochs are not used then",
        "",
    ),
    KeyDoc::new(
        "cascade.versions",
        "Crops of each training face: the plain one, and changed ones; fewer where more than 6,000 crops would result",
        "1 to 1,000",
    ),
    KeyDoc::new(
        "cascade.coarse_l2",
        "Penalty of the first step, in mean squares of a row of features",
        "1e-6 to 1e9",
    ),
    KeyDoc::new(
        "cascade.l2",
        "Penalty of the other steps, in the same unit",
        "1e-6 to 1e9",
    ),
    KeyDoc::new(
        "loss.width",
        "Where the wing loss becomes linear, in halves of the side of a crop",
        "0.0001 to 10",
    ),
    KeyDoc::new(
        "loss.curvature",
        "How little the wing loss is curved near 0, in the same unit",
        "0.0001 to 10",
    ),
];
