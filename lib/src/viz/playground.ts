/**
 * The schedule playground: a kernel, a schedule that the reader writes, and side by side what comes of it: loop IR, the
 * code of a target, and the measured time beside those of the schedules before it.
 */
import {
  compileC,
  compileWasm,
  cSource,
  type LoopProgram,
  nativeAvailable,
  typescriptSource,
  wasmModule,
  wasmText,
} from "../compiler/codegen/index.js";
import { LoopError, type LoopKernel } from "../compiler/loop/index.js";
import { applyText, Schedule } from "../compiler/schedule/index.js";
import { type MeasureOptions, measureProgram } from "../compiler/tune/measure.js";
import { ValueError } from "../core/errors.js";
import { displaySymbol, escapeHtml, type MimeBundle } from "./bundle.js";
import { PALETTE } from "./plot.js";
import { dropdown, textarea } from "./widgets/controls.js";
import { type Interaction, interact } from "./widgets/interact.js";

/** What a schedule becomes. TypeScript is for reading, and is not measured. */
export type PlaygroundTarget = "wasm" | "c" | "typescript";

export interface PlaygroundOptions extends MeasureOptions {
  /** Floating-point operations of one run: times are shown as GFLOP/s too. */
  readonly flops?: number;
  /** Default: WebAssembly, C where the system has a compiler, TypeScript. */
  readonly targets?: readonly PlaygroundTarget[];
}

/** A schedule that was tried. */
export interface ScheduleAttempt {
  /** Name of the preset, or `yours`. */
  readonly name: string;
  readonly schedule: string;
  readonly target: PlaygroundTarget;
  readonly loopIr: string;
  /** WebAssembly in text form, C or TypeScript. */
  readonly code: string;
  /** Of one run, the best of several; `null` for what is not measured, or is refused. */
  readonly milliseconds: number | null;
  /** Why the schedule, or from some line on, was refused. `loopIr` and `code` are those of the lines before. */
  readonly problem: string | null;
}

const NAMES: Readonly<Record<PlaygroundTarget, string>> = {
  wasm: "WebAssembly",
  c: "C",
  typescript: "TypeScript",
};
const MAX_LINES = 600;
const STORED_LINES = 60;
/** Of the text of the schedule; what is longer is scrolled. */
const MAX_ROWS = 10;
/** Columns lie side by side where there is room, and below each other on narrow pages. */
const GRID =
  "display:grid;grid-template-columns:repeat(auto-fit,minmax(230px,1fr));gap:12px;align-items:start";
const BOX = "max-height:420px;overflow:auto;font-size:11px;line-height:1.35;margin:0;white-space:pre";

/** HTML that shows itself. */
class Shown {
  constructor(
    readonly attempt: ScheduleAttempt,
    private readonly html: string,
  ) {}

  toString(): string {
    return this.attempt.problem ?? this.attempt.loopIr;
  }

  [displaySymbol](): MimeBundle {
    return { "text/html": this.html, "text/plain": this.toString() };
  }
}

/** Controls in a notebook with a kernel; where there is none (the stored page), each given schedule to unfold. */
export class SchedulePlayground {
  /** By schedule and target, in the order in which they were tried. */
  private readonly tried = new Map<string, ScheduleAttempt>();
  readonly targets: readonly PlaygroundTarget[];

  constructor(
    readonly kernel: LoopKernel,
    /** Texts of schedules by name. */
    readonly schedules: Readonly<Record<string, string>>,
    private readonly options: PlaygroundOptions = {},
  ) {
    if (Object.keys(schedules).length === 0)
      throw new ValueError("schedulePlayground: there is no schedule to begin with");
    const { targets = nativeAvailable() ? ["wasm", "c", "typescript"] : ["wasm", "typescript"] } = options;
    this.targets = targets;
  }

  /** All that was measured so far, in order. */
  get attempts(): readonly ScheduleAttempt[] {
    return [...this.tried.values()];
  }

  /**
   * Schedules, compiles and measures; what was tried before is looked up.
   * @param schedule the name of one that was given, or a text (see `schedule.applyText`)
   */
  run(schedule: string, target: PlaygroundTarget = this.targets[0]): ScheduleAttempt {
    const text = this.schedules[schedule] ?? schedule;
    const key = `${target} ${text}`;
    const known = this.tried.get(key);
    if (known) return known;
    const name = Object.keys(this.schedules).find((one) => this.schedules[one] === text) ?? "yours";
    const s = new Schedule(this.kernel);
    let problem = refusal(() => applyText(s, text));
    let code = "";
    let milliseconds: number | null = null;
    const compiled = refusal(() => {
      code = codeOf(s.kernel, target);
      if (problem !== null || target === "typescript") return;
      const program: LoopProgram =
        target === "c" ? compileC(s.kernel, { keep: false }) : compileWasm(s.kernel);
      milliseconds = 1000 * measureProgram(program, this.options);
    });
    problem ??= compiled;
    const attempt: ScheduleAttempt = {
      name,
      schedule: text,
      target,
      loopIr: String(s),
      code,
      milliseconds,
      problem,
    };
    this.tried.set(key, attempt);
    return attempt;
  }

