/** kernel_info_request, connect_request, shutdown_request and usage_request: the kernel about itself. */
import { readFileSync } from "node:fs";
import { cpus, freemem, hostname, totalmem } from "node:os";
import { PROTOCOL_VERSION } from "../../protocol/message.js";
import { booleanField, type Handler } from "../context.js";
import { processUsage } from "../usage.js";

const VERSION = (
  JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8")) as { version: string }
).version;

export const kernelInfo: Handler = () => ({
  status: "ok",
  protocol_version: PROTOCOL_VERSION,
  implementation: "mlsys",
  implementation_version: VERSION,
  language_info: {
    name: "typescript",
    version: "6.0.3",
    mimetype: "text/typescript",
    file_extension: ".ts",
    pygments_lexer: "typescript",
    // A name, not a mode of CodeMirror 5: JupyterLab 4 takes "javascript" with options for plain JavaScript.
    codemirror_mode: "typescript",
    nbconvert_exporter: "script",
  },
  banner: `TypeScript (mlsys ${VERSION}) on Node.js ${process.version}`,
  debugger: true,
  help_links: [
    { text: "TypeScript", url: "https://www.typescriptlang.org/docs/" },
    { text: "Node.js", url: "https://nodejs.org/docs/latest/api/" },
  ],
  supported_features: ["debugger"],
});

export const connect: Handler = (_request, { connection }) => ({
  status: "ok",
  shell_port: connection.shell_port,
  iopub_port: connection.iopub_port,
  stdin_port: connection.stdin_port,
  hb_port: connection.hb_port,
  control_port: connection.control_port,
});

export const shutdown: Handler = (request, kernel) => {
  const restart = booleanField(request.content, "restart", false);
  void kernel.shutdown(restart);
  return { status: "ok", restart };
};

export const interrupt: Handler = async (_request, kernel) => {
  await kernel.executor.interrupt();
  return { status: "ok" };
};

let before = { time: process.hrtime.bigint(), cpu: 0 };

/** Processor time since the last question, memory of host and worker together, as ipykernel reports it. */
export const usage: Handler = (_request, { executor }) => {
  const worker = processUsage(executor.workerPid) ?? { cpuSeconds: 0, memory: 0 };
  const own = process.cpuUsage();
  const cpu = (own.user + own.system) / 1e6 + worker.cpuSeconds;
  const time = process.hrtime.bigint();
  const elapsed = Number(time - before.time) / 1e9;
  const percent = elapsed > 0 ? Math.max(0, ((cpu - before.cpu) / elapsed) * 100) : 0;
  before = { time, cpu };
  return {
    status: "ok",
    hostname: hostname(),
    pid: process.pid,
    kernel_cpu: percent,
    kernel_memory: process.memoryUsage.rss() + worker.memory,
    cpu_count: cpus().length,
    host_virtual_memory: {
      total: totalmem(),
      available: freemem(),
      used: totalmem() - freemem(),
      free: freemem(),
      percent: (1 - freemem() / totalmem()) * 100,
    },
  };
};
