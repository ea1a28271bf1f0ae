/** Functions that the tests of parallelMap run on threads. */
import { threadId } from "node:worker_threads";
import { stage } from "../../dist/data/spans.js";

export const square = (x) => x * x;

/** Later tasks are done earlier. */
export async function reversed({ at, of }) {
  await new Promise((resolve) => setTimeout(resolve, 5 * (of - at)));
  return { at, thread: threadId };
}

export function failsAt({ at, bad }) {
  if (at === bad) throw new RangeError(`no ${at}`);
  return at;
}

export const throwsText = () => {
  throw "just text";
};

export const exitsAt = ({ at, bad }) => (at === bad ? process.exit(7) : at);

export function throwsLater({ at, bad }) {
  if (at !== bad) return at;
  setTimeout(() => {
    throw new Error("out of the blue");
  }, 1);
  return new Promise(() => {});
}

export const uncloneable = () => ({ f() {} });

/** Typed arrays: whole ones, a part of one, one twice, in a circle and in a map. */
export function arrays(n) {
  const whole = Float32Array.from({ length: n }, (_, i) => i);
  const part = new Uint8Array(10).fill(9).subarray(2, 5);
  const result = { whole, same: whole, part, map: new Map([["k", Int32Array.of(n)]]) };
  result.self = result;
  return result;
}

export async function stages(name) {
  stage(`${name}.first`, () => {});
  await stage(`${name}.second`, () => new Promise((resolve) => setTimeout(resolve, 3)));
  stage(`${name}.third`, () => {});
  return name;
}

export const notAFunction = 3;
