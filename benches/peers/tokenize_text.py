"""Tokenizes lines with Python's `tokenizers`, and prints seconds and tokens.

    pip install tokenizers
    python benches/peers/tokenize_text.py TOKENIZER.json TEXT
"""

import sys
import time

from tokenizers import Tokenizer

tokenizer = Tokenizer.from_file(sys.argv[1])
with open(sys.argv[2], encoding="utf-8") as file:
    lines = file.read().split("\n")
started = time.perf_counter()
tokens = 0
# In portions, so that neither side holds all tokens of 100 MB at once.
for at in range(0, len(lines), 65_536):
    for encoding in tokenizer.encode_batch_fast(lines[at : at + 65_536]):
        tokens += len(encoding.ids)
print(time.perf_counter() - started, tokens)
