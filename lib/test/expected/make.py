"""Layers, losses, optimizers, schedules and sparse products as PyTorch computes them in float64: what the tests of nn,
optim and ops/sparse compare with.

LAMB and Lion, which PyTorch lacks, are optax's.

Made once with PyTorch 2.14 and optax 0.2 on the CPU:  python lib/test/expected/make.py   (writes nn.json and optim.json beside itself)
"""
import json
import os
from pathlib import Path

os.environ["JAX_ENABLE_X64"] = "1"

import jax
import jax.numpy as jnp
import optax
import torch
from torch import nn
from torch.nn import functional as F

torch.set_default_dtype(torch.float64)
torch.manual_seed(11)
HERE = Path(__file__).parent


def rounded(*shape):
    """Random values that a short decimal writes exactly: the files stay small."""
    return (torch.randn(shape) * 100).round() / 100


def write(t):
    t = t.detach()
    values = t.flatten().tolist()
    if t.is_floating_point():
        values = [float(f"{v:.14g}") for v in values]
    return {"shape": list(t.shape), "values": values}


def layer(name, f, x, **parameters):
    """y = f(x, **parameters), and the gradients of Σ y·c for a fixed c."""
    x = x.clone().requires_grad_()
    parameters = {k: v.clone().requires_grad_() for k, v in parameters.items()}
    y = f(x, **parameters)
    c = rounded(*y.shape)
    (y * c).sum().backward()
    return {
        "name": name,
        "x": write(x),
        "parameters": {k: write(v) for k, v in parameters.items()},
        "y": write(y),
        "c": write(c),
        "dx": write(x.grad),
        "gradients": {k: write(v.grad) for k, v in parameters.items()},
    }


def conv(name, shape, weight, **options):
    """Our bias is (O, 1, 1): it is added to images."""
    w, b = rounded(*weight), rounded(weight[0], 1, 1)
    f = lambda x, weight, bias: F.conv2d(x, weight, bias.flatten(), **options)
    return layer(name, f, rounded(*shape), weight=w, bias=b)


def batch_norm():
    """Two batches in training, then one in evaluation."""
    m = nn.BatchNorm2d(3)
    m.weight.data, m.bias.data = rounded(3), rounded(3)
    weight, bias = m.weight.data.clone(), m.bias.data.clone()
    steps = []
    for training in (True, True, False):
        m.train(training)
        m.zero_grad()
        x = (rounded(4, 3, 2, 2) * 2 + 1).requires_grad_()
        y = m(x)
        c = rounded(*y.shape)
        (y * c).sum().backward()
        steps.append({
            "training": training,
            "x": write(x), "y": write(y), "c": write(c), "dx": write(x.grad),
            "gradients": {"weight": write(m.weight.grad), "bias": write(m.bias.grad)},
            "runningMean": write(m.running_mean), "runningVariance": write(m.running_var),
        })
    return {"weight": write(weight), "bias": write(bias), "steps": steps}


def loss(name, f, prediction, target):
    prediction = prediction.clone().requires_grad_()
    value = f(prediction, target)
    value.backward()
    return {
        "name": name,
        "prediction": write(prediction),
        "target": {**write(target), "integer": not target.is_floating_point()},
        "value": value.item(),
        "gradient": write(prediction.grad),
    }


def sparse_product():
    """A coordinate may come twice: its values add up."""
    places = torch.tensor([[0, 2, 3, 0, 2, 1], [1, 0, 4, 1, 3, 2]])
    values, dense = rounded(6).requires_grad_(), rounded(5, 3).requires_grad_()
    matrix = torch.sparse_coo_tensor(places, values, (4, 5))
    y = torch.sparse.mm(matrix, dense)
    c = rounded(4, 3)
    (y * c).sum().backward()
    coalesced = matrix.detach().coalesce()
    return {
        "places": places.T.tolist(), "values": write(values), "dense": write(dense), "c": write(c), "y": write(y),
        "dValues": write(values.grad), "dDense": write(dense.grad),
        "coalescedPlaces": coalesced.indices().T.tolist(), "coalescedValues": write(coalesced.values()),
    }


