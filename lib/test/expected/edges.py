"""Ops at the edges of their domains (zeros, poles, kinks, infinities, NaN): values of two operands as NumPy 2 has them, gradients as
PyTorch 2.13 has them. What lib/src/ops/edges.test.ts compares with.

Made once on the CPU:  python lib/test/expected/edges.py   (writes edges.json beside itself)
"""
import itertools
import json
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

torch.set_default_dtype(torch.float64)
INF, NAN = float("inf"), float("nan")


def text(x):
    """−0 is a text too: JSON would lose it."""
    return [("-0" if v == 0 and np.signbit(v) else str(v) if not np.isfinite(v) else v) for v in np.asarray(x, np.float64).tolist()]


values = [0.0, -0.0, 1.0, -1.0, 0.1, -0.1, 0.3, -0.7, 7.0, -7.0, 2.5, 3.0, -3.0, 6.0, 0.5, 1e300, -1e300, 1e-300, 5e-324, 1e17, INF, -INF, NAN]
a, b = map(np.array, zip(*itertools.product(values, values)))
BINARY = {"remainder": np.mod, "floorDivide": np.floor_divide, "fmod": np.fmod, "pow": np.power, "atan2": np.arctan2, "hypot": np.hypot, "maximum": np.maximum,
          "minimum": np.minimum, "copySign": np.copysign, "logAddExp": np.logaddexp, "heaviside": np.heaviside, "div": np.divide, "mul": np.multiply,
          "add": np.add, "sub": np.subtract, "equal": np.equal, "less": np.less, "greaterEqual": np.greater_equal}
with np.errstate(all="ignore"):
    pairs = {"a": text(a), "b": text(b), "values": {name: text(f(a, b)) for name, f in BINARY.items()}}

points = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.5, 6.0, -3.0, 3.0, 30.0, -30.0, 800.0, -800.0, INF, -INF, NAN]
UNARY = {
    "square": torch.square, "sqrt": torch.sqrt, "rsqrt": torch.rsqrt, "reciprocal": torch.reciprocal, "exp": torch.exp, "exp2": torch.exp2, "expm1": torch.expm1,
    "log": torch.log, "log2": torch.log2, "log10": torch.log10, "log1p": torch.log1p, "sin": torch.sin, "cos": torch.cos, "tan": torch.tan, "asin": torch.asin,
    "acos": torch.acos, "atan": torch.atan, "sinh": torch.sinh, "cosh": torch.cosh, "tanh": torch.tanh, "asinh": torch.asinh, "acosh": torch.acosh,
    "atanh": torch.atanh, "sinc": torch.sinc, "sigmoid": torch.sigmoid, "silu": F.silu, "gelu": F.gelu, "logSigmoid": F.logsigmoid, "mish": F.mish, "selu": F.selu,
    "geluTanh": lambda x: F.gelu(x, approximate="tanh"), "hardSwish": F.hardswish, "erf": torch.erf, "erfc": torch.erfc, "erfinv": torch.erfinv, "lgamma": torch.lgamma,
    "leakyRelu": F.leaky_relu, "frac": torch.frac, "abs": torch.abs, "relu": F.relu, "elu": F.elu, "relu6": F.relu6, "softsign": F.softsign, "digamma": torch.digamma,
}
gradients = []
for name, f in UNARY.items():
    x = torch.tensor(points, requires_grad=True)
    y = f(x)
    gradients.append({"op": name, "inputs": [text(points)], "value": text(y.detach()), "gradients": [text(torch.autograd.grad(y.sum(), x)[0])]})
pair_points = [(0.0, 0.0), (0.0, 1.0), (0.0, 2.0), (0.0, 0.5), (0.0, -1.0), (1.0, 0.0), (-2.0, 3.0), (-2.0, 2.0), (2.0, 2.0), (-1.0, 0.0), (5.0, -3.0), (-5.0, 3.0),
               (6.0, 3.0), (INF, 1.0), (1.0, INF), (-INF, -INF), (800.0, -800.0), (-0.0, 1.0)]
TWO = {"pow": torch.pow, "div": torch.div, "mul": torch.mul, "maximum": torch.maximum, "minimum": torch.minimum, "atan2": torch.atan2, "hypot": torch.hypot,
       "logAddExp": torch.logaddexp, "xlogy": torch.xlogy, "fmod": torch.fmod}
for name, f in TWO.items():
    xs = [torch.tensor([p[i] for p in pair_points], requires_grad=True) for i in (0, 1)]
    y = f(*xs)
    gradients.append({"op": name, "inputs": [text([p[i] for p in pair_points]) for i in (0, 1)], "value": text(y.detach()),
                      "gradients": [text(g) for g in torch.autograd.grad(y.sum(), xs)]})
Path(__file__).with_name("edges.json").write_text(json.dumps({"pairs": pairs, "gradients": gradients}) + "\n")
