/** The monitor's own process: started by `startSafetyMonitor`; its options are the first argument. */
import { spin } from "../ros/node/spin.js";
import { safetyMonitorNode } from "./monitor-node.js";

const options = JSON.parse(process.argv[2] ?? "{}");
const { node } = await safetyMonitorNode({ ...options, useGlobalArguments: false });
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void node.destroy());
process.send?.("ready");
await spin(node);
