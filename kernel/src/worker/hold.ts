/**
 * Promises that cells await, kept from the garbage collector until they settle. In Node 21 to 23 an evaluation whose
 * promise is collected calls back into JavaScript from inside of the collector, which ends the process: a cell that was
 * interrupted while it waited would take the variables along some seconds later.
 */
const held = new Set<Promise<unknown>>();

/**
 * A promise like what is awaited; it lives until it settles. It is the one link between the two: more, and V8 would not
 * find the cell that waits, for a stack trace or the debugger.
 */
export function hold<T>(awaited: T): Promise<Awaited<T>> {
  const promise: Promise<Awaited<T>> = Promise.resolve(awaited).then(
    (value) => {
      held.delete(promise);
      return value;
    },
    (reason) => {
      held.delete(promise);
      throw reason;
    },
  );
  held.add(promise);
  return promise;
}

/** The same for each step of `for await`. */
export function holdEach<T>(items: AsyncIterable<T> | Iterable<T>): AsyncIterable<T> | Iterable<T> {
  if (!(Symbol.asyncIterator in items)) return items;
  return {
    [Symbol.asyncIterator]() {
      const iterator = items[Symbol.asyncIterator]();
      return {
        next: (...given) => hold(iterator.next(...given)),
        return: iterator.return && ((value) => hold(iterator.return?.(value)) as Promise<IteratorResult<T>>),
      };
    },
  };
}
