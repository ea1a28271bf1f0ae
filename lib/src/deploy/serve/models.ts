/** The table of models: which there are, which versions of them are loaded, and which one answers. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { ModelSource } from "./backend.js";
import { configOf, type ModelConfig, type ModelOptions, optionsFromJson } from "./config.js";
import { asServeError, quoted, ServeError } from "./errors.js";
import { payloadOf, type ServedModel } from "./given.js";
import {
  byNumber,
  checkName,
  checkVersion,
  type FoundModel,
  isModelFolder,
  kept,
  modelFile,
  modelsIn,
  readModelFolder,
  sourceOf,
  type VersionFile,
} from "./repository.js";
import type { TokenModel } from "./tokens.js";
import { ModelVersion, type VersionObserver } from "./version.js";

export interface IndexEntry {
  readonly name: string;
  readonly version: string;
  readonly state: "LOADING" | "READY" | "UNLOADING" | "UNAVAILABLE";
  readonly reason: string;
}

export interface AddOptions {
  /** Default: one more than the newest. */
  readonly version?: number | string;
}

class Entry {
  readonly versions = new Map<string, ModelVersion>();
  /** Of versions that come from files: what they were when they were loaded. */
  readonly stamps = new Map<string, string>();
  /** The versions that answered requests without a version, the present one last. */
  active: string[] = [];
  options: ModelOptions = {};
  path: { readonly path: string; readonly isFolder: boolean } | null = null;
  tokens: TokenModel | null = null;
  failure = "";
  /** One change after the other. */
  private last: Promise<unknown> = Promise.resolve();

  constructor(readonly name: string) {}

  inTurn<T>(change: () => Promise<T>): Promise<T> {
    const result = this.last.then(change);
    this.last = result.catch(() => {});
    return result;
  }
}

export class ModelTable {
  private readonly entries = new Map<string, Entry>();
  private readonly leaving = new Set<Promise<void>>();

  constructor(
    /** Folders in which models are looked for. */
    private readonly repositories: readonly string[],
    private readonly defaults: ModelOptions,
    private readonly observe: (name: string, version: string) => VersionObserver,
  ) {}

  /** Loads all that the repositories hold. @throws ServeError naming the first that can't be. */
  async addRepositories(): Promise<void> {
    for (const repository of this.repositories)
      for (const name of await modelsIn(repository)) await this.reload(name);
  }

  /**
   * Loads a model, or a further version of one; when it is warm it answers from the next request on, and the version
   * before it goes on with what it has.
   * @returns the version
   */
  async add(name: string, given: ServedModel, { version }: AddOptions = {}): Promise<string> {
    const entry = this.entry(checkName(name));
    return entry.inTurn(async () => {
      const { payload, options } = await payloadOf(name, given);
      entry.options = options;
      if (payload.kind === "tokens") {
        entry.tokens = payload.model;
        entry.active = [version === undefined ? "1" : checkVersion(version)];
        return entry.active[0];
      }
      if (payload.kind === "path" && payload.isFolder) {
        if (!(await isModelFolder(payload.path)))
          throw new ServeError("NOT_FOUND", `model "${name}": ${payload.path} has no versions (1/, 2/ …)`);
        entry.path = payload;
        return this.sync(entry, {});
      }
      const newest = [...entry.versions.keys()].sort(byNumber).at(-1);
      const number = version === undefined ? String(Number(newest ?? 0) + 1) : checkVersion(version);
      const config = configOf(this.defaults, [options], `model "${name}"`);
      if (payload.kind === "path") {
        entry.path = payload;
        await this.put(entry, sourceOf(name, number, await modelFile(payload.path)), config);
        entry.stamps.set(number, (await modelFile(payload.path)).stamp);
      } else if (payload.kind === "bytes")
        await this.put(entry, { ...payload, name, version: number }, config);
      else await this.put(entry, { name, version: number, format: "custom" }, config);
      this.retire(entry, config);
      return number;
    });
  }

  /**
   * Brings a model to what its files are now: new and changed versions are loaded, and the newest of them answers; what the
   * policy keeps no longer is unloaded. A model that a repository holds is found by its name.
   * @param json its configuration, in place of the file's
   * @returns the version that answers
   * @throws ServeError; what was served before is served still.
   */
  async reload(name: string, json?: unknown): Promise<string> {
    const known = this.entries.get(name) ?? (await this.found(checkName(name)));
    const given = json === undefined ? {} : optionsFromJson(json, `model "${name}"`);
    return known.inTurn(async () => {
      if (known.tokens !== null) return known.active[0];
      if (known.path === null) {
        if (known.active.length > 0) return known.active.at(-1) as string;
        throw new ServeError(
          "FAILED_PRECONDITION",
          `model "${name}" was given in code; it is loaded from there`,
        );
      }
      return this.sync(known, given);
    });
  }

