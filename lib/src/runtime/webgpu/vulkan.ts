/**
 * What Dawn needs of the system on Linux: the Vulkan loader and a driver. Without either, Debian's chromium carries both:
 * a loader, and SwiftShader, a driver that computes on the CPU.
 */
import { existsSync, readdirSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";

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
const RTLD_NODELETE = 0x1000;

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

/** The folder of a chromium that brings SwiftShader. */
export const softwareFolder = (): string | undefined =>
  CHROMIUM.find((folder) => existsSync(join(folder, SWIFTSHADER)) && existsSync(join(folder, LOADER)));

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
  const spare = softwareFolder();
  const gone = named ? drivers.filter((file) => !existsSync(file)) : [];
  if (named && gone.length === drivers.length)
    return `the Vulkan driver named in the environment is not there: ${named}`;
  if (!named && !drivers.some(isHardware) && spare) process.env.VK_ICD_FILENAMES = join(spare, SWIFTSHADER);
  else if (drivers.length === 0)
    return "no Vulkan driver: install your GPU's (Debian: mesa-vulkan-drivers, or nvidia-vulkan-icd); to compute on the CPU, slowly: apt install chromium, which carries SwiftShader";
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
