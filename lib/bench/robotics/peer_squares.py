"""Least squares by SciPy: `least_squares` with sparse derivatives, and Levenberg-Marquardt on sparse normal equations."""
import numpy as np
from scipy.optimize import least_squares
from scipy.sparse import diags
from scipy.sparse.linalg import splu

TOLERANCE = 1e-8


def by_least_squares(residuals, jacobian, start, **options):
    """`options` say what the trust region's step is solved with."""
    found = least_squares(residuals, start, jac=jacobian, method="trf", x_scale="jac",
                          ftol=TOLERANCE, xtol=TOLERANCE, gtol=TOLERANCE, **options)
    return {"cost": float(found.cost)}


def marquardt(linearize, cost_of, solve, start, most=100):
    """Damping as in Madsen, Nielsen & Tingleff 2004. `linearize(x)` gives (system, gradient, diagonal, cost)."""
    x = start
    system, gradient, diagonal, cost = linearize(x)
    damping, growth = 1e-4, 2.0
    for _ in range(most):
        scale = np.clip(diagonal, 1e-6, 1e32)
        step = solve(system, gradient, damping * scale)
        moved = x + step
        new = cost_of(moved)
        promised = 0.5 * step @ (damping * scale * step - gradient)
        if new < cost and promised > 0:
            gain, decrease = (cost - new) / promised, cost - new
            x, cost = moved, new
            damping *= max(1 / 3, 1 - (2 * gain - 1) ** 3)
            growth = 2.0
            if decrease <= TOLERANCE * cost:
                break
            system, gradient, diagonal, cost = linearize(x)
        else:
            damping *= growth
            growth *= 2
        if np.linalg.norm(step) <= TOLERANCE * (np.linalg.norm(x) + TOLERANCE):
            break
    return {"cost": float(cost)}


def sparse_normal_equations(residuals, jacobian):
    """`linearize`, `cost_of` and `solve` of `marquardt` with SuperLU on JᵀJ."""
    def linearize(x):
        r, j = residuals(x), jacobian(x)
        h = (j.T @ j).tocsc()
        return h, j.T @ r, h.diagonal(), 0.5 * r @ r

    def cost_of(x):
        r = residuals(x)
        return 0.5 * r @ r

    def solve(h, gradient, damping):
        factors = splu((h + diags(damping)).tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0,
                       options={"SymmetricMode": True})
        return factors.solve(-gradient)

    return linearize, cost_of, solve
