/** The kernelspec: what Jupyter needs to know to start the kernel, and where it looks for it. */

export {
  type InstalledSpec,
  type InstallOptions,
  installKernelSpec,
  listKernelSpecs,
  uninstallKernelSpec,
} from "./install.js";
export { hostMain, type KernelSpec, kernelSpec } from "./spec.js";
