/**
 * Steps 4 to 6 of obfuscation: what an opaque op is given and returns, and the maps inside it that undo what was done to its
 * operands. Weights are one buffer of disguised words, cut into pieces; values between ops are words in another order, with
 * the words of some other value added, so that no decoy can be left out; operands stand in any order among some that the op
 * does not read.
 */
import { formatType, type TensorType } from "../../../core/shape.js";
import { type Graph, IRError } from "../../../ir/graph.js";
import { sameType } from "../../../ir/verify.js";
import type { DenseTensor } from "../../../runtime/dense.js";
import { ModelFileError } from "../../format/layout.js";
import type { Dice } from "../dice.js";
import {
  disguise,
  divided,
  fromWords,
  gcd,
  joined,
  noise,
  type Places,
  randomPlaces,
  undisguise,
  wordsFrom,
  wordsOf,
} from "./words.js";

/** How a value looks outside of the ops; `null`: as it is. */
export type Form = (Places & { readonly parts: readonly number[]; readonly blended: boolean }) | null;

/** How an op's weights look outside of it: 4 words that begin the noise, then the disguised ones. */
export interface WeightForm extends Places {
  /** 32 bytes as hexadecimal digits. */
  readonly key: string;
  readonly parts: readonly number[];
}

/** What an operand is: a piece of a value or of the weights, what a value or a result is blended with, or nothing. */
export type Slot =
  | readonly ["value" | "result", port: number, part: number]
  | readonly ["weights", part: number]
  | readonly ["pad" | "result pad", port: number]
  | readonly ["spare"];

export interface Interface {
  readonly values: readonly Form[];
  readonly weights: WeightForm | null;
  readonly results: readonly Form[];
  readonly inputs: readonly Slot[];
  /** Pieces of results. */
  readonly outputs: readonly Slot[];
}

/** An op of a library: its implementation is `core` behind the maps of its interface. */
export interface OpaqueOp {
  readonly name: string;
  /** Parameters: the values, then the weights. */
  readonly core: Graph;
  readonly face: Interface;
}

/** Words that begin the noise of a buffer of weights. */
const IV = 4;
const MOST_PIECES = 3;

export const weightTypes = ({ core, face }: Pick<OpaqueOp, "core" | "face">): readonly TensorType[] =>
  core.params.slice(face.values.length);

const totalWords = (types: readonly TensorType[]): number =>
  types.reduce((sum, type) => sum + wordsOf(type), 0);

/** A form for values of this type. Nothing is to be hidden in a value without elements. */
export function randomForm(type: TensorType, blended: boolean, dice: Dice): Form {
  const words = wordsOf(type);
  if (words === 0) return null;
  return { ...randomPlaces(words, dice), parts: dice.cuts(words, 1 + dice.below(2)), blended };
}

/** Step 5: an interface with these forms. */
export function randomInterface(
  core: Graph,
  forms: { readonly values: readonly Form[]; readonly results: readonly Form[] },
  spares: number,
  dice: Dice,
): Interface {
  const { values, results } = forms;
  const words = totalWords(core.params.slice(values.length));
  const weights =
    words === 0
      ? null
      : {
          key: dice.bytes(32).toString("hex"),
          ...randomPlaces(words, dice),
          parts: dice.cuts(IV + words, 1 + dice.below(MOST_PIECES)),
        };
  return {
    ...{ values, weights, results },
    inputs: dice.shuffled(inputSlots({ values, weights, results }, spares)),
    outputs: dice.shuffled(outputSlots(results)),
  };
}

const partsOf = (form: Form): number => form?.parts.length ?? 1;
const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

