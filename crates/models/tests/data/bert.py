"""Makes small BERT-like networks with random weights and the outputs that `transformers` gives them.

    pip install torch==2.9.0 transformers==5.24.0 tokenizers==0.23.3 safetensors
    python crates/models/tests/data/bert.py

Writes beside itself one folder per network, as the Hugging Face hub has them, and bert.json with
the outputs in float64. hub-bert has a tokenizer too. Weights are larger than usual, so that the
attention of a small network is far from even, and no bias is zero."""
import json
import pathlib

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertForTokenClassification,
    BertModel,
    DistilBertConfig,
    DistilBertForSequenceClassification,
)

HERE = pathlib.Path(__file__).parent
MAX_LEN = 32
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LETTERS = [chr(letter) for letter in range(ord("a"), ord("z") + 1)]
MARKS = list("0123456789.,!?'-:;()")
WORDS = """the a an and of to in is it was for on with good great bad awful love hate like not very film
    movie best worst more less ##s ##ed ##ing ##er ##ly ##ful ##less""".split()
VOCABULARY = SPECIAL + LETTERS + MARKS + [f"##{letter}" for letter in LETTERS] + WORDS
TEXTS = [
    ("The film was great, it is the best!", None),
    ("Awful.", None),
    ("Not very good: I hated it", "the worst movies"),
    ("Zürich is a friendlier 漢", None),
]


def tokenizer():
    ids = {token: index for index, token in enumerate(VOCABULARY)}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0",
        pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[(token, ids[token]) for token in ["[CLS]", "[SEP]"]],
    )
    tokenizer.add_special_tokens(SPECIAL)
    return tokenizer


def batch(tokenizer):
    """Token ids, types and where there is a token, each [batch, seq]."""
    pairs = [text if second is None else (text, second) for text, second in TEXTS]
    encodings = tokenizer.encode_batch(pairs)
    seq = max(len(encoding) for encoding in encodings)
    assert seq <= MAX_LEN

    def padded(numbers):
        return torch.tensor([row + [0] * (seq - len(row)) for row in numbers])

    return (
        padded([encoding.ids for encoding in encodings]),
        padded([encoding.type_ids for encoding in encodings]),
        padded([encoding.attention_mask for encoding in encodings]),
    )


def randomize(model, seed, dtype):
    """Weights that `dtype` holds exactly, in float64."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            scale = 0.25 if parameter.dim() > 1 else 0.1
            noise = scale * torch.randn(parameter.shape, generator=generator)
            is_gain = parameter.dim() == 1 and "norm" in name.lower() and name.endswith("weight")
            parameter.copy_((noise + is_gain).to(dtype))
    return model.double().eval()


def save(model, folder, dtype):
    path = HERE / folder
    path.mkdir(exist_ok=True)
    model.config.dtype = str(dtype).removeprefix("torch.")
    model.config.architectures = [type(model).__name__]
    (path / "config.json").write_text(model.config.to_json_string(use_diff=False))
    tensors = {name: tensor.to(dtype).contiguous() for name, tensor in model.state_dict().items()}
    for name in [name for name in tensors if name.endswith("position_ids")]:
        del tensors[name]
    save_file(tensors, path / "model.safetensors", metadata={"format": "pt"})


def value(tensor):
    data = [float(f"{number:.10g}") for number in tensor.detach().flatten().tolist()]
    return {"shape": list(tensor.shape), "data": data}


def bert_config(**changes):
    return BertConfig(
        vocab_size=len(VOCABULARY), hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=40, max_position_embeddings=MAX_LEN, **changes,
    )


def names(*labels):
    return {"id2label": dict(enumerate(labels)), "label2id": {label: i for i, label in enumerate(labels)}}


def mean_pooled(hidden, mask):
    """As sentence-transformers does it: the mean of the tokens, then length 1."""
    mask = mask.unsqueeze(2).to(hidden.dtype)
    mean = (hidden * mask).sum(1) / mask.sum(1)
    return torch.nn.functional.normalize(mean, dim=1)


def main():
    words = tokenizer()
    ids, types, mask = batch(words)
    inputs = {"input_ids": ids, "token_type_ids": types, "attention_mask": mask}
    untyped = {"input_ids": ids, "attention_mask": mask}

    classifier = randomize(
        BertForSequenceClassification(bert_config(**names("negative", "positive"))), 1, torch.float32)
    save(classifier, "hub-bert", torch.float32)
    words.save(str(HERE / "hub-bert" / "tokenizer.json"), pretty=False)

    # Half precision, as some are published, and no types.
    distilbert = randomize(DistilBertForSequenceClassification(DistilBertConfig(
        vocab_size=len(VOCABULARY), dim=32, n_layers=2, n_heads=4, hidden_dim=40,
        max_position_embeddings=MAX_LEN, **names("a", "b", "c"))), 2, torch.float16)
    save(distilbert, "distilbert", torch.float16)

    minilm = randomize(BertModel(bert_config()), 3, torch.bfloat16)
    save(minilm, "minilm", torch.bfloat16)

    tagger = randomize(BertForTokenClassification(
        bert_config(layer_norm_eps=1e-5, hidden_act="relu", **names("O", "B-PER", "I-PER"))), 4, torch.float16)
    save(tagger, "tagger", torch.float16)

    reference = {
        "texts": [list(filter(None, text)) for text in TEXTS],
        "ids": ids.tolist(),
        "types": types.tolist(),
        "mask": mask.tolist(),
        "outputs": {
            "hub-bert hidden": value(classifier.bert(**inputs).last_hidden_state),
            "hub-bert logits": value(classifier(**inputs).logits),
            "distilbert logits": value(distilbert(**untyped).logits),
            "minilm embeddings": value(mean_pooled(minilm(**untyped).last_hidden_state, mask)),
            "tagger logits": value(tagger(**inputs).logits),
        },
    }
    (HERE / "bert.json").write_text(json.dumps(reference, separators=(",", ":")) + "\n")
    print(f"{len(VOCABULARY)} tokens, {list(ids.shape)} ids")


main()
