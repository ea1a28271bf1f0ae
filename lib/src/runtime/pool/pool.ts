/**
 * The worker pool: threads that live as long as the process, parked on the shared memory. `launch` splits a kernel's
 * range of items among them and the calling thread; it returns when all are done. A launch that an interrupt cut short
 * (V8's TerminateExecution skips every `finally`) is drained before the next one starts.
 */
import { availableParallelism } from "node:os";
import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import { DeviceError, ValueError } from "../../core/errors.js";
import { enterSection, leaveSection, onInterrupted } from "../../core/turn.js";
import { isLentHeap, memory, reserve } from "../heap.js";
import { L } from "./layout.js";
import { type KernelMessage, type WorkerSetup, workerLoop } from "./worker.js";

/**
 * A compiled function `(...args, from, to, scratch)` that computes the items `from ≤ i < to` of its job. Calls for
 * disjoint ranges may run at once on several threads. `scratch` is memory of the thread's own (SCRATCH_BYTES).
 */
export interface PoolKernel {
  readonly id: number;
  readonly name: string;
  readonly run: (...args: number[]) => void;
}

/** Bytes of each thread's own working memory. */
export const SCRATCH_BYTES = 2 * 1024 * 1024;

const SPIN_ROUNDS = 4000; // some 20 µs: the next op of a program finds the worker awake
const MAX_CHUNKS_PER_THREAD = 8;

interface PoolWorker {
  readonly port: MessagePort;
  readonly base: number;
  readonly ring: number;
  sentKernels: number;
}

const control = new Int32Array(memory.buffer, 0, L.WORDS);
const controlArgs = new Float64Array(memory.buffer, 0, L.WORDS / 2);
const messages: KernelMessage[] = [];
const workers: PoolWorker[] = [];
let mainScratch = 0;
let inFlight = false;
let threads = threadsFromEnvironment();

/**
 * Threads that take part in the work, this one included.
 * @example getNumThreads() >= 1 // true
 */
export function getNumThreads(): number {
  return threads;
}

/**
 * Sets how many threads take part in the work, this one included. 1: no worker is used.
 * @throws ValueError unless it is an integer from 1 to 256.
 * @example setNumThreads(getNumThreads())
 */
export function setNumThreads(count: number): void {
  if (!Number.isInteger(count) || count < 1 || count > L.MAX_WORKERS) {
    throw new ValueError(`setNumThreads: ${count} is not an integer from 1 to ${L.MAX_WORKERS}`);
  }
  if (isLentHeap && count > 1)
    throw new ValueError("setNumThreads: a pipeline's worker computes alone; give the pipeline more workers");
  threads = count;
}

/** Makes an exported function of a compiled module a kernel that every thread can run. */
export function poolKernel(
  module: WebAssembly.Module,
  instance: WebAssembly.Instance,
  moduleId: number,
  exportName: string,
): PoolKernel {
  const id = messages.length;
  messages.push({ kernel: id, moduleId, module, exportName });
  return { id, name: exportName, run: instance.exports[exportName] as PoolKernel["run"] };
}

/** This thread's working memory. */
export function scratchAddress(): number {
  if (mainScratch === 0) mainScratch = reserve(SCRATCH_BYTES);
  return mainScratch;
}

/**
 * Computes all `items` of a kernel. Ranges of fewer than `grain` items are not worth another thread
 * (waking one costs some 15–30 µs); boundaries between threads are multiples of `align` items.
 * @throws DeviceError if the kernel trapped.
 * @example
 * const module = new extend.wasm.ModuleBuilder();
 * module.func("nothing", ["i32", "i32"], null, () => {});
 * const { nothing } = extend.compileKernels(module, ["nothing"]);
 * extend.launch(nothing, [], 8, 8)
 */
