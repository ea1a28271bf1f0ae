/** Devices: which one new tensors' ops run on, and what this machine offers. */
import { DeviceError } from "../core/errors.js";

export interface DeviceInfo {
  readonly name: string;
  readonly available: boolean;
  /** What it is, or what is missing and how to get it. */
  readonly detail: string;
}

interface DeviceEntry {
  readonly name: string;
  probe(): DeviceInfo;
}

const entries = new Map<string, DeviceEntry>();
let current = "cpu";

/**
 * Makes a device known; `probe` says whether this machine has it.
 * @example
 * extend.registerDevice("example", () => ({ available: false, detail: "an example" }));
 * devices().find((device) => device.name === "example")?.detail // "an example"
 */
export function registerDevice(name: string, probe: () => Omit<DeviceInfo, "name">): void {
  entries.set(name, { name, probe: () => ({ name, ...probe() }) });
}

registerDevice("cpu", () => ({ available: true, detail: "reference kernels in TypeScript, one thread" }));

/**
 * Every known device, with what is there and what is missing.
 * @example devices().map((device) => device.name).includes("cpu") // true
 */
export function devices(): DeviceInfo[] {
  return [...entries.values()].map((entry) => entry.probe());
}

/**
 * The device that ops run on.
 * @example devices().some((device) => device.name === getDevice()) // true
 */
export function getDevice(): string {
  return current;
}

/**
 * Chooses the device that ops run on from now on.
 * @throws DeviceError if it is unknown or this machine does not have it.
 * @example setDevice(getDevice())
 */
export function setDevice(name: string): void {
  const entry = entries.get(name);
  if (!entry)
    throw new DeviceError(`setDevice: unknown device "${name}"; known: ${[...entries.keys()].join(", ")}`);
  const info = entry.probe();
  if (!info.available) throw new DeviceError(`setDevice: "${name}" is not available here: ${info.detail}`);
  current = name;
}

/** Runs `f` with another device. @throws DeviceError as `setDevice`. */
export function withDevice<T>(name: string, f: () => T): T {
  const before = current;
  if (name !== before) setDevice(name);
  try {
    return f();
  } finally {
    current = before;
  }
}
