/**
 * What Dawn needs of the system on Linux: the Vulkan loader and a driver. Without either there is SwiftShader, a driver that
 * computes on the CPU: `mlsys devices install webgpu` fetches it with a loader, and Debian's chromium carries both.
 */
import { existsSync, readdirSync } from "node:fs";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { cacheFolder } from "../native/toolchain.js";

const LOADER = "libvulkan.so.1";
const LIBRARY_FOLDERS = [
  "/usr/lib/x86_64-linux-gnu",
  "/usr/lib/aarch64-linux-gnu",
  "/usr/lib64",
  "/usr/lib",
  "/usr/local/lib",
];
const DRIVER_FOLDERS = ["/etc/vulkan/icd.d", "/usr/share/vulkan/icd.d", "/usr/local/share/vulkan/icd.d"];
const CHROMIUM = ["/usr/lib/chromium", "/usr/lib/chromium-browser", "/opt/google/chrome"];
const SWIFTSHADER = "vk_swiftshader_icd.json";
/** What SwiftShader is made of, beside a loader. */
export const SWIFTSHADER_FILES = [LOADER, "libvk_swiftshader.so", SWIFTSHADER] as const;
const RTLD_NODELETE = 0x1000;

/** Where `mlsys devices install webgpu` puts SwiftShader. */
export const installedSwiftshader = (): string => join(cacheFolder("devices"), "swiftshader");

/** Drivers that were named, or are installed. */
export function installedDrivers(env: NodeJS.ProcessEnv = process.env): string[] {
  const named = env.VK_DRIVER_FILES || env.VK_ICD_FILENAMES;
  if (named) return named.split(":").filter((file) => file !== "");
  return DRIVER_FOLDERS.flatMap((folder) =>
    existsSync(folder)
      ? readdirSync(folder)
          .filter((name) => name.endsWith(".json"))
          .map((name) => join(folder, name))
      : [],
  );
}

/** A folder that has SwiftShader and a loader: that of a driver that was named, what was installed, a chromium. */
export const softwareFolder = (named: readonly string[] = []): string | undefined =>
  [...named.map(dirname), installedSwiftshader(), ...CHROMIUM].find(
    (folder) => existsSync(join(folder, SWIFTSHADER)) && existsSync(join(folder, LOADER)),
  );

/** Lavapipe of Mesa before 23 lacks what Dawn demands, so that a machine with nothing else has no adapter. */
const isHardware = (driver: string): boolean => !/lvp_icd|swiftshader/i.test(driver);

/**
 * Makes a loader and a driver known to this process, where it lacks them. To be called before Dawn starts.
 * @returns what is missing and how to get it, or `null`
 */
export function prepareVulkan(): string | null {
  if (process.platform !== "linux") return null; // Direct3D 12 and Metal belong to the system
  const named = process.env.VK_DRIVER_FILES || process.env.VK_ICD_FILENAMES;
  const drivers = installedDrivers();
  const spare = softwareFolder(named ? drivers : []);
  const gone = named ? drivers.filter((file) => !existsSync(file)) : [];
  if (named && gone.length === drivers.length)
    return `the Vulkan driver named in the environment is not there: ${named}`;
  if (!named && !drivers.some(isHardware) && spare) process.env.VK_ICD_FILENAMES = join(spare, SWIFTSHADER);
  else if (drivers.length === 0)
    return "no Vulkan driver: install your GPU's (Debian: mesa-vulkan-drivers, or nvidia-vulkan-icd); to compute on the CPU, slowly: npx mlsys devices install webgpu";
  if (LIBRARY_FOLDERS.some((folder) => existsSync(join(folder, LOADER)))) return null;
  if (!spare) return `no Vulkan loader (${LOADER}): install it (Debian: apt install libvulkan1)`;
  load(join(spare, LOADER));
  return null;
}

/** Keeps a library loaded, so that Dawn finds it by its name. It is no Node addon, which is what the error says. */
function load(path: string): void {
  try {
    process.dlopen({ exports: {} }, path, constants.dlopen.RTLD_NOW | RTLD_NODELETE);
  } catch {}
}
