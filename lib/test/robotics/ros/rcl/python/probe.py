"""rclpy's half of rclpy.slow.test.ts: looks at the node /ns/ours from outside and prints what it sees, a JSON line each."""

import json
import sys

import rclpy
from builtin_interfaces.msg import Time
from rcl_interfaces.msg import Log, LoggerLevel, ParameterEvent
from rcl_interfaces.srv import GetParameterTypes, SetLoggerLevels
from rclpy.node import Node
from rclpy.parameter import Parameter, parameter_value_to_python
from rclpy.parameter_client import AsyncParameterClient
from rclpy.qos import qos_profile_parameter_events, qos_profile_rosout_default
from rosgraph_msgs.msg import Clock
from std_msgs.msg import String

OURS = "/ns/ours"


def plain(value):
    if isinstance(value, (list, tuple)) or hasattr(value, "typecode"):
        return [v[0] if isinstance(v, bytes) else v for v in value]
    return value


def tell(**line):
    print(json.dumps(line), flush=True)


def values(parameters):
    return {p.name: [p.value.type, plain(parameter_value_to_python(p.value))] for p in parameters}


rclpy.init()
node = Node("probe")
seen = {"events": [], "ticks": [], "warm": False}


def on_event(event):
    if event.node == OURS and values(event.changed_parameters) == {"string": [4, "warm"]}:
        seen["warm"] = True
    elif event.node == OURS:
        seen["events"].append([values(event.new_parameters), values(event.changed_parameters),
                               [p.name for p in event.deleted_parameters]])


def finished(future):
    rclpy.spin_until_future_complete(node, future)
    return future.result()


def spin_until(condition):
    while not condition():
        rclpy.spin_once(node)


node.create_subscription(ParameterEvent, "/parameter_events", on_event, qos_profile_parameter_events)
logs = []
node.create_subscription(Log, "/rosout", lambda log: logs.append([log.name, log.level, log.msg]),
                         qos_profile_rosout_default)

client = AsyncParameterClient(node, OURS)
client.wait_for_services()
names = ["bool", "integer", "double", "string", "bytes", "bools", "integers", "doubles", "strings"]
listed = finished(client.list_parameters([], 0)).result.names
tell(listed=sorted(listed))
got = finished(client.get_parameters(names)).values
tell(values={n: [v.type, plain(parameter_value_to_python(v))] for n, v in zip(names, got)})
described = finished(client.describe_parameters(["integer", "double"])).descriptors
tell(ranges=[[d.integer_range[0].from_value, d.integer_range[0].to_value, d.integer_range[0].step]
             if d.integer_range else
             [d.floating_point_range[0].from_value, d.floating_point_range[0].to_value, d.floating_point_range[0].step]
             for d in described])
types = node.create_client(GetParameterTypes, f"{OURS}/get_parameter_types")
types.wait_for_service()
tell(types=list(finished(types.call_async(GetParameterTypes.Request(names=names))).types),
     unknown=list(finished(types.call_async(GetParameterTypes.Request(names=["nope"]))).types))

# an event before discovery has ended is heard by nobody
while not seen["warm"]:
    finished(client.set_parameters([Parameter("string", value="warm")]))
    rclpy.spin_once(node, timeout_sec=0.1)
changes = {"bool": False, "integer": 2**60, "double": 2.5, "string": "grüße", "bytes": [b"\x07", b"\xff"],
           "bools": [False, True], "integers": [-1, 2**62], "doubles": [0.5, -1e300], "strings": ["a", ""]}
results = finished(client.set_parameters([Parameter(n, value=v) for n, v in changes.items()])).results
tell(set=[[r.successful, r.reason] for r in results])
atomic = finished(client.set_parameters_atomically([Parameter("string", value="lost"), Parameter("integer", value=-1)]))
tell(atomic=[atomic.result.successful, atomic.result.reason])
spin_until(lambda: len(seen["events"]) >= len(changes))
tell(events=seen["events"])

levels = node.create_client(SetLoggerLevels, f"{OURS}/set_logger_levels")
levels.wait_for_service()
request = SetLoggerLevels.Request(levels=[LoggerLevel(name="ns.ours", level=10)])
tell(levels=[r.successful for r in finished(levels.call_async(request)).results])
spin_until(lambda: any(level == 10 for name, level, _ in logs if name == "ns.ours"))
tell(log=next(log for log in logs if log[0] == "ns.ours" and log[1] == 10))

clock = node.create_publisher(Clock, "/clock", 10)
node.create_subscription(String, "/ns/ticks", lambda message: seen["ticks"].append(message.data), 10)
while node.count_subscribers("/clock") < 1 or node.count_publishers("/ns/ticks") < 1:
    rclpy.spin_once(node, timeout_sec=0.1)
second = 100
while len(seen["ticks"]) < 3:
    # the clock's QoS is best effort: what is lost comes again a second later
    clock.publish(Clock(clock=Time(sec=second, nanosec=250_000_000)))
    second += 1
    rclpy.spin_once(node, timeout_sec=0.2)
tell(ticks=seen["ticks"][:3])
node.destroy_node()
rclpy.shutdown()
sys.exit(0)
