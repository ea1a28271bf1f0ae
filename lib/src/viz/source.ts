/** The library's own code, for readers: declarations cut from its sources, with their comments. */
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import type * as Typescript from "typescript";
import { ValueError } from "../core/errors.js";
import { displaySymbol, type MimeBundle } from "./bundle.js";

/** A piece of source, shown as code in notebooks. */
export class SourceText {
  constructor(
    /** `graph/schedule.ts:38`. */
    readonly place: string,
    readonly code: string,
  ) {}

  toString(): string {
    return `// ${this.place}\n${this.code}`;
  }

  [displaySymbol](): MimeBundle {
    const fence = "`".repeat(
      3 + Math.max(0, ...[...this.code.matchAll(/`{3,}/g)].map(([run]) => run.length - 2)),
    );
    return {
      "text/markdown": `<small>\`mlsys/src/${this.place}\`</small>\n\n${fence}typescript\n${this.code}\n${fence}`,
      "text/plain": this.toString(),
    };
  }
}

/**
 * A declaration of the library, as it is written.
 * @param file path under the library's sources: `"graph/schedule.ts"`
 * @param names functions, classes, types or constants declared there; `Class.method` for a method
 * @example sourceOf("graph/schedule.ts", "topologicalOrder")
 * @throws ValueError if there is no such file or declaration, with those there are.
 */
export function sourceOf(file: string, ...names: readonly string[]): SourceText {
  const path = fileURLToPath(new URL(`../../src/${file}`, import.meta.url));
  if (!existsSync(path)) throw new ValueError(`sourceOf: the library has no source ${file}`);
  const text = readFileSync(path, "utf8");
  if (names.length === 0) return new SourceText(file, text.trimEnd());
  const found = declarations(path, text);
  const parts = names.map((name) => {
    const part = found.get(name);
    if (!part)
      throw new ValueError(
        `sourceOf: ${file} does not declare "${name}"; it has ${[...found.keys()].join(", ")}`,
      );
    return part;
  });
  return new SourceText(`${file}:${parts[0].line}`, parts.map((part) => part.text).join("\n\n"));
}

interface Part {
  readonly line: number;
  readonly text: string;
}

/** Top-level declarations and methods by name, with the comments before them. */
function declarations(path: string, text: string): Map<string, Part> {
  const ts = createRequire(import.meta.url)("typescript") as typeof Typescript;
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const found = new Map<string, Part>();
  const add = (name: string, node: Typescript.Node): void => {
    const comments = ts.getLeadingCommentRanges(text, node.getFullStart()) ?? [];
    const last = comments.at(-1); // those further up belong to the file
    const start =
      last && /\n[ \t]*$/.test(text.slice(last.end, node.getStart())) ? last.pos : node.getStart();
    const indent = /[ \t]*$/.exec(text.slice(0, start))?.[0] ?? "";
    found.set(name, {
      line: source.getLineAndCharacterOfPosition(node.getStart()).line + 1,
      text: text.slice(start, node.end).replaceAll(`\n${indent}`, "\n"),
    });
  };
  for (const statement of source.statements) {
    if (ts.isVariableStatement(statement)) {
      for (const { name } of statement.declarationList.declarations) add(name.getText(), statement);
    } else if (
      ts.isFunctionDeclaration(statement) ||
      ts.isClassDeclaration(statement) ||
      ts.isInterfaceDeclaration(statement) ||
      ts.isTypeAliasDeclaration(statement)
    ) {
      const name = statement.name?.getText() ?? "default";
      add(name, statement);
      if (ts.isClassDeclaration(statement))
        for (const member of statement.members)
          if (member.name) add(`${name}.${member.name.getText()}`, member);
    }
  }
  return found;
}
