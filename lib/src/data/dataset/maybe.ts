/** Values that may be there at once or later, without a turn of the event loop for those that are there. */

export type Maybe<T> = T | Promise<T>;

export const isPromise = (x: unknown): x is Promise<unknown> =>
  typeof x === "object" && x !== null && typeof (x as { then?: unknown }).then === "function";

/** `f` of the value. */
export function after<A, B>(value: Maybe<A>, f: (value: A) => Maybe<B>): Maybe<B> {
  return isPromise(value) ? Promise.resolve(value).then(f) : f(value as A);
}

/** What a step of `until` gives that has no result yet. */
export const AGAIN: unique symbol = Symbol("again");

/** Steps until one has a result. */
export function until<T>(step: () => Maybe<T | typeof AGAIN>): Maybe<T> {
  for (;;) {
    const result = step();
    if (isPromise(result))
      return Promise.resolve(result).then((value) => (value === AGAIN ? until(step) : (value as T)));
    if (result !== AGAIN) return result as T;
  }
}
