// A server with one model whose runs wait while its gate is shut: "open" and "shut" come on standard input.
import { createInterface } from "node:readline";
import { deploy } from "../../../dist/index.js";

const gate = new Int32Array(new SharedArrayBuffer(8));
createInterface({ input: process.stdin }).on("line", (word) => {
  Atomics.store(gate, 0, word === "open" ? 1 : 0);
  Atomics.notify(gate, 0);
});
const backend = new URL("./gate-backend.mjs", import.meta.url);
const server = await deploy.serve({ models: { m: { backend, options: { gate } } }, grpcPort: false });
process.on("SIGTERM", () => {
  void server.close({ graceMs: 3_600_000 }).then(() => process.exit(0));
  createInterface({ input: process.stdin }).once("line", () => server.close()); // the word that opens the gate
});
process.stdout.write(`HTTP ${server.url}\n`);