  /** Brings every model that has files, also those that repositories hold by now, to what these are. @returns what failed */
  async reloadAll(): Promise<{ readonly name: string; readonly error: ServeError }[]> {
    const held = await Promise.all(this.repositories.map(modelsIn));
    const own = [...this.entries.values()].filter(({ path }) => path !== null).map(({ name }) => name);
    const failed: { name: string; error: ServeError }[] = [];
    for (const name of new Set([...own, ...held.flat()]))
      await this.reload(name).catch((error: unknown) => failed.push({ name, error: asServeError(error) }));
    return failed;
  }

  /** The version that answers from now on when a request names none. @throws ServeError NOT_FOUND if it is not loaded. */
  activate(name: string, version: number | string): void {
    const found = this.version(name, checkVersion(version));
    const entry = this.entry(name);
    entry.active = [...entry.active.filter((number) => number !== found.number), found.number];
  }

  /** Back to the version that answered before. @returns it. @throws ServeError FAILED_PRECONDITION if none is loaded. */
  rollback(name: string): string {
    this.version(name);
    const entry = this.entry(name);
    const before = entry.active
      .slice(0, -1)
      .findLast((number) => entry.versions.get(number)?.state === "READY");
    if (before === undefined)
      throw new ServeError("FAILED_PRECONDITION", `model "${name}": no version from before is loaded`);
    this.activate(name, before);
    return before;
  }

  /** Ends a model, or one version: what it has is answered first. @throws ServeError NOT_FOUND */
  async unload(name: string, version?: number | string): Promise<void> {
    const entry = this.entries.get(name);
    if (!entry || (entry.versions.size === 0 && entry.tokens === null))
      throw new ServeError("NOT_FOUND", `there is no model ${quoted(name)}`);
    await entry.inTurn(async () => {
      const wanted = version === undefined ? null : this.version(name, checkVersion(version)).number;
      const leaving = [...entry.versions.values()].filter(
        ({ number }) => wanted === null || number === wanted,
      );
      if (wanted === null) entry.tokens = null;
      await Promise.all(leaving.map((one) => this.leave(entry, one, "unloaded")));
      if (wanted === null && entry.path === null) this.entries.delete(name);
    });
  }

  /** @throws ServeError NOT_FOUND, or UNAVAILABLE with the reason. */
  version(name: string, version = ""): ModelVersion {
    const entry = this.entries.get(name);
    if (!entry) throw new ServeError("NOT_FOUND", `there is no model ${quoted(name)}`);
    if (entry.tokens !== null)
      throw new ServeError(
        "UNIMPLEMENTED",
        `model "${name}" answers token by token: use generate or ModelStreamInfer`,
      );
    const number = version === "" ? entry.active.at(-1) : version;
    if (number === undefined)
      throw new ServeError(
        "UNAVAILABLE",
        `model "${name}" is not loaded${entry.failure && `: ${entry.failure}`}`,
      );
    const found = entry.versions.get(number);
    if (!found) {
      const loaded = [...entry.versions.keys()].sort(byNumber).join(", ") || "none";
      throw new ServeError(
        "NOT_FOUND",
        `model "${name}" has no version ${quoted(number)}; loaded: ${loaded}`,
      );
    }
    return found;
  }

  /** The engine of a model that answers token by token; `null` for others. @throws ServeError NOT_FOUND */
  tokens(name: string): TokenModel | null {
    const entry = this.entries.get(name);
    if (!entry) throw new ServeError("NOT_FOUND", `there is no model ${quoted(name)}`);
    return entry.tokens;
  }

  /** Numbers of the versions that are loaded, oldest first. */
  numbers(name: string): string[] {
    const entry = this.entries.get(name);
    if (entry?.tokens) return entry.active;
    return [...(entry?.versions.keys() ?? [])].sort(byNumber);
  }

  /** Every version that is loaded. */
  all(): ModelVersion[] {
    return [...this.entries.values()].flatMap(({ versions }) => [...versions.values()]);
  }

  /** Whether every model has a version that answers. */
  isReady(): boolean {
    return [...this.entries.values()].every(
      ({ tokens, active, versions, path, failure }) =>
        tokens !== null ||
        (active.length === 0
          ? path !== null && failure === ""
          : versions.get(active.at(-1) as string)?.state === "READY"),
    );
  }

