/** npm's `tslab`, the oracle of the differential test: installed once, beside the repository, in a folder of its own. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

// Not a dependency: it brings a TypeScript whose `tsc` would take the place of the workspace's.
const FOLDER = fileURLToPath(new URL("../../.mlsys/peers/tslab", import.meta.url));

/** What starts it, or the reason why it cannot. @throws when `CI` is set: there, nothing may be skipped. */
export function tslabKernel(): { argv: string[] } | { missing: string } {
  const package_ = join(FOLDER, "node_modules", "tslab");
  try {
    if (!existsSync(package_)) {
      mkdirSync(FOLDER, { recursive: true });
      const options = ["--prefix", FOLDER, "--no-audit", "--no-fund"];
      execFileSync("npm", ["install", ...options, "tslab@1.0.22", "@types/node@20"], {
        stdio: "ignore",
        timeout: 300_000,
      });
    }
    // It looks for @types/node beside itself only.
    const types = join(package_, "node_modules", "@types");
    if (!existsSync(types)) {
      mkdirSync(dirname(types), { recursive: true });
      symlinkSync(join(FOLDER, "node_modules", "@types"), types, "dir");
    }
    return {
      argv: [
        process.execPath,
        join(package_, "bin", "tslab"),
        "kernel",
        "--config-path",
        "{connection_file}",
      ],
    };
  } catch (error) {
    if (process.env.CI) throw error;
    return { missing: `npm's tslab cannot be installed: ${(error as Error).message.split("\n")[0]}` };
  }
}
