/**
 * What a worker thread runs. The function is sent as text, so that it needs no module loader (it works the same from
 * sources, from dist/, under a test runner and in a notebook): it may use only its arguments and globals.
 */
import type { MessagePort, receiveMessageOnPort } from "node:worker_threads";
import type { PoolLayout } from "./layout.js";

/** A compiled kernel on its way to the workers. */
export interface KernelMessage {
  readonly kernel: number;
  readonly moduleId: number;
  readonly module: WebAssembly.Module;
  readonly exportName: string;
}

export interface WorkerSetup {
  readonly memory: WebAssembly.Memory;
  readonly port: MessagePort;
  readonly index: number;
  /** Byte address of this worker's ring. */
  readonly ring: number;
  /** Byte address of memory that kernels on this thread may use while they run. */
  readonly scratch: number;
  /** Rounds of looking for more work before the thread parks. */
  readonly spin: number;
  readonly layout: PoolLayout;
}

export function workerLoop(setup: WorkerSetup, receive: typeof receiveMessageOnPort): void {
  const { memory, port, index, ring, scratch, spin, layout: L } = setup;
  const control = new Int32Array(memory.buffer, 0, L.WORDS);
  const controlArgs = new Float64Array(memory.buffer, 0, L.WORDS / 2);
  const records = new Int32Array(memory.buffer, ring, (L.RECORDS * L.RECORD_BYTES) / 4);
  const recordArgs = new Float64Array(memory.buffer, ring, (L.RECORDS * L.RECORD_BYTES) / 8);
  const mine = L.WORKERS + index * L.WORKER_WORDS;
  const instances = new Map<number, WebAssembly.Instance>();
  const kernels: ((...args: number[]) => void)[] = [];
  const chunkMask = (1 << L.CHUNK_BITS) - 1;

  /** Kernels arrive by message before the first record that names them. */
  const kernelOf = (id: number): ((...args: number[]) => void) => {
    while (!kernels[id]) {
      const received = receive(port);
      if (!received) throw new Error(`kernel ${id} was not sent to worker ${index}`);
      const { kernel, moduleId, module, exportName } = received.message as KernelMessage;
      let instance = instances.get(moduleId);
      if (!instance) {
        instance = new WebAssembly.Instance(module, { env: { memory } });
        instances.set(moduleId, instance);
      }
      kernels[kernel] = instance.exports[exportName] as (...args: number[]) => void;
    }
    return kernels[id];
  };

  /** Takes chunks of the parallel job until none is left. Everything read before a successful claim belongs to its job. */
  const join = (): void => {
    for (;;) {
      const claim = Atomics.load(control, L.CLAIM);
      const chunk = claim & chunkMask;
      if (chunk >= Atomics.load(control, L.CHUNKS)) return;
      const items = control[L.ITEMS];
      const perChunk = control[L.PER_CHUNK];
      const id = control[L.KERNEL];
      const args = Array.from(controlArgs.subarray(L.ARGS, L.ARGS + control[L.ARGC]));
      if (Atomics.compareExchange(control, L.CLAIM, claim, claim + 1) !== claim) continue;
      try {
        const from = chunk * perChunk;
        kernelOf(id)(...args, from, Math.min(items, from + perChunk), scratch);
      } catch {
        Atomics.store(control, L.FAILED, 1);
      }
      Atomics.add(control, L.DONE, 1);
      Atomics.notify(control, L.DONE);
    }
  };

  const run = (word: number): void => {
    const deps = records[word + 5];
    for (let d = 0; d < deps; d++) {
      const at = L.WORKERS + records[word + 6 + 2 * d] * L.WORKER_WORDS + L.COMPLETED;
      const wanted = records[word + 7 + 2 * d];
      for (;;) {
        const now = Atomics.load(control, at);
        if (((now - wanted) | 0) >= 0) break;
        Atomics.wait(control, at, now);
      }
    }
    const first = (word * 4 + L.RECORD_ARGS_BYTE) / 8;
    const args = Array.from(recordArgs.subarray(first, first + records[word + 2]));
    const times = (word * 4 + L.RECORD_TIMES_BYTE) / 8;
    recordArgs[times] = performance.timeOrigin + performance.now();
    try {
      kernelOf(records[word + 1])(...args, records[word + 3], records[word + 4], scratch);
    } catch {
      Atomics.store(control, mine + L.TRAPPED, 1);
    }
    recordArgs[times + 1] = performance.timeOrigin + performance.now();
  };

  Atomics.store(control, mine + L.READY, 1);
  for (;;) {
    const completed = control[mine + L.COMPLETED];
    for (let i = 0; i < spin && Atomics.load(control, mine + L.POSTED) === completed; i++);
    while (Atomics.load(control, mine + L.POSTED) === completed)
      Atomics.wait(control, mine + L.POSTED, completed);
    Atomics.store(control, mine + L.ACTIVE, 1);
    const word = ((completed & (L.RECORDS - 1)) * L.RECORD_BYTES) / 4;
    if (records[word] === L.JOIN) join();
    else run(word);
    Atomics.store(control, mine + L.ACTIVE, 0);
    Atomics.store(control, mine + L.COMPLETED, (completed + 1) | 0);
    Atomics.notify(control, mine + L.COMPLETED);
  }
}
