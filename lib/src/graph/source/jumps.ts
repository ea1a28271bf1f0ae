/**
 * First transformer: `return`, `break` and `continue` out of branches and loops become assignments, so that every branch
 * and every body ends at its end. `for` becomes `while`, which has but one test.
 */
import type * as Typescript from "typescript";
import { ConversionError } from "./conversion-error.js";
import { boundNames, namesIn } from "./names.js";
import { lineOf, type Node, type Statement, type TS } from "./parse.js";

/** The value to be returned, and whether it is there. */
export const RETURN_VALUE = "returned$value";

interface Loop {
  readonly broken: string;
  readonly skipped: string;
  usesBroken: boolean;
  usesSkipped: boolean;
}

/** How far a list of statements was left before its end. */
type Leaves = "never" | "sometimes" | "always";

interface Rewritten {
  readonly statements: Statement[];
  readonly leaves: Leaves;
}

export class Jumps {
  private readonly f: Typescript.NodeFactory;
  private loops = 0;
  private returns = false;
  private flagged = false;
  private everyReturnTells = false;
  private loop: Loop | null = null;

  constructor(
    private readonly ts: TS,
    private readonly file: Typescript.SourceFile,
    private readonly name: string,
  ) {
    this.f = ts.factory;
  }

  /** The body of a function, without jumps but one `return` at its end. */
  body(body: Typescript.ConciseBody): Typescript.Block {
    const { ts, f } = this;
    if (!ts.isBlock(body)) return f.createBlock([f.createReturnStatement(body)], true);
    const list = [...body.statements];
    const last = list.at(-1);
    if (last && ts.isReturnStatement(last) && !list.slice(0, -1).some((s) => this.jumps(s))) {
      return f.createBlock([...this.list(list.slice(0, -1)).statements, last], true);
    }
    if (!list.some((s) => this.jumps(s))) return f.createBlock(this.list(list).statements, true);
    let { statements } = this.list(list);
    if (this.flagged) {
      // whether something was returned matters somewhere: every return says it
      this.loops = 0;
      this.everyReturnTells = true;
      statements = this.list(list).statements;
    }
    return f.createBlock(
      [
        this.declare(RETURN_VALUE),
        ...(this.flagged ? [this.declare("returned$", f.createFalse())] : []),
        ...statements,
        f.createReturnStatement(f.createIdentifier(RETURN_VALUE)),
      ],
      true,
    );
  }

  /** True if some statement inside leaves what is around it. */
  private jumps(node: Node): boolean {
    const { ts } = this;
    const visit = (n: Node, inLoop: boolean, inSwitch: boolean): boolean => {
      if (ts.isFunctionLike(n)) return false;
      if (ts.isReturnStatement(n)) return true;
      if (ts.isBreakStatement(n)) return !inLoop && !inSwitch;
      if (ts.isContinueStatement(n)) return !inLoop;
      const loop = inLoop || ts.isIterationStatement(n, false);
      return (
        ts.forEachChild(n, (child) => visit(child, loop, inSwitch || ts.isSwitchStatement(n)) || undefined) ??
        false
      );
    };
    return visit(node, false, false);
  }

  private list(statements: readonly Statement[]): Rewritten {
    const out: Statement[] = [];
    for (let i = 0; i < statements.length; i++) {
      const rest = statements.slice(i + 1);
      const { statements: made, leaves, tookRest } = this.statement(statements[i], rest);
      out.push(...made);
      if (leaves === "always" || tookRest) return { statements: out, leaves };
      if (leaves === "sometimes") {
        const after = this.list(rest);
        if (after.statements.length > 0) out.push(this.unlessLeft(after.statements));
        return { statements: out, leaves: after.leaves === "always" ? "always" : "sometimes" };
      }
    }
    return { statements: out, leaves: "never" };
  }

