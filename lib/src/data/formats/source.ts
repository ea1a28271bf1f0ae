/** What readers give: elements by position, or a walk. Any data set can stand on either. */

/** Elements by position: `at(i)` for i from 0 to `length` − 1, in any order and as often as wanted. */
export interface RandomAccess<T> {
  readonly length: number;
  at(index: number): T | Promise<T>;
}
