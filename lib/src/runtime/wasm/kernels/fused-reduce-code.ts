/**
 * Code of reductions over elements that a program computes: along runs of reduced elements, a block at a time in the
 * thread's scratch memory, or across rows, added to a block of the result that stays in the cache meanwhile.
 */
import { bytesPerElement, type DType } from "../../../core/dtype.js";
import { type Expr, type Func, i32, type Local, load, ModuleBuilder, op, select } from "../assembler.js";
import { splatLoad, storeFour, storeOne, vectorLoad } from "../elementwise/access.js";
import { addFlat, type Pattern } from "../elementwise/codegen.js";
import { constantsOf, type ElementwiseNode, type ElementwiseProgram } from "../elementwise/program.js";
import { Reducer } from "./reduce-code.js";

export type FusedReduction = "sum" | "prod" | "max" | "min";

/** What decides the code. */
export interface FusedReduceForm {
  readonly reduction: FusedReduction;
  readonly program: ElementwiseProgram;
  readonly dtype: DType;
  /** How each input lies in the inner loop. */
  readonly patterns: readonly Pattern[];
  /** The inner loop is over reduced elements; else over results. */
  readonly along: boolean;
  /** Numbers of loops outside of the inner one, over results and over reduced elements. */
  readonly kept: number;
  readonly reduced: number;
}

/** Elements that lie in scratch memory between the two: 4 to 8 KiB. */
const RUN = 1024;
/** Of a short program so many elements are computed and added in registers, each of another row or part of a run. */
const STRIPS = 4;

/** The op that adds an element to a result. */
const STEP: Readonly<Record<FusedReduction, string>> = {
  sum: "add",
  prod: "mul",
  max: "maximum",
  min: "minimum",
};

/** 32-bit words in front of the table's sizes. */
export const HEADER = [
  ...["inner", "rows", "splits", "blocks"],
  ...["rowsOfSplit", "rowStep", "innerOfItem", "innerStep", "target"],
] as const;

/** Words of the table before the constants (an even number, so that those are aligned). */
export function reduceTableWords({ patterns, kept, reduced }: FusedReduceForm): number {
  const strided = patterns.filter((p) => p === "strided").length;
  const words = HEADER.length + kept + reduced + patterns.length * (1 + kept + reduced) + strided;
  return words + (words & 1);
}

/**
 * `reduce(table | from, to, scratch)`. Items: results by splits of what is reduced into them, by blocks of the inner loop
 * if that is over results. Table (32-bit words): HEADER, sizes of the outer loops (results first), per input its address
 * and a stride for each of those, inner strides of strided inputs; then constants (64 bits). Strides are in bytes.
 */
export function fusedReduceModule(form: FusedReduceForm, relaxed: boolean): ModuleBuilder {
  const module = new ModuleBuilder();
  const partOf = (strips: number): Part => ({
    strips,
    flat: addFlat(module, stripped(form, strips), patternsOf(form, strips), relaxed, `strips${strips}`),
  });
  const parts = stripsOf(form) === 1 ? [partOf(1)] : [partOf(stripsOf(form)), partOf(1)];
  module.func("reduce", ["i32", "i32", "i32", "i32"], null, (f) => build(f, parts, form));
  return module;
}

/** A function that computes elements of so many strips at once and adds them up. */
interface Part {
  readonly strips: number;
  readonly flat: Func;
}

function stripsOf({ program, patterns }: FusedReduceForm): number {
  const read = patterns.filter((p) => p === "unit").length;
  return program.nodes.length <= 8 && read <= 2 && !patterns.includes("strided") ? STRIPS : 1;
}

const patternsOf = ({ patterns, along }: FusedReduceForm, strips: number): Pattern[] => [
  ...new Array<readonly Pattern[]>(strips).fill(patterns).flat(),
  ...(along ? [] : (["unit"] as const)),
];

