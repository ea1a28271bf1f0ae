#!/usr/bin/env node
// Starts the built command; says what to do when it is not built.
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const main = new URL("../dist/cli/main.js", import.meta.url);
if (!existsSync(fileURLToPath(main))) {
  process.stderr.write("mlsys is not built: run npm run build first.\n");
  process.exit(2);
}
const { main: run } = await import(main.href);
// The library's threads must not keep the command alive.
process.exit(await run(process.argv));
