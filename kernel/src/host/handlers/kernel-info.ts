/** kernel_info_request, connect_request, shutdown_request and interrupt_request: the kernel about itself. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { PROTOCOL_VERSION } from "../../protocol/message.js";
import { booleanField, type Handler } from "../context.js";

const VERSION = versionIn(new URL("../../../package.json", import.meta.url));
const TYPESCRIPT = versionIn(createRequire(import.meta.url).resolve("typescript/package.json"));

/** Read, not imported: TypeScript itself takes long to load. */
function versionIn(file: URL | string): string {
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}

export const kernelInfo: Handler = () => ({
  status: "ok",
  protocol_version: PROTOCOL_VERSION,
  implementation: "mlsys",
  implementation_version: VERSION,
  language_info: {
    name: "typescript",
    version: TYPESCRIPT,
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
  supported_features: ["debugger", "kernel subshells"],
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
