"""Linear algebra as NumPy 2, SciPy 1.17 and PyTorch 2.13 do it in float64, degenerate matrices among them: what
lib/src/ops/linalg/linalg.test.ts compares with.

Made once on the CPU:  python lib/test/expected/linalg.py   (writes linalg.json beside itself)
"""
import json
from pathlib import Path

import numpy as np
import scipy.linalg
import torch

torch.set_default_dtype(torch.float64)
rng = np.random.default_rng(17)
t = torch.from_numpy


def draw(*shape):
    """Random values that a short decimal writes exactly."""
    return np.asarray(np.round(rng.uniform(-2, 2, shape), 2))


def dump(x):
    if isinstance(x, torch.Tensor): x = x.detach().numpy()
    x = np.asarray(x)
    plain = x.flatten().tolist()
    if x.dtype.kind == "f": plain = [float(f"{v:.15g}") if np.isfinite(v) else str(v) for v in plain]
    return {"shape": list(x.shape), "values": plain}


cases = []


def case(op, inputs, output, options=None):
    many = isinstance(output, (list, tuple))
    cases.append({"op": op, "inputs": [dump(x) for x in inputs], "options": options or {}, "outputs": [dump(y) for y in (output if many else [output])]})


def positive(x):
    return x @ np.swapaxes(x, -1, -2) + np.eye(x.shape[-1])


squares = [draw(3, 3), draw(1, 1), draw(2, 2, 3, 3), draw(0, 0), draw(0, 3, 3), draw(8, 8)]
for a in squares:
    case("det", [a], np.linalg.det(a))
    case("slogdet", [a], list(np.linalg.slogdet(a)))
    case("inv", [a], np.linalg.inv(a))
    case("expm", [a], scipy.linalg.expm(a) if a.size else a)
    case("cholesky", [positive(a)], np.linalg.cholesky(positive(a)))
    for n in (0, 1, 5, -3): case("matrixPower", [a], np.linalg.matrix_power(a, n), {"exponent": n})
    b = draw(*a.shape[:-1], 2)
    case("solve", [a, b], np.linalg.solve(a, b))
    for lower in (False, True):
        if a.ndim == 2 and a.size:
            r = a + 3 * np.eye(a.shape[-1])
            case("triangularSolve", [r, b], scipy.linalg.solve_triangular(r, b, lower=lower), {"lower": lower})
            case("triangularSolve", [r, b], scipy.linalg.solve_triangular(r, b, lower=lower, trans=1, unit_diagonal=True), {"lower": lower, "transpose": True, "unitDiagonal": True})
for scale in (1e-3, 30.0):
    a = np.round(scale * draw(4, 4), 5)
    case("expm", [a], torch.linalg.matrix_exp(t(a)))  # SciPy's loses three digits for the larger one
case("expm", [np.array([[0.0, 1], [0, 0]])], np.array([[1.0, 1], [0, 1]]))
a, b = draw(2, 3, 3) + 4 * np.eye(3), draw(3, 1)
case("solve", [a, b], np.linalg.solve(a, b))
singular = np.array([[1.0, 2, 3], [2, 4, 6], [1, 0, 1]])
case("det", [singular], 0.0 * np.linalg.det(singular))
case("slogdet", [np.array([[1.0, 2], [2, 4]])], [0.0, -np.inf])
large = 1e20 * draw(20, 20)  # its determinant is no number
case("slogdet", [large], list(np.linalg.slogdet(large)))