  private statement(s: Statement, rest: readonly Statement[]): Rewritten & { tookRest?: boolean } {
    const { ts, f } = this;
    if (ts.isReturnStatement(s)) {
      this.returns = true;
      const made = [this.assign(RETURN_VALUE, s.expression ?? f.createVoidZero(), s)];
      if (this.loop) this.flagged = true;
      if (this.everyReturnTells) {
        made.push(this.assign("returned$", f.createTrue(), s));
      }
      return { statements: made, leaves: "always" };
    }
    if (ts.isBreakStatement(s) && this.loop) {
      this.loop.usesBroken = true;
      return { statements: [this.assign(this.loop.broken, f.createTrue(), s)], leaves: "always" };
    }
    if (ts.isContinueStatement(s) && this.loop) {
      this.loop.usesSkipped = true;
      return { statements: [this.assign(this.loop.skipped, f.createTrue(), s)], leaves: "always" };
    }
    if (ts.isIfStatement(s)) return this.branch(s, rest);
    if (ts.isBlock(s)) {
      const inner = this.list(s.statements);
      return { statements: [this.like(f.createBlock(inner.statements, true), s)], leaves: inner.leaves };
    }
    if (ts.isWhileStatement(s) || ts.isDoStatement(s) || ts.isForStatement(s) || ts.isForOfStatement(s))
      return this.iteration(s);
    if ((ts.isSwitchStatement(s) || ts.isTryStatement(s)) && this.jumps(s))
      throw new ConversionError(
        `convert: ${this.name}, line ${lineOf(ts, s, this.file)}: a jump out of \`${ts.isTryStatement(s) ? "try" : "switch"}\` cannot be converted; assign to a variable and leave after it`,
      );
    return { statements: [s], leaves: "never" };
  }

  private branch(s: Typescript.IfStatement, rest: readonly Statement[]): Rewritten & { tookRest?: boolean } {
    const { f } = this;
    const then = this.list(this.statementsOf(s.thenStatement));
    const other = this.list(s.elseStatement ? this.statementsOf(s.elseStatement) : []);
    const made = (a: readonly Statement[], b: readonly Statement[]): Statement =>
      this.like(
        f.createIfStatement(
          s.expression,
          f.createBlock(a, true),
          b.length > 0 ? f.createBlock(b, true) : undefined,
        ),
        s,
      );
    if (then.leaves === "never" && other.leaves === "never")
      return { statements: [made(then.statements, other.statements)], leaves: "never" };
    if (then.leaves === "always" && other.leaves === "always")
      return { statements: [made(then.statements, other.statements)], leaves: "always" };
    const nests =
      (then.leaves === "always" && other.leaves === "never") ||
      (then.leaves === "never" && other.leaves === "always");
    if (nests) {
      // what follows belongs to the side that goes on
      const after = this.list(rest);
      const goesOn = (own: readonly Statement[]): Statement[] =>
        own.length > 0 ? [f.createBlock(own, true), ...after.statements] : after.statements;
      const [a, b] =
        then.leaves === "always"
          ? [then.statements, goesOn(other.statements)]
          : [goesOn(then.statements), other.statements];
      return {
        statements: [made(a, b)],
        leaves: after.leaves === "always" ? "always" : "sometimes",
        tookRest: true,
      };
    }
    return { statements: [made(then.statements, other.statements)], leaves: "sometimes" };
  }

