// Reads the peers' public names from the peers themselves and keeps them in peers.json. Installs tfjs and jax-js from npm, and PyTorch
// from PyPI, into .mlsys/peers/coverage. Run by `npm run coverage -- --collect`.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const PACKAGES = { "@tensorflow/tfjs": "4.22.0", "@jax-js/jax": "0.1.25" };
const TORCH = "torch==2.13.0";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const folder = join(root, ".mlsys", "peers", "coverage");
const python = join(folder, "venv", "bin", "python");

function install() {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), '{ "private": true }\n');
  const wanted = Object.entries(PACKAGES).map(([name, version]) => `${name}@${version}`);
  execFileSync("npm", ["install", "--no-audit", "--no-fund", ...wanted], { cwd: folder, stdio: "inherit" });
  if (!existsSync(python))
    execFileSync("python3", ["-m", "venv", join(folder, "venv")], { stdio: "inherit" });
  execFileSync(python, ["-m", "pip", "install", "-q", "--disable-pip-version-check", TORCH, "numpy"], {
    stdio: "inherit",
  });
}

/** Names of a module's functions and classes. Getters of prototypes, which want an object, are not among them. */
function callables(module) {
  const isFunction = (name) => {
    try {
      return typeof module[name] === "function";
    } catch {
      return false;
    }
  };
  return Object.getOwnPropertyNames(module)
    .filter((name) => !name.startsWith("_") && isFunction(name))
    .sort();
}

async function load(name) {
  const path = createRequire(join(folder, "x.js")).resolve(name);
  return import(pathToFileURL(path).href);
}

async function tfjs() {
  const found = await load("@tensorflow/tfjs");
  const tf = found.default?.add ? found.default : found;
  const spaces = [
    "linalg",
    "losses",
    "image",
    "signal",
    "spectral",
    "layers",
    "initializers",
    "train",
    "data",
    "metrics",
    "regularizers",
    "constraints",
  ];
  return {
    tf: callables(tf),
    ...Object.fromEntries(spaces.map((space) => [space, callables(tf[space])])),
    Tensor: callables(tf.Tensor.prototype).filter((name) => name !== "constructor"),
  };
}

async function jax() {
  const found = await load("@jax-js/jax");
  const spaces = ["numpy", "lax", "nn", "random", "tree", "scipySpecial"];
  const names = { jax: callables(found) };
  for (const space of spaces) if (found[space]) names[space] = callables(found[space]);
  if (found.numpy?.linalg) names["numpy.linalg"] = callables(found.numpy.linalg);
  if (found.lax?.linalg) names["lax.linalg"] = callables(found.lax.linalg);
  return names;
}

export async function collect() {
  install();
  const torch = JSON.parse(
    execFileSync(python, [fileURLToPath(new URL("pytorch.py", import.meta.url))], { encoding: "utf8" }),
  );
  const peers = {
    tfjs: { version: PACKAGES["@tensorflow/tfjs"], names: await tfjs() },
    "jax-js": { version: PACKAGES["@jax-js/jax"], names: await jax() },
    PyTorch: torch,
  };
  writeFileSync(new URL("peers.json", import.meta.url), `${JSON.stringify(peers)}\n`);
}
