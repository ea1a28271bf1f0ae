/**
 * The session as TypeScript sees it. Every cell is a module of its own, so that a later cell may declare any name
 * again: the cell being checked begins with one line that brings in the names it uses from the cells before.
 *
 * Names of `let` and `var` are declared again with their type (an import could not be assigned to);
 * everything else is imported, with all its meanings.
 */
import ts = require("typescript");

/** Where a visible name was declared last. */
interface Declaration {
  module: string;
  kind: "variable" | "import";
}

export interface AssembledCell {
  /** File content: a line of prefix where names of earlier cells are used, the cell, and a line of exports. */
  content: string;
  /** Characters before the cell's own text. */
  offset: number;
  /** Names that the cell declares at its top level. */
  names: Map<string, Declaration["kind"]>;
  kind: ts.ScriptKind;
}

const MODULE = /^__cell_\d+__$/;

export class CellSession {
  private readonly visible = new Map<string, Declaration>();
  private readonly modules = new Map<string, Pick<AssembledCell, "content" | "kind">>();
  /** Modules that declare something for all (`declare global`, `declare module`). */
  private readonly ambient = new Set<string>();
  private next = 1;

  /** @param jsxNames the names that JSX stands for, such as `React`. */
  constructor(private readonly jsxNames: readonly string[] = ["React"]) {}

  /** Text of the module that an earlier cell became. */
  module(name: string): string | undefined {
    return this.modules.get(name)?.content;
  }

  kind(name: string): ts.ScriptKind | undefined {
    return this.modules.get(name)?.kind;
  }

  get moduleNames(): Iterable<string> {
    return this.modules.keys();
  }

  /** Names declared by earlier cells. */
  get names(): Iterable<string> {
    return this.visible.keys();
  }

  assemble(text: string, javascript = false): AssembledCell {
    const { file, kind } = parseCell(text, javascript);
    const { names, exported } = declaredNames(file);
    const used = identifiers(text);
    // JSX calls them without naming them.
    if (kind === ts.ScriptKind.TSX || kind === ts.ScriptKind.JSX)
      for (const name of this.jsxNames) used.add(name);
    const prefix = this.prefix(used, names);
    const own = [...names.keys()].filter((name) => !exported.has(name));
    return {
      content: `${prefix}${text}\nexport { ${own.join(", ")} };\n`,
      offset: prefix.length,
      names,
      kind,
    };
  }

  /** Makes the cell's declarations visible to later cells. */
  commit(text: string, javascript = false): void {
    const cell = this.assemble(text, javascript);
    const ambient = AMBIENT.test(text);
    if (cell.names.size === 0 && !ambient) return;
    const module = `__cell_${this.next++}__`;
    this.modules.set(module, cell);
    if (ambient) this.ambient.add(module);
    for (const [name, kind] of cell.names) this.visible.set(name, { module, kind });
    this.forgetUnreachable();
  }

  reset(): void {
    this.visible.clear();
    this.modules.clear();
    this.ambient.clear();
  }

  private prefix(used: ReadonlySet<string>, own: ReadonlyMap<string, unknown>): string {
    const imports = new Map<string, string[]>();
    let variables = "";
    for (const name of used) {
      const declaration = own.has(name) ? undefined : this.visible.get(name);
      if (!declaration) continue;
      const { module, kind } = declaration;
      if (kind === "variable") variables += `declare let ${name}: typeof import("./${module}").${name}; `;
      else imports.set(module, [...(imports.get(module) ?? []), name]);
    }
    const lines = [...imports].map(
      ([module, names]) => `import { ${names.join(", ")} } from "./${module}"; `,
    );
    // A line of its own: a comment that follows on the same line would not belong to the cell's first declaration.
    const everywhere = [...this.ambient].map((module) => `import "./${module}"; `).join("");
    const all = everywhere + lines.join("") + variables;
    return all === "" ? "" : `${all}\n`;
  }

  /** Modules that no visible name needs any more are dropped, so a long session does not grow for ever. */
  private forgetUnreachable(): void {
    if (this.modules.size % 64 !== 0) return;
    const reached = new Set<string>();
    const queue = [...this.ambient, ...[...this.visible.values()].map(({ module }) => module)];
    for (let module = queue.pop(); module; module = queue.pop()) {
      if (reached.has(module)) continue;
      reached.add(module);
      for (const [, other] of this.modules.get(module)?.content.matchAll(/"\.\/(__cell_\d+__)"/g) ?? [])
        queue.push(other!);
    }
    for (const module of this.modules.keys()) if (!reached.has(module)) this.modules.delete(module);
  }
}

