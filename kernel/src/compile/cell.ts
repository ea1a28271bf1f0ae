/**
 * From a cell's text to the JavaScript that the worker evaluates.
 *
 * A cell that is plain JavaScript runs as written. In any other types are replaced by blanks, so that names and
 * positions stay the reader's. What needs more (enums, decorators, `using`, JSX) goes through esbuild, which lowers it
 * (and renames what it must); its source map brings positions back.
 */
import { type Program, parse } from "acorn";
import type { TransformOptions } from "esbuild";
import { topLevelBindings } from "./bindings.js";
import type { Shift } from "./edits.js";
import { isEvidentlyTyped, mayHideTypeArguments } from "./plain.js";
import { endsInExpression, RUNTIME, scopeCell } from "./scope.js";
import { aliased, declaredGlobals, renamed } from "./shadow.js";

export interface CompiledCell {
  code: string;
  /** Source map of the transpiler, when it ran. */
  map?: string;
  /** How the rewriting of declarations and imports moved columns. */
  shifts: Shift[];
  hasResult: boolean;
  /** Names that the cell declares at its top level. */
  names: string[];
  /** Names of Node's globals that the cell declares: from now on cells mean the reader's own. */
  shadows: string[];
}

/** A cell that cannot be parsed; `line` and `column` count from 1. */
export class CellSyntaxError extends Error {
  override name: string = "SyntaxError";
  constructor(
    message: string,
    readonly line: number,
    readonly column: number,
  ) {
    super(message);
  }
}

/** Names that the worker adds to Node's globals. */
export const CELL_GLOBALS = [
  "display",
  "input",
  "prompt",
  "confirm",
  "require",
  "__dirname",
  "__filename",
  RUNTIME,
] as const;

const GLOBALS: ReadonlySet<string> = new Set([...Object.getOwnPropertyNames(globalThis), ...CELL_GLOBALS]);

let compilerOptions: Record<string, unknown> = { useDefineForClassFields: true };

/** Takes over what a `tsconfig.json` says about JSX, decorators and class fields. */
export function useCompilerOptions(options: Record<string, unknown>): void {
  compilerOptions = options;
}

const TRANSPILE: TransformOptions = {
  loader: "tsx",
  target: "es2022",
  sourcemap: "external",
  sourcefile: "cell",
  sourcesContent: false,
  logLevel: "silent",
};

/** @throws CellSyntaxError when it is neither JavaScript nor TypeScript. */
export async function compileCell(
  text: string,
  shadowed: ReadonlySet<string> = new Set(),
): Promise<CompiledCell> {
  const source = readable(text);
  const plain = tryParse(source);
  const asWritten = plain !== undefined && !mayHideTypeArguments(plain);
  const script = asWritten ? { code: source } : await transpile(source);
  const program = asWritten ? plain : parseModule(script.code);
  const names = topLevelBindings(program).map(({ name }) => name);
  const shadows = declaredGlobals(program, GLOBALS);
  const alias = [...new Set([...shadowed, ...shadows])].filter((name) => script.code.includes(name));
  const disposes =
    !asWritten && program.body.at(-1)?.type === "TryStatement" && (await endsUnderUsing(source));
  const result = disposes ? { hasResult: true } : {};
  if (alias.length === 0)
    return {
      ...scopeCell(script.code, program, { lowered: script.map !== undefined }),
      ...result,
      map: script.map,
      names,
      shadows,
    };
  const final = await aliased(renamed(script.code, program, shadows), script.map, alias);
  return {
    ...scopeCell(final.code, parseModule(final.code), { lowered: script.map !== undefined }),
    ...result,
    map: final.map,
    names,
    shadows,
  };
}

/**
 * Without any transpiler. `undefined` for what is no JavaScript, or declares a global of Node's as its own: that takes more.
 */
export function compilePlain(text: string): CompiledCell | undefined {
  const code = readable(text);
  const program = tryParse(code);
  if (!program || mayHideTypeArguments(program) || declaredGlobals(program, GLOBALS).length > 0)
    return undefined;
  const names = topLevelBindings(program).map(({ name }) => name);
  return { ...scopeCell(code, program, { lowered: false }), names, shadows: [] };
}

