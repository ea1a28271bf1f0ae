import { expect, it } from "vitest";
import { murmur2 } from "./murmur2.js";

/** By `murmur2_x86` of ipykernel 7.4, with its seed. */
const EXPECTED: [text: string, hash: number][] = [
  ["", 3990065800],
  ["a", 2167009006],
  ["ab", 2805137849],
  ["abc", 3350977461],
  ["abcd", 804720481],
  ["let x = 1;", 67329842],
  ["const é = '计算图';\nx", 1718773605],
  ["x".repeat(37), 3546143642],
  ["😀 emoji", 2039733467],
];

it.each(EXPECTED)("hashes %j as ipykernel and JupyterLab do", (text, hash) => {
  expect(murmur2(text, 0xc70f6907)).toBe(hash);
});
