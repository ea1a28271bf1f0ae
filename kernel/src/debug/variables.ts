/**
 * Variables behind numbers. A number stands for a scope, an object, or a part of a long list, and is good until the
 * code goes on (or, while nothing is paused, until the reader's variables are listed again).
 */
import type { Debugger, Runtime } from "node:inspector";
import { RUNTIME } from "../compile/scope.js";
import type { Description } from "../worker/inspection.js";
import { DapError, type DapVariable } from "./dap.js";
import { type DapProperty, type Named, Objects } from "./objects.js";
import type { Post } from "./session.js";
import { asArgument, isIdentifier, memberPath, primitiveText, shortened } from "./values.js";

/** One V8 scope of a frame; several may be shown as one. */
export interface ScopePart {
  objectId: string;
  scopeNumber: number;
}

type Container =
  | { kind: "scope"; parts: ScopePart[]; callFrameId: string; extra: DapProperty[] }
  | { kind: "globals" }
  | { kind: "object"; objectId: string; path: string | undefined; shape: Description }
  | {
      kind: "range";
      objectId: string;
      path: string | undefined;
      shape: Description;
      start: number;
      count: number;
    }
  | { kind: "getter"; objectId: string; path: string | undefined; name: string };

/** More elements than this come in parts, where the front end does not ask for parts itself. */
const PART = 100;
/** Names that compiling puts into a cell. */
const COMPILED = new RegExp(
  `^(${RUNTIME}|__(decorate|defProp|using|callDispose|publicField|private\\w*|runInit\\w*)\\w*)$`,
);

export class Variables {
  /** Code was evaluated in a frame: V8's picture of the scopes, made at the stop, may be out of date. */
  touched = false;
  private readonly containers = new Map<number, Container>();
  private readonly objects: Objects;
  private nextReference = 1;

  constructor(
    private readonly post: Post,
    private readonly group: () => string,
  ) {
    this.objects = new Objects(post, group);
  }

  /** All references end. */
  clear(): void {
    this.containers.clear();
    this.touched = false;
  }

  scope(parts: ScopePart[], callFrameId: string, extra: DapProperty[]): number {
    return this.reference({ kind: "scope", parts, callFrameId, extra });
  }

  globals(): number {
    return this.reference({ kind: "globals" });
  }

  async list(reference: number, start: number, count: number, filter?: string): Promise<DapVariable[]> {
    const container = this.container(reference);
    switch (container.kind) {
      case "scope":
        return this.scopeVariables(container);
      case "globals":
        return this.describe(await this.objects.properties(await this.objects.readerGlobals(), ""));
      case "getter": {
        const { objectId, name, path } = container;
        const value = await this.objects.read(objectId, name, false);
        return this.describe([{ name, value, evaluateName: memberPath(path, name) }]);
      }
      case "range":
        return this.elements(
          container,
          container.start + start,
          Math.min(count || container.count, container.count),
        );
      case "object":
        return this.objectVariables(container, start, count, filter);
    }
  }

  /** Shows a value that has no container, for example the result of an evaluation. */
  async show(value: Runtime.RemoteObject, path?: string): Promise<DapVariable> {
    const shown = (await this.describe([{ name: "", value, evaluateName: path }]))[0]!;
    return value.type === "string" ? { ...shown, value: primitiveText(value) } : shown;
  }

  async set(reference: number, name: string, value: Runtime.RemoteObject): Promise<DapVariable> {
    const container = this.container(reference);
    const argument = asArgument(value);
    this.touched = true;
    if (container.kind === "scope") await this.setInScope(container, name, argument);
    else if (container.kind === "globals")
      await this.objects.call(
        await this.objects.globalThis(),
        `function (n, v) { ${RUNTIME}.debug.assign(n, v); }`,
        [{ value: name }, argument],
      );
    else if (container.kind === "getter") throw new DapError(`"${name}" is computed by a getter.`);
    else await this.setInObject(container, name, argument);
    return this.show(value);
  }

