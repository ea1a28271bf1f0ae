"""Messages of ROS 2 and their bytes, made by rclpy: `ros_cdr.json`.

    python -m venv env && env/bin/pip install ros-rclpy ros-rmw-fastrtps-cpp ros-std-msgs ros-geometry-msgs \
        ros-sensor-msgs ros-nav-msgs ros-visualization-msgs ros-diagnostic-msgs
    LD_PRELOAD=./zero.so LD_LIBRARY_PATH=env/lib env/bin/python ros_cdr.py ros_cdr.json

Fast DDS leaves what lay in memory between fields: zero.so (gcc -shared -fPIC -fno-builtin -o zero.so ros_cdr_zero.c) gives zeros. Each type twice: as its constructor leaves it, and with seeded values. In JSON an integer of 64 bits is "n:…", a
number that JSON lacks "f:…".
"""

import importlib
import json
import math
import random
import struct
import sys

from rclpy.serialization import serialize_message
from rosidl_parser.definition import (
    AbstractNestedType,
    AbstractString,
    Array,
    BasicType,
    BoundedSequence,
    NamespacedType,
)

PACKAGES = [
    "action_msgs",
    "builtin_interfaces",
    "diagnostic_msgs",
    "geometry_msgs",
    "lifecycle_msgs",
    "nav_msgs",
    "rcl_interfaces",
    "rosgraph_msgs",
    "sensor_msgs",
    "std_msgs",
    "unique_identifier_msgs",
    "visualization_msgs",
]
RANGES = {
    "int8": (-128, 127),
    "uint8": (0, 255),
    "octet": (0, 255),
    "int16": (-(2**15), 2**15 - 1),
    "uint16": (0, 2**16 - 1),
    "int32": (-(2**31), 2**31 - 1),
    "uint32": (0, 2**32 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "uint64": (0, 2**64 - 1),
}
WORDS = ["", "a", "map", "Grüße", "机器人", "🤖", "x" * 70, "base_link/" + "é" * 40]
rng = random.Random(14)


def scalar(kind):
    name = kind.typename
    if name == "boolean":
        return rng.random() < 0.5
    if name in ("float", "double"):
        value = rng.choice([0.0, -0.0, 1.5, -2.25, 1e10, math.inf, math.nan, rng.uniform(-9, 9)])
        return struct.unpack("f", struct.pack("f", value))[0] if name == "float" else value
    low, high = RANGES[name]
    return rng.choice([low, high, rng.randint(low, high)])


def value(kind):
    """Python's value of a slot."""
    if isinstance(kind, AbstractNestedType):
        if isinstance(kind, Array):
            count = kind.size
        else:
            count = rng.choice([0, 1, 2, 3, 5])
            if isinstance(kind, BoundedSequence):
                count = min(count, kind.maximum_size)
        return [value(kind.value_type) for _ in range(count)]
    if isinstance(kind, NamespacedType):
        return filled(load("/".join(kind.namespaced_name())))
    if isinstance(kind, AbstractString):
        return rng.choice(WORDS)
    one = scalar(kind)
    return bytes([one]) if kind.typename == "octet" else one


def load(name):
    package, _, base = name.split("/")
    return getattr(importlib.import_module(f"{package}.msg"), base)


def filled(cls):
    message = cls()
    for field, kind in zip(message.get_fields_and_field_types(), cls.SLOT_TYPES):
        setattr(message, field, value(kind))
    return message


def plain(message):
    """The fields as JSON."""
    if not hasattr(message, "SLOT_TYPES"):
        return message
    fields = message.get_fields_and_field_types()
    return {
        field: as_json(getattr(message, field), kind) for field, kind in zip(fields, message.SLOT_TYPES)
    }


def as_json(given, kind):
    if isinstance(kind, AbstractNestedType):
        return [as_json(one, kind.value_type) for one in given]
    if isinstance(kind, NamespacedType):
        return plain(given)
    if isinstance(kind, AbstractString):
        return given
    if kind.typename == "octet":
        return given[0]
    if kind.typename in ("int64", "uint64"):
        return f"n:{int(given)}"
    if kind.typename in ("float", "double"):
        real = float(given)
        if not math.isfinite(real) or (real == 0 and math.copysign(1, real) < 0):
            return f"f:{real}"
        return real
    return bool(given) if isinstance(kind, BasicType) and kind.typename == "boolean" else int(given)


def main(path):
    cases = []
    for package in PACKAGES:
        module = importlib.import_module(f"{package}.msg")
        for base in sorted(name for name in dir(module) if name[0].isupper() and "_" not in name):
            cls = getattr(module, base)
            for message in (cls(), filled(cls)):
                cases.append(
                    {
                        "type": f"{package}/msg/{base}",
                        "message": plain(message),
                        "bytes": bytes(serialize_message(message)).hex(),
                    }
                )
    with open(path, "w") as out:
        out.write(json.dumps(cases, ensure_ascii=False, indent=1))


main(sys.argv[1])
