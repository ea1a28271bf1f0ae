"""What NumPy 2, SciPy 1.17 and PyTorch 2.13 give for the ops, in float64: what lib/src/ops/expected.test.ts compares with.

Made once on the CPU:  python lib/test/expected/ops.py   (writes ops.json and indexing.json beside itself)
"""
import json
from pathlib import Path

import numpy as np
import torch
from scipy import special
from torch.nn import functional as F

torch.set_default_dtype(torch.float64)
rng = np.random.default_rng(7)
HERE = Path(__file__).parent


def draw(shape, low=-2.0, high=2.0):
    """Random values that a short decimal writes exactly."""
    return np.round(rng.uniform(low, high, shape), 2)


def dump(x):
    if isinstance(x, torch.Tensor):
        x = x.detach().numpy()
    x = np.asarray(x)
    plain = x.flatten().tolist()
    if x.dtype.kind == "f":
        plain = [float(f"{v:.15g}") if np.isfinite(v) else str(v) for v in plain]
    return {"shape": list(x.shape), "dtype": str(x.dtype), "values": [int(v) if x.dtype.kind == "b" else v for v in plain]}


t = torch.from_numpy
cases = []


def case(op, inputs, output, **options):
    many = isinstance(output, (list, tuple))
    cases.append({"op": op, "inputs": [dump(x) for x in inputs], "options": options,
                  "outputs": [dump(y) for y in (output if many else [output])]})


def over_torch(f):
    return lambda *x: f(*(t(v) for v in x))


edge = [np.nan, np.inf, -np.inf, 0.0, -0.0]
unary = {
    "neg": np.negative, "abs": np.abs, "sign": np.sign, "square": np.square, "sqrt": (np.sqrt, 0, 4),
    "rsqrt": (over_torch(torch.rsqrt), 0.1, 4), "reciprocal": np.reciprocal, "cbrt": np.cbrt,
    "exp": np.exp, "exp2": np.exp2, "expm1": np.expm1, "log": (np.log, 0, 4), "log2": (np.log2, 0, 4),
    "log10": (np.log10, 0, 4), "log1p": (np.log1p, -1, 3),
    "sin": np.sin, "cos": np.cos, "tan": np.tan, "asin": (np.arcsin, -1, 1), "acos": (np.arccos, -1, 1),
    "atan": np.arctan, "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh, "asinh": np.arcsinh,
    "acosh": (np.arccosh, 1, 4), "atanh": (np.arctanh, -1, 1), "sinc": np.sinc, "deg2rad": np.deg2rad, "rad2deg": np.rad2deg,
    "sigmoid": over_torch(torch.sigmoid), "relu": over_torch(F.relu), "elu": over_torch(F.elu), "silu": over_torch(F.silu),
    "gelu": over_torch(F.gelu), "softplus": over_torch(lambda x: F.softplus(x, threshold=1e9)),
    "logSigmoid": over_torch(F.logsigmoid), "softsign": over_torch(F.softsign), "mish": over_torch(F.mish),
    "selu": over_torch(F.selu), "geluTanh": over_torch(lambda x: F.gelu(x, approximate="tanh")),
    "relu6": (over_torch(F.relu6), -3, 9), "hardSigmoid": (over_torch(F.hardsigmoid), -5, 5),
    "hardSwish": (over_torch(F.hardswish), -5, 5),
    "erf": (over_torch(torch.special.erf), -7, 7), "erfc": (over_torch(torch.special.erfc), -7, 20),
    "erfinv": (over_torch(torch.special.erfinv), -1, 1), "lgamma": (over_torch(torch.special.gammaln), -5, 40),
    "digamma": (over_torch(torch.special.digamma), -5, 40), "logit": (over_torch(torch.special.logit), 0, 1),
    "floor": np.floor, "ceil": np.ceil, "round": np.round, "trunc": np.trunc, "frac": over_torch(torch.frac),
    "isnan": np.isnan, "isfinite": np.isfinite, "isinf": np.isinf, "signbit": np.signbit, "logicalNot": np.logical_not,
}
# where the libraries themselves disagree, or say nothing: infinities of these
no_special = {"silu", "gelu", "softsign", "mish", "geluTanh", "hardSwish", "frac", "lgamma", "digamma", "sinc", "tan"}
with np.errstate(all="ignore"):
    for name, f in unary.items():
        f, low, high = f if isinstance(f, tuple) else (f, -3, 3)
        x = np.concatenate([draw(16, low, high), [] if name in no_special else edge, [0.5, -0.5, 1.5, 2.5]])
        case(name, [x], f(x))
    for order in (1, 2, 3):
        x = draw(8, 0.1, 20)
        case("polygamma", [x], special.polygamma(order, x), order=order)

    binary = {
        "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide, "pow": np.power, "maximum": np.maximum,
        "minimum": np.minimum, "remainder": np.mod, "atan2": np.arctan2, "floorDivide": np.floor_divide, "fmod": np.fmod,
        "hypot": np.hypot, "logAddExp": np.logaddexp, "copySign": np.copysign, "heaviside": np.heaviside,
        "xlogy": over_torch(torch.special.xlogy), "equal": np.equal, "notEqual": np.not_equal, "less": np.less,
        "lessEqual": np.less_equal, "greater": np.greater, "greaterEqual": np.greater_equal,
        "logicalAnd": np.logical_and, "logicalOr": np.logical_or, "logicalXor": np.logical_xor, "isclose": np.isclose,
    }
    for name, f in binary.items():
        a, b = draw((3, 1, 4)), draw((5, 1))
        if name == "pow": a = np.abs(a)
        case(name, [a, b], f(*np.broadcast_arrays(a, b)))
        a = np.array([1.0, 2.0, -3.0, 7.0, -7.0, 0.0, 4.5])
        b = np.array([1.0, 3.0, 2.0, -2.0, 2.0, 1.5, 4.5])
        case(name, [a, b], f(a, b))
    for name, f in {"bitwiseAnd": np.bitwise_and, "bitwiseOr": np.bitwise_or, "bitwiseXor": np.bitwise_xor,
                    "leftShift": np.left_shift, "rightShift": np.right_shift, "floorDivide": np.floor_divide,
                    "remainder": np.mod}.items():
        a = rng.integers(-200, 200, 12).astype(np.int32)
        b = rng.integers(1, 9, 12).astype(np.int32)
        case(name, [a, b], f(a, b))

