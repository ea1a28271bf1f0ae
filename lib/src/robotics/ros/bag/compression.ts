/** How chunks are packed: rosbag2's two ways, by codecs that are WebAssembly inside their npm packages. */
import type { McapTypes } from "@mcap/core";

export type Compression = "none" | "zstd";

/** A chunk that claims to be larger than this unpacked is taken for damage. */
const LARGEST_CHUNK = 1 << 29;

type Pack = (chunk: Uint8Array) => { compression: string; compressedData: Uint8Array };

/** For a writer; undefined leaves chunks as they are. */
export async function packing(compression: Compression): Promise<Pack | undefined> {
  if (compression === "none") return undefined;
  const { default: zstd } = await import("@foxglove/wasm-zstd");
  await zstd.isLoaded;
  // Level 1: of what cameras and lidars send, higher levels take several times as long for a few per cent.
  return (chunk) => ({ compression, compressedData: zstd.compress(chunk, 1) });
}

/** For a reader. */
export async function unpacking(): Promise<McapTypes.DecompressHandlers> {
  const [{ default: zstd }, { default: lz4 }] = await Promise.all([
    import("@foxglove/wasm-zstd"),
    import("@foxglove/wasm-lz4"),
  ]);
  await Promise.all([zstd.isLoaded, lz4.isLoaded]);
  const bounded =
    (unpack: (bytes: Uint8Array, size: number) => Uint8Array) =>
    (bytes: Uint8Array, size: bigint): Uint8Array => {
      if (size > LARGEST_CHUNK) throw new Error(`a chunk says that it holds ${size} bytes`);
      return unpack(bytes, Number(size));
    };
  return { zstd: bounded(zstd.decompress), lz4: bounded(lz4) };
}
