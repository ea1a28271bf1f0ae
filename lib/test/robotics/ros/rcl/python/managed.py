"""A managed node of rclpy, and a client of one. Run with a role; prints one JSON line per thing heard."""
import json
import sys

import rclpy
from lifecycle_msgs.msg import Transition, TransitionEvent
from lifecycle_msgs.srv import ChangeState, GetAvailableTransitions, GetState
from rclpy.executors import ExternalShutdownException
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn
from rclpy.node import Node
from std_msgs.msg import String


def say(**what):
    print(json.dumps(what), flush=True)


class Camera(LifecycleNode):
    """Publishes while it is active; fails to activate at first."""

    def __init__(self):
        super().__init__("camera")
        self.images = self.create_lifecycle_publisher(String, "images", 10)
        self.attempts = 0
        self.create_timer(0.02, lambda: self.images.publish(String(data="image")))

    def on_configure(self, state):
        say(called="configure", previous=state.label)
        return super().on_configure(state)

    def on_activate(self, state):
        self.attempts += 1
        say(called="activate", previous=state.label)
        if self.attempts == 1:
            return TransitionCallbackReturn.FAILURE
        return super().on_activate(state)

    def on_shutdown(self, state):
        say(called="shutdown", previous=state.label)
        return super().on_shutdown(state)


def camera():
    node = Camera()
    say(ready=True)
    rclpy.spin(node)


def camera_client():
    node = Node("camera_client")

    def call(kind, name, request):
        client = node.create_client(kind, f"camera/{name}")
        client.wait_for_service()
        future = client.call_async(request)
        rclpy.spin_until_future_complete(node, future)
        return future.result()

    def change(transition):
        return call(ChangeState, "change_state", ChangeState.Request(transition=transition)).success

    def state():
        return call(GetState, "get_state", GetState.Request()).current_state

    events = []
    node.create_subscription(TransitionEvent, "camera/transition_event", events.append, 10)
    while node.count_publishers("camera/transition_event") == 0:
        rclpy.spin_once(node, timeout_sec=0.05)
    say(id=state().id, label=state().label)
    say(changed=change(Transition(id=Transition.TRANSITION_ACTIVATE)))
    say(changed=change(Transition(id=Transition.TRANSITION_CONFIGURE)))
    say(changed=change(Transition(label="activate")))
    say(id=state().id, label=state().label)
    listed = call(GetAvailableTransitions, "get_available_transitions", GetAvailableTransitions.Request())
    say(transitions=[[t.transition.id, t.goal_state.label] for t in listed.available_transitions])
    while len(events) < 4:
        rclpy.spin_once(node, timeout_sec=0.05)
    say(events=[[e.transition.label, e.start_state.label, e.goal_state.label] for e in events])


rclpy.init()
try:
    {"camera": camera, "camera_client": camera_client}[sys.argv[1]]()
except (KeyboardInterrupt, ExternalShutdownException):
    pass
