/** How the worker is started. It needs three pipes, at the descriptors of `worker/link.ts`. */
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../worker/main.js", import.meta.url));

export function workerCommand(): string[] {
  return [process.execPath, ...workerFlags(), MAIN];
}

function workerFlags(): string[] {
  const major = Number(process.versions.node.split(".")[0]);
  return [
    "--experimental-import-meta-resolve",
    "--disable-warning=ExperimentalWarning",
    // Without it any local user could read the inspector's address over HTTP and run code in the worker.
    "--inspect-publish-uid=stderr",
    ...(major <= 20 ? ["--experimental-wasm-relaxed-simd"] : []),
    ...(process.env.MLSYS_NODE_OPTIONS?.split(/\s+/).filter(Boolean) ?? []),
  ];
}
