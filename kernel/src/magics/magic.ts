/**
 * What a magic is. Each has a file of its own and a line in `table.ts`; host and worker both read the table, so a
 * magic knows neither of them: it works with the context that it is given.
 */
import type { MimeBundle } from "../link/messages.js";

/** A magic used in a way that it does not have; the message says what to write. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** What a magic works with in the worker, where the reader's variables are. */
export interface MagicContext {
  /** What stands behind the name on its line, without spaces around it. */
  args: string;
  /** Of a cell magic with a text as its body: the lines below. */
  body: string;
  /** Of a magic that takes code: runs it once. */
  code: (() => unknown) | undefined;
  /** The notebook's folder. */
  notebook: string;
  print(text: string, stream?: "stdout" | "stderr"): void;
  show(bundle: MimeBundle): void;
  /** Runs a program, with its output as it comes; an interrupt of the cell ends it. @returns its exit code */
  spawn(program: string, args: readonly string[], options?: SpawnOptions): Promise<number>;
  /** Asks the reader yes or no, and waits. @throws an `InputError` where nobody can be asked */
  confirm(question: string): boolean;
  /** The reader's own variables. */
  variables(): [name: string, value: unknown][];
  /** Texts of the cells that were run, the newest last, as far as they are remembered. */
  cells(): string[];
  /** A value as one line of text. */
  brief(value: unknown): string;
  /** Replaces the cell in the notebook by this text. */
  replaceCell(text: string): void;
  /** Packages have changed: the type checker looks again. */
  packagesChanged(): void;
  /** A position in an evaluated cell, in the reader's lines; undefined for the kernel's own code. */
  place(url: string, line: number, column: number): string | undefined;
}

export interface SpawnOptions {
  cwd?: string;
  /** Let the system's shell read the command. */
  shell?: boolean;
  /** Takes each line of the standard output, instead of printing it. */
  line?: (text: string) => void;
}

/** What a magic can change in the host, before the rest of the cell is compiled. */
export interface HostContext {
  args: string;
  print(text: string): void;
  /** Ends the worker and starts a fresh one: every variable and import is gone. */
  reset(): Promise<void>;
  /** Cells are checked from now on, or not. */
  setTypeCheck(on: boolean): void;
  typeCheck(): boolean;
  /** This cell is JavaScript. */
  javascript(): void;
}

export interface Magic {
  name: string;
  /** One line per form, as the reader types it. */
  usage: readonly string[];
  summary: string;
  /** `%name` on a line of its own, `%%name` on the cell's first line, or either. */
  form: "line" | "cell" | "both";
  /** What the magic is applied to: code that is compiled and checked, or the text of the cell. */
  takes?: "code" | "text";
  /** Options that come before the code, as one match. */
  options?: RegExp;
  /** Words that can follow, for completion. */
  words?: readonly string[];
  host?(context: HostContext): Promise<void> | void;
  run?(context: MagicContext): Promise<void> | void;
  /** For code that is to keep its declarations: starts, and returns what ends it. */
  around?(context: MagicContext): Promise<() => Promise<void> | void> | (() => Promise<void> | void);
}

/** @throws UsageError unless there are no arguments. */
export function noArguments(name: string, args: string): void {
  if (args !== "") throw new UsageError(`${name} takes no arguments, found "${args}".`);
}
