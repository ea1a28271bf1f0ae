/**
 * The names that a cell declares at its top level, read from its syntax tree. TypeScript 6 and TypeScript 7 build trees of
 * the same shape under the same names, so this knows neither: it gets the numbers of the kinds, and a way to a node's children.
 */

/** What an imported name may be assigned to decides how a later cell sees it. */
export type NameKind = "variable" | "import";

export interface DeclaredNames {
  names: Map<string, NameKind>;
  /** Those that carry `export` already. */
  exported: Set<string>;
}

/** The parts of a node that are looked at here. */
export interface SyntaxNode {
  readonly kind: number;
  readonly flags: number;
  readonly text?: string;
  readonly name?: SyntaxNode;
  readonly modifiers?: Iterable<SyntaxNode>;
  readonly statements?: Iterable<SyntaxNode>;
  readonly declarationList?: SyntaxNode;
  readonly declarations?: Iterable<SyntaxNode>;
  readonly elements?: Iterable<SyntaxNode>;
  readonly importClause?: SyntaxNode;
  readonly namedBindings?: SyntaxNode;
  readonly exportClause?: SyntaxNode;
}

const KINDS = [
  "Identifier",
  "ExportKeyword",
  "VariableStatement",
  "VariableDeclarationList",
  "ImportDeclaration",
  "ImportEqualsDeclaration",
  "NamespaceImport",
  "ExportDeclaration",
  "NamedExports",
  "OmittedExpression",
  "FunctionDeclaration",
  "ClassDeclaration",
  "InterfaceDeclaration",
  "TypeAliasDeclaration",
  "EnumDeclaration",
  "ModuleDeclaration",
  "FunctionExpression",
  "ArrowFunction",
  "ClassExpression",
  "MethodDeclaration",
  "Constructor",
  "GetAccessor",
  "SetAccessor",
] as const;

export interface Syntax {
  readonly kinds: Readonly<Record<(typeof KINDS)[number], number>>;
  /** Of `let`, `const` and `using` lists, and of `let` lists alone. */
  readonly flags: { readonly BlockScoped: number; readonly Let: number };
  children(node: SyntaxNode, visit: (child: SyntaxNode) => void): void;
}

export function declaredNames(file: SyntaxNode, syntax: Syntax): DeclaredNames {
  const { kinds } = syntax;
  const names: DeclaredNames["names"] = new Map();
  const exported = new Set<string>();
  for (const statement of file.statements ?? []) {
    const found = statementNames(statement, syntax);
    for (const [name, kind] of found) names.set(name, kind);
    if ([...(statement.modifiers ?? [])].some(({ kind }) => kind === kinds.ExportKeyword))
      for (const [name] of found) exported.add(name);
    const { exportClause } = statement;
    if (statement.kind === kinds.ExportDeclaration && exportClause?.kind === kinds.NamedExports)
      for (const { name } of exportClause.elements ?? []) exported.add(name?.text ?? "");
  }
  return { names, exported };
}

function statementNames(statement: SyntaxNode, syntax: Syntax): [string, NameKind][] {
  const { kinds } = syntax;
  const { name } = statement;
  switch (statement.kind) {
    case kinds.VariableStatement:
      return listNames(statement.declarationList as SyntaxNode, syntax);
    case kinds.ImportDeclaration:
      return importNames(statement, syntax).map((text) => [text, "import"]);
    case kinds.FunctionDeclaration:
    case kinds.ClassDeclaration:
    case kinds.InterfaceDeclaration:
    case kinds.TypeAliasDeclaration:
    case kinds.EnumDeclaration:
    case kinds.ImportEqualsDeclaration:
    case kinds.ModuleDeclaration:
      return name?.kind === kinds.Identifier ? [[name.text ?? "", "import"]] : [];
    default:
      return nestedVars(statement, syntax);
  }
}

function listNames(list: SyntaxNode, syntax: Syntax): [string, NameKind][] {
  const { BlockScoped, Let } = syntax.flags;
  const constant = (list.flags & BlockScoped & ~Let) !== 0;
  return [...(list.declarations ?? [])].flatMap(({ name }) =>
    bindingNames(name, syntax).map((text): [string, NameKind] => [text, constant ? "import" : "variable"]),
  );
}

/** `var` inside a block belongs to the whole cell. */
function nestedVars(statement: SyntaxNode, syntax: Syntax): [string, NameKind][] {
  const { kinds, flags } = syntax;
  const closed = new Set<number>([
    kinds.FunctionDeclaration,
    kinds.FunctionExpression,
    kinds.ArrowFunction,
    kinds.ClassDeclaration,
    kinds.ClassExpression,
    kinds.MethodDeclaration,
    kinds.Constructor,
    kinds.GetAccessor,
    kinds.SetAccessor,
  ]);
  const found: [string, NameKind][] = [];
  const visit = (node: SyntaxNode): void => {
    if (closed.has(node.kind)) return;
    if (node.kind === kinds.VariableDeclarationList && (node.flags & flags.BlockScoped) === 0)
      found.push(...listNames(node, syntax));
    syntax.children(node, visit);
  };
  visit(statement);
  return found;
}

/** The gap in `[, x]` is an element without a name in TypeScript 7, and no element in 6. */
function bindingNames(name: SyntaxNode | undefined, syntax: Syntax): string[] {
  if (name === undefined) return [];
  if (name.kind === syntax.kinds.Identifier) return [name.text ?? ""];
  return [...(name.elements ?? [])].flatMap((element) =>
    element.kind === syntax.kinds.OmittedExpression ? [] : bindingNames(element.name, syntax),
  );
}

function importNames({ importClause }: SyntaxNode, { kinds }: Syntax): string[] {
  if (!importClause) return [];
  const { name, namedBindings } = importClause;
  const named = !namedBindings
    ? []
    : namedBindings.kind === kinds.NamespaceImport
      ? [namedBindings.name]
      : [...(namedBindings.elements ?? [])].map((element) => element.name);
  return [name, ...named].flatMap((node) => (node?.text === undefined ? [] : [node.text]));
}
