"""What Hugging Face's tokenizers make of many texts with BERT's tokenizer. Once: pip install tokenizers==0.23.3; python wordpiece.py < moby-dick.txt"""

import json
import os
import random
import sys

import tokenizers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from tokenizers.implementations import BertWordPieceTokenizer
from tokenizers.processors import BertProcessing

here = os.path.dirname(os.path.abspath(__file__))
text = sys.stdin.buffer.read().decode()
trained = BertWordPieceTokenizer()
extra = "你 好 世 界 ß İ ı é ü ñ Ω σ ς й ё あ ア 한 글 ! ? , . ' ( ) ½ ﬃ " * 400
trained.train_from_iterator([text, extra], vocab_size=1500, min_frequency=1, show_progress=False)
vocab = trained.get_vocab()
words = sorted(vocab, key=vocab.get)


def make(lowercase, strip, chinese, clean):
    tokenizer = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(clean_text=clean, handle_chinese_chars=chinese, strip_accents=strip, lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = BertProcessing(("[SEP]", vocab["[SEP]"]), ("[CLS]", vocab["[CLS]"]))
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    tokenizer.decoder = tokenizers.decoders.WordPiece()
    return tokenizer


OPTIONS = [(True, None, True, True), (False, None, True, True), (True, False, False, True), (False, True, True, False), (True, None, False, False)]
made = [make(*options) for options in OPTIONS]

random.seed(11)
RANGES = [(32, 127), (0, 33), (0x80, 0x250), (0x300, 0x370), (0x370, 0x500), (0x590, 0x700), (0x900, 0x980), (0x1100, 0x1200), (0x1E00, 0x1F00),
          (0x2000, 0x2070), (0x20A0, 0x20C0), (0x2150, 0x2190), (0x3000, 0x3100), (0x4E00, 0x4F00), (0xAC00, 0xAD00), (0xF900, 0xFA00),
          (0xFE00, 0xFE10), (0xFEFF, 0xFF00), (0xFFF9, 0xFFFE), (0x1D400, 0x1D500), (0x1F300, 0x1F700), (0x20000, 0x20100), (0xE0020, 0xE0080)]
PIECES = ["the", " Whale", "'s", "whaling", " Ishmael", " 1851", "[MASK]", "[SEP]", "[MASK", " don't", "\n\n", "   ", "\t", "é", "e\u0301", "a\u0323\u0301", "ΣΑΣ", "İstanbul",
          "👩‍👩‍👧", "ﬃ", "½", "\u00a0", "\u0085", "\u200b", "\ufeff", "\r\n", "你好", "世界", "한글", "\ufffd", "x" * 101, "sea" * 33, "..."]


def odd():
    parts = []
    for _ in range(random.randint(0, 12)):
        if random.random() < 0.6:
            parts.append(random.choice(PIECES))
        else:
            parts.append(chr(random.randrange(*random.choice(RANGES))))
    return "".join(parts)


def excerpt():
    at = random.randrange(len(text) - 200)
    return text[at : at + random.randint(1, 120)]


def units(s, at):
    return len(s[:at].encode("utf-16-le")) // 2


def encoded(e, first, second=None):
    def place(k):
        source = second if e.type_ids[k] == 1 else first
        return [units(source, x) for x in e.offsets[k]]

    return [e.ids, e.type_ids, e.attention_mask, e.special_tokens_mask, [p for k in range(len(e.ids)) for p in place(k)]]


cases = []
for t in [odd() for _ in range(260)] + [excerpt() for _ in range(20)] + ["", " ", "a", "[CLS]"]:
    k = random.randrange(len(made))
    cases.append({"text": t, "options": k, "wanted": encoded(made[k].encode(t), t)})
pairs = []
for _ in range(120):
    a, b = [random.choice([excerpt, odd])() for _ in range(2)]
    one = random.random() < 0.3
    length, strategy = random.randint(3, 60), random.choice(["longest_first", "longest_first", "only_first", "only_second"])
    tokenizer = make(*OPTIONS[0])
    tokenizer.enable_truncation(length, strategy=strategy)
    pad = random.choice([None, 40])
    if pad:
        tokenizer.enable_padding(length=pad, pad_id=vocab["[PAD]"])
    try:
        e = tokenizer.encode(a) if one else tokenizer.encode(a, b)
        wanted = encoded(e, a, b)
    except Exception:
        wanted = None
    pairs.append({"first": a, "second": None if one else b, "length": length, "strategy": strategy, "pad": pad, "wanted": wanted})
decoded = []
for _ in range(60):
    ids = [random.randrange(len(words)) for _ in range(random.randint(1, 12))]
    decoded.append([ids, made[0].decode(ids), made[0].decode(ids, skip_special_tokens=False)])
later = [int(x, 16) for x in open(f"{here}/../../../src/data/text/wordpiece/characters.ts").read().split("LATER =")[1].split(";")[0].replace('"', " ").replace("+", " ").replace("-", " ").split()]
points = sorted(set(later + [c + 1 for c in later] + [random.randrange(*random.choice(RANGES)) for _ in range(300)] + [0x1734, 0x1171E, 0x166D, 0x111C9]))
characters = []
pre = pre_tokenizers.BertPreTokenizer()
for c in points:
    characters.append([c, [[w for w, _ in pre.pre_tokenize_str(m.normalizer.normalize_str(f"a{chr(c)}b"))] for m in made]])
with open(f"{here}/wordpiece.json", "w") as out:
    options = [dict(zip(["lowercase", "stripAccents", "chinese", "clean"], o)) for o in OPTIONS]
    json.dump({"tokenizers": tokenizers.__version__, "vocabulary": words, "options": options, "cases": cases, "pairs": pairs, "decoded": decoded, "characters": characters}, out, ensure_ascii=True, separators=(",", ":"))
    out.write("\n")
