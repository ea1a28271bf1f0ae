"""Writes transitions.json: the states and transitions of a managed node as rclpy has them.

python transitions.py > transitions.json        (in an environment with rclpy)
"""
import json

import rclpy
from rclpy.lifecycle import LifecycleNode

rclpy.init()
machine = LifecycleNode("managed")._state_machine
keys = ["id", "label", "startId", "start", "goalId", "goal"]
transitions = [dict(zip(keys, row)) for row in machine.transition_graph]
print(json.dumps({"states": [list(state) for state in machine.available_states], "transitions": transitions}))
