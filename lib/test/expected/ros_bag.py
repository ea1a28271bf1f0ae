"""Two small bags as Python's MCAP library writes them: `ros_bag_lz4.mcap`, `ros_bag_zstd.mcap`.

    pip install mcap mcap-ros2-support; python ros_bag.py
"""

from pathlib import Path

from mcap.writer import CompressionType
from mcap_ros2.writer import Writer

HEADER = "builtin_interfaces/Time stamp\nstring frame_id"
RULE = "\n" + "=" * 80 + "\n"
POSE = RULE.join(
    [
        "# A pose with a time\nstd_msgs/Header header\nPose pose",
        f"MSG: std_msgs/Header\n{HEADER}",
        "MSG: builtin_interfaces/Time\nint32 sec\nuint32 nanosec",
        "MSG: geometry_msgs/Pose\nPoint position\nQuaternion orientation",
        "MSG: geometry_msgs/Point\nfloat64 x\nfloat64 y\nfloat64 z",
        "MSG: geometry_msgs/Quaternion\nfloat64 x 0\nfloat64 y 0\nfloat64 z 0\nfloat64 w 1",
    ]
)

for name in ("lz4", "zstd"):
    path = Path(__file__).parent / f"ros_bag_{name}.mcap"
    with open(path, "wb") as file:
        writer = Writer(file, compression=CompressionType[name.upper()])
        pose = writer.register_msgdef("geometry_msgs/msg/PoseStamped", POSE)
        text = writer.register_msgdef("std_msgs/msg/String", "string data")
        for i in range(3):
            time = (1000 + i) * 10**9
            at = {"x": float(i), "y": i / 2, "z": 0.0}
            orientation = {"x": 0.0, "y": 0.0, "z": 0.0, "w": 1.0}
            message = {
                "header": {"stamp": {"sec": i, "nanosec": 0}, "frame_id": "map"},
                "pose": {"position": at, "orientation": orientation},
            }
            writer.write_message("/pose", pose, message, time, time, i)
            time += 5 * 10**8
            writer.write_message("/chatter", text, {"data": f"Hello World: {i}"}, time, time, i)
        writer.finish()
