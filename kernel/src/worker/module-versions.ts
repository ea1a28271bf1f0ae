/**
 * Hot reload. Rule: an import in a cell loads a file of the reader's anew if that file, or one that it imports
 * (directly or through others), has changed since it was loaded; a file of which nothing changed stays the same module.
 * The imports are those that esbuild finds; files in `node_modules` do not count.
 */
import { createHash } from "node:crypto";
import { existsSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { build } from "esbuild";

interface Source {
  stamp: string;
  /** Files that it imports. */
  imports: string[];
}

export class ModuleVersions {
  private readonly sources = new Map<string, Source>();
  private readonly first = new Map<string, string>();

  /** @param directory the notebook's folder */
  constructor(private readonly directory: string) {}

  /** The file's version: empty until it, or what it imports, changes. */
  async of(file: string): Promise<string> {
    const print = await this.fingerprint(file);
    const first = this.first.get(file) ?? print;
    this.first.set(file, first);
    return print === first ? "" : print;
  }

  private async fingerprint(file: string): Promise<string> {
    let reached = this.reach(file);
    if (!reached) {
      await this.read(file);
      reached = this.reach(file) ?? new Set([file]);
    }
    const hash = createHash("sha256");
    for (const each of [...reached].sort()) hash.update(`${each}\0${stamp(each)}\0`);
    return hash.digest("hex").slice(0, 16);
  }

  /** The files that count; undefined when one of them is not known as it is now. */
  private reach(file: string): Set<string> | undefined {
    const reached = new Set<string>();
    const queue = [file];
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      if (reached.has(next)) continue;
      reached.add(next);
      const source = this.sources.get(next);
      if (!source || source.stamp !== stamp(next)) return undefined;
      queue.push(...source.imports);
    }
    return reached;
  }

  private async read(entry: string): Promise<void> {
    const tsconfig = join(this.directory, "tsconfig.json");
    const found = await build({
      entryPoints: [entry],
      absWorkingDir: this.directory,
      bundle: true,
      write: false,
      metafile: true,
      packages: "external",
      platform: "node",
      format: "esm",
      logLevel: "silent",
      loader: { ".wasm": "empty", ".node": "empty" },
      ...(existsSync(tsconfig) ? { tsconfig } : {}),
    }).catch(() => undefined);
    // A file with an error is known alone: loading it will tell.
    this.sources.set(entry, { stamp: stamp(entry), imports: [] });
    for (const [name, { imports }] of Object.entries(found?.metafile.inputs ?? {})) {
      const file = resolve(this.directory, name);
      const own = imports
        .filter(({ external }) => !external)
        .map(({ path }) => resolve(this.directory, path));
      this.sources.set(file, {
        stamp: stamp(file),
        imports: own.filter((path) => !path.includes("/node_modules/")),
      });
    }
  }
}

/** Changes when the file does. */
function stamp(file: string): string {
  const { mtimeMs, size } = statSync(file, { throwIfNoEntry: false }) ?? { mtimeMs: 0, size: 0 };
  return `${mtimeMs}:${size}`;
}
