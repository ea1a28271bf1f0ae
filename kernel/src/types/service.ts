/** What the kernel asks of a type checker. The checker behind it may be replaced; nothing else knows TypeScript. */

/** A problem in a cell. Lines and columns count from 1. */
export interface Problem {
  message: string;
  code: number;
  line: number;
  column: number;
  /** Characters to underline. */
  length: number;
  /** A problem of grammar, not of types: the cell cannot run whatever the settings. */
  syntax: boolean;
}

export interface CheckResult {
  problems: Problem[];
  /** Names that the cell declares at its top level, imports included. */
  names: string[];
}

export interface CompletionItem {
  text: string;
  /** JupyterLab's icon and colour: function, class, keyword, property, … */
  type: string;
  signature?: string;
}

/** Offsets count UTF-16 units. */
export interface Completions {
  items: CompletionItem[];
  start: number;
  end: number;
}

export interface Inspection {
  /** The symbol's signature, as TypeScript code. */
  signature: string;
  /** Its JSDoc, as Markdown. */
  documentation: string;
  /** Where it is declared, for detail level 1. */
  source?: string;
}

export type Completeness = { status: "complete" | "invalid" } | { status: "incomplete"; indent: string };

/** What a tsconfig.json says about running code. */
export interface Settings {
  /** Compiler options in their JSON form, for the transpiler. */
  compilerOptions: Record<string, unknown>;
  /** `paths`: patterns, and the absolute patterns that stand for them. */
  paths: Record<string, string[]>;
  /** What is wrong with the file. */
  problem?: string;
}

/** JavaScript is checked too, as TypeScript checks it: with JSDoc's types, and no complaint about those that are left out. */
export type CellLanguage = "typescript" | "javascript";

export interface TypeService {
  /** The settings of the `tsconfig.json` beside the notebook. */
  settings(): Promise<Settings>;
  /** Checks a cell against the cells that were committed before. */
  check(cell: string, text: string, language?: CellLanguage): Promise<CheckResult>;
  /** The checked cell ran: later cells see its declarations. */
  commit(cell: string, text: string, language?: CellLanguage): void;
  complete(text: string, offset: number): Promise<Completions>;
  inspect(text: string, offset: number): Promise<Inspection | undefined>;
  isComplete(text: string): Promise<Completeness>;
  /** Packages were installed: what was looked for and not found is looked for again. */
  packagesChanged(): void;
  /** Forgets every cell. */
  reset(): void;
  close(): Promise<void>;
}
