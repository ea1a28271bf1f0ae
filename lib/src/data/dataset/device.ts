/** Where ops work (DALI's rule): behind an op whose result is in a device's memory, all work there. */
import { DeviceError, ValueError } from "../../core/errors.js";
import type { DeviceMode, Node } from "./node.js";

const MODES: readonly DeviceMode[] = ["cpu", "mixed", "gpu"];

/** The last op before this one that leaves its elements on a device. */
function onDevice(node: Node): { readonly name: string; readonly device: DeviceMode } | undefined {
  const { spec } = node;
  if ("call" in spec && spec.call.device !== "cpu") return { name: node.name, device: spec.call.device };
  for (const input of node.inputs) {
    const found = onDevice(input);
    if (found) return found;
  }
  return undefined;
}

/**
 * @param follows true for ops that take the place of their elements
 * @throws DeviceError naming both ops, if an op of the host would follow one of a device
 */
export function checkDevice(
  input: Node,
  name: string,
  device: DeviceMode | undefined,
  follows: boolean,
): DeviceMode {
  if (device !== undefined && !MODES.includes(device))
    throw new ValueError(
      `dataset: ${name} wants the device cpu, mixed or gpu, got ${JSON.stringify(device)}`,
    );
  const before = onDevice(input);
  if (!before) {
    if (device === "gpu")
      throw new DeviceError(
        `dataset: ${name} works on the gpu, and no op before it brings its elements there; make it, or one before it, "mixed"`,
      );
    return device ?? "cpu";
  }
  if (device === undefined && follows) return "gpu";
  if (device !== "gpu")
    throw new DeviceError(
      `dataset: ${name} works on the ${device === "mixed" ? "host's elements (mixed)" : "cpu"}, but ${before.name} (${before.device}) before it leaves its elements on the gpu; behind it all ops are "gpu"`,
    );
  return "gpu";
}