/** The program once for each strip, their results added up: across rows also to the result so far, the last input. */
function stripped({ program, reduction, dtype, along }: FusedReduceForm, strips: number): ElementwiseProgram {
  const inputs = [
    ...new Array<readonly DType[]>(strips).fill(program.inputs).flat(),
    ...(along ? [] : [dtype]),
  ];
  const nodes: ElementwiseNode[] = [];
  const terms = along ? [] : [inputs.length - 1];
  for (let s = 0; s < strips; s++) {
    const own = program.inputs.length;
    const made = inputs.length + nodes.length - own;
    const here = (value: number): number => value + (value < own ? s * own : made);
    nodes.push(...program.nodes.map((node) => ({ ...node, args: node.args.map(here) })));
    terms.push(here(program.outputs[0]));
  }
  const sum = terms.reduce((sum, term) => {
    nodes.push({ op: STEP[reduction], args: [sum, term] });
    return inputs.length + nodes.length - 1;
  });
  return { inputs, nodes, outputs: [sum] };
}

const add = (a: Expr<"i32">, b: Expr<"i32">) => op("i32.add", a, b);
const sub = (a: Expr<"i32">, b: Expr<"i32">) => op("i32.sub", a, b);
const mul = (a: Expr<"i32">, b: Expr<"i32">) => op("i32.mul", a, b);

function build(f: Func, parts: readonly Part[], form: FusedReduceForm): void {
  const { program, dtype, patterns, along, kept, reduced, reduction } = form;
  const bytes = i32(bytesPerElement(dtype));
  const [table, from, to, scratch] = [0, 1, 2, 3].map((i) => f.param<"i32">(i));
  const word = (index: number) => load("i32.load", table, index * 4);
  const head = Object.fromEntries(HEADER.map((name, i) => [name, f.let(word(i))])) as Record<
    (typeof HEADER)[number],
    Local<"i32">
  >;
  const outer = kept + reduced;
  const inputAt = (i: number): number => HEADER.length + outer + i * (1 + outer);
  const steps = patterns
    .filter((p) => p === "strided")
    .map((_, i) => f.let(word(inputAt(patterns.length) + i)));
  const numbersAt = reduceTableWords(form) * 4;
  const numbers = constantsOf(program).map((_, i) => f.let(load("f64.load", table, numbersAt + i * 8)));
  const r = new Reducer(f, reduction, dtype, dtype);
  const lanes = along ? [r.start(), r.start(), r.start(), r.start()] : [r.start()];
  const tail = r.start();
  const local = () => f.local("i32");
  const [rest, split, out, row, rowEnd, first, end, j, stop, index, width] = Array.from(
    { length: 11 },
    local,
  );
  const item = f.let(from);
  const starts = patterns.map(local);
  /** Addresses of each strip's operands. */
  const places = Array.from({ length: parts[0].strips }, () => patterns.map(local));
  /** Adds to the addresses what the loops `at … at + count` have moved them by in round `rest`. */
  const move = (addresses: readonly Local<"i32">[], at: number, count: number): void => {
    for (let d = at + count - 1; d >= at; d--) {
      const size = word(HEADER.length + d);
      f.set(index, d === at ? rest : op("i32.rem_u", rest, size));
      if (d > at) f.set(rest, op("i32.div_u", rest, size));
      addresses.forEach((address, i) => {
        f.set(address, add(address, mul(index, word(inputAt(i) + 1 + d))));
      });
    }
  };
  /** Lets a strip begin at the row that is `s` behind this one. */
  const toRow = (s: number): void => {
    f.set(rest, add(row, i32(s)));
    places[s].forEach((place, i) => {
      f.set(place, starts[i]);
    });
    move(places[s], kept, reduced);
  };
  const least = (a: Local<"i32">, b: Expr<"i32">): Expr<"i32"> => select(op("i32.lt_s", a, b), a, b);
  f.for(item, to, 1, () => {
    f.set(rest, along ? item : op("i32.div_u", item, head.blocks));
    f.set(out, add(head.target, mul(mul(rest, bytes), along ? i32(1) : head.inner)));
    f.set(split, op("i32.rem_u", rest, head.splits));
    f.set(rest, op("i32.div_u", rest, head.splits));
    f.set(row, mul(split, head.rowStep));
    f.set(rowEnd, least(head.rows, add(row, head.rowsOfSplit)));
    f.set(first, mul(along ? split : op("i32.rem_u", item, head.blocks), head.innerStep));
    f.set(end, least(head.inner, add(first, head.innerOfItem)));
    starts.forEach((start, i) => {
      f.set(start, word(inputAt(i)));
    });
    move(starts, 0, kept);
    if (along) for (const sums of [...lanes, tail]) r.reset(sums);
    else fill(f, r, out, first, end, j);
    if (!along) {
      for (const { strips, flat } of parts)
        f.for(row, sub(rowEnd, i32(strips - 1)), strips, () => {
          const used = places.slice(0, strips);
          used.forEach((_, s) => {
            toRow(s);
          });
          const repeated = used.flatMap(() => numbers);
          f.call(flat, out, ...used.flat(), out, ...steps, ...repeated, first, end, scratch);
        });
      return;
    }
    f.for(row, rowEnd, 1, () => {
      toRow(0);
      f.set(j, first);
      f.while(op("i32.lt_s", j, end), () => {
        f.set(stop, least(end, add(j, i32(RUN * parts[0].strips))));
        for (const { strips, flat } of parts) {
          f.set(width, sub(stop, j));
          if (strips > 1) f.set(width, op("i32.and", op("i32.div_u", width, i32(strips)), i32(-4)));
          places.slice(1, strips).forEach((strip, s) => {
            strip.forEach((place, i) => {
              const apart = patterns[i] === "same" ? 0 : (s + 1) * bytesPerElement(program.inputs[i]);
              f.set(place, add(places[0][i], mul(width, i32(apart))));
            });
          });
          const used = places.slice(0, strips);
          const [target, repeated] = [sub(scratch, mul(j, bytes)), used.flatMap(() => numbers)];
          // element j is written to the start of the scratch memory
          f.call(flat, target, ...used.flat(), ...steps, ...repeated, j, add(j, width), scratch);
          take(f, r, lanes, tail, scratch, width);
          f.set(j, add(j, mul(width, i32(strips))));
        }
      });
    });
    for (const sums of lanes.slice(1))
      sums.forEach((sum, q) => {
        f.set(lanes[0][q], r.rule.step(r.k, lanes[0][q], sum));
      });
    storeOne(f, dtype, out, r.total(lanes[0], tail));
  });
}

