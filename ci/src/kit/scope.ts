/** What happens inside one running test: how often it asked the student's code and how often it stated something. */
import { AsyncLocalStorage } from "node:async_hooks";

export interface TestScope {
  calls: number;
  /** Calls that came back with a value or an error of the student's own. */
  answers: number;
  expectations: number;
}

export const testScope = new AsyncLocalStorage<TestScope>();

/** Called by every `expect…`. */
export function countExpectation(): void {
  const scope = testScope.getStore();
  if (scope) scope.expectations++;
}
