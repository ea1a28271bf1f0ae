/** The variables that a function sees: V8 keeps them with the function, and its inspector shows them. */
import { Session } from "node:inspector";

const KEY = "__mlsysCaptures";

interface Remote {
  readonly objectId?: string;
  readonly description?: string;
}

interface Property {
  readonly name: string;
  readonly value?: Remote;
}

interface Slot {
  f: unknown;
  found: Map<string, unknown>;
}

/**
 * Values of the names among `names` that `f` has from the scopes around it, globals not among them. What a scope holds is
 * given itself, not a copy.
 */
export function capturesOf(f: object, names: ReadonlySet<string>): Map<string, unknown> {
  const slot: Slot = { f, found: new Map() };
  const globals = globalThis as unknown as Record<string, Slot | undefined>;
  const session = new Session();
  session.connect(); // of this thread: answers come at once
  const ask = (method: string, params: object): Record<string, unknown> => {
    let answer: Record<string, unknown> = {};
    let problem: Error | null = null;
    session.post(method, params, (error, result) => {
      problem = error;
      answer = (result ?? {}) as Record<string, unknown>;
    });
    if (problem) throw problem;
    return answer;
  };
  globals[KEY] = slot;
  try {
    const { result } = ask("Runtime.evaluate", { expression: `globalThis.${KEY}.f` }) as { result: Remote };
    const internal = ask("Runtime.getProperties", { objectId: result.objectId, ownProperties: true })
      .internalProperties as Property[];
    const scopes = internal.find(({ name }) => name === "[[Scopes]]")?.value?.objectId;
    if (!scopes) return slot.found;
    const list = ask("Runtime.getProperties", { objectId: scopes, ownProperties: true }).result as Property[];
    for (const { value } of list) {
      if (!value?.objectId || value.description?.startsWith("Global")) continue;
      ask("Runtime.callFunctionOn", {
        objectId: value.objectId,
        functionDeclaration: `function (names) {
          const { found } = globalThis.${KEY};
          const scope = this.object ?? this;
          for (const name of names.split(" "))
            if (!found.has(name) && Object.prototype.hasOwnProperty.call(scope, name)) found.set(name, scope[name]);
        }`,
        arguments: [{ value: [...names].join(" ") }],
      });
    }
    return slot.found;
  } finally {
    delete globals[KEY];
    session.disconnect();
  }
}
