/**
 * Finds the magics of a cell, and gives it two readings with the same lines: one for the type checker, in which
 * they are blank, and one for the compiler, in which they are calls.
 *
 * TypeScript comes first: a line is a magic only where a statement may begin, and `%name` or `!name` with a name
 * that the session knows, where an expression could go on, stays an operator.
 */
import type { Magic } from "../magics/magic.js";
import { CellSyntaxError, parses, readable } from "./cell.js";
import type { Shift } from "./edits.js";
import { RUNTIME } from "./scope.js";

export interface CellText {
  /** What is checked, completed and inspected. */
  text: string;
  /** What is compiled. */
  code: string;
  /** How columns of `code` moved against `text`. */
  inserted: Shift[];
  /** Magics that the host runs before the cell. */
  host: { magic: Magic; args: string; line: number }[];
}

/** A magic that is not there, or has the wrong shape. */
export class MagicError extends CellSyntaxError {
  override name = "UsageError";
}

const CANDIDATE = /^(?:%%?[A-Za-z]|![A-Za-z_.~/$])/m;
const MAGIC = /^(%%?)([A-Za-z]\w*)[^\S\n]*(.*?)\s*$/;
const EMPTY = /^\s*(\/\/.*)?$/;

/**
 * @param isKnown whether a name was declared by an earlier cell, or is a global.
 * @throws MagicError
 */
export async function readCell(source: string, isKnown: (name: string) => boolean): Promise<CellText> {
  const text = readable(source);
  if (!CANDIDATE.test(text)) return { text, code: text, inserted: [], host: [] };
  const { magicNamed } = await import("../magics/table.js");
  return new Reader(text, magicNamed, (name) => isKnown(name) || declares(text, name)).read();
}

class Reader {
  private readonly lines: string[];
  /** The lines so far, as the checker and as the compiler read them. */
  private readonly text: string[] = [];
  private readonly code: string[] = [];
  private readonly inserted: Shift[] = [];
  private readonly host: CellText["host"] = [];
  /** What ends the cell, behind its last line. */
  private tail = "";
  private textTail = "";

  constructor(
    source: string,
    private readonly named: (name: string) => Magic,
    private readonly isKnown: (name: string) => boolean,
  ) {
    this.lines = source.split("\n");
  }

  async read(): Promise<CellText> {
    for (let at = 0; at < this.lines.length; at++) {
      const line = this.lines[at]!;
      const found =
        CANDIDATE.test(line) && (await this.beginsStatement(line)) ? this.parse(line, at) : undefined;
      if (!found) this.push(line, line);
      else if (found.cell) {
        if (this.cellMagic(found.magic, found.args, at)) break;
      } else await this.lineMagic(found.magic, found.args, at);
    }
    return {
      text: this.text.join("\n") + this.textTail,
      code: this.code.join("\n") + this.tail,
      inserted: this.inserted,
      host: this.host,
    };
  }

  private get atTop(): boolean {
    return this.text.every((line) => EMPTY.test(line));
  }

