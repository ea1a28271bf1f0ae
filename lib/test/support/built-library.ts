/** The library as it is built: worker threads load that, so what they give must be of the same classes. */
import { expect } from "vitest";

export const library = (await import(
  new URL("../../dist/index.js", import.meta.url).href
)) as typeof import("../../src/index.js");

export const { data, heapStats, tensor, tidy, Tensor } = library;
export const { Dataset } = data;
export type Dataset<T> = import("../../src/data/dataset/dataset.js").Dataset<T>;
export type Tensor = InstanceType<typeof Tensor>;
export type Checkpoint = import("../../src/data/dataset/walk.js").Checkpoint;

export async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of source) list.push(item);
  return list;
}

/** Walks with threads end them, however they end: to be called after each test. */
export const noThreads = (): void => expect(data.pipelineThreads()).toBe(0);