x = draw((3, 4, 5))
tied = np.round(draw((4, 6)) * 2) / 2
for axis in (0, 1, -1):
    for name, f in {"sum": np.sum, "prod": np.prod, "max": np.max, "min": np.min, "mean": np.mean, "argmax": np.argmax,
                    "argmin": np.argmin, "any": np.any, "all": np.all, "median": np.median, "cumsum": np.cumsum,
                    "cumprod": np.cumprod, "variance": np.var, "std": np.std}.items():
        case(name, [x], f(x, axis=axis), axis=axis)
    case("logSumExp", [x], torch.logsumexp(t(x), axis), axis=axis)
    case("softmax", [x], torch.softmax(t(x), axis), axis=axis)
    case("logSoftmax", [x], torch.log_softmax(t(x), axis), axis=axis)
    case("sort", [x], np.sort(x, axis), axis=axis)
    case("cummax", [x], list(torch.cummax(t(x), axis)), axis=axis)
    case("cummin", [x], list(torch.cummin(t(x), axis)), axis=axis)
    case("topk", [x], list(torch.topk(t(x), 2, axis)), axis=axis, k=2)
    case("flip", [x], np.flip(x, axis), axis=axis)
    case("roll", [x], np.roll(x, 2, axis), axis=axis, shift=2)
    case("repeat", [x], np.repeat(x, 2, axis), axis=axis, count=2)
    case("quantile", [x], np.quantile(x, [0.1, 0.5, 0.9], axis=axis), axis=axis, q=[0.1, 0.5, 0.9])
    case("diff", [x], np.diff(x, 2, axis), axis=axis, order=2)
