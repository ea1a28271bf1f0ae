/** Nodes of several processes, that meet in the launcher. */
import { launch } from "mlsys/ros";

const client = launch.node({ script: "sum-client.ts", name: "asks", args: ["1", "2", "3"] });
const viewer = launch.node({ script: "viewer.ts", remap: { images: "eye/image_raw" } });
const ended = new Set<string>();
const both = ({ name }: { name: string }) => ended.add(name).size === 2 && launch.shutdown("all was seen");

export default launch(() => [
  launch.group({ namespace: "/arm" }, [
    launch.node({ script: "sum-server.ts", name: "adder", parameters: { greeting: "good day" } }),
    client,
  ]),
  viewer,
  launch.node({
    ...{ script: "managed.ts", name: "eye_camera", namespace: "/eye", lifecycle: "active" },
    remap: { images: "image_raw" },
  }),
  launch.onExit(client, both),
  launch.onExit(viewer, both),
]);
