/** Elementwise ops on the wasm device: each op as a program of one node. */
import type { HostArray } from "../../host-array.js";
import type { DeviceKernel } from "../../kernels.js";
import { type CompiledElementwise, canCompile, compileElementwise } from "../elementwise/compile.js";
import { programOfOp } from "../elementwise/program.js";
import { RULES } from "../elementwise/rules.js";

type Attrs = Readonly<Record<string, unknown>>;

const OPS = [...Object.keys(RULES), "cast", "where"];
const compiled = new Map<string, CompiledElementwise | null>();

/** A kernel per elementwise op. */
export const elementwiseKernels: readonly DeviceKernel<Attrs>[] = OPS.map((op) => {
  const names = RULES[op]?.attrs ?? [];
  return {
    op,
    launches: true,
    supports: (inputs, outputs, attrs) => kernelOf(op, inputs, outputs, attrs) !== null,
    run(inputs, outputs, attrs) {
      const constants = names.map((name) => Number(attrs[name]));
      kernelOf(op, inputs, outputs, attrs)!.run(inputs, outputs, constants);
    },
    prepare: (inputs, outputs, attrs) =>
      kernelOf(op, inputs, outputs, attrs)!.prepare(
        inputs,
        outputs,
        names.map((name) => Number(attrs[name])),
      ),
  };
});

/** `null`: some dtype has no formula. */
function kernelOf(
  op: string,
  inputs: readonly HostArray[],
  outputs: readonly HostArray[],
  attrs: Attrs,
): CompiledElementwise | null {
  let key = op;
  for (const input of inputs) key += input.dtype;
  if (op === "cast") key += `>${outputs[0].dtype}`;
  const known = compiled.get(key);
  if (known !== undefined) return known;
  const program = programOfOp(op, inputs, attrs);
  const kernel = canCompile(program) ? compileElementwise(program) : null;
  compiled.set(key, kernel);
  return kernel;
}
