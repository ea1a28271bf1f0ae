"""Bundle adjustment by SciPy: `least_squares`, and Levenberg-Marquardt with points eliminated by the Schur complement."""
import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse import bsr_matrix, csr_matrix

from peer_squares import by_least_squares, marquardt


def turn(w):
    """Rotation matrices of rotation vectors, and their right Jacobians: (n, 3, 3) each."""
    square = (w * w).sum(axis=1)
    angle = np.sqrt(square)
    small = angle < 1e-4
    safe = np.where(small, 1, angle)
    a = np.where(small, 1 - square / 6, np.sin(safe) / safe)
    b = np.where(small, 0.5 - square / 24, (1 - np.cos(safe)) / safe**2)
    c = np.where(small, 1 / 6 - square / 120, (safe - np.sin(safe)) / safe**3)
    k = np.zeros((len(w), 3, 3))
    k[:, 2, 1], k[:, 0, 2], k[:, 1, 0] = w.T
    k -= k.transpose(0, 2, 1)
    kk = k @ k
    one = np.eye(3)
    shape = (-1, 1, 1)
    return (one + a.reshape(shape) * k + b.reshape(shape) * kk, one - b.reshape(shape) * k + c.reshape(shape) * kk, k)


def contenders(data):
    cameras = np.array(data["cameras"]).reshape(-1, 9)
    points = np.array(data["points"]).reshape(-1, 3)
    ci, pi = np.array(data["cameraIndex"]), np.array(data["pointIndex"])
    seen = np.array(data["pixels"]).reshape(-1, 2)
    m, n, size = len(cameras), len(points), len(ci)
    x0 = np.concatenate([cameras.ravel(), points.ravel()])
    order = np.argsort(pi, kind="stable")
    firsts = np.searchsorted(pi[order], np.arange(n))
    pointers = np.arange(0, 2 * size + 1)
    camera_columns = np.repeat((9 * ci[:, None] + np.arange(9))[:, None, :], 2, axis=1)
    point_columns = np.repeat((3 * pi[:, None] + np.arange(3))[:, None, :], 2, axis=1)
    columns = np.concatenate([camera_columns, 9 * m + point_columns], axis=2).ravel()

    def project(x):
        c, p = x[:9 * m].reshape(-1, 9), x[9 * m:].reshape(-1, 3)[pi]
        r, right, _ = turn(c[:, :3])
        c, r = c[ci], r[ci]
        t = np.einsum("nij,nj->ni", r, p) + c[:, 3:6]
        uv = -t[:, :2] / t[:, 2:]
        s = (uv * uv).sum(axis=1)
        d = 1 + s * (c[:, 7] + c[:, 8] * s)
        return c, p, r, right, t, uv, s, d

    def residuals(x):
        c, _, _, _, _, uv, _, d = project(x)
        return ((c[:, 6] * d)[:, None] * uv - seen).ravel()

    def derivatives(x):
        """By cameras (size, 2, 9) and by points (size, 2, 3)."""
        c, p, r, right, t, uv, s, d = project(x)
        f, k1, k2 = c[:, 6], c[:, 7], c[:, 8]
        slope = 2 * f * (k1 + 2 * k2 * s)
        by_uv = slope[:, None, None] * uv[:, :, None] * uv[:, None, :]
        by_uv[:, 0, 0] += f * d
        by_uv[:, 1, 1] += f * d
        inverse = -1 / t[:, 2]
        by_t = np.empty((size, 2, 3))
        by_t[:, :, :2] = by_uv * inverse[:, None, None]
        by_t[:, :, 2] = np.einsum("nij,nj->ni", by_uv, uv) * inverse[:, None]
        jp = by_t @ r
        k = np.zeros((size, 3, 3))
        k[:, 2, 1], k[:, 0, 2], k[:, 1, 0] = p.T
        k -= k.transpose(0, 2, 1)
        jc = np.empty((size, 2, 9))
        jc[:, :, :3] = -jp @ (k @ right[ci])
        jc[:, :, 3:6] = by_t
        jc[:, :, 6] = d[:, None] * uv
        jc[:, :, 7] = (f * s)[:, None] * uv
        jc[:, :, 8] = (f * s * s)[:, None] * uv
        return jc, jp

    def jacobian(x):
        values = np.concatenate(derivatives(x), axis=2).ravel()
        return csr_matrix((values, columns, 12 * pointers), shape=(2 * size, 9 * m + 3 * n))

    def linearize(x):
        r = residuals(x)
        jc, jp = derivatives(x)
        v = np.add.reduceat((jp.transpose(0, 2, 1) @ jp)[order], firsts)
        sc = csr_matrix((jc.ravel(), camera_columns.ravel(), 9 * pointers), shape=(2 * size, 9 * m))
        sp = csr_matrix((jp.ravel(), point_columns.ravel(), 3 * pointers), shape=(2 * size, 3 * n))
        u = (sc.T @ sc).toarray()
        diagonal = np.concatenate([u.diagonal(), v[:, np.arange(3), np.arange(3)].ravel()])
        return (u, sc.T @ sp, v), np.concatenate([sc.T @ r, sp.T @ r]), diagonal, 0.5 * r @ r

    def cost_of(x):
        r = residuals(x)
        return 0.5 * r @ r

    def solve(system, gradient, damping):
        u, w, v = system
        v = v.copy()
        v[:, np.arange(3), np.arange(3)] += damping[9 * m:].reshape(-1, 3)
        inverse = bsr_matrix((np.linalg.inv(v), np.arange(n), np.arange(n + 1)), shape=(3 * n, 3 * n)).tocsr()
        y = w @ inverse
        s = u + np.diag(damping[:9 * m]) - (y @ w.T).toarray()
        gc, gp = gradient[:9 * m], gradient[9 * m:]
        dc = cho_solve(cho_factor(s, lower=True), y @ gp - gc)
        return np.concatenate([dc, inverse @ (-gp - w.T @ dc)])

    return {
        "scipy schur": lambda: marquardt(linearize, cost_of, solve, x0),
        "scipy least_squares": lambda: by_least_squares(residuals, jacobian, x0, tr_solver="lsmr"),
    }
