/** Reads the text form of a graph back (see print.ts for the form); the result is verified. */
import { isDType } from "../core/dtype.js";
import { MlsysError } from "../core/errors.js";
import { sizeOf, type TensorType } from "../core/shape.js";
import { getOp } from "../ops/registry.js";
import type { DenseTensor } from "../runtime/dense.js";
import { constantOf, decodeElements } from "./data.js";
import { Dim } from "./dynamic/dim.js";
import { type Guard, SymbolicGraph } from "./dynamic/symbolic-graph.js";
import { TOKEN } from "./effects/ops.js";
import { type Constant, Graph, type GraphNode, IRError, type Value } from "./graph.js";
import { syntaxError, type Token, tokenize } from "./lexer.js";
import { verify } from "./verify.js";

/**
 * The graph that a text describes.
 * @throws IRError with line and column where the text is not in the form, or naming the rule that the graph breaks.
 * @example graph.parseGraph(graph.printGraph(capture((x: Tensor) => x.sin(), tensor([1])))).nodes.length // 1
 */
export function parseGraph(text: string): Graph {
  const parser = new Parser(text);
  const graph = parser.graph();
  parser.expectEnd();
  if (parser.guards.length > 0)
    throw new IRError(
      `graph text: sizes of this graph are symbols (${parser.guards.map(({ symbol }) => symbol).join(", ")}): parseSymbolicGraph reads it`,
    );
  return verify(graph);
}

/**
 * The graph with symbols for sizes that a text describes (what `String(symbolic)` gives, with all constants); checked at
 * two sizes.
 * @throws IRError as `parseGraph`
 * @example graph.parseSymbolicGraph(graph.captureSymbolic((x) => x.sin(), "float32(n, 3)").text()).at({ n: 4 }).results[0].shape // [4, 3]
 */
export function parseSymbolicGraph(text: string): SymbolicGraph {
  const parser = new Parser(text);
  const template = parser.graph();
  parser.expectEnd();
  const made = new SymbolicGraph(template, parser.guards);
  for (const more of [0, 5])
    made.at(
      Object.fromEntries(parser.guards.map(({ symbol, least }, i) => [symbol, least + more * (i + 1)])),
    );
  return made;
}

interface Definition {
  readonly id: number;
  readonly name: string | null;
}

/** Deeper nesting of attributes and regions is refused instead of overflowing the stack. */
const MAX_DEPTH = 100;

class Parser {
  private readonly tokens: readonly Token[];
  private next = 0;
  private depth = 0;
  /** Symbols that stand for sizes. */
  readonly guards: Guard[] = [];

  constructor(private readonly text: string) {
    this.tokens = tokenize(text);
  }

  graph(): Graph {
    return this.nested(() => {
      this.word("graph");
      const name = this.accept("@") ? this.name() : this.fail('"@" and a name were expected');
      const values = new Map<number, Value>();
      const define = ({ id, name }: Definition, type: TensorType): Value => {
        if (values.has(id)) this.fail(`%${id} is defined twice`, -1);
        const value: Value = { id, name, ...type };
        values.set(id, value);
        return value;
      };
      const use = (): Value => {
        const id = this.valueId();
        return values.get(id) ?? this.fail(`%${id} is used before it is defined`, -1);
      };
      const params: Value[] = [];
      if (this.accept("<")) this.list(">", () => this.guardOf());
      this.symbol("(");
      this.list(")", () => {
        const definition = this.definition();
        this.symbol(":");
        params.push(define(definition, this.type()));
      });
      const constants: Constant[] = [];
      const nodes: GraphNode[] = [];
      this.symbol("{");
      while (!(this.peek().kind === "name" && this.peek().text === "return")) {
        this.statement(define, use, constants, nodes);
      }
      this.word("return");
      const results: Value[] = [];
      while (this.peek().kind === "value") {
        results.push(use());
        if (!this.accept(",")) break;
      }
      this.symbol("}");
      return new Graph(name, params, constants, nodes, results);
    });
  }

