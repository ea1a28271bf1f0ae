/** ROS 2's own generators: what each is told, what it writes, and how that becomes a library. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { InstallError } from "../install/errors.js";
import { command } from "../install/steps.js";
import type { InterfacePackage } from "./packages.js";

/** A generator that writes the sources of one library. */
export interface Generator {
  /** Its package; its executable and its templates are found by it. */
  readonly name: string;
  /** Of the library: `lib<package>__<suffix>.so`. */
  readonly suffix: string;
  /** Which of the written files are compiled. */
  readonly sources: RegExp;
  /** Libraries of ROS 2's that it needs. */
  readonly needs: readonly string[];
  /** Libraries of the package itself that it needs, by suffix. */
  readonly own: readonly string[];
  readonly arguments?: readonly string[];
}

const DISPATCHED = ["rosidl_typesupport_fastrtps_c", "rosidl_typesupport_introspection_c"];

/** In the order that they are built in. */
export const C_GENERATORS: readonly Generator[] = [
  {
    name: "rosidl_generator_c",
    suffix: "rosidl_generator_c",
    sources: /\/detail\/\w+__(description|functions|type_support)\.c$/,
    needs: ["rosidl_runtime_c", "rcutils"],
    own: [],
  },
  {
    name: "rosidl_typesupport_introspection_c",
    suffix: "rosidl_typesupport_introspection_c",
    sources: /\/detail\/\w+__type_support\.c$/,
    needs: ["rosidl_typesupport_introspection_c", "rosidl_runtime_c"],
    own: ["rosidl_generator_c"],
  },
  {
    name: "rosidl_typesupport_fastrtps_c",
    suffix: "rosidl_typesupport_fastrtps_c",
    sources: /\/detail\/\w+__type_support_c\.cpp$/,
    needs: [
      "rosidl_typesupport_fastrtps_c",
      "rosidl_typesupport_fastrtps_cpp",
      "fastcdr",
      "rosidl_runtime_c",
    ],
    own: ["rosidl_generator_c"],
  },
  {
    name: "rosidl_typesupport_c",
    suffix: "rosidl_typesupport_c",
    sources: /\/(msg|srv|action)\/\w+__type_support\.cpp$/,
    needs: ["rosidl_typesupport_c", "rosidl_runtime_c"],
    own: ["rosidl_generator_c"],
    arguments: ["--typesupports", ...DISPATCHED],
  },
];

/** Python's classes, and their conversion to C. */
export const PYTHON_GENERATOR: Generator = {
  name: "rosidl_generator_py",
  suffix: "rosidl_generator_py",
  sources: /\/(msg|srv|action)\/_\w+_s\.c$/,
  needs: ["rosidl_runtime_c"],
  own: ["rosidl_generator_c", "rosidl_typesupport_c"],
  arguments: ["--typesupport-impls", "rosidl_typesupport_c"],
};

export interface Generation {
  /** The package to generate for. */
  readonly interfaces: InterfacePackage;
  /** Folder of all that is written: `<folder>/<generator>/<package>/…`. */
  readonly folder: string;
  readonly prefixes: readonly string[];
  /** Interface packages that are there, with their prefix. */
  readonly known: ReadonlyMap<string, string>;
  readonly python: string;
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
}

/** `.idl` of each interface, relative to `folder/rosidl_adapter/<package>`. */
export async function adapt(generation: Generation): Promise<string[]> {
  const { interfaces, folder } = generation;
  const output = idlFolder(generation);
  const list = join(folder, "idls");
  await python(generation, "definitions", [
    ...["-m", "rosidl_adapter", "--package-name", interfaces.name, "--output-dir", output],
    ...["--output-file", list, "--arguments-file"],
    writeArguments(generation, "rosidl_adapter", {
      non_idl_tuples: interfaces.files.map((file) => `${interfaces.folder}:${file}`),
    }),
  ]);
  return readFileSync(list, "utf8")
    .split("\n")
    .filter(Boolean)
    .map((tuple) => tuple.slice(tuple.lastIndexOf(":") + 1));
}

export const idlFolder = ({ folder, interfaces }: Generation): string =>
  join(folder, "rosidl_adapter", interfaces.name);
export const outputFolder = ({ folder, interfaces }: Generation, generator: string): string =>
  join(folder, generator, interfaces.name);

/** Descriptions with the hashes that both ends of a topic compare; releases before Iron have none. */
export async function describe(generation: Generation, idls: readonly string[]): Promise<void> {
  const name = "rosidl_generator_type_description";
  if (!executableOf(generation, name)) return;
  await generate(generation, name, idls, {
    include_paths: [...generation.known]
      .filter(([known]) => known !== generation.interfaces.name)
      .map(([known, prefix]) => `${known}:${join(prefix, "share", known)}`),
  });
}

