// Serves JupyterLab: options, the child process, the URL, and an end that leaves nothing running.
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join, relative } from "node:path";
import { build, jupyter, nodePackages, venvPython, webgpuDriver } from "./setup.mjs";
import { parseOptions, root, SetupError, stopSteps, UsageError } from "./steps.mjs";

export const usage = `Usage: npm start -- [options]
  --no-browser   print the URL, open nothing
  --port N       serve on port N (default: the first free one from 8888)
  --ip A         listen on address A (default 127.0.0.1)
  --help         this text`;

function options(argv) {
  const { values } = parseOptions(argv, {
    "no-browser": { type: "boolean" },
    port: { type: "string" },
    ip: { type: "string" },
    help: { type: "boolean", short: "h" },
  });
  const port = values.port === undefined ? undefined : Number(values.port);
  if (port !== undefined && (!Number.isInteger(port) || port < 0 || port > 65535)) {
    throw new UsageError(`--port takes a number from 0 to 65535, not "${values.port}".`);
  }
  return { help: values.help, browser: !values["no-browser"], port, ip: values.ip ?? "127.0.0.1" };
}

/** The port if it is free (0: any), or `null`. */
function tryPort(port, ip) {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", (error) =>
      error.code === "EADDRINUSE"
        ? resolve(null)
        : reject(new SetupError(`Cannot listen on ${ip}: ${error.message}.`)),
    );
    probe.listen(port, ip, () => {
      const { port: got } = probe.address();
      probe.close(() => resolve(got));
    });
  });
}

async function freePort(wanted, ip) {
  if (wanted !== undefined) {
    const got = await tryPort(wanted, ip);
    if (got === null)
      throw new SetupError(`Port ${wanted} is in use: choose another with --port, or leave the option out.`);
    return got;
  }
  for (let port = 8888; port < 8988; port++) if ((await tryPort(port, ip)) !== null) return port;
  return tryPort(0, ip);
}

/** Runs JupyterLab until it ends or is told to stop; returns the exit code. */
async function serve({ browser, port: wanted, ip }) {
  const port = await freePort(wanted, ip);
  const token = randomBytes(24).toString("hex");
  mkdirSync(join(root, ".mlsys"), { recursive: true });
  const logFile = join(root, ".mlsys", "jupyter.log");
  const log = openSync(logFile, "w");
  const args = [
    "-m",
    "jupyterlab",
    `--ServerApp.root_dir=${root}`,
    "--ServerApp.default_url=/lab/tree/notebooks",
    `--ip=${ip}`,
    `--port=${port}`,
    "--ServerApp.port_retries=0",
  ];
  if (!browser) args.push("--no-browser");
  if (process.getuid?.() === 0) args.push("--allow-root");
  // A process group of its own: the terminal's Ctrl-C reaches this script alone, which then ends the server properly.
  const child = spawn(venvPython, args, {
    cwd: root,
    env: { ...process.env, JUPYTER_TOKEN: token },
    stdio: ["ignore", log, log],
    detached: process.platform !== "win32",
  });
  closeSync(log);
  let ended = null;
  const exit = new Promise((resolve) => {
    child.once("error", (error) => resolve({ code: 1, reason: error.message }));
    child.once("exit", (code, signal) => resolve({ code: code ?? 1, reason: signal ?? `exit code ${code}` }));
  });
  exit.then((result) => {
    ended = result;
  });
  const group = (signal) => {
    try {
      process.kill(process.platform === "win32" ? child.pid : -child.pid, signal);
    } catch {
      // already gone
    }
  };
  let stopping = false;
  const stop = () => {
    if (stopping) return group("SIGKILL"); // asked twice: at once
    stopping = true;
    process.stderr.write("\nStopping JupyterLab and its kernels …\n");
    child.kill("SIGTERM");
    setTimeout(() => group("SIGKILL"), 10_000).unref();
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, stop);

  const address = `http://${ip === "0.0.0.0" || ip === "::" ? "localhost" : ip.includes(":") ? `[${ip}]` : ip}:${port}`;
  while (!ended && !stopping) {
    const up = await fetch(`${address}/api/status?token=${token}`).then(
      (r) => r.ok,
      () => false,
    );
    if (up) {
      process.stdout.write(
        `JupyterLab is at ${address}/lab/tree/notebooks?token=${token}\nCtrl-C stops it.\n`,
      );
      break;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const { code, reason } = await exit;
  group("SIGKILL"); // kernels that outlived the server
  if (stopping) return 0;
  const lines = readFileSync(logFile, "utf8").trimEnd().split("\n").slice(-15).join("\n");
  process.stderr.write(
    `JupyterLab ended: ${reason}\n${lines}\nThe whole log is in ${relative(process.cwd(), logFile)}.\n`,
  );
  return code || 1;
}

export async function main(argv) {
  const chosen = options(argv);
  if (chosen.help) {
    console.log(usage);
    return 0;
  }
  const abort = () => {
    stopSteps();
    process.exit(130);
  };
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, abort);
  // Asked before the long installation, and again after it.
  await freePort(chosen.port, chosen.ip);
  await nodePackages();
  await build();
  await jupyter();
  await webgpuDriver();
  for (const signal of ["SIGINT", "SIGTERM"]) process.off(signal, abort);
  return serve(chosen);
}
