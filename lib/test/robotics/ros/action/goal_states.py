"""Writes goal_states.json: rcl_action's own answer to each event in each status, `[status][event]`; 0 where it is none.

python goal_states.py > goal_states.json        (in an environment with rclpy)
"""
import ctypes
import json

from rclpy.impl.implementation_singleton import rclpy_implementation  # noqa: F401  loads what rcl_action needs

step = ctypes.CDLL("librcl_action.so").rcl_action_transition_goal_state
step.argtypes, step.restype = [ctypes.c_int8, ctypes.c_int], ctypes.c_int8
EVENTS = ["execute", "cancel_goal", "succeed", "abort", "canceled"]
print(json.dumps({"events": EVENTS, "next": [[step(s, e) for e in range(len(EVENTS))] for s in range(7)]}))
