/** Which kernel the grader starts: the project's own, in a box or beside the grader. */
import { existsSync } from "node:fs";
import { parse, relative } from "node:path";
import type { LaunchSpec } from "@mlsys/kernel/client";
import { hostMain, kernelSpec } from "@mlsys/kernel/spec";
import { GraderError } from "../errors.js";
import type { Isolation } from "../sandbox/ladder.js";
import type { BoxLimits } from "../sandbox/limits.js";
import { viewFor } from "../sandbox/view.js";
import { BareTongue } from "./bare.js";
import type { ServerAddress } from "./jupyter-server.js";
import { BoxPool } from "./pool.js";
import { BoxedKernel, SandboxedSession } from "./sandboxed.js";
import type { SessionFactory } from "./session.js";
import { KernelTongue, type Tongue } from "./tongue.js";
import { ZmqSession } from "./zmq.js";

/** Unfenced, for code of one's own. @param cwd folder that the notebook's imports resolve from */
export function kernelFactory(cwd: string): SessionFactory {
  const spec = ownKernel();
  return () => new ZmqSession({ spec, cwd });
}

/** Opens boxes for an assignment's folder. */
export type OpenBox = (cwd: string) => SessionFactory;

export interface BoxesOptions {
  isolation: Isolation;
  limits: BoxLimits;
  /** Kernels to keep ready. */
  warm?: number;
  /** Files and folders that answers may read, from the assignment's folder. */
  readable?: readonly string[];
  /** More variables for the kernel. */
  env?: Readonly<Record<string, string>>;
}

/** Boxes of one level; those of one folder share a store of warm kernels. */
export function boxes(options: BoxesOptions): OpenBox {
  ownKernel();
  // Without a shell there is nothing to start a box with.
  if (options.isolation.level === "none" && process.platform === "win32") return kernelFactory;
  return stored(options, () => new KernelTongue());
}

/** Boxes with nothing but the kernel's worker, for cells that are plain and right. */
export function bareBoxes(options: BoxesOptions): OpenBox {
  return stored(options, () => new BareTongue());
}

function stored(
  { isolation, limits, warm = 0, readable = [], env }: BoxesOptions,
  tongue: () => Tongue,
): OpenBox {
  const pools = new Map<string, BoxPool>();
  return (cwd) => {
    const options = { isolation, limits, env, tongue, view: viewFor(cwd, readable) };
    let pool = pools.get(cwd);
    if (!pool && warm > 0) {
      pool = new BoxPool(options, warm);
      pools.set(cwd, pool);
    }
    return () => new SandboxedSession(() => pool?.take() ?? BoxedKernel.start(options), limits);
  };
}

/** A Jupyter server's kernels. */
export interface JupyterPlace extends ServerAddress {
  kernelName?: string;
  /** Where kernels start, from the server's root; default: in the assignment's folder, which the server then sees. */
  folder?: string;
}

/** Unfenced, as whoever runs the server. Its client is loaded only when it is asked for. */
export async function onJupyter({ url, token, kernelName, folder }: JupyterPlace): Promise<OpenBox> {
  const { JupyterSession } = await import("./jupyter.js");
  return (cwd) => {
    const path = folder ?? relative(parse(cwd).root, cwd).replaceAll("\\", "/");
    return () => new JupyterSession({ server: { url, token }, kernelName, path });
  };
}

/** @throws GraderError when the kernel is not built */
function ownKernel(): LaunchSpec {
  const { argv, env } = kernelSpec();
  if (!existsSync(hostMain()))
    throw new GraderError(`the kernel is not built (${hostMain()} is missing): run npm run build`);
  return { argv, env };
}
