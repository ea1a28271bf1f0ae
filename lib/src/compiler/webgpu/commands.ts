/**
 * What kernels tell the device, and plans of it: a kernel that is called again on arrays of the same dtypes, layouts and
 * attributes gives the same commands on other buffers, so that they are kept, and shaders are not written anew.
 */
import { LruMap } from "../../core/lru.js";
import type { RemoteType } from "../../runtime/remote.js";
import type { GpuBuffer, Shader } from "../../runtime/webgpu/queue.js";
import { gpu } from "../../runtime/webgpu/start.js";
import type { GpuArray } from "./shader.js";

/** A command on buffers by their place: inputs, then outputs, then what was allocated, in order. */
type Step =
  | {
      readonly do: "dispatch";
      readonly shader: Shader;
      readonly buffers: readonly number[];
      readonly words: readonly number[];
      readonly groups: readonly number[];
    }
  | { readonly do: "allocate"; readonly bytes: number }
  | { readonly do: "release"; readonly buffer: number }
  | { readonly do: "clear"; readonly buffer: number; readonly bytes: number }
  | {
      readonly do: "copy";
      readonly from: number;
      readonly to: number;
      readonly toByte: number;
      readonly bytes: number;
    }
  | { readonly do: "guard"; readonly op: string };

interface Recording {
  readonly steps: Step[];
  readonly places: Map<GpuBuffer, number>;
  next: number;
}

let recording: Recording | null = null;

const placeOf = (buffer: GpuBuffer): number => {
  const place = recording?.places.get(buffer);
  if (place === undefined) throw new Error("a kernel uses a buffer that is neither its operand nor its own");
  return place;
};

const own = (buffer: GpuBuffer): GpuBuffer => {
  if (recording) recording.places.set(buffer, recording.next++);
  return buffer;
};

/** The device's commands, for kernels. */
export const commands = {
  dispatch(
    shader: Shader,
    buffers: readonly GpuBuffer[],
    words: readonly number[],
    groups: readonly number[],
  ): void {
    gpu().dispatch(shader, buffers, words, groups);
    recording?.steps.push({ do: "dispatch", shader, buffers: buffers.map(placeOf), words, groups });
  },
  allocate(bytes: number): GpuBuffer {
    recording?.steps.push({ do: "allocate", bytes });
    return own(gpu().allocate(bytes));
  },
  release(buffer: GpuBuffer): void {
    recording?.steps.push({ do: "release", buffer: placeOf(buffer) });
    gpu().release(buffer);
  },
  clear(buffer: GpuBuffer, bytes: number): void {
    gpu().clear(buffer, 0, bytes);
    recording?.steps.push({ do: "clear", buffer: placeOf(buffer), bytes });
  },
  copy(from: GpuBuffer, to: GpuBuffer, toByte: number, bytes: number): void {
    gpu().copy(from, 0, to, toByte, bytes);
    recording?.steps.push({ do: "copy", from: placeOf(from), to: placeOf(to), toByte, bytes });
  },
  /** See `GpuQueue.guard`. */
  guard(op: string): { readonly buffer: GpuBuffer; readonly number: number } {
    recording?.steps.push({ do: "guard", op });
    const guard = gpu().guard(op);
    own(guard.buffer);
    return guard;
  },
};

/** What decides a kernel's commands: dtypes and layouts, and which operands are one. */
export function keyOf(inputs: readonly RemoteType[], outputs: readonly RemoteType[]): string {
  let key = "";
  for (const { dtype, shape, strides, offset } of inputs) key += `${dtype}${shape}/${strides}/${offset};`;
  for (const { dtype, shape } of outputs) key += `>${dtype}${shape}`;
  return key;
}

const aliases = (inputs: readonly GpuArray[]): string =>
  inputs.length < 2
    ? ""
    : inputs.map(({ handle }) => inputs.findIndex((other) => other.handle === handle)).join();

/** Attributes as text, numbers that JSON has no words for included. */
export const attrsKey = (attrs: unknown): string => JSON.stringify(attrs, exact);

const exact = (_: string, value: unknown): unknown =>
  typeof value === "number" && (!Number.isFinite(value) || Object.is(value, -0))
    ? Object.is(value, -0)
      ? "-0"
      : String(value)
    : value;

const MOST_PLANS = 2048;
let generation = 0;

/** To be called when what kernels decide by has changed. */
export function forgetPlans(): void {
  generation++;
}

/** Plans of one kernel, or of many under keys of their own. */
export class Plans {
  private readonly plans = new LruMap<string, readonly Step[]>(MOST_PLANS);

  /** Runs `body`, or what it did when it was called with this key and such arrays before. */
  run(key: string, inputs: readonly GpuArray[], outputs: readonly GpuArray[], body: () => void): void {
    const whole = `${generation}${key}|${keyOf(inputs, outputs)}|${aliases(inputs)}`;
    const plan = this.plans.get(whole);
    const operands = [...inputs, ...outputs].map(({ handle }) => handle);
    if (plan) {
      replay(plan, operands);
      return;
    }
    const mine: Recording = { steps: [], places: new Map(), next: operands.length };
    for (const [i, handle] of operands.entries()) if (!mine.places.has(handle)) mine.places.set(handle, i);
    recording = mine; // an interrupt leaves it: the next kernel has its own
    try {
      body();
    } finally {
      recording = null;
    }
    this.plans.set(whole, mine.steps);
  }
}

function replay(plan: readonly Step[], operands: GpuBuffer[]): void {
  const queue = gpu();
  const buffers = operands;
  for (const step of plan) {
    switch (step.do) {
      case "dispatch":
        queue.dispatch(
          step.shader,
          step.buffers.map((i) => buffers[i]),
          step.words,
          step.groups,
        );
        break;
      case "allocate":
        buffers.push(queue.allocate(step.bytes));
        break;
      case "release":
        queue.release(buffers[step.buffer]);
        break;
      case "clear":
        queue.clear(buffers[step.buffer], 0, step.bytes);
        break;
      case "copy":
        queue.copy(buffers[step.from], 0, buffers[step.to], step.toByte, step.bytes);
        break;
      case "guard":
        buffers.push(queue.guard(step.op).buffer);
        break;
    }
  }
}
