/**
 * What runs in every box, packed for a fast start: the kernel, the library and the agent as a few files instead of some
 * hundred, whose finding and reading is half of what a box costs. The same code at the same paths: the packed folders are
 * shown in the place of the packages' own, read-only. Made once for what is installed, and kept for the next run.
 */
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { homedir, tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { build, type Plugin } from "esbuild";
import { OWNED } from "./cgroup.js";
import type { LevelSpec } from "./command.js";
import { graderRoot, packageRoot, type View } from "./view.js";

/** Plain data, for judges in other processes. */
export interface Image {
  folder: string;
  mounts: NonNullable<View["mounts"]>;
  /** Stays for the next run. */
  kept: boolean;
}

interface Part {
  root: string | undefined;
  /** In `dist`. */
  entries: string[];
  /** Folders of `dist` that boxes see; the first one takes the pieces that entries share. */
  folders: string[];
}

const partsOf = (): Part[] => [
  {
    root: packageRoot("mlsys"),
    // with the threads that load the library themselves: they share its one copy of each class
    entries: ["index.js", "data/mnist-batch.js", "data/engine/worker.js", "distributed/launch/rank.js"],
    folders: ["."],
  },
  {
    root: packageRoot("@mlsys/kernel"),
    entries: ["client/index.js", "host/main.js", "spec/index.js", "worker/main.js"],
    folders: ["."],
  },
  {
    root: graderRoot(),
    entries: ["box/agent.js", "box/main.js", "kit/index.js"],
    folders: ["box", "kit", "wire"],
  },
];

/** That of an earlier run, if nothing has changed since. @throws Error when a package can't be packed: boxes work without */
export async function openImage(cache = cacheFolder()): Promise<Image> {
  const parts = partsOf();
  const folder = join(cache, `${PREFIX}${fingerprint(parts)}`);
  const mounts = parts.flatMap((part, index) => mountsOf(part, join(folder, String(index))));
  if (!existsSync(folder)) {
    try {
      mkdirSync(cache, { recursive: true, mode: 0o700 });
      removeOld(cache);
      const made = await buildImage(mkdtempSync(join(cache, ".making-")));
      put(made.folder, folder);
    } catch (error) {
      // A folder that can't be written to; what is wrong with the packages shows again.
      if ((error as NodeJS.ErrnoException).code === undefined) throw error;
      return buildImage();
    }
  }
  const now = new Date();
  utimesSync(folder, now, now);
  return { folder, mounts, kept: true };
}

/** Anew. @param folder to put it into */
export async function buildImage(
  folder = mkdtempSync(join(tmpdir(), `${OWNED}${process.pid}-`)),
): Promise<Image> {
  try {
    const parts = partsOf();
    const mounts = await Promise.all(parts.map((part, index) => packed(part, join(folder, String(index)))));
    return { folder, mounts: mounts.flat(), kept: false };
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

export function closeImage({ folder, kept }: Image): void {
  if (!kept) rmSync(folder, { recursive: true, force: true });
}

const PREFIX = "boxes-";
/** A run that takes longer than this with an image that no newer run has used is not to be expected. */
const KEPT_DAYS = 14;

/** Where nobody but the user can write. */
function cacheFolder(): string {
  return join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "mlsys", "grader");
}

/** Of all that is packed, and of what packs it. */
function fingerprint(parts: readonly Part[]): string {
  const hash = createHash("sha256").update(process.version);
  for (const { root } of parts) {
    if (root === undefined) continue;
    const dist = join(root, "dist");
    hash.update(`\0${dist}`);
    for (const file of readdirSync(dist, { recursive: true, encoding: "utf8" }).sort()) {
      const { size, mtimeMs } = statSync(join(dist, file));
      hash.update(`\0${file}\0${size}\0${mtimeMs}`);
    }
  }
  return hash.digest("hex").slice(0, 32);
}

/** Another run may have been faster: its image is the same. */
function put(made: string, folder: string): void {
  try {
    renameSync(made, folder);
  } catch (error) {
    rmSync(made, { recursive: true, force: true });
    if (!existsSync(folder)) throw error;
  }
}

function removeOld(cache: string): void {
  const before = Date.now() - KEPT_DAYS * 24 * 3_600_000;
  for (const name of readdirSync(cache)) {
    const path = join(cache, name);
    if (statSync(path).mtimeMs < before) rmSync(path, { recursive: true, force: true });
  }
}

/** The same level, whose boxes see the image. */
export function withImage(spec: LevelSpec, image: Image | undefined): LevelSpec {
  if (!image) return spec;
  return {
    ...spec,
    wrap: (command, surroundings) =>
      spec.wrap({ ...command, view: { ...command.view, mounts: image.mounts } }, surroundings),
  };
}

async function packed(part: Part, target: string): Promise<Image["mounts"]> {
  const { root, entries, folders } = part;
  if (root === undefined) return [];
  const dist = join(root, "dist");
  for (const folder of folders)
    cpSync(join(dist, folder), join(target, folder), {
      recursive: true,
      filter: (file) => !/\.(map|tsbuildinfo)$/.test(file),
    });
  const found = entries.filter((entry) => existsSync(join(dist, entry)));
  await build({
    entryPoints: found.map((entry) => join(dist, entry)),
    outbase: dist,
    outdir: target,
    chunkNames: join(folders[0], "packed-[hash]"),
    allowOverwrite: true,
    bundle: true,
    splitting: true,
    // Packages of others stay what they are.
    packages: "external",
    platform: "node",
    format: "esm",
    target: "node20",
    keepNames: true,
    logLevel: "silent",
    plugins: [ownPlaces],
  });
  for (const file of readdirSync(target, { recursive: true, encoding: "utf8" }))
    if (file.endsWith(".js")) placeIn(target, file, dist);
  return mountsOf(part, target);
}

function mountsOf({ root, folders }: Part, target: string): { from: string; to: string }[] {
  return root === undefined
    ? []
    : folders.map((folder) => ({ from: join(target, folder), to: join(root, "dist", folder) }));
}

const MARK = "mlsys-image:";

/** A module that looks for files beside itself still means its own place, not that of the file that it was packed into. */
const ownPlaces: Plugin = {
  name: "own places",
  setup({ onLoad }) {
    onLoad({ filter: /\.js$/ }, ({ path }) => {
      const text = readFileSync(path, "utf8");
      if (!text.includes("import.meta.url")) return undefined;
      const own = `new URL(${JSON.stringify(MARK + path)}, import.meta.url).href`;
      return { contents: text.replaceAll("import.meta.url", own), loader: "js" };
    });
  },
};

function placeIn(target: string, file: string, dist: string): void {
  const path = join(target, file);
  const text = readFileSync(path, "utf8");
  if (!text.includes(`"${MARK}`)) return;
  const placed = text.replace(new RegExp(`"${MARK}([^"]+)"`, "g"), (_, own: string) =>
    JSON.stringify(`./${relative(dirname(join(dist, file)), own)}`),
  );
  writeFileSync(path, placed);
}
