/**
 * The type check of cells by TypeScript 7: a native process that checks a changed cell in a few milliseconds. What it lacks
 * (completion of names, hover) is the language service's.
 */
import type { ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { NodeFlags, SyntaxKind } from "typescript-native/unstable/ast";
import {
  API,
  type Diagnostic,
  DiagnosticCategory,
  type Project,
  type Snapshot,
} from "typescript-native/unstable/async";
import { type DeclaredNames, declaredNames, type Syntax, type SyntaxNode } from "./declared-names.js";
import { NativeProject } from "./native-project.js";
import { IMPORT_EQUALS } from "./options.js";
import type { CheckResult, Problem } from "./service.js";
import { type AssembledCell, CellSession } from "./session.js";

const SYNTAX: Syntax = {
  kinds: SyntaxKind,
  flags: NodeFlags,
  children: (node, visit) =>
    (node as unknown as { forEachChild(f: (child: SyntaxNode) => void): void }).forEachChild((child) => {
      visit(child);
    }),
};

/** "Cannot find module": it may be there by now. */
const NOT_FOUND: ReadonlySet<number> = new Set([2307, 2792, 7016]);

/** Numbers of modules that no session reaches. */
const NAMELESS = 1_000_000_000;

interface FileChanges {
  changed?: string[];
  created?: string[];
  deleted?: string[];
}

export interface NativeOptions {
  /** Reads what a text declares without asking the process, which then has one text to take in instead of two. */
  read?: (text: string) => DeclaredNames;
  /** The folder is ours to write the session's files into. */
  written?: boolean;
}

export class NativeChecker {
  private readonly session = new CellSession();
  private stale = false;
  /** The cell that was checked last: most often it is the one to commit. */
  private checked: { text: string; assembled: AssembledCell } | undefined;
  /** Calls are answered one after the other: each changes the draft. */
  private last: Promise<unknown> = Promise.resolve();

  /** Rejects when the process ends. */
  private readonly ended: Promise<never>;

  private constructor(
    private readonly api: API,
    private readonly project: NativeProject,
    private snapshot: Snapshot,
    private readonly read?: (text: string) => DeclaredNames,
  ) {
    this.ended = new Promise((_, reject) => {
      const child = processOf(api);
      child?.once("exit", (code, signal) => reject(new Error(`it ended (${signal ?? code})`)));
      child?.stdin?.on("error", reject); // written to while it ends
      if (child?.stdin) joinWrites(child.stdin);
    });
    this.ended.catch(() => {}); // who asks is told
  }

  /** Starts the process and reads the libraries. @throws Error if there is no binary for this machine. */
  static async open(
    directory: string,
    { read, written = false }: NativeOptions = {},
  ): Promise<NativeChecker> {
    let project: NativeProject | undefined;
    const api = new API({
      cwd: directory,
      tsserverPath: supervised(),
      ...(written
        ? {}
        : {
            fs: {
              readFile: (file: string) => project?.fileSystem.readFile?.(file),
              fileExists: (file: string) => project?.fileSystem.fileExists?.(file),
            },
          }),
    });
    process.once("exit", () => processOf(api)?.kill("SIGKILL"));
    try {
      const own = join(directory, "tsconfig.json");
      project = existsSync(own)
        ? new NativeProject(directory, own, await ownPaths(api, own), written)
        : new NativeProject(directory, undefined, {}, written);
      return new NativeChecker(
        api,
        project,
        await api.updateSnapshot({ openProjects: [project.config] }),
        read,
      );
    } catch (error) {
      await api.close();
      throw error;
    }
  }

  check(text: string): Promise<CheckResult> {
    return this.inTurn(async () => {
      const first = await this.checkOnce(text);
      if (!first.problems.some(({ code }) => NOT_FOUND.has(code))) return first;
      this.stale = true;
      return this.checkOnce(text);
    });
  }

  /**
   * All cells at once, as if each were right: one change for the process instead of one a cell.
   * @param cells in order; those that are not to be checked only declare
   * @returns whether they are right; if not, the session is spoilt: reset it, and check one by one
   */
  checkAll(cells: readonly { text: string; unchecked: boolean }[]): Promise<boolean> {
    return this.inTurn(async () => {
      const { read, project } = this;
      if (!read) return false;
      const modules: string[] = [];
      const nameless = new Map<string, string>();
      for (const { text, unchecked } of cells) {
        const assembled = this.session.assemble(text, read(text));
        let module = this.session.commit(assembled);
        if (unchecked) continue;
        if (module === undefined) {
          // It declares nothing, so no later cell asks for it: it is a module for this check only.
          module = `__cell_${NAMELESS + nameless.size}__`;
          nameless.set(module, assembled.content);
        }
        modules.push(module);
      }
      project.setDraft(modules.map((module) => `import "./${module}";\n`).join(""));
      const { created, deleted } = project.setModules(new Map([...this.session.contents(), ...nameless]));
      const own = project.changes();
      const { program } = await this.update({
        changed: [project.draft, ...own.changed],
        created,
        deleted: [...deleted, ...own.deleted],
      });
      const found = await Promise.all(modules.map((module) => problems(program, project.modulePath(module))));
      return found.every((list) => list.length === 0);
    });
  }

  /** The checked cell ran: later cells see its declarations. */
  commit(text: string): Promise<void> {
    return this.inTurn(async () => {
      const { checked } = this;
      this.session.commit(checked?.text === text ? checked.assembled : await this.assembled(text));
      this.checked = undefined;
    });
  }

  reset(): Promise<void> {
    return this.inTurn(async () => {
      this.session.reset();
      this.checked = undefined;
    });
  }

  /** Packages were installed: what was looked for and not found is looked for again. */
  packagesChanged(): void {
    this.stale = true;
  }

  async close(): Promise<void> {
    await Promise.race([this.api.close(), this.ended]).catch(() => {}); // it may have ended before
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.last.then(() => Promise.race([work(), this.ended]));
    this.last = turn.catch(() => {});
    return turn;
  }

  private async checkOnce(text: string): Promise<CheckResult> {
    if (this.read) return this.checkRead(text, this.session.assemble(text, this.read(text)));
    // Without names of earlier cells the text is checked as it is, and all questions go out together.
    const alone = !this.session.mentions(text);
    const plain = await this.put(text, true);
    const [assembled, early] = await Promise.all([
      this.assemble(plain, text),
      alone ? this.diagnostics(plain) : undefined,
    ]);
    this.checked = { text, assembled };
    const found =
      early ??
      (await this.diagnostics(assembled.offset === 0 ? plain : await this.put(assembled.content, false)));
    return this.result(text, assembled, found);
  }

  private async checkRead(text: string, assembled: AssembledCell): Promise<CheckResult> {
    this.checked = { text, assembled };
    const found = await this.diagnostics(await this.put(assembled.content, true));
    return this.result(text, assembled, found);
  }

  private async result(
    text: string,
    { offset, names }: AssembledCell,
    found: readonly (Diagnostic & { syntax: boolean })[],
  ): Promise<CheckResult> {
    if (/\b(import|require)\b/.test(text)) await this.watchFiles();
    const inside = found.filter(({ pos }) => pos >= offset && pos <= offset + text.length);
    return { problems: inside.map((d) => problemOf(d, text, offset)), names: [...names.keys()] };
  }

  /** Puts a text in the draft's place. @param all with everything else that changed since the last check */
  private async put(content: string, all: boolean): Promise<Project> {
    const { project } = this;
    project.setDraft(content);
    if (!all) return this.update({ changed: [project.draft] });
    const { created, deleted } = project.setModules(this.session.contents());
    const own = project.changes();
    return this.update({
      changed: [project.draft, ...own.changed],
      created,
      deleted: [...deleted, ...own.deleted],
    });
  }

  private async assembled(text: string): Promise<AssembledCell> {
    if (this.read) return this.session.assemble(text, this.read(text));
    return this.assemble(await this.put(text, true), text);
  }

  /** The cell behind its imports; what it declares is read from the tree of its plain text. */
  private async assemble({ program }: Project, text: string): Promise<AssembledCell> {
    const file = await program.getSourceFile(this.project.draft);
    if (!file) throw new Error("the cell is not part of the session");
    return this.session.assemble(text, declaredNames(file as unknown as SyntaxNode, SYNTAX));
  }

  private async update(fileChanges: FileChanges): Promise<Project> {
    const changes = this.stale ? ({ invalidateAll: true } as const) : fileChanges;
    this.stale = false;
    const before = this.snapshot;
    this.snapshot = await this.api.updateSnapshot({ fileChanges: changes });
    void before.dispose().catch(() => {});
    const found = this.snapshot.getProject(this.project.config);
    if (!found) throw new Error("the session's project is gone");
    return found;
  }

  private diagnostics({ program }: Project): Promise<(Diagnostic & { syntax: boolean })[]> {
    return problems(program, this.project.draft);
  }

  private async watchFiles(): Promise<void> {
    const program = this.snapshot.getProject(this.project.config)?.program;
    if (program) this.project.watch(await program.getSourceFileNames());
  }
}

/** Errors of grammar, and only where there are none, those of types. */
async function problems(
  program: Project["program"],
  file: string,
): Promise<(Diagnostic & { syntax: boolean })[]> {
  const errors = (all: readonly Diagnostic[]): readonly Diagnostic[] =>
    all.filter(({ category, code }) => category === DiagnosticCategory.Error && code !== IMPORT_EQUALS);
  const [grammar, types] = await Promise.all([
    program.getSyntacticDiagnostics(file),
    program.getSemanticDiagnostics(file),
  ]);
  const syntactic = errors(grammar);
  const found = syntactic.length > 0 ? syntactic : errors(types);
  return found.map((diagnostic) => ({ ...diagnostic, syntax: syntactic.length > 0 }));
}

/** Linux: the script that ties the process to the life of this one. Elsewhere TypeScript's own way to its binary. */
function supervised(): string | undefined {
  if (process.platform !== "linux") return undefined;
  const own = createRequire(import.meta.url).resolve("typescript-native/package.json");
  const platform = `@typescript/typescript-${process.platform}-${process.arch}/package.json`;
  process.env.MLSYS_TYPE_CHECKER = join(dirname(createRequire(own).resolve(platform)), "lib", "tsc");
  return fileURLToPath(new URL("../../bin/type-checker.sh", import.meta.url));
}

/**
 * The native process, which the interface does not show (its version is pinned). It ends when its input does, unless it
 * waits for us to tell it of a file at that moment: then it would stay. And calls that it can't answer any more never settle.
 */
function processOf(api: API): ChildProcess | undefined {
  return (api as unknown as { client?: { process?: ChildProcess } }).client?.process;
}

/** Writes of one turn go out as one. The interface writes each message in two parts, and each write wakes the process. */
function joinWrites(stream: Writable): void {
  const write = stream.write.bind(stream);
  let parts: Uint8Array[] = [];
  const flush = () => {
    const all = Buffer.concat(parts);
    parts = [];
    write(all);
  };
  stream.write = (part: string | Uint8Array, ...rest: unknown[]): boolean => {
    if (parts.length === 0) setImmediate(flush);
    const encoding = typeof rest[0] === "string" ? (rest[0] as BufferEncoding) : "utf8";
    parts.push(typeof part === "string" ? Buffer.from(part, encoding) : part);
    const written = rest.at(-1);
    if (typeof written === "function") process.nextTick(written as () => void);
    return true;
  };
}

/** The `paths` of the notebook's tsconfig, or of one that it extends. */
async function ownPaths(api: API, tsconfig: string): Promise<Record<string, string[]>> {
  const { options } = await api.parseConfigFile(tsconfig);
  const { paths = {}, pathsBasePath } = options as {
    paths?: Record<string, string[]>;
    pathsBasePath?: string;
  };
  if (!pathsBasePath) return paths;
  return Object.fromEntries(
    Object.entries(paths).map(([name, targets]) => [
      name,
      targets.map((target) => (target.startsWith("/") ? target : join(pathsBasePath, target))),
    ]),
  );
}

function problemOf(diagnostic: Diagnostic & { syntax: boolean }, text: string, offset: number): Problem {
  const start = Math.min(diagnostic.pos - offset, text.length);
  const before = text.slice(0, start).split("\n");
  return {
    message: messageOf(diagnostic),
    code: diagnostic.code,
    line: before.length,
    column: before[before.length - 1]!.length + 1,
    length: Math.max(1, diagnostic.end - diagnostic.pos),
    syntax: diagnostic.syntax,
  };
}

/** The message with the reasons below it, each a step further in. */
function messageOf({ text, messageChain = [] }: Diagnostic, depth = 0): string {
  const lines = messageChain.map((reason) => messageOf(reason, depth + 1));
  return [`${"  ".repeat(depth)}${text}`, ...lines].join("\n");
}
