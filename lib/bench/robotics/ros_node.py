"""One end of a round trip with rclpy: `echo` or `ping`. Prints "ready", then its result."""
import json
import sys
import time

import rclpy
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import Image
from std_msgs.msg import String

role, kind, size, count, window = sys.argv[1:6]
size, count, window = int(size), int(count), int(window)
Type = String if kind == "String" else Image
QOS = 100

rclpy.init()
node = rclpy.create_node("bench_" + role)
executor = SingleThreadedExecutor()
executor.add_node(node)

if role == "echo":
    back = node.create_publisher(Type, "bench_back", QOS)
    node.create_subscription(Type, "bench_there", back.publish, QOS)
    print("ready", flush=True)
    executor.spin()

message = String(data="x" * size) if kind == "String" else Image(
    height=1000, width=1000, encoding="mono8", step=1000)
if kind == "Image":
    message.data = bytes([7]) * size

sent, times = [], []
state = {"left": 0, "waiting": 0}


def send():
    state["left"] -= 1
    state["waiting"] += 1
    sent.append(time.perf_counter())
    publisher.publish(message)


def came(_):
    state["waiting"] -= 1
    times.append((time.perf_counter() - sent.pop(0)) * 1e6)
    if state["left"] > 0:
        send()


publisher = node.create_publisher(Type, "bench_there", QOS)
node.create_subscription(Type, "bench_back", came, QOS)
while publisher.get_subscription_count() < 1 or node.count_publishers("bench_back") < 1:
    executor.spin_once(timeout_sec=0.01)


def go(total, most):
    times.clear()
    state["left"] = total
    for _ in range(min(most, total)):
        send()
    while state["waiting"] > 0:
        executor.spin_once()


go((count + 9) // 10, 1)  # warm
go(count, 1)
ordered = sorted(times)
started = time.perf_counter()
go(count, window)
rate = count / (time.perf_counter() - started)
at = lambda part: ordered[int(part * (len(ordered) - 1))]
print(json.dumps({"p50": at(0.5), "p99": at(0.99), "rate": rate}), flush=True)
