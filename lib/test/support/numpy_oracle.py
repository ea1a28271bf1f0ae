"""Answers cases, one JSON object a line, as NumPy does: see test/numpy.slow.test.ts."""
import json
import sys
import warnings

import numpy as np

warnings.simplefilter("ignore")
np.seterr(all="ignore")


def dump(x):
    x = np.asarray(x)
    values = x.astype(np.float64).ravel().tolist()
    return {"shape": list(x.shape), "dtype": str(x.dtype), "values": [v if np.isfinite(v) else str(v) for v in values]}


def base(shape, layout):
    """0, 1, 2 … in row-major order, in some layout in memory."""
    x = np.arange(int(np.prod(shape)), dtype=np.int32).reshape(shape)
    if not shape: return x
    if layout == "transposed": return np.ascontiguousarray(x.T).T
    if layout == "reversed": return np.ascontiguousarray(np.flip(x))[tuple(slice(None, None, -1) for _ in shape)]
    return x


def part(p):
    kind = p["kind"]
    if kind == "at": return p["at"]
    if kind == "range": return slice(*p["range"])
    if kind == "new": return None
    if kind == "dots": return Ellipsis
    if kind == "array": return np.array(p["array"]["values"], np.int32).reshape(p["array"]["shape"])
    return np.array(p["mask"]["values"], bool).reshape(p["mask"]["shape"])


def index(c):
    x = base(c["shape"], c["layout"])
    i = tuple(part(p) for p in c["index"])
    found = x[i]
    values = np.arange(found.size, dtype=np.int32).reshape(found.shape) + 1000
    set_, sum_ = x.copy(), x.copy()
    set_[i] = values
    np.add.at(sum_, i, values)
    return [dump(found), dump(set_), dump(sum_)]


def operand(o):
    return np.array(o["values"], np.float64).astype(o["dtype"]).reshape(o["shape"])


def binary(c):
    return [dump(getattr(np, c["op"])(*(operand(o) for o in c["operands"])))]


def reduce(c):
    axis = tuple(c["axis"]) if c["axis"] is not None else None
    return [dump(getattr(np, c["op"])(operand(c["operand"]), axis=axis, keepdims=c["keepDims"]))]


def view(c):
    x = operand(c["operand"])
    for name, *args in c["steps"]:
        x = getattr(np, name)(x, *[tuple(a) if isinstance(a, list) else a for a in args])
    return [dump(x)]


KINDS = {"index": index, "binary": binary, "reduce": reduce, "view": view}
for line in sys.stdin:
    case = json.loads(line)
    try:
        print(json.dumps({"found": KINDS[case["case"]](case)}))
    except (IndexError, ValueError, TypeError) as error:
        print(json.dumps({"error": str(error)}))
