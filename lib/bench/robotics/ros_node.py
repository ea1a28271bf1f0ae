"""One end of a round trip with rclpy: `echo` or `ping`. Prints "ready", then its result."""
import json
import sys
import time

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image
from std_msgs.msg import String
from std_srvs.srv import SetBool

role, kind, size, count, window = sys.argv[1:6]
size, count, window = int(size), int(count), int(window)
Type = String if kind == "String" else Image
QOS = 100

rclpy.init()
node = rclpy.create_node("bench_" + role)
executor = SingleThreadedExecutor()
executor.add_node(node)

if role == "echo":
    if kind == "Service":
        def answer(request, response):
            response.success = request.data
            return response

        node.create_service(SetBool, "bench_service", answer, qos_profile=QoSProfile(depth=QOS))
    else:
        back = node.create_publisher(Type, "bench_back", QOS)
        node.create_subscription(Type, "bench_there", back.publish, QOS)
    print("ready", flush=True)
    executor.spin()

message = String(data="x" * size) if kind == "String" else Image(
    height=1000, width=1000, encoding="mono8", step=1000)
if kind == "Image":
    message.data = bytes([7]) * size

sent, times = [], []
state = {"left": 0, "waiting": 0, "wrong": 0, "check": True}


def send():
    state["left"] -= 1
    state["waiting"] += 1
    sent.append(time.perf_counter())
    transmit()


def came(answer):
    state["waiting"] -= 1
    times.append((time.perf_counter() - sent.pop(0)) * 1e6)
    if state["check"] and not right(answer):
        state["wrong"] += 1
    if state["left"] > 0:
        send()


if kind == "Service":
    client = node.create_client(SetBool, "bench_service", qos_profile=QoSProfile(depth=QOS))
    while not client.service_is_ready():
        executor.spin_once(timeout_sec=0.01)
    request, pending = SetBool.Request(data=True), []

    def transmit():
        pending.append(client.call_async(request))

    def right(answer):
        return answer.success

    def spin():
        """Answers are looked at where they come, without a task of the executor for each."""
        executor.spin_once()
        for future in [each for each in pending if each.done()]:
            pending.remove(future)
            came(future.result())
else:
    publisher = node.create_publisher(Type, "bench_there", QOS)
    node.create_subscription(Type, "bench_back", came, QOS)
    while publisher.get_subscription_count() < 1 or node.count_publishers("bench_back") < 1:
        executor.spin_once(timeout_sec=0.01)

    def transmit():
        publisher.publish(message)

    def right(answer):
        return answer == message

    spin = executor.spin_once


def go(total, most):
    times.clear()
    state["left"] = total
    for _ in range(min(most, total)):
        send()
    while state["waiting"] > 0:
        spin()


go((count + 9) // 10, 1)  # warm
if state["wrong"]:
    raise SystemExit(f"{state['wrong']} answers are not what was sent")
state["check"] = False
go(count, 1)
ordered = sorted(times)
started = time.perf_counter()
go(count, window)
rate = count / (time.perf_counter() - started)
at = lambda part: ordered[int(part * (len(ordered) - 1))]
print(json.dumps({"p50": at(0.5), "p99": at(0.99), "rate": rate}), flush=True)
