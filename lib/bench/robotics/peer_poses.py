"""A pose graph in the plane by SciPy; the first pose is held."""
import numpy as np
from scipy.sparse import csr_matrix

from peer_squares import by_least_squares, marquardt, sparse_normal_equations


def contenders(data):
    start = np.array(data["poses"]).reshape(-1, 3)
    a, b = np.array(data["from"]), np.array(data["to"])
    z = np.array(data["measurements"]).reshape(-1, 3)
    w = np.sqrt(np.array(data["information"]).reshape(-1, 3))  # information matrices are diagonal
    n, m = len(start), len(a)
    cz, sz = np.cos(z[:, 2]), np.sin(z[:, 2])
    # six columns to a row, of which those of the first pose are left out
    columns = np.concatenate([3 * a[:, None] + np.arange(3), 3 * b[:, None] + np.arange(3)], axis=1) - 3
    columns = np.repeat(columns[:, None, :], 3, axis=1).ravel()
    rows = np.repeat(np.arange(3 * m), 6)
    kept = columns >= 0

    def parts(x):
        p = np.concatenate([start[:1], x.reshape(-1, 3)])
        d = p[b, :2] - p[a, :2]
        ca, sa = np.cos(p[a, 2]), np.sin(p[a, 2])
        return p, ca, sa, ca * d[:, 0] + sa * d[:, 1], -sa * d[:, 0] + ca * d[:, 1]

    def residuals(x):
        p, _, _, ux, uy = parts(x)
        vx, vy = ux - z[:, 0], uy - z[:, 1]
        turn = p[b, 2] - p[a, 2] - z[:, 2]
        turn -= 2 * np.pi * np.round(turn / (2 * np.pi))
        return (w * np.stack([cz * vx + sz * vy, -sz * vx + cz * vy, turn], axis=1)).ravel()

    def jacobian(x):
        _, ca, sa, ux, uy = parts(x)
        c, s = cz * ca - sz * sa, cz * sa + sz * ca
        j = np.zeros((m, 3, 6))
        j[:, 0, 3], j[:, 0, 4], j[:, 1, 3], j[:, 1, 4] = c, s, -s, c
        j[:, 2, 5] = 1
        j[:, :, :3] = -j[:, :, 3:]
        j[:, 0, 2], j[:, 1, 2] = cz * uy - sz * ux, -sz * uy - cz * ux
        return csr_matrix(((w[:, :, None] * j).ravel()[kept], (rows[kept], columns[kept])),
                          shape=(3 * m, 3 * (n - 1)))

    x0 = start[1:].ravel()
    return {
        "scipy sparse": lambda: marquardt(*sparse_normal_equations(residuals, jacobian), x0),
        "scipy least_squares": lambda: by_least_squares(residuals, jacobian, x0, tr_solver="lsmr"),
    }