  private async setInScope(
    { parts, callFrameId }: Extract<Container, { kind: "scope" }>,
    name: string,
    newValue: Runtime.CallArgument,
  ): Promise<void> {
    for (const { objectId, scopeNumber } of parts) {
      const own = await this.objects.properties(objectId, "");
      if (!own.some((property) => property.name === name)) continue;
      await this.post("Debugger.setVariableValue", {
        scopeNumber,
        variableName: name,
        newValue,
        callFrameId,
      });
      return;
    }
    throw new DapError(`There is no variable "${name}" in this scope.`);
  }

  private async setInObject(
    { objectId, shape }: Extract<Container, { kind: "object" | "range" }>,
    name: string,
    argument: Runtime.CallArgument,
  ): Promise<void> {
    const index = /^(?:\[(\d+)\]|(\d+))/.exec(name);
    if (shape.indexed !== undefined && index) {
      const put = `function (i, v) { ${RUNTIME}.debug.put(this, i, v); }`;
      await this.objects.call(objectId, put, [{ value: Number(index[1] ?? index[2]) }, argument]);
    } else {
      const write = `function (n, v) { "use strict"; if (!(n in this)) throw new TypeError(n + " cannot be set"); this[n] = v; }`;
      await this.objects.call(objectId, write, [{ value: name }, argument]);
    }
  }

  private async scopeVariables({
    parts,
    callFrameId,
    extra,
  }: Extract<Container, { kind: "scope" }>): Promise<DapVariable[]> {
    const seen = new Map<string, DapProperty>();
    for (const { objectId } of parts)
      for (const property of await this.objects.properties(objectId, ""))
        if (!seen.has(property.name) && !COMPILED.test(property.name)) seen.set(property.name, property);
    if (this.touched && parts[0]?.scopeNumber === 0) await this.refresh(seen, callFrameId);
    return this.describe([...extra, ...seen.values()]);
  }

  /** Reads the variables anew, by their names. */
  private async refresh(seen: Map<string, DapProperty>, callFrameId: string): Promise<void> {
    const readers = [...seen.keys()].filter(isIdentifier).map((name) => `${name}: () => ${name}`);
    const { result } = await this.post<Debugger.EvaluateOnCallFrameReturnType>(
      "Debugger.evaluateOnCallFrame",
      {
        callFrameId,
        expression: `${RUNTIME}.debug.read({ ${readers.join(", ")} })`,
        objectGroup: this.group(),
        silent: true,
      },
    );
    if (result.objectId === undefined) return;
    for (const { name, value } of await this.objects.own(result.objectId))
      if (value) seen.set(name, { ...seen.get(name)!, value });
  }

  private async objectVariables(
    container: Extract<Container, { kind: "object" }>,
    start: number,
    count: number,
    filter?: string,
  ): Promise<DapVariable[]> {
    const { objectId, path, shape } = container;
    const indexed = shape.indexed ?? 0;
    if (filter === "indexed") return this.elements(container, start, count || indexed);
    const listed = shape.indexed !== undefined;
    const named = listed
      ? [{ name: shape.entries || shape.type === "Set" ? "size" : "length", value: number(indexed) }]
      : await this.objects.properties(objectId, path);
    const described = await this.describe([
      ...named,
      ...(listed ? [] : await this.objects.getters(objectId, path)),
    ]);
    if (filter === "named" || !listed) return count > 0 ? described.slice(start, start + count) : described;
    if (count > 0) return this.elements(container, start, count);
    return [
      ...(indexed > PART ? this.ranges(container) : await this.elements(container, 0, indexed)),
      ...described,
    ];
  }

  private ranges(container: Extract<Container, { kind: "object" }>): DapVariable[] {
    const total = container.shape.indexed ?? 0;
    const size = nextSize(total);
    return Array.from({ length: Math.ceil(total / size) }, (_, index) => {
      const start = index * size;
      const count = Math.min(size, total - start);
      return this.range(container, start, count);
    });
  }

  private range({ objectId, path, shape }: Part, start: number, count: number): DapVariable {
    return {
      name: `[${start} … ${start + count - 1}]`,
      value: "",
      type: "",
      variablesReference: this.reference({ kind: "range", objectId, path, shape, start, count }),
      indexedVariables: count,
      presentationHint: { kind: "virtual" },
    };
  }

