"""Expected values of nonlinear least squares, by SciPy. Run: python3 least_squares.py (numpy, scipy). Writes least_squares.json."""

import json
import pathlib

import numpy as np
import scipy
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

rng = np.random.default_rng(14)
TIGHT = dict(xtol=1e-15, ftol=1e-15, gtol=1e-13, x_scale="jac")


def decay():
    """y = a·exp(−b·t) + c with outliers, under several losses, and the covariance of the plain one."""
    t = np.linspace(0, 4, 40)
    y = 2.5 * np.exp(-1.3 * t) + 0.5 + 0.05 * rng.standard_normal(40)
    y[[5, 17, 30]] += [2.0, -1.5, 3.0]

    def residuals(p):
        return p[0] * np.exp(-p[1] * t) + p[2] - y

    fits = {}
    for loss in ["linear", "huber", "cauchy"]:
        fit = least_squares(residuals, [1.0, 1.0, 0.0], loss=loss, f_scale=0.1, **TIGHT)
        fits[loss] = {"x": fit.x.tolist(), "cost": fit.cost}
    linear = least_squares(residuals, [1.0, 1.0, 0.0], **TIGHT)
    covariance = np.linalg.inv(linear.jac.T @ linear.jac)
    return {"t": t.tolist(), "y": y.tolist(), "fits": fits, "covariance": covariance.ravel().tolist()}


def project(camera, point):
    """Snavely's camera of the BAL data sets: rotation vector, translation, focal length, two radial coefficients."""
    p = Rotation.from_rotvec(camera[:3]).apply(point) + camera[3:6]
    u = -p[:2] / p[2]
    r2 = u @ u
    return camera[6] * (1 + camera[7] * r2 + camera[8] * r2 * r2) * u


def bundle():
    """5 cameras on an arc, 24 points, each seen by 3 to 5 cameras; the first camera is held, as is one coordinate of scale."""
    points = rng.uniform(-1, 1, (24, 3))
    cameras = []
    for angle in np.linspace(-0.5, 0.5, 5):
        r = Rotation.from_rotvec([0, angle, 0])
        cameras.append([*r.as_rotvec(), 0.1 * angle, 0.05, -6.0, 500.0, -0.05, 0.01])
    cameras = np.array(cameras)
    seen = [(c, p) for p in range(24) for c in range(5) if (c + p) % 5 < 3 + p % 3]
    pixels = np.array([project(cameras[c], points[p]) for c, p in seen]) + 0.3 * rng.standard_normal((len(seen), 2))
    start_cameras = cameras + rng.standard_normal(cameras.shape) * [0.01] * 1
    start_cameras[:, 6:] = cameras[:, 6:] + rng.standard_normal((5, 3)) * [5, 0.005, 0.002]
    start_cameras[:2] = cameras[:2]
    start_points = points + 0.05 * rng.standard_normal(points.shape)

    # cameras 0 and 1 are held: that settles the frame and its scale
    def unpack(x):
        c = np.vstack([start_cameras[:2], x[:27].reshape(3, 9)])
        return c, x[27:].reshape(-1, 3)

    def residuals(x):
        c, p = unpack(x)
        return np.concatenate([project(c[i], p[j]) - z for (i, j), z in zip(seen, pixels)])

    x0 = np.concatenate([start_cameras[2:].ravel(), start_points.ravel()])
    fit = least_squares(residuals, x0, **TIGHT)
    return {
        "cameras": start_cameras.ravel().tolist(),
        "points": start_points.ravel().tolist(),
        "seen": [list(pair) for pair in seen],
        "pixels": pixels.ravel().tolist(),
        "initialCost": 0.5 * float(np.sum(residuals(x0) ** 2)),
        "cost": fit.cost,
        "x": fit.x.tolist(),
        # of the last three cameras, joint with the points
        "cameraCovariance": np.linalg.inv(fit.jac.T @ fit.jac)[:9, :9].ravel().tolist(),
    }


def wrap(a):
    return (a + np.pi) % (2 * np.pi) - np.pi


def poses():
    """A square loop of 12 poses in the plane with two closures; edges with standard deviations (0.1, 0.1, 0.05)."""
    truth = [np.zeros(3)]
    for k in range(11):
        x, y, h = truth[-1]
        turn = np.pi / 2 if k % 3 == 2 else 0.0
        truth.append(np.array([x + np.cos(h), y + np.sin(h), wrap(h + turn)]))

    def between(a, b):
        c, s = np.cos(a[2]), np.sin(a[2])
        d = b[:2] - a[:2]
        return np.array([c * d[0] + s * d[1], -s * d[0] + c * d[1], wrap(b[2] - a[2])])

    edges = [(k, k + 1) for k in range(11)] + [(0, 11), (2, 9)]
    sigma = np.array([0.1, 0.1, 0.05])
    measured = [between(truth[i], truth[j]) + sigma * rng.standard_normal(3) for i, j in edges]
    start = [truth[0]]
    for (i, j), z in zip(edges[:11], measured):
        x, y, h = start[i]
        start.append(np.array([x + np.cos(h) * z[0] - np.sin(h) * z[1], y + np.sin(h) * z[0] + np.cos(h) * z[1], wrap(h + z[2])]))

    def residuals(x):
        p = np.vstack([np.zeros(3), x.reshape(-1, 3)])
        out = []
        for (i, j), z in zip(edges, measured):
            e = between(p[i], p[j])
            c, s = np.cos(z[2]), np.sin(z[2])
            d = e[:2] - z[:2]
            # the error as a step from the measurement to the estimate, in the measured pose's frame
            out.append(np.array([c * d[0] + s * d[1], -s * d[0] + c * d[1], wrap(e[2] - z[2])]) / sigma)
        return np.concatenate(out)

    x0 = np.concatenate(start[1:])
    fit = least_squares(residuals, x0, **TIGHT)
    covariance = np.linalg.inv(fit.jac.T @ fit.jac)
    return {
        "start": np.concatenate(start).tolist(),
        "edges": [list(e) for e in edges],
        "measured": np.concatenate(measured).tolist(),
        "sigma": sigma.tolist(),
        "cost": fit.cost,
        "x": fit.x.tolist(),
        # of the last pose's x, y, heading in the world's frame
        "covariance": covariance[-3:, -3:].ravel().tolist(),
    }


out = {"scipy": scipy.__version__, "decay": decay(), "bundle": bundle(), "poses": poses()}
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(out))
