/**
 * `student`: the only way from a test to the learner's code. Every use is asynchronous and copies what crosses;
 * whether the code runs beside the test or in another process makes no difference to the test.
 */
import { type Peer, RemoteError, registerRemote, remoteOf } from "../wire/peer.js";
import { isPlain, Portable } from "../wire/values.js";
import { isName } from "./names.js";
import { testScope } from "./scope.js";

/** A function of the student's: `await student.fn<number[]>(args)`. */
export type StudentFunction = <T = unknown>(...args: unknown[]) => Promise<T>;

/** A function or an instance that stays with the student: call it, or its methods. */
export interface Handle {
  (...args: unknown[]): Promise<unknown>;
  readonly [method: string]: StudentFunction;
}

export interface Student {
  /** `await student.new<Handle>("Graph", …args)` constructs an instance of the student's class. */
  readonly new: StudentFunction;
  readonly [name: string]: StudentFunction;
}

/** The student's code threw, or there is no such name. Checked by `expectThrows`. */
export class StudentError extends Error {
  override readonly name = "StudentError";
  /** Lines of the student's stack. */
  readonly studentStack: readonly string[];
  constructor(
    /** `missing`: the name is not defined; `wire`: the value can't cross. */
    readonly kind: "thrown" | "missing" | "wire",
    readonly thrownName: string,
    readonly thrownMessage: string,
    stack: readonly string[] = [],
  ) {
    super(kind === "thrown" ? `your code threw ${thrownName}: ${thrownMessage}` : thrownMessage);
    this.studentStack = stack;
  }

  /** Thrown by an untouched stub? */
  get isStub(): boolean {
    return this.kind === "thrown" && /^not implemented\.?$/i.test(this.thrownMessage.trim());
  }
}

export function createStudent(peer: Peer): Student {
  const student = new Proxy(Object.create(null) as Student, {
    get: (_, key) => {
      if (typeof key !== "string" || key === "then" || key === "toJSON") return undefined;
      if (key === "new") {
        return (className: unknown, ...args: unknown[]) =>
          ask(() => peer.call({ global: String(className) }, args, { construct: true }));
      }
      return (...args: unknown[]) => ask(() => peer.call({ global: key }, args));
    },
    set: (_, key) => {
      throw new TypeError(`student.${String(key)} can't be assigned`);
    },
  });
  registerRemote(student, peer, { global: "globalThis" });
  return student;
}

/** A property of an instance, or a variable: `await read(student, "learningRate")`. */
export function read<T = unknown>(owner: Student | Handle, name: string): Promise<T> {
  const remote = remoteOf(owner);
  if (!remote) throw new TypeError("read(owner, name): owner is student or a handle");
  const isStudent = "global" in remote.target;
  return ask(() =>
    isStudent ? remote.peer.read({ global: name }, {}) : remote.peer.read(remote.target, { key: name }),
  );
}

/** Plain data: instances inside `value`, however deep, as their own enumerable fields. */
export async function snapshot<T = unknown>(value: unknown): Promise<T> {
  const remote = remoteOf(value);
  if (remote) return ask(() => remote.peer.read(remote.target, { deep: true }));
  const copy = async (item: unknown): Promise<unknown> => {
    if (Array.isArray(item)) return Promise.all(item.map((part) => snapshot(part)));
    if (item instanceof Map)
      return new Map(await Promise.all([...item].map(async ([k, v]) => [k, await snapshot(v)] as const)));
    if (item instanceof Set) return new Set(await Promise.all([...item].map((part) => snapshot(part))));
    if (item !== null && typeof item === "object" && isPlain(item)) {
      return Object.fromEntries(
        await Promise.all(Object.entries(item).map(async ([k, v]) => [k, await snapshot(v)] as const)),
      );
    }
    return item;
  };
  return (await copy(value)) as T;
}

/**
 * A function that the student's code calls synchronously: its source text travels. Free names in it are names of
 * given cells, or listed in `scope`.
 */
export function portable<F extends (...args: never[]) => unknown>(
  fn: F,
  scope: Record<string, unknown> = {},
): F {
  for (const name of Object.keys(scope))
    if (!isName(name)) throw new TypeError(`portable: ${name} is not a name`);
  return new Portable(Function.prototype.toString.call(fn), scope) as unknown as F;
}

async function ask<T>(request: () => Promise<unknown>): Promise<T> {
  const scope = testScope.getStore();
  if (scope) scope.calls++;
  try {
    const value = (await request()) as T;
    if (scope) scope.answers++;
    return value;
  } catch (error) {
    if (!(error instanceof RemoteError)) throw error;
    if (scope) scope.answers++;
    const { kind, name, message, stack } = error.thrown;
    throw new StudentError(kind, name, message, stack);
  }
}
