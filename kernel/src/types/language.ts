/** TypeScript 6's language service over a session of cells. */
import ts = require("typescript");

import { completeness } from "./completeness.js";
import { completionKind, wordBefore } from "./completions.js";
import { type DeclaredNames, declaredNames, type Syntax, type SyntaxNode } from "./declared-names.js";
import { SessionHost } from "./host.js";
import { jsxNames, languageOptions, transpileSettings } from "./language-options.js";
import { IMPORT_EQUALS, TSLAB_IMPORT } from "./options.js";
import type {
  CellLanguage,
  CheckResult,
  Completeness,
  CompletionItem,
  Completions,
  Inspection,
  Problem,
  Settings,
} from "./service.js";
import { type AssembledCell, CellSession } from "./session.js";

const MAX_COMPLETIONS = 2_000;

const SYNTAX: Syntax = {
  kinds: ts.SyntaxKind,
  flags: ts.NodeFlags,
  children: (node, visit) =>
    ts.forEachChild(node as unknown as ts.Node, (child) => visit(child as unknown as SyntaxNode)),
};

/** What a cell in TypeScript declares, by TypeScript 6's parser. */
export function declaredIn(text: string): DeclaredNames {
  const file = ts.createSourceFile("cell.ts", text, ts.ScriptTarget.ESNext, false, ts.ScriptKind.TS);
  return declaredNames(file as unknown as SyntaxNode, SYNTAX);
}

export class Language {
  private readonly session = new CellSession();
  private readonly host: SessionHost;
  private readonly service: ts.LanguageService;
  /** What is wrong with the notebook's tsconfig, told once with the first check. */
  private readonly problem: string | undefined;
  private readonly options: ts.CompilerOptions;
  /** By a tsconfig.json, which has the last word. */
  private readonly configured: boolean;
  /** The session uses tslab. */
  private tslab = false;

  constructor(directory: string) {
    const { options, problem, configured } = languageOptions(directory);
    this.problem = problem;
    this.options = options;
    this.configured = configured;
    this.host = new SessionHost(directory, this.session, options);
    this.service = ts.createLanguageService(this.host);
  }

  settings(): Settings {
    return { ...transpileSettings(this.options), ...(this.problem ? { problem: this.problem } : {}) };
  }

  warm(): void {
    this.check("warm", "const warm = [1].map((x) => x);");
    this.complete("console.", 8);
    this.host.setDraft("");
  }

  check(_cell: string, text: string, language: CellLanguage = "typescript"): CheckResult {
    this.relaxFor(text);
    const javascript = this.isJavaScript(text, language);
    const offset = this.draft(text, javascript);
    const { draft } = this.host;
    const cell = this.service.getProgram()?.getSourceFile(draft);
    const problems = (
      diagnostics: readonly ts.DiagnosticWithLocation[] | readonly ts.Diagnostic[],
      syntax: boolean,
    ) =>
      diagnostics
        .filter(({ category, code }) => category === ts.DiagnosticCategory.Error && code !== IMPORT_EQUALS)
        .filter(({ code }) => !javascript || !isImplicitAny(code))
        .filter(({ start = 0 }) => start >= offset && start <= offset + text.length)
        .map((diagnostic) => problem(diagnostic, text, offset, syntax));
    if (!cell) return { problems: [], names: [] };
    const syntactic = problems(this.service.getSyntacticDiagnostics(draft), true);
    return {
      problems:
        syntactic.length > 0 ? syntactic : problems(this.service.getSemanticDiagnostics(draft), false),
      names: [...this.assemble(text, javascript).cell.names.keys()],
    };
  }

  commit(_cell: string, text: string, language: CellLanguage = "typescript"): void {
    this.relaxFor(text);
    const { cell, kind } = this.assemble(text, this.isJavaScript(text, language));
    const module = this.session.commit(cell);
    if (module && kind !== ts.ScriptKind.TS) this.host.moduleKinds.set(module, kind);
  }

  reset(): void {
    this.session.reset();
    this.host.moduleKinds.clear();
    this.tslab = false;
    this.host.useOptions(this.options);
  }

  packagesChanged(): void {
    this.host.packagesChanged();
  }

  complete(text: string, at: number): Completions {
    const offset = this.draft(text);
    const word = wordBefore(text, at);
    const info = this.service.getCompletionsAtPosition(this.host.draft, offset + at, {
      includeCompletionsForModuleExports: false,
      includeCompletionsWithInsertText: false,
      includeCompletionsForImportStatements: false,
    });
    const span = info?.optionalReplacementSpan ?? info?.entries[0]?.replacementSpan;
    const start = span ? span.start - offset : at - word.length;
    const typed = text.slice(start, at);
    const items = new Map<string, CompletionItem>();
    for (const entry of info?.entries ?? []) {
      if (!matches(entry.name, typed) || entry.name.startsWith("__cell_")) continue;
      items.set(entry.name, { text: entry.name, type: completionKind(entry.kind) });
      if (items.size >= MAX_COMPLETIONS) break;
    }
    // Names of earlier cells that this one does not mention yet are not in its file.
    if (info && !info.isMemberCompletion && !info.isNewIdentifierLocation)
      for (const name of this.session.names)
        if (matches(name, typed) && !items.has(name)) items.set(name, { text: name, type: "instance" });
    return { items: [...items.values()], start, end: at };
  }

