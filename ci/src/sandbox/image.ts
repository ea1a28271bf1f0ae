/**
 * What runs in every box, packed for a fast start: the kernel, the library and the agent as a few files instead of some
 * hundred, whose finding and reading is half of what a box costs. The same code at the same paths: the packed folders are
 * shown in the place of the packages' own, read-only. Built anew for each run of the grader, from what is installed.
 */
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { build, type Plugin } from "esbuild";
import { OWNED } from "./cgroup.js";
import type { LevelSpec } from "./command.js";
import { graderRoot, packageRoot, type View } from "./view.js";

/** Plain data, for judges in other processes. */
export interface Image {
  folder: string;
  mounts: NonNullable<View["mounts"]>;
}

interface Part {
  root: string | undefined;
  /** In `dist`. */
  entries: string[];
  /** Folders of `dist` that boxes see; the first one takes the pieces that entries share. */
  folders: string[];
}

/** @throws Error when a package can't be packed: boxes work without an image */
export async function buildImage(): Promise<Image> {
  const folder = mkdtempSync(join(tmpdir(), `${OWNED}${process.pid}-`));
  try {
    const parts: Part[] = [
      { root: packageRoot("mlsys"), entries: ["index.js", "data/mnist-batch.js"], folders: ["."] },
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
    const mounts = await Promise.all(parts.map((part, index) => packed(part, join(folder, String(index)))));
    return { folder, mounts: mounts.flat() };
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

export function removeImage({ folder }: Image): void {
  rmSync(folder, { recursive: true, force: true });
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

async function packed({ root, entries, folders }: Part, target: string): Promise<Image["mounts"]> {
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
  return folders.map((folder) => ({ from: join(target, folder), to: join(dist, folder) }));
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
