"""Arrays as NumPy 2.4 prints them.

Made once:  python lib/test/expected/printing.py   (writes printing.json beside itself)
"""
import json
from pathlib import Path

import numpy as np

rng = np.random.default_rng(3)
arrays = [
    np.array(3.0), np.array([1.0, 2.5, -3.25]), np.array([0.1, 0.2, 1 / 3]), np.array([1e-5, 1.0]), np.array([1.0, 2000.0, 0.5]),
    np.array([[1.0, np.nan], [np.inf, -np.inf]]), np.array([np.nan, np.nan]), np.array([1e10, 1.5]), np.array([123456789.0]),
    np.array([0.0, -0.0]), np.zeros((2, 3)), np.array([]), np.zeros((2, 0)), np.array([1, -20, 300], np.int32), np.arange(24, dtype=np.int32).reshape(2, 3, 4),
    np.arange(40, dtype=np.int32), np.array([2**53 + 1, -5], np.int64), np.arange(1500, dtype=np.int32), np.arange(3000, dtype=np.int32).reshape(50, 60),
    rng.standard_normal((3, 4)), rng.standard_normal((2, 2, 3)), rng.standard_normal((40, 40)), rng.standard_normal(12) * 1e3, rng.random(7) * 1e-6,
    np.array([1e-300, 1e300]), np.array([5e-324]), np.array([999.9999, 1.0]), np.array([1000.0, 1.0, 1001.5]), np.array([99999999.0]), np.array([0.30000000000000004]),
    np.array([True, False]), np.array(True), np.array([255, 0], np.uint8), np.array([-128, 127], np.int8),
    rng.standard_normal((2, 2, 2, 2)), np.array([[1e5, 2e5], [3e5, 1.5e5]]), np.array([np.inf]), np.array([1.0, np.inf]), np.array([1e-5, np.nan]), rng.standard_normal((5, 5, 500)),
]
arrays += [a.astype(np.float32) for a in arrays if a.dtype == np.float64 and a.size and not np.any(np.abs(a[np.isfinite(a)]) > 1e38)]
arrays += [a.astype(np.float16) for a in arrays if a.dtype == np.float64 and 0 < a.size < 40 and not np.any(np.abs(a[np.isfinite(a)]) > 6e4)]


def text(a):
    lines = np.array2string(a, separator=", ", prefix="tensor(").replace("True", "true").replace("False", "false")
    return lines


Path(__file__).with_name("printing.json").write_text("[\n" + ",\n".join(json.dumps({
    "shape": list(a.shape), "dtype": str(a.dtype), "text": text(a),
    "values": [str(v) for v in a.flatten().tolist()] if a.size < 100 else None,
    "base64": __import__("base64").b64encode(a.tobytes()).decode() if a.size >= 100 and a.size < 2000 and a.dtype.kind == "f" else None,
    "arange": a.size >= 100 and a.dtype.kind == "i",
}, separators=(",", ":")) for a in arrays if a.size < 2000 or a.dtype.kind == "i") + "\n]\n")