def ragged_means():
    """Rows of a nested tensor: means and sums by row, and their gradients."""
    lengths = [3, 1, 4]
    values = rounded(8, 2).requires_grad_()
    rows = values.split(lengths)
    means = torch.stack([row.mean(0) for row in rows])
    c = rounded(3, 2)
    (means * c).sum().backward()
    padded = nn.utils.rnn.pad_sequence(list(values.detach().split(lengths)), batch_first=True, padding_value=-7.0)
    return {
        "lengths": lengths, "values": write(values), "means": write(means), "c": write(c), "dValues": write(values.grad),
        "padded": write(padded),
    }


saturated = torch.tensor([[-800.0, 0.0, 30.0], [3.0, 800.0, -2.0]])
NN = {
    "made by": f"PyTorch {torch.__version__}",
    "layers": [
        layer("Dense", lambda x, weight, bias: x @ weight + bias, rounded(4, 3), weight=rounded(3, 5), bias=rounded(5)),
        layer("Dense over more axes", lambda x, weight, bias: F.linear(x, weight.T, bias), rounded(2, 3, 4),
              weight=rounded(4, 2), bias=rounded(2)),
        layer("Dense without bias", lambda x, weight: x @ weight, rounded(2, 3), weight=rounded(3, 2)),
        conv("Conv2d", (2, 2, 5, 4), (3, 2, 3, 2)),
        conv("Conv2d stride and padding", (2, 2, 5, 6), (3, 2, 3, 3), stride=(2, 1), padding=(1, 2)),
        conv("Conv2d dilation", (1, 2, 6, 7), (2, 2, 2, 3), dilation=(3, 2)),
        conv("Conv2d groups", (2, 4, 4, 4), (6, 2, 3, 3), groups=2, padding=1),
        conv("Conv2d depthwise same", (1, 3, 5, 5), (3, 1, 3, 3), groups=3, padding="same", dilation=2),
        layer("MaxPool2d", lambda x: F.max_pool2d(x, 2), rounded(2, 2, 5, 4)),
        layer("MaxPool2d overlapping", lambda x: F.max_pool2d(x, 3, stride=2, padding=1), rounded(1, 2, 5, 6)),
        layer("AvgPool2d", lambda x: F.avg_pool2d(x, (2, 3)), rounded(2, 2, 4, 6)),
        layer("AvgPool2d overlapping", lambda x: F.avg_pool2d(x, 3, stride=2, padding=1), rounded(1, 2, 5, 6)),
        layer("LayerNorm", lambda x, weight, bias: F.layer_norm(x, (4,), weight, bias), rounded(3, 4),
              weight=rounded(4), bias=rounded(4)),
        layer("LayerNorm over two axes", lambda x, weight, bias: F.layer_norm(x, (3, 2), weight, bias, eps=1e-3),
              rounded(2, 2, 3, 2), weight=rounded(3, 2), bias=rounded(3, 2)),
        layer("Dropout in evaluation", lambda x: F.dropout(x, 0.7, training=False), rounded(3, 4)),
        layer("ReLU", F.relu, rounded(3, 4)),
        layer("Tanh", torch.tanh, rounded(3, 4) * 3),
        layer("Sigmoid", torch.sigmoid, rounded(3, 4) * 3),
        layer("Flatten", lambda x: x.flatten(1), rounded(2, 3, 2)),
    ],
    "batchNorm": batch_norm(),
    "losses": [
        loss("mse", F.mse_loss, rounded(3, 4), rounded(3, 4)),
        loss("mae", F.l1_loss, rounded(3, 4), rounded(3, 4)),
        loss("crossEntropy", F.cross_entropy, rounded(5, 4), torch.tensor([0, 3, 1, 1, 2])),
        loss("crossEntropy", F.cross_entropy, rounded(3, 4), torch.softmax(rounded(3, 4), -1)),
        loss("crossEntropy", F.cross_entropy, saturated, torch.tensor([2, 0])),
        loss("binaryCrossEntropy", F.binary_cross_entropy_with_logits, rounded(3, 4), torch.rand(3, 4).round(decimals=2)),
        loss("binaryCrossEntropy", F.binary_cross_entropy_with_logits, saturated,
             torch.tensor([[0.0, 1.0, 1.0], [1.0, 0.0, 0.0]])),
    ],
    "sparse": sparse_product(),
    "ragged": ragged_means(),
}

