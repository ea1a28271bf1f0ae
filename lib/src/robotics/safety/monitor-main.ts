/** The monitor's own process: started by `startSafetyMonitor`; its options are the first argument. */
import { spin } from "../ros/node/spin.js";
import { rosHost } from "../ros/select.js";
import { safetyMonitorNode } from "./monitor-node.js";

const options = JSON.parse(process.argv[2] ?? "{}");
const host = await rosHost(options);
const { node } = await safetyMonitorNode({ ...options, host, useGlobalArguments: false });
const spinning = spin(node); // it hears signals from now on
process.send?.("ready");
await spinning;
await host.shutdown(); // its link to the parent would keep this process
