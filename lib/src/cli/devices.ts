/** `mlsys devices`: what this machine has, what is missing and how to get it. */
import colors from "picocolors";
import { devices } from "../index.js";
import type { DeviceInfo } from "../runtime/devices.js";
import { INSTALLABLE } from "./install/hints.js";

export interface DeviceRow extends DeviceInfo {
  /** The command that gets it, or says how; only of those that are missing. */
  readonly install?: string;
}

/** Every device; what is missing with the command that gets it. */
export function deviceRows(): DeviceRow[] {
  return devices().map((device) =>
    device.available || !INSTALLABLE.includes(device.name)
      ? device
      : { ...device, install: `npx mlsys devices install ${device.name}` },
  );
}

export function devicesAsText(rows: readonly DeviceRow[]): string {
  const width = Math.max(...rows.map(({ name }) => name.length));
  return rows
    .map(({ name, available, detail, install }) => {
      const mark = available ? colors.green("✓") : colors.yellow("–");
      const how =
        install && !detail.includes(install) ? `\n${" ".repeat(width + 4)}${colors.dim(install)}` : "";
      return `${mark} ${name.padEnd(width)}  ${detail}${how}`;
    })
    .join("\n");
}
