/** The process in which a file is read for the first time. Nothing of what it reads goes anywhere. */
import type { Rehearsal } from "./rehearsal.js";

/** V8's limit is for objects; memory of typed arrays lies beside its heap, and is counted here where it is asked for. */
function countBuffers(limit: number): void {
  let asked = 0;
  const count = (bytes: unknown): void => {
    if (typeof bytes !== "number" || !(bytes > 0)) return;
    if (bytes > limit) throw new RangeError(`it asks for ${bytes} bytes at once; at most ${limit}`);
    asked += bytes;
    if (asked > 16 * limit) throw new RangeError(`it asks for ${asked} bytes in all; at most ${16 * limit}`);
  };
  const globals = globalThis as unknown as Record<string, new (...args: unknown[]) => object>;
  const names =
    "ArrayBuffer Int8Array Uint8Array Uint8ClampedArray Int16Array Uint16Array Int32Array Uint32Array Float32Array Float64Array BigInt64Array BigUint64Array";
  for (const name of names.split(" ")) {
    const size = (globals[name] as unknown as { BYTES_PER_ELEMENT?: number }).BYTES_PER_ELEMENT ?? 1;
    globals[name] = new Proxy(globals[name], {
      construct(target, args, made) {
        if (typeof args[0] === "number") count(args[0] * size);
        return Reflect.construct(target, args, made);
      },
    });
  }
}

async function read({ kind, source, group, columns, maxPageBytes }: Rehearsal): Promise<void> {
  if (kind === "arrow") {
    const { readArrow } = await import("./arrow.js");
    const table = await readArrow(source);
    for (const name of Object.keys(table.schema)) {
      const values = table.column(name);
      for (let i = 0; i < values.length; i++) void values[i];
    }
    for (let i = 0; i < table.length; i++) table.at(i);
    return;
  }
  const { openParquet } = await import("./parquet.js");
  const options = { ...(columns && { columns }), ...(maxPageBytes !== undefined && { maxPageBytes }) };
  using file = await openParquet(source, options);
  if (kind === "parquet group") await file.group(group);
}

process.once("message", async (work: Rehearsal) => {
  let problem: string | null = null;
  countBuffers(work.megabytes * 2 ** 20);
  try {
    await read(work);
  } catch (error) {
    problem = error instanceof Error ? error.message : String(error);
  }
  process.send?.(problem, () => process.disconnect());
});
process.once("disconnect", () => process.exit(0)); // who asked is gone
