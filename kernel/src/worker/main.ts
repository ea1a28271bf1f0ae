/**
 * The worker process: holds the reader's variables and runs the cells. It knows nothing of Jupyter:
 * it has no connection file, no key and no socket, only the pipes to its host.
 */
import inspector from "node:inspector";
import type { ToWorker } from "../link/messages.js";
import { receiveComm } from "./comms.js";
import { reportError } from "./errors.js";
import { closeShell, interruptCells, runCell } from "./evaluate.js";
import { installGlobals } from "./globals.js";
import { useSettings } from "./imports.js";
import { answered } from "./input.js";
import { calm } from "./interrupts.js";
import { listen, send } from "./link.js";
import { endPrograms } from "./magics.js";
import { installStackTraces } from "./positions.js";
import { currentRun, followEvents, followPromises, runOf } from "./runs.js";
import { isSettled } from "./settled.js";
import { flush, installStreams } from "./streams.js";
import { guarded, held, installTimers } from "./timers.js";

const session = new inspector.Session();
session.connect();

installStackTraces();
installStreams();
installTimers(session);
installGlobals();
followPromises();
followEvents();

listen(
  receive,
  () => process.kill(process.pid, "SIGKILL"),
  (body) => held(session, body),
);

// The terminal's Ctrl-C reaches the whole process group; interrupts are the host's to send.
process.on("SIGINT", () => {});
process.on("uncaughtException", (error) => reportLate(error, currentRun()));
process.on("unhandledRejection", (error, promise) => reportLate(error, runOf(promise)));
// With the host's inspector connected, Node would wait at its end for a debugger to leave.
Object.assign(process, { reallyExit: leave });

send({ type: "ready", inspector: openInspector() });

function receive(message: ToWorker, buffers: Buffer[]): void {
  switch (message.type) {
    case "run":
      runCell(message);
      break;
    case "settings":
      useSettings(message.settings);
      break;
    case "interrupt":
      calm(); // first: no job of the reader's runs here, but one that was terminated could not tell of its end
      interruptCells();
      send({ type: "interrupted", token: message.token, settled: isSettled(message.token) });
      break;
    case "close-shell":
      closeShell(message.shell);
      break;
    case "input":
      answered(message.token, message.value);
      break;
    case "comm":
      receiveComm(message.kind, message.content, message.metadata, buffers, message.run, (body) =>
        guarded(session, body),
      );
      send({ type: "comm-done", message: message.run });
      break;
  }
}

function leave(code?: number): void {
  flush();
  endPrograms();
  send({ type: "exit", code: code ?? 0 });
  process.kill(process.pid, "SIGKILL");
}

/** An error that no cell's evaluation saw: in a timer, or a promise that nobody handled. */
function reportLate(error: unknown, run: number): void {
  flush();
  send({ type: "error", run, error: reportError(error) });
}

function openInspector(): string | null {
  try {
    inspector.open(0, "127.0.0.1");
    return inspector.url() ?? null;
  } catch {
    return null;
  }
}
