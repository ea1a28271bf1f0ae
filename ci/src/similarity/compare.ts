/** Which submissions of an assignment look like each other, more than the task and the given code explain. */

import { tokensOf } from "./tokens.js";
import { type Fingerprint, fingerprintsOf } from "./winnow.js";

export interface Answers {
  /** Of the submission. */
  name: string;
  student: string;
  /** Sources by grade_id. */
  answers: ReadonlyMap<string, string>;
}

export interface Match {
  gradeId: string;
  /** Fingerprints that both have. */
  shared: number;
  /** Lines of each side, from and to. */
  left: [from: number, to: number][];
  right: [from: number, to: number][];
}

export interface Pair {
  left: { name: string; student: string };
  right: { name: string; student: string };
  /** Of the smaller one's fingerprints, the share that the other has as well: 0 to 1. */
  similarity: number;
  shared: number;
  matches: Match[];
}

export interface SimilarityOptions {
  /** What everybody was given: sources whose passages count for nobody. */
  given: Iterable<string>;
  /** Pairs below are left out. */
  threshold?: number;
  /** A passage that more than this share of the submissions has is everybody's; of fewer than ten submissions, none is. */
  common?: number;
}

/** Less than this says nothing: a few lines can be written in few ways. */
const LEAST_SHARED = 6;
const ENOUGH_FOR_COMMON = 10;

interface Prints {
  submission: Answers;
  /** By hash, then where. */
  prints: Map<number, (Fingerprint & { gradeId: string })[]>;
}

/** All pairs of different students at or above the threshold, most alike first. */
export function similarPairs(submissions: readonly Answers[], options: SimilarityOptions): Pair[] {
  const { given, threshold = 0.5, common = 0.4 } = options;
  const known = new Set<number>();
  for (const source of given) for (const { hash } of fingerprintsOf(tokensOf(source))) known.add(hash);
  const all = submissions.map((submission) => printsOf(submission, known));
  const owners = new Map<number, number[]>();
  all.forEach(({ prints }, index) => {
    for (const hash of prints.keys()) owners.set(hash, [...(owners.get(hash) ?? []), index]);
  });
  // Counted from the fingerprints, so that a course of hundreds does not compare each with each.
  const shared = new Map<string, number[]>();
  for (const [hash, who] of owners) {
    if (submissions.length >= ENOUGH_FOR_COMMON && who.length > common * submissions.length) {
      for (const index of who) all[index].prints.delete(hash);
      continue;
    }
    for (let i = 0; i < who.length; i++)
      for (let j = i + 1; j < who.length; j++) {
        const key = `${who[i]} ${who[j]}`;
        shared.set(key, [...(shared.get(key) ?? []), hash]);
      }
  }
  const pairs: Pair[] = [];
  for (const [key, hashes] of shared) {
    const [a, b] = key.split(" ").map((index) => all[Number(index)]);
    if (a.submission.student === b.submission.student || hashes.length < LEAST_SHARED) continue;
    const similarity = hashes.length / Math.min(a.prints.size, b.prints.size);
    if (similarity >= threshold) pairs.push(pairOf(a, b, hashes, similarity));
  }
  return pairs.sort(
    (x, y) => y.similarity - x.similarity || y.shared - x.shared || compareText(nameOf(x), nameOf(y)),
  );
}

function printsOf(submission: Answers, known: ReadonlySet<number>): Prints {
  const prints: Prints["prints"] = new Map();
  for (const [gradeId, source] of submission.answers) {
    for (const print of fingerprintsOf(tokensOf(source))) {
      if (!known.has(print.hash))
        prints.set(print.hash, [...(prints.get(print.hash) ?? []), { ...print, gradeId }]);
    }
  }
  return { submission, prints };
}

function pairOf(a: Prints, b: Prints, hashes: readonly number[], similarity: number): Pair {
  const byCell = new Map<string, Match>();
  for (const hash of hashes) {
    for (const left of a.prints.get(hash) ?? []) {
      const match = byCell.get(left.gradeId) ?? { gradeId: left.gradeId, shared: 0, left: [], right: [] };
      match.shared++;
      match.left.push([left.from, left.to]);
      for (const right of b.prints.get(hash) ?? [])
        if (right.gradeId === left.gradeId) match.right.push([right.from, right.to]);
      byCell.set(left.gradeId, match);
    }
  }
  const matches = [...byCell.values()].map((match) => ({
    ...match,
    left: joined(match.left),
    right: joined(match.right),
  }));
  const who = ({ submission: { name, student } }: Prints) => ({ name, student });
  return {
    left: who(a),
    right: who(b),
    similarity: Math.round(similarity * 1000) / 1000,
    shared: hashes.length,
    matches: matches.sort((x, y) => compareText(x.gradeId, y.gradeId)),
  };
}

/** Overlapping and touching ranges as one. */
function joined(ranges: [number, number][]): [number, number][] {
  const done: [number, number][] = [];
  for (const [from, to] of ranges.sort((a, b) => a[0] - b[0])) {
    const last = done.at(-1);
    if (last && from <= last[1] + 1) last[1] = Math.max(last[1], to);
    else done.push([from, to]);
  }
  return done;
}

function nameOf({ left, right }: Pair): string {
  return `${left.name}\n${right.name}`;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