repeated = scipy.linalg.qr(draw(5, 5))[0]
repeated = repeated @ np.diag([1.0, 1, 1, 2, 2]) @ repeated.T
rectangles = {
    "tall": draw(5, 3), "wide": draw(3, 5), "square": draw(4, 4), "batch": draw(2, 3, 4, 2), "wide batch": draw(2, 2, 3), "row": draw(1, 4), "column": draw(4, 1),
    "empty": draw(0, 3), "no columns": draw(3, 0), "empty batch": draw(0, 3, 2), "rank 2 of 4": draw(6, 2) @ draw(2, 4), "zeros": np.zeros((3, 2)),
    "ones": np.ones((4, 4)), "identity": np.eye(3), "repeated": repeated, "hilbert": scipy.linalg.hilbert(8), "graded": np.diag([1.0, 1e-8, 1e-16]) @ draw(3, 3),
    "large": 1e150 * draw(3, 3), "small": 1e-150 * draw(3, 3), "nilpotent": np.diag(np.ones(3), 1), "equal columns": np.repeat(draw(5, 1), 3, 1),
}
for name, a in rectangles.items():
    o = {"name": name}
    case("svdvals", [a], np.linalg.svd(a, compute_uv=False), o)
    if name not in ("equal columns", "repeated", "hilbert", "rank 2 of 4", "ones", "nilpotent"):  # rounding decides the signs there
        case("qr", [a], list(np.linalg.qr(a)), o)
    case("pinv", [a], np.linalg.pinv(a, rcond=max(a.shape[-2:]) * 2.0**-52) if a.size else np.zeros((*a.shape[:-2], a.shape[-1], a.shape[-2])), o)
    if a.shape[-1] and a.shape[-2]: case("matrixRank", [a], np.linalg.matrix_rank(a, tol=None), o)
    if a.shape[-1] == a.shape[-2]:
        s = (a + np.swapaxes(a, -1, -2)) / 2
        case("eigvalsh", [s], np.linalg.eigvalsh(s), o)
    if a.ndim == 2 and a.size:
        b = draw(a.shape[0], 2)
        x, _, rank, s = np.linalg.lstsq(a, b, rcond=max(a.shape) * 2.0**-52)
        case("lstsq", [a, b], [x, ((a @ x - b) ** 2).sum(0), rank, s], o)
        whole = np.linalg.cond(a) < 1e9  # else the smallest singular value is rounding
        for ord in ("fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf):
            if ord == -2 and not whole: continue
            case("matrixNorm", [a], np.linalg.norm(a, ord), {"ord": str(ord) if isinstance(ord, str) else float(ord) if np.isfinite(ord) else str(ord)})
case("cond", [rectangles["tall"]], np.linalg.cond(rectangles["tall"]))
case("cond", [np.zeros((2, 2)) + np.diag([1.0, 0])], np.inf)
for p, q in [((2, 3), (3, 2)), ((2,), (3,)), ((2, 1, 2), (2, 3)), ((), (2, 2))]:
    a, b = draw(*p), draw(*q)
    case("kron", [a, b], np.kron(a, b))
for p, q, axis in [((3,), (3,), -1), ((4, 3), (3,), -1), ((3, 2), (3, 2), 0), ((2, 1, 3), (5, 3), -1)]:
    a, b = draw(*p), draw(*q)
    case("cross", [a, b], np.cross(a, b, axis=axis), {"axis": axis})


# Gradients by PyTorch: of Σ weights·outputs, with the signs of vectors settled as ours are.
gradients = []


def settled(u, *others):
    """The largest component of each column of u positive; `others` (columns too) turned along."""
    top = torch.take_along_dim(u, u.abs().argmax(-2, keepdim=True), -2)
    sign = torch.where(top < 0, -1.0, 1.0).detach()
    return [u * sign, *(o * sign for o in others)]


def svd(x):
    u, s, vt = torch.linalg.svd(x, full_matrices=False)
    u, v = settled(u, vt.mT)
    return [u, s, v.mT]


def eigh(x):
    w, v = torch.linalg.eigh((x + x.mT) / 2)
    return [w, *settled(v)]


def cholesky(x):
    return torch.linalg.cholesky((x + x.mT) / 2)


FUNCTIONS = {
    "det": torch.linalg.det, "slogdet": lambda x: list(torch.linalg.slogdet(x)), "inv": torch.linalg.inv, "pinv": torch.linalg.pinv, "expm": torch.linalg.matrix_exp,
    "qr": lambda x: list(torch.linalg.qr(x)), "svd": svd, "svdvals": lambda x: svd(x)[1], "eigh": eigh, "eigvalsh": lambda x: eigh(x)[0], "cholesky": cholesky,
    "solve": torch.linalg.solve, "lstsq": lambda a, b: torch.linalg.lstsq(a, b).solution, "matrixNormNuc": lambda x: torch.linalg.matrix_norm(x, "nuc"),
}


def gradient(op, *inputs, weights=None):
    xs = [t(x).requires_grad_() for x in inputs]
    ys = FUNCTIONS[op](*xs)
    ys = ys if isinstance(ys, list) else [ys]
    weights = [t(draw(*y.shape)) for y in ys] if weights is None else [t(np.array(weights))]
    loss = sum((y * w).sum() for y, w in zip(ys, weights))
    found = torch.autograd.grad(loss, xs)
    gradients.append({"op": op, "inputs": [dump(x) for x in inputs], "weights": [dump(w) for w in weights], "gradients": [dump(g) for g in found]})


for a in (draw(3, 3), draw(2, 2, 2), draw(5, 5)):
    b = draw(*a.shape[:-1], 2)
    for op in ("det", "slogdet", "inv", "pinv", "expm", "qr", "svd", "svdvals", "eigh", "eigvalsh", "matrixNormNuc"): gradient(op, a)
    gradient("cholesky", positive(a))
    gradient("solve", a, b)
for a in (draw(5, 3), draw(2, 4, 2), draw(3, 5), draw(2, 2, 4)):
    for op in ("qr", "svd", "svdvals", "pinv", "matrixNormNuc"): gradient(op, a)
    if a.shape[-2] > a.shape[-1]: gradient("lstsq", a, draw(*a.shape[:-1], 2))
# of equal values, a function that treats them alike has a derivative, though their vectors have none
gradient("svdvals", np.eye(3), weights=[1.0, 1, 1])
gradient("svdvals", np.diag([2.0, 2, 0.5]), weights=[0.5, 0.5, 2])
gradient("eigvalsh", np.diag([3.0, 1, 3]), weights=[2.0, -1, -1])
gradient("eigvalsh", np.eye(3), weights=[0.5, 0.5, 0.5])
gradient("eigvalsh", repeated, weights=[1.0, 1, 1, 3, 3])
# where PyTorch divides by the determinant, 0, minors say what is right
for a in (singular, np.array([[1.0, 2], [2, 4]]), np.diag([2.0, 3, 0]), np.diag([2.0, 0, 0])):
    n = len(a)
    minor = lambda i, j: np.linalg.det(np.delete(np.delete(a, i, 0), j, 1))
    found = np.array([[(-1) ** (i + j) * minor(i, j) for j in range(n)] for i in range(n)])
    gradients.append({"op": "det", "inputs": [dump(a)], "weights": [dump(1.0)], "gradients": [dump(found)]})
Path(__file__).with_name("linalg.json").write_text(
    "{\"cases\":[\n" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n],\n\"gradients\":[\n"
    + ",\n".join(json.dumps(c, separators=(",", ":")) for c in gradients) + "\n]}\n")
