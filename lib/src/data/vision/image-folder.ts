/** ImageFolder: a folder per class, images in it (the layout of torchvision and MindSpore). */
import { readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { ValueError } from "../../core/errors.js";
import type { RandomAccess } from "../dataset/node.js";

/** An image as its file's bytes, to be decoded where it is used. */
export interface FolderImage {
  readonly image: Uint8Array;
  readonly label: number;
  readonly path: string;
}

/** Images by position: those of the first class first, by name. */
export class ImageFolder implements RandomAccess<FolderImage> {
  /** @internal */
  constructor(
    /** Names of the classes, in order; a label is a position here. */
    readonly classes: readonly string[],
    readonly files: readonly { readonly path: string; readonly label: number }[],
  ) {}

  get length(): number {
    return this.files.length;
  }

  /** @throws ValueError outside of the list; the system's error if the file is gone. */
  async at(index: number): Promise<FolderImage> {
    const file = this.files[index];
    if (!file) throw new ValueError(`the folder has images 0 to ${this.length - 1}, got ${index}`);
    return { ...file, image: await readFile(file.path) };
  }
}

/**
 * Lists the images of a folder of folders.
 * @param options.extensions of files that count. Default .png, .jpg, .jpeg in any case.
 * @example
 * const fs = process.getBuiltinModule("node:fs");
 * for (const name of ["cat", "dog"]) fs.mkdirSync(`pets/${name}`, { recursive: true });
 * fs.writeFileSync("pets/dog/a.png", await data.encodeImage({ dtype: "uint8", shape: [1, 1, 1], data: new Uint8Array([3]) }));
 * (await data.imageFolder("pets").at(0)).label // 1
 * @throws ValueError if there is no class, or no image.
 */
export function imageFolder(
  root: string,
  { extensions = [".png", ".jpg", ".jpeg"] }: { readonly extensions?: readonly string[] } = {},
): ImageFolder {
  const classes = readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();
  const files = classes.flatMap((name, label) => {
    const folder = join(root, name);
    return readdirSync(folder, { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isFile() && extensions.some((end) => entry.name.toLowerCase().endsWith(end)))
      .map((entry) => ({ path: join(entry.parentPath, entry.name), label }))
      .sort((a, b) => (a.path < b.path ? -1 : 1));
  });
  if (files.length === 0)
    throw new ValueError(
      `imageFolder: ${root} has ${classes.length} folders, and no ${extensions.join(", ")} in them; wanted a folder per class`,
    );
  return new ImageFolder(classes, files);
}
