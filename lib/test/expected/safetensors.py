"""Both ways between this library and Hugging Face's safetensors: what train/safetensors.test.ts compares with.

Writes python.safetensors, which the library reads; reads mlsys.safetensors, which the library wrote, and notes what it
found in mlsys-read.json. Made once with safetensors 0.8 and NumPy:  python -P lib/test/expected/safetensors.py
"""
import json
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

HERE = Path(__file__).parent
save_file(
    {
        "weight": np.arange(6, dtype=np.float32).reshape(2, 3) / 4,
        "double": np.array([1 / 3, -0.0, np.inf, 5e-324]),
        "scalar": np.array(7, dtype=np.int32),
        "short": np.array([[-32768], [32767]], dtype=np.int16),
        "signed": np.array([-128, 127], dtype=np.int8),
        "bytes": np.array([0, 255, 3], dtype=np.uint8),
        "mask": np.array([True, False, True]),
        "empty": np.zeros((0, 4), dtype=np.float32),
        "größe ✓": np.array([2.5], dtype=np.float32),
    },
    HERE / "python.safetensors",
    metadata={"format": "np", "note": "écrit par Python"},
)

with safe_open(HERE / "mlsys.safetensors", framework="np") as file:
    found = {name: file.get_tensor(name) for name in file.keys()}
    read = {
        "metadata": file.metadata(),
        "tensors": {
            name: {"dtype": str(t.dtype), "shape": list(t.shape), "values": [str(v) for v in t.flatten().tolist()]}
            for name, t in sorted(found.items())
        },
    }
(HERE / "mlsys-read.json").write_text(json.dumps(read, indent=2) + "\n")
