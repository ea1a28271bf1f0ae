/**
 * Whether to stop at an exception. V8 knows what a `catch` around the throwing code will take, but takes the kernel's
 * own evaluation for a handler of what a cell awaits. So V8 halts at all of them, and here it is decided.
 */
import type { Debugger, Runtime } from "node:inspector";
import { type AwaitExpression, type CallExpression, type Node, parse, type TryStatement } from "acorn";
import { RUNTIME } from "../compile/scope.js";
import { walk } from "../compile/walk.js";
import type { AsyncFrame } from "../worker/inspection.js";
import type { Point } from "./mapping.js";
import type { Scripts } from "./scripts.js";

export type ExceptionMode = "none" | "uncaught" | "all";

export interface ThrownError {
  /** V8's reason: `promiseRejection` where the exception becomes the rejection of an async function's promise. */
  reason: string;
  error: Runtime.RemoteObject & { uncaught?: boolean };
  callFrames: readonly Debugger.CallFrame[];
  /** Async functions that await the one that throws. */
  waiting(): Promise<AsyncFrame[]>;
}

/** A `try` that has a `catch`, or an `await` of what has a handler, and the function that it stands in. */
interface Guard {
  start: number;
  end: number;
  functionStart: number;
  functionEnd: number;
}

export class Exceptions {
  mode: ExceptionMode = "none";
  private readonly guards = new Map<
    string,
    Promise<{ guards: Guard[]; functions: Guard[]; offset(p: Point): number }>
  >();

  constructor(private readonly scripts: Scripts) {}

  async stopsAt(thrown: ThrownError): Promise<boolean> {
    if (this.mode === "none") return false;
    const { callFrames, reason } = thrown;
    const catcher = await this.catcher(callFrames);
    // What Node throws and catches itself is its own affair.
    if (catcher && this.scripts.byScriptId(catcher)?.url.startsWith("node:")) return false;
    const visible = callFrames.filter(({ location }) => !this.scripts.isHidden(location.scriptId));
    if (visible.length === 0) return false;
    if (this.mode === "all" || thrown.error.uncaught) return true;
    if (catcher && !this.scripts.isHidden(catcher)) return false;
    return reason !== "promiseRejection" || this.rejectsTheCell(visible, await thrown.waiting());
  }

  /** Whether the rejection comes through to the cell, which nobody awaits but the kernel. */
  private async rejectsTheCell(frames: Debugger.CallFrame[], waiting: AsyncFrame[]): Promise<boolean> {
    for (const frame of waiting) {
      const script = this.scripts.byUrl(frame.url);
      if (script && (await this.isGuarded(script.id, frame))) return false;
    }
    const last = waiting.at(-1);
    if (last) return last.name === "" && this.scripts.isCell(last.url);
    return frames.some(({ functionName, location }) => {
      const url = this.scripts.byScriptId(location.scriptId)?.url ?? "";
      return functionName === "" && this.scripts.isCell(url);
    });
  }

  /** Id of the script whose `catch` takes it. */
  private async catcher(callFrames: readonly Debugger.CallFrame[]): Promise<string | undefined> {
    for (const { location } of callFrames) {
      const point = { line: location.lineNumber, column: location.columnNumber ?? 0 };
      if (await this.isGuarded(location.scriptId, point)) return location.scriptId;
    }
    return undefined;
  }

  private async isGuarded(scriptId: string, point: Point): Promise<boolean> {
    const made = this.guards.get(scriptId) ?? this.scripts.code(scriptId).then(analyse);
    this.guards.set(scriptId, made);
    const { guards, functions, offset } = await made;
    const at = offset(point);
    const inside = ({ start, end }: { start: number; end: number }) => start <= at && at < end;
    const innermost = functions.findLast(inside);
    return guards.some((guard) => inside(guard) && guard.functionStart === (innermost?.start ?? -1));
  }
}

function analyse(code: string) {
  const guards: Guard[] = [];
  const functions: Guard[] = [];
  const visit = (root: Node, owner: { start: number; end: number }) =>
    walk(root, (node) => {
      if (node !== root && /Function/.test(node.type)) {
        functions.push({
          start: node.start,
          end: node.end,
          functionStart: owner.start,
          functionEnd: owner.end,
        });
        visit(node, node);
        return false;
      }
      if (node.type === "AwaitExpression" && isHandled((node as AwaitExpression).argument))
        guards.push({
          start: node.start,
          end: node.end,
          functionStart: owner.start,
          functionEnd: owner.end,
        });
      if (node.type !== "TryStatement") return;
      const { block, handler } = node as TryStatement;
      if (handler)
        guards.push({
          start: block.start,
          end: block.end,
          functionStart: owner.start,
          functionEnd: owner.end,
        });
    });
  const options = {
    ecmaVersion: 2025,
    allowAwaitOutsideFunction: true,
    allowReturnOutsideFunction: true,
  } as const;
  try {
    const program = parse(code, { ...options, sourceType: "module" });
    visit(program, { start: -1, end: code.length });
  } catch {
    // Code that only V8 reads: taken to catch nothing.
  }
  functions.sort((a, b) => a.start - b.start);
  const lines = [0];
  for (let at = code.indexOf("\n"); at >= 0; at = code.indexOf("\n", at + 1)) lines.push(at + 1);
  return { guards, functions, offset: ({ line, column }: Point) => (lines[line] ?? code.length) + column };
}

/** `p.catch(f)`, `p.then(f, g)`, `Promise.allSettled(…)`, `Promise.any(…)`, with more calls behind or not. */
function isHandled(node: Node): boolean {
  if (node.type !== "CallExpression") return false;
  const { callee, arguments: given } = node as CallExpression;
  if (callee.type !== "MemberExpression" || callee.property.type !== "Identifier") return false;
  const { name } = callee.property;
  // What compiling puts around what a cell awaits; see `worker/hold.ts`.
  if (callee.object.type === "Identifier" && callee.object.name === RUNTIME)
    return isHandled(given[0] ?? callee.object);
  if (name === "catch" || name === "allSettled" || name === "any") return true;
  return (name === "then" && given.length > 1) || isHandled(callee.object);
}
