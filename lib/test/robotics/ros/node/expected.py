"""Writes expected.json beside this file: what rclpy makes of names, remapping rules, parameter files and ranges.

Run with ROS 2's Python packages (`pip install ros-rclpy ros-rmw-fastrtps-cpp`): python expected.py
"""

import json
import math
import pathlib
import tempfile

import rclpy
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import NameValidationException
from rclpy.expand_topic_name import expand_topic_name
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSPresetProfiles
from rclpy.validate_full_topic_name import validate_full_topic_name
from rclpy.validate_namespace import validate_namespace
from rclpy.validate_node_name import validate_node_name
from rclpy.validate_topic_name import validate_topic_name

TOPICS = """chatter /a/b ~ ~/a ~a a~ a//b 1a a/1b a/ {node}/x {no no} {1a} {a-b} {a{b}} / _a a__b //a /~/a a-b a.b
    a/~ {node}{ns} {} }{ /{node} a/{ns}/b /a/{node}_x A/B9 é""".split() + ["", "a b", "a" * 300]
FULL = """/a a /a//b / /a/1 /a/ /~/a /a_b/C9 /a-b //a""".split() + ["", "/" + "a" * 246, "/" + "a" * 247]
NODES = """a 1a a/b a-b _x A9 ~ a.b é""".split() + ["", "a" * 255, "a" * 256]
NAMESPACES = """/ a /a/ /a//b /1a /a-b /~ /a /a/b_9 //""".split() + ["", "/" + "a" * 244, "/" + "a" * 245]

EXPAND = [(t, "node", ns) for ns in ("/", "/ns", "/a/b")
          for t in ("chatter", "/chatter", "~", "~/chatter", "{node}/x", "/{node}_x", "~/{ns}", "a/{namespace}", "{foo}/a")]

REMAPS = [
    (["chatter:=talk"], ["chatter", "/chatter", "/ns/chatter", "~/chatter", "other"]),
    (["/ns/chatter:=/talk"], ["chatter", "/chatter", "/ns/chatter"]),
    (["~/state:=pose"], ["~/state", "state", "/ns/node/state"]),
    (["chatter:=~/talk"], ["chatter"]),
    (["node:chatter:=a", "other:chatter:=b"], ["chatter"]),
    (["other:chatter:=b", "chatter:=c", "chatter:=d"], ["chatter"]),
    (["a:=b", "b:=c"], ["a", "b", "c"]),
    (["rostopic://chatter:=t", "rosservice://chatter:=s"], ["chatter"]),
    (["__node:=renamed", "~/x:=y"], ["~/x", "~/z"]),
    (["__ns:=/other", "x:=y"], ["x", "/ns/x", "/other/x"]),
    (["node:__node:=renamed", "renamed:x:=y", "node:z:=w"], ["x", "z"]),
    (["node:__ns:=/other", "no:__node:=no"], ["x"]),
    (["/a/b:=c"], ["/a/b", "a/b", "/a/b/c"]),
]

RULES = """x:=~ ~:=x x:=~/y x:={node}/y {node}/x:=y a:=b a:= :=b a a:b a:b:=c a:b:c:=d __ns:=relative __ns:=/ns __node:=a/b __node:=x 1a:=b a:=1b a//b:=c
    a/:=b /:=b a:=/ ~:=a ~/a:=b a:=~/b rostopic://a:=b rosservice:///a:=b rostopic://a:=rostopic://b node:__ns:=/x **:=x
    a-b:=c a:=b-c __name:=y a:=b:=c""".split()

