/** From an interface package to a TypeScript module that defines it: what `mlsys ros generate` writes. */
import * as common from "./common/index.js";
import type { InterfacePackage } from "./package.js";
import { InterfaceError, parseAction, parseMessage, parseService } from "./parse.js";
import type { MessageDefinition } from "./types.js";
import { type InterfaceSource, type RenderedInterface, renderInterface } from "./typescript.js";

export interface ModuleOptions {
  /** Packages whose modules lie beside this one. */
  readonly others?: readonly string[];
  /** How the module names those: `./other.js` or `./other.ts`; default `js`. */
  readonly extension?: "js" | "ts";
}

/**
 * The module's text: types with the files' comments, type objects with the constants on them, and the names for
 * `ros.msg`, `ros.srv` and `ros.action`.
 * @throws {InterfaceError} for text that breaks a rule, a message of a package that is not known, or a cycle
 */
export function renderModule(source: InterfacePackage, options: ModuleOptions = {}): string {
  const { others = [], extension = "js" } = options;
  const ordered = inOrder(source);
  const rendered = ordered.map(({ interface: one }) => renderInterface(one));
  const foreign = [...new Set(rendered.flatMap((one) => one.packages))].sort();
  for (const pkg of foreign)
    if (!(pkg in common) && !others.includes(pkg))
      throw new InterfaceError(`${source.name} uses ${pkg}, which is not known: give its folder too`);
  const known = foreign.filter((pkg) => pkg in common);
  const beside = foreign.filter((pkg) => !(pkg in common));
  const kinds = [...new Set(rendered.map((one) => one.kind))];
  const imports = [...kinds.map((kind) => DEFINE[kind]), ...kinds.map((kind) => `type ${TYPE[kind]}`)];
  return [
    `/** The interfaces of ${source.name} ${source.version}. Made by \`mlsys ros generate\`: change the package's files. */\n`,
    `import { ${[...known.map((pkg) => `type ${pkg}`), ...imports].sort(byName).join(", ")} } from "mlsys/ros";\n`,
    ...beside.map((pkg) => `import * as ${pkg} from "./${pkg}.${extension}";\n`),
    ...rendered.map((one, i) => `\n${declaration(one, ordered[i].uses, source.name)}`),
    `\n${names(rendered)}`,
  ].join("");
}

const DEFINE = { msg: "defineMessage", srv: "defineService", action: "defineAction" } as const;
const TYPE = { msg: "NamedMessageType", srv: "ServiceType", action: "ActionType" } as const;
const MAP = { msg: "RosMessages", srv: "RosServices", action: "RosActions" } as const;
const byName = (a: string, b: string) => (bare(a) < bare(b) ? -1 : 1);
const bare = (name: string) => name.replace("type ", "").toLowerCase();

function declaration(one: RenderedInterface, uses: readonly string[], pkg: string): string {
  const base = one.name.slice(one.name.lastIndexOf("/") + 1);
  const types = {
    msg: `NamedMessageType<"${one.name}", ${base}>`,
    srv: `ServiceType<${base}_Request, ${base}_Response>`,
    action: `ActionType<${base}_Goal, ${base}_Result, ${base}_Feedback>`,
  }[one.kind];
  // Types of this package by their bare names, others' by their modules'.
  const list = uses.map((name) => {
    const [from, , inner] = name.split("/");
    return from === pkg ? inner : `${from}.${inner}`;
  });
  const args = [
    `"${one.name}"`,
    JSON.stringify(one.text),
    ...(list.length > 0 ? [`[${list.join(", ")}]`] : []),
  ];
  const made = `${DEFINE[one.kind]}(${args.join(", ")})`;
  // A message's constants are made with its name by the renderer: here they go onto the type.
  const constants =
    one.kind === "msg" ? /export const \w+ = (\{[\s\S]*?\n\} as const);\n/.exec(one.declarations) : null;
  const declarations =
    constants === null
      ? one.declarations
      : one.declarations.replace(/\/\*\* Constants of [^\n]*\n/, "").replace(constants[0], "");
  const value =
    constants === null
      ? `export const ${base}: ${types} = ${made};`
      : `const ${base}_constants = ${constants[1]};\nexport const ${base}: ${types} & typeof ${base}_constants = Object.assign(${made}, ${base}_constants);`;
  return `${declarations}${value}\n`;
}

function names(rendered: readonly RenderedInterface[]): string {
  const maps = (["msg", "srv", "action"] as const).flatMap((kind) => {
    const entries = rendered.filter((one) => one.kind === kind);
    if (entries.length === 0) return [];
    return [
      `  interface ${MAP[kind]} {\n${entries.map((one) => `    "${one.name}": ${one.type};\n`).join("")}  }\n`,
    ];
  });
  return `declare module "mlsys/ros" {\n${maps.join("")}}\n`;
}

/** Interfaces such that each comes after the messages it holds, with the names of those that are no common ones. */
function inOrder(source: InterfacePackage): { interface: InterfaceSource; uses: readonly string[] }[] {
  const left = new Map(
    source.interfaces.map((one) => {
      const nested = definitions(one).flatMap((d) => d.fields.filter((f) => f.isMessage).map((f) => f.type));
      return [
        one.name,
        { interface: one, uses: [...new Set(nested)].filter((name) => !(name in common.COMMON_TEXTS)) },
      ];
    }),
  );
  const ordered: { interface: InterfaceSource; uses: readonly string[] }[] = [];
  while (left.size > 0) {
    const ready = [...left.values()].filter(({ uses }) => uses.every((name) => !left.has(name)));
    if (ready.length === 0)
      throw new InterfaceError(`these interfaces hold each other: ${[...left.keys()].join(", ")}`);
    for (const one of ready) {
      for (const name of one.uses)
        if (name.startsWith(`${source.name}/`) && !ordered.some((done) => done.interface.name === name))
          throw new InterfaceError(`${one.interface.name} holds ${name}, which the package has not`);
      left.delete(one.interface.name);
      ordered.push(one);
    }
  }
  return ordered;
}

function definitions({ name, text }: InterfaceSource): MessageDefinition[] {
  if (name.includes("/msg/")) return [parseMessage(name, text)];
  if (name.includes("/srv/")) {
    const { request, response } = parseService(name, text);
    return [request, response];
  }
  const { goal, result, feedback } = parseAction(name, text);
  return [goal, result, feedback];
}
