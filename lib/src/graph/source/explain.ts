/** What each part of the conversion makes of a function: for readers. */
import { displaySymbol, escapeHtml, type MimeBundle } from "../../core/display.js";
import { tokensOf, treeText } from "./parse.js";
import { transformSource } from "./transform.js";

export class ConversionExplained {
  constructor(
    /** Kinds and texts of the lexer's tokens. */
    readonly tokens: readonly { readonly kind: string; readonly text: string }[],
    /** The parser's tree, a node per line. */
    readonly ast: string,
    /** The code after each transformer. */
    readonly stages: readonly { readonly name: string; readonly code: string }[],
  ) {}

  /** The converted function's code. */
  get code(): string {
    return this.stages[this.stages.length - 1].code;
  }

  toString(): string {
    return this.stages.map(({ name, code }) => `// after ${name}\n${code}`).join("\n\n");
  }

  [displaySymbol](): MimeBundle {
    const section = (title: string, body: string, open = false): string =>
      `<details${open ? " open" : ""}><summary>${escapeHtml(title)}</summary><pre>${body}</pre></details>`;
    const tokens = this.tokens
      .map(({ kind, text }) => `<span title="${kind}">${escapeHtml(text)}</span>`)
      .join(" ");
    return {
      "text/html": [
        section(
          `1 lexer: ${this.tokens.length} tokens`,
          `<span style="white-space: pre-wrap">${tokens}</span>`,
        ),
        section("2 parser: syntax tree", escapeHtml(this.ast)),
        ...this.stages.map(({ name, code }, i) =>
          section(
            `${i + 3} after the transformer of ${name}`,
            escapeHtml(code),
            i === this.stages.length - 1,
          ),
        ),
      ].join(""),
      "text/plain": this.toString(),
    };
  }
}

/**
 * The tokens, the tree, and the code after each transformer of `convert`.
 * @throws ConversionError as `convert`.
 * @example String(graph.explainConversion((x: Tensor) => x.add(1))).includes("add") // true
 */
export function explainConversion(f: (...args: never[]) => unknown): ConversionExplained {
  const { parsed, stages } = transformSource(Function.prototype.toString.call(f), f.name || "f");
  const text = parsed.fn.getText();
  return new ConversionExplained(tokensOf(text), treeText(parsed.fn), stages);
}
