/** Random kernels and random legal schedules, for the tests: every step that a primitive refuses is left out. */

import type { ElementArray } from "./codegen/typescript/source.js";
import type { Dice } from "./dice.js";
import { lit, op } from "./loop/compute.js";
import {
  conv2d,
  depthwise,
  elementwise,
  layerNormRows,
  matmul,
  rowReduce,
  softmaxRows,
  stencil,
} from "./loop/definitions.js";
import { buffersOf, LoopError, type LoopKernel, type LoopType, loopNames, walk } from "./loop/ir.js";
import { isStored } from "./loop/types.js";
import { Schedule } from "./schedule/schedule.js";
import { capOf } from "./schedule/tree.js";

/** A kernel with values for its sizes. */
export interface Instance {
  readonly kernel: LoopKernel;
  readonly sizes: Readonly<Record<string, number>>;
}

/** One of the definitions, with random sizes (symbolic ones too). */
export function randomKernel(dice: Dice): Instance {
  const n = (most = 9): number => 1 + dice.below(most);
  const dim = (name: string, most?: number): { at: number | string; size: Record<string, number> } => {
    const value = n(most);
    return dice.below(2) === 0 ? { at: value, size: {} } : { at: name, size: { [name]: value } };
  };
  const [m, k, w] = [dim("M"), dim("N", 20), dim("K", 20)];
  const float = dice.pick<LoopType>(["float32", "float64"]);
  switch (dice.below(9)) {
    case 0:
    case 1: {
      const dtype = dice.pick<LoopType>(["float32", "float64", "int8", "uint8", "bfloat16", "int32"]);
      const [transposeA, transposeB] = [dice.below(2) === 0, dice.below(2) === 0];
      const batch = dice.below(3) === 0 ? 2 : undefined;
      return {
        kernel: matmul(m.at, k.at, w.at, { dtype, transposeA, transposeB, batch }),
        sizes: { ...m.size, ...k.size, ...w.size },
      };
    }
    case 2: {
      const chain = elementwise(
        "chain",
        [m.at, k.at],
        [[m.at, k.at], [k.at], [m.at, 1]],
        ([x, y, z]) =>
          op(
            "maximum",
            op("add", op("mul", x, y), op("tanh", z)),
            op("sub", op("sigmoid", x), lit(0.5, float)),
          ),
        float,
      );
      return { kernel: chain, sizes: { ...m.size, ...k.size } };
    }
    case 3:
      return {
        kernel: rowReduce(
          "reduce",
          m.at,
          k.at,
          dice.pick(["add", "maximum", "minimum"]),
          (x) => op("square", x),
          float,
        ),
        sizes: { ...m.size, ...k.size },
      };
    case 4:
      return { kernel: softmaxRows(m.at, k.at, float), sizes: { ...m.size, ...k.size } };
    case 5:
      return { kernel: layerNormRows(m.at, n(20), 1e-5, float), sizes: m.size };
    case 6:
    case 7: {
      const shape = {
        n: m.at,
        channels: n(3),
        height: 4 + n(6),
        width: 4 + n(9),
        kernel: n(3),
        stride: n(2),
        padding: dice.below(2),
      };
      const kernel = dice.below(2) === 0 ? conv2d({ ...shape, filters: n(4) }) : depthwise(shape);
      return { kernel, sizes: m.size };
    }
    default:
      return { kernel: stencil(m.at, k.at), sizes: { ...m.size, ...k.size } };
  }
}

/** Up to `steps` random steps that are legal. */
export function randomSchedule(dice: Dice, kernel: LoopKernel, steps: number): Schedule {
  const s = new Schedule(kernel);
  let fresh = 0;
  for (let i = 0; i < steps; i++) {
    try {
      randomStep(dice, s, `t${fresh++}`);
    } catch (error) {
      if (!(error instanceof LoopError)) throw error;
    }
  }
  finishRegisters(s);
  return s;
}

/** Up to `steps` random steps, among them those that make blocks, threads and what threads share. */
export function randomGridSchedule(dice: Dice, kernel: LoopKernel, steps: number): Schedule {
  const s = new Schedule(kernel);
  const tops = kernel.body.flatMap((x) => (x.kind === "for" ? [x.variable] : []));
  let fresh = 0;
  const attempt = (step: () => void): void => {
    try {
      step();
    } catch (error) {
      if (!(error instanceof LoopError)) throw error;
    }
  };
  for (const top of tops) {
    if (dice.below(4) > 0) attempt(() => s.split(top, dice.pick([2, 4, 8]), [`${top}_b`, `${top}_t`]));
    attempt(() => s.bind("block", s.loops.includes(`${top}_b`) ? `${top}_b` : top));
  }
  for (let i = 0; i < steps; i++)
    attempt(() => (dice.below(3) === 0 ? randomStep : randomGridStep)(dice, s, `t${fresh++}`));
  finishRegisters(s);
  return s;
}

