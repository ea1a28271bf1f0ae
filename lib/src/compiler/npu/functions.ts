/** What the vector unit computes in a lane. */
import type { Reduce, Vector } from "./isa.js";

/** The function of one lane; storing rounds to float32 or wraps to int32. */
export function functionOf(i: Vector | Reduce): (a: number, b: number) => number {
  const floats = i.type === "float32";
  switch (i.fn) {
    case "copy":
    case "toFloat":
      return (a) => a;
    case "set": {
      const { imm } = i;
      return () => imm;
    }
    case "neg":
      return (a) => -a;
    case "abs":
      return (a) => Math.abs(a);
    case "square":
      return floats ? (a) => a * a : (a) => Math.imul(a, a);
    case "relu":
      return (a) => Math.max(a, 0);
    case "sqrt":
      return (a) => Math.sqrt(a);
    case "exp":
      return (a) => Math.exp(a);
    case "log":
      return (a) => Math.log(a);
    case "tanh":
      return (a) => Math.tanh(a);
    case "sigmoid":
      return (a) => 1 / (1 + Math.exp(-a));
    case "floor":
      return (a) => Math.floor(a);
    case "toInt":
      return (a) => Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, Math.trunc(a)));
    case "wrapInt8":
      return (a) => (a << 24) >> 24;
    case "wrapUint8":
      return (a) => a & 255;
    case "requantize": {
      const { imm } = i;
      return (a) => Math.max(-128, Math.min(127, halfEven(Math.fround(a * imm))));
    }
    case "add":
      return (a, b) => a + b;
    case "sub":
      return (a, b) => a - b;
    case "mul":
      return floats ? (a, b) => a * b : (a, b) => Math.imul(a, b);
    case "div":
      return (a, b) => a / b;
    case "maximum":
      return (a, b) => Math.max(a, b);
    case "minimum":
      return (a, b) => Math.min(a, b);
    case "less":
      return (a, b) => (a < b ? 1 : 0);
    case "lessEqual":
      return (a, b) => (a <= b ? 1 : 0);
    case "equal":
      return (a, b) => (a === b ? 1 : 0);
    case "notEqual":
      return (a, b) => (a !== b ? 1 : 0);
    case "and":
      return (a, b) => a & b;
    case "or":
      return (a, b) => a | b;
    case "choose":
      return (a) => a;
  }
}

function halfEven(x: number): number {
  const low = Math.floor(x);
  const rest = x - low;
  if (rest !== 0.5) return rest < 0.5 ? low : low + 1;
  return low % 2 === 0 ? low : low + 1;
}
