/** Random indices in NumPy's sense, as plain data, and what they name by the definition, element by element. */
import fc from "fast-check";
import { type AnyIndex, type Tensor, tensor } from "../../src/index.js";

export interface Plain {
  readonly shape: number[];
  readonly values: number[];
}

export type Part =
  | { readonly kind: "at"; readonly at: number }
  | { readonly kind: "range"; readonly range: readonly [number | null, number | null, number] }
  | { readonly kind: "new" }
  | { readonly kind: "dots" }
  | { readonly kind: "array"; readonly array: Plain }
  | { readonly kind: "mask"; readonly mask: Plain };

export interface IndexCase {
  readonly shape: number[];
  readonly index: Part[];
}

export const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

const bound = (n: number) => fc.option(fc.integer({ min: -n - 2, max: n + 2 }), { freq: 3 });
const range = (n: number): fc.Arbitrary<Part> =>
  fc
    .tuple(bound(n), bound(n), fc.constantFrom(-3, -2, -1, 1, 1, 2, 3))
    .map((parts) => ({ kind: "range", range: parts }));
const position = (n: number) => fc.integer({ min: -n, max: n - 1 });

/** Integer arrays whose shapes broadcast to `common`. */
const array = (n: number, common: readonly number[]): fc.Arbitrary<Part> =>
  fc
    .record({
      rank: fc.integer({ min: 0, max: common.length }),
      ones: fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }),
    })
    .chain(({ rank, ones }) => {
      const shape = common.slice(common.length - rank).map((dim, i) => (ones[i] ? 1 : dim));
      const size = sizeOf(shape);
      return fc
        .array(position(n), { minLength: size, maxLength: size })
        .map((values) => ({ kind: "array" as const, array: { shape, values } }));
    });

const mask = (shape: readonly number[]): fc.Arbitrary<Part> =>
  fc
    .array(fc.constantFrom(0, 1), { minLength: sizeOf(shape), maxLength: sizeOf(shape) })
    .map((values) => ({ kind: "mask", mask: { shape: [...shape], values } }));

const shapes = fc.array(fc.constantFrom(1, 2, 2, 3, 3, 4, 0), { maxLength: 4 });
const commons = fc.array(fc.constantFrom(1, 2, 3), { maxLength: 2 });

/** Mostly valid ones; where masks and arrays do not fit together, or a position is out of range, an error is right. */
export const indexCase: fc.Arbitrary<IndexCase> = fc
  .record({
    shape: shapes,
    common: commons,
    kinds: fc.array(fc.constantFrom("at", "range", "range", "array", "array", "mask", "new", "wide mask"), {
      maxLength: 5,
    }),
    dots: fc.option(fc.nat(4)),
    wrong: fc.integer({ min: 0, max: 30 }),
  })
  .chain(({ shape, common, kinds, dots, wrong }) => {
    const parts: fc.Arbitrary<Part>[] = [];
    // axes are taken from the front, or from the back once "..." stood
    const covers = kinds.map((kind) => (kind === "new" ? 0 : kind === "wide mask" ? 2 : 1));
    let used = 0;
    const kept: number[] = [];
    kinds.forEach((_, k) => {
      if (used + covers[k] > shape.length) return;
      used += covers[k];
      kept.push(k);
    });
    const after = dots === null ? kept.length : Math.min(dots, kept.length);
    let axis = 0;
    kept.forEach((k, place) => {
      if (place === after) {
        parts.push(fc.constant({ kind: "dots" }));
        axis += shape.length - used;
      }
      const n = shape[axis] ?? 1;
      const kind = kinds[k];
      if (kind === "new") parts.push(fc.constant({ kind: "new" }));
      else if (kind === "wide mask") parts.push(mask(shape.slice(axis, axis + 2)));
      else if (kind === "mask") parts.push(mask([n]));
      else if (kind === "range" || n === 0) parts.push(range(n));
      else if (kind === "at")
        parts.push(
          (wrong === 0 ? fc.constantFrom(n, -n - 1) : position(n)).map((at) => ({ kind: "at", at })),
        );
      else parts.push(array(n, common));
      axis += covers[k];
    });
    if (dots !== null && after === kept.length) parts.push(fc.constant({ kind: "dots" }));
    return fc.tuple(...parts).map((index) => ({ shape, index }));
  });

/** As our functions take it. */
export function ourIndex(index: readonly Part[]): AnyIndex[] {
  return index.map((part): AnyIndex => {
    switch (part.kind) {
      case "at":
        return part.at;
      case "range":
        return part.range;
      case "new":
        return null;
      case "dots":
        return "...";
      case "array":
        return tensor(Int32Array.from(part.array.values), { shape: part.array.shape }) as Tensor;
      default:
        return tensor(Uint8Array.from(part.mask.values), { shape: part.mask.shape, dtype: "bool" }) as Tensor;
    }
  });
}

/** All positions of a shape, the last axis fastest. */
export function positions(shape: readonly number[]): number[][] {
  return shape.reduce<number[][]>(
    (all, dim) => all.flatMap((at) => Array.from({ length: dim }, (_, i) => [...at, i])),
    [[]],
  );
}