/** Sets the elements `first … end` behind `out` to what the reduction starts from. */
function fill(
  f: Func,
  r: Reducer,
  out: Local<"i32">,
  first: Local<"i32">,
  end: Local<"i32">,
  j: Local<"i32">,
): void {
  const bytes = bytesPerElement(r.input);
  const start = r.start();
  const at = f.let(add(out, mul(first, i32(bytes))));
  f.set(j, first);
  f.for(j, sub(end, i32(3)), 4, () => {
    storeFour(f, r.input, at, start);
    f.set(at, add(at, i32(4 * bytes)));
  });
  f.for(j, end, 1, () => {
    storeOne(f, r.input, at, start);
    f.set(at, add(at, i32(bytes)));
  });
}

/** Takes `count` elements side by side into the partial results. */
function take(
  f: Func,
  r: Reducer,
  lanes: readonly (readonly Local<"v128">[])[],
  tail: readonly Local<"v128">[],
  from: Local<"i32">,
  count: Expr<"i32">,
): void {
  const bytes = bytesPerElement(r.input);
  const at = f.let(from);
  const all = f.let(count);
  const i = f.let(i32(0));
  f.for(i, op("i32.and", all, i32(-16)), 16, () => {
    lanes.forEach((sums, q) => {
      r.take(sums, vectorLoad(r.input, q === 0 ? at : add(at, i32(4 * q * bytes))));
    });
    f.set(at, add(at, i32(16 * bytes)));
  });
  f.for(i, op("i32.and", all, i32(-4)), 4, () => {
    r.take(lanes[0], vectorLoad(r.input, at));
    f.set(at, add(at, i32(4 * bytes)));
  });
  f.for(i, all, 1, () => {
    r.take(tail, splatLoad(r.input, at));
    f.set(at, add(at, i32(bytes)));
  });
}