export function launch(
  kernel: PoolKernel,
  args: readonly number[],
  items: number,
  grain: number,
  align = 1,
): void {
  if (diversion) {
    diversion(kernel, args, items);
    return;
  }
  if (threads === 1 || items < 2 * grain || args.length > L.MAX_ARGS) {
    kernel.run(...args, 0, items, scratchAddress());
    return;
  }
  enterSection();
  drain();
  inFlight = true;
  const parts = Math.min(threads * MAX_CHUNKS_PER_THREAD, Math.floor(items / grain));
  const perChunk = Math.ceil(Math.ceil(items / parts) / align) * align;
  const chunks = Math.ceil(items / perChunk);
  const generation = nextGeneration();
  control[L.ITEMS] = items;
  control[L.PER_CHUNK] = perChunk;
  control[L.KERNEL] = kernel.id;
  control[L.ARGC] = args.length;
  for (let i = 0; i < args.length; i++) controlArgs[L.ARGS + i] = args[i];
  for (const worker of workers) sendKernels(worker); // one still busy with the job before may go on to this one
  Atomics.store(control, L.FAILED, 0);
  Atomics.store(control, L.DONE, 0);
  Atomics.store(control, L.CLAIM, generation);
  Atomics.store(control, L.CHUNKS, chunks);
  const helpers = Math.min(threads, chunks) - 1;
  for (let k = 0; k < helpers; k++) callToJoin(workerAt(k), k);
  work(kernel, args, items, perChunk, chunks);
  while (Atomics.load(control, L.DONE) < chunks) waitForDone(chunks);
  Atomics.store(control, L.CHUNKS, 0);
  inFlight = false;
  leaveSection();
  if (control[L.FAILED] !== 0) throw new DeviceError(`${kernel.name}: the kernel trapped on a worker thread`);
}

type Launcher = (kernel: PoolKernel, args: readonly number[], items: number) => void;
let diversion: Launcher | null = null;
onInterrupted(() => {
  diversion = null;
});

/** Runs `body` with its launches going to `launcher`: how streams take kernels that know nothing of streams. */
export function divertLaunches(launcher: Launcher, body: () => void): void {
  const before = diversion;
  enterSection();
  diversion = launcher;
  try {
    body();
  } finally {
    diversion = before;
    leaveSection();
  }
}

/** True while launches go to a stream: code that computes at once would come too early. */
export const launchesDiverted = (): boolean => diversion !== null;

/** Puts a RUN record into worker k's ring and returns its number. */
export function post(
  k: number,
  kernel: PoolKernel,
  args: readonly number[],
  from: number,
  to: number,
  deps: readonly { readonly worker: number; readonly number: number }[],
): number {
  const worker = workerAt(k);
  sendKernels(worker);
  const number = claimRecord(worker);
  const word = recordWord(worker, number);
  const view = new Int32Array(memory.buffer, word * 4, L.RECORD_BYTES / 4);
  view[0] = L.RUN;
  view[1] = kernel.id;
  view[2] = args.length;
  view[3] = from;
  view[4] = to;
  view[5] = deps.length;
  for (const [i, dep] of deps.entries()) {
    view[6 + 2 * i] = dep.worker;
    view[7 + 2 * i] = dep.number;
  }
  new Float64Array(memory.buffer, word * 4 + L.RECORD_ARGS_BYTE, args.length).set(args);
  publish(worker, number);
  return (number + 1) | 0;
}

/** When the record before `number` of worker k began and ended, on the clock of `clock()`. Its slot is used again some records later. */
export function recordTimes(k: number, number: number): { start: number; end: number } {
  const word = recordWord(workerAt(k), number - 1);
  const [start, end] = new Float64Array(memory.buffer, word * 4 + L.RECORD_TIMES_BYTE, 2);
  return { start, end };
}

/** True once worker k has completed `number` records. */
export function completed(k: number, number: number): boolean {
  const at = L.WORKERS + k * L.WORKER_WORDS + L.COMPLETED;
  return ((Atomics.load(control, at) - number) | 0) >= 0;
}

/** Blocks until worker k has completed `number` records. */
export function waitCompleted(k: number, number: number): void {
  const at = L.WORKERS + k * L.WORKER_WORDS + L.COMPLETED;
  for (let i = 0; i < SPIN_ROUNDS && !completed(k, number); i++);
  while (!completed(k, number)) Atomics.wait(control, at, Atomics.load(control, at), 1000);
}

/** True, once, if a RUN record of worker k trapped. */
export function takeTrap(k: number): boolean {
  return Atomics.exchange(control, L.WORKERS + k * L.WORKER_WORDS + L.TRAPPED, 0) !== 0;
}

/** Stops the job that an interrupt left behind: no chunk is taken any more, and those taken are waited for. */
function drain(): void {
  if (!inFlight) return;
  Atomics.store(control, L.CHUNKS, 0);
  Atomics.store(control, L.CLAIM, nextGeneration());
  for (const worker of workers) while (Atomics.load(control, worker.base + L.ACTIVE) !== 0);
  inFlight = false;
}
onInterrupted(drain);

