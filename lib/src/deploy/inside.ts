/**
 * Files that a model names: they must lie in its own folder, links followed. (CVE-2022-25882, CVE-2024-27318: files
 * elsewhere read through such names.)
 */
import { realpathSync } from "node:fs";
import { isAbsolute, relative, resolve, sep } from "node:path";

const leaves = (path: string): boolean => path === ".." || path.startsWith(`..${sep}`) || isAbsolute(path);

/** The path of a file inside the folder; `refuse` throws, with what is wrong. */
export function insideOf(folder: string, location: string, refuse: (problem: string) => never): string {
  const name = JSON.stringify(location.length > 80 ? `${location.slice(0, 80)}…` : location);
  const outside = `said to be in ${name}, outside the model's folder`;
  if (isAbsolute(location) || location.includes("\0") || leaves(relative(folder, resolve(folder, location))))
    refuse(outside);
  let real: string;
  try {
    real = realpathSync(resolve(folder, location));
  } catch {
    return refuse(`in ${name}, which is not beside the model`);
  }
  if (leaves(relative(realpathSync(folder), real))) refuse(outside);
  return real;
}