  private async elements(container: Part, start: number, count: number): Promise<DapVariable[]> {
    const { objectId, path, shape } = container;
    if (count > PART)
      return Array.from({ length: Math.ceil(count / nextSize(count)) }, (_, index) => {
        const size = nextSize(count);
        return this.range(container, start + index * size, Math.min(size, count - index * size));
      });
    const slice = `function (s, c) { return ${RUNTIME}.debug.slice(this, s, c); }`;
    const { result } = await this.objects.call(objectId, slice, [{ value: start }, { value: count }]);
    if (result.objectId === undefined) return [];
    const items = (await this.objects.own(result.objectId)).filter(({ name }) => name !== "length");
    if (!shape.entries)
      return this.describe(
        items.flatMap(({ name, value }) => {
          const index = start + Number(name);
          const indexable = shape.type !== "Set";
          return value
            ? [
                {
                  name: String(index),
                  value,
                  evaluateName: indexable && path ? `${path}[${index}]` : undefined,
                },
              ]
            : [];
        }),
      );
    const keys = await this.describe(items.filter((_, at) => at % 2 === 0).map(named));
    const values = await this.describe(items.filter((_, at) => at % 2 === 1).map(named));
    return values.map((value, at) => ({
      ...value,
      name: `[${start + at}] ${keys[at]!.value}`,
      evaluateName: undefined,
    }));
  }

  /** Values as text: those that are objects by the worker, all at once. */
  private async describe(properties: readonly DapProperty[]): Promise<DapVariable[]> {
    const objects = properties.filter(({ value, lazyOf }) => value.objectId !== undefined && !lazyOf);
    const shapes = new Map<DapProperty, Description>();
    if (objects.length > 0) {
      const { result } = await this.objects.call(
        objects[0]!.value.objectId!,
        `function (...values) { return ${RUNTIME}.debug.describe(values); }`,
        objects.map(({ value }) => ({ objectId: value.objectId! })),
        true,
      );
      for (const [at, shape] of (result.value as Description[]).entries()) shapes.set(objects[at]!, shape);
    }
    return properties.map((property) => this.variable(property, shapes.get(property)));
  }

  private variable(
    { name, value, evaluateName, kind, lazyOf }: DapProperty,
    shape?: Description,
  ): DapVariable {
    if (lazyOf)
      return {
        name,
        value: "(…)",
        type: "getter",
        evaluateName,
        variablesReference: this.reference({ kind: "getter", ...lazyOf, name }),
        presentationHint: { lazy: true },
      };
    const { objectId } = value;
    return {
      name,
      value: shape?.value ?? shortened(primitiveText(value)),
      type: shape?.type ?? (value.subtype === "null" ? "null" : value.type),
      ...(evaluateName === undefined ? {} : { evaluateName }),
      variablesReference:
        objectId !== undefined && shape
          ? this.reference({ kind: "object", objectId, path: evaluateName, shape })
          : 0,
      ...(shape?.indexed === undefined ? {} : { indexedVariables: shape.indexed, namedVariables: 1 }),
      ...(kind ? { presentationHint: { kind } } : {}),
    };
  }

  private reference(container: Container): number {
    this.containers.set(this.nextReference, container);
    return this.nextReference++;
  }

  private container(reference: number): Container {
    const container = this.containers.get(reference);
    if (!container)
      throw new DapError(`The variables ${reference} are gone: the code went on since they were listed.`);
    return container;
  }
}

type Part = { objectId: string; path: string | undefined; shape: Description };

function named({ name, value }: Named): DapProperty {
  return { name, value: value ?? { type: "undefined" } };
}

function number(value: number): Runtime.RemoteObject {
  return { type: "number", value };
}

/** So few parts that they can be looked through, so short that they can be read. */
function nextSize(count: number): number {
  return PART ** Math.max(1, Math.ceil(Math.log(count) / Math.log(PART)) - 1);
}
