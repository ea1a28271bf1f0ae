/**
 * One end of the wire. Both ends are alike: each keeps a table of the functions and instances that it has shown
 * to the other, answers requests about them, and makes requests itself. What an end may be asked for is set by
 * its options: the learner's end resolves names, the judge's end only calls functions that it passed itself.
 */
import { checkFrame, type Request, type Response, type Target, type ThrownData } from "./frames.js";
import type { TensorData } from "./tensor.js";
import { WireError } from "./typed-arrays.js";
import { decode, encode, type HandleRef, type Limits, type Portable, type Wire } from "./values.js";

/** The other side's code threw, or has no such name, or its value can't cross. */
export class RemoteError extends Error {
  override readonly name = "RemoteError";
  constructor(readonly thrown: ThrownData) {
    super(thrown.kind === "thrown" ? `${thrown.name}: ${thrown.message}` : thrown.message);
  }
}

export interface PeerOptions {
  send(frame: Request | Response): void;
  /** Finds a name of the notebook. Absent: names are not served. @throws MissingName */
  resolve?(name: string): unknown;
  /** What a tensor becomes on this side. */
  tensor?(data: TensorData): unknown;
  /** Compiles source text from the other side. Absent: refused. */
  portable?(value: Portable): unknown;
  limits?: Limits;
  /** Number of the first handle; a restarted process starts higher, so that old handles mean nothing to it. */
  firstHandle?: number;
}

/** Thrown by `resolve` for a name that does not exist. */
export class MissingName extends Error {
  override readonly name = "MissingName";
}

/** Handles of the other side that are remembered: each takes memory here. */
const MAX_SEEN = 100_000;

interface Pending {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** Which peer and target a proxy stands for. */
const remotes = new WeakMap<object, { peer: Peer; target: Target }>();

/** The peer and target behind a handle or the student object; `undefined` for other values. */
export function remoteOf(value: unknown): { peer: Peer; target: Target } | undefined {
  return (typeof value === "object" && value !== null) || typeof value === "function"
    ? remotes.get(value)
    : undefined;
}

/** Makes `remoteOf(value)` answer; used for objects that stand for the other side. */
export function registerRemote(value: object, peer: Peer, target: Target): void {
  remotes.set(value, { peer, target });
}

export class Peer {
  private nextId = 0;
  private readonly pending = new Map<number, Pending>();
  private readonly shown: object[] = [];
  private readonly shownIds = new WeakMap<object, number>();
  private readonly seen = new Map<number, object>();
  /** Requests of the other side that are being answered. */
  serving = 0;

  private readonly firstHandle: number;

  constructor(private readonly options: PeerOptions) {
    this.firstHandle = options.firstHandle ?? 0;
  }

  /** Requests that wait for the other side. */
  get waiting(): number {
    return this.pending.size;
  }

  call(
    target: Target,
    args: readonly unknown[],
    how: { method?: string; construct?: boolean } = {},
  ): Promise<unknown> {
    return this.request((id) => ({
      type: "call",
      id,
      target,
      ...how,
      args: args.map((arg) => this.encode(arg)),
    }));
  }

  /** A property (with `key`) or the value itself; `deep` gives instances as their fields. */
  read(target: Target, how: { key?: string; deep?: boolean }): Promise<unknown> {
    return this.request((id) => ({ type: "read", id, target, ...how }));
  }

  /** Takes a frame from the carrier. @throws WireError if it is malformed. */
  receive(data: unknown): void {
    const frame = checkFrame(data);
    if (frame.type === "call" || frame.type === "read") {
      this.serving++;
      void this.serve(frame).finally(() => this.serving--);
      return;
    }
    const pending = this.pending.get(frame.id);
    if (!pending) throw new WireError(`an answer to request ${frame.id}, which nobody made`);
    this.pending.delete(frame.id);
    if (frame.type === "throw") {
      pending.reject(new RemoteError(frame.error));
      return;
    }
    try {
      // In a box, so that a promise's own `then` handling never looks at the value.
      pending.resolve({ value: this.decode(frame.value) });
    } catch (error) {
      // A value that can't be read is the other side's doing, like an error that it throws.
      pending.reject(new RemoteError(thrownData(error)));
    }
  }

  /** Ends all waiting requests: the other side is gone. */
  fail(error: Error): void {
    for (const pending of this.pending.values()) pending.reject(error);
    this.pending.clear();
    this.seen.clear();
  }

  private request(build: (id: number) => Request): Promise<unknown> {
    const id = this.nextId++;
    const answer = new Promise<unknown>((resolve, reject) => {
      const frame = build(id);
      this.pending.set(id, { resolve, reject });
      this.options.send(frame);
    }).then((box) => (box as { value: unknown }).value);
    // A test may forget its await: the failure must not end the judge's process.
    answer.catch(() => {});
    return answer;
  }

  private async serve(request: Request): Promise<void> {
    let response: Response;
    try {
      const value = request.type === "call" ? await this.perform(request) : this.look(request);
      const instances = request.type === "read" && request.deep ? "fields" : "handles";
      response = { type: "return", id: request.id, value: this.encode(value, instances) };
    } catch (error) {
      response = { type: "throw", id: request.id, error: thrownData(error) };
    }
    this.options.send(response);
  }