STEPS = 10


def trajectory(name, options, make):
    """Ten steps on a badly scaled quadratic with a coupling term."""
    torch.manual_seed(3)
    w, b = rounded(2, 3).requires_grad_(), rounded(3).requires_grad_()
    start = {"w": write(w), "b": write(b)}
    optimizer = make([w, b])
    path = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        scale = torch.tensor([[1.0, 10.0, 0.1], [0.5, 3.0, 2.0]])
        ((w - 0.3) ** 2 * scale).sum().add((b**2).sum() * 0.5).add((w.sum(0) * b).sum() * 0.2).backward()
        optimizer.step()
        path.append({"w": write(w), "b": write(b)})
    return {"name": name, "options": options, "start": start, "path": path}


def optax_trajectory(name, options, rule):
    """The same steps, by optax."""
    torch.manual_seed(3)
    w, b = rounded(2, 3), rounded(3)
    start = {"w": write(w), "b": write(b)}
    scale = jnp.array([[1.0, 10.0, 0.1], [0.5, 3.0, 2.0]])

    def of(p):
        return ((p["w"] - 0.3) ** 2 * scale).sum() + (p["b"] ** 2).sum() * 0.5 + (p["w"].sum(0) * p["b"]).sum() * 0.2

    p = {"w": jnp.array(w.numpy()), "b": jnp.array(b.numpy())}
    state = rule.init(p)
    path = []
    for _ in range(STEPS):
        updates, state = rule.update(jax.grad(of)(p), state, p)
        p = optax.apply_updates(p, updates)
        path.append({k: write(torch.tensor(v.tolist())) for k, v in p.items()})
    return {"name": name, "options": options, "start": start, "path": path}


def clipped(limit, *shapes):
    """Gradients, their length, and what clip_grad_norm_ makes of them."""
    gradients = [rounded(*shape) for shape in shapes]
    parameters = [torch.zeros(shape, requires_grad=True) for shape in shapes]
    for p, g in zip(parameters, gradients):
        p.grad = g.clone()
    norm = torch.nn.utils.clip_grad_norm_(parameters, limit)
    return {"limit": limit, "gradients": [write(g) for g in gradients], "norm": norm.item(),
            "clipped": [write(p.grad) for p in parameters]}


O = torch.optim
OPTIMIZERS = [
    ("SGD", {"lr": 0.02}, lambda p: O.SGD(p, 0.02)),
    ("SGD", {"lr": 0.02, "momentum": 0.9}, lambda p: O.SGD(p, 0.02, momentum=0.9)),
    ("SGD", {"lr": 0.02, "momentum": 0.9, "nesterov": True}, lambda p: O.SGD(p, 0.02, momentum=0.9, nesterov=True)),
    ("SGD", {"lr": 0.02, "momentum": 0.8, "weightDecay": 0.1},
     lambda p: O.SGD(p, 0.02, momentum=0.8, weight_decay=0.1)),
    ("Adam", {"lr": 0.1}, lambda p: O.Adam(p, 0.1)),
    ("Adam", {"lr": 0.1, "beta1": 0.8, "beta2": 0.95, "epsilon": 0.01, "weightDecay": 0.1},
     lambda p: O.Adam(p, 0.1, betas=(0.8, 0.95), eps=0.01, weight_decay=0.1)),
    ("Adam", {"lr": 0.1, "beta1": 0}, lambda p: O.Adam(p, 0.1, betas=(0.0, 0.999))),
    ("AdamW", {"lr": 0.1}, lambda p: O.AdamW(p, 0.1)),
    ("AdamW", {"lr": 0.1, "weightDecay": 0.3}, lambda p: O.AdamW(p, 0.1, weight_decay=0.3)),
    ("RMSProp", {"lr": 0.05}, lambda p: O.RMSprop(p, 0.05)),
    ("RMSProp", {"lr": 0.05, "decay": 0.9, "epsilon": 0.001, "weightDecay": 0.1},
     lambda p: O.RMSprop(p, 0.05, alpha=0.9, eps=0.001, weight_decay=0.1)),
    ("RMSProp", {"lr": 0.02, "momentum": 0.7, "centered": True},
     lambda p: O.RMSprop(p, 0.02, momentum=0.7, centered=True)),
    ("AdaGrad", {"lr": 0.2}, lambda p: O.Adagrad(p, 0.2)),
    ("AdaGrad", {"lr": 0.2, "epsilon": 0.01, "weightDecay": 0.1},
     lambda p: O.Adagrad(p, 0.2, eps=0.01, weight_decay=0.1)),
    ("Adadelta", {}, lambda p: O.Adadelta(p)),
    ("Adadelta", {"lr": 0.7, "decay": 0.8, "epsilon": 1e-3, "weightDecay": 0.1},
     lambda p: O.Adadelta(p, 0.7, rho=0.8, eps=1e-3, weight_decay=0.1)),
    ("Adamax", {"lr": 0.1}, lambda p: O.Adamax(p, 0.1)),
    ("Adamax", {"lr": 0.1, "beta1": 0.8, "beta2": 0.9, "epsilon": 0.01, "weightDecay": 0.1},
     lambda p: O.Adamax(p, 0.1, betas=(0.8, 0.9), eps=0.01, weight_decay=0.1)),
]
OPTAX = [
    ("LAMB", {"lr": 0.1}, optax.lamb(0.1)),
    ("LAMB", {"lr": 0.05, "beta1": 0.8, "beta2": 0.95, "epsilon": 1e-3, "weightDecay": 0.1},
     optax.lamb(0.05, b1=0.8, b2=0.95, eps=1e-3, weight_decay=0.1)),
    ("Lion", {"lr": 0.03}, optax.lion(0.03, weight_decay=0.0)),
    ("Lion", {"lr": 0.03, "beta1": 0.8, "beta2": 0.95, "weightDecay": 0.1},
     optax.lion(0.03, b1=0.8, b2=0.95, weight_decay=0.1)),
]


