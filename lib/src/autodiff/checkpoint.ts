/**
 * Rematerialization: a function whose intermediate results are not kept for backward but computed again there: memory
 * for time. (Chen et al., "Training deep nets with sublinear memory cost", 2016; book, chapter 4: checkpointing.)
 */
import { TransformError } from "../core/errors.js";
import type { Tensor } from "../core/tensor.js";
import { flatten, type TreeDef, unflatten } from "../core/tree.js";
import { bind } from "../ops/bind.js";
import type { Attrs, OpDef, VjpContext } from "../ops/registry.js";
import { tidy } from "../ops/tidy.js";
import { resultTypes } from "./abstract.js";
import { isWalking, passToBackward, walksInside } from "./backward.js";
import { vmap } from "./batch.js";
import { jvpAlong } from "./forward.js";
import { pullBack, recordRun } from "./reverse.js";
import { carriesGradient, history, leafNode } from "./tape.js";
import { isRecording, onTape, TapeTensor, tape, withRecording } from "./tape-mode.js";
import { callSync, constantLike } from "./trace.js";
import { Variable } from "./variable.js";
import { walkBack } from "./walk.js";

type Leafwise = (inputs: readonly Tensor[]) => readonly Tensor[];

/**
 * `f`, but what it computes on the way is given back at once: reverse mode keeps the arguments only, and runs `f` again
 * when it comes back. `f` must compute the same again: give random keys as arguments.
 * @example grad(checkpoint((x: Tensor) => x.sin().square().sum()))(tensor([1])) // [0.9093]
 * @throws TransformError if `f` uses a value that grad differentiates but is not among its arguments. (Variables on the
 * tape may be used by closure.)
 */
export function checkpoint<A extends unknown[], T>(f: (...args: A) => T): (...args: A) => T {
  const name = `checkpoint(${f.name || "anonymous"})`;
  return (...args) => {
    const { leaves, def } = flatten(args);
    const fixed = leaves.map((leaf) => leaf instanceof Variable && !leaf.requiresGrad);
    let result: TreeDef | null = null;
    const run: Leafwise = (inputs) => {
      let next = 0;
      const given = unflatten(
        def,
        leaves.map((leaf, i) => (fixed[i] ? leaf : inputs[next++])),
      );
      const value = flatten(callSync(f as never, given as A, name));
      result = value.def;
      return value.leaves;
    };
    const inputs = leaves.filter((_, i) => !fixed[i]);
    const op = rematerialized(name, run);
    const plain = inputs.every((x) => x.trace === null);
    const nodes = inputs.map(() => null);
    const outputs =
      plain && isRecording()
        ? tape.recordWhole(
            op,
            {},
            inputs,
            nodes,
            inputs.map(() => 0),
            false,
          )
        : bind(op, inputs, {});
    return unflatten(result as unknown as TreeDef, outputs) as T;
  };
}

function rematerialized(name: string, run: Leafwise): OpDef {
  const op: OpDef = {
    name,
    samples: [],
    type: (inputs) => resultTypes(run, inputs),
    composite: (inputs) => tidy(() => run(inputs)),
    reference: () => {
      throw new TransformError(`${name} has no kernel: it runs other ops`);
    },
    saves: { inputs: "all" },
    vjp: (gradients, context) =>
      isWalking() && context.inputs.every((x) => onTape(x) === null && x.trace === null)
        ? againOnTape(run, gradients, context, name)
        : again(run, gradients, context, name),
    jvp: (primals, tangents) => {
      const slope = rematerialized(name, (inputs) => {
        const directions = inputs.slice(primals.length);
        let next = 0;
        const along = tangents.map((t) => [t && directions[next++]]);
        return jvpAlong((...x: Tensor[]) => run(x), inputs.slice(0, primals.length) as Tensor[], along)[1];
      });
      return bind(slope, [...primals, ...tangents.filter((t) => t !== null)], {});
    },
    batch: (inputs, axes, attrs: Attrs, size) => {
      const mapped = vmap((...x: Tensor[]) => run(x), { inAxes: axes, axisSize: size });
      const outputs = bind(
        rematerialized(name, (x) => mapped(...x)),
        inputs,
        attrs,
      );
      return { outputs, axes: outputs.map(() => 0) };
    },
  };
  walksInside.add(op);
  return op;
}

/** Runs the function again under reverse mode, and goes back through it. */
function again(
  run: Leafwise,
  gradients: readonly (Tensor | null)[],
  { inputs, needs }: VjpContext<Attrs>,
  name: string,
): (Tensor | null)[] {
  const wanted = (i: number): boolean => needs[i];
  const recording = recordRun((...x: Tensor[]) => run(x), inputs, wanted, name);
  const found = pullBack(recording, gradients, true);
  for (const [i, y] of recording.outputs.entries()) if (recording.owned[i]) y.dispose();
  let next = 0;
  return inputs.map((_, i) => (needs[i] ? found[next++] : null));
}

/** The same for `backward` of variables: what `run` reads by closure gets its gradient too. */
function againOnTape(
  run: Leafwise,
  gradients: readonly (Tensor | null)[],
  { inputs, needs }: VjpContext<Attrs>,
  name: string,
): (Tensor | null)[] {
  const leaves = inputs.map((x, i) => (needs[i] && carriesGradient(x) ? leafNode(x) : null));
  const outputs = withRecording(
    true,
    () =>
      run(
        inputs.map((x, i) => {
          const node = leaves[i];
          return node === null ? x : new TapeTensor(x, node, 0);
        }),
      ),
    name,
  ).map(onTape);
  const from = outputs.map((y) => y?.node ?? null);
  const found = new Map<unknown, Tensor>();
  const slots = outputs.map((y) => y?.slot ?? 0);
  walkBack(history(from), from, slots, gradients, {
    free: true,
    arrive: (leaf, g) => {
      if (!passToBackward(leaf, g)) found.set(leaf, g);
    },
  });
  return inputs.map((x, i) => (leaves[i] ? (found.get(leaves[i]) ?? constantLike(x, 0)) : null));
}
