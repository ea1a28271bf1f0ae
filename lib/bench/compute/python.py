"""PyTorch (eager or compiled) or NumPy (BENCH_MODE) on the same work; "models" writes the ONNX files for onnxruntime-node."""
import json
import os
import re
import statistics
import sys
import time

QUICK = os.environ.get("BENCH_QUICK") == "1"
BUDGET = 0.15 if QUICK else 0.6
TASKS = json.loads(os.environ["BENCH_TASKS"])
WANTED = re.compile(os.environ.get("BENCH_ROWS", ""))


def seconds(run):
    began = time.perf_counter()
    count = 0
    while count < 2 or time.perf_counter() - began < BUDGET / 3:
        run()
        count += 1
    taken = []
    until = time.perf_counter() + BUDGET
    while len(taken) < 3 or (time.perf_counter() < until and len(taken) < 5000):
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def measure(work):
    for task in TASKS:
        if task["task"] not in work or not WANTED.search(task["row"]):
            continue
        line = {"row": task["row"]}
        try:
            run = work[task["task"]](**task["args"])
            s = seconds(run)
            line["value"] = task["amount"] * s if task["unit"] == "ms" else task["amount"] / s
        except Exception as error:  # one task that fails does not end the others
            line["error"] = str(error).strip().split("\n")[-1][:300]
        print(json.dumps(line), flush=True)