YAML = {
    "types": """
/**:
  ros__parameters:
    yes: yes
    off: off
    y: y
    n: "n"
    int: 42
    hex: 0x1F
    octal: 017
    negative: -7
    plus: +5
    big: 9007199254740993
    double: 1.0
    point: 1.
    leading: .5
    exponent: 1e3
    inf: .inf
    minus_inf: -.inf
    nan: .nan
    text: hello world
    quoted: "42"
    single: '1.5'
    version: 1.2.3
    date: 2024-01-01
    string_tag: !!str 42
    bools: [true, no, on]
    ints: [1, 2, 0x10]
    doubles: [1.0, 2.5]
    strings: [a, "1", b]
    nested: {a: 1, b: {c: two}}
    dotted.name: 3
    block: |
      two
      lines
""",
    "wildcards": """
/**:
  ros__parameters: {all: 1, order: first}
/*:
  ros__parameters: {root: 1}
/ns/*:
  ros__parameters: {in_ns: 1}
/ns/**:
  ros__parameters: {below_ns: 1}
/**/node:
  ros__parameters: {by_name: 1}
/*/node:
  ros__parameters: {one_above: 1}
node:
  ros__parameters: {bare: 1}
/ns/node:
  ros__parameters: {exact: 1, order: last}
/ns:
  node:
    ros__parameters: {tree: 1}
  sub:
    node:
      ros__parameters: {deeper: 1}
""",
}
OWNERS = [("node", "/"), ("node", "/ns"), ("node", "/ns/sub"), ("other", "/ns")]

ARGUMENTS = [
    ["-p", "x:=1"], ["-p", "x:=1.0"], ["-p", "x:=true"], ["-p", "x:=hello"], ["-p", "x:='5'"], ["-p", "x:=[1, 2]"],
    ["-p", "node:x:=2"], ["-p", "other:x:=3"], ["-p", "x:=1", "-p", "x:=2"], ["-p", "a.b:=c"], ["-p", "x:=a:b"],
    ["-p", "x:=[1, 2.5]"], ["-p", "x:=[]"], ["-p", "x:="], ["-p", "x:={y: 1, z: {w: two}}"], ["-p", "x"], ["-p", ":=1"],
    ["-p", "x:=nope", "-p", "x:=~"], ["-p", "x:=''"], ["-p", "x:=[[1]]"], ["-p", "/ns/node:x:=4"], ["-p", "x:=1e400"],
    ["-p", "x:=99999999999999999999"], ["-p", "x:=0x"], ["-p", "x:=08"], ["-p", "x:=1_000"], ["-p", "x:=1.5.2"],
    ["-p", "x:=nan"], ["-p", "x:=inf"], ["-p", "x:=+.5"], ["-p", "x:=1e"], ["-p", "x:=-"], ["-p", "x:=null"],
]

OWN = ["use_sim_time", "start_type_description_service"]
LISTED = ["a", "a.b", "a.b.c", "ab", "x.y", "x.y.z.w"]
LIST = [(prefixes, depth) for prefixes in ([], ["a"], ["a.b"], ["x"], ["a", "x.y"], ["b"]) for depth in (0, 1, 2, 3)]

RANGES = [
    ("integer", (0, 10, 3), [-1, 0, 3, 4, 9, 10, 11]),
    ("integer", (0, 10, 0), [-1, 0, 5, 10, 11]),
    ("integer", (10, 0, 4), [0, 4, 5, 10]),
    ("double", (0.0, 1.0, 0.1), [-0.1, 0.0, 0.1, 0.3, 0.35, 0.7, 1.0, 1.0000001, 1.1, math.inf]),
    ("double", (-1.0, 1.0, 0.0), [-1.0, 0.123, 1.0, 1.5]),
    ("double", (2.0, 5.0, 2.0), [2.0, 4.0, 5.0, 3.0]),
]


def problem(validate, name):
    try:
        validate(name)
    except NameValidationException as error:
        return str(error).splitlines()[-1].index("^") - 3  # under the name, which stands two blanks and a quote in
    return None


def outcome(function):
    try:
        return function()
    except Exception:
        return None


def profiles():
    """Fast DDS's own for what is left to the middleware, and what means no limit, are left out: None."""
    rows = {}
    for name in ("DEFAULT", "SENSOR_DATA", "SERVICES_DEFAULT", "PARAMETERS", "PARAMETER_EVENTS", "ROSOUT_DEFAULT",
                 "ACTION_STATUS_DEFAULT"):
        profile = QoSPresetProfiles[name].value
        rows[name.lower()] = {
            "history": profile.history.name.lower(), "depth": profile.depth,
            "reliability": profile.reliability.name.lower(), "durability": profile.durability.name.lower(),
            "lifespan": profile.lifespan.nanoseconds / 1e9 or None, "deadline": profile.deadline.nanoseconds / 1e9 or None,
        }
    return rows


