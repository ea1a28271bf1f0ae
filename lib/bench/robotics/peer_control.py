"""Predictive control of a linear system by OSQP, which keeps its factors and starts from the plan before, and by SciPy's SLSQP."""
import time

import numpy as np
import osqp
from scipy import sparse
from scipy.optimize import minimize

INFINITY = 1e30


def contenders(data):
    a, b = np.array(data["a"]), np.array(data["b"])
    (n, m), steps = b.shape, data["horizon"]
    q, r, wanted = np.array(data["q"]), np.array(data["r"]), np.array(data["wanted"])
    starts = np.array(data["starts"])
    lower_u, upper_u = np.array(data["lowerInput"]), np.array(data["upperInput"])
    lower_x = np.array([-INFINITY if v is None else v for v in data["lowerState"]])
    upper_x = np.array([INFINITY if v is None else v for v in data["upperState"]])

    # unknowns x0 ... xN, u0 ... uN-1, as in OSQP's own example
    p = sparse.block_diag([sparse.kron(sparse.eye(steps + 1), q), sparse.kron(sparse.eye(steps), r)], format="csc")
    linear = np.concatenate([np.tile(-q @ wanted, steps + 1), np.zeros(steps * m)])
    on_states = sparse.kron(sparse.eye(steps + 1), -sparse.eye(n)) + sparse.kron(sparse.eye(steps + 1, k=-1), a)
    on_inputs = sparse.kron(sparse.vstack([sparse.csc_matrix((1, steps)), sparse.eye(steps)]), b)
    # bounds are of what has bounds: x1 ... xN, all u
    bounded = np.flatnonzero((lower_x > -INFINITY) | (upper_x < INFINITY))
    some = sparse.csc_matrix((np.ones(len(bounded)), (np.arange(len(bounded)), bounded)), shape=(len(bounded), n))
    later = sparse.hstack([sparse.csc_matrix((steps, 1)), sparse.eye(steps)])
    rows = sparse.vstack([
        sparse.hstack([on_states, on_inputs]),
        sparse.hstack([sparse.kron(later, some), sparse.csc_matrix((steps * len(bounded), steps * m))]),
        sparse.hstack([sparse.csc_matrix((steps * m, (steps + 1) * n)), sparse.eye(steps * m)]),
    ], format="csc")
    rest_l = np.concatenate([np.zeros(steps * n), np.tile(lower_x[bounded], steps), np.tile(lower_u, steps)])
    rest_u = np.concatenate([np.zeros(steps * n), np.tile(upper_x[bounded], steps), np.tile(upper_u, steps)])
    solver = osqp.OSQP()
    solver.setup(p, linear, rows, np.concatenate([-starts[0], rest_l]), np.concatenate([-starts[0], rest_u]),
                 verbose=False, eps_abs=data["tolerance"], eps_rel=data["tolerance"], max_iter=100_000)

    def by_osqp():
        plans = []
        for x in starts:
            solver.update(l=np.concatenate([-x, rest_l]), u=np.concatenate([-x, rest_u]))
            found = solver.solve()
            if found.info.status != "solved":
                raise RuntimeError(found.info.status)
            plans.append(found.x[-steps * m:])
        return lambda: {"plans": [plan.tolist() for plan in plans], "amount": len(plans)}

    # inputs alone: x = phi x0 + gamma u
    powers = [np.eye(n)]
    for _ in range(steps):
        powers.append(a @ powers[-1])
    phi = np.vstack(powers[1:])
    gamma = np.zeros((steps * n, steps * m))
    for i in range(steps):
        for j in range(i + 1):
            gamma[i * n:(i + 1) * n, j * m:(j + 1) * m] = powers[i - j] @ b
    weights = np.kron(np.eye(steps), q)
    hessian = gamma.T @ weights @ gamma + np.kron(np.eye(steps), r)
    some_rows = (n * np.arange(steps)[:, None] + bounded).ravel()
    g = gamma[some_rows]
    low, high = np.tile(lower_x[bounded], steps), np.tile(upper_x[bounded], steps)
    has_low, has_high = low > -INFINITY, high < INFINITY
    slopes = np.vstack([g[has_low], -g[has_high]])
    box = list(zip(np.tile(lower_u, steps), np.tile(upper_u, steps)))

    def by_slsqp():
        ends = time.monotonic() + data["limit"]

        def watch(_):
            if time.monotonic() > ends:
                raise TimeoutError(f"a solve took more than {data['limit']} s")

        plans, guess = [], np.zeros(steps * m)
        for x in starts[:data["few"]]:
            free = phi @ x
            f = gamma.T @ (weights @ (free - np.tile(wanted, steps)))
            at = free[some_rows]
            constants = np.concatenate([(at - low)[has_low], (high - at)[has_high]])
            found = minimize(
                lambda u: 0.5 * u @ (hessian @ u) + f @ u, guess, jac=lambda u: hessian @ u + f, method="SLSQP",
                bounds=box, callback=watch, options={"maxiter": 2000, "ftol": 1e-9},
                constraints={"type": "ineq", "fun": lambda u: slopes @ u + constants, "jac": lambda u: slopes})
            if not found.success:
                raise RuntimeError(found.message)
            plans.append(found.x)
            guess = np.concatenate([found.x[m:], found.x[-m:]])
        return lambda: {"plans": [plan.tolist() for plan in plans], "amount": len(plans)}

    return {"osqp": by_osqp, "scipy slsqp": by_slsqp}
