/** The one GPU of the process: its thread is started when it is first asked for, and ended with the process. */
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { MessageChannel, receiveMessageOnPort, Worker } from "node:worker_threads";
import { DeviceError } from "../../core/errors.js";
import { type AdapterFacts, type Answer, C, FAULT_BYTES, S, type ThreadSetup } from "./protocol.js";
import { GpuQueue } from "./queue.js";
import { gpuThread } from "./thread.js";
import { prepareVulkan } from "./vulkan.js";

const START_MS = 120_000; // milliseconds are usual; a machine that is busy takes longer
const SLICE_MS = 100;
/** Handed to Dawn, separated by `;`: `enable-dawn-features=…`, `adapter=…`. */
const OPTIONS = "MLSYS_WEBGPU_OPTIONS";

/** Timestamps in nanoseconds, not in steps of 65 µs, which browsers take for secrecy. */
const PRECISE = "disable-dawn-features=timestamp_quantization";

let queue: GpuQueue | null = null;
let reason: string | null = null;

/** The GPU, or why there is none. A device that was lost is started anew; what was on it is gone. */
export function openGpu(): GpuQueue | string {
  if (queue && queue.lost === null) return queue;
  if (reason !== null) return reason;
  const started = start();
  if (typeof started === "string") reason = started;
  else queue = started;
  return started;
}

/** The GPU. @throws DeviceError if there is none. */
export function gpu(): GpuQueue {
  const opened = openGpu();
  if (typeof opened === "string") throw new DeviceError(`webgpu: ${opened}`);
  return opened;
}

/** True once the GPU has been started. */
export const gpuStarted = (): boolean => queue !== null;

/** In a few words: which adapter, and whether it is a real one. */
export function describeAdapter({ software, description, device, features }: AdapterFacts): string {
  const name = (software ? description : device) || device || description || "an adapter without a name";
  const offers = features.length > 0 ? `; offers ${features.join(", ")}` : "";
  const kind = software ? ", a software adapter: slow, on the CPU (a GPU wants its own Vulkan driver)" : "";
  return `${name} through Dawn${kind}${offers}`;
}

function start(): GpuQueue | string {
  let dawn: string;
  try {
    dawn = pathToFileURL(createRequire(import.meta.url).resolve("webgpu")).href;
  } catch {
    return "the npm package webgpu (Dawn) is missing: npm install webgpu";
  }
  const missing = prepareVulkan();
  if (missing !== null) return missing;
  const status = new SharedArrayBuffer(S.WORDS * 4);
  const { port1, port2 } = new MessageChannel();
  const options = [PRECISE, ...(process.env[OPTIONS] ?? "").split(";")].filter((option) => option !== "");
  const setup: ThreadSetup = { dawn, options, status, commands: C, words: S, faultBytes: FAULT_BYTES };
  const source = `const t = require("node:worker_threads");
    const { setup, port } = t.workerData;
    const gone = (error) => {
      port.postMessage({ kind: "failure", message: String(error && error.message || error) });
      const status = new Int32Array(setup.status);
      Atomics.add(status, ${S.FAILURES}, 1);
      Atomics.store(status, ${S.STATE}, Atomics.load(status, ${S.STATE}) === 0 ? 2 : 3);
      Atomics.notify(status, ${S.STATE});
      Atomics.notify(status, ${S.DONE});
    };
    process.on("uncaughtException", gone);
    import(setup.dawn).then((dawn) => (${gpuThread})(dawn, setup, port)).catch(gone);`;
  const thread = new Worker(source, {
    eval: true,
    workerData: { setup, port: port2 },
    transferList: [port2],
    execArgv: [],
    env: process.env, // with the driver that was found
    name: "mlsys webgpu",
  });
  thread.unref();
  const facts = awaitStart(new Int32Array(status), port1);
  if (typeof facts === "string") {
    port1.close();
    return facts;
  }
  const made = new GpuQueue(port1, status, facts);
  process.once("exit", () => made.close()); // a thread that is torn out of Dawn may take the process with it
  return made;
}

function awaitStart(status: Int32Array, port: MessageChannel["port1"]): AdapterFacts | string {
  const began = performance.now();
  while (Atomics.load(status, S.STATE) === 0) {
    if (performance.now() - began > START_MS) return "Dawn did not start";
    Atomics.wait(status, S.STATE, 0, SLICE_MS);
  }
  const answers: Answer[] = [];
  for (let got = receiveMessageOnPort(port); got; got = receiveMessageOnPort(port)) answers.push(got.message);
  for (const answer of answers) {
    if (answer.kind === "ready") return answer.facts;
    if (answer.kind === "failure")
      return `${answer.message}: no GPU with a driver that Dawn accepts (Debian's lavapipe before Mesa 23 is not); to compute on the CPU, slowly: npx mlsys devices install webgpu`;
  }
  return "Dawn did not start";
}