/** Whether nothing in the cell can be mistyped, and it needs no transpiler. Longer cells are not looked at: they are not so simple. */
export function isEvident(text: string): boolean {
  if (text.length > 200) return false;
  const program = tryParse(readable(text));
  return program !== undefined && isEvidentlyTyped(program);
}

/**
 * The text that parser, checker and transpiler all see; it has the same lines and columns as the cell.
 * nbgrader puts `# This cell (id:…) was missing` before a cell that it restores: here that is a comment.
 */
export function readable(text: string): string {
  if (/^# This cell \(id:/.test(text)) return `//${text.slice(2)}`;
  return text;
}

/** Whether the text is a sequence of whole statements, in TypeScript. */
export async function parses(text: string): Promise<boolean> {
  return (
    tryParse(text) !== undefined ||
    lower(text).then(
      () => true,
      () => false,
    )
  );
}

/**
 * A cell as JavaScript with blanks in the place of types, which runs as the cell itself does. `undefined` where it is no
 * TypeScript, or needs more than blanks.
 */
export async function blankedCell(text: string): Promise<string | undefined> {
  const source = readable(text);
  if (tryParse(source)) return undefined;
  const code = await withoutTypes(source).catch(() => undefined);
  const program = code === undefined ? undefined : tryParse(code);
  return program && !mayHideTypeArguments(program) ? code : undefined;
}

/** A global of Node or of the kernel. */
export function isGlobal(name: string): boolean {
  return GLOBALS.has(name);
}

/** Loads the transpilers ahead of the first cell that needs them. */
export async function warmTranspiler(): Promise<void> {
  await transpile("enum Warm {}");
}

async function transpile(source: string): Promise<{ code: string; map?: string }> {
  const code = await withoutTypes(source);
  return code === undefined ? lower(source) : { code };
}

/**
 * Whether a cell with `using` at its top level ends in an expression. Lowered, its statements stand in a `try`, whose
 * value is that of the last one.
 */
async function endsUnderUsing(source: string): Promise<boolean> {
  const using = /\b(?:await\s+)?using(?=\s+[\p{ID_Start}$_][\p{ID_Continue}$]*\s*[=:])/gu;
  const constants = source.replace(using, "const");
  return constants !== source && endsInExpression(parseModule((await transpile(constants)).code));
}

/** The source with blanks in the place of types; `undefined` if that does not make JavaScript of it. */
async function withoutTypes(source: string): Promise<string | undefined> {
  const { transformSync } = await import("@swc/wasm-typescript");
  try {
    const { code } = transformSync(source, { mode: "strip-only", module: true });
    return tryParse(code) && code;
  } catch {
    return undefined; // esbuild says what is wrong, if it is
  }
}

async function lower(source: string): Promise<{ code: string; map?: string }> {
  const esbuild = await import("esbuild");
  const tsconfigRaw = { compilerOptions: { ...compilerOptions, verbatimModuleSyntax: true } };
  const run = (loader: "ts" | "tsx") => esbuild.transform(source, { ...TRANSPILE, tsconfigRaw, loader });
  try {
    // `<T>x` and `<T>(x: T) => x` are TypeScript only without JSX, so JSX comes second.
    return await run("ts").catch((error) => run("tsx").catch(() => Promise.reject(error)));
  } catch (error) {
    const first = (error as { errors?: EsbuildMessage[] }).errors?.[0];
    if (!first) throw error;
    throw new CellSyntaxError(first.text, first.location?.line ?? 1, (first.location?.column ?? 0) + 1);
  }
}

interface EsbuildMessage {
  text: string;
  location: { line: number; column: number } | null;
}

function tryParse(source: string): Program | undefined {
  try {
    return parseModule(source);
  } catch {
    return undefined;
  }
}

function parseModule(source: string): Program {
  return parse(source, { ecmaVersion: 2025, sourceType: "module", allowAwaitOutsideFunction: true });
}

/** `// @ts-nocheck` before the first statement turns type errors off, as in a file. */
export function isUnchecked(code: string): boolean {
  return /^(\s|#[^\n]*\n|\/\/[^\n]*\n|\/\*[\s\S]*?\*\/)*\/\/\s*@ts-nocheck\b/.test(code);
}
