/** Builds interface packages for ROS 2: for C, which rclnodejs's side uses, and for Python, which rclpy uses. */
import { createHash } from "node:crypto";
import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { interfacePackages, libraryFolders, type RosInstallation } from "../../robotics/ros/rcl/place.js";
import { includeFolders } from "./addon.js";
import { compileAll, link } from "./compile.js";
import { once } from "./done.js";
import {
  adapt,
  C_GENERATORS,
  describe,
  files,
  type Generation,
  type Generator,
  generateSources,
  idlFolder,
  outputFolder,
  PYTHON_GENERATOR,
} from "./generators.js";
import { type InterfacePackage, inOrder, readPackage } from "./packages.js";
import { type PythonBuild, pythonBuild } from "./python.js";

export interface InterfaceBuild {
  readonly home: string;
  readonly ros: Pick<RosInstallation, "prefixes" | "target" | "python">;
  readonly compiler: string;
  readonly signal: AbortSignal;
}

export interface BuiltInterfaces {
  readonly name: string;
  /** False: it was built before from the same definitions. */
  readonly built: boolean;
  /** Why rclpy cannot use it, or null. */
  readonly withoutPython: string | null;
}

/**
 * Builds each package of the folders that changed, those that others need first.
 * @throws InstallError
 */
export async function buildInterfaces(
  folders: readonly string[],
  build: InterfaceBuild,
): Promise<BuiltInterfaces[]> {
  const known = interfacePackages(build.ros.prefixes);
  const packages = inOrder(folders.map(readPackage), known);
  const python = await pythonBuild(build.ros.python);
  const withoutPython = python.hasHeaders
    ? python.numpy === null
      ? "its numpy is missing"
      : null
    : `Python's headers are missing (${join(python.include, "Python.h")}): install them (Debian, Ubuntu: apt install python3-dev) and build again`;
  const results: BuiltInterfaces[] = [];
  for (const one of packages) {
    const request = hashOf(one, build, withoutPython);
    const built = await once(build.home, `interfaces-${one.name}`, request, () =>
      buildPackage(one, known, withoutPython === null ? python : null, build),
    );
    known.set(one.name, build.ros.target);
    results.push({ name: one.name, built, withoutPython });
  }
  return results;
}

function hashOf(one: InterfacePackage, { ros }: InterfaceBuild, withoutPython: string | null): string {
  const { prefixes, target, python } = ros;
  const told = [one.name, prefixes, target, python, withoutPython === null];
  const hash = createHash("sha256").update(JSON.stringify(told));
  for (const file of one.files) hash.update(file).update(readFileSync(join(one.folder, file)));
  return hash.digest("hex");
}

async function buildPackage(
  interfaces: InterfacePackage,
  known: ReadonlyMap<string, string>,
  python: PythonBuild | null,
  build: InterfaceBuild,
): Promise<void> {
  const folder = join(build.home, "interfaces", interfaces.name);
  rmSync(folder, { recursive: true, force: true });
  const generation: Generation = {
    ...{ interfaces, folder, known, signal: build.signal },
    prefixes: build.ros.prefixes,
    python: build.ros.python,
    env: rosEnvironment(build.ros),
  };
  const idls = await adapt(generation);
  await describe(generation, idls);
  const make = new Library(generation, build);
  for (const generator of C_GENERATORS) await make.library(generator, idls);
  if (python) await make.python(python, idls);
  install(generation, idls, python);
}

/** The environment that a process of ROS 2 needs to find the prefixes: as `setup.bash` would leave it. */
export function rosEnvironment({ prefixes }: Pick<RosInstallation, "prefixes">): NodeJS.ProcessEnv {
  const lead = (first: readonly string[], rest: string | undefined) =>
    [...first, ...(rest ? rest.split(delimiter) : [])].join(delimiter);
  const sites = prefixes.flatMap((prefix) =>
    existsSync(join(prefix, "pyvenv.cfg")) ? [] : pythonFolders(prefix),
  );
  return {
    ...process.env,
    AMENT_PREFIX_PATH: prefixes.join(delimiter),
    LD_LIBRARY_PATH: lead(prefixes.flatMap(libraryFolders), process.env.LD_LIBRARY_PATH),
    ...(sites.length > 0 && { PYTHONPATH: lead(sites, process.env.PYTHONPATH) }),
  };
}

