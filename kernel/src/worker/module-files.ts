/** Which file an import means: extensions left out, `.js` written for `.ts`, `paths` of a tsconfig. */
import { statSync } from "node:fs";

const SUFFIXES = [
  "",
  ".ts",
  ".tsx",
  ".mts",
  ".cts",
  ".js",
  ".jsx",
  ".mjs",
  ".cjs",
  ".json",
  "/index.ts",
  "/index.tsx",
  "/index.js",
];

export function existingFile(path: string): string | undefined {
  for (const base of [path, path.replace(/\.([cm]?)js(x?)$/, ".$1ts$2")])
    for (const suffix of SUFFIXES)
      if (statSync(base + suffix, { throwIfNoEntry: false })?.isFile()) return base + suffix;
  return undefined;
}

/** The file that `paths` put in the place of a specifier: the longest pattern that fits. */
export function mappedFile(
  specifier: string,
  paths: Readonly<Record<string, readonly string[]>>,
): string | undefined {
  const fitting = Object.entries(paths)
    .map(([pattern, targets]) => ({
      star: starOf(pattern, specifier),
      length: pattern.indexOf("*"),
      targets,
    }))
    .filter(({ star }) => star !== undefined)
    .sort((a, b) => (b.length < 0 ? Infinity : b.length) - (a.length < 0 ? Infinity : a.length));
  for (const { star, targets } of fitting)
    for (const target of targets) {
      const file = existingFile(target.replace("*", star!));
      if (file !== undefined) return file;
    }
  return undefined;
}

/** What stands for the `*`; empty where the pattern has none. */
function starOf(pattern: string, specifier: string): string | undefined {
  const [head, tail] = pattern.split("*") as [string, string?];
  if (tail === undefined) return specifier === pattern ? "" : undefined;
  const fits =
    specifier.length >= head.length + tail.length && specifier.startsWith(head) && specifier.endsWith(tail);
  return fits ? specifier.slice(head.length, specifier.length - tail.length) : undefined;
}
