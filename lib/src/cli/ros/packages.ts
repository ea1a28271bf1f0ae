/** Folders of interface definitions, as a package of ROS 2's has them: `msg/*.msg`, `srv/*.srv`, `action/*.action`. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { InstallError } from "../install/errors.js";

export interface InterfacePackage {
  readonly name: string;
  readonly folder: string;
  /** Relative to the folder: `srv/ConcatTwoStr.srv`. */
  readonly files: readonly string[];
  /** Packages that its definitions name, and those that services and actions always need. */
  readonly dependencies: readonly string[];
}

const KINDS = ["msg", "srv", "action"] as const;
const IMPLIED: Record<(typeof KINDS)[number], readonly string[]> = {
  msg: [],
  srv: ["service_msgs", "builtin_interfaces"],
  action: ["action_msgs", "builtin_interfaces", "service_msgs", "unique_identifier_msgs"],
};
/** ROS 2's rule for names of packages. */
const NAME = /^[a-z](?!.*__)[a-z0-9_]*[a-z0-9]$/;

/** Reads a package's folder; its name is `package.xml`'s, else the folder's. @throws InstallError */
export function readPackage(path: string): InterfacePackage {
  const folder = resolve(path);
  if (!existsSync(folder) || !statSync(folder).isDirectory())
    throw new InstallError(`There is no folder ${folder}.`);
  const manifest = join(folder, "package.xml");
  const named = existsSync(manifest)
    ? /<name>\s*([^<\s]+)\s*<\/name>/.exec(readFileSync(manifest, "utf8"))?.[1]
    : undefined;
  const name = named ?? basename(folder);
  if (!NAME.test(name))
    throw new InstallError(
      `"${name}" is no name of a package (${named ? manifest : "the folder's name"}): small letters, digits and single underscores, from a letter to a letter or digit.`,
    );
  const files = KINDS.flatMap((kind) => {
    const inside = join(folder, kind);
    if (!existsSync(inside)) return [];
    return readdirSync(inside)
      .filter((file) => file.endsWith(`.${kind}`))
      .sort()
      .map((file) => `${kind}/${file}`);
  });
  if (files.length === 0)
    throw new InstallError(
      `${folder} has no definitions: they are looked for in msg/*.msg, srv/*.srv and action/*.action.`,
    );
  const dependencies = new Set<string>();
  for (const file of files) {
    for (const implied of IMPLIED[file.split("/")[0] as (typeof KINDS)[number]]) dependencies.add(implied);
    for (const named of namedPackages(readFileSync(join(folder, file), "utf8"))) dependencies.add(named);
  }
  dependencies.delete(name);
  return { name, folder, files, dependencies: [...dependencies].sort() };
}

/** Packages of the types of a definition's fields: `geometry_msgs/Point[] points`. */
function namedPackages(text: string): string[] {
  const lines = text.split("\n").map((line) => line.replace(/#.*/, "").trim());
  return lines
    .map((line) => /^([a-z][a-z0-9_]*)\/(?:msg\/)?[A-Z]\w*(?:\[[^\]]*\])?\s+[a-z]/.exec(line)?.[1])
    .filter((name) => name !== undefined);
}

/** Packages so that each comes after those that it needs. @throws InstallError on a cycle or a package that is nowhere */
export function inOrder(
  packages: readonly InterfacePackage[],
  known: ReadonlyMap<string, string>,
): InterfacePackage[] {
  const byName = new Map(packages.map((one) => [one.name, one]));
  const ordered: InterfacePackage[] = [];
  const visit = (one: InterfacePackage, path: readonly string[]) => {
    if (ordered.includes(one)) return;
    if (path.includes(one.name))
      throw new InstallError(
        `Packages that need each other cannot be built: ${[...path, one.name].join(" → ")}.`,
      );
    for (const name of one.dependencies) {
      const other = byName.get(name);
      if (other) visit(other, [...path, one.name]);
      else if (!known.has(name))
        throw new InstallError(
          `${one.name} needs the package ${name}, which is not installed: name its folder too, or install it.`,
        );
    }
    ordered.push(one);
  };
  for (const one of packages) visit(one, []);
  return ordered;
}
