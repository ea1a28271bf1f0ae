#!/usr/bin/env node
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const cli = new URL("../dist/cli/main.js", import.meta.url);
if (!existsSync(fileURLToPath(cli))) {
  console.error("mlsys-kernel is not built yet: run `npm run build` in the repository first.");
  process.exit(1);
}
await (await import(cli)).main(process.argv);
