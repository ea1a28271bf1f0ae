"""What Hugging Face's tokenizers learn from Moby-Dick and make of many texts. Once: pip install tokenizers==0.23.3; python bpe.py < moby-dick.txt"""

import hashlib
import json
import os
import random
import sys

import tokenizers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

here = os.path.dirname(os.path.abspath(__file__))
text = sys.stdin.buffer.read().decode()
half = len(text) // 2
documents = [text[:half], text[half:]]


def train(texts, size, least=0, special=()):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=least,
        special_tokens=list(special),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


moby = train(documents, 2000, special=["<|endoftext|>", "<|end|>"])
moby.save(f"{here}/moby-bpe.json", pretty=False)
large = json.loads(train(documents, 8000).to_str())["model"]["merges"]

random.seed(7)
RANGES = [(32, 127), (9, 14), (0x80, 0x250), (0x300, 0x370), (0x400, 0x500), (0x590, 0x700), (0x900, 0x980), (0x1100, 0x1200),
          (0x2000, 0x2070), (0x20A0, 0x20C0), (0x2150, 0x2190), (0x3000, 0x3100), (0x4E00, 0x4F00), (0xAC00, 0xAD00),
          (0xFE00, 0xFE10), (0xFEFF, 0xFF00), (0xFFF9, 0xFFFE), (0x1D400, 0x1D500), (0x1F300, 0x1F700), (0xE0020, 0xE0080)]
WORDS = ["the", " whale", "'s", "'ll", "'S", " 1851", "<|endoftext|>", "<|end|>", "<|end", "\n\n", "   ", "\t", "é", "e\u0301", "👩‍👩‍👧", "ﬃ", "½", "Ⅷ", "\u00a0", "\u0085", "\u200b", "\ufeff", "\r\n", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"]


def odd():
    parts = []
    for _ in range(random.randint(0, 12)):
        if random.random() < 0.5:
            parts.append(random.choice(WORDS))
        else:
            low, high = random.choice(RANGES)
            parts.append(chr(random.randrange(low, high)))
    return "".join(parts)


def excerpt():
    at = random.randrange(len(text) - 200)
    return text[at : at + random.randint(1, 200)]


texts = [odd() for _ in range(400)] + [excerpt() for _ in range(40)] + ["", " ", "  a", "a  ", "a  b", " \n b", "ocean" * 60]
cases = [{"text": t, "ids": moby.encode(t).ids, "kept": moby.decode(moby.encode(t).ids, skip_special_tokens=False)} for t in texts]
parts = []
for _ in range(60):
    ids = [random.randrange(2000) for _ in range(random.randint(1, 12))]
    parts.append({"ids": ids, "text": moby.decode(ids)})
small = []
for _ in range(60):
    docs = ["".join(random.choices(["a", "b", "ab", " ", "aa", "é", "1"], k=random.randint(0, 60))) for _ in range(3)]
    size, least = random.randint(257, 300), random.choice([0, 0, 2, 5])
    model = json.loads(train(docs, size, least, ["<s>"]).to_str())["model"]
    small.append({"documents": docs, "size": size, "least": least, "merges": model["merges"]})
digest = hashlib.sha256("\n".join(" ".join(m) for m in large).encode()).hexdigest()
with open(f"{here}/bpe.json", "w") as out:
    json.dump({"tokenizers": tokenizers.__version__, "cases": cases, "parts": parts, "small": small, "large": {"count": len(large), "sha256": digest}}, out, ensure_ascii=True, separators=(",", ":"))
    out.write("\n")