def pytorch(compiled=False):
    import torch
    from torch import nn

    torch.set_num_threads(int(os.environ["BENCH_THREADS"]))
    torch.manual_seed(1)
    draw = torch.randn
    translated = torch.compile if compiled else lambda f: f

    def training(model, x):
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
        y = torch.arange(len(x)) % 10
        loss_of = translated(lambda x, y: nn.functional.cross_entropy(model(x), y))

        def step():
            optimizer.zero_grad(set_to_none=True)
            loss = loss_of(x, y)
            loss.backward()
            optimizer.step()
            loss.item()

        return step

    def mlp(layers, batch):
        parts = []
        for i in range(len(layers) - 1):
            parts += [nn.Linear(layers[i], layers[i + 1]), nn.ReLU()]
        return training(nn.Sequential(*parts[:-1]), draw(batch, layers[0]))

    def cnn(channels, batch):
        c1, c2 = channels
        model = nn.Sequential(
            nn.Conv2d(1, c1, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(c1, c2, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(c2 * 49, 10),
        )  # fmt: skip
        return training(model, draw(batch, 1, 28, 28))

    def transformer(batch, tokens, features, size, heads, depth):
        class Classifier(nn.Module):
            def __init__(self):
                super().__init__()
                self.embed = nn.Linear(features, size)
                layer = nn.TransformerEncoderLayer(size, heads, 4 * size, dropout=0.0, batch_first=True)
                self.encoder = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
                self.head = nn.Linear(size, 10)

            def forward(self, x):
                return self.head(self.encoder(self.embed(x)).mean(1))

        return training(Classifier(), draw(batch, tokens, features))

    def calls(f, *args):
        f = translated(f)

        def run():
            with torch.inference_mode():
                f(*args)

        return run

    f = nn.functional
    work = {
        "chain": lambda count: calls(lambda x: -((x * 2 + 1).relu() - 0.5).square(), draw(count)),
        "softmax": lambda shape: calls(lambda x: x.softmax(-1), draw(*shape)),
        "layernorm": lambda shape: calls(
            lambda x, w, b: f.layer_norm(x, (shape[1],), w, b), draw(*shape), draw(shape[1]), draw(shape[1])
        ),
        "attention": lambda batch, heads, tokens, size: calls(
            f.scaled_dot_product_attention, *(draw(batch, heads, tokens, size) for _ in range(3))
        ),
        "mlp": mlp,
        "cnn": cnn,
        "transformer": transformer,
    }
    if not compiled:  # single products and convolutions are the same library calls
        work["matmul"] = lambda a, b: calls(torch.matmul, draw(*a), draw(*b))
        work["conv"] = lambda n, channels, size, groups: calls(
            lambda x, w: f.conv2d(x, w, padding=1, groups=groups),
            draw(n, channels, size, size),
            draw(channels, channels // groups, 3, 3),
        )
    measure(work)


def numpy_():
    import numpy as np

    random = np.random.default_rng(0)

    def draw(*shape):
        return random.standard_normal(shape, dtype=np.float32)

    def softmax(x):
        e = np.exp(x - x.max(-1, keepdims=True))
        return e / e.sum(-1, keepdims=True)

    def layernorm(x, w, b):
        centred = x - x.mean(-1, keepdims=True)
        return centred / np.sqrt(np.square(centred).mean(-1, keepdims=True) + np.float32(1e-5)) * w + b

    def attend(q, k, v):
        return softmax(q @ k.swapaxes(-1, -2) * np.float32(q.shape[-1] ** -0.5)) @ v

    def mlp(layers, batch):
        params = []
        for i in range(len(layers) - 1):
            params += [draw(layers[i], layers[i + 1]) * np.float32((2 / layers[i]) ** 0.5), np.zeros(layers[i + 1], np.float32)]
        means = [np.zeros_like(p) for p in params]
        squares = [np.zeros_like(p) for p in params]
        x, y = draw(batch, layers[0]), np.arange(batch) % 10
        state = {"t": 0}

        def step():
            state["t"] += 1
            hidden = [x]
            for i in range(0, len(params), 2):
                h = hidden[-1] @ params[i] + params[i + 1]
                hidden.append(np.maximum(h, 0) if i < len(params) - 2 else h)
            p = softmax(hidden[-1])
            float(-np.log(p[np.arange(batch), y]).mean())
            g = p
            g[np.arange(batch), y] -= 1
            g /= batch
            grads = [None] * len(params)
            for i in range(len(params) - 2, -1, -2):
                grads[i], grads[i + 1] = hidden[i // 2].T @ g, g.sum(0)
                if i > 0:
                    g = (g @ params[i].T) * (hidden[i // 2] > 0)
            c1, c2 = 1 - 0.9 ** state["t"], 1 - 0.999 ** state["t"]
            for i, p in enumerate(params):
                means[i] = means[i] * np.float32(0.9) + grads[i] * np.float32(0.1)
                squares[i] = squares[i] * np.float32(0.999) + grads[i] ** 2 * np.float32(0.001)
                params[i] = p - np.float32(1e-3 / c1) * means[i] / (np.sqrt(squares[i] / np.float32(c2)) + np.float32(1e-8))

        return step

    def calls(f, *args):
        return lambda: f(*args)

    measure(
        {
            "matmul": lambda a, b: calls(np.matmul, draw(*a), draw(*b)),
            "chain": lambda count: calls(lambda x: -np.square(np.maximum(x * 2 + 1, 0) - np.float32(0.5)), draw(count)),
            "softmax": lambda shape: calls(softmax, draw(*shape)),
            "layernorm": lambda shape: calls(layernorm, draw(*shape), draw(shape[1]), draw(shape[1])),
            "attention": lambda batch, heads, tokens, size: calls(attend, *(draw(batch, heads, tokens, size) for _ in range(3))),
            "mlp": mlp,
        }
    )


def models():
    from onnx import TensorProto, helper, save

    node = helper.make_node

    def chain(count):
        scalars = [helper.make_tensor(k, TensorProto.FLOAT, [], [v]) for k, v in (("two", 2.0), ("one", 1.0), ("half", 0.5))]
        nodes = [
            node("Mul", ["x", "two"], ["a"]),
            node("Add", ["a", "one"], ["b"]),
            node("Relu", ["b"], ["c"]),
            node("Sub", ["c", "half"], ["d"]),
            node("Mul", ["d", "d"], ["e"]),
            node("Neg", ["e"], ["y"]),
        ]
        return nodes, {"x": [count]}, [count], scalars

    def attention(batch, heads, tokens, size):
        scale = helper.make_tensor("scale", TensorProto.FLOAT, [], [size**-0.5])
        nodes = [
            node("MatMul", ["q", "k"], ["a"]),
            node("Mul", ["a", "scale"], ["b"]),
            node("Softmax", ["b"], ["c"], axis=-1),
            node("MatMul", ["c", "v"], ["y"]),
        ]
        shape = [batch, heads, tokens, size]
        return nodes, {"q": shape, "k": [batch, heads, size, tokens], "v": shape}, shape, [scale]

    def conv(n, channels, size, groups):
        images = [n, channels, size, size]
        nodes = [node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1], group=groups)]
        return nodes, {"x": images, "w": [channels, channels // groups, 3, 3]}, images, []

    def layernorm(shape):
        nodes = [node("LayerNormalization", ["x", "w", "b"], ["y"], axis=-1)]
        return nodes, {"x": shape, "w": shape[1:], "b": shape[1:]}, shape, []

    made = {
        "matmul": lambda a, b: ([node("MatMul", ["a", "b"], ["y"])], {"a": a, "b": b}, [*a[:-1], b[-1]], []),
        "chain": chain,
        "softmax": lambda shape: ([node("Softmax", ["x"], ["y"], axis=-1)], {"x": shape}, shape, []),
        "layernorm": layernorm,
        "conv": conv,
        "attention": attention,
    }

    def value(name, shape):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    for i, task in enumerate(TASKS):
        if task["task"] not in made:
            continue
        nodes, inputs, output, constants = made[task["task"]](**task["args"])
        graph = helper.make_graph(nodes, f"row-{i}", [value(k, s) for k, s in inputs.items()], [value("y", output)], constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        save(model, os.path.join(os.environ["BENCH_PEERS"], f"row-{i}.onnx"))


{
    "pytorch": pytorch,
    "pytorch compiled": lambda: pytorch(compiled=True),
    "numpy": numpy_,
    "models": models,
}[os.environ["BENCH_MODE"]]()
sys.stdout.flush()
