/**
 * A program as a sequence of symbols in which names, values, comments, layout and types do not count: what is left of
 * it after a copy has been disguised by hand.
 */
import type { Node, SyntaxKind } from "typescript";
import { ts } from "../assignment/typescript.js";

export interface Token {
  /** Its kind: all names are one kind, all numbers another. */
  symbol: string;
  /** From 1. */
  line: number;
}

/** @param source TypeScript; what does not parse is read as far as it goes */
export function tokensOf(source: string): Token[] {
  const file = ts.createSourceFile("answer.ts", source, ts.ScriptTarget.ESNext, false, ts.ScriptKind.TS);
  const tokens: Token[] = [];
  const visit = (node: Node): void => {
    if (isTypeOnly(node)) return;
    if (ts.isToken(node) || ts.isIdentifier(node) || ts.isLiteralExpression(node)) {
      const symbol = symbolOf(node);
      if (symbol !== undefined)
        tokens.push({ symbol, line: file.getLineAndCharacterOfPosition(node.getStart(file)).line + 1 });
      return;
    }
    // `getChildren` gives keywords and punctuation as well, which `forEachChild` leaves out.
    for (const child of node.getChildren(file)) visit(child);
  };
  visit(file);
  return tokens;
}

/** Types can be added and removed without changing what a program does. */
function isTypeOnly(node: Node): boolean {
  return (
    ts.isTypeNode(node) ||
    ts.isInterfaceDeclaration(node) ||
    ts.isTypeAliasDeclaration(node) ||
    ts.isTypeParameterDeclaration(node) ||
    ts.isJSDoc(node)
  );
}

/** Punctuation that a formatter or a habit adds or leaves out, and what only types need. */
const IGNORED = new Set<SyntaxKind>([
  ts.SyntaxKind.SemicolonToken,
  ts.SyntaxKind.CommaToken,
  ts.SyntaxKind.ColonToken,
  ts.SyntaxKind.QuestionToken,
  ts.SyntaxKind.ExclamationToken,
  ts.SyntaxKind.EndOfFileToken,
  ts.SyntaxKind.OpenBraceToken,
  ts.SyntaxKind.CloseBraceToken,
  ts.SyntaxKind.ExportKeyword,
  ts.SyntaxKind.AsKeyword,
]);

function symbolOf(node: Node): string | undefined {
  if (IGNORED.has(node.kind)) return undefined;
  if (ts.isIdentifier(node) || ts.isPrivateIdentifier(node)) return "name";
  if (ts.isNumericLiteral(node) || ts.isBigIntLiteral(node)) return "number";
  if (ts.isStringLiteralLike(node)) return "text";
  // These differ in habit only.
  if (node.kind === ts.SyntaxKind.LetKeyword || node.kind === ts.SyntaxKind.VarKeyword) return "const";
  return ts.tokenToString(node.kind) ?? ts.SyntaxKind[node.kind];
}