function inputSlots(
  { values, weights, results }: Pick<Interface, "values" | "weights" | "results">,
  spares: number,
): Slot[] {
  return [
    ...values.flatMap((form, port): Slot[] => [
      ...upTo(partsOf(form)).map((part) => ["value", port, part] as const),
      ...(form?.blended ? [["pad", port] as const] : []),
    ]),
    ...upTo(weights?.parts.length ?? 0).map((part) => ["weights", part] as const),
    ...results.flatMap((form, port): Slot[] => (form?.blended ? [["result pad", port]] : [])),
    ...upTo(spares).map(() => ["spare"] as const),
  ];
}

const outputSlots = (results: readonly Form[]): Slot[] =>
  results.flatMap((form, port) => upTo(partsOf(form)).map((part) => ["result", port, part] as const));

/** The type of a piece of a value. */
export function pieceType(type: TensorType, form: Form, part: number): TensorType {
  return form ? { shape: [form.parts[part]], dtype: "int32" } : type;
}

/** Types of the op's results. @throws IRError if the operands do not fit. */
export function opaqueTypes({ name, core, face }: OpaqueOp, inputs: readonly TensorType[]): TensorType[] {
  if (inputs.length !== face.inputs.length)
    throw new IRError(`${name}: ${face.inputs.length} operand(s) expected, ${inputs.length} given`);
  face.inputs.forEach((slot, i) => {
    const wanted =
      slot[0] === "value"
        ? pieceType(core.params[slot[1]], face.values[slot[1]], slot[2])
        : slot[0] === "weights"
          ? ({ shape: [face.weights?.parts[slot[1]] ?? 0], dtype: "int32" } as const)
          : null;
    if (wanted && !sameType(wanted, inputs[i]))
      throw new IRError(
        `${name}: operand ${i} is ${formatType(inputs[i])}, ${formatType(wanted)} was expected`,
      );
  });
  return face.outputs.map((slot) => {
    const [, port, part] = slot as Extract<Slot, readonly ["value" | "result", number, number]>;
    return pieceType(core.results[port], face.results[port], part);
  });
}

/** Step 4: the weights as operands, pieces in order. */
export function hideWeights(
  op: Pick<OpaqueOp, "core" | "face">,
  weights: readonly DenseTensor[],
  iv: Buffer,
): Int32Array[] {
  const form = op.face.weights;
  if (!form) return [];
  const words = joined(weights.map(wordsFrom));
  const hidden = disguise(words, form, noise(Buffer.from(form.key, "hex"), iv, words.length));
  const start = new Int32Array(new Uint8Array(iv).buffer);
  return divided(joined([start, hidden]), form.parts);
}

/** The weights themselves, from pieces in order. */
export function revealWeights(
  op: Pick<OpaqueOp, "core" | "face">,
  pieces: readonly DenseTensor[],
): DenseTensor[] {
  const types = weightTypes(op);
  const form = op.face.weights;
  if (!form) return types.map((type) => fromWords(new Int32Array(0), type));
  const all = joined(pieces.map(wordsFrom));
  const iv = new Uint8Array(all.slice(0, IV).buffer);
  const hidden = all.subarray(IV);
  const words = undisguise(hidden, form, noise(Buffer.from(form.key, "hex"), iv, hidden.length));
  const parts = divided(words, types.map(wordsOf));
  return types.map((type, i) => fromWords(parts[i], type));
}

const padOf = (pad: DenseTensor | undefined): Int32Array => (pad ? wordsFrom(pad) : new Int32Array(0));

/** Pieces of a value, in order. */
export function hideValue(value: DenseTensor, form: Form, pad: DenseTensor | undefined): DenseTensor[] {
  if (!form) return [value];
  const hidden = disguise(wordsFrom(value), form, padOf(pad));
  return divided(hidden, form.parts).map((words) =>
    fromWords(words, { shape: [words.length], dtype: "int32" }),
  );
}

/** The value itself, from its pieces in order. */
export function revealValue(
  pieces: readonly DenseTensor[],
  type: TensorType,
  form: Form,
  pad: DenseTensor | undefined,
): DenseTensor {
  if (!form) return pieces[0];
  return fromWords(undisguise(joined(pieces.map(wordsFrom)), form, padOf(pad)), type);
}

