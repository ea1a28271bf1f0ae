"""Numbers of 16 and 64 bits as NumPy and PyTorch round them, and NumPy's table of promotions.

Made once with NumPy 2 and PyTorch 2.13:  python lib/test/expected/dtypes.py   (writes dtypes.json beside itself)
"""
import json
from pathlib import Path

import numpy as np
import torch

names = ["float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8", "bool"]
rng = np.random.default_rng(5)
x = np.concatenate([
    rng.standard_normal(60),
    rng.standard_normal(40) * 10.0 ** rng.integers(-9, 9, 40),
    [0.0, -0.0, 1.0, 65504.0, 65519.99, 65520.0, 1e30, 2.0**-14, 2.0**-24, 2.0**-25, 3 * 2.0**-25, 6e-8,
     1 + 2.0**-11, 1 + 3 * 2.0**-11, 2049.0, 2051.0, 1 + 2.0**-8, 1 + 3 * 2.0**-8, 257.0, 259.0, 1e-40, 3.5e38],
]).astype(np.float32)  # PyTorch rounds to bfloat16 from float32
half = x.astype(np.float16)
brain = torch.from_numpy(x).to(torch.bfloat16)
long = np.array([0, 1, -1, 2**31, -(2**31) - 1, 2**53, -(2**53), 2**53 - 1, 2**40 + 7, -(2**40) - 7], np.int64)


def plain(values):
    return [v if np.isfinite(v) else str(v) for v in values.astype(np.float64).tolist()]


Path(__file__).with_name("dtypes.json").write_text(json.dumps({
    "promotions": {a: {b: str(np.promote_types(a, b)) for b in names} for a in names},
    "input": plain(x),
    "float16": {"values": plain(half), "codes": half.view(np.uint16).tolist()},
    "bfloat16": {"values": plain(brain.float().numpy()), "codes": brain.view(torch.int16).numpy().view(np.uint16).tolist()},
    "allFloat16": plain(np.arange(65536, dtype=np.uint16).view(np.float16)[::97]),
    "int64": {"values": long.tolist(), "bytes": list(long.tobytes())},
}, separators=(",", ":")) + "\n")
