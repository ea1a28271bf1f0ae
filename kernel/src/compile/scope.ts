/**
 * Rewrites one cell's JavaScript so that it can be evaluated as a V8 REPL script:
 * top-level names become redeclarable by any later cell, and imports become awaited calls.
 *
 * V8's REPL mode allows `let` after `let`, but not `let` after `const`, `var` or `function`. So every top-level
 * name is declared with `var`. (Names of Node's own globals were given an alias before: see `shadow.ts`.)
 */
import type {
  AwaitExpression,
  ClassDeclaration,
  ExportDefaultDeclaration,
  ExportNamedDeclaration,
  ForOfStatement,
  Identifier,
  ImportDeclaration,
  Node,
  Program,
  VariableDeclaration,
} from "acorn";
import { Edits, type Shift } from "./edits.js";
import { walk } from "./walk.js";

/** The one global through which rewritten code reaches the worker. */
export const RUNTIME = "__mlsys__";

export interface ScopedCell {
  code: string;
  shifts: Shift[];
  /** Whether the last statement is an expression, whose value is the cell's result. */
  hasResult: boolean;
}

const [major] = process.versions.node.split(".").map(Number);

/** Where the collector of a promise that a cell awaits would end the process; see `worker/hold.ts`. */
const HOLDS_PROMISES = major > 20 && major < 24;

/** @param lowered the transpiler wrote the code: enums and namespaces are calls in it. */
export function scopeCell(
  source: string,
  program: Program,
  { lowered = false, holds = HOLDS_PROMISES } = {},
): ScopedCell {
  const rewriter = new Rewriter(source);
  for (const statement of program.body) {
    if (statement.type === "ImportDeclaration") rewriter.importDeclaration(statement);
    else if (statement.type === "ExportNamedDeclaration") rewriter.exportNamed(statement);
    else if (statement.type === "ExportDefaultDeclaration") rewriter.exportDefault(statement);
    else if (statement.type === "ExportAllDeclaration") {
      rewriter.importModule(String(statement.source.value), [], undefined);
      rewriter.edits.blank(source, statement.start, statement.end);
    } else rewriter.declaration(statement);
  }
  rewriter.dynamicImports(program);
  if (lowered) rewriter.freshMerges(program);
  if (holds) rewriter.awaited(program);
  rewriter.hoistImports();
  return { ...rewriter.edits.apply(source), hasResult: endsInExpression(program) };
}

/** Whether the last statement is an expression of the reader's, not a call of a transpiler's helper. */
export function endsInExpression(program: Program): boolean {
  const last = program.body.filter((statement) => statement.type !== "EmptyStatement").at(-1);
  if (last?.type === "ExportDefaultDeclaration") return !last.declaration.type.endsWith("Declaration");
  if (last?.type !== "ExpressionStatement") return false;
  const { expression } = last;
  return !(
    expression.type === "CallExpression" &&
    expression.callee.type === "Identifier" &&
    HELPERS.test(expression.callee.name)
  );
}

const HELPERS = /^__(decorat|runInitializers|publicField|callDispose)/;

class Rewriter {
  readonly edits = new Edits();
  private readonly imports: string[] = [];

  constructor(private readonly source: string) {}

  declaration(statement: { type: string; start: number; end: number }): void {
    if (statement.type === "VariableDeclaration") this.variables(statement as VariableDeclaration);
    else if (statement.type === "ClassDeclaration") this.classDeclaration(statement as ClassDeclaration);
  }

  importDeclaration(node: ImportDeclaration): void {
    const named: [imported: string, local: string][] = [];
    let namespace: string | undefined;
    for (const specifier of node.specifiers) {
      const local = specifier.local.name;
      if (specifier.type === "ImportNamespaceSpecifier") namespace = local;
      else if (specifier.type === "ImportDefaultSpecifier") named.push(["default", local]);
      else {
        const { imported } = specifier;
        named.push([imported.type === "Literal" ? String(imported.value) : imported.name, local]);
      }
    }
    const attributes = node.attributes?.length
      ? `{${node.attributes.map((a) => this.source.slice(a.start, a.end)).join(", ")}}`
      : undefined;
    this.importModule(String(node.source.value), named, namespace, attributes);
    this.edits.blank(this.source, node.start, node.end);
  }