  /** The controls, and what they show below them. */
  widget(): Interaction<{ schedule: never; target: never; steps: never }> {
    const schedule = dropdown({ description: "schedule", options: this.schedules });
    const targets = Object.fromEntries(this.targets.map((target) => [NAMES[target], target]));
    const target = dropdown({ description: "target", options: targets });
    const steps = textarea({
      description: "steps",
      value: schedule.value,
      rows: Math.min(
        MAX_ROWS,
        1 + Math.max(...Object.values(this.schedules).map((text) => text.split("\n").length)),
      ),
      continuousUpdate: false,
      layout: { width: "44em" },
    });
    schedule.observe((text) => {
      steps.value = text;
    });
    const made = interact(
      ({ steps, target }) => this.shown(this.run(steps as string, target as PlaygroundTarget), MAX_LINES),
      { schedule, target, steps },
    );
    return made as unknown as Interaction<{ schedule: never; target: never; steps: never }>;
  }

  toString(): string {
    const lines = this.attempts.map((a) => `  ${labelOf(a)}: ${a.problem ?? timeOf(a, this.options.flops)}`);
    return [`SchedulePlayground ${this.kernel.name}`, ...lines].join("\n");
  }

  [displaySymbol](): MimeBundle {
    const parts = Object.keys(this.schedules).map((name) => this.run(name));
    const html = parts.map(
      (attempt, i) =>
        `<details${i === parts.length - 1 ? " open" : ""}><summary>${escapeHtml(attempt.name)}</summary><pre>${escapeHtml(attempt.schedule || "# as it is defined")}</pre>${this.page(attempt, STORED_LINES)}</details>`,
    );
    return { ...this.widget()[displaySymbol](), "text/html": html.join(""), "text/plain": this.toString() };
  }

  private shown(attempt: ScheduleAttempt, lines: number): Shown {
    return new Shown(attempt, this.page(attempt, lines));
  }

  private page(attempt: ScheduleAttempt, lines: number): string {
    const { problem, loopIr, code, target } = attempt;
    const column = (title: string, body: string): string =>
      `<div style="min-width:0"><b>${escapeHtml(title)}</b>${body}</div>`;
    const box = (text: string): string => `<pre style="${BOX}">${escapeHtml(cut(text, lines))}</pre>`;
    const refused = problem
      ? `<p style="color:${PALETTE[1]}"><b>refused</b>: ${escapeHtml(problem)}</p>`
      : "";
    return `${refused}<div style="${GRID}">${column("loop IR", box(loopIr))}${column(NAMES[target], box(code))}${column("measured", this.times(attempt))}</div>`;
  }

  /** A bar for each schedule that ran, the one that is looked at marked. */
  private times(now: ScheduleAttempt): string {
    const measured = this.attempts.filter(({ milliseconds }) => milliseconds !== null);
    const slowest = Math.max(...measured.map(({ milliseconds }) => milliseconds as number));
    const rows = measured.map((attempt) => {
      const width = Math.max(1, (100 * (attempt.milliseconds as number)) / slowest);
      const mine = attempt === now;
      return `<div style="font-size:12px;margin:4px 0">${mine ? "<b>" : ""}${escapeHtml(labelOf(attempt))}: ${timeOf(attempt, this.options.flops)}${mine ? "</b>" : ""}<div style="background:${mine ? PALETTE[1] : PALETTE[0]};height:9px;width:${width.toFixed(1)}%"></div></div>`;
    });
    return rows.length > 0 ? rows.join("") : "<p>nothing yet</p>";
  }
}

/** The message of a schedule that was refused; other errors are the library's own. */
function refusal(run: () => unknown): string | null {
  try {
    run();
    return null;
  } catch (error) {
    if (error instanceof LoopError) return error.message;
    throw error;
  }
}

function codeOf(kernel: LoopKernel, target: PlaygroundTarget): string {
  if (target === "typescript") return typescriptSource(kernel);
  if (target === "wasm") return wasmText(wasmModule(kernel).bytes());
  const source = cSource(kernel);
  return source.slice(Math.max(0, source.indexOf("static void phase0"))); // behind the prelude, the same for all
}

const labelOf = ({ name, target }: ScheduleAttempt): string => `${name}, ${NAMES[target]}`;

function timeOf({ milliseconds }: ScheduleAttempt, flops: number | undefined): string {
  if (milliseconds === null) return "not measured";
  const time =
    milliseconds < 0.1 ? `${(milliseconds * 1000).toFixed(1)} µs` : `${milliseconds.toFixed(2)} ms`;
  return flops === undefined ? time : `${time}, ${(flops / milliseconds / 1e6).toFixed(1)} GFLOP/s`;
}

function cut(text: string, most: number): string {
  const lines = text.trimEnd().split("\n");
  return lines.length <= most
    ? lines.join("\n")
    : [...lines.slice(0, most), `… ${lines.length - most} lines more`].join("\n");
}

/**
 * Plays with the schedule of a kernel: in notebooks with controls. The text of a schedule has a primitive a line.
 * @param schedules texts by name; the empty one is the kernel as it is defined
 * @throws ValueError without any schedule.
 * @example viz.schedulePlayground(compiler.loop.matmul(8, 8, 8), { blocks: "tile i j 4 4" }).run("blocks").problem // null
 */
export function schedulePlayground(
  kernel: LoopKernel,
  schedules: Readonly<Record<string, string>>,
  options: PlaygroundOptions = {},
): SchedulePlayground {
  return new SchedulePlayground(kernel, schedules, options);
}
