import { type Profiler, Session } from "node:inspector";
import { type Frame, flameGraph, hottest } from "./flame.js";
import type { Magic, MagicContext } from "./magic.js";

const SAMPLE_US = 200;

export const prof: Magic = {
  name: "prof",
  usage: ["%prof STATEMENT", "%%prof"],
  summary: "runs the statement, or the cell, under V8's profiler and draws the flame graph",
  form: "both",
  takes: "code",
  around: (context) => {
    // Of its own: the session that runs the cells is busy running this one.
    const session = new Session();
    session.connect();
    session.post("Profiler.enable");
    session.post("Profiler.setSamplingInterval", { interval: SAMPLE_US });
    session.post("Profiler.start");
    return () => {
      session.post("Profiler.stop", (error, result) => {
        if (error) context.print(`%prof: ${error.message}\n`, "stderr");
        else draw(result.profile, context);
      });
      session.disconnect();
    };
  },
};

function draw(profile: Profiler.Profile, context: MagicContext): void {
  const root = frames(profile, context.place);
  if (root.total === 0) {
    context.print("%prof: no sample, the code was over before the first.\n");
    return;
  }
  context.show({ "text/html": flameGraph(root), "text/plain": hottest(root) });
}

const WAITING = new Set(["(idle)", "(program)"]);

/** The profile as a tree of the reader's and the libraries' functions: the kernel's own frames are left out. */
export function frames(profile: Profiler.Profile, place: MagicContext["place"]): Frame {
  const times = new Map<number, number>();
  const { samples = [], timeDeltas = [] } = profile;
  for (const [index, id] of samples.entries())
    times.set(id, (times.get(id) ?? 0) + (timeDeltas[index + 1] ?? 0) / 1000);
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const root: Frame = { name: "all", place: "", self: 0, total: 0, children: [] };
  const visit = (id: number, parent: Frame, inCell: boolean): void => {
    const node = nodes.get(id)!;
    const { functionName, url, lineNumber, columnNumber } = node.callFrame;
    if (WAITING.has(functionName)) return;
    const at = place(url, lineNumber + 1, columnNumber + 1);
    // Below the reader's first frame everything counts that is not the kernel's, above it nothing but the collector.
    const readers = at !== undefined && at !== "" && !at.startsWith("node:");
    const shown = readers || (inCell && at !== undefined) || functionName === "(garbage collector)";
    const target = shown
      ? child(parent, functionName || (readers && !inCell ? "cell" : "(anonymous)"), at ?? "")
      : parent;
    if (shown) target.self += times.get(id) ?? 0;
    for (const next of node.children ?? []) visit(next, target, inCell || readers);
  };
  visit(profile.nodes[0]!.id, root, false);
  sum(root);
  return root;
}

function child(parent: Frame, name: string, place: string): Frame {
  const found = parent.children.find((frame) => frame.name === name && frame.place === place);
  if (found) return found;
  const made: Frame = { name, place, self: 0, total: 0, children: [] };
  parent.children.push(made);
  return made;
}

function sum(frame: Frame): number {
  frame.total = frame.self + frame.children.reduce((total, inner) => total + sum(inner), 0);
  frame.children = frame.children.filter(({ total }) => total > 0);
  return frame.total;
}