const AMBIENT = /\bdeclare\s+(?:global\b|module\s+["'])/;

/** `<T>x` is TypeScript only without JSX, so JSX is what is nothing else. */
function parseCell(text: string, javascript: boolean): { file: ts.SourceFile; kind: ts.ScriptKind } {
  const [plain, jsx] = javascript
    ? [ts.ScriptKind.JS, ts.ScriptKind.JSX]
    : [ts.ScriptKind.TS, ts.ScriptKind.TSX];
  const parse = (kind: ts.ScriptKind) =>
    ts.createSourceFile("cell.tsx", text, ts.ScriptTarget.Latest, false, kind);
  const file = parse(plain);
  if (!/<\/|\/>/.test(text) || errorCount(file) === 0) return { file, kind: plain };
  const other = parse(jsx);
  return errorCount(other) < errorCount(file) ? { file: other, kind: jsx } : { file, kind: plain };
}

/** TypeScript keeps them on the file, but not in its types. */
function errorCount(file: ts.SourceFile): number {
  return (file as { parseDiagnostics?: readonly unknown[] }).parseDiagnostics?.length ?? 0;
}

export function isCellModule(specifier: string): boolean {
  return specifier.startsWith("./") && MODULE.test(specifier.slice(2));
}

function identifiers(text: string): Set<string> {
  const names = new Set<string>();
  for (const [name] of text.matchAll(/[\p{ID_Start}$_][\p{ID_Continue}$]*/gu)) names.add(name);
  return names;
}

function declaredNames(file: ts.SourceFile): { names: AssembledCell["names"]; exported: Set<string> } {
  const names: AssembledCell["names"] = new Map();
  const exported = new Set<string>();
  for (const statement of file.statements) {
    const found = statementNames(statement);
    for (const [name, kind] of found) names.set(name, kind);
    if (ts.canHaveModifiers(statement) && isExported(statement))
      for (const [name] of found) exported.add(name);
    if (
      ts.isExportDeclaration(statement) &&
      statement.exportClause &&
      ts.isNamedExports(statement.exportClause)
    )
      for (const element of statement.exportClause.elements) exported.add(element.name.text);
  }
  return { names, exported };
}

function isExported(statement: ts.Statement & ts.HasModifiers): boolean {
  return statement.modifiers?.some((modifier) => modifier.kind === ts.SyntaxKind.ExportKeyword) ?? false;
}

function statementNames(statement: ts.Statement): [string, Declaration["kind"]][] {
  if (ts.isVariableStatement(statement)) return listNames(statement.declarationList);
  if (ts.isImportDeclaration(statement)) return importNames(statement).map((name) => [name, "import"]);
  if (
    ts.isFunctionDeclaration(statement) ||
    ts.isClassDeclaration(statement) ||
    ts.isInterfaceDeclaration(statement) ||
    ts.isTypeAliasDeclaration(statement) ||
    ts.isEnumDeclaration(statement) ||
    ts.isImportEqualsDeclaration(statement)
  )
    return statement.name ? [[statement.name.text, "import"]] : [];
  if (ts.isModuleDeclaration(statement))
    return ts.isIdentifier(statement.name) ? [[statement.name.text, "import"]] : [];
  return nestedVars(statement);
}

function listNames(list: ts.VariableDeclarationList): [string, Declaration["kind"]][] {
  const constant = (list.flags & ts.NodeFlags.BlockScoped & ~ts.NodeFlags.Let) !== 0;
  return list.declarations.flatMap(({ name }) =>
    bindingNames(name).map((text): [string, Declaration["kind"]] => [text, constant ? "import" : "variable"]),
  );
}

/** `var` inside a block belongs to the whole cell. */
function nestedVars(statement: ts.Statement): [string, Declaration["kind"]][] {
  const found: [string, Declaration["kind"]][] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) || ts.isClassLike(node)) return;
    if (ts.isVariableDeclarationList(node) && (node.flags & ts.NodeFlags.BlockScoped) === 0)
      found.push(...listNames(node));
    ts.forEachChild(node, visit);
  };
  visit(statement);
  return found;
}

function bindingNames(name: ts.BindingName): string[] {
  if (ts.isIdentifier(name)) return [name.text];
  return name.elements.flatMap((element) =>
    ts.isOmittedExpression(element) ? [] : bindingNames(element.name),
  );
}

function importNames({ importClause }: ts.ImportDeclaration): string[] {
  if (!importClause) return [];
  const { name, namedBindings } = importClause;
  const named = !namedBindings
    ? []
    : ts.isNamespaceImport(namedBindings)
      ? [namedBindings.name.text]
      : namedBindings.elements.map((element) => element.name.text);
  return name ? [name.text, ...named] : named;
}
