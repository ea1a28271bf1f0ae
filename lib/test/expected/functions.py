"""Gathering, scattering, normalization and recurrences as PyTorch 2.13 and SciPy 1.17 do them in float64, with gradients; and the
distribution functions of random numbers. What lib/src/ops/functions.test.ts and distributions.test.ts compare with.

Made once on the CPU:  python lib/test/expected/functions.py   (writes functions.json and distributions.json beside itself)
"""
import json
from pathlib import Path

import numpy as np
import torch
from scipy import signal, stats
from torch.nn import functional as F

torch.set_default_dtype(torch.float64)
rng = np.random.default_rng(23)
t = torch.from_numpy
HERE = Path(__file__).parent


def draw(shape, low=-2.0, high=2.0):
    return np.round(rng.uniform(low, high, shape), 2)


def dump(x):
    if isinstance(x, torch.Tensor): x = x.detach().numpy()
    x = np.asarray(x)
    plain = x.flatten().tolist()
    if x.dtype.kind == "f": plain = [float(f"{v:.15g}") if np.isfinite(v) else str(v) for v in plain]
    return {"shape": list(x.shape), "dtype": str(x.dtype), "values": plain}


cases = []


def case(op, f, inputs, options=None):
    """f over torch tensors; gradients of Σ weights·output for the floating-point inputs."""
    xs = [t(np.asarray(x)) for x in inputs]
    for x in xs:
        if x.is_floating_point(): x.requires_grad_()
    y = f(*xs)
    entry = {"op": op, "inputs": [dump(x) for x in xs], "options": options or {}, "outputs": [dump(y)]}
    if y.requires_grad:
        weights = t(draw(tuple(y.shape)))
        floats = [x for x in xs if x.is_floating_point()]
        found = torch.autograd.grad((y * weights).sum(), floats, allow_unused=True)
        entry["weights"] = dump(weights)
        entry["gradients"] = [dump(torch.zeros_like(x) if g is None else g) for g, x in zip(found, floats)]
    cases.append(entry)


def integers(high, shape):
    return rng.integers(0, high, shape).astype(np.int64)


x = draw((3, 4, 5))
for depth, shape in ((1, (4,)), (2, (2, 3)), (3, (3, 1, 2))):
    index = np.stack([integers(n, shape) for n in x.shape[:depth]], -1)
    case("gatherNd", lambda v, i: v[tuple(i.unbind(-1))], [x, index])
    values = draw((*shape, *x.shape[depth:]))
    case("scatterNd", lambda i, v: torch.zeros(x.shape).index_put(tuple(i.unbind(-1)), v, accumulate=True), [index, values], {"shape": list(x.shape)})
case("gatherNd", lambda v, i: v[tuple(i.unbind(-1))], [x, np.array([[-1, -2], [0, -4]])])
names = {"sum": "sum", "mean": "mean", "prod": "prod", "max": "amax", "min": "amin"}
for axis in (0, 1, 2):
    for ours, theirs in names.items():
        for include in (True, False):
            shape = [6 if a == axis else n for a, n in enumerate(x.shape)]
            index, values = integers(x.shape[axis], shape), draw(shape)
            if ours in ("max", "min"): values = np.round(values * 2) / 2 + 0.25  # ties
            case("scatterReduce", lambda v, i, w: v.scatter_reduce(axis, i, w, theirs, include_self=include), [x, index, values],
                 {"axis": axis, "reduce": ours, "includeSelf": include})
zeros = np.array([[0.0, 2, 0], [1, 0, 3]])
case("scatterReduce", lambda v, i, w: v.scatter_reduce(0, i, w, "prod"), [zeros, np.array([[0, 0, 0], [1, 1, 1]]), np.array([[2.0, 0, 0], [0, 5, 2]])],
     {"axis": 0, "reduce": "prod", "includeSelf": True})

