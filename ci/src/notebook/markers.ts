/**
 * Marked regions: `// BEGIN SOLUTION … // END SOLUTION` and `// BEGIN HIDDEN TESTS … // END HIDDEN TESTS`.
 * A marker is recognised as nbgrader does: its words anywhere on the line.
 */
import { AuthoringError } from "../errors.js";

/** nbgrader is given the same text by `nbgrader_config.py`. */
export const DEFAULT_STUB = '// YOUR CODE HERE\nthrow new Error("Not implemented");';
/** nbgrader's own text for answers in words. */
export const TEXT_STUB = "YOUR ANSWER HERE";

const SOLUTION = { begin: "BEGIN SOLUTION", end: "END SOLUTION" };
const HIDDEN = { begin: "BEGIN HIDDEN TESTS", end: "END HIDDEN TESTS" };
const MARKERS = [SOLUTION.begin, SOLUTION.end, HIDDEN.begin, HIDDEN.end];
const STUB_LINE = /^\s*\/\/ STUB:(?: |$)(.*)$/;

interface Segment {
  /** Inside the markers? The marker lines themselves belong to no segment. */
  marked: boolean;
  lines: string[];
  /** White space before the BEGIN marker. */
  indent: string;
}

/**
 * The source that a learner gets: each solution region becomes its `// STUB:` lines or the default stub, at the
 * indentation of its BEGIN line. A source without a region is replaced whole, as nbgrader does.
 */
export function cutSolutions(source: string, where: string, stub: string = DEFAULT_STUB): string {
  const segments = split(source, SOLUTION, where);
  if (!segments.some((segment) => segment.marked)) return stub;
  return segments
    .flatMap((segment) => {
      if (!segment.marked) return segment.lines;
      const own = segment.lines.flatMap((line) => STUB_LINE.exec(line)?.[1] ?? []);
      const lines = own.length > 0 ? own : stub.split("\n");
      return lines.map((line) => (line === "" ? "" : segment.indent + line));
    })
    .join("\n");
}

/** The source without hidden tests. */
export function cutHiddenTests(source: string, where: string): string {
  return split(source, HIDDEN, where)
    .filter((segment) => !segment.marked)
    .flatMap((segment) => segment.lines)
    .join("\n");
}

/** The source with its hidden-test markers turned into statements, so that a run knows which tests are hidden. */
export function markHiddenTests(source: string, begin: string, end: string): string {
  return source
    .split("\n")
    .map((line) => (line.includes(HIDDEN.begin) ? begin : line.includes(HIDDEN.end) ? end : line))
    .join("\n");
}

/** The reference answer as it runs: without `// STUB:` lines (markers are comments and stay). */
export function dropStubLines(source: string): string {
  return source
    .split("\n")
    .filter((line) => !STUB_LINE.test(line))
    .join("\n");
}

export function hasSolution(source: string): boolean {
  return source.includes(SOLUTION.begin) || source.includes(SOLUTION.end);
}

export function hasHiddenTests(source: string): boolean {
  return source.includes(HIDDEN.begin) || source.includes(HIDDEN.end);
}

export function hasMarker(text: string): boolean {
  return MARKERS.some((marker) => text.includes(marker));
}

/** Lines inside solution and hidden-test regions, trimmed; what must not be found in a released file. */
export function secretLines(source: string, where: string): { solution: string[]; hidden: string[] } {
  const inside = (markers: typeof SOLUTION) =>
    split(source, markers, where)
      .filter((segment) => segment.marked)
      .flatMap((segment) => segment.lines.filter((line) => !STUB_LINE.test(line)).map((line) => line.trim()));
  return { solution: inside(SOLUTION), hidden: inside(HIDDEN) };
}

function split(source: string, markers: typeof SOLUTION, where: string): Segment[] {
  const segments: Segment[] = [{ marked: false, lines: [], indent: "" }];
  const state = () => segments[segments.length - 1];
  for (const line of source.split("\n")) {
    if (line.includes(markers.begin)) {
      if (state().marked)
        throw new AuthoringError(`${where}: "${markers.begin}" inside a region that is still open`);
      segments.push({ marked: true, lines: [], indent: /^\s*/.exec(line)?.[0] ?? "" });
    } else if (line.includes(markers.end)) {
      if (!state().marked) throw new AuthoringError(`${where}: "${markers.end}" without "${markers.begin}"`);
      segments.push({ marked: false, lines: [], indent: "" });
    } else {
      state().lines.push(line);
    }
  }
  if (state().marked)
    throw new AuthoringError(`${where}: "${markers.begin}" is never closed by "${markers.end}"`);
  return segments;
}
