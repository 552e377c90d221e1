//! Documentation of the keys of a recipe for tables.

use tinderbox_train::overlay::KeyDoc;

/// The keys that only recipes for tables have.
pub(super) const DOCS: &[KeyDoc] = &[
    KeyDoc::new(
        "anomaly_detection",
        "Also rank the test rows by the reconstruction error of an autoencoder that sees no labels",
        "true or false",
    ),
    KeyDoc::new("data", "Columns and files", ""),
    KeyDoc::new("data.target", "Column to predict", "name of a column"),
    KeyDoc::new(
        "data.task",
        "Classification or regression; auto decides by the target's values",
        "",
    ),
    KeyDoc::new(
        "data.positive",
        "Positive class of a binary target; empty for the rarer one",
        "name of a class or empty",
    ),
    KeyDoc::new(
        "data.amount",
        "Column of the money at stake in each row, for the cost of approvals; empty for none",
        "name of a column or empty",
    ),
    KeyDoc::new("data.drop", "Columns to ignore", "list of columns"),
    KeyDoc::new(
        "data.numeric",
        "Columns to read as numbers",
        "list of columns",
    ),
    KeyDoc::new(
        "data.categorical",
        "Columns to read as categories",
        "list of columns",
    ),
    KeyDoc::new(
        "data.boolean",
        "Columns to read as yes or no",
        "list of columns",
    ),
    KeyDoc::new("data.dates", "Columns to read as dates", "list of columns"),
    KeyDoc::new(
        "data.names",
        "Column names of a file without a header",
        "list of names",
    ),
    KeyDoc::new(
        "data.sample",
        "Number of rows to sample from a large file; 0 for all",
        "0 or more",
    ),
    KeyDoc::new(
        "data.format",
        "File format; empty and auto values are inferred from the file",
        "",
    ),
    KeyDoc::new(
        "data.format.delimiter",
        "Character between cells",
        "one character, tab, or empty",
    ),
    KeyDoc::new(
        "data.format.quoting",
        "Double quotes enclose cells that hold delimiters or line breaks",
        "true or false",
    ),
    KeyDoc::new(
        "data.format.header",
        "The first line has the column names",
        "",
    ),
    KeyDoc::new(
        "data.format.encoding",
        "Encoding of the file",
        "e.g. utf-8, windows-1252, utf-16le, or empty",
    ),
    KeyDoc::new(
        "data.format.decimal",
        "Decimal mark, where numbers such as 1,234 are ambiguous",
        "a point, a comma, or empty",
    ),
    KeyDoc::new(
        "data.format.comment",
        "Lines that start with this character are skipped",
        "one character or empty",
    ),
    KeyDoc::new(
        "data.format.missing",
        "Words that mark a missing cell, in any case; an empty cell is always missing",
        "list of words",
    ),
    KeyDoc::new(
        "data.format.date_order",
        "Order of day, month and year",
        "e.g. day-month-year, or empty",
    ),
    KeyDoc::new(
        "data.format.memory",
        "Largest memory for reading the file, in GB; 0 for half of the available memory",
        "0 or more",
    ),
    KeyDoc::new("data.kind", "Kind of data", ""),
    KeyDoc::new(
        "data.path",
        "File or folder of the data",
        "path; empty: named with --data",
    ),
    KeyDoc::new(
        "data.test",
        "File of the test rows; empty to hold some out",
        "path or empty",
    ),
    KeyDoc::new(
        "data.background",
        "Number of cells without a known deposit that serve as negatives",
        "0 or more",
    ),
    KeyDoc::new("split", "Splits", ""),
    KeyDoc::new(
        "split.by",
        "Splitting strategy; group, time and place keep related rows together",
        "",
    ),
    KeyDoc::new(
        "split.column",
        "Column of groups or times; for place the two coordinate columns, e.g. lon,lat",
        "name of a column or empty",
    ),
    KeyDoc::new(
        "split.block",
        "For place: side of a square whose rows stay together, in units of the coordinates",
        "above 0",
    ),
    KeyDoc::new(
        "split.test_fraction",
        "Fraction held out for the test if the data has no test rows",
        "above 0 and below 1",
    ),
    KeyDoc::new(
        "split.valid_fraction",
        "Fraction of the rest held out for validation",
        "above 0 and below 1",
    ),
    KeyDoc::new("split.seed", "Random seed of the splits", "0 or more"),
    KeyDoc::new(
        "split.folds",
        "Cross-validation folds before the final training; 0 for none",
        "0, or 2 to 1,000",
    ),
    KeyDoc::new(
        "features",
        "Preprocessing, fitted on the training rows alone",
        "",
    ),
    KeyDoc::new("features.numeric_scaling", "Scaling of numbers", ""),
    KeyDoc::new(
        "features.min_frequency",
        "Categories with fewer rows than this are merged",
        "0 or more",
    ),
    KeyDoc::new(
        "features.numeric_code_min_count",
        "Numbers that at least this many rows share also become categories; 0 for none",
        "0 or more",
    ),
    KeyDoc::new(
        "features.missing_indicators",
        "Add indicator columns for missing cells",
        "true or false",
    ),
    KeyDoc::new(
        "features.target_scaling",
        "Scaling of a numeric target; auto takes the logarithm of skewed positive targets",
        "",
    ),
    KeyDoc::new(
        "features.d_numeric",
        "Width of the embeddings of numbers",
        "1 to 65,536",
    ),
    KeyDoc::new("features.numeric_embedding", "Embedding of numbers", ""),
    KeyDoc::new("features.numeric_embedding.kind", "Kind of embedding", ""),
    KeyDoc::new(
        "features.numeric_embedding.n_bins",
        "Largest number of bins per column",
        "1 or more",
    ),
    KeyDoc::new(
        "features.numeric_embedding.rectify",
        "Apply ReLU to the encoding's layer",
        "true or false",
    ),
    KeyDoc::new(
        "features.numeric_embedding.n_frequencies",
        "Number of frequencies per column",
        "1 to 65,536",
    ),
    KeyDoc::new(
        "features.numeric_embedding.sigma",
        "Initial standard deviation of the frequencies; worth tuning between 0.01 and 10",
        "above 0",
    ),
    KeyDoc::new(
        "features.numeric_embedding.lite",
        "Share the linear layer between columns",
        "true or false",
    ),
    KeyDoc::new(
        "features.categorical_embedding",
        "Embedding of categories",
        "",
    ),
    KeyDoc::new(
        "features.categorical_embedding.kind",
        "Kind of embedding",
        "",
    ),
    KeyDoc::new(
        "features.categorical_embedding.d_embedding",
        "Width of the embeddings",
        "1 to 65,536",
    ),
    KeyDoc::new("model", "Network", ""),
    KeyDoc::new("model.kind", "Architecture", ""),
    KeyDoc::new(
        "model.hidden",
        "Width of each hidden layer",
        "list of 1 to 65,536",
    ),
    KeyDoc::new("model.activation", "Activation of the hidden layers", ""),
    KeyDoc::new(
        "model.normalization",
        "Normalization before the activation",
        "",
    ),
    KeyDoc::new("model.n_blocks", "Number of blocks", "1 to 64"),
    KeyDoc::new("model.n_layers", "Number of blocks", "1 to 64"),
    KeyDoc::new("model.d_block", "Width of a block", "1 to 65,536"),
    KeyDoc::new("model.d_hidden", "Width inside a block", "1 to 65,536"),
    KeyDoc::new("model.d_model", "Width of a column's token", "1 to 65,536"),
    KeyDoc::new(
        "model.n_heads",
        "Attention heads; d_model is a multiple of it",
        "1 to 65,536",
    ),
    KeyDoc::new(
        "model.attention_dropout",
        "Dropout probability of attention weights",
        "at least 0 and below 1",
    ),
    KeyDoc::new(
        "model.residual_dropout",
        "Dropout probability of the residual branch",
        "at least 0 and below 1",
    ),
    KeyDoc::new(
        "model.variant",
        "Variant of the weights that the members do not share",
        "",
    ),
    KeyDoc::new(
        "model.n_members",
        "Number of networks that share most of their weights",
        "1 or more",
    ),
    KeyDoc::new(
        "model.dropout",
        "Dropout probability",
        "at least 0 and below 1",
    ),
    KeyDoc::new(
        "loss.focal_gamma",
        "Gamma of the focal loss; 0 turns it off",
        "0 to 10",
    ),
    KeyDoc::new(
        "loss.huber_delta",
        "Delta of the Huber loss for numbers, in standard deviations of the target; 0 is squared error",
        "0 to 1,000,000",
    ),
];
