export type Task = "say" | "fail" | "code" | "later" | "busy";

/** An interface and a generic, which no JavaScript has, before the line that fails. */
interface Box<T> {
  readonly value: T;
}

export function fail(code: number): never {
  const box: Box<number> = { value: code };
  throw new Error(`gives up with ${box.value}`);
}

export const wait = (): void => void setInterval(() => {}, 1000);