case("argsort", [tied], np.argsort(tied, axis=1, kind="stable"), axis=1)
case("cummax", [tied], list(torch.cummax(t(tied), 1)), axis=1)
case("sort", [np.array([2, np.nan, 1, np.inf, -np.inf])], np.sort(np.array([2, np.nan, 1, np.inf, -np.inf])), axis=0)
edges, q = np.sort(draw(9)), draw((2, 5))
q[0, 0] = edges[3]
case("searchsorted", [edges, q], np.searchsorted(edges, q))
case("searchsortedRight", [edges, q], np.searchsorted(edges, q, side="right"))
values, first, inverse, counts = np.unique(tied, return_index=True, return_inverse=True, return_counts=True)
case("unique", [tied], [values, first, inverse.reshape(tied.shape), counts])
h = np.histogram(x, 7)
case("histogram", [x], [h[0], h[1].astype(np.float32)], bins=7)
index = np.array([0, 2, 2, 5], np.int32)
case("bincount", [index], np.bincount(index, minlength=7), length=7)
case("nonzero", [tied], np.nonzero(tied))
case("tril", [x], np.tril(x, 1), k=1)
case("triu", [x], np.triu(x, -1), k=-1)
case("moveAxis", [x], np.moveaxis(x, [0, 2], [1, 0]), source=[0, 2], destination=[1, 0])
for k in range(-1, 4):
    case("rot90", [x], np.rot90(x, k, (0, 2)), times=k, axes=[0, 2])
a, b, c = draw(3), draw(2), draw(4)
case("meshgridXy", [a, b, c], list(np.meshgrid(a, b, c)))
case("meshgridIj", [a, b, c], list(np.meshgrid(a, b, c, indexing="ij")))
case("pad", [x], np.pad(x, [(1, 0), (2, 1), (0, 3)], constant_values=1.5), widths=[[1, 0], [2, 1], [0, 3]], value=1.5)
small = draw((2, 3))
for mode in ("edge", "reflect", "symmetric", "wrap"):
    case("padEdges", [small], np.pad(small, [(3, 5), (4, 7)], mode=mode), widths=[[3, 5], [4, 7]], mode=mode)
case("tile", [small], np.tile(small, (2, 1, 3)), counts=[2, 1, 3])
y = draw((2, 1))
case("hstack", [small, y], np.hstack([small, y]))
case("vstack", [small, small[0]], np.vstack([small, small[0]]))

for equation, shapes in [
    ("ij,jk->ik", [(2, 3), (3, 4)]), ("ij,jk", [(2, 3), (3, 4)]), ("ii->i", [(3, 3)]), ("ii", [(3, 3)]), ("ij->ji", [(2, 3)]),
    ("ijk->k", [(2, 3, 4)]), ("bij,bjk->bik", [(2, 3, 4), (2, 4, 5)]), ("...ij,...jk->...ik", [(2, 1, 3, 4), (5, 4, 2)]),
    ("i,j->ij", [(3,), (4,)]), ("i,i->", [(3,), (3,)]), ("ij,ij->i", [(2, 3), (2, 3)]), ("bhqd,bhkd->bhqk", [(2, 2, 3, 4), (2, 2, 5, 4)]),
    ("ab,bc,cd,de->ae", [(2, 3), (3, 4), (4, 5), (5, 2)]), ("iij,jk->ik", [(3, 3, 2), (2, 4)]), ("i...->...", [(3, 2, 2)]),
    ("ijk,jil->kl", [(2, 3, 4), (3, 2, 5)]), ("a,b,c->cab", [(2,), (3,), (4,)]), ("ij,k->ijk", [(2, 3), (4,)]), ("ba,a", [(2, 3), (3,)]),
]:
    xs = [draw(s) for s in shapes]
    case("einsum", xs, np.einsum(equation, *xs), equation=equation)

series, filters = draw((2, 4, 9)), draw((6, 2, 3))
case("conv1d", [series, filters], F.conv1d(t(series), t(filters), stride=2, padding=1, dilation=2, groups=2),
     stride=2, padding=1, dilation=2, groups=2)
image, kernel = draw((2, 4, 5, 6)), draw((4, 3, 3, 2))
for o in [dict(), dict(stride=2), dict(stride=[2, 3], padding=[1, 0], output_padding=[1, 2]), dict(groups=2, dilation=[1, 2], padding=1)]:
    y = F.conv_transpose2d(t(image), t(kernel), **{k: tuple(v) if isinstance(v, list) else v for k, v in o.items()})
    case("convTranspose2d", [image, kernel], y, **{"outputPadding" if k == "output_padding" else k: v for k, v in o.items()})
kernel1 = draw((4, 3, 3))
case("convTranspose1d", [series, kernel1], F.conv_transpose1d(t(series), t(kernel1), stride=2, padding=1, output_padding=1),
     stride=2, padding=1, outputPadding=1)
