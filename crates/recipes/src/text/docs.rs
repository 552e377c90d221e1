//! Documentation of the keys of a text recipe.

use tinderbox_train::overlay::KeyDoc;

/// The keys that only text recipes have.
pub(super) const DOCS: &[KeyDoc] = &[
    KeyDoc::new("data", "Texts", ""),
    KeyDoc::new("data.kind", "Format of the data and the task", ""),
    KeyDoc::new(
        "data.path",
        "File or folder of the texts",
        "path; empty: named with --data",
    ),
    KeyDoc::new(
        "data.test",
        "File or folder of the test texts; empty to hold some out",
        "path or empty",
    ),
    KeyDoc::new(
        "data(texts).text",
        "Columns or keys of the text, joined by a space",
        "list of names",
    ),
    KeyDoc::new(
        "data(multi-label).text",
        "Column or key of the text",
        "name",
    ),
    KeyDoc::new("data.label", "Column or key of the label", "name"),
    KeyDoc::new(
        "data.first",
        "Column or key of the first text of a pair",
        "name",
    ),
    KeyDoc::new(
        "data.second",
        "Column or key of the second text of a pair",
        "name",
    ),
    KeyDoc::new(
        "data.seed",
        "Random seed of the generated texts",
        "0 or more",
    ),
    KeyDoc::new(
        "data.skip_empty",
        "Skip rows with an empty text or label and count them, instead of stopping",
        "true or false",
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
        "",
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
    KeyDoc::new("tokenizer", "Tokenizer", ""),
    KeyDoc::new("tokenizer.kind", "Kind of tokenizer", ""),
    KeyDoc::new(
        "tokenizer.vocab_size",
        "Largest size of the vocabulary",
        "8 to 1,000,000",
    ),
    KeyDoc::new(
        "tokenizer.min_frequency",
        "Minimum number of occurrences of a token in the vocabulary",
        "1 to 1,000,000",
    ),
    KeyDoc::new(
        "tokenizer.lowercase",
        "Convert texts to lowercase",
        "true or false",
    ),
    KeyDoc::new(
        "tokenizer.max_len",
        "Largest number of tokens per text; longer texts are truncated",
        "4 to 1,048,576",
    ),
    KeyDoc::new(
        "tokenizer.binary_counts",
        "Count each token once per text; only for model.kind = bag with model.max_ngram = 1",
        "true or false",
    ),
    KeyDoc::new("augment", "Augmentation of training texts", ""),
    KeyDoc::new(
        "augment.token_dropout",
        "Probability of dropping a token",
        "at least 0 and below 1",
    ),
    KeyDoc::new(
        "augment.unk_dropout",
        "Probability of replacing a token by the unknown token",
        "at least 0 and below 1",
    ),
    KeyDoc::new("model", "Network", ""),
    KeyDoc::new("model.kind", "Architecture", ""),
    KeyDoc::new("model.d_model", "Width of the hidden states", "1 to 65,536"),
    KeyDoc::new(
        "model.n_heads",
        "Attention heads; d_model is a multiple of it",
        "1 to 65,536",
    ),
    KeyDoc::new("model.n_layers", "Number of layers", "1 or more"),
    KeyDoc::new("model.positions", "Position encoding", ""),
    KeyDoc::new(
        "model(encoder).pooling",
        "Pooling of the token states into one vector",
        "",
    ),
    KeyDoc::new(
        "model(recurrent).pooling",
        "Pooling of the hidden states into one vector",
        "",
    ),
    KeyDoc::new(
        "model.d_embedding",
        "Width of the token embeddings",
        "1 to 65,536",
    ),
    KeyDoc::new(
        "model.max_ngram",
        "Length of the longest n-grams with an embedding, in tokens; 1 for single tokens only",
        "1 or more",
    ),
    KeyDoc::new(
        "model.n_buckets",
        "Number of hash buckets for the embeddings of n-grams",
        "1 or more",
    ),
    KeyDoc::new(
        "model.kernel_sizes",
        "Widths of the filters, in tokens",
        "list of 1 or more",
    ),
    KeyDoc::new("model.n_filters", "Filters of each width", "1 to 65,536"),
    KeyDoc::new("model.cell", "Recurrent cell", ""),
    KeyDoc::new(
        "model.d_hidden",
        "Width of the feed-forward layers",
        "1 to 65,536",
    ),
    KeyDoc::new(
        "model(recurrent).d_hidden",
        "Width of the recurrent state",
        "1 to 65,536",
    ),
    KeyDoc::new(
        "model.bidirectional",
        "Read texts in both directions",
        "true or false",
    ),
    KeyDoc::new(
        "model.d_byte",
        "Width of the byte embeddings",
        "1 to 65,536",
    ),
    KeyDoc::new(
        "model.kernel_size",
        "Bytes that the local layer sees at a time",
        "1 or more",
    ),
    KeyDoc::new(
        "model.patch_size",
        "Bytes joined into one patch",
        "1 or more",
    ),
    KeyDoc::new(
        "model.weights",
        "Folder with config.json, tokenizer.json and model.safetensors",
        "path",
    ),
    KeyDoc::new("model.fine_tune", "Fine-tuning", ""),
    KeyDoc::new(
        "model.fine_tune.layer_decay",
        "Factor of the learning rate from each layer to the one below",
        "above 0 and at most 1",
    ),
    KeyDoc::new(
        "model.fine_tune.frozen_layers",
        "Number of lowest layers that are not trained",
        "0 or more",
    ),
    KeyDoc::new(
        "model.fine_tune.freeze_embeddings",
        "Do not train the token embeddings",
        "true or false",
    ),
    KeyDoc::new(
        "model.fine_tune.lora_rank",
        "Rank of LoRA adapters; 0 trains the whole network",
        "0 or more",
    ),
    KeyDoc::new(
        "model.fine_tune.lora_alpha",
        "Scale of LoRA adapters",
        "above 0",
    ),
    KeyDoc::new(
        "model.tie_embeddings",
        "Share weights between embedding and output layer",
        "true or false",
    ),
    KeyDoc::new(
        "model.dropout",
        "Dropout probability",
        "at least 0 and below 1",
    ),
];
