/** Bytes inside of a widget's state travel beside its JSON, and are named by their path. */

export interface SplitState {
  state: Record<string, unknown>;
  buffer_paths: (string | number)[][];
  buffers: Uint8Array[];
}

/** Takes the bytes out. In objects their key is left out, in arrays `null` keeps their place. */
export function splitBuffers(state: Record<string, unknown>): SplitState {
  const split: SplitState = { state: {}, buffer_paths: [], buffers: [] };
  split.state = strip(state, [], split) as Record<string, unknown>;
  return split;
}

function strip(value: unknown, path: (string | number)[], split: SplitState): unknown {
  if (Array.isArray(value))
    return value.map((item, index) =>
      take(item, [...path, index], split) ? null : strip(item, [...path, index], split),
    );
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(([key, item]) => !take(item, [...path, key], split));
  return Object.fromEntries(entries.map(([key, item]) => [key, strip(item, [...path, key], split)]));
}

function take(value: unknown, path: (string | number)[], split: SplitState): boolean {
  const bytes =
    value instanceof ArrayBuffer
      ? new Uint8Array(value)
      : ArrayBuffer.isView(value)
        ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
        : undefined;
  if (!bytes) return false;
  split.buffer_paths.push(path);
  split.buffers.push(bytes);
  return true;
}

/** Puts them back, in place. Paths that lead nowhere are passed over: they come from outside. */
export function joinBuffers(
  state: Record<string, unknown>,
  paths: readonly (readonly (string | number)[])[],
  buffers: readonly Uint8Array[],
): void {
  for (const [index, path] of paths.entries()) {
    let target: unknown = state;
    for (const key of path.slice(0, -1))
      target = (target as Record<string | number, unknown> | undefined)?.[key];
    const last = path[path.length - 1];
    if (typeof target === "object" && target !== null && last !== undefined && last !== "__proto__")
      (target as Record<string | number, unknown>)[last] = buffers[index];
  }
}