  /** Every version that is loaded, and every model that could be. */
  async index(): Promise<IndexEntry[]> {
    const rows: IndexEntry[] = [];
    for (const { name, versions, tokens, active, failure } of this.entries.values()) {
      if (tokens !== null) rows.push({ name, version: active[0], state: "READY", reason: "" });
      for (const number of [...versions.keys()].sort(byNumber)) {
        const { state, reason } = versions.get(number) as ModelVersion;
        rows.push({ name, version: number, state, reason });
      }
      if (tokens === null && versions.size === 0)
        rows.push({ name, version: "", state: "UNAVAILABLE", reason: failure || "unloaded" });
    }
    for (const repository of this.repositories)
      for (const name of await modelsIn(repository))
        if (!this.entries.has(name))
          rows.push({ name, version: "", state: "UNAVAILABLE", reason: "not loaded" });
    return rows;
  }

  /** Ends all: after what they have is answered, or at once. */
  async close(atOnce: string | null): Promise<void> {
    await Promise.all(
      this.all().map((version) =>
        atOnce === null ? version.unload("the server closes") : version.abandon(atOnce),
      ),
    );
    if (atOnce === null) await Promise.all(this.leaving);
  }

  private entry(name: string): Entry {
    const known = this.entries.get(name);
    if (known) return known;
    const entry = new Entry(name);
    this.entries.set(name, entry);
    return entry;
  }

  private async found(name: string): Promise<Entry> {
    for (const repository of this.repositories) {
      const names: string[] = await readdir(repository).catch(() => []);
      if (!names.includes(name) || !(await isModelFolder(join(repository, name)))) continue;
      const entry = this.entry(name);
      entry.path = { path: join(repository, name), isFolder: true };
      return entry;
    }
    throw new ServeError("NOT_FOUND", `there is no model ${quoted(name)}, and no repository holds one`);
  }

  private async sync(entry: Entry, given: ModelOptions): Promise<string> {
    const { name } = entry;
    const { path, isFolder } = entry.path as NonNullable<Entry["path"]>;
    try {
      const onDisk: FoundModel = isFolder
        ? await readModelFolder(path)
        : {
            options: {},
            versions: new Map<string, VersionFile>([[this.numberFor(entry), await modelFile(path)]]),
          };
      const layers = [onDisk.options, entry.options, given];
      const config = configOf(this.defaults, layers, `model "${name}"`);
      const wanted = kept(onDisk.versions.keys(), config.versions);
      const changed = wanted.filter((number) => {
        const same = entry.stamps.get(number) === onDisk.versions.get(number)?.stamp;
        return !(same && Object.keys(given).length === 0 && entry.versions.get(number)?.state === "READY");
      });
      for (const number of changed) {
        const file = onDisk.versions.get(number) as VersionFile;
        await this.put(entry, sourceOf(name, number, file), config, number === wanted.at(-1));
        entry.stamps.set(number, file.stamp);
      }
      if (isFolder)
        for (const version of entry.versions.values())
          if (!wanted.includes(version.number)) void this.leave(entry, version, "a newer version is there");
      entry.failure = "";
      return entry.active.at(-1) as string;
    } catch (error) {
      const known = asServeError(error);
      entry.failure = known.message;
      throw known;
    }
  }

  /** A single file is the newest version, loaded anew when it has changed. */
  private numberFor(entry: Entry): string {
    return String(Math.max(0, ...[...entry.versions.keys()].map(Number)) || 1);
  }

  /** Loads a version; `answers`: from now on it does. One of the same number goes when it has done what it has. */
  private async put(
    entry: Entry,
    source: Pick<ModelSource, "name" | "version" | "path" | "bytes" | "format">,
    config: ModelConfig,
    answers = true,
  ): Promise<void> {
    const { name, version } = source;
    const next = await ModelVersion.load(source, config, this.observe(name, version));
    const before = entry.versions.get(version);
    entry.versions.set(version, next);
    if (answers || entry.active.length === 0)
      entry.active = [...entry.active.filter((number) => number !== version), version];
    else if (!entry.active.includes(version)) entry.active = [version, ...entry.active];
    entry.failure = "";
    if (before) this.track(before.unload("it was loaded anew"));
  }

  private retire(entry: Entry, { versions }: ModelConfig): void {
    const stay = kept(entry.versions.keys(), versions);
    for (const version of entry.versions.values())
      if (!stay.includes(version.number)) void this.leave(entry, version, "a newer version is there");
  }

  private leave(entry: Entry, version: ModelVersion, reason: string): Promise<void> {
    entry.active = entry.active.filter((number) => number !== version.number);
    entry.stamps.delete(version.number);
    const gone = version.unload(reason).then(() => {
      if (entry.versions.get(version.number) === version) entry.versions.delete(version.number);
    });
    this.track(gone);
    return gone;
  }

  private track(leaving: Promise<void>): void {
    this.leaving.add(leaving);
    void leaving.finally(() => this.leaving.delete(leaving));
  }
}
