/**
 * The IR explorer: a program on its way through the compiler, for hands. One control picks a pass, one what is shown of it:
 * the difference it made, the graph behind it drawn, or that graph in the form of another system.
 */
import { explainGraph, titleOf } from "../graph/explain.js";
import { diffLines, withContext } from "../ir/diff.js";
import type { Graph } from "../ir/graph.js";
import type { PassManagerOptions } from "../ir/passes/manager.js";
import { render, renderings } from "../ir/render/index.js";
import { displaySymbol, escapeHtml, type MimeBundle } from "./bundle.js";
import { diffHtml } from "./explanation.js";
import { drawGraph } from "./graph.js";
import { type Interaction, interact } from "./widgets/interact.js";
import { Widget } from "./widgets/widget.js";

/** A graph on its way: as captured, or behind a pass that changed it. */
export interface ExplorerStep {
  /** `1. cse (round 1): 7 → 5 nodes`; the first is `captured`. */
  readonly title: string;
  readonly summary: string;
  readonly before: Graph;
  readonly after: Graph;
}

/** HTML that shows itself. */
class Html {
  constructor(
    readonly html: string,
    private readonly text: string,
  ) {}

  toString(): string {
    return this.text;
  }

  [displaySymbol](): MimeBundle {
    return { "text/html": this.html, "text/plain": this.text };
  }
}

const DIFF = "difference";
const DRAWING = "drawing";

/** Controls in a notebook with a kernel; where there is none (the stored page), each step to unfold. */
export class IrExplorer {
  readonly steps: readonly ExplorerStep[];
  /** What can be shown of a step: its difference, its drawing, and every rendering by name. */
  readonly views: readonly string[] = [DIFF, DRAWING, "ir", ...renderings().map(({ name }) => name)];

  constructor(graph: Graph, options: PassManagerOptions = {}) {
    const { changes } = explainGraph(graph, options);
    this.steps = [
      { title: "captured", summary: "as the program was written", before: graph, after: graph },
      ...changes.map((run, i) => ({
        title: `${i + 1}. ${titleOf(run)}`,
        summary: run.pass.summary,
        before: run.before,
        after: run.after,
      })),
    ];
  }

  /**
   * One view of one step.
   * @throws ValueError for a form that there is not.
   */
  async show(step: number, view: string): Promise<{ readonly html: string; toString(): string }> {
    const { summary, before, after } = this.steps[step];
    const head = `<p><em>${escapeHtml(summary)}</em></p>`;
    const pre = (text: string): Html => new Html(`${head}<pre>${escapeHtml(text)}</pre>`, text);
    if (view === DRAWING) return new Html(head + (await drawGraph(after).svg()), String(after));
    if (view === "ir" || (view === DIFF && step === 0)) return pre(String(after));
    if (view !== DIFF) return pre(render(after, view));
    const lines = withContext(diffLines(String(before), String(after)));
    return new Html(head + diffHtml(lines), lines.map(({ kind, text }) => `${kind} ${text}`).join("\n"));
  }

  /** The controls, and what they show below them. */
  widget(): Interaction<{ pass: Readonly<Record<string, number>>; show: readonly string[] }> {
    const pass = Object.fromEntries(this.steps.map(({ title }, i) => [title, i]));
    const made = interact(({ pass, show }) => this.show(pass as number, show as string), {
      pass,
      show: this.views,
    });
    const layout = made.controls.pass.get("layout"); // its titles are long
    if (layout instanceof Widget) layout.set({ width: "30em" });
    return made;
  }

  toString(): string {
    return `IrExplorer\n${this.steps.map(({ title, summary }) => `  ${title}: ${summary}`).join("\n")}`;
  }

  async [displaySymbol](): Promise<MimeBundle> {
    const parts = await Promise.all(
      this.steps.map(async ({ title }, i) => {
        const shown = await this.show(i, DIFF);
        return `<details${i === 1 ? " open" : ""}><summary>${escapeHtml(title)}</summary>${shown.html}</details>`;
      }),
    );
    const widget = this.widget()[displaySymbol]();
    return { ...widget, "text/html": parts.join(""), "text/plain": this.toString() };
  }
}

/**
 * Explores what the compiler's passes do to a graph: in notebooks with controls.
 * @param options level, stages, fast math: as for `graph.PassManager`
 * @example viz.exploreIr(capture((x: Tensor) => x.exp().add(x.exp()), tensor([1]))).steps[1].title // "1. cse (round 1): 3 → 2 nodes"
 */
export function exploreIr(graph: Graph, options: PassManagerOptions = {}): IrExplorer {
  return new IrExplorer(graph, options);
}