  expectEnd(): void {
    if (this.peek().kind !== "end") this.fail(`the graph has ended, but ${quote(this.peek())} follows`);
  }

  private statement(
    define: (definition: Definition, type: TensorType) => Value,
    use: () => Value,
    constants: Constant[],
    nodes: GraphNode[],
  ): void {
    const definitions: Definition[] = [];
    while (this.peek().kind === "value") {
      definitions.push(this.definition());
      if (!this.accept(",")) break;
    }
    if (definitions.length > 0) this.symbol("=");
    const start = this.peek();
    const op = this.name();
    if (op === "constant") {
      if (definitions.length !== 1) this.fail("a constant defines one value", -1);
      const elements = this.elements();
      this.symbol(":");
      const type = this.type();
      const data = this.guard(start, () => elements(type));
      constants.push({ value: define(definitions[0], type), data });
      return;
    }
    const inputs: Value[] = [];
    this.symbol("(");
    this.list(")", () => inputs.push(use()));
    const attrs = this.peek().text === "{" ? (this.attribute() as object) : {};
    const types: TensorType[] = [];
    if (definitions.length > 0) {
      this.symbol(":");
      do types.push(this.type());
      while (this.accept(","));
    }
    if (types.length !== definitions.length)
      this.fail(`${definitions.length} value(s) are defined, ${types.length} type(s) given`, -1);
    const loc = this.location();
    const known = this.guard(start, () => getOp(op));
    const outputs = definitions.map((definition, i) => define(definition, types[i]));
    nodes.push({ op: known, inputs, attrs, outputs, loc });
  }

  private location(): string | null {
    if (this.peek().text !== "loc" || this.tokens[this.next + 1]?.text !== "(") return null;
    this.next++;
    this.symbol("(");
    const text = this.string();
    this.symbol(")");
    return text;
  }

  /** Elements need the type that stands behind them: what makes the tensor once it is known. */
  private elements(): (type: TensorType) => DenseTensor {
    if (this.peek().text === "base64") {
      this.next++;
      const text = this.string();
      return (type) => decodeElements(text, type);
    }
    const values: number[] = [];
    const scalar = !this.accept("[");
    if (scalar) values.push(this.element());
    else this.list("]", () => values.push(this.element()));
    return (type) => {
      if (values.length !== sizeOf(type.shape))
        throw new MlsysError(`${values.length} element(s) are given, the type has ${sizeOf(type.shape)}`);
      return constantOf(values, type);
    };
  }

  private element(): number {
    const token = this.peek();
    if (token.text === "true" || token.text === "false") {
      this.next++;
      return Number(token.text === "true");
    }
    if (token.kind !== "number" && token.text !== "NaN")
      this.fail(
        `an element was expected, ${quote(token)} found; graphs printed with { constants: "short" } do not read back`,
      );
    this.next++;
    return Number(token.text);
  }

  /** JSON's values, the other numbers, and graphs. */
  private attribute(): unknown {
    return this.nested(() => {
      const token = this.peek();
      if (token.kind === "string") return this.string();
      const behind = this.tokens[this.next + 1]?.text;
      if (
        this.isSymbol(token) ||
        (this.guards.length > 0 && token.kind === "number" && (behind === "*" || behind === "+"))
      )
        return this.size();
      if (token.kind === "number" || token.text === "NaN") {
        this.next++;
        return Number(token.text);
      }
      if (token.text === "graph") return this.graph();
      if (this.accept("[")) {
        const entries: unknown[] = [];
        this.list("]", () => entries.push(this.attribute()));
        return entries;
      }
      if (this.accept("{")) {
        const entries: [string, unknown][] = [];
        this.list("}", () => {
          const key = this.name();
          this.symbol(":");
          entries.push([key, this.attribute()]);
        });
        return Object.fromEntries(entries);
      }
      this.next++;
      if (token.text === "true" || token.text === "false") return token.text === "true";
      if (token.text === "null") return null;
      return this.fail(`an attribute's value was expected, ${quote(token)} found`, -1);
    });
  }