for o in [dict(), dict(stride=2, padding=1), dict(dilation=2, groups=2)]:
    w = draw((6, 4 // o.get("groups", 1), 2, 3))
    case("conv2d", [image, w], F.conv2d(t(image), t(w), **o), **o)
case("maxPool1d", [series], F.max_pool1d(t(series), 3, 2, 1), size=3, stride=2, padding=1)
case("avgPool1d", [series], F.avg_pool1d(t(series), 3, 2, 1), size=3, stride=2, padding=1)
case("maxPool2d", [image], F.max_pool2d(t(image), 3, 2, 1), size=3, stride=2, padding=1)
case("avgPool2d", [image], F.avg_pool2d(t(image), (2, 3), (1, 2), (1, 1)), size=[2, 3], stride=[1, 2], padding=[1, 1])
case("adaptiveAvgPool2d", [image], F.adaptive_avg_pool2d(t(image), (2, 4)), size=[2, 4])
case("adaptiveMaxPool2d", [image], F.adaptive_max_pool2d(t(image), (3, 4)), size=[3, 4])
for size in ((8, 9), (3, 4)):
    case("resize", [image], F.interpolate(t(image), size), size=size, mode="nearest")
    case("resize", [image], F.interpolate(t(image), size, mode="bilinear"), size=size, mode="bilinear")
    case("resize", [image], F.interpolate(t(image), size, mode="bilinear", align_corners=True), size=size,
         mode="bilinear", alignCorners=True)
(HERE / "ops.json").write_text("[\n" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]\n")

# Indexing: parts are numbers, "a:b:c", None, "...", or tensors of int32 or bool.
indexing = []
base = {n: np.arange(int(np.prod(s))).reshape(s) for n, s in {"v": (7,), "m": (4, 5), "c": (3, 4, 5), "d": (2, 3, 4, 3)}.items()}
_ = slice(None)


def text(s):
    return ":".join("" if v is None else str(v) for v in (s.start, s.stop, *([] if s.step is None else [s.step])))


def part(p):
    if p is None or p is Ellipsis: return {None: None, Ellipsis: "..."}[p]
    if isinstance(p, slice): return text(p)
    if isinstance(p, np.ndarray): return dump(p)
    return int(p)


def random_index(shape):
    left, parts, used_ellipsis = list(shape), [], False
    while left:
        kind = rng.choice(["int", "slice", "array", "mask", "new", "dots", "stop"], p=[0.15, 0.28, 0.25, 0.1, 0.1, 0.06, 0.06])
        n = left[0]
        if kind == "stop": break
        if kind == "new": parts.append(None); continue
        if kind == "dots":
            if used_ellipsis: continue
            used_ellipsis = True
            skip = int(rng.integers(0, len(left)))
            parts.append(Ellipsis); left = left[skip:]
            rest = len(left)
            while left:  # everything behind the dots is taken
                parts.append(int(rng.integers(-left[0], left[0])) if rng.random() < 0.5 else slice(None, None, -1)); left.pop(0)
            break
        left.pop(0)
        if kind == "int": parts.append(int(rng.integers(-n, n)))
        elif kind == "slice":
            bound = lambda: None if rng.random() < 0.3 else int(rng.integers(-n - 2, n + 3))
            step = int(rng.choice([-3, -2, -1, 1, 2, 3]))
            parts.append(slice(bound(), bound(), step))
        elif kind == "array":
            shape_ = [(3,), (2, 3), (1,), (2, 1), ()][rng.integers(0, 5)]
            parts.append(rng.integers(-n, n, shape_).astype(np.int32))
        else:
            mask = rng.random(n) < 0.5
            parts.append(mask)
    return tuple(parts)


while len(indexing) < 260:
    name = str(rng.choice(list(base)))
    parts = random_index(base[name].shape)
    try: found = base[name][parts]
    except IndexError: continue
    if found.size > 60: continue
    changed = base[name].copy(); changed[parts] = -1
    indexing.append({"base": name, "index": [part(p) for p in parts], "get": dump(found), "set": dump(changed)["values"]})
for name, parts in {"m": (base["m"] % 3 == 0,), "c": (_, base["m"][:4, :5] % 2 == 0), "d": (0, _, np.array([0, 2], np.int32)),
                    }.items():
    found = base[name][parts]; changed = base[name].copy(); changed[parts] = -1
    indexing.append({"base": name, "index": [part(p) for p in parts], "get": dump(found), "set": dump(changed)["values"]})
(HERE / "indexing.json").write_text(json.dumps(
    {"bases": {k: list(v.shape) for k, v in base.items()}, "cases": indexing}, separators=(",", ":")) + "\n")
