"""Quantiles and probabilities of the chi-squared distribution, by SciPy. Run: python3 statistics.py. Writes chi_squared.json."""

import json
import pathlib

from scipy.stats import chi2

rows = []
for degrees in [1, 2, 3, 6, 30, 150, 3000]:
    for p in [1e-6, 0.025, 0.5, 0.95, 0.99, 0.999999]:
        x = chi2.ppf(p, degrees)
        rows.append([degrees, p, x, chi2.cdf(x, degrees)])
pathlib.Path(__file__).with_name("chi_squared.json").write_text(json.dumps(rows))
