"""EKF-SLAM with known landmarks in NumPy: P is touched only where motion and a measurement reach, and updated in place, in
the plain form or in Joseph's, which ours is."""
import numpy as np


def wrap(angle):
    return (angle + np.pi) % (2 * np.pi) - np.pi


def contenders(data):
    state0 = np.array(data["state"])
    n = len(state0)
    covariance0 = np.array(data["covariance"]).reshape(n, n)
    steps = data["steps"]
    alphas, deviations, dt = data["alphas"], data["deviations"], data["dt"]
    noise = np.diag(np.square(deviations))

    def run(joseph):
        x, p = state0.copy(), covariance0.copy()
        for step in steps:
            v, w = step["twist"]
            half = w * dt / 2
            sinc = 1 - half * half / 6 if abs(half) < 1e-4 else np.sin(half) / half
            slope = -half / 3 if abs(half) < 1e-4 else (np.cos(half) - sinc) / half
            c, s = np.cos(x[2] + half), np.sin(x[2] + half)
            dx, dy = v * dt * sinc * c, v * dt * sinc * s
            f = np.array([[1, 0, -dy], [0, 1, dx], [0, 0, 1]])
            by_w = dt / 2 * v * dt
            g = np.array([[dt * sinc * c, by_w * (slope * c - sinc * s)],
                          [dt * sinc * s, by_w * (slope * s + sinc * c)], [0, dt]])
            m = np.array([alphas[0] * v * v + alphas[1] * w * w, alphas[2] * v * v + alphas[3] * w * w])
            x[0] += dx
            x[1] += dy
            x[2] = wrap(x[2] + w * dt)
            p[:3] = f @ p[:3]
            p[:, :3] = p[:, :3] @ f.T
            p[:3, :3] += (g * m) @ g.T
            for landmark, distance, bearing in step["seen"]:
                at = 3 + 2 * landmark
                dx, dy = x[at] - x[0], x[at + 1] - x[1]
                q = dx * dx + dy * dy
                r = np.sqrt(q)
                h = np.array([[-dx / r, -dy / r, 0, dx / r, dy / r], [dy / q, -dx / q, -1, -dy / q, dx / q]])
                columns = [0, 1, 2, at, at + 1]
                cross = p[:, columns] @ h.T
                s = h @ cross[columns] + noise
                gain = np.linalg.solve(s, cross.T).T
                x += gain @ np.array([distance - r, wrap(bearing - np.arctan2(dy, dx) + x[2])])
                x[2] = wrap(x[2])
                p -= gain @ cross.T
                if joseph:
                    p -= (p[:, columns] @ h.T - gain @ noise) @ gain.T
                    p += p.T.copy()
                    p *= 0.5
        return lambda: {"state": x.tolist(), "variances": np.diag(p).tolist(), "amount": len(steps)}

    return {"numpy": lambda: run(False), "numpy, Joseph": lambda: run(True)}
