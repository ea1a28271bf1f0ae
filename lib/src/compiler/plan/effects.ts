/**
 * Side effects: ops that change variables must keep the order of the program where they meet. Control edges say so.
 * (Book, chapter 5: x = y; x = z; x = x − y needs Assign1 → Assign2 → Sub1.)
 */
import { ValueError } from "../../core/errors.js";
import type { Dag } from "../../graph/dag.js";

/** An op that reads and writes variables. */
export interface Effect {
  readonly name: string;
  readonly reads: readonly string[];
  readonly writes: readonly string[];
}

/** Why one op has to wait for another: it reads what was written, overwrites what was read, or overwrites what was written. */
export type Hazard = "read after write" | "write after read" | "write after write";

export interface ControlEdge {
  readonly from: string;
  readonly to: string;
  readonly hazard: Hazard;
  readonly variable: string;
}

/**
 * Edges that keep every order of execution equal to the program's; what follows from other edges is left out.
 * @throws ValueError for a name that stands twice.
 * @example
 * const program = [{ name: "Assign1", reads: ["y"], writes: ["x"] }, { name: "Assign2", reads: ["z"], writes: ["x"] }];
 * compiler.controlEdges(program)[0].hazard // "write after write"
 */
export function controlEdges(program: readonly Effect[]): ControlEdge[] {
  const names = new Set(program.map(({ name }) => name));
  if (names.size !== program.length) throw new ValueError("controlEdges: the name of an op stands twice");
  const edges: ControlEdge[] = [];
  program.forEach((later, j) => {
    const after = new Set<string>(); // what `later` waits for already, through nearer ops
    for (let i = j - 1; i >= 0; i--) {
      const earlier = program[i];
      if (after.has(earlier.name)) continue;
      const found = hazardOf(earlier, later);
      if (!found) continue;
      edges.push({ from: earlier.name, to: later.name, ...found });
      for (const name of [earlier.name, ...waitedFor(edges, earlier.name)]) after.add(name);
    }
  });
  return edges;
}

/**
 * The program as a graph: its ops, and these edges.
 * @example compiler.effectGraph([{ name: "a", reads: [], writes: ["x"] }, { name: "b", reads: ["x"], writes: [] }]).edges // [["a", "b"]]
 */
export function effectGraph(program: readonly Effect[]): Dag {
  return {
    nodes: program.map(({ name }) => name),
    edges: controlEdges(program).map(({ from, to }) => [from, to] as const),
  };
}

function hazardOf(earlier: Effect, later: Effect): { hazard: Hazard; variable: string } | null {
  const shared = (a: readonly string[], b: readonly string[]) => a.find((variable) => b.includes(variable));
  const raw = shared(earlier.writes, later.reads);
  if (raw !== undefined) return { hazard: "read after write", variable: raw };
  const waw = shared(earlier.writes, later.writes);
  if (waw !== undefined) return { hazard: "write after write", variable: waw };
  const war = shared(earlier.reads, later.writes);
  return war === undefined ? null : { hazard: "write after read", variable: war };
}

/** Everything that has ended when `name` starts, by edges so far. */
function waitedFor(edges: readonly ControlEdge[], name: string): string[] {
  const found = new Set<string>();
  const open = [name];
  for (let at = open.pop(); at !== undefined; at = open.pop())
    for (const { from, to } of edges)
      if (to === at && !found.has(from)) {
        found.add(from);
        open.push(from);
      }
  return [...found];
}
