/**
 * SwiftShader, a driver that computes on the CPU, for answers that use WebGPU: boxes have no GPU. It is where
 * `mlsys devices install webgpu` put it, or in a chromium.
 */
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

const DRIVER = "vk_swiftshader_icd.json";
const CHROMIUM = ["/usr/lib/chromium", "/usr/lib/chromium-browser"];

/** Its folder, if there is one. */
export function softwareGpu(env: NodeJS.ProcessEnv = process.env): string | undefined {
  const cache = env.MLSYS_CACHE ?? join(env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "mlsys");
  return [join(cache, "devices", "swiftshader"), ...CHROMIUM].find((folder) =>
    existsSync(join(folder, DRIVER)),
  );
}

/** Names it to the box's programs. */
export function softwareGpuEnvironment(): Record<string, string> {
  const folder = softwareGpu();
  return folder === undefined ? {} : { VK_ICD_FILENAMES: join(folder, DRIVER) };
}
