/**
 * Node's module hooks that let cells import `.ts` files: `./x`, `./x.js` and `./x.ts` all find `x.ts`,
 * which esbuild turns into JavaScript, with its source map inside.
 * Runs on Node's hooks thread, from the first import of a TypeScript file on.
 */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { LoadHook, ResolveHook } from "node:module";
import { fileURLToPath } from "node:url";
import { transform } from "esbuild";

const TYPESCRIPT = /\.([cm]?)tsx?$/;

export const resolve: ResolveHook = async (specifier, context, next) => {
  if (/^\.{1,2}\//.test(specifier) && context.parentURL?.startsWith("file:")) {
    const url = new URL(specifier, context.parentURL);
    const candidates = [url.href, `${url.href}.ts`, `${url.href}.tsx`, `${url.href}/index.ts`];
    if (/\.[cm]?jsx?$/.test(url.pathname))
      candidates.splice(1, 0, url.href.replace(/\.([cm]?)js(x?)$/, ".$1ts$2"));
    const found = candidates.find((href) => TYPESCRIPT.test(new URL(href).pathname) && exists(href));
    if (found && !exists(url.href, true)) return { url: found, shortCircuit: true };
  }
  return next(specifier, context);
};

export const load: LoadHook = async (url, context, next) => {
  const { pathname } = new URL(url);
  if (!url.startsWith("file:") || !TYPESCRIPT.test(pathname) || pathname.includes("/node_modules/"))
    return next(url, context);
  const file = fileURLToPath(url.split("?")[0]!);
  const { code } = await transform(await readFile(file, "utf8"), {
    loader: pathname.endsWith("x") ? "tsx" : "ts",
    format: pathname.endsWith(".cts") ? "cjs" : "esm",
    target: "es2022",
    sourcemap: "inline",
    sourcefile: file,
  });
  return { format: pathname.endsWith(".cts") ? "commonjs" : "module", source: code, shortCircuit: true };
};

function exists(href: string, script = false): boolean {
  const path = fileURLToPath(href.split("?")[0]!);
  return existsSync(path) && (!script || /\.\w+$/.test(path));
}