  /** Not inside a template, a comment or a bracket, and no expression that goes on. */
  private async beginsStatement(line: string): Promise<boolean> {
    const name = /^[%!]+([\w$]*)/.exec(line)![1]!;
    if (line.startsWith("!") && (name ? this.isKnown(name) : await parses(line))) return false;
    if (this.atTop) return true;
    const before = this.text.join("\n");
    if (!(await parses(before))) return false;
    return line.startsWith("!") || /[;}]\s*$/.test(before) || !this.isKnown(name);
  }

  private parse(line: string, at: number): { magic: Magic; args: string; cell: boolean } {
    if (line.startsWith("!")) return { magic: this.find("!", at), args: line.slice(1).trim(), cell: false };
    const [, percents, name, args] = MAGIC.exec(line)!;
    const magic = this.find(name!, at);
    if (percents === "%%") {
      if (magic.form === "line") throw this.problem(`%%${name} is not a cell magic: write %${name}.`, at);
      if (!this.atTop) throw this.problem(`%%${name} must be the first line of the cell.`, at);
      return { magic, args: args!, cell: true };
    }
    const options = magic.options?.exec(args!)?.[0] ?? "";
    const alone = magic.form === "both" && args!.slice(options.length).trim() === "";
    if (magic.form === "cell")
      throw this.problem(`%${name} is a cell magic: write %%${name} on the cell's first line.`, at);
    if (alone && !this.atTop) throw this.problem(`%${name} takes code on its line.`, at);
    return { magic, args: args!, cell: alone };
  }

  private find(name: string, at: number): Magic {
    try {
      return this.named(name);
    } catch (error) {
      throw this.problem((error as Error).message, at);
    }
  }

  /** @returns whether the rest of the cell is the magic's own. */
  private cellMagic(magic: Magic, args: string, at: number): boolean {
    const { name } = magic;
    const rest = this.lines.slice(at + 1);
    if (rest.every((line) => line.trim() === "")) throw this.problem(`%%${name}: the cell has no body.`, at);
    if (magic.host) this.host.push({ magic, args, line: at + 1 });
    if (magic.takes === "text") {
      this.pushBlank(at, call("run", name, args, JSON.stringify(rest.join("\n"))));
      return true;
    }
    const options = magic.options?.exec(args)?.[0] ?? "";
    if (magic.takes === "code" && !magic.host && args.slice(options.length).trim() !== "")
      throw this.problem(`%%${name} takes no code on its own line: the cell below is its code.`, at);
    if (magic.around) this.pushBlank(at, call("begin", name, args));
    else if (magic.run) {
      this.push(
        this.lines[at]!.replace(/./g, " ").replace(" ", "{"),
        `${call("run", name, args, "undefined", closure(rest.join("\n")))}{`,
      );
      this.tail = "\n});";
      this.textTail = "\n}";
    } else this.pushBlank(at, "");
    return false;
  }

  private async lineMagic(magic: Magic, args: string, at: number): Promise<void> {
    const line = this.lines[at]!;
    if (magic.host) {
      this.host.push({ magic, args, line: at + 1 });
      this.pushBlank(at, "");
      return;
    }
    if (magic.takes !== "code") {
      this.pushBlank(at, call("run", magic.name, args));
      return;
    }
    const options = magic.options?.exec(args)?.[0] ?? "";
    const code = args.slice(options.length).trim();
    const start = line.lastIndexOf(code);
    if (!(await parses(code)))
      throw this.problem(
        `%${magic.name} takes one whole statement on its line. For more, write %%${magic.name} on the cell's first line.`,
        at,
      );
    const last = this.lines.slice(at + 1).every((rest) => EMPTY.test(rest));
    if (magic.around) {
      const before = call("begin", magic.name, options.trim());
      // Open at the end of the cell, it ends with it, and the statement's value stays the cell's.
      this.pushShifted(" ".repeat(start), before, code, "", last ? "" : `; await ${RUNTIME}.magics.end();`);
    } else {
      const before = `${call("run", magic.name, options.trim(), "undefined", closure(code))}{ `;
      this.pushShifted(`{${" ".repeat(start - 1)}`, before, code, " }", " });");
    }
  }

  /** The checker's line is as long as the reader's, so that a position in the cell is one in the text. */
  private pushBlank(at: number, code: string): void {
    this.push(this.lines[at]!.replace(/./g, " "), code);
  }

  private push(text: string, code: string): void {
    this.text.push(text);
    this.code.push(code);
  }

  private pushShifted(
    textBefore: string,
    codeBefore: string,
    code: string,
    textAfter: string,
    codeAfter: string,
  ) {
    const shift = codeBefore.length - textBefore.length;
    this.inserted.push({ line: this.code.length, column: codeBefore.length, shift });
    this.push(textBefore + code + textAfter, codeBefore + code + codeAfter);
  }

  private problem(message: string, at: number): MagicError {
    return new MagicError(message, at + 1, 1);
  }
}

/** `await runtime.magics.run("name", "args", …);`, left open where a function follows. */
function call(method: "run" | "begin", name: string, args: string, ...rest: string[]): string {
  const given = [JSON.stringify(name), JSON.stringify(args), ...rest].join(", ");
  const open = rest.length === 2;
  return `await ${RUNTIME}.magics.${method}(${given}${open ? " " : ");"}`;
}

/** The head of a function with this body; its brace follows. */
function closure(body: string): string {
  return /\bawait\b/.test(body) ? "async () =>" : "() =>";
}

function declares(text: string, name: string): boolean {
  const escaped = name.replaceAll("$", "\\$");
  return new RegExp(
    `\\b(?:let|const|var|function|class|enum|namespace|import)\\b[^;\\n]*(?<![\\w$])${escaped}(?![\\w$])`,
  ).test(text);
}
