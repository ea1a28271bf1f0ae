/** The host process: `node host/main.js CONNECTION_FILE`, as the kernelspec starts it. */
import * as nodeModule from "node:module";
import { readConnectionFile } from "../protocol/connection.js";

// Node 22.1 and later keep compiled code between starts.
(nodeModule as { enableCompileCache?: () => void }).enableCompileCache?.();

const file = process.argv[2];
if (file === undefined) {
  process.stderr.write(
    "Usage: node host/main.js CONNECTION_FILE. Jupyter starts the kernel this way; to install it, run mlsys-kernel install.\n",
  );
  process.exit(2);
}

const [{ Kernel }, { watchParent }] = await Promise.all([import("./kernel.js"), import("./parent.js")]);
try {
  const kernel = new Kernel(readConnectionFile(file));
  watchParent(() => {
    kernel.log("the process that started this kernel has ended");
    void kernel.shutdown(false);
  });
  await kernel.start();
} catch (error) {
  process.stderr.write(`mlsys-kernel cannot start: ${(error as Error).message}\n`);
  process.exit(1);
}
