// The tfjs device beside tfjs-node itself: the same TensorFlow, called through the library or directly.
import { createRequire } from "node:module";
import { join } from "node:path";
import { devices, setDevice, tensor } from "../../dist/index.js";
import { mlsysWork } from "../compute/mlsys-work.mjs";
import { tfjsWork } from "../compute/tfjs-work.mjs";
import { measureInTurns, say } from "./turns.mjs";

const info = devices().find(({ name }) => name === "tfjs");
if (!info?.available) {
  say({ missing: info?.detail ?? "no such device" });
  process.exit(0);
}
say({ adapter: info.detail });
setDevice("tfjs");
tensor([1]).add(1).toArray(); // loads it

const tf = createRequire(join(process.env.MLSYS_TFJS, "package.json"))("@tensorflow/tfjs-node");
const read = (y) => void y.toTypedArray();
await measureInTurns({
  eager: mlsysWork({ asGraph: false, read }),
  graph: mlsysWork({ asGraph: true, read }),
  "tfjs-node": tfjsWork(tf, (y) => {
    y.dataSync();
    y.dispose();
  }),
});
process.exit(0);
