/** Functions of modules: each thread loads the module for itself. */
import { ValueError } from "../../core/errors.js";
import { madeBy } from "../dataset/node.js";

/**
 * The function `name` that the module at `url` exports, for ops on threads: each loads the module once, with all that it
 * holds (files, connections, models). On this thread it answers with promises.
 * @example await data.moduleFunction<string, string>("node:path", "basename")("/a/b.txt") // "b.txt"
 */
export function moduleFunction<T, U>(url: string | URL, name: string): (item: T) => Promise<Awaited<U>> {
  const module = String(url);
  let loading: Promise<(item: T) => U> | null = null;
  const f = async (item: T): Promise<Awaited<U>> => {
    loading ??= loadFunction(module, name) as Promise<(item: T) => U>;
    return await (await loading)(item);
  };
  return madeBy(f, { module: import.meta.url, name: "loadFunction", args: [module, name] });
}

/** @throws ValueError if there is no such function */
export async function loadFunction(module: string, name: string): Promise<(item: unknown) => unknown> {
  const found = (await import(module)) as Record<string, unknown>;
  const f = found[name];
  if (typeof f !== "function") throw new ValueError(`${module} exports no function named ${name}`);
  return f as (item: unknown) => unknown;
}
