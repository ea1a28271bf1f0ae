/**
 * The kernel's type check without a kernel: which cells it would refuse, and what it would say. For programs that run the
 * same notebook again and again: in each kernel anew, the check would read the libraries' types again.
 *
 * ```ts
 * const checker = new CellChecker("solutions");
 * await checker.take("const x: number = 1;"); // {}
 * await checker.take("const y: string = x;"); // { error: { ename: "TypeScriptError", evalue: "Type 'number' …" } }
 * await checker.close();
 * ```
 */
import { createHash } from "node:crypto";
import { compileCell, isEvident, isUnchecked } from "../compile/cell.js";
import { readCell } from "../compile/magics.js";
import { problemsReport } from "../host/problems.js";
import type { ErrorReport } from "../link/messages.js";
import { declaredIn } from "../types/language.js";
import { SessionTypes } from "../types/session-types.js";

export { blankedCell } from "../compile/cell.js";

export interface CellCheck {
  /** What running the cell would reply with, because of its types or its grammar. */
  error?: ErrorReport;
  /** The cell has magics, or the checker failed: only the kernel itself can tell. */
  unknown?: boolean;
}

interface Verdict {
  found: CellCheck;
  /** The text that later cells see the declarations of. */
  declares?: string;
}

/** Sessions begin alike: with the cells that everybody was given. */
const KEPT_VERDICTS = 2_000;

export class CellChecker {
  private readonly types: SessionTypes;
  private readonly log: (line: string) => void;
  /** What was said before, by the cells that a session had taken and the next one. */
  private readonly verdicts = new Map<string, Verdict>();
  /** Stands for the cells that this session has taken. */
  private state = "";
  /** Cells of this session that the type service has not heard of yet. */
  private untold: string[] = [];

  /**
   * @param directory the notebook's folder: imports resolve from there, and its `tsconfig.json` counts
   * @param written the folder may be written into: the check is faster then
   */
  constructor(
    directory: string,
    { written = false, log = () => {} }: { written?: boolean; log?: (line: string) => void } = {},
  ) {
    this.log = log;
    this.types = new SessionTypes(directory, log, { read: declaredIn, written });
  }

  /** A cell as the session's next one. One without an error counts for those after it, as if it had begun to run. */
  async take(code: string): Promise<CellCheck> {
    const key = createHash("sha256").update(this.state).update("\0").update(code).digest("base64");
    const known = this.verdicts.get(key);
    const verdict = known ?? (await this.judge(code));
    const { found, declares } = verdict;
    if (this.verdicts.size >= KEPT_VERDICTS) this.verdicts.clear();
    if (!found.unknown) this.verdicts.set(key, verdict);
    if (declares !== undefined) {
      this.state = key;
      this.untold.push(declares);
    }
    return found;
  }

  /**
   * All cells of a session that has just begun. Faster than one by one where all are right.
   * @returns whether none would be refused; if not, the session begins anew: `take` tells which, and why
   */
  async takeAll(codes: readonly string[]): Promise<boolean> {
    const cells = await this.readAll(codes);
    if (cells && (await this.types.checkAll(cells))) return true;
    this.reset();
    return false;
  }

  /** @returns nothing when one of them is not for the checker to judge */
  private async readAll(
    codes: readonly string[],
  ): Promise<{ text: string; unchecked: boolean }[] | undefined> {
    const cells = [];
    for (const code of codes) {
      const cell = await readCell(code, () => false).catch(() => undefined);
      if (!cell || cell.code !== cell.text) return undefined;
      const { text } = cell;
      const unchecked = isUnchecked(text);
      if (unchecked && !(await compileCell(text).catch(() => undefined))) return undefined;
      if (text.trim() !== "" && !isEvident(text)) cells.push({ text, unchecked });
    }
    return cells;
  }

  private async judge(code: string): Promise<Verdict> {
    const cell = await readCell(code, () => false).catch(() => undefined);
    if (!cell || cell.code !== cell.text) return { found: { unknown: true } };
    const { text } = cell;
    if (isEvident(text)) return { found: {} };
    const unchecked = isUnchecked(text);
    if (unchecked && (await compileCell(text).catch(() => undefined))) return { found: {}, declares: text };
    for (const earlier of this.untold.splice(0)) this.types.commit("cell", earlier);
    const problems = await this.types.check("cell", text).then(
      (result) => result.problems.filter(({ syntax }) => syntax || !unchecked),
      (error: unknown) => this.log(`the type checker failed: ${String(error)}`),
    );
    if (!problems) return { found: { unknown: true } };
    if (problems.length > 0) return { found: { error: problemsReport(problems, code, "cell") } };
    // What can't be compiled never runs, so it declares nothing.
    return unchecked ? { found: {} } : { found: {}, declares: text };
  }

  /** Forgets every cell; what was read of libraries is kept. */
  reset(): void {
    this.state = "";
    this.untold = [];
    this.types.reset();
  }

  close(): Promise<void> {
    return this.types.close();
  }
}