def value(parameter):
    kind = parameter.type_.name.lower()
    number = parameter.value
    def one(v):
        return str(v) if isinstance(v, float) and not math.isfinite(v) else str(v) if kind.startswith("integer") else v
    return [kind, [one(v) for v in number] if kind.endswith("array") else one(number)]


def parameters(owner, arguments):
    node = Node(owner[0], namespace=owner[1], cli_args=["--ros-args", *arguments], enable_rosout=False,
                start_parameter_services=False, automatically_declare_parameters_from_overrides=True)
    found = {name: value(p) for name, p in sorted(node.get_parameters_by_prefix("").items()) if name not in OWN}
    node.destroy_node()
    return found


def remapped(rules, names):
    arguments = ["--ros-args"] + [a for rule in rules for a in ("-r", rule)]
    node = Node("node", namespace="/ns", cli_args=arguments, enable_rosout=False, start_parameter_services=False)
    result = {
        "rules": rules, "node": node.get_name(), "namespace": node.get_namespace(),
        "topics": {name: node.resolve_topic_name(name) for name in names},
        "services": {name: node.resolve_service_name(name) for name in names},
    }
    node.destroy_node()
    return result


def listed():
    node = Node("lister", enable_rosout=False, start_parameter_services=False)
    rows = []
    for name in LISTED:
        node.declare_parameter(name, 1)
    for prefixes, depth in LIST:
        result = node.list_parameters(prefixes, depth)
        rows.append({"prefixes": prefixes, "depth": depth, "names": [n for n in result.names if n in LISTED], "found": list(result.prefixes)})
    node.destroy_node()
    return rows


def ranges():
    node = Node("ranger", enable_rosout=False, start_parameter_services=False)
    rows = []
    for i, (kind, (low, high, step), values) in enumerate(RANGES):
        field = IntegerRange if kind == "integer" else FloatingPointRange
        bounds = [field(from_value=low, to_value=high, step=step)]
        descriptor = ParameterDescriptor(**{"integer_range" if kind == "integer" else "floating_point_range": bounds})
        node.declare_parameter(f"p{i}", low, descriptor)
        accepted = [node.set_parameters([Parameter(f"p{i}", value=v)])[0].successful for v in values]
        rows.append({"type": kind, "from": low, "to": high, "step": step,
                     "values": [str(v) for v in values], "accepted": accepted})
    node.destroy_node()
    return rows


rclpy.init()
with tempfile.TemporaryDirectory() as folder:
    files = {}
    for name, text in YAML.items():
        path = pathlib.Path(folder, f"{name}.yaml")
        path.write_text(text)
        files[name] = {"text": text, "nodes": [
            {"name": o[0], "namespace": o[1], "parameters": parameters(o, ["--params-file", str(path)])} for o in OWNERS]}

expected = {
    "topics": {n: problem(validate_topic_name, n) for n in TOPICS},
    "full": {n: problem(validate_full_topic_name, n) for n in FULL},
    "nodes": {n: problem(validate_node_name, n) for n in NODES},
    "namespaces": {n: problem(validate_namespace, n) for n in NAMESPACES},
    "expand": [{"name": t, "node": n, "namespace": ns, "full": outcome(lambda: expand_topic_name(t, n, ns))}
               for t, n, ns in EXPAND],
    "remaps": [remapped(rules, names) for rules, names in REMAPS],
    "refused": [rule for rule in RULES if outcome(lambda: remapped([rule], [])) is None],
    "rules": RULES,
    "files": files,
    "qos": profiles(),
    "arguments": [{"arguments": a, "parameters": outcome(lambda: parameters(("node", "/ns"), a))} for a in ARGUMENTS],
    "listed": {"declared": LISTED, "rows": listed()},
    "ranges": ranges(),
}
rclpy.shutdown()
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(expected, indent=1) + "\n")