  importModule(
    specifier: string,
    named: readonly [string, string][],
    namespace: string | undefined,
    attributes = "undefined",
  ): void {
    const call = (names: string[]) =>
      `await ${RUNTIME}.import(${JSON.stringify(specifier)}, ${JSON.stringify(names)}, ${attributes})`;
    if (namespace !== undefined) this.imports.push(`var ${namespace} = ${call([])};`);
    if (named.length > 0) {
      const pattern = named.map(([imported, local]) => `${JSON.stringify(imported)}: ${local}`).join(", ");
      this.imports.push(`var {${pattern}} = ${call(named.map(([imported]) => imported))};`);
    }
    if (namespace === undefined && named.length === 0) this.imports.push(`${call([])};`);
  }

  exportNamed(node: ExportNamedDeclaration): void {
    if (node.declaration) {
      this.edits.blank(this.source, node.start, node.declaration.start);
      this.declaration(node.declaration);
    } else {
      if (node.source) this.importModule(String(node.source.value), [], undefined);
      this.edits.blank(this.source, node.start, node.end);
    }
  }

  exportDefault(node: ExportDefaultDeclaration): void {
    const { declaration } = node;
    this.edits.blank(this.source, node.start, declaration.start);
    const named = "id" in declaration && declaration.id != null;
    if (named) this.declaration(declaration);
    else if (declaration.type.endsWith("Declaration")) {
      this.edits.insert(declaration.start, "(");
      this.edits.insert(declaration.end, ")");
    }
  }

  /** `import(x)` and `import.meta` have no host behind them in a REPL script. */
  dynamicImports(program: Program): void {
    walk(program, (node) => {
      if (node.type === "ImportExpression")
        this.edits.replace(node.start, node.start + "import".length, `${RUNTIME}.load`);
      if (
        node.type === "MetaProperty" &&
        this.source.slice(node.start, node.end).replace(/\s/g, "") === "import.meta"
      )
        this.edits.replace(node.start, node.end, `${RUNTIME}.meta`);
    });
  }

  /** What the cell itself awaits, not what functions in it do, goes through `hold`. */
  awaited(program: Program): void {
    const wrap = (node: Node, method: string): void => {
      this.edits.insert(node.start, `${RUNTIME}.${method}(`);
      this.edits.insert(node.end, ")");
    };
    walk(program, (node) => {
      if (/Function/.test(node.type)) return false;
      if (node.type === "AwaitExpression") wrap((node as AwaitExpression).argument, "hold");
      if (node.type === "ForOfStatement" && (node as ForOfStatement).await)
        wrap((node as ForOfStatement).right, "holdEach");
    });
  }

  /**
   * A lowered enum or namespace adds to what its name holds, so that two of a cell merge. It must not add to what an
   * earlier cell left there. (A function of the cell is there from its beginning, and is what a namespace adds to.)
   */
  freshMerges(program: Program): void {
    const functions = new Set(
      program.body.flatMap((node) => (node.type === "FunctionDeclaration" && node.id ? [node.id.name] : [])),
    );
    const names = new Set(program.body.flatMap(mergedNames).filter((name) => !functions.has(name)));
    for (const name of names) this.imports.push(`var ${name} = void 0;`);
  }

  /** Imports run before everything else of the cell, as in a module. They share line 1, so no line moves. */
  hoistImports(): void {
    if (this.imports.length > 0) this.edits.insert(0, `${this.imports.join(" ")} `);
  }

  private variables(node: VariableDeclaration): void {
    if (!["let", "const", "var"].includes(node.kind)) return;
    this.edits.replace(node.start, node.start + node.kind.length, "var".padEnd(node.kind.length));
    // Running `let x;` again gives undefined, `var x;` would keep the old value.
    if (node.kind === "let")
      for (const declarator of node.declarations)
        if (!declarator.init) this.edits.insert(declarator.end, " = void 0");
  }

  private classDeclaration(node: ClassDeclaration): void {
    this.edits.insert(node.start, `var ${node.id.name} = `);
    this.edits.insert(node.end, ";");
  }
}

/** The name that a lowered enum, `var N = (…)(N || {})`, or namespace, `(…)(N || (N = {}))`, adds to. */
function mergedNames(node: Program["body"][number]): string[] {
  const statement = node.type === "ExportNamedDeclaration" && node.declaration ? node.declaration : node;
  const calls =
    statement.type === "ExpressionStatement"
      ? [statement.expression]
      : statement.type === "VariableDeclaration"
        ? statement.declarations.map(({ init }) => init)
        : [];
  return calls.flatMap((call) => {
    const argument = call?.type === "CallExpression" ? call.arguments[0] : undefined;
    const merges =
      argument?.type === "LogicalExpression" &&
      argument.operator === "||" &&
      argument.left.type === "Identifier";
    return merges ? [(argument.left as Identifier).name] : [];
  });
}
