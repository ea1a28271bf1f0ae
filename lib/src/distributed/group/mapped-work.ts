/** Work whose result is made of another one's. */
import type { Work } from "./process-group.js";

/** `f` is called once, when the result is asked for. */
export function mapped<T, U>(work: Work<T>, f: (value: T) => U): Work<U> {
  let made: { readonly value: U } | null = null;
  const make = (value: T): U => {
    made ??= { value: f(value) };
    return made.value;
  };
  return {
    get done() {
      return work.done;
    },
    wait: () => make(work.wait()),
    // biome-ignore lint/suspicious/noThenProperty: work can be awaited
    then: (resolved, rejected) => work.then(make).then(resolved, rejected),
  };
}
