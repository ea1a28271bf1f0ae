"""What SciPy's lfilter makes of noise with the coefficients of torchaudio's lowpass_biquad. Once: pip install scipy numpy; python audio.py"""

import json
import math
import os

import numpy as np
from scipy.signal import lfilter

here = os.path.dirname(os.path.abspath(__file__))
wave = (np.random.default_rng(7).random((2, 60)) * 2 - 1).astype(np.float32)


def lowpass(rate, cutoff, q):
    w0 = 2 * math.pi * cutoff / rate
    alpha = math.sin(w0) / 2 / q
    b = [(1 - math.cos(w0)) / 2, 1 - math.cos(w0), (1 - math.cos(w0)) / 2]
    a = [1 + alpha, -2 * math.cos(w0), 1 - alpha]
    return np.clip(lfilter(b, a, wave.astype(np.float64)), -1, 1)


cases = [
    {"rate": rate, "cutoff": cutoff, "q": q, "result": lowpass(rate, cutoff, q).tolist()}
    for rate, cutoff, q in ((16000, 300.0, 0.707), (8000, 3000.0, 0.707), (44100, 1000.0, 5.0), (8000, 100.0, 0.3))
]
with open(f"{here}/audio.json", "w") as out:
    json.dump({"wave": wave.tolist(), "lowpass": cases}, out, separators=(",", ":"))
    out.write("\n")
