/** The modules of `common/` are what the common packages' texts make; `MLSYS_UPDATE=1` writes them. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { type InterfaceSource, renderInterface } from "./typescript.js";

const PACKAGES = [
  "action_msgs",
  "builtin_interfaces",
  "diagnostic_msgs",
  "geometry_msgs",
  "lifecycle_msgs",
  "my_interfaces",
  "nav_msgs",
  "rcl_interfaces",
  "rosgraph_msgs",
  "sensor_msgs",
  "service_msgs",
  "shape_msgs",
  "std_msgs",
  "std_srvs",
  "stereo_msgs",
  "tf2_msgs",
  "trajectory_msgs",
  "type_description_interfaces",
  "unique_identifier_msgs",
  "visualization_msgs",
];

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const assets = here("../../../../assets/ros");
const definitions = join(
  createRequire(import.meta.url).resolve("@foxglove/rosmsg-msgs-common"),
  "../../msgdefs/ros2jazzy",
);

/** Of the npm package first, then ours; the former appends the messages that each file needs. */
function sources(pkg: string): InterfaceSource[] {
  return ["msg", "srv", "action"].flatMap((kind) =>
    [join(definitions, pkg, kind), join(assets, pkg, kind)]
      .filter((folder) => existsSync(folder))
      .flatMap((folder) => readdirSync(folder).map((file) => ({ folder, file })))
      .sort((a, b) => (a.file < b.file ? -1 : 1))
      .map(({ folder, file }) => ({
        name: `${pkg}/${kind}/${file.slice(0, file.indexOf("."))}`,
        text: readFileSync(join(folder, file), "utf8").split(`\n${"=".repeat(80)}\n`)[0],
      })),
  );
}

const MADE =
  "// Made by common.test.ts from the packages' interface files (Apache License 2.0): change those.\n";

function module(pkg: string): string {
  const all = sources(pkg).map(renderInterface);
  const imports = [...new Set(all.flatMap((i) => i.packages))].sort();
  const map = (kind: string, name: string) => {
    const entries = all.filter((i) => i.kind === kind).map((i) => `  "${i.name}": ${i.type};`);
    return entries.length === 0 ? "" : `\nexport interface ${name} {\n${entries.join("\n")}\n}\n`;
  };
  return [
    MADE,
    "// biome-ignore-all lint/suspicious/noShadowRestrictedNames: the names are ROS's\n",
    "// biome-ignore-all lint/suspicious/noRedeclare: a message and its constants share a name\n",
    imports.map((i) => `import type * as ${i} from "./${i}.js";\n`).join(""),
    `\n${all.map((i) => i.declarations).join("\n")}`,
    map("msg", "Messages"),
    map("srv", "Services"),
    map("action", "Actions"),
    `\n/** @internal */\nexport const texts = {\n${all.map((i) => `  "${i.name}": ${JSON.stringify(i.text)},`).join("\n")}\n};\n`,
  ].join("");
}

function index(modules: ReadonlyMap<string, string>): string {
  const having = (name: string) =>
    [...modules].filter(([, text]) => text.includes(`export interface ${name} {`)).map(([pkg]) => pkg);
  const combined = (name: string) =>
    `export interface Common${name}\n  extends ${having(name)
      .map((pkg) => `${pkg}.${name}`)
      .join(",\n    ")} {}\n`;
  return [
    MADE,
    PACKAGES.map((pkg) => `import * as ${pkg} from "./${pkg}.js";\n`).join(""),
    `\nexport { ${PACKAGES.join(", ")} };\n\n`,
    ["Messages", "Services", "Actions"].map(combined).join("\n"),
    "\n/** Text of every interface of the common packages by full name, without comments. @internal */\n",
    `export const COMMON_TEXTS: Readonly<Record<string, string>> = {\n${PACKAGES.map((pkg) => `  ...${pkg}.texts,\n`).join("")}};\n`,
  ].join("");
}

const CUT = "\n// next file\n";

/** As the repository's formatter has them; all at once, as its start takes longer than its work. */
function formatted(texts: readonly string[]): string[] {
  const biome = here("../../../../../node_modules/@biomejs/biome/bin/biome");
  const args = [biome, "format", `--stdin-file-path=${here("common/all.ts")}`];
  const options = { input: texts.join(CUT), encoding: "utf8", maxBuffer: 1 << 26 } as const;
  return execFileSync(process.execPath, args, options)
    .split(CUT)
    .map((text) => `${text.trim()}\n`);
}

test("the common packages' modules are up to date", () => {
  const modules = new Map(PACKAGES.map((pkg) => [pkg, module(pkg)]));
  const files = new Map([...modules].map(([pkg, text]) => [`common/${pkg}.ts`, text]));
  files.set("common/index.ts", index(modules));
  const texts = formatted([...files.values()]);
  expect(texts).toHaveLength(files.size);
  for (const [i, file] of [...files.keys()].entries()) {
    const path = here(file);
    const expected = texts[i];
    if (process.env.MLSYS_UPDATE === "1") {
      mkdirSync(here("common"), { recursive: true });
      writeFileSync(path, expected);
    }
    expect(readFileSync(path, "utf8"), `${file}: run MLSYS_UPDATE=1`).toBe(expected);
  }
  const written = readdirSync(here("common")).map((file) => `common/${file}`);
  expect(written.sort()).toEqual([...files.keys()].sort());
});
