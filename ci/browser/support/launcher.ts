/** `npm start` as a learner runs it, on a port of its own and with settings that are thrown away. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../../..", import.meta.url)).replace(/\/$/, "");

export interface LabServer {
  /** The address that the launcher printed, token and all. */
  url: string;
  /** A folder for new notebooks, as Jupyter names it (from the root, with `/`); git ignores it. */
  scratch: string;
  /** Stops the launcher as Ctrl-C does and resolves to its exit code. */
  stop(): Promise<number | null>;
}

/** @throws with what the launcher printed, if it ends before JupyterLab is up. */
export async function startLab(): Promise<LabServer> {
  mkdirSync(join(ROOT, "ci/dist"), { recursive: true });
  const folder = mkdtempSync(join(ROOT, "ci/dist/browser-"));
  const child = spawn(
    process.execPath,
    ["ci/scripts/start.mjs", "--no-browser", "--port", String(await freePort())],
    {
      cwd: ROOT,
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        ...process.env,
        JUPYTERLAB_SETTINGS_DIR: join(folder, "settings"),
        JUPYTERLAB_WORKSPACES_DIR: join(folder, "workspaces"),
        MLSYS_HISTORY: join(folder, "history.jsonl"),
      },
    },
  );
  const ended = new Promise<number | null>((resolve) => child.once("exit", (code) => resolve(code)));
  const stop = async (): Promise<number | null> => {
    child.kill("SIGINT");
    const code = await ended;
    if (existsSync(folder)) rmSync(folder, { recursive: true, force: true });
    return code;
  };
  try {
    return { url: await address(child), scratch: relative(ROOT, folder), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Waits for the line that tells where JupyterLab is. */
function address(child: ChildProcess): Promise<string> {
  let text = "";
  return new Promise((resolve, reject) => {
    const take = (chunk: Buffer): void => {
      text += chunk;
      const url = /JupyterLab is at (\S+)/.exec(text)?.[1];
      if (url) resolve(url);
    };
    child.stdout?.on("data", take);
    child.stderr?.on("data", take);
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`the launcher ended with ${code}:\n${text}`)));
  });
}

/** A port that nothing listens on. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const port = (probe.address() as { port: number }).port;
      probe.close(() => resolve(port));
    });
  });
}
