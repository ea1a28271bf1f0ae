"""A member of data-parallel training by PyTorch DDP with gloo on the work of BENCH_TASK: the peer of ddp.mjs.
RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT as torchrun sets them. Prints { samplesPerSecond } of all members together."""
import json
import math
import os
import time

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

torch.set_num_threads(1)
torch.set_num_interop_threads(1)
TASK = json.loads(os.environ["BENCH_TASK"])
BUDGET = float(os.environ["BENCH_BUDGET"]) / 1000


class Block(nn.Module):
    def __init__(self, size, heads):
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(size)
        self.joined = nn.Linear(size, 3 * size)
        self.output = nn.Linear(size, size)
        self.network_norm = nn.LayerNorm(size)
        self.wide = nn.Linear(size, 4 * size)
        self.narrow = nn.Linear(4 * size, size)

    def forward(self, x):
        n, t, size = x.shape
        q, k, v = self.joined(self.attention_norm(x)).view(n, t, 3, self.heads, size // self.heads).permute(2, 0, 3, 1, 4)
        seen = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        y = x + self.output(seen.transpose(1, 2).reshape(n, t, size))
        inner = nn.functional.gelu(self.wide(self.network_norm(y)), approximate="tanh")
        return y + self.narrow(inner)


class GPT(nn.Module):
    """As CausalLM: learned positions, normalization first, a head that shares the embedding's weights."""

    def __init__(self, vocabulary, context, size, depth, heads):
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, size)
        self.positions = nn.Embedding(context, size)
        self.blocks = nn.ModuleList(Block(size, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(size)
        for weight in (self.tokens.weight, self.positions.weight):
            nn.init.normal_(weight, std=0.02)

    def forward(self, tokens):
        x = self.tokens(tokens) + self.positions(torch.arange(tokens.shape[1]))
        for block in self.blocks:
            x = block(x)
        return (self.norm(x) @ self.tokens.weight.T).flatten(0, 1)


def make():
    batch = TASK["batch"]
    if TASK["kind"] == "mlp":
        layers = TASK["layers"]
        parts = []
        for inputs, outputs in zip(layers, layers[1:]):
            parts += [nn.Linear(inputs, outputs), nn.ReLU()]
        return nn.Sequential(*parts[:-1]), torch.randn(batch, layers[0]), torch.randint(0, 10, (batch,))
    if TASK["kind"] == "cnn":
        c1, c2 = TASK["channels"]
        model = nn.Sequential(
            nn.Conv2d(1, c1, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(c1, c2, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(c2 * 49, 10),
        )  # fmt: skip
        return model, torch.randn(batch, 1, 28, 28), torch.randint(0, 10, (batch,))
    sizes = {name: TASK[name] for name in ("vocabulary", "context", "size", "depth", "heads")}
    tokens = torch.randint(0, TASK["vocabulary"], (batch, TASK["context"]))
    return GPT(**sizes), tokens, torch.randint(0, TASK["vocabulary"], (batch * TASK["context"],))


def main():
    dist.init_process_group("gloo")
    rank, size = dist.get_rank(), dist.get_world_size()
    torch.manual_seed(1 + rank)
    model, x, y = make()
    if size > 1:
        model = DistributedDataParallel(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    first = step()
    for _ in range(9):
        step()
    begun = time.perf_counter()
    for _ in range(5):
        step()
    steps = [max(10, math.ceil(BUDGET / ((time.perf_counter() - begun) / 5)))]
    dist.broadcast_object_list(steps, src=0)
    dist.barrier()
    start = time.perf_counter()
    for _ in range(steps[0]):
        last = step()
    dist.barrier()
    seconds = time.perf_counter() - start
    assert last < first, (first, last)
    if rank == 0:
        print(json.dumps({"samplesPerSecond": steps[0] * TASK["batch"] * size / seconds}), flush=True)
    dist.destroy_process_group()


main()