weight, bias = draw((5,)), draw((5,))
case("layerNorm", lambda v, w, b: F.layer_norm(v, (5,), w, b), [x, weight, bias], {"axes": -1})
case("layerNorm", lambda v: F.layer_norm(v, (4, 5), eps=1e-3), [x], {"axes": [-2, -1], "epsilon": 1e-3})
case("rmsNorm", lambda v, w: F.rms_norm(v, (5,), w, eps=1e-4), [x, weight], {"axes": -1, "epsilon": 1e-4})
image, w6, b6 = draw((2, 6, 3, 2)), draw((6,)), draw((6,))
for groups in (1, 3, 6): case("groupNorm", lambda v, w, b: F.group_norm(v, groups, w, b), [image, w6, b6], {"groups": groups})
case("instanceNorm", lambda v, w, b: F.instance_norm(v, weight=w, bias=b), [image, w6, b6])
case("batchNorm", lambda v, w, b: F.batch_norm(v, None, None, w, b, training=True), [image, w6, b6])
mean, variance = draw((6,)), draw((6,), 0.2, 2)
case("batchNorm", lambda v, w, b, m, s: (v - m[:, None, None]) / (s[:, None, None] + 1e-5).sqrt() * w[:, None, None] + b[:, None, None], [image, w6, b6, mean, variance])
for p in (1.0, 2.0, 3.0): case("normalize", lambda v: F.normalize(v, p=p, dim=1), [x], {"axis": 1, "ord": p})
for axis in (0, 1, 2): case("prod", lambda v: v.prod(axis), [np.where(rng.random(x.shape) < 0.3, 0.0, x)], {"axis": axis})
for axis in (0, 1, 2): case("cumprod", lambda v: v.cumprod(axis), [np.where(rng.random(x.shape) < 0.3, 0.0, x)], {"axis": axis})
# h_j = 0.7·h_{j−1} + b_j as a filter of SciPy's
b = draw((2, 9))
cases.append({"op": "linearRecurrence", "inputs": [dump(np.full_like(b, 0.7)), dump(b)], "options": {"axis": 1, "reverse": False},
              "outputs": [dump(signal.lfilter([1], [1, -0.7], b, axis=1))]})
cases.append({"op": "linearRecurrence", "inputs": [dump(np.full_like(b, 0.7)), dump(b)], "options": {"axis": 1, "reverse": True},
              "outputs": [dump(signal.lfilter([1], [1, -0.7], b[:, ::-1], axis=1)[:, ::-1])]})
(HERE / "functions.json").write_text("[\n" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]\n")

# Distribution functions on a grid; mean and variance where there are any.
DISTRIBUTIONS = {
    "uniform": (stats.uniform(), {}), "normal": (stats.norm(), {}), "exponential": (stats.expon(), {}), "laplace": (stats.laplace(), {}),
    "gumbel": (stats.gumbel_r(), {}), "logistic": (stats.logistic(), {}), "cauchy": (stats.cauchy(), {}),
    "truncatedNormal": (stats.truncnorm(-1, 2.5), {"low": -1, "high": 2.5}),
    **{f"gamma {a}": (stats.gamma(a), {"a": a}) for a in (0.2, 1, 4.5, 60)},
    **{f"beta {a} {b}": (stats.beta(a, b), {"a": a, "b": b}) for a, b in ((0.5, 0.5), (2, 5))},
    **{f"poisson {r}": (stats.poisson(r), {"rate": r}) for r in (0.5, 4, 9.9, 10, 35, 1000)},
}
found = []
for name, (d, options) in DISTRIBUTIONS.items():
    grid = d.ppf(np.linspace(0.02, 0.98, 25))
    grid = np.unique(np.floor(grid)) if name.startswith("poisson") else grid
    found.append({"name": name, "options": options, "grid": [float(f"{v:.15g}") for v in grid], "below": [float(f"{v:.15g}") for v in d.cdf(grid)]})
(HERE / "distributions.json").write_text(json.dumps(found) + "\n")
