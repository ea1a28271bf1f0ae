/** Gradescope's autograder: a zip file with the grader, one assignment and the two scripts that Gradescope runs. */
import { execFile } from "node:child_process";
import { createWriteStream } from "node:fs";
import { mkdtemp, readdir, readFile, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { ZipFile } from "yazl";
import type { Course } from "../batch/course.js";
import { GraderError, messageOf } from "../errors.js";

/** The grader's own packages; what they need comes from the registry. */
const PACKAGES = ["mlsys", "@mlsys/kernel", "@mlsys/grader"];
const SCRIPTS = fileURLToPath(new URL("../../platforms/gradescope/", import.meta.url));
/** The same files always give the same bytes. */
const MTIME = new Date("2020-01-01T00:00:00Z");

/**
 * @param slug of the assignment
 * @param target the zip file
 * @param packages folder of packed packages (`npm pack`); default: those that run now are packed
 * @throws GraderError when a package can't be packed
 */
export async function gradescopeZip(
  course: Course,
  slug: string,
  target: string,
  packages?: string,
): Promise<void> {
  const scratch = await mkdtemp(join(tmpdir(), "mlsys-pack-"));
  try {
    const folder = packages ?? (await packOwn(scratch));
    const zip = new ZipFile();
    const add = (text: string | Buffer, name: string, mode = 0o644) =>
      zip.addBuffer(Buffer.from(text), name, { mtime: MTIME, mode: 0o100000 | mode });
    for (const name of ["run_autograder", "setup.sh"]) {
      const text = await readFile(join(SCRIPTS, name), "utf8");
      add(text.replaceAll("@SLUG@", slug), name, 0o755);
    }
    add(await readFile(join(course.solutions, `${slug}.ipynb`)), `course/solutions/${slug}.ipynb`);
    add('{ "private": true, "type": "module" }\n', "course/package.json");
    const settings = await readFile(join(dirname(course.solutions), "grading.json")).catch(() => undefined);
    if (settings) add(settings, "course/grading.json");
    for (const name of (await readdir(folder)).filter((file) => file.endsWith(".tgz")).sort())
      add(await readFile(join(folder, name)), `packages/${name}`);
    zip.end();
    const draft = `${target}.${process.pid}.tmp`;
    await pipeline(zip.outputStream, createWriteStream(draft));
    await rename(draft, target);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function packOwn(folder: string): Promise<string> {
  for (const name of PACKAGES) {
    try {
      const own = dirname(fileURLToPath(import.meta.resolve(`${name}/package.json`)));
      await promisify(execFile)(
        "npm",
        ["pack", "--silent", "--ignore-scripts", "--pack-destination", folder],
        {
          cwd: own,
        },
      );
    } catch (error) {
      throw new GraderError(`the package ${name} can't be packed: ${messageOf(error)}`);
    }
  }
  return folder;
}
