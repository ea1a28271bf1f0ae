"""The book's nodes on rclpy. Run with a role; prints one JSON line per thing heard, and "ready" first."""
import json
import sys
import threading

import rclpy
from rclpy.action import ActionClient, ActionServer, CancelResponse
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.executors import MultiThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.parameter_client import AsyncParameterClient
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_msgs.msg import String

from my_interfaces.action import MySum
from my_interfaces.srv import ConcatTwoStr


def say(**what):
    print(json.dumps(what), flush=True)


class Talker(Node):
    """my_hello_world_node, quicker than the book's."""

    def __init__(self):
        super().__init__("my_hello_world_node")
        self.publisher = self.create_publisher(String, "hello_world_topic", 10)
        self.count = 0
        self.create_timer(0.02, self.tick)

    def tick(self):
        self.publisher.publish(String(data=f"Hello World: {self.count}"))
        self.count += 1


class Listener(Node):
    """my_hello_world_subscriber."""

    def __init__(self):
        super().__init__("my_hello_world_subscriber")
        self.create_subscription(String, "hello_world_topic", lambda m: say(heard=m.data), 10)


class Concat(Node):
    """concat_two_str_service."""

    def __init__(self):
        super().__init__("concat_two_str_service")
        self.create_service(ConcatTwoStr, "concat_two_str", self.answer)

    def answer(self, request, response):
        response.ret = request.str1 + request.str2
        return response


class Parametrised(Node):
    """parametrised_hello_world_node."""

    def __init__(self):
        super().__init__("parametrised_hello_world_node")
        self.declare_parameter("name", "world")
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.publisher = self.create_publisher(String, "hello_world_topic", latched)
        self.create_timer(0.02, self.tick)

    def tick(self):
        self.publisher.publish(String(data=f"Hello {self.get_parameter('name').value}"))


class Summer(Node):
    """my_sum_action_server; a goal of one number 0 goes on until it is cancelled."""

    def __init__(self):
        super().__init__("my_sum_action_server")
        group = ReentrantCallbackGroup()
        self.stop = threading.Event()
        self.server = ActionServer(
            self, MySum, "my_sum", self.execute,
            cancel_callback=self.cancel, callback_group=group)

    def cancel(self, _goal):
        self.stop.set()
        return CancelResponse.ACCEPT

    def execute(self, goal):
        total = 0
        for value in goal.request.list:
            total += value
            goal.publish_feedback(MySum.Feedback(sum_so_far=total))
        if list(goal.request.list) == [0]:
            self.stop.wait()
            while not goal.is_cancel_requested:
                pass
            goal.canceled()
            return MySum.Result(sum=-1)
        goal.succeed()
        return MySum.Result(sum=total)


def spin(node):
    executor = MultiThreadedExecutor(2)
    executor.add_node(node)
    say(ready=node.get_name())
    executor.spin()


def wait(node, future):
    rclpy.spin_until_future_complete(node, future)
    return future.result()


def concat_client():
    node = Node("concat_two_str_client_async")
    client = node.create_client(ConcatTwoStr, "concat_two_str")
    while not client.wait_for_service(timeout_sec=1.0):
        pass
    request = ConcatTwoStr.Request(str1="Hello", str2="World")
    say(ret=wait(node, client.call_async(request)).ret)


def parameter_client():
    node = Node("param")
    client = AsyncParameterClient(node, "parametrised_hello_world_node")
    client.wait_for_services()
    say(names=sorted(wait(node, client.list_parameters([], 10)).result.names))
    say(before=wait(node, client.get_parameters(["name"])).values[0].string_value)
    described = wait(node, client.describe_parameters(["name"])).descriptors[0]
    say(description=described.description, type=described.type)
    set_to = lambda value: wait(node, client.set_parameters([Parameter("name", value=value)])).results[0]
    say(set=set_to("ROS2").successful)
    refused = set_to(7)
    say(refused=refused.successful, reason=refused.reason)
    say(after=wait(node, client.get_parameters(["name"])).values[0].string_value)


def sum_client():
    node = Node("my_sum_action_client")
    client = ActionClient(node, MySum, "my_sum")
    client.wait_for_server()
    sums = []
    feedback = lambda m: sums.append(m.feedback.sum_so_far)
    goal = wait(node, client.send_goal_async(MySum.Goal(list=[1, 2, 3]), feedback_callback=feedback))
    say(accepted=goal.accepted)
    while len(sums) < 3:  # rclpy drops feedback that it has not taken when the result comes
        rclpy.spin_once(node)
    say(sums=sums)
    result = wait(node, goal.get_result_async())
    say(status=result.status, sum=result.result.sum)
    long = wait(node, client.send_goal_async(MySum.Goal(list=[0])))
    say(canceling=len(wait(node, long.cancel_goal_async()).goals_canceling))
    result = wait(node, long.get_result_async())
    say(status=result.status, sum=result.result.sum)


NODES = {"talker": Talker, "listener": Listener, "concat": Concat, "parametrised": Parametrised, "sum": Summer}
CLIENTS = {"concat_client": concat_client, "parameter_client": parameter_client, "sum_client": sum_client}

rclpy.init()
role = sys.argv[1]
try:
    if role in NODES:
        spin(NODES[role]())
    else:
        CLIENTS[role]()
except KeyboardInterrupt:
    pass
