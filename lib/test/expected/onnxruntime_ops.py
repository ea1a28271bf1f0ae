"""What ONNX Runtime gives for the ops it shares with the library, in float32: a model of one node each.

Made once with onnxruntime 1.32 on the CPU:  python lib/test/expected/onnxruntime_ops.py   (writes onnx.json beside itself)
"""
import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper

rng = np.random.default_rng(9)
cases = []
TYPES = {"float32": TensorProto.FLOAT, "int32": TensorProto.INT32, "int64": TensorProto.INT64, "bool": TensorProto.BOOL}


def draw(shape, low=-2.0, high=2.0):
    return np.round(rng.uniform(low, high, shape), 2).astype(np.float32)


def dump(x):
    plain = x.flatten().tolist()
    if x.dtype.kind == "f":
        plain = [float(f"{v:.9g}") if np.isfinite(v) else str(v) for v in plain]
    return {"shape": list(x.shape), "dtype": str(x.dtype), "values": [int(v) if x.dtype.kind == "b" else v for v in plain]}


def case(op, node, inputs, options=None, constants=(), outputs=1, dump_outputs=None, **attributes):
    """`constants` are inputs of the node that are options of ours."""
    names = [f"x{i}" for i in range(len(inputs) + len(constants))]
    given = [*inputs, *constants]
    y = [f"y{i}" for i in range(outputs)]
    graph = helper.make_graph(
        [helper.make_node(node, [n if g is not None else "" for n, g in zip(names, given)], y, **attributes)], "one",
        [helper.make_tensor_value_info(n, TYPES[str(g.dtype)], g.shape) for n, g in zip(names, given) if g is not None],
        [helper.make_empty_tensor_value_info(n) for n in y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found = session.run(None, {n: g for n, g in zip(names, given) if g is not None})
    cases.append({"op": op, "inputs": [dump(x) for x in inputs], "options": options or {}, "outputs": [dump(v) for v in (found if dump_outputs is None else found[:dump_outputs])]})


unary = {
    "neg": "Neg", "abs": "Abs", "sign": "Sign", "sqrt": ("Sqrt", 0.1, 4), "reciprocal": "Reciprocal", "exp": "Exp", "log": ("Log", 0.1, 4),
    "sin": "Sin", "cos": "Cos", "tan": "Tan", "asin": ("Asin", -1, 1), "acos": ("Acos", -1, 1), "atan": "Atan", "sinh": "Sinh", "cosh": "Cosh",
    "tanh": "Tanh", "asinh": "Asinh", "acosh": ("Acosh", 1, 4), "atanh": ("Atanh", -0.9, 0.9), "sigmoid": "Sigmoid", "relu": "Relu", "elu": "Elu",
    "selu": "Selu", "softplus": "Softplus", "softsign": "Softsign", "mish": "Mish", "hardSwish": "HardSwish", "gelu": "Gelu", "erf": "Erf",
    "floor": "Floor", "ceil": "Ceil", "round": "Round", "isnan": "IsNaN", "isinf": "IsInf",
}
for name, f in unary.items():
    node, low, high = f if isinstance(f, tuple) else (f, -3, 3)
    case(name, node, [draw((3, 5), low, high)])
for name, node in {"add": "Add", "sub": "Sub", "mul": "Mul", "div": "Div", "pow": "Pow", "maximum": "Max", "minimum": "Min", "equal": "Equal", "less": "Less",
                   "lessEqual": "LessOrEqual", "greater": "Greater", "greaterEqual": "GreaterOrEqual"}.items():
    case(name, node, [np.abs(draw((3, 1, 4))), draw((5, 1))])
x = draw((3, 4, 5))
for axis in (0, 1, 2):
    for name, node in {"softmax": "Softmax", "logSoftmax": "LogSoftmax"}.items():
        case(name, node, [x], {"axis": axis}, axis=axis)
    for name, node in {"argmax": "ArgMax", "argmin": "ArgMin"}.items():
        case(name, node, [x], {"axis": axis}, axis=axis, keepdims=0)
    for name, node in {"sum": "ReduceSum", "mean": "ReduceMean", "max": "ReduceMax", "min": "ReduceMin", "prod": "ReduceProd", "logSumExp": "ReduceLogSumExp"}.items():
        case(name, node, [x], {"axis": axis}, [np.array([axis], np.int64)], keepdims=0)
    case("cumsum", "CumSum", [x], {"axis": axis}, [np.array(axis, np.int64)])
    case("topk", "TopK", [x], {"axis": axis, "k": 2}, [np.array([2], np.int64)], outputs=2, axis=axis)
case("matmul", "MatMul", [draw((2, 3, 4)), draw((4, 5))])
case("einsum", "Einsum", [draw((2, 3, 4)), draw((2, 4, 5))], {"equation": "bij,bjk->bik"}, equation="bij,bjk->bik")
case("einsum", "Einsum", [draw((2, 3)), draw((3, 4)), draw((4, 2))], {"equation": "ij,jk,kl->il"}, equation="ij,jk,kl->il")
case("det", "Det", [draw((2, 3, 3))])
case("take", "Gather", [x, np.array([[2, 0], [1, 1]], np.int64)], {"axis": 1}, axis=1)
case("takeAlongAxis", "GatherElements", [x, rng.integers(0, 4, (3, 2, 5))], {"axis": 1}, axis=1)
case("tile", "Tile", [draw((2, 3))], {"counts": [2, 3]}, [np.array([2, 3], np.int64)])
case("tril", "Trilu", [x], {"k": 1}, [np.array(1, np.int64)], upper=0)
case("triu", "Trilu", [x], {"k": -1}, [np.array(-1, np.int64)], upper=1)
case("pad", "Pad", [draw((2, 3))], {"widths": [[1, 2], [0, 3]], "value": 1.5}, [np.array([1, 0, 2, 3], np.int64), np.array(1.5, np.float32)])
for mode, ours in {"reflect": "reflect", "edge": "edge", "wrap": "wrap"}.items():
    case("padEdges", "Pad", [draw((4, 5))], {"widths": [[1, 2], [3, 0]], "mode": ours}, [np.array([1, 3, 2, 0], np.int64)], mode=mode)
image = draw((2, 4, 7, 6))
for o in [dict(), dict(strides=[2, 1], pads=[1, 1, 1, 1]), dict(dilations=[2, 2], group=2)]:
    w = draw((6, 4 // o.get("group", 1), 2, 3))
    ours = {k: v for k, v in {"stride": o.get("strides"), "padding": o.get("pads", [0, 0])[:2], "dilation": o.get("dilations"), "groups": o.get("group")}.items() if v is not None}
    case("conv2d", "Conv", [image, w], ours, **o)
case("conv1d", "Conv", [draw((2, 4, 9)), draw((6, 4, 3))], {"stride": 2, "padding": 1}, strides=[2], pads=[1, 1])
case("convTranspose2d", "ConvTranspose", [draw((2, 4, 5, 6)), draw((4, 3, 3, 2))], {"stride": [2, 3], "padding": [1, 0], "outputPadding": [1, 2]},
     strides=[2, 3], pads=[1, 0, 1, 0], output_padding=[1, 2])
case("maxPool2d", "MaxPool", [image], {"size": [2, 3], "stride": [2, 1]}, kernel_shape=[2, 3], strides=[2, 1])
case("avgPool2d", "AveragePool", [image], {"size": [2, 3], "stride": [2, 1], "padding": [1, 1]}, kernel_shape=[2, 3], strides=[2, 1], pads=[1, 1, 1, 1], count_include_pad=1)
case("resize", "Resize", [image], {"size": [9, 4], "mode": "bilinear"}, [None, None, np.array([2, 4, 9, 4], np.int64)], mode="linear", coordinate_transformation_mode="half_pixel")
case("resize", "Resize", [image], {"size": [9, 4], "mode": "nearest"}, [None, None, np.array([2, 4, 9, 4], np.int64)], mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")
index = np.array([[0, 1], [-1, -2], [2, 0]], np.int64)
case("gatherNd", "GatherND", [x, index])
places = rng.integers(0, 4, (3, 6, 5))
values = draw((3, 6, 5))
for reduction, ours in {"add": "sum", "mul": "prod", "max": "max", "min": "min"}.items():
    case("scatterReduce", "ScatterElements", [x, places, values], {"axis": 1, "reduce": ours}, axis=1, reduction=reduction)
target, at, rows = draw((4, 5)), np.array([[0], [2], [0]], np.int64), draw((3, 5))
case("scatterNdOnto", "ScatterND", [target, at, rows], reduction="add")
gain, shift = draw((5,)), draw((5,))
case("layerNorm", "LayerNormalization", [x, gain, shift], {"epsilon": 1e-3}, axis=-1, epsilon=1e-3)
channels, w4, b4, m4, v4 = draw((2, 4, 3, 2)), draw((4,)), draw((4,)), draw((4,)), draw((4,), 0.3, 2)
case("instanceNorm", "InstanceNormalization", [channels, w4, b4], epsilon=1e-5)
case("groupNorm", "GroupNormalization", [channels, w4, b4], {"groups": 2}, num_groups=2, epsilon=1e-5)
case("batchNorm", "BatchNormalization", [channels, w4, b4, m4, v4], epsilon=1e-5)
Path(__file__).with_name("onnx.json").write_text("[\n" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]\n")