  private perform(request: Extract<Request, { type: "call" }>): unknown {
    const owner = this.lookUp(request.target);
    const args = request.args.map((arg) => this.decode(arg));
    const callee = request.method === undefined ? owner : (owner as Record<string, unknown>)[request.method];
    if (typeof callee !== "function") {
      const label = nameOf(request.target, owner);
      const what = request.method === undefined ? label : `${label}.${request.method}`;
      throw new MissingName(`${what} is not a function (it is ${callee === null ? "null" : typeof callee})`);
    }
    if (request.construct) return Reflect.construct(callee, args);
    return Reflect.apply(callee, request.method === undefined ? undefined : owner, args);
  }

  private look(request: Extract<Request, { type: "read" }>): unknown {
    const owner = this.lookUp(request.target);
    if (request.key === undefined) return owner;
    if (!this.options.resolve) throw new MissingName("properties are not served here");
    return (owner as Record<string, unknown>)[request.key];
  }

  private lookUp(target: Target): unknown {
    if ("global" in target) {
      if (!this.options.resolve) throw new MissingName("names are not served here");
      return this.options.resolve(target.global);
    }
    const value = this.shown[target.handle - this.firstHandle];
    if (value === undefined)
      throw new WireError("the instance or function is gone: its process was restarted");
    return value;
  }

  private encode(value: unknown, instances: "handles" | "fields" = "handles"): Wire {
    return encode(value, { handle: (item) => this.show(item), instances, limits: this.options.limits });
  }

  private decode(wire: unknown): unknown {
    const { tensor, portable, limits } = this.options;
    return decode(wire, { handle: (ref) => this.see(ref), tensor, portable, limits });
  }

  /** The handle for a value of this side, or the way back for one of the other side's. */
  private show(value: object): HandleRef {
    const remote = remotes.get(value);
    if (remote?.peer === this && "handle" in remote.target) {
      return { id: remote.target.handle, kind: "object", name: "", owner: "receiver" };
    }
    if (remote) throw new WireError("student itself can't be passed to the student's code");
    let id = this.shownIds.get(value);
    if (id === undefined) {
      id = this.firstHandle + this.shown.push(value) - 1;
      this.shownIds.set(value, id);
    }
    const kind = typeof value === "function" ? "function" : "object";
    return { id, kind, name: kind === "function" ? functionName(value) : className(value), owner: "sender" };
  }

  private see(ref: HandleRef): unknown {
    if (ref.owner === "receiver") return this.lookUp({ handle: ref.id });
    let proxy = this.seen.get(ref.id);
    if (!proxy) {
      if (this.seen.size >= MAX_SEEN) throw new WireError(`more than ${MAX_SEEN} functions and instances`);
      proxy = remoteProxy(this, { handle: ref.id }, `${ref.kind} ${ref.name}`.trim());
      this.seen.set(ref.id, proxy);
    }
    return proxy;
  }
}

/** A handle: callable, its methods callable; everything asynchronous. It has no `then`, so `await` leaves it alone. */
function remoteProxy(peer: Peer, target: { handle: number }, label: string): object {
  const proxy = new Proxy(() => {}, {
    apply: (_, __, args: unknown[]) => peer.call(target, args),
    get: (_, key) => {
      if (key === Symbol.toStringTag) return `Handle of ${label}`;
      if (typeof key !== "string" || key === "then" || key === "toJSON") return undefined;
      if (key === "toString") return () => `[handle of ${label}]`;
      return (...args: unknown[]) => peer.call(target, args, { method: key });
    },
    set: () => false,
    has: () => false,
    ownKeys: () => [],
    getOwnPropertyDescriptor: () => undefined,
    getPrototypeOf: () => null,
    defineProperty: () => false,
    deleteProperty: () => false,
  });
  registerRemote(proxy, peer, target);
  return proxy;
}

/** Anything thrown, as data. Reading it may run the thrower's getters, so every step is guarded. */
export function thrownData(error: unknown): ThrownData {
  const read = (get: () => unknown): string => {
    try {
      return String(get());
    } catch {
      return "(unreadable)";
    }
  };
  if (error instanceof WireError)
    return { kind: "wire", name: "WireError", message: error.message, stack: [] };
  if (error instanceof MissingName)
    return { kind: "missing", name: "ReferenceError", message: error.message, stack: [] };
  if (error instanceof RemoteError) return error.thrown;
  if (!(error instanceof Error)) {
    return { kind: "thrown", name: "thrown value", message: read(() => error).slice(0, 2000), stack: [] };
  }
  const stack = read(() => error.stack)
    .split("\n")
    .slice(0, 20)
    .map((line) => line.slice(0, 300));
  return {
    kind: "thrown",
    name: read(() => error.name).slice(0, 100),
    message: read(() => error.message).slice(0, 2000),
    stack,
  };
}

function nameOf(target: Target, value: unknown): string {
  if ("global" in target) return target.global;
  return typeof value === "function" ? functionName(value) : className(value as object);
}

function functionName(value: object): string {
  const name = (value as { name?: unknown }).name;
  return typeof name === "string" ? name.slice(0, 100) : "";
}

function className(value: object): string {
  try {
    return functionName((Object.getPrototypeOf(value)?.constructor as object | undefined) ?? {});
  } catch {
    return "";
  }
}
