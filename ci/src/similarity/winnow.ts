/**
 * Fingerprints by winnowing (Schleimer, Wilkerson, Aiken, "Winnowing: local algorithms for document fingerprinting",
 * SIGMOD 2003): of every window of hashes the least is kept, so that each passage of `GRAM + WINDOW - 1` tokens that two
 * programs share has a fingerprint that both keep, wherever it stands.
 */
import type { Token } from "./tokens.js";

/** Tokens of one hash: shorter passages are everybody's. */
const GRAM = 14;
const WINDOW = 6;

export interface Fingerprint {
  hash: number;
  /** Lines from and to, both included. */
  from: number;
  to: number;
}

/** @param tokens of one answer */
export function fingerprintsOf(tokens: readonly Token[]): Fingerprint[] {
  const hashes = gramHashes(tokens.map(({ symbol }) => hashText(symbol)));
  const kept: Fingerprint[] = [];
  let last = -1;
  for (let start = 0; start === 0 || start + WINDOW <= hashes.length; start++) {
    const end = Math.min(start + WINDOW, hashes.length);
    let least = start;
    // The rightmost of equal ones: it stays the least for longest.
    for (let i = start; i < end; i++) if (hashes[i] <= hashes[least]) least = i;
    if (least === last || end === start) continue;
    last = least;
    kept.push({ hash: hashes[least], from: tokens[least].line, to: tokens[least + GRAM - 1].line });
  }
  return kept;
}

/** Polynomial hashes of all runs of `GRAM` symbols, in arithmetic modulo 2³². */
function gramHashes(symbols: readonly number[]): number[] {
  const base = 0x01000193;
  let leaving = 1;
  for (let i = 1; i < GRAM; i++) leaving = Math.imul(leaving, base);
  const hashes: number[] = [];
  let hash = 0;
  for (let i = 0; i < symbols.length; i++) {
    if (i >= GRAM) hash = (hash - Math.imul(symbols[i - GRAM], leaving)) | 0;
    hash = (Math.imul(hash, base) + symbols[i]) | 0;
    // Neighbouring values are spread out, or the least would often be the same symbol.
    if (i >= GRAM - 1) hashes.push(scramble(hash));
  }
  return hashes;
}

function scramble(value: number): number {
  let mixed = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/** FNV-1a. */
function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash | 0;
}
