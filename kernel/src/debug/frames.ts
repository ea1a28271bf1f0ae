/** One stop: its call stack as the reader sees it, the scopes of each frame. */
import type { Debugger, Runtime } from "node:inspector";
import { RUNTIME } from "../compile/scope.js";
import type { AsyncFrame } from "../worker/inspection.js";
import { DapError, type DapScope, type DapStackFrame } from "./dap.js";
import type { DapProperty } from "./objects.js";
import type { Scripts } from "./scripts.js";
import type { Post } from "./session.js";
import type { ScopePart, Variables } from "./variables.js";

/** What V8 says when it halts. */
export type Paused = Debugger.PausedEventDataType & {
  data?: Runtime.RemoteObject & { uncaught?: boolean };
};

/** V8 scopes that are shown as one: the block that the code is in, and those around it up to the function. */
const LOCAL = new Set(["local", "block", "catch", "with", "eval"]);
const TITLES: Readonly<Record<string, string>> = { closure: "Closure", module: "Module", script: "Script" };

export class Stop {
  private readonly byId = new Map<number, Debugger.CallFrame>();
  private frames: Promise<DapStackFrame[]> | undefined;
  private waiting: Promise<AsyncFrame[]> | undefined;

  constructor(
    readonly paused: Paused,
    private readonly firstId: number,
    private readonly scripts: Scripts,
    private readonly variables: Variables,
    private readonly post: Post,
  ) {}

  get exception(): Runtime.RemoteObject | undefined {
    return /exception|promiseRejection/.test(this.paused.reason) ? this.paused.data : undefined;
  }

  /** Frames that the reader may see. */
  get visible(): Debugger.CallFrame[] {
    return this.paused.callFrames.filter(({ location }) => !this.scripts.isHidden(location.scriptId));
  }

  stackFrames(): Promise<DapStackFrame[]> {
    this.frames ??= this.build();
    return this.frames;
  }

  /** The frame under a DAP id; the topmost one without. */
  callFrame(id?: number): Debugger.CallFrame {
    const frame = id === undefined ? this.visible[0] : this.byId.get(id);
    if (!frame)
      throw new DapError(
        id === undefined
          ? "There is no frame."
          : `The frame ${id} is over or waits: its variables are not at hand.`,
      );
    return frame;
  }

  scopes(id: number): DapScope[] {
    const frame = this.byId.get(id);
    if (!frame) return [];
    const { callFrameId, scopeChain } = frame;
    const scopes: DapScope[] = [];
    let locals: ScopePart[] = [];
    const finishLocals = () => {
      const extra = id === this.firstId ? this.extras(frame) : frameThis(frame);
      if (locals.length > 0 || extra.length > 0)
        scopes.push({
          name: "Locals",
          presentationHint: "locals",
          variablesReference: this.variables.scope(locals, callFrameId, extra),
          expensive: false,
        });
      locals = [];
    };
    let open = true;
    scopeChain.forEach(({ type, object, name }, scopeNumber) => {
      const part = { objectId: object.objectId!, scopeNumber };
      if (open && LOCAL.has(type)) {
        locals.push(part);
        return;
      }
      if (open) finishLocals();
      open = false;
      if (type === "global")
        scopes.push({ name: "Globals", variablesReference: this.variables.globals(), expensive: false });
      else
        scopes.push({
          name: `${TITLES[type] ?? "Block"}${name ? ` (${name})` : ""}`,
          variablesReference: this.variables.scope([part], callFrameId, []),
          expensive: false,
        });
    });
    return numbered(scopes);
  }

  /** Async functions that await the code that stands. */
  awaiting(): Promise<AsyncFrame[]> {
    this.waiting ??= this.askAwaiting();
    return this.waiting;
  }

  private async askAwaiting(): Promise<AsyncFrame[]> {
    const [top] = this.paused.callFrames;
    const { result } = await this.post<Debugger.EvaluateOnCallFrameReturnType>(
      "Debugger.evaluateOnCallFrame",
      {
        callFrameId: top!.callFrameId,
        expression: `${RUNTIME}.debug.asyncFrames()`,
        returnByValue: true,
        silent: true,
      },
    );
    const frames = Array.isArray(result.value) ? (result.value as AsyncFrame[]) : [];
    return frames.filter(({ url }) => this.scripts.byUrl(url)?.hidden === false);
  }

  private async build(): Promise<DapStackFrame[]> {
    const frames = await Promise.all(
      this.visible.map(async (frame, index): Promise<DapStackFrame> => {
        const id = this.firstId + index;
        this.byId.set(id, frame);
        const { scriptId, lineNumber, columnNumber } = frame.location;
        const at = await this.scripts.locate(scriptId, { line: lineNumber, column: columnNumber ?? 0 });
        return {
          id,
          name: this.title(frame.functionName, this.scripts.byScriptId(scriptId)?.url),
          source: at.source,
          line: at.point.line + 1,
          column: at.point.column + 1,
        };
      }),
    );
    const waiting = await Promise.all(
      (await this.awaiting()).map(async (frame, index): Promise<DapStackFrame> => {
        const at = await this.scripts.locate(this.scripts.byUrl(frame.url)!.id, frame);
        return {
          id: this.firstId + frames.length + index,
          name: `await in ${this.title(frame.name, frame.url)}`,
          source: at.source,
          line: at.point.line + 1,
          column: at.point.column + 1,
          presentationHint: "subtle",
        };
      }),
    );
    return [...frames, ...waiting];
  }

  private title(name: string, url: string | undefined): string {
    if (name !== "") return name;
    return url !== undefined && this.scripts.isCell(url) ? "<cell>" : "(anonymous)";
  }

  private extras(frame: Debugger.CallFrame): DapProperty[] {
    const { exception } = this;
    return [
      ...(exception ? [{ name: "(exception)", value: exception, kind: "virtual" as const }] : []),
      ...(frame.returnValue
        ? [{ name: "(return value)", value: frame.returnValue, kind: "virtual" as const }]
        : []),
      ...frameThis(frame),
    ];
  }
}

function frameThis({ this: receiver }: Debugger.CallFrame): DapProperty[] {
  const global = receiver.className === "global" || receiver.className === "Object [global]";
  return receiver.type === "object" && receiver.objectId !== undefined && !global
    ? [{ name: "this", value: receiver, evaluateName: "this" }]
    : [];
}

/** JupyterLab finds a scope by its name: no two may be the same. */
function numbered(scopes: DapScope[]): DapScope[] {
  const seen = new Map<string, number>();
  return scopes.map((scope) => {
    const count = (seen.get(scope.name) ?? 0) + 1;
    seen.set(scope.name, count);
    return count === 1 ? scope : { ...scope, name: `${scope.name} ${count}` };
  });
}
