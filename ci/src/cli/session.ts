/** The options that choose how kernels are reached. */
import { parse } from "node:path";
import type { Command } from "commander";
import { Option } from "commander";
import { GraderError } from "../errors.js";
import { OwnJupyterServer } from "../session/jupyter-server.js";
import type { JupyterPlace } from "../session/open.js";

export interface SessionFlags {
  session: "zeromq" | "jupyter";
  server?: string;
  token?: string;
  kernel?: string;
  folder?: string;
}

export function sessioned(command: Command): Command {
  return command
    .addOption(
      new Option("--session <way>", "how kernels are reached: zeromq, or those of a Jupyter server")
        .choices(["zeromq", "jupyter"])
        .default("zeromq"),
    )
    .option("--server <url>", "the Jupyter server; default: one of its own")
    .addOption(new Option("--token <token>", "of the Jupyter server").env("JUPYTER_TOKEN"))
    .option("--kernel <name>", "kernel of the Jupyter server (default: mlsys)")
    .option("--folder <path>", "where kernels start, from the root of the Jupyter server");
}

/**
 * The Jupyter server that was asked for, if one was; its own one ends with the program.
 * @throws GraderError for flags that contradict each other
 */
export async function jupyterPlace(flags: SessionFlags): Promise<JupyterPlace | undefined> {
  const { session, server, token = "", kernel: kernelName, folder } = flags;
  if (session !== "jupyter") {
    if (server !== undefined) throw new GraderError("--server names a Jupyter server: add --session jupyter");
    return undefined;
  }
  if (server !== undefined) {
    if (!/^https?:\/\//.test(server))
      throw new GraderError(`--server ${server}: expected http://… or https://…`);
    // Of a server elsewhere nothing is known about its folders.
    return { url: server, token, kernelName, folder: folder ?? "" };
  }
  const { address } = await OwnJupyterServer.start({
    root: parse(process.cwd()).root,
    search: process.cwd(),
  });
  return { ...address, kernelName, folder };
}