function pythonFolders(prefix: string): string[] {
  const lib = join(prefix, "lib");
  return existsSync(lib)
    ? files(lib)
        .map((file) => /^(.*\/python3\.\d+\/(?:site|dist)-packages)\//.exec(file)?.[1])
        .filter((path, index, all) => path !== undefined && all.indexOf(path) === index)
        .map((path) => path as string)
    : [];
}

/** The libraries of one package. */
class Library {
  constructor(
    private readonly generation: Generation,
    private readonly build: InterfaceBuild,
  ) {}

  private get include(): string[] {
    const { folder, prefixes } = this.generation;
    return [
      ...[...C_GENERATORS, PYTHON_GENERATOR].map(({ name }) => join(folder, name)),
      ...prefixes.flatMap(includeFolders),
    ];
  }

  private file(suffix: string): string {
    return join(this.generation.folder, "lib", `lib${this.generation.interfaces.name}__${suffix}.so`);
  }

  /** Of the same kind, of the packages that this one needs; there may be none, as of one that has no messages. */
  private others(suffix: string): string[] {
    const { interfaces, known } = this.generation;
    return interfaces.dependencies
      .map((name) => join(known.get(name)!, "lib", `lib${name}__${suffix}.so`))
      .filter((file) => existsSync(file));
  }

  async library(generator: Generator, idls: readonly string[]): Promise<void> {
    const sources = await generateSources(this.generation, generator, idls);
    await this.compile(generator, sources, this.include);
  }

  private async compile(
    { suffix, needs, own }: Generator,
    sources: readonly string[],
    include: readonly string[],
    extra: readonly string[] = [],
  ): Promise<void> {
    const { generation, build } = this;
    const label = `${generation.interfaces.name}: compiling ${suffix}`;
    const objects = await compileAll(label, sources, join(generation.folder, "objects", suffix), {
      ...{ compiler: build.compiler, include, flags: [], signal: build.signal },
    });
    await link(`${generation.interfaces.name}: linking ${suffix}`, objects, this.file(suffix), {
      ...{ compiler: build.compiler, signal: build.signal },
      libraries: [...own.map((one) => this.file(one)), ...this.others(suffix), ...needs, ...extra],
      folders: generation.prefixes.map((prefix) => join(prefix, "lib")),
      rpath: ["$ORIGIN", ...generation.prefixes.flatMap(libraryFolders)],
    });
  }

  async python({ include, numpy, suffix }: PythonBuild, idls: readonly string[]): Promise<void> {
    const { generation, build } = this;
    const { name } = generation.interfaces;
    const sources = await generateSources(generation, PYTHON_GENERATOR, idls);
    const folders = [...this.include, include, numpy!];
    await this.compile(PYTHON_GENERATOR, sources, folders);
    const output = outputFolder(generation, PYTHON_GENERATOR.name);
    writeFileSync(join(output, "__init__.py"), "");
    const entry = join(output, `_${name}_s.ep.rosidl_typesupport_c.c`);
    const label = `${name}: compiling Python's extension`;
    const objects = await compileAll(label, [entry], join(generation.folder, "objects", "extension"), {
      ...{ compiler: build.compiler, include: folders, flags: [], signal: build.signal },
    });
    // From lib/python3.x/site-packages/<package> back to lib.
    const extension = join(output, `${name}_s__rosidl_typesupport_c${suffix}`);
    await link(`${name}: linking Python's extension`, objects, extension, {
      ...{ compiler: build.compiler, signal: build.signal },
      libraries: [
        ...[PYTHON_GENERATOR.suffix, "rosidl_typesupport_c", "rosidl_generator_c"].map((one) =>
          this.file(one),
        ),
        ...["rosidl_runtime_c"],
      ],
      folders: generation.prefixes.map((prefix) => join(prefix, "lib")),
      rpath: ["$ORIGIN/../../..", ...generation.prefixes.flatMap(libraryFolders)],
    });
  }
}

/** Lays the package into the target prefix, as `colcon build` would; the index last, which makes it known. */
function install(generation: Generation, idls: readonly string[], python: PythonBuild | null): void {
  const { interfaces, folder, prefixes } = generation;
  const { name } = interfaces;
  const target = prefixes[0];
  const copy = (from: string, to: string) => {
    mkdirSync(dirname(to), { recursive: true });
    copyFileSync(from, to);
  };
  for (const file of files(join(folder, "lib")))
    copy(file, join(target, "lib", file.slice(file.lastIndexOf("/") + 1)));
  for (const { name: generator } of C_GENERATORS) {
    const output = outputFolder(generation, generator);
    for (const file of files(output).filter((one) => one.endsWith(".h")))
      copy(file, join(target, "include", name, name, file.slice(output.length + 1)));
  }
  const share = join(target, "share", name);
  for (const file of interfaces.files) copy(join(interfaces.folder, file), join(share, file));
  for (const idl of idls) copy(join(idlFolder(generation), idl), join(share, idl));
  const described = outputFolder(generation, "rosidl_generator_type_description");
  if (existsSync(described))
    for (const file of files(described)) copy(file, join(share, file.slice(described.length + 1)));
  const manifest = join(interfaces.folder, "package.xml");
  if (existsSync(manifest)) copy(manifest, join(share, "package.xml"));
  else writeFileSync(join(share, "package.xml"), packageXml(interfaces));
  if (python) {
    const site = join(target, "lib", `python${python.version}`, "site-packages", name);
    rmSync(site, { recursive: true, force: true });
    cpSync(outputFolder(generation, PYTHON_GENERATOR.name), site, { recursive: true });
  }
  const index = join(target, "share", "ament_index", "resource_index");
  for (const kind of ["packages", "rosidl_interfaces"]) mkdirSync(join(index, kind), { recursive: true });
  writeFileSync(join(index, "packages", name), "");
  writeFileSync(
    join(index, "rosidl_interfaces", name),
    `${[...idls, ...interfaces.files].sort().join("\n")}\n`,
  );
}

const packageXml = ({ name, dependencies }: InterfacePackage): string => `<?xml version="1.0"?>
<package format="3">
  <name>${name}</name>
  <version>0.0.0</version>
  <description>Interfaces</description>
  <maintainer email="nobody@localhost">nobody</maintainer>
  <license>Apache-2.0</license>
${dependencies.map((one) => `  <depend>${one}</depend>\n`).join("")}  <member_of_group>rosidl_interface_packages</member_of_group>
</package>
`;