function work(
  kernel: PoolKernel,
  args: readonly number[],
  items: number,
  perChunk: number,
  chunks: number,
): void {
  const scratch = scratchAddress();
  const mask = (1 << L.CHUNK_BITS) - 1;
  for (;;) {
    const chunk = Atomics.add(control, L.CLAIM, 1) & mask;
    if (chunk >= chunks) return;
    const from = chunk * perChunk;
    kernel.run(...args, from, Math.min(items, from + perChunk), scratch);
    Atomics.add(control, L.DONE, 1);
  }
}

function waitForDone(chunks: number): void {
  for (let i = 0; i < SPIN_ROUNDS; i++) if (Atomics.load(control, L.DONE) >= chunks) return;
  const done = Atomics.load(control, L.DONE);
  if (done < chunks) Atomics.wait(control, L.DONE, done, 1000);
}

/** The claim word's next generation, with chunk 0. It changes with each job, so that a late worker's claim fails. */
function nextGeneration(): number {
  const before = Atomics.load(control, L.CLAIM) >>> L.CHUNK_BITS;
  return ((before + 1) << L.CHUNK_BITS) | 0;
}

/** Tells worker k of the job in the slot, unless it has yet to look at an earlier call. */
function callToJoin(worker: PoolWorker, k: number): void {
  const { base } = worker;
  const waiting = (control[base + L.POSTED] - Atomics.load(control, base + L.COMPLETED)) | 0;
  if (waiting >= 2 || (waiting > 0 && Atomics.load(control, base + L.READY) === 0)) return;
  if (!completed(k, control[base + L.POSTED]) && waiting >= L.RECORDS) return;
  sendKernels(worker);
  const number = claimRecord(worker);
  const word = recordWord(worker, number);
  new Int32Array(memory.buffer, word * 4, 1)[0] = L.JOIN;
  publish(worker, number);
}

function claimRecord(worker: PoolWorker): number {
  const number = control[worker.base + L.POSTED];
  const at = worker.base + L.COMPLETED;
  while (((number - Atomics.load(control, at)) | 0) >= L.RECORDS)
    Atomics.wait(control, at, Atomics.load(control, at), 1000);
  return number;
}

function recordWord(worker: PoolWorker, number: number): number {
  return (worker.ring + (number & (L.RECORDS - 1)) * L.RECORD_BYTES) / 4;
}

function publish(worker: PoolWorker, number: number): void {
  Atomics.store(control, worker.base + L.POSTED, (number + 1) | 0);
  Atomics.notify(control, worker.base + L.POSTED);
}

function sendKernels(worker: PoolWorker): void {
  while (worker.sentKernels < messages.length) worker.port.postMessage(messages[worker.sentKernels++]);
}

function workerAt(k: number): PoolWorker {
  while (workers.length <= k) workers.push(startWorker(workers.length));
  return workers[k];
}

/** Starts a thread. It reads no file and needs nothing of this thread's event loop; the process may end without it. */
function startWorker(index: number): PoolWorker {
  if (isLentHeap)
    throw new DeviceError("a pipeline's worker starts no threads: streams are the main thread's");
  const { port1, port2 } = new MessageChannel();
  const ring = reserve(L.RECORDS * L.RECORD_BYTES);
  const scratch = reserve(SCRATCH_BYTES);
  const setup: WorkerSetup = { memory, port: port2, index, ring, scratch, spin: SPIN_ROUNDS, layout: L };
  const source = `const t = require("node:worker_threads"); (${workerLoop})(t.workerData, t.receiveMessageOnPort);`;
  const thread = new Worker(source, {
    eval: true,
    workerData: setup,
    transferList: [port2],
    execArgv: [],
    name: `mlsys ${index}`,
  });
  thread.unref();
  port1.unref();
  return { port: port1, base: L.WORKERS + index * L.WORKER_WORDS, ring, sentKernels: 0 };
}

function threadsFromEnvironment(): number {
  if (isLentHeap) return 1;
  const wanted = Number(process.env.MLSYS_NUM_THREADS);
  if (Number.isInteger(wanted) && wanted >= 1) return Math.min(wanted, L.MAX_WORKERS);
  return Math.min(availableParallelism(), L.MAX_WORKERS);
}
