"""PyTorch or NumPy (BENCH_MODE) on the same work; "models" writes the ONNX files for onnxruntime-node."""
import json
import os
import statistics
import sys
import time

QUICK = os.environ.get("BENCH_QUICK") == "1"
BUDGET = 0.15 if QUICK else 0.7
TASKS = json.loads(os.environ["BENCH_TASKS"])


def seconds(run):
    until = time.perf_counter() + BUDGET / 3
    count = 0
    while count < 3 or time.perf_counter() < until:
        run()
        count += 1
    taken = []
    until = time.perf_counter() + BUDGET
    while len(taken) < 5 or (time.perf_counter() < until and len(taken) < 5000):
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def report(row, value):
    print(json.dumps({"row": row, "value": value}), flush=True)


def measure(work):
    for n in TASKS["SGEMM"]:
        report(f"sgemm {n}", 2 * n**3 / seconds(work["sgemm"](n)) / 1e9)
    report("elementwise chain 1M", seconds(work["chain"](TASKS["CHAIN"])) * 1000)
    report("softmax 512 × 1024", seconds(work["softmax"](*TASKS["SOFTMAX"])) * 1000)
    if "conv" in work:
        n, c, s = (TASKS["CONV"][key] for key in ("n", "channels", "size"))
        report("conv2d 3 × 3", 2 * n * c * c * 9 * s * s / seconds(work["conv"](n, c, s)) / 1e9)
    for batch in TASKS["MLP"]["batches"]:
        report(f"mlp step, batch {batch}", batch / seconds(work["mlp"](TASKS["MLP"]["layers"], batch)))


def pytorch():
    import torch
    from torch import nn

    torch.set_num_threads(int(os.environ["BENCH_THREADS"]))
    draw = torch.randn

    def mlp(layers, batch):
        parts = []
        for i in range(len(layers) - 1):
            parts += [nn.Linear(layers[i], layers[i + 1]), nn.ReLU()]
        model = nn.Sequential(*parts[:-1])
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
        x, y = draw(batch, layers[0]), torch.arange(batch) % 10

        def step():
            optimizer.zero_grad(set_to_none=True)
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            loss.item()

        return step

    def without_gradients(f, *args):
        def run():
            with torch.inference_mode():
                f(*args)

        return run

    measure(
        {
            "sgemm": lambda n: without_gradients(torch.matmul, draw(n, n), draw(n, n)),
            "chain": lambda n: without_gradients(lambda x: -((x * 2 + 1).relu() - 0.5).square(), draw(n)),
            "softmax": lambda n, m: without_gradients(lambda x: x.softmax(-1), draw(n, m)),
            "conv": lambda n, c, s: without_gradients(
                lambda x, w: nn.functional.conv2d(x, w, padding=1), draw(n, c, s, s), draw(c, c, 3, 3)
            ),
            "mlp": mlp,
        }
    )


def numpy_():
    import numpy as np

    random = np.random.default_rng(0)

    def draw(*shape):
        return random.standard_normal(shape, dtype=np.float32)

    def softmax(x):
        e = np.exp(x - x.max(-1, keepdims=True))
        return e / e.sum(-1, keepdims=True)

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

    def bound(f, *args):
        return lambda: f(*args)

    measure(
        {
            "sgemm": lambda n: bound(np.matmul, draw(n, n), draw(n, n)),
            "chain": lambda n: bound(lambda x: -np.square(np.maximum(x * 2 + 1, 0) - np.float32(0.5)), draw(n)),
            "softmax": lambda n, m: bound(softmax, draw(n, m)),
            "mlp": mlp,
        }
    )


def models():
    from onnx import TensorProto, helper, save

    def value(name, shape):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    def write(name, nodes, inputs, outputs, constants=()):
        graph = helper.make_graph(nodes, name, inputs, outputs, list(constants))
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        save(model, os.path.join(os.environ["BENCH_PEERS"], f"{name}.onnx"))

    for n in TASKS["SGEMM"]:
        write(
            f"sgemm-{n}",
            [helper.make_node("MatMul", ["a", "b"], ["y"])],
            [value("a", [n, n]), value("b", [n, n])],
            [value("y", [n, n])],
        )
    scalars = [helper.make_tensor(k, TensorProto.FLOAT, [], [v]) for k, v in (("two", 2.0), ("one", 1.0), ("half", 0.5))]
    write(
        "chain",
        [
            helper.make_node("Mul", ["x", "two"], ["a"]),
            helper.make_node("Add", ["a", "one"], ["b"]),
            helper.make_node("Relu", ["b"], ["c"]),
            helper.make_node("Sub", ["c", "half"], ["d"]),
            helper.make_node("Mul", ["d", "d"], ["e"]),
            helper.make_node("Neg", ["e"], ["y"]),
        ],
        [value("x", [TASKS["CHAIN"]])],
        [value("y", [TASKS["CHAIN"]])],
        scalars,
    )
    write("softmax", [helper.make_node("Softmax", ["x"], ["y"], axis=-1)], [value("x", TASKS["SOFTMAX"])], [value("y", TASKS["SOFTMAX"])])
    n, c, s = (TASKS["CONV"][key] for key in ("n", "channels", "size"))
    write(
        "conv",
        [helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])],
        [value("x", [n, c, s, s]), value("w", [c, c, 3, 3])],
        [value("y", [n, c, s, s])],
    )


{"pytorch": pytorch, "numpy": numpy_, "models": models}[os.environ["BENCH_MODE"]]()
sys.stdout.flush()
