/**
 * A thread of an engine: waits for the next chunk of its stage, works on it, hands it on. It sleeps on its bell when
 * there is nothing to take or no room to give, so nothing of it depends on an event loop being free.
 */
import { type MessagePort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { clock } from "../../core/clock.js";
import type { DenseTensor } from "../../runtime/dense.js";
import { type LentHeap, takeBack } from "../../runtime/heap.js";
import { closeScope, mergeScope, openScope } from "../../runtime/tidy.js";
import { isPromise } from "../dataset/maybe.js";
import { type StageSpan, spanCollector } from "../spans.js";
import { Board, type QueueEnd } from "./board.js";
import { LIBRARY } from "./library-url.js";
import type { Shipment } from "./ship.js";
import { type ChunkError, type ChunkResult, type OpTally, type StageOp, workOn } from "./stage-work.js";
import {
  type Block,
  blockStorage,
  bytesOf,
  type Cargo,
  MAIN,
  movable,
  packResults,
  unpack,
} from "./transport.js";
import { unship } from "./unship.js";

export interface WorkerStart {
  readonly mlsysHeap: LentHeap;
  readonly board: SharedArrayBuffer;
  readonly thread: number;
  /** Orders of the main thread. */
  readonly orders: MessagePort;
}

/** A stage to work in from chunk `from` on. */
export interface StageOrder {
  readonly kind: "stage";
  readonly ops: readonly (Omit<StageOp, "f"> & { readonly shipment: Shipment })[];
  /** For profiles. */
  readonly stage: number;
  readonly epoch: number;
  readonly timed: boolean;
  readonly from: number;
  /** This thread's number in the stage, and how many there are. */
  readonly member: number;
  readonly width: number;
  readonly inputs: readonly QueueEnd<MessagePort>[];
  readonly outputs: readonly QueueEnd<MessagePort>[];
}

/** Blocks of this thread's that nobody needs any more: address, bytes, address, bytes … */
export interface ReturnOrder {
  readonly kind: "return";
  readonly blocks: Float64Array;
}

export type Order = StageOrder | ReturnOrder;

/** What one thread did in one stage with a chunk. */
export interface StageReport {
  readonly stage: number;
  readonly thread: number;
  readonly start: number;
  readonly end: number;
  readonly tallies: readonly OpTally[];
  /** Of the tensors and whole typed arrays that came out. */
  readonly bytes: number;
  /** What the functions said of themselves by `stage`. */
  readonly spans: readonly StageSpan[];
}

export interface Chunk extends Cargo {
  readonly chunk: number;
  /** For each op of the stages to come, the index of its first element. */
  readonly first: readonly (readonly number[])[];
  readonly reports: readonly StageReport[];
  readonly error: (ChunkError & { readonly stage: number }) | null;
  /** Blocks that were read and are free now. */
  readonly spent: readonly Block[];
}

const { board: shared, thread, orders } = workerData as WorkerStart;
const board = new Board(shared);
const nobody = { take: () => {} };

interface Stage {
  readonly order: StageOrder;
  readonly ops: readonly StageOp[];
  next: number;
}

let stage: Stage | null = null;

/** Does what the main thread has asked for. */
async function obey(): Promise<void> {
  for (let got = receiveMessageOnPort(orders); got; got = receiveMessageOnPort(orders)) {
    const order = got.message as Order;
    if (order.kind === "return") {
      const { blocks } = order;
      for (let i = 0; i < blocks.length; i += 2) takeBack(blocks[i], blocks[i + 1]);
      continue;
    }
    const ops: StageOp[] = [];
    try {
      for (const { shipment, ...op } of order.ops)
        ops.push({ ...op, f: (await unship(shipment)) as StageOp["f"] });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      ops.length = 0;
      for (const { shipment: _, ...op } of order.ops)
        ops.push({
          ...op,
          onError: "fail",
          f: () => {
            throw new Error(`it could not be made on a thread: ${reason}`);
          },
        });
    }
    const { from, member, width } = order;
    stage = { order, ops, next: from + ((((member - from) % width) + width) % width) };
  }
}

/** Takes the next chunk and hands it on, if it is there and there is room for it. */
async function step(stage: Stage): Promise<boolean> {
  const { order, next } = stage;
  const input = order.inputs[next % order.inputs.length];
  const output = order.outputs[next % order.outputs.length];
  if (board.waiting(input.queue) <= 0 || board.waiting(output.queue) >= output.capacity) return false;
  const got = receiveMessageOnPort(input.port);
  if (!got) return false;
  board.popped(input.queue);
  board.ring(input.other);
  const message = await worked(stage, got.message as Chunk);
  try {
    output.port.postMessage(message, movable(message.items));
  } catch (cause) {
    output.port.postMessage(withoutItems(message, stage, cause));
  }
  board.pushed(output.queue);
  board.ring(output.other);
  stage.next += order.width;
  return true;
}

/** The chunk's result, or an error if it is none that others can be given. */
async function worked(stage: Stage, chunk: Chunk): Promise<Chunk> {
  try {
    return await work(stage, chunk);
  } catch (cause) {
    const [at, tallies] = [clock(), stage.ops.map(() => ({ taken: 0, busy: 0, skipped: 0, retried: 0 }))];
    const report: StageReport = {
      stage: stage.order.stage,
      thread,
      start: at,
      end: at,
      tallies,
      bytes: 0,
      spans: [],
    };
    const [, ...first] = chunk.first;
    return withoutItems({ ...chunk, first, reports: [...chunk.reports, report], items: [] }, stage, cause);
  }
}

/** The chunk up to the first item that can't be sent, and an error that says so. */
function withoutItems(message: Chunk, { order, ops }: Stage, cause: unknown): Chunk {
  const bad = message.items.findIndex((item) => {
    try {
      structuredClone(item);
      return false;
    } catch {
      return true;
    }
  });
  const error = {
    op: ops.length - 1,
    element: Math.max(0, bad),
    message: `its result can't be sent to another thread: ${(cause as Error).message}`,
    stack: undefined,
    stage: order.stage,
  };
  return { ...message, items: [], tensors: [], blocks: [], error: message.error ?? error };
}

/** Tensors have their methods from the whole library, which takes a quarter of a second to load. */
let methods: Promise<unknown> | undefined;

async function work({ order, ops }: Stage, chunk: Chunk): Promise<Chunk> {
  if (chunk.tensors.length > 0) {
    methods ??= import(LIBRARY);
    await methods;
  }
  const [first, ...later] = chunk.first;
  const came = new Map(chunk.blocks.map((block) => [block.address, block]));
  const start = clock();
  const { spans, collect } = spanCollector();
  openScope();
  let scope = true;
  const close = (keep: readonly DenseTensor[]): void => {
    if (scope) closeScope(keep);
    scope = false;
  };
  try {
    const units = unpack(chunk, (block) => blockStorage(block, nobody));
    const working = collect(() => workOn(units, ops, first, order.epoch, order.timed));
    if (isPromise(working)) {
      mergeScope(); // one can't stay open while other work runs: what promises make is left to the garbage collector
      scope = false;
    }
    const { outputs, tallies, error } = scope ? (working as ChunkResult) : await working;
    const { kept, ...sent } = packResults(outputs, came, thread, close);
    const spent = chunk.blocks.filter((block) => block.home !== MAIN && !kept.has(block.address));
    const bytes =
      bytesIn(sent.blocks) + movable(sent.items).reduce((sum, { byteLength }) => sum + byteLength, 0);
    return {
      ...sent,
      chunk: chunk.chunk,
      first: later,
      reports: [...chunk.reports, { stage: order.stage, thread, start, end: clock(), tallies, bytes, spans }],
      error: chunk.error ?? (error && { ...error, stage: order.stage }),
      spent: [...chunk.spent, ...spent],
    };
  } finally {
    close([]);
  }
}

const bytesIn = (blocks: readonly Block[]): number => blocks.reduce((sum, block) => sum + bytesOf(block), 0);

for (;;) {
  const heard = board.heard(thread);
  await obey();
  if (!stage || !(await step(stage))) board.sleep(thread, heard);
}
