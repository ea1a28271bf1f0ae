/** Interface packages as ROS has them: a folder with `package.xml` and `msg`, `srv`, `action`. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { InterfaceError, splitName } from "./parse.js";
import type { InterfaceSource } from "./typescript.js";

export interface InterfacePackage {
  readonly name: string;
  readonly version: string;
  /** Messages, services, actions, each by name. */
  readonly interfaces: readonly InterfaceSource[];
}

/**
 * Reads a package's folder.
 * @throws {InterfaceError} if it has no `package.xml` that names it, no interfaces, or one with a wrong name
 */
export function readInterfacePackage(folder: string): InterfacePackage {
  const manifest = join(folder, "package.xml");
  if (!existsSync(manifest)) throw new InterfaceError(`${folder} is no package: it has no package.xml`);
  const xml = readFileSync(manifest, "utf8").replace(/<!--[\s\S]*?-->/g, "");
  const name = /<name>\s*([^<\s]+)\s*<\/name>/.exec(xml)?.[1];
  if (name === undefined) throw new InterfaceError(`${manifest} has no <name>`);
  const version = /<version[^>]*>\s*([^<\s]+)\s*<\/version>/.exec(xml)?.[1] ?? "0.0.0";
  const interfaces = (["msg", "srv", "action"] as const).flatMap((kind) => {
    const inside = join(folder, kind);
    if (!existsSync(inside)) return [];
    return readdirSync(inside)
      .filter((file) => file.endsWith(`.${kind}`))
      .sort()
      .map((file) => {
        const full = `${name}/${kind}/${file.slice(0, -kind.length - 1)}`;
        splitName(full, kind);
        return { name: full, text: readFileSync(join(inside, file), "utf8") };
      });
  });
  if (interfaces.length === 0)
    throw new InterfaceError(`${folder} has no interfaces: expected msg/*.msg, srv/*.srv or action/*.action`);
  return { name, version, interfaces };
}