  private iteration(
    s:
      | Typescript.WhileStatement
      | Typescript.DoStatement
      | Typescript.ForStatement
      | Typescript.ForOfStatement,
  ): Rewritten {
    const { ts, f } = this;
    const outer = this.loop;
    const returnedBefore = this.returns;
    this.returns = false;
    const n = ++this.loops;
    const loop: Loop = {
      broken: `broken$${n}`,
      skipped: `skipped$${n}`,
      usesBroken: false,
      usesSkipped: false,
    };
    this.loop = loop;
    const body = this.list(this.statementsOf(s.statement)).statements;
    this.loop = outer;
    const returned = this.returns;
    this.returns = returnedBefore || returned;
    const stops = [...(loop.usesBroken ? [loop.broken] : []), ...(returned ? ["returned$"] : [])];
    const before = loop.usesBroken ? [this.declare(loop.broken, f.createFalse())] : [];
    const inside = [...(loop.usesSkipped ? [this.declare(loop.skipped, f.createFalse())] : []), ...body];
    const leaves: Leaves = returned ? "sometimes" : "never";
    if (ts.isForOfStatement(s)) {
      // in a graph the other items are run through, doing nothing: which one was the last is not known before it runs
      const flags = stops.map((flag): Typescript.Expression => f.createIdentifier(flag));
      const stopped = flags.slice(1).reduce((a, b) => f.createLogicalOr(a, b), flags[0] ?? f.createFalse());
      const guarded =
        stops.length > 0
          ? [f.createIfStatement(stopped, f.createBreakStatement()), this.unless(stops, inside)]
          : inside;
      const made = f.updateForOfStatement(
        s,
        s.awaitModifier,
        s.initializer,
        s.expression,
        f.createBlock(guarded, true),
      );
      return { statements: [...before, made], leaves };
    }
    const test = (own: Typescript.Expression): Typescript.Expression =>
      stops.reduceRight<Typescript.Expression>(
        (t, flag) => f.createLogicalAnd(f.createLogicalNot(f.createIdentifier(flag)), t),
        own,
      );
    if (ts.isWhileStatement(s)) {
      const made = this.like(f.createWhileStatement(test(s.expression), f.createBlock(inside, true)), s);
      return { statements: [...before, made], leaves };
    }
    if (ts.isDoStatement(s)) {
      const first = `first$${n}`;
      const again = f.createLogicalOr(
        f.createIdentifier(first),
        f.createParenthesizedExpression(s.expression),
      );
      const made = this.like(
        f.createWhileStatement(
          test(again),
          f.createBlock([this.assign(first, f.createFalse(), s), ...inside], true),
        ),
        s,
      );
      return { statements: [...before, this.declare(first, f.createTrue()), made], leaves };
    }
    this.refuseKeptCounters(s);
    const step = s.incrementor ? [this.like(f.createExpressionStatement(s.incrementor), s.incrementor)] : [];
    const guardedStep = stops.length > 0 && step.length > 0 ? [this.unless(stops, step)] : step;
    const own = inside.length > 0 ? [f.createBlock(inside, true)] : [];
    const made = this.like(
      f.createWhileStatement(
        test(s.condition ?? f.createTrue()),
        f.createBlock([...own, ...guardedStep], true),
      ),
      s,
    );
    const init = !s.initializer
      ? []
      : ts.isVariableDeclarationList(s.initializer)
        ? [f.createVariableStatement(undefined, s.initializer)]
        : [f.createExpressionStatement(s.initializer)];
    return { statements: [...before, f.createBlock([...init, made], true)], leaves };
  }

  /** Each round of a `for` has a counter of its own, which a function may keep; a `while` has one for all. */
  private refuseKeptCounters(s: Typescript.ForStatement): void {
    const { ts } = this;
    if (!s.initializer || !ts.isVariableDeclarationList(s.initializer)) return;
    const counters = s.initializer.declarations.flatMap((d) => boundNames(ts, d.name));
    const visit = (node: Node): void => {
      if (ts.isFunctionLike(node)) {
        const kept = counters.find((counter) => namesIn(ts, node).mentioned.has(counter));
        if (kept)
          throw new ConversionError(
            `convert: ${this.name}, line ${lineOf(ts, node, this.file)}: a function inside of the loop uses its counter "${kept}"; copy it to a const in the loop's body first`,
          );
      }
      ts.forEachChild(node, visit);
    };
    visit(s.statement);
  }

  private statementsOf(s: Statement): readonly Statement[] {
    return this.ts.isBlock(s) ? s.statements : [s];
  }

  /** Statements that run only if nothing was left before. */
  private unlessLeft(statements: readonly Statement[]): Statement {
    const flags = this.loop
      ? [
          ...(this.loop.usesSkipped ? [this.loop.skipped] : []),
          ...(this.loop.usesBroken ? [this.loop.broken] : []),
          ...(this.flagged ? ["returned$"] : []),
        ]
      : ["returned$"];
    if (!this.loop) this.flagged = true;
    return this.unless(flags, statements);
  }

  private unless(flags: readonly string[], statements: readonly Statement[]): Statement {
    const { f } = this;
    const none = flags
      .map((flag): Typescript.Expression => f.createLogicalNot(f.createIdentifier(flag)))
      .reduce((a, b) => f.createLogicalAnd(a, b));
    return f.createIfStatement(none, f.createBlock(statements, true));
  }

  private declare(name: string, value?: Typescript.Expression): Statement {
    const { ts, f } = this;
    const declaration = f.createVariableDeclaration(name, undefined, undefined, value);
    return f.createVariableStatement(
      undefined,
      f.createVariableDeclarationList([declaration], ts.NodeFlags.Let),
    );
  }

  private assign(name: string, value: Typescript.Expression, from: Node): Statement {
    return this.like(
      this.f.createExpressionStatement(this.f.createAssignment(this.f.createIdentifier(name), value)),
      from,
    );
  }

  private like<T extends Node>(made: T, from: Node): T {
    return this.ts.setOriginalNode(made, from);
  }
}
