/**
 * The session as TypeScript sees it. Every cell is a module of its own, so that a later cell may declare any name
 * again: the cell being checked begins with one line that brings in the names it uses from the cells before.
 *
 * Names of `let` and `var` are declared again with their type (an import could not be assigned to);
 * everything else is imported, with all its meanings.
 */
import type { DeclaredNames, NameKind } from "./declared-names.js";

/** Where a visible name was declared last. */
interface Declaration {
  module: string;
  kind: NameKind;
}

export interface AssembledCell {
  /** File content: a line of prefix where names of earlier cells are used, the cell, and a line of exports. */
  content: string;
  /** Characters before the cell's own text. */
  offset: number;
  /** Names that the cell declares at its top level. */
  names: Map<string, NameKind>;
  /** It declares something for all modules. */
  ambient: boolean;
}

const MODULE = /^__cell_\d+__$/;

export class CellSession {
  private readonly visible = new Map<string, Declaration>();
  private readonly modules = new Map<string, string>();
  /** Modules that declare something for all (`declare global`, `declare module`). */
  private readonly ambient = new Set<string>();
  private next = 1;

  /** Text of the module that an earlier cell became. */
  module(name: string): string | undefined {
    return this.modules.get(name);
  }

  /** What earlier cells became: each module's text by its name. */
  contents(): ReadonlyMap<string, string> {
    return this.modules;
  }

  /** Names declared by earlier cells. */
  get names(): Iterable<string> {
    return this.visible.keys();
  }

  /** Whether a text uses, or at least has, a name of an earlier cell. */
  mentions(text: string): boolean {
    if (this.ambient.size > 0) return true;
    for (const name of identifiers(text)) if (this.visible.has(name)) return true;
    return false;
  }

  /**
   * @param declared what the cell itself declares
   * @param unnamed names that it uses without naming them
   */
  assemble(text: string, { names, exported }: DeclaredNames, unnamed: readonly string[] = []): AssembledCell {
    const prefix = this.prefix(new Set([...identifiers(text), ...unnamed]), names);
    const own = [...names.keys()].filter((name) => !exported.has(name));
    return {
      content: `${prefix}${text}\nexport { ${own.join(", ")} };\n`,
      offset: prefix.length,
      names,
      ambient: AMBIENT.test(text),
    };
  }

  /** Makes the cell's declarations visible to later cells. @returns the module that it became, if it declares anything */
  commit(cell: AssembledCell): string | undefined {
    if (cell.names.size === 0 && !cell.ambient) return undefined;
    const module = `__cell_${this.next++}__`;
    this.modules.set(module, cell.content);
    if (cell.ambient) this.ambient.add(module);
    for (const [name, kind] of cell.names) this.visible.set(name, { module, kind });
    this.forgetUnreachable();
    return module;
  }

  reset(): void {
    this.visible.clear();
    this.modules.clear();
    this.ambient.clear();
  }

  private prefix(used: ReadonlySet<string>, own: ReadonlyMap<string, unknown>): string {
    const imports = new Map<string, string[]>();
    let variables = "";
    for (const name of used) {
      const declaration = own.has(name) ? undefined : this.visible.get(name);
      if (!declaration) continue;
      const { module, kind } = declaration;
      if (kind === "variable") variables += `declare let ${name}: typeof import("./${module}").${name}; `;
      else imports.set(module, [...(imports.get(module) ?? []), name]);
    }
    const lines = [...imports].map(
      ([module, names]) => `import { ${names.join(", ")} } from "./${module}"; `,
    );
    // A line of its own: a comment that follows on the same line would not belong to the cell's first declaration.
    const everywhere = [...this.ambient].map((module) => `import "./${module}"; `).join("");
    const all = everywhere + lines.join("") + variables;
    return all === "" ? "" : `${all}\n`;
  }

  /** Modules that no visible name needs any more are dropped, so a long session does not grow for ever. */
  private forgetUnreachable(): void {
    if (this.modules.size % 64 !== 0) return;
    const reached = new Set<string>();
    const queue = [...this.ambient, ...[...this.visible.values()].map(({ module }) => module)];
    for (let module = queue.pop(); module; module = queue.pop()) {
      if (reached.has(module)) continue;
      reached.add(module);
      for (const [, other] of this.modules.get(module)?.matchAll(/"\.\/(__cell_\d+__)"/g) ?? [])
        queue.push(other!);
    }
    for (const module of this.modules.keys()) if (!reached.has(module)) this.modules.delete(module);
  }
}

const AMBIENT = /\bdeclare\s+(?:global\b|module\s+["'])/;

export function isCellModule(specifier: string): boolean {
  return specifier.startsWith("./") && MODULE.test(specifier.slice(2));
}

function identifiers(text: string): Set<string> {
  const names = new Set<string>();
  for (const [name] of text.matchAll(/[\p{ID_Start}$_][\p{ID_Continue}$]*/gu)) names.add(name);
  return names;
}
