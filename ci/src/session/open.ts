/** Which kernel the grader starts: the project's own, found as a package. */
import { existsSync } from "node:fs";
import type { LaunchSpec } from "@mlsys/kernel/client";
import { hostMain, kernelSpec } from "@mlsys/kernel/spec";
import { GraderError } from "../errors.js";
import type { SessionFactory } from "./session.js";
import { ZmqSession } from "./zmq.js";

/** @param cwd folder that the notebook's imports resolve from */
export function kernelFactory(cwd: string): SessionFactory {
  const spec = ownKernel();
  return () => new ZmqSession({ spec, cwd });
}

/** @throws GraderError when the kernel is not built */
function ownKernel(): LaunchSpec {
  const { argv, env } = kernelSpec();
  if (!existsSync(hostMain()))
    throw new GraderError(`the kernel is not built (${hostMain()} is missing): run npm run build`);
  return { argv, env };
}