  private type(): TensorType {
    const dtype = this.name();
    if (dtype === "token") return TOKEN;
    if (!isDType(dtype)) return this.fail(`"${dtype}" is no dtype`, -1);
    const shape: number[] = [];
    this.symbol("(");
    this.list(")", () => {
      shape.push(this.size());
    });
    return { dtype, shape };
  }

  /** A number, or a sum of products of numbers and symbols. (A Dim stands in a number's place.) */
  private size(): number {
    const terms: { coefficient: number; symbols: string[] }[] = [];
    do {
      const term = { coefficient: 1, symbols: [] as string[] };
      do {
        const token = this.peek();
        if (this.isSymbol(token)) term.symbols.push(token.text);
        else if (terms.length > 0 ? /^-?\d+$/.test(token.text) : /^\d+$/.test(token.text))
          term.coefficient *= Number(token.text);
        else this.fail(`a size was expected, ${quote(token)} found`);
        this.next++;
      } while (this.accept("*"));
      terms.push(term);
    } while (this.accept("+"));
    return Dim.of(terms) as number;
  }

  private isSymbol({ kind, text }: Token): boolean {
    return kind === "name" && this.guards.some(({ symbol }) => symbol === text);
  }

  private guardOf(): void {
    const symbol = this.name();
    this.symbol(">=");
    const token = this.peek();
    if (!/^\d+$/.test(token.text)) this.fail(`the least size was expected, ${quote(token)} found`);
    this.next++;
    this.guards.push({ symbol, least: Number(token.text) });
  }

  private definition(): Definition {
    const id = this.valueId();
    const named = this.peek().kind === "name" || this.peek().kind === "string";
    return { id, name: named ? this.name() : null };
  }

  private valueId(): number {
    const token = this.peek();
    if (token.kind !== "value") this.fail(`a value such as %0 was expected, ${quote(token)} found`);
    this.next++;
    return Number(token.text.slice(1));
  }

  private name(): string {
    const token = this.peek();
    if (token.kind === "string") return this.string();
    if (token.kind !== "name") this.fail(`a name was expected, ${quote(token)} found`);
    this.next++;
    return token.text;
  }

  private string(): string {
    const token = this.peek();
    if (token.kind !== "string") this.fail(`a text in quotes was expected, ${quote(token)} found`);
    this.next++;
    return this.guard(token, () => JSON.parse(token.text) as string);
  }

  private word(text: string): void {
    const token = this.peek();
    if (token.kind !== "name" || token.text !== text)
      this.fail(`"${text}" was expected, ${quote(token)} found`);
    this.next++;
  }

  private symbol(text: string): void {
    if (!this.accept(text)) this.fail(`"${text}" was expected, ${quote(this.peek())} found`);
  }

  private accept(text: string): boolean {
    const token = this.peek();
    if (token.kind !== "symbol" || token.text !== text) return false;
    this.next++;
    return true;
  }

  /** Entries between commas, up to and with `end`; a comma may stand behind the last. */
  private list(end: string, entry: () => unknown): void {
    while (!this.accept(end)) {
      entry();
      if (!this.accept(",")) {
        this.symbol(end);
        return;
      }
    }
  }

  private nested<T>(body: () => T): T {
    if (++this.depth > MAX_DEPTH) this.fail(`nested deeper than ${MAX_DEPTH}`);
    const result = body();
    this.depth--;
    return result;
  }

  private peek(): Token {
    return this.tokens[this.next];
  }

  /** Errors of what the text asks for, with the place. */
  private guard<T>(token: Token, body: () => T): T {
    try {
      return body();
    } catch (error) {
      throw syntaxError(this.text, token.at, (error as Error).message);
    }
  }

  private fail(message: string, back = 0): never {
    throw syntaxError(this.text, this.tokens[Math.max(0, this.next + back)].at, message);
  }
}

const quote = (token: Token): string => (token.kind === "end" ? "the end of the text" : `"${token.text}"`);