function randomGridStep(dice: Dice, s: Schedule, name: string): void {
  const { loops } = s;
  const loop = dice.pick(loops);
  const own = buffersOf(s.kernel).filter((b) => b.scope !== "param");
  const choice = dice.below(9);
  if (own.length === 0 && (choice === 6 || choice === 8)) return;
  switch (choice) {
    case 0:
      s.guard(loop);
      break;
    case 1:
    case 2:
      s.bind("thread", loop);
      break;
    case 3: {
      const inputs = buffersOf(s.kernel).filter((b) => !b.output);
      if (inputs.length > 0)
        s.cacheRead(dice.pick(inputs).name, loop, { name, scope: dice.pick(["workgroup", "register"]) });
      break;
    }
    case 4: {
      const nest = nestFrom(s.kernel, loop);
      s.cooperate(nest.slice(0, 1 + dice.below(3)), name, dice.pick([2, 4, 8]), dice.pick([1, 2, 4]));
      break;
    }
    case 5: {
      const temporaries = own.filter((b) => b.scope === "shared");
      if (temporaries.length > 0 && dice.below(3) === 0)
        s.localize(dice.pick(temporaries).name, loop, dice.pick(["workgroup", "local"]));
      else s.treeReduce(loop, name);
      break;
    }
    case 6: {
      const buffer = dice.pick(own);
      const axis = dice.below(buffer.shape.length);
      const split = dice.below(2) === 0 ? ([axis, dice.pick([1, 2, 3, 4])] as const) : undefined;
      const axes = buffer.shape.length + (split ? 1 : 0);
      const order = dice.shuffled(Array.from({ length: axes }, (_, d) => d));
      s.layout(buffer.name, { ...(split ? { split } : {}), order, gap: dice.below(3) });
      break;
    }
    case 7: {
      const targets = buffersOf(s.kernel).filter((b) => b.output || b.scope === "shared");
      s.cacheWrite(dice.pick(targets).name, loop, {
        name,
        scope: dice.pick(["local", "register", "workgroup"]),
      });
      break;
    }
    default: {
      const rounds: [buffer: string, loop: string][] = [];
      walk(s.kernel.body, (x, around) => {
        const parent = around[around.length - 1];
        if (x.kind === "alloc" && parent?.kind === "for") rounds.push([x.buffer.name, parent.variable]);
      });
      if (rounds.length > 0) s.prefetch(...dice.pick(rounds), dice.below(2) === 0 ? name : undefined);
    }
  }
}

function randomStep(dice: Dice, s: Schedule, name: string): void {
  const { loops } = s;
  if (loops.length === 0) return;
  const loop = dice.pick(loops);
  const factor = dice.pick([1, 2, 3, 4, 5, 8, 16]);
  switch (dice.below(14)) {
    case 0:
    case 1:
    case 2:
      s.split(loop, factor, [`${name}o`, `${name}i`]);
      break;
    case 3:
    case 4:
    case 5: {
      const nest = nestFrom(s.kernel, loop);
      s.reorder(...dice.shuffled(nest).slice(0, 2 + dice.below(nest.length)));
      break;
    }
    case 6: {
      const nest = nestFrom(s.kernel, loop);
      if (nest.length > 1) s.fuse(nest[0], nest[1], name);
      break;
    }
    case 7:
      s.vectorize(dice.pick(loops.slice(-4)));
      break;
    case 8:
      if (dice.below(2) === 0) s.parallel(loop);
      else if ((capOfLoop(s.kernel, loop) ?? 99) <= 8) s.unroll(loop);
      break;
    case 9: {
      const inputs = buffersOf(s.kernel).filter((b) => !b.output);
      const pack = dice.below(2) === 0 ? { axis: dice.below(2), by: factor } : undefined;
      if (inputs.length > 0) {
        const input = dice.pick(inputs);
        const as =
          isStored(input.dtype) && dice.below(2) === 0
            ? input.dtype === "bfloat16"
              ? "float32"
              : "int32"
            : undefined;
        s.cacheRead(input.name, dice.below(4) === 0 ? null : loop, { name, pack, as });
      }
      break;
    }
    case 10: {
      const targets = buffersOf(s.kernel).filter((b) => b.output || b.scope === "shared");
      if (targets.length > 0)
        s.cacheWrite(dice.pick(targets).name, loop, { name, scope: dice.pick(["local", "register"]) });
      break;
    }
    case 11: {
      const temporaries = buffersOf(s.kernel).filter((b) => b.scope === "shared");
      if (temporaries.length > 0) s.computeAt(dice.pick(temporaries).name, loop);
      break;
    }
    case 12: {
      const tops = s.kernel.body.flatMap((x) => (x.kind === "for" ? [x.variable] : []));
      const at = dice.below(tops.length);
      if (at + 1 < tops.length) s.merge(tops[at], tops[at + 1]);
      break;
    }
    default: {
      const nest = nestFrom(s.kernel, loop);
      const choice = dice.below(3);
      if (choice === 0) s.pad(loop);
      else if (choice === 1) s.rfactor(nest[nest.length - 1], loop, name);
      else if (nest.length > 1) s.skew(nest[0], nest[1], 1 + dice.below(2), name);
    }
  }
}

