/**
 * The instructor's code as one module: given cells in order, each test cell a function. The judge calls it once
 * for each learner with a kit bound to that learner's code, so nothing is shared between learners. What the
 * cells import is hoisted; the kit's import becomes the kit that is passed in.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { transform } from "esbuild";
import { resolve as resolveImport } from "import-meta-resolve";
import type { StringLiteral } from "typescript";
import type { Assignment } from "../assignment/assignment.js";
import { type SeededValues, withValuesOf } from "../assignment/seeded.js";
import { ts } from "../assignment/typescript.js";
import { AuthoringError, messageOf } from "../errors.js";
import { markHiddenTests } from "../notebook/markers.js";

/** @param setHidden called with true and false at the markers of hidden tests */
export type TestCellFunction = (setHidden: (hidden: boolean) => void) => Promise<void>;
/** Runs the given cells and returns the test cells by grade_id. `values` are a student's own. */
export type JudgeModule = (
  kit: Record<string, unknown>,
  display: unknown,
  values: SeededValues,
) => Promise<Map<string, TestCellFunction>>;

const KIT = "@mlsys/grader/kit";

interface Binding {
  local: string;
  /** Exported name, `default` or `*`. */
  imported: string;
}
interface SplitCell {
  imports: { specifier: string; bindings: Binding[] }[];
  /** The source with its imports blanked, line numbers kept. */
  body: string;
}

/** @throws AuthoringError when a cell does not compile or an import is not found */
export async function loadJudgeModule(assignment: Assignment): Promise<JudgeModule> {
  const { code } = await transform(moduleSource(assignment), {
    loader: "ts",
    target: "es2023",
    format: "esm",
  }).catch((error: unknown) => {
    throw new AuthoringError(
      `${assignment.slug}: given and test cells do not compile together: ${messageOf(error)}`,
    );
  });
  const folder = await mkdtemp(join(tmpdir(), "mlsys-judge-"));
  try {
    const file = join(folder, `${assignment.slug.replace(/[^\w-]/g, "_")}.mjs`);
    await writeFile(file, code);
    const loaded = (await import(pathToFileURL(file).href)) as { default: JudgeModule };
    return loaded.default;
  } catch (error) {
    throw new AuthoringError(
      `${assignment.slug}: the code of given and test cells can't be loaded: ${messageOf(error)}`,
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function moduleSource(assignment: Assignment): string {
  const hoisted = new Map<string, { specifier: string; imported: string }>();
  const lines: string[] = [];
  for (const cell of assignment.cells) {
    if (cell.kind === "answer") continue;
    const source =
      cell.kind === "test"
        ? markHiddenTests(cell.source, "__setHidden(true);", "__setHidden(false);")
        : withValuesOf(cell.source, `${assignment.slug}, cell ${cell.gradeId}`, "__values");
    const { imports, body } = splitImports(source, cell.gradeId);
    const kitLines: string[] = [];
    for (const { specifier, bindings } of imports) {
      if (specifier === KIT) kitLines.push(kitImport(bindings));
      else for (const binding of bindings) hoist(hoisted, specifier, binding, cell.gradeId);
      if (specifier !== KIT && bindings.length === 0)
        hoisted.set(`side effect of ${specifier}`, { specifier, imported: "" });
    }
    if (cell.kind === "given") lines.push(...kitLines, body);
    else
      lines.push(
        `__cells.set(${JSON.stringify(cell.gradeId)}, async (__setHidden) => {`,
        ...kitLines,
        body,
        "});",
      );
  }
  return [
    ...[...hoisted].map(([local, { specifier, imported }]) =>
      importLine(local, specifier, imported, assignment.path),
    ),
    "export default async function (__kit, display, __values) {",
    "const __cells = new Map();",
    ...lines,
    "return __cells;",
    "}",
  ].join("\n");
}

function splitImports(source: string, gradeId: string): SplitCell {
  const file = ts.createSourceFile(`${gradeId}.ts`, source, ts.ScriptTarget.ESNext, false, ts.ScriptKind.TS);
  const imports: SplitCell["imports"] = [];
  let body = source;
  for (const statement of file.statements) {
    if (!ts.isImportDeclaration(statement)) continue;
    const start = statement.getStart(file);
    body =
      body.slice(0, start) +
      body.slice(start, statement.end).replace(/[^\n]/g, " ") +
      body.slice(statement.end);
    const clause = statement.importClause;
    if (clause?.phaseModifier === ts.SyntaxKind.TypeKeyword) continue;
    const bindings: Binding[] = [];
    if (clause?.name) bindings.push({ local: clause.name.text, imported: "default" });
    const named = clause?.namedBindings;
    if (named && ts.isNamespaceImport(named)) bindings.push({ local: named.name.text, imported: "*" });
    if (named && ts.isNamedImports(named)) {
      for (const element of named.elements) {
        if (!element.isTypeOnly)
          bindings.push({ local: element.name.text, imported: (element.propertyName ?? element.name).text });
      }
    }
    imports.push({ specifier: (statement.moduleSpecifier as StringLiteral).text, bindings });
  }
  return { imports, body };
}

function kitImport(bindings: Binding[]): string {
  return bindings
    .map(({ local, imported }) => {
      if (imported === "*") return `const ${local} = __kit;`;
      return `const ${local} = __kit[${JSON.stringify(imported)}];`;
    })
    .join(" ");
}

function hoist(
  hoisted: Map<string, { specifier: string; imported: string }>,
  specifier: string,
  { local, imported }: Binding,
  gradeId: string,
): void {
  const before = hoisted.get(local);
  if (before && (before.specifier !== specifier || before.imported !== imported)) {
    throw new AuthoringError(
      `cell ${gradeId}: "${local}" is imported from "${specifier}", and from "${before.specifier}" in another cell`,
    );
  }
  hoisted.set(local, { specifier, imported });
}

function importLine(local: string, specifier: string, imported: string, path: string): string {
  const from = JSON.stringify(resolveSpecifier(specifier, path));
  if (imported === "") return `import ${from};`;
  if (imported === "*") return `import * as ${local} from ${from};`;
  return `import { ${imported} as ${local} } from ${from};`;
}

/** From the notebook's folder first; the project's own packages also beside the grader. */
function resolveSpecifier(specifier: string, path: string): string {
  const parents = [pathToFileURL(join(dirname(path), "cell.mjs")).href, import.meta.url];
  let failure: unknown;
  for (const parent of parents) {
    try {
      return resolveImport(specifier, parent);
    } catch (error) {
      failure ??= error;
    }
  }
  throw new AuthoringError(`import "${specifier}" is not found from ${dirname(path)}: ${messageOf(failure)}`);
}