/** What stands in the op's operands, by what it is. */
export class Operands<T> {
  private readonly found = new Map<string, T>();

  constructor({ inputs }: Interface, given: readonly T[]) {
    inputs.forEach((slot, i) => {
      this.found.set(slot.join(), given[i]);
    });
  }

  get(...slot: Slot): T | undefined {
    return this.found.get(slot.join());
  }

  /** Pieces in order. */
  pieces(form: Form | WeightForm, at: (part: number) => Slot): T[] {
    return upTo(form?.parts.length ?? 1).map((part) => this.get(...at(part)) as T);
  }
}

/** Step 6: what the op does, `run` being its core. */
export function runOpaque(
  op: OpaqueOp,
  given: readonly DenseTensor[],
  run: (inputs: readonly DenseTensor[]) => readonly DenseTensor[],
): DenseTensor[] {
  const { core, face } = op;
  const operands = new Operands(face, given);
  const values = face.values.map((form, port) =>
    revealValue(
      operands.pieces(form, (part) => ["value", port, part]),
      core.params[port],
      form,
      operands.get("pad", port),
    ),
  );
  const weights = revealWeights(
    op,
    face.weights ? operands.pieces(face.weights, (part) => ["weights", part]) : [],
  );
  const results = run([...values, ...weights]).map((result, port) =>
    hideValue(result, face.results[port], operands.get("result pad", port)),
  );
  return face.outputs.map((slot) => {
    const [, port, part] = slot as Extract<Slot, readonly ["value" | "result", number, number]>;
    return results[port][part];
  });
}

/** @throws ModelFileError if an interface from a file does not fit the op's core. */
export function checkInterface({ name, core, face }: OpaqueOp, where: string): void {
  const need = (holds: boolean, what: string): void => {
    if (!holds) throw new ModelFileError(`${where}: the interface of op ${name} is damaged: ${what}`);
  };
  const places = ({ step, offset }: Places, n: number): boolean =>
    [step, offset].every((x) => Number.isInteger(x) && x >= 0 && x <= n) && offset < n && gcd(step, n) === 1;
  const cut = (parts: unknown, n: number): boolean =>
    Array.isArray(parts) &&
    parts.every((part) => Number.isInteger(part) && part > 0) &&
    parts.reduce((a, b) => a + b, 0) === n;
  const lists = [face?.values, face?.results, face?.inputs, face?.outputs];
  need(lists.every(Array.isArray), "lists are missing");
  need(face.values.length <= core.params.length, "it has more values than the op");
  need(face.results.length === core.results.length, "it has other results than the op");
  const form = (form: Form, type: TensorType): boolean =>
    form === null ||
    (places(form, wordsOf(type)) && cut(form.parts, wordsOf(type)) && typeof form.blended === "boolean");
  face.values.forEach((f, i) => {
    need(form(f, core.params[i]), `value ${i}`);
  });
  face.results.forEach((f, i) => {
    need(form(f, core.results[i]), `result ${i}`);
  });
  const words = totalWords(core.params.slice(face.values.length));
  const { weights } = face;
  if (weights === null) need(words === 0, "the weights");
  else
    need(
      places(weights, words) && cut(weights.parts, IV + words) && /^[0-9a-f]{64}$/.test(weights.key),
      "the weights",
    );
  const known = (slots: readonly Slot[], wanted: readonly Slot[]): boolean => {
    const left = slots
      .map((slot) => (Array.isArray(slot) ? slot.join() : ""))
      .filter((slot) => slot !== "spare");
    return (
      left.sort().join("|") ===
      wanted
        .map((slot) => slot.join())
        .sort()
        .join("|")
    );
  };
  need(known(face.inputs, inputSlots(face, 0)), "its operands");
  need(
    known(face.outputs, outputSlots(face.results)) && !face.outputs.some(([kind]) => kind === "spare"),
    "its results",
  );
}
