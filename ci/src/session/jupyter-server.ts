/** A Jupyter server of the grader's own: on loopback, with a token nobody else knows, and no one's settings. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { GraderError, messageOf } from "../errors.js";
import { onTheWayOut } from "./running.js";

/** How a server is reached. */
export interface ServerAddress {
  /** Up to where `api/` begins. */
  url: string;
  token: string;
}

export interface OwnServerOptions {
  /** Folder that kernels start in and paths are relative to. */
  root: string;
  /** The program `jupyter-server`; default: the one of the nearest `.venv` from `search` upwards, else of the PATH. */
  program?: string;
  /** Default: `root`. */
  search?: string;
}

const START_MS = 60_000;
const STOP_MS = 10_000;
const IDLE_S = 900;
const LISTEN_TRIES = 200;
const WINDOWS = process.platform === "win32";
const NAME = WINDOWS ? "jupyter-server.exe" : "jupyter-server";

export class OwnJupyterServer {
  private constructor(
    readonly address: ServerAddress,
    private readonly child: ChildProcess,
    private readonly folder: string,
  ) {}

  /** @throws GraderError when there is no such program, or with what it said when it does not start */
  static async start({
    root,
    search = root,
    program = findProgram(search),
  }: OwnServerOptions): Promise<OwnJupyterServer> {
    onTheWayOut.check();
    if (program === undefined)
      throw new GraderError(
        `${NAME} is not installed: pip install jupyter-server, or name a server with --server`,
      );
    const folder = mkdtempSync(join(tmpdir(), "mlsys-jupyter-"));
    const token = randomBytes(24).toString("hex");
    const args = [
      "--ip=127.0.0.1",
      "--port=0",
      "--no-browser",
      `--ServerApp.root_dir=${resolve(root)}`,
      // Answers travel as outputs: a server that drops outputs drops answers.
      "--ZMQChannelsWebsocketConnection.limit_rate=False",
      // It ends by itself, if the grader was killed before it could end it.
      `--MappingKernelManager.cull_idle_timeout=${IDLE_S}`,
      `--ServerApp.shutdown_no_activity_timeout=${IDLE_S}`,
      ...(process.getuid?.() === 0 ? ["--allow-root"] : []),
    ];
    const child = spawn(program, args, {
      cwd: root,
      env: {
        ...process.env,
        JUPYTER_TOKEN: token,
        JUPYTER_RUNTIME_DIR: join(folder, "runtime"),
        JUPYTER_CONFIG_DIR: join(folder, "config"),
      },
      stdio: ["ignore", "ignore", "pipe"],
      // A group of its own, ended as one: kernels outlive a server that is killed.
      detached: !WINDOWS,
    });
    const server = new OwnJupyterServer({ url: "", token }, child, folder);
    onTheWayOut.add(server);
    try {
      server.address.url = await addressOf(child);
      await listening(server.address.url);
      return server;
    } catch (error) {
      await server.shutdown();
      throw error;
    }
  }

  async shutdown(): Promise<void> {
    const { child } = this;
    if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) {
      const ended = new Promise((done) => child.once("exit", done));
      child.kill("SIGTERM");
      const timer = setTimeout(() => this.killNow(), STOP_MS);
      await ended;
      clearTimeout(timer);
    }
    this.killNow();
    rmSync(this.folder, { recursive: true, force: true });
    onTheWayOut.delete(this);
  }

  killNow(): void {
    const { pid } = this.child;
    if (pid === undefined) return;
    try {
      process.kill(WINDOWS ? pid : -pid, "SIGKILL");
    } catch {
      // The group is already gone.
    }
  }
}

/** Waits for the line that says where the server listens. */
function addressOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = "";
    const fail = (why: string) =>
      reject(new GraderError(`the Jupyter server did not start: ${why}\n${said.slice(-2_000)}`.trimEnd()));
    const timer = setTimeout(() => fail(`no address within ${START_MS / 1000} s`), START_MS);
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      // Its log is read on, or the server would block when the pipe is full.
      if (said.length < 100_000) said += text;
      const url = /(http:\/\/127\.0\.0\.1:\d+\/)\S*\n/.exec(said)?.[1];
      if (url === undefined) return;
      clearTimeout(timer);
      resolve(url);
    });
    child.once("error", (error) => {
      clearTimeout(timer);
      fail(error.message);
    });
    child.once("exit", (code) => {
      clearTimeout(timer);
      fail(`it ended with exit code ${code}`);
    });
  });
}

/** It prints its address a moment before it listens there. */
async function listening(url: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await fetch(`${url}api/status`);
      return;
    } catch (error) {
      if (tries === LISTEN_TRIES)
        throw new GraderError(`the Jupyter server does not listen: ${messageOf(error)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function findProgram(start: string): string | undefined {
  const candidates: string[] = [];
  for (let folder = resolve(start); ; folder = dirname(folder)) {
    candidates.push(join(folder, ".venv", WINDOWS ? "Scripts" : "bin", NAME));
    if (dirname(folder) === folder) break;
  }
  for (const folder of (process.env.PATH ?? "").split(delimiter)) candidates.push(join(folder, NAME));
  return candidates.find((file) => existsSync(file));
}
