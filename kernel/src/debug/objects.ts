/** What V8 and the worker tell of an object: its properties, the parts of a list, what a getter gives. */
import type { Runtime } from "node:inspector";
import { RUNTIME } from "../compile/scope.js";
import { DapError } from "./dap.js";
import type { Post } from "./session.js";
import { memberPath, thrownText } from "./values.js";

/** A property before it is described. */
export interface DapProperty {
  name: string;
  value: Runtime.RemoteObject;
  evaluateName?: string;
  kind?: "property" | "method" | "virtual";
  /** The getter is called when the reader asks for it. */
  lazyOf?: { objectId: string; path: string | undefined };
}

export type Named = { name: string; value?: Runtime.RemoteObject };

const MAX_GETTERS = 30;
/** Of V8's internal properties, those that tell the reader something. */
const INTERNAL = new Set([
  "[[PromiseState]]",
  "[[PromiseResult]]",
  "[[Target]]",
  "[[Handler]]",
  "[[Entries]]",
]);
/** The kernel's own private field on promises; see `worker/runs.ts`. */
const STAMP = "#mlsysRun";

export class Objects {
  constructor(
    private readonly post: Post,
    /** Objects of one group are released together. */
    private readonly group: () => string,
  ) {}

  /** Properties of an object, private and a few internal ones too. */
  async properties(objectId: string, path: string | undefined): Promise<DapProperty[]> {
    const reply = await this.post<Runtime.GetPropertiesReturnType & { privateProperties?: Named[] }>(
      "Runtime.getProperties",
      { objectId, ownProperties: true },
    );
    const found: DapProperty[] = [];
    for (const { name, value, get, symbol } of reply.result) {
      if (name === "__proto__") continue;
      const evaluateName = symbol ? undefined : memberPath(path, name);
      if (value) found.push({ name, value, evaluateName });
      else if (get) found.push({ name, value: get, evaluateName, lazyOf: { objectId, path } });
    }
    for (const { name, value } of reply.privateProperties ?? [])
      if (value && name !== STAMP) found.push({ name, value, evaluateName: undefined });
    for (const { name, value } of reply.internalProperties ?? [])
      if (value && INTERNAL.has(name)) found.push({ name, value, kind: "virtual" });
    return found;
  }

  /** Own properties, as V8 lists them. */
  async own(objectId: string): Promise<Named[]> {
    const { result } = await this.post<Runtime.GetPropertiesReturnType>("Runtime.getProperties", {
      objectId,
      ownProperties: true,
    });
    return result.filter(({ name }) => name !== "__proto__");
  }

  /** Getters of the object's classes: read where V8 finds that it changes nothing, else left to be asked for. */
  async getters(objectId: string, path: string | undefined): Promise<DapProperty[]> {
    const list = `function () { return ${RUNTIME}.debug.getters(this); }`;
    const { result } = await this.call(objectId, list, [], true);
    const names = (result.value as string[]).slice(0, MAX_GETTERS);
    return Promise.all(
      names.map(async (name): Promise<DapProperty> => {
        const evaluateName = memberPath(path, name);
        try {
          return { name, value: await this.read(objectId, name, true), evaluateName };
        } catch {
          return { name, value: { type: "undefined" }, evaluateName, lazyOf: { objectId, path } };
        }
      }),
    );
  }

  /** @param harmless fail rather than change anything. */
  async read(objectId: string, name: string, harmless: boolean): Promise<Runtime.RemoteObject> {
    const { result, exceptionDetails } = await this.post<Runtime.CallFunctionOnReturnType>(
      "Runtime.callFunctionOn",
      {
        functionDeclaration: "function (name) { return this[name]; }",
        objectId,
        arguments: [{ value: name }],
        objectGroup: this.group(),
        silent: true,
        throwOnSideEffect: harmless,
      },
    );
    if (exceptionDetails) throw new DapError(thrownText(exceptionDetails));
    return result;
  }

  /** The reader's variables, as one object. */
  async readerGlobals(): Promise<string> {
    const { result } = await this.evaluate(`${RUNTIME}.debug.variables()`);
    return result.objectId!;
  }

  async globalThis(): Promise<string> {
    return (await this.evaluate("globalThis")).result.objectId!;
  }

  private evaluate(expression: string): Promise<Runtime.EvaluateReturnType> {
    return this.post("Runtime.evaluate", { expression, objectGroup: this.group(), silent: true });
  }

  /** Calls a function with the object as `this`. @throws DapError with what it threw. */
  async call(
    objectId: string,
    functionDeclaration: string,
    args: Runtime.CallArgument[],
    returnByValue = false,
  ): Promise<Runtime.CallFunctionOnReturnType> {
    const reply = await this.post<Runtime.CallFunctionOnReturnType>("Runtime.callFunctionOn", {
      functionDeclaration,
      objectId,
      arguments: args,
      returnByValue,
      silent: true,
      ...(returnByValue ? {} : { objectGroup: this.group() }),
    });
    if (reply.exceptionDetails) throw new DapError(thrownText(reply.exceptionDetails));
    return reply;
  }
}
