"""Writes rotations.json: what SciPy says of rotations, for the tests of quaternions, transforms and the transform buffer.

python rotations.py > rotations.json        (SciPy 1.11 or later)
"""
import json

import numpy as np
import scipy
from scipy.spatial.transform import Rotation, Slerp

rng = np.random.default_rng(14)
LIST = lambda value: np.asarray(value, dtype=float).tolist()  # noqa: E731


def one(rotation, other, vector, ratio):
    both = Rotation.concatenate([rotation, other])
    return {
        "a": LIST(rotation.as_quat()),
        "b": LIST(other.as_quat()),
        "vector": LIST(vector),
        "ratio": ratio,
        "euler": LIST(rotation.as_euler("xyz")),
        "rotvec": LIST(rotation.as_rotvec()),
        "matrix": LIST(rotation.as_matrix()),
        "product": LIST((rotation * other).as_quat()),
        "rotated": LIST(rotation.apply(vector)),
        "angle": float((rotation.inv() * other).magnitude()),
        "slerp": LIST(Slerp([0.0, 1.0], both)(ratio).as_quat()),
    }


cases = []
for _ in range(40):
    a, b = Rotation.random(2, random_state=rng)
    cases.append(one(a, b, rng.normal(size=3), float(rng.uniform())))
# close together, half a turn, near the poles of pitch, the four branches of the matrix
special = [
    (Rotation.identity(), Rotation.from_rotvec([1e-9, 0, 0])),
    (Rotation.from_rotvec([0.3, 0, 0]), Rotation.from_rotvec([0.3 + 1e-7, 0, 0])),
    (Rotation.from_rotvec([np.pi, 0, 0]), Rotation.from_rotvec([0, np.pi - 1e-3, 0])),
    (Rotation.from_rotvec([0, 0, np.pi - 1e-9]), Rotation.from_rotvec([0, 0.1, 0])),
    (Rotation.from_euler("xyz", [0.4, np.pi / 2 - 1e-4, -1.0]), Rotation.from_euler("xyz", [2.0, -np.pi / 2 + 1e-4, 1.0])),
    (Rotation.from_euler("xyz", [3.1, 0.2, -3.1]), Rotation.from_euler("xyz", [-3.1, -0.2, 3.1])),
]
for a, b in special:
    cases.append(one(a, b, rng.normal(size=3), float(rng.uniform())))

# a tree of frames, two times: map -> odom -> base -> {lidar, arm -> hand}
NAMES = [("odom", "map"), ("base", "odom"), ("lidar", "base"), ("arm", "base"), ("hand", "arm")]


def matrix(rotation, translation):
    out = np.eye(4)
    out[:3, :3] = rotation.as_matrix()
    out[:3, 3] = translation
    return out


tree, at = [], {}
ratio = 0.3
for name, parent in NAMES:
    rotations = Rotation.random(2, random_state=rng)
    translations = rng.normal(size=(2, 3)) * 3
    tree.append(
        {"name": name, "parent": parent, "rotations": LIST(rotations.as_quat()), "translations": LIST(translations)}
    )
    at[name] = (parent, matrix(Slerp([0.0, 1.0], rotations)(ratio), (1 - ratio) * translations[0] + ratio * translations[1]))


def to_root(name):
    out = np.eye(4)
    while name in at:
        parent, step = at[name]
        out, name = step @ out, parent
    return out


frames = ["map", *at]
lookups = [
    {"target": target, "source": source, "matrix": LIST(np.linalg.inv(to_root(target)) @ to_root(source))}
    for target in frames
    for source in frames
]
print(json.dumps({"scipy": scipy.__version__, "cases": cases, "ratio": ratio, "tree": tree, "lookups": lookups}))
