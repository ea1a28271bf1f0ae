/** Indices as functions: they are asked for every lane of every access. */
import type { Affine, Atom } from "../loop/affine.js";
import type { Buffer } from "../loop/ir.js";

const flats = new WeakMap<readonly Affine[], Affine>();

/** Elements from the buffer's beginning. */
export function flatIndex(buffer: Buffer, indices: readonly Affine[]): Affine {
  let flat = flats.get(indices);
  if (flat) return flat;
  let stride = 1;
  const strides = new Array<number>(indices.length);
  for (let axis = indices.length - 1; axis >= 0; axis--) {
    strides[axis] = buffer.strides?.[axis].constant ?? stride;
    stride *= buffer.shape[axis].constant;
  }
  flat = indices.reduce((sum, index, axis) => sum.plus(index.times(strides[axis])), indices[0].times(0));
  flats.set(indices, flat);
  return flat;
}

export type Code = (values: ReadonlyMap<string, number>) => number;

/** A function that evaluates an index: it is asked for every lane of every access. */
export function compile(e: Affine): Code {
  const terms = e.terms.map(({ atom, coefficient }) => ({ code: atomCode(atom), coefficient }));
  const { constant } = e;
  return (values) => {
    let sum = constant;
    for (const { code, coefficient } of terms) sum += coefficient * code(values);
    return sum;
  };
}

function atomCode(atom: Atom): Code {
  switch (atom.kind) {
    case "var": {
      const { name } = atom;
      return (values) => values.get(name) ?? 0;
    }
    case "floordiv":
    case "mod": {
      const [of, { by }] = [compile(atom.of), atom];
      if (atom.kind === "floordiv") return (values) => Math.floor(of(values) / by);
      return (values) => {
        const x = of(values);
        return x - by * Math.floor(x / by);
      };
    }
    default: {
      const parts = atom.of.map(compile);
      const pick = atom.kind === "min" ? Math.min : Math.max;
      return (values) => pick(...parts.map((part) => part(values)));
    }
  }
}
