"""The peers of the formats' rows, over the files in BENCH_DATA. Prints {row, name, value} lines."""

import json
import os
import resource
import time

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

folder = os.environ["BENCH_DATA"]
FEATURES, BATCH = 64, 256
SIZE = 4 * (FEATURES + 1)
COUNT = os.path.getsize(f"{folder}/a.bin") // SIZE
quick = os.environ.get("BENCH_QUICK") == "1"


def show(row, name, value):
    print(json.dumps({"row": row, "name": name, "value": value}), flush=True)


class Records(Dataset):
    def __init__(self):
        self.file = os.open(f"{folder}/a.bin", os.O_RDONLY)

    def __len__(self):
        return COUNT // (4 if quick else 1)

    def __getitem__(self, i):
        row = bytearray(os.pread(self.file, SIZE, i * SIZE))
        return torch.frombuffer(row, dtype=torch.float32, count=FEATURES), int.from_bytes(row[-4:], "little")


for row, shuffle in (("record file in order", False), ("record file shuffled", True)):
    records = Records()
    start, seen = time.perf_counter(), 0
    for x, y in DataLoader(records, batch_size=BATCH, shuffle=shuffle, num_workers=2):
        seen += len(y)
    show(row, "pytorch", seen / (time.perf_counter() - start))

N = 10_000_000
for name, make in (("numpy", lambda: np.random.default_rng(7).permutation(N)), ("pytorch", lambda: torch.randperm(N))):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    order = make()
    show("order of 10 M positions", name, N / (time.perf_counter() - start))
    show("order of 10 M positions, memory", name, (order.nbytes if name == "numpy" else order.element_size() * N) / 2**20)
    del order

from tfrecord.torch.dataset import TFRecordDataset

start, seen = time.perf_counter(), 0
for example in TFRecordDataset(f"{folder}/a.tfrecord", None, {"label": "int", "x": "float"}):
    seen += 1
show("TFRecord with Example", "tfrecord", seen / (time.perf_counter() - start))

import pandas

start = time.perf_counter()
frame = pandas.read_csv(f"{folder}/a.csv")
show("CSV", "pandas", os.path.getsize(f"{folder}/a.csv") / 1e6 / (time.perf_counter() - start))

from tokenizers import Tokenizer, models, pre_tokenizers, trainers

text = open(f"{folder}/moby.txt", encoding="utf-8").read()
tokenizer = Tokenizer(models.BPE())
tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
trainer = trainers.BpeTrainer(vocab_size=8000, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
start = time.perf_counter()
tokenizer.train_from_iterator([text], trainer)
show("BPE train to 8000", "tokenizers", time.perf_counter() - start)
best = 1e9
for _ in range(1 if quick else 3):
    start = time.perf_counter()
    tokenizer.encode(text)
    best = min(best, time.perf_counter() - start)
show("BPE encode", "tokenizers", len(text.encode()) / 1e6 / best)