export const flatten = (at: readonly number[], shape: readonly number[]): number =>
  at.reduce((sum, i, a) => sum * shape[a] + i, 0);

/** Python's range(start, stop, step) of a slice over n. */
function rangePositions(
  [start, stop, step]: readonly [number | null, number | null, number],
  n: number,
): number[] {
  const [low, high] = step > 0 ? [0, n] : [-1, n - 1];
  const limit = (v: number | null, otherwise: number): number =>
    v === null ? otherwise : Math.min(high, Math.max(low, v < 0 ? v + n : v));
  const from = limit(start, step > 0 ? low : high);
  const to = limit(stop, step > 0 ? high : low);
  const found: number[] = [];
  for (let i = from; step > 0 ? i < to : i > to; i += step) found.push(i);
  return found;
}

/** What an index names: the shape of the part, and the flat position in x of each of its elements. `null`: an error. */
export function named(
  shape: readonly number[],
  index: readonly Part[],
): { shape: number[]; places: number[] } | null {
  const covered = index.reduce(
    (sum, p) =>
      sum + (p.kind === "mask" ? p.mask.shape.length : p.kind === "new" || p.kind === "dots" ? 0 : 1),
    0,
  );
  if (covered > shape.length) return null;
  const fill = new Array<Part>(shape.length - covered).fill({ kind: "range", range: [null, null, 1] });
  const dots = index.findIndex((p) => p.kind === "dots");
  const whole = dots < 0 ? [...index, ...fill] : [...index.slice(0, dots), ...fill, ...index.slice(dots + 1)];
  // each axis of x: a list (ranges), or one number for each place of the arrays (advanced)
  type Source =
    | { readonly list: number[] }
    | { readonly pick: (at: readonly number[]) => number; readonly shape: number[] };
  const sources: Source[] = [];
  const axes: ("new" | number)[] = []; // of the result, before arrays take their place; numbers are axes of x
  let axis = 0;
  let bad = false;
  for (const part of whole) {
    if (part.kind === "new") axes.push("new");
    else if (part.kind === "range") {
      axes.push(sources.length);
      sources.push({ list: rangePositions(part.range, shape[axis++]) });
    } else if (part.kind === "mask") {
      const held = positions(part.mask.shape).filter(
        (at) => part.mask.values[flatten(at, part.mask.shape)] !== 0,
      );
      part.mask.shape.forEach((dim, a) => {
        if (dim !== shape[axis + a]) bad = true;
        sources.push({ pick: ([k]) => held[k][a], shape: [held.length] });
      });
      axis += part.mask.shape.length;
    } else {
      const { shape: own, values } =
        part.kind === "at"
          ? { shape: [], values: [part.at] }
          : part.kind === "array"
            ? part.array
            : { shape: [], values: [] };
      const n = shape[axis++];
      if (values.some((v) => v < -n || v >= n)) bad = true;
      sources.push({ pick: (at) => (values[flatten(at, own)] + n) % n, shape: own });
    }
  }
  if (bad) return null;
  const arrays = sources.flatMap((s) => ("pick" in s ? [s.shape] : []));
  const rank = Math.max(0, ...arrays.map((s) => s.length));
  const common = Array.from({ length: rank }, (_, i) => {
    const dims = arrays
      .flatMap((s) => (s.length >= rank - i ? [s[i - rank + s.length]] : []))
      .filter((d) => d !== 1);
    return new Set(dims).size > 1 ? Number.NaN : (dims[0] ?? 1);
  });
  if (common.some(Number.isNaN)) return null;
  // where the arrays' axes stand: at the first array if all stand together in what was written, else in front
  const advanced = index.some((p) => p.kind === "array" || p.kind === "mask");
  const isArray = (p: Part): boolean => p.kind === "array" || p.kind === "mask" || p.kind === "at";
  const written = index.map((_, i) => i).filter((i) => isArray(index[i]));
  const together = written.every((i, k) => k === 0 || i === written[k - 1] + 1);
  const before = advanced && together ? whole.slice(0, whole.findIndex(isArray)).length : 0;
  const result: ({ readonly list: number; readonly axis: number } | { readonly common: number } | "new")[] =
    axes.map((a) =>
      a === "new" ? "new" : { axis: a, list: (sources[a] as { list: number[] }).list.length },
    );
  result.splice(before, 0, ...common.map((_, i) => ({ common: i })));
  const outShape = result.map((r) => (r === "new" ? 1 : "list" in r ? r.list : common[r.common]));
  const places = positions(outShape).map((at) => {
    const inCommon = at.filter((_, i) => typeof result[i] === "object" && "common" in (result[i] as object));
    const full = sources.map((s, a) => {
      if ("list" in s)
        return s.list[at[result.findIndex((r) => typeof r === "object" && "axis" in r && r.axis === a)]];
      const own = inCommon.slice(rank - s.shape.length).map((i, k) => (s.shape[k] === 1 ? 0 : i));
      return s.pick(own);
    });
    return flatten(full, shape);
  });
  return { shape: outShape, places };
}
