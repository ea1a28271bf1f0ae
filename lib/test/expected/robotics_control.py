"""Control as SciPy 1.17 computes it: Riccati and Lyapunov equations, zero-order hold; and quadratic programs, among them
those of predictive control, as quadprog 0.1.13 (Goldfarb and Idnani's own algorithm, in C) solves them.

Made once on the CPU:  python lib/test/expected/robotics_control.py   (writes robotics_control.json beside itself)
"""
import json
from pathlib import Path

import numpy as np
import quadprog
import scipy.linalg as la
from scipy.signal import cont2discrete

rng = np.random.default_rng(14)
draw = lambda *shape: np.round(rng.uniform(-1, 1, shape), 2)


def plain(x):
    return np.vectorize(lambda v: float(f"{v:.15g}"))(np.asarray(x, dtype=float)).tolist()


riccati = []
for n, m in [(1, 1), (2, 1), (3, 2), (4, 2), (6, 3), (8, 2)]:
    a, b = draw(n, n) * 1.3, draw(n, m)
    g = draw(n, n)
    q, r = np.round(g @ g.T + 0.1 * np.eye(n), 4), np.eye(m) + 0.5
    s = 0.05 * draw(n, m)
    riccati.append({
        "a": plain(a), "b": plain(b), "q": plain(q), "r": plain(r), "s": plain(s),
        "dare": plain(la.solve_discrete_are(a, b, q, r)),
        "dareCross": plain(la.solve_discrete_are(a, b, q, r, s=s)),
        "care": plain(la.solve_continuous_are(a, b, q, r)),
        "careCross": plain(la.solve_continuous_are(a, b, q, r, s=s)),
    })

lyapunov = []
for n in [1, 2, 3, 5]:
    a = draw(n, n)
    stable = np.round(0.9 * a / max(abs(np.linalg.eigvals(a))), 4)
    hurwitz = np.round(a - (max(np.linalg.eigvals(a).real) + 0.3) * np.eye(n), 4)
    g = draw(n, n)
    q = np.round(g @ g.T, 4)
    lyapunov.append({
        "stable": plain(stable), "hurwitz": plain(hurwitz), "q": plain(q),
        "discrete": plain(la.solve_discrete_lyapunov(stable.T, q)),
        "continuous": plain(la.solve_continuous_lyapunov(hurwitz.T, -q)),
    })

holds = []
for n, m, dt in [(2, 1, 0.1), (4, 2, 0.5)]:
    a, b = draw(n, n), draw(n, m)
    ad, bd, *_ = cont2discrete((a, b, np.eye(n), np.zeros((n, m))), dt)
    holds.append({"a": plain(a), "b": plain(b), "dt": dt, "ad": plain(ad), "bd": plain(bd)})

programs = []
for n, m, equations in [(2, 3, 0), (4, 6, 1), (6, 12, 2), (10, 20, 3), (12, 8, 0)]:
    g = draw(n, n)
    p, q, a = np.round(g @ g.T + 0.05 * np.eye(n), 4), draw(n) * 3, draw(m, n)
    inside = draw(n)
    lower = np.round(a @ inside - rng.uniform(0.01, 0.5, m), 3)
    upper = np.round(a @ inside + rng.uniform(0.01, 0.5, m), 3)
    lower[:equations] = upper[:equations] = np.round(a @ inside, 3)[:equations]
    # quadprog: min 1/2 x'Gx - a'x, C'x >= b, the first meq are equations
    c = np.vstack([a[:equations], a[equations:], -a[equations:]])
    d = np.concatenate([lower, -upper[equations:]])
    x, value, *_ = quadprog.solve_qp(p, -q, c.T, d, equations)
    programs.append({"p": plain(p), "q": plain(q), "a": plain(a), "lower": plain(lower), "upper": plain(upper), "x": plain(x), "objective": float(f"{value:.15g}")})


def mpc(a, b, q, r, horizon, x0, umax, xmax):
    """The condensed program, written here once more."""
    n, m = b.shape
    final = la.solve_discrete_are(a, b, q, r)
    gamma = np.zeros((horizon * n, horizon * m))
    phi = np.vstack([np.linalg.matrix_power(a, k + 1) for k in range(horizon)])
    for i in range(horizon):
        for j in range(i + 1):
            gamma[i * n:(i + 1) * n, j * m:(j + 1) * m] = np.linalg.matrix_power(a, i - j) @ b
    weight = la.block_diag(*[q] * (horizon - 1), final)
    h = gamma.T @ weight @ gamma + np.kron(np.eye(horizon), r)
    f = gamma.T @ weight @ phi @ x0
    c = np.vstack([np.eye(horizon * m), -np.eye(horizon * m), gamma, -gamma])
    free = phi @ x0
    bound = np.tile(xmax, horizon)
    d = np.concatenate([np.full(2 * horizon * m, -umax), -bound - free, -bound + free])
    keep = np.isfinite(d)
    u, *_ = quadprog.solve_qp((h + h.T) / 2, -f, c[keep].T, d[keep])
    return u.reshape(horizon, m)


predictive = []
a, b = np.array([[1, 0.1], [0, 1]]), np.array([[0.005], [0.1]])
for horizon, x0 in [(5, [1, 0]), (20, [3, 0]), (40, [5, -1])]:
    q, r = np.diag([1.0, 0.1]), np.array([[0.1]])
    u = mpc(a, b, q, r, horizon, np.array(x0, float), 1.0, np.array([np.inf, 1.0]))
    predictive.append({"a": plain(a), "b": plain(b), "q": plain(q), "r": plain(r), "horizon": horizon, "x0": x0, "umax": 1.0, "vmax": 1.0, "inputs": plain(u)})

out = {"riccati": riccati, "lyapunov": lyapunov, "holds": holds, "programs": programs, "predictive": predictive}
Path(__file__).with_suffix(".json").write_text(json.dumps(out) + "\n")
