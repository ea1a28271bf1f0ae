// Collectives beside Open MPI's, data-parallel training beside PyTorch DDP with gloo, and the parameter server: members are
// processes and threads of this machine, ours and the peers in turn. Run by `npm run bench -- distributed`.
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { ddpRows } from "./distributed/ddp-rows.mjs";
import { pythonPeer } from "./peers/python.mjs";

const TORCH = { what: ["torch==2.13.0", "numpy"], proof: "import torch.distributed, numpy" };

/** A part that is a file of its own: it exports `rows({ quick })`, which gives { rows, missing, notes }. */
async function partRows(part, quick) {
  const file = new URL(`distributed/${part}.mjs`, import.meta.url);
  if (!existsSync(fileURLToPath(file)))
    return { rows: [], missing: { [part]: "there is no such benchmark yet" } };
  const { rows } = await import(file.href);
  console.log(`measuring ${part}`);
  return rows({ quick });
}

/** The devices of ours that this machine has. */
async function ourDevices() {
  const { devices } = await import(new URL("../dist/index.js", import.meta.url).href);
  const has = (name) => devices().some((device) => device.name === name && device.available);
  return ["wasm", ...(has("native") ? ["native"] : [])];
}

export async function run({ quick }) {
  const torch = pythonPeer("bench-venv", TORCH); // that of the other suites
  const found = [
    await partRows("collectives", quick),
    await ddpRows({ quick, torch, devices: await ourDevices() }),
    await partRows("parameter-server", quick),
    await partRows("simulator", quick),
  ];
  return {
    rows: found.flatMap(({ rows }) => rows),
    missing: Object.assign(
      {},
      ...found.map(({ missing }) => missing),
      torch.problem ? { pytorch: torch.problem } : {},
    ),
    notes: found.flatMap(({ notes = [] }) => notes),
  };
}
