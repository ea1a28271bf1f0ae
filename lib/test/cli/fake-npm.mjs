#!/usr/bin/env node
// Stands for npm: installs a tfjs-node that multiplies by itself, or goes wrong as FAKE_NPM says. Notes its calls in FAKE_NPM_LOG.
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const how = process.env.FAKE_NPM ?? "works";
appendFileSync(process.env.FAKE_NPM_LOG, `${process.pid} ${process.argv.slice(2).join(" ")}\n`);
if (how === "offline") {
  console.error("npm error code ENOTFOUND\nnpm error getaddrinfo ENOTFOUND registry");
  process.exit(1);
}
if (how === "hangs") setInterval(() => {}, 1000);
else {
  const folder = join(process.cwd(), "node_modules", "@tensorflow", "tfjs-node");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), '{ "name": "@tensorflow/tfjs-node", "main": "index.js" }');
  const product = how === "wrong" ? "[1, 2, 3, 4]" : "[7, 10, 15, 22]";
  writeFileSync(
    join(folder, "index.js"),
    how === "broken"
      ? 'throw new Error("libtensorflow.so.2: undefined symbol: TF_NewStatus");'
      : `const util = require("util");
         if (!util.isNullOrUndefined(undefined) || !util.isArray([])) throw new Error("util");
         exports.tensor = () => ({});
         exports.matMul = () => ({ dataSync: () => Float32Array.from(${product}) });
         exports.backend = () => ({ binding: { TF_Version: "9.9.9" } });`,
  );
}