/** Runs a generator. @returns the sources to compile */
export async function generateSources(
  generation: Generation,
  generator: Generator,
  idls: readonly string[],
): Promise<string[]> {
  const { interfaces } = generation;
  const described = outputFolder(generation, "rosidl_generator_type_description");
  const resource = shareOf(generation, generator.name, "resource");
  if (!resource)
    throw new InstallError(
      `${generator.name} is missing in ${generation.prefixes.join(", ")}: ${generation.prefixes[0]?.startsWith("/opt/ros") ? "install ROS 2's rosidl-default-generators" : "run npx mlsys ros install"}.`,
    );
  await generate(
    generation,
    generator.name,
    idls,
    {
      template_dir: resource,
      target_dependencies: idls.map((idl) => join(idlFolder(generation), idl)),
      ros_interface_dependencies: dependencyIdls(generation),
      ...(existsSync(described) && {
        type_description_tuples: idls.map(
          (idl) => `${idl}:${join(described, idl.replace(/\.idl$/, ".json"))}`,
        ),
        ros_interface_files: interfaces.files.map((file) => join(interfaces.folder, file)),
      }),
    },
    generator.arguments,
  );
  const output = outputFolder(generation, generator.name);
  visibilityHeader(resource, output, generator.name, interfaces.name);
  return files(output).filter((file) => generator.sources.test(file));
}

/** All files below a folder. */
export function files(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/** The header that CMake makes out of a template beside the generator's. */
function visibilityHeader(resource: string, output: string, generator: string, name: string): void {
  const template = join(resource, `${generator}__visibility_control.h.in`);
  if (!existsSync(template)) return;
  const text = readFileSync(template, "utf8")
    .replaceAll("@PROJECT_NAME_UPPER@", name.toUpperCase())
    .replaceAll("@PROJECT_NAME@", name);
  mkdirSync(join(output, "msg"), { recursive: true });
  writeFileSync(join(output, "msg", `${generator}__visibility_control.h`), text);
}

function dependencyIdls({ interfaces, known }: Generation): string[] {
  return interfaces.dependencies.flatMap((name) => {
    const prefix = known.get(name);
    if (!prefix) return [];
    const share = join(prefix, "share", name);
    return files(share)
      .filter((file) => file.endsWith(".idl"))
      .map((file) => `${name}:${file}`);
  });
}

async function generate(
  generation: Generation,
  generator: string,
  idls: readonly string[],
  more: Record<string, unknown>,
  args: readonly string[] = [],
): Promise<void> {
  const output = outputFolder(generation, generator);
  mkdirSync(output, { recursive: true });
  const file = writeArguments(generation, generator, {
    idl_tuples: idls.map((idl) => `${idlFolder(generation)}:${idl}`),
    output_dir: output,
    ...more,
  });
  await python(generation, generator.replace(/^rosidl_/, "").replaceAll("_", " "), [
    ...[executableOf(generation, generator)!, "--generator-arguments-file", file, ...args],
  ]);
}

function writeArguments(generation: Generation, name: string, given: Record<string, unknown>): string {
  mkdirSync(generation.folder, { recursive: true });
  const file = join(generation.folder, `${name}.json`);
  writeFileSync(file, JSON.stringify({ package_name: generation.interfaces.name, ...given }, null, 2));
  return file;
}

const executableOf = (generation: Generation, name: string): string | undefined =>
  generation.prefixes.map((prefix) => join(prefix, "lib", name, name)).find((file) => existsSync(file));
const shareOf = (generation: Generation, ...path: string[]): string | undefined =>
  generation.prefixes.map((prefix) => join(prefix, "share", ...path)).find((file) => existsSync(file));

/** Runs Python; what the generators complain of is the user's definition, so their last lines are shown. */
const python = ({ interfaces, python, env, signal }: Generation, what: string, args: readonly string[]) =>
  command(`${interfaces.name}: ${what}`, python, args, {
    env,
    signal,
    explain: (output) => {
      const missing = /(?:FileNotFoundError|KeyError|not found).*?([\w]+\/(?:msg|srv|action)\/\w+)/.exec(
        output,
      )?.[1];
      if (missing) return `it needs ${missing}, which no package here has.`;
      const invalid = /rosidl_adapter\.parser\.(\w+): (.*)/.exec(output);
      return invalid ? `${invalid[2]} (${invalid[1]})` : undefined;
    },
  });
