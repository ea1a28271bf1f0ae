/** Files that are there whole or not at all: written beside their place, then put into it. */
import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

/** Writes the parts one after the other; after a failure the old file, if any, is as it was, and nothing else is left. */
export async function replaceFile(
  file: string,
  parts: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const partial = `${file}.${process.pid}.partial`;
  try {
    const handle = await open(partial, "w");
    try {
      for await (const part of parts)
        for (let done = 0; done < part.length; ) {
          const { bytesWritten } = await handle.write(part, done, Math.min(part.length - done, 2 ** 30));
          done += bytesWritten;
        }
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(partial, file);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}
