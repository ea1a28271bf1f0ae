/** Which kernel the grader starts: the project's own, found as a package. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { LaunchSpec } from "@mlsys/kernel/client";
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
  const folder = dirname(fileURLToPath(import.meta.resolve("@mlsys/kernel/package.json")));
  const main = join(folder, "dist", "host", "main.js");
  if (!existsSync(main))
    throw new GraderError(`the kernel is not built (${main} is missing): run npm run build`);
  return { argv: [process.execPath, main, "{connection_file}"] };
}