  inspect(text: string, at: number): Inspection | undefined {
    const offset = this.draft(text);
    for (const position of inspectedPositions(text, at)) {
      const info = this.service.getQuickInfoAtPosition(this.host.draft, offset + position);
      if (!info) continue;
      return {
        signature: withoutModules(ts.displayPartsToString(info.displayParts)),
        documentation: this.documentation(offset + position) || documentationText(info),
        source: this.definition(offset + position),
      };
    }
    return undefined;
  }

  isComplete(text: string): Completeness {
    return completeness(text);
  }

  /** Names of earlier cells are imports here, and TypeScript does not look for their comments that far. */
  private documentation(position: number): string {
    const program = this.service.getProgram()!;
    const checker = program.getTypeChecker();
    const token = tokenAt(program.getSourceFile(this.host.draft)!, position);
    let symbol = token && checker.getSymbolAtLocation(token);
    if (symbol && symbol.flags & ts.SymbolFlags.Alias) symbol = checker.getAliasedSymbol(symbol);
    if (!symbol) return "";
    return documentationText({
      documentation: symbol.getDocumentationComment(checker),
      tags: symbol.getJsDocTags(checker),
    });
  }

  private definition(position: number): string | undefined {
    const [definition] = this.service.getDefinitionAtPosition(this.host.draft, position) ?? [];
    if (!definition) return undefined;
    const span = definition.contextSpan ?? definition.textSpan;
    const file = this.service.getProgram()?.getSourceFile(definition.fileName);
    return file?.text.slice(span.start, span.start + span.length);
  }

  /**
   * Notebooks written for tslab were checked as tslab does: not strictly, and cells that are JavaScript as such.
   */
  private relaxFor(text: string): void {
    if (this.tslab || !TSLAB_IMPORT.test(text)) return;
    this.tslab = true;
    if (!this.configured) this.host.useOptions({ ...this.options, strict: false });
  }

  /** In a session that uses tslab a cell is JavaScript unless it has syntax that only TypeScript has. */
  private isJavaScript(text: string, language: CellLanguage): boolean {
    if (language === "javascript" || !this.tslab) return language === "javascript";
    this.draft(text, true);
    return this.service.getSyntacticDiagnostics(this.host.draft).every(({ code }) => !isTypeScriptOnly(code));
  }

  private assemble(text: string, javascript: boolean): { cell: AssembledCell; kind: ts.ScriptKind } {
    const { file, kind } = parseCell(text, javascript);
    const jsx = kind === ts.ScriptKind.TSX || kind === ts.ScriptKind.JSX;
    const declared = declaredNames(file as unknown as SyntaxNode, SYNTAX);
    return { cell: this.session.assemble(text, declared, jsx ? jsxNames(this.options) : []), kind };
  }

  private draft(text: string, javascript = false): number {
    const { cell, kind } = this.assemble(text, javascript);
    this.host.setDraft(cell.content, kind);
    return cell.offset;
  }
}

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

/** "… implicitly has an 'any' type" and its kin. */
function isImplicitAny(code: number): boolean {
  return code >= 7005 && code <= 7057;
}

/** "… can only be used in TypeScript files." */
function isTypeScriptOnly(code: number): boolean {
  return code >= 8000 && code <= 8020;
}

function problem(diagnostic: ts.Diagnostic, text: string, offset: number, syntax: boolean): Problem {
  const start = Math.min((diagnostic.start ?? offset) - offset, text.length);
  const before = text.slice(0, start).split("\n");
  return {
    message: ts.flattenDiagnosticMessageText(diagnostic.messageText, "\n"),
    code: diagnostic.code,
    line: before.length,
    column: before[before.length - 1]!.length + 1,
    length: Math.max(1, diagnostic.length ?? 1),
    syntax,
  };
}

function documentationText({ documentation, tags }: Pick<ts.QuickInfo, "documentation" | "tags">): string {
  const lines = (tags ?? []).map(({ name, text }) => `*@${name}* ${ts.displayPartsToString(text)}`.trim());
  return [ts.displayPartsToString(documentation), ...lines].filter(Boolean).join("\n\n");
}

/** Types of earlier cells are named by their module, and imported names by their import: neither is the reader's. */
function withoutModules(signature: string): string {
  return signature
    .replace(/import\("[^"]*__cell_(\d+_)?_"\)\./g, "")
    .replace(/^\(alias\) /, "")
    .replace(/\nimport \S+$/, "");
}

function tokenAt(node: ts.Node, position: number): ts.Node | undefined {
  const child = ts.forEachChild(node, (inner) =>
    inner.pos <= position && position < inner.end ? inner : undefined,
  );
  return child ? tokenAt(child, position) : node;
}

function matches(name: string, typed: string): boolean {
  return name.toLowerCase().startsWith(typed.toLowerCase());
}

/** The word under the cursor, the one it stands behind, and the function whose arguments it stands in. */
function inspectedPositions(text: string, at: number): number[] {
  const positions = [at];
  if (at > 0) positions.push(at - 1);
  let depth = 0;
  for (let index = at - 1; index >= 0; index--) {
    const char = text[index];
    if (char === ")" || char === "]" || char === "}") depth++;
    else if (char === "(" || char === "[" || char === "{") {
      if (depth-- > 0) continue;
      if (char === "(" && index > 0) positions.push(index - 1);
      break;
    }
  }
  return positions.filter((position) => /[\p{ID_Continue}$]/u.test(text[position] ?? ""));
}
