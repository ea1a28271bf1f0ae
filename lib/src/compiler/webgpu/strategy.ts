/** Whether kernels share work out to workgroups: on GPUs they do; a CPU that plays GPU pays for each barrier and wins nothing. */
import { gpu } from "../../runtime/webgpu/start.js";
import { forgetPlans } from "./commands.js";

let workgroups: boolean | null = null;

/** Says whether they do; `null`: as it suits the adapter. */
export function useWorkgroups(wanted: boolean | null): void {
  workgroups = wanted;
  forgetPlans();
}

/** What they take, 8 KiB and 256 invocations, is what every adapter has. */
export const usesWorkgroups = (): boolean => workgroups ?? !gpu().facts.software;