/** The perfect nest that begins at a loop. */
function nestFrom(kernel: LoopKernel, variable: string): string[] {
  const out: string[] = [];
  walk(kernel.body, (s) => {
    if (s.kind !== "for" || s.variable !== variable) return;
    for (let at = s; ; ) {
      out.push(at.variable);
      const [only] = at.body;
      if (at.body.length !== 1 || only.kind !== "for") break;
      at = only;
    }
  });
  return out;
}

function capOfLoop(kernel: LoopKernel, variable: string): number | null {
  let cap: number | null = null;
  walk(kernel.body, (s) => {
    if (s.kind === "for" && s.variable === variable) cap = capOf(s);
  });
  return cap;
}

/** Loops that index register buffers are unrolled, unless they are vectors. */
function finishRegisters(s: Schedule): void {
  for (const variable of loopNames(s.kernel)) {
    let indexes = false;
    walk(s.kernel.body, (x, around) => {
      if (x.kind !== "for" || x.variable !== variable || x.loop === "vectorized") return;
      const registers = buffersOf(s.kernel).filter((b) => b.scope === "register");
      const text = JSON.stringify(x.body, (key, value) => (key === "text" ? undefined : value));
      if (registers.some((b) => text.includes(`"${b.name}"`)) && text.includes(`"${variable}"`)) {
        const inside = around.some((a) => a.kind === "alloc");
        indexes = !inside && registers.some((b) => touches(x, b.name, variable));
      }
    });
    try {
      if (indexes) s.unroll(variable);
    } catch (error) {
      if (!(error instanceof LoopError)) throw error;
    }
  }
}

function touches(loop: Parameters<typeof walk>[0][number], buffer: string, variable: string): boolean {
  let found = false;
  const scan = (value: unknown): void => {
    if (Array.isArray(value)) for (const v of value) scan(v);
    else if (value !== null && typeof value === "object") {
      const node = value as { buffer?: { name: string }; indices?: readonly { variables(): Set<string> }[] };
      if (node.buffer?.name === buffer && node.indices?.some((i) => i.variables().has(variable)))
        found = true;
      for (const v of Object.values(value)) scan(v);
    }
  };
  scan(loop);
  return found;
}

const ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  int32: Int32Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
  bfloat16: Uint16Array,
  float16: Uint16Array,
} as const;

/** Buffers with random contents (outputs too, so that what is not written shows). */
export function randomBuffers(dice: Dice, { kernel, sizes }: Instance): Record<string, ElementArray> {
  const values = new Map(Object.entries(sizes));
  return Object.fromEntries(
    kernel.params.map((b) => {
      const count = b.shape.reduce((n, d) => n * d.evaluate(values), 1);
      const array = new ARRAYS[b.dtype](count);
      for (let i = 0; i < count; i++)
        array[i] =
          b.dtype === "int8" || b.dtype === "uint8"
            ? dice.below(256)
            : b.dtype === "int32"
              ? dice.below(41) - 20
              : b.dtype === "float16"
                ? 0x3800 + dice.below(0x400) + (dice.below(2) << 15)
                : b.dtype === "bfloat16"
                  ? 0x3f00 + dice.below(0x100) + (dice.below(2) << 15)
                  : dice.real() * 2 - 1;
      return [b.name, array];
    }),
  );
}
