/** The names that a cell declares at its top level, with the identifiers that declare them. */
import type { Identifier, Pattern, Program, Property } from "acorn";
import type { Edits } from "./edits.js";

interface Binding {
  name: string;
  /** Puts another name in the declaration's place. */
  rename(edits: Edits, to: string): void;
}

export function topLevelBindings(program: Program): Binding[] {
  return program.body.flatMap((statement) => {
    if (statement.type === "ExportNamedDeclaration")
      return statement.declaration ? declared(statement.declaration) : [];
    if (statement.type === "ExportDefaultDeclaration") return declared(statement.declaration);
    if (statement.type !== "ImportDeclaration") return declared(statement);
    return statement.specifiers.map((specifier): Binding => {
      const { local } = specifier;
      const short = specifier.type === "ImportSpecifier" && specifier.imported.start === local.start;
      return {
        name: local.name,
        rename: (edits, to) => replace(edits, local, short ? `${local.name} as ${to}` : to),
      };
    });
  });
}

function declared(node: { type: string }): Binding[] {
  if (node.type === "VariableDeclaration")
    return (node as { declarations: { id: Pattern }[] } & typeof node).declarations.flatMap(({ id }) =>
      inPattern(id),
    );
  if (node.type !== "FunctionDeclaration" && node.type !== "ClassDeclaration") return [];
  const { id } = node as { id?: Identifier | null } & typeof node;
  return id ? inPattern(id) : [];
}

function inPattern(pattern: Pattern): Binding[] {
  switch (pattern.type) {
    case "Identifier":
      return [{ name: pattern.name, rename: (edits, to) => replace(edits, pattern, to) }];
    case "ObjectPattern":
      return pattern.properties.flatMap((property) =>
        property.type === "RestElement"
          ? inPattern(property.argument)
          : inProperty(property as unknown as Property),
      );
    case "ArrayPattern":
      return pattern.elements.flatMap((element) => (element ? inPattern(element) : []));
    case "RestElement":
      return inPattern(pattern.argument);
    case "AssignmentPattern":
      return inPattern(pattern.left);
    default:
      return [];
  }
}

/** `{ name }` and `{ name = 1 }` declare what they read: renamed, they become `{ name: other }`. */
function inProperty(property: Property): Binding[] {
  const bindings = inPattern(property.value as unknown as Pattern);
  if (!property.shorthand) return bindings;
  return bindings.map(({ name, rename }) => ({
    name,
    rename: (edits, to) => rename(edits, `${name}: ${to}`),
  }));
}

function replace(edits: Edits, node: { start: number; end: number }, text: string): void {
  edits.replace(node.start, node.end, text);
}