def rates(name, args, make, steps=30):
    optimizer = O.SGD([torch.zeros(1, requires_grad=True)], lr=0.4)
    schedule = make(optimizer)
    values = []
    for _ in range(steps):
        values.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return {"name": name, "args": args, "rates": values}


S = O.lr_scheduler
SCHEDULES = [
    rates("constant", [0.4], lambda o: S.LambdaLR(o, lambda _: 1)),
    rates("stepDecay", [0.4, 7, 0.3], lambda o: S.StepLR(o, 7, 0.3)),
    rates("exponentialDecay", [0.4, 0.9], lambda o: S.ExponentialLR(o, 0.9)),
    rates("linear", [0.2, 0.4, 12], lambda o: S.LinearLR(o, 0.5, 1.0, total_iters=12)),
    rates("cosine", [0.4, 30, 0.05], lambda o: S.CosineAnnealingLR(o, 30, 0.05)),
    rates("warmup", [5], lambda o: S.SequentialLR(
        o, [S.LinearLR(o, 0.2, 1.0, total_iters=4), S.CosineAnnealingLR(o, 25, 0.0)], [5])),
    rates("piecewise", [0.4], lambda o: S.MultiStepLR(o, [6, 15], 0.1)),
    rates("polynomial", [0.4, 20, 2], lambda o: S.PolynomialLR(o, 20, 2.0)),
    rates("cosineRestarts", [0.4, 6, 2, 0.05], lambda o: S.CosineAnnealingWarmRestarts(o, 6, 2, 0.05)),
    rates("oneCycle", [0.4, 30], lambda o: S.OneCycleLR(o, 0.4, 30, cycle_momentum=False)),
    rates("oneCycle", [0.4, 30, 0.5, 10, 100], lambda o: S.OneCycleLR(
        o, 0.4, 30, pct_start=0.5, div_factor=10, final_div_factor=100, cycle_momentum=False)),
]
OPTIM = {
    "made by": f"PyTorch {torch.__version__}",
    "trajectories": [trajectory(*case) for case in OPTIMIZERS] + [optax_trajectory(*case) for case in OPTAX],
    "schedules": SCHEDULES,
    "clips": [clipped(1.0, (3,), (2, 2)), clipped(100.0, (3,), (2, 2)), clipped(0.3, (4,))],
}

for file, content in {"nn.json": NN, "optim.json": OPTIM}.items():
    (HERE / file).write_text(json.dumps(content, separators=(",", ":")) + "\n")
