/** The content of kernel.json. Source: "Making kernels for Jupyter", section "Kernel specs". */
import { fileURLToPath } from "node:url";

export const DEFAULT_NAME = "mlsys";
export const DEFAULT_DISPLAY_NAME = "TypeScript (mlsys)";

export interface KernelSpec {
  argv: string[];
  display_name: string;
  language: "typescript";
  interrupt_mode: "message";
  env: Record<string, string>;
  metadata: { debugger: boolean; supported_features: string[] };
}

/** The file that `node` runs. */
export function hostMain(): string {
  return fileURLToPath(new URL("../host/main.js", import.meta.url));
}

export function kernelSpec(displayName = DEFAULT_DISPLAY_NAME): KernelSpec {
  return {
    argv: [process.execPath, hostMain(), "{connection_file}"],
    display_name: displayName,
    language: "typescript",
    interrupt_mode: "message",
    env: {},
    metadata: { debugger: true, supported_features: ["debugger"] },
  };
}
