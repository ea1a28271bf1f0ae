/** How a cell can end besides its own way: interrupted, or with the process that ran it. */
import type { ErrorReport } from "../link/messages.js";

/** Before it began to run. */
export const INTERRUPTED: ErrorReport = {
  ename: "Interrupted",
  evalue: "The cell was interrupted.",
  traceback: ["Interrupted: The cell was interrupted before it began to run."],
};

/** While it ran. */
export const STOPPED: ErrorReport = {
  ename: "Interrupted",
  evalue: "The cell was interrupted.",
  traceback: ["Interrupted: The cell was interrupted. Variables keep the values that they had."],
};

/** The worker ended. @param interrupted because it could not be interrupted otherwise */
export function exitReport(
  code: number | null,
  signal: NodeJS.Signals | null,
  interrupted: boolean,
): ErrorReport {
  const lost =
    "A fresh one has started: variables and imports of earlier cells are gone, run their cells again.";
  if (interrupted) {
    const evalue = `The cell could not be stopped otherwise, so its process was ended. ${lost}`;
    return { ename: "KernelWorkerExit", evalue, traceback: [`Interrupted: ${evalue}`] };
  }
  const how =
    signal === "SIGABRT"
      ? "crashed or ran out of memory"
      : signal
        ? `was ended by ${signal}`
        : `exited with code ${code}`;
  const evalue = `The process that runs the cells ${how}. ${lost}`;
  return { ename: "KernelWorkerExit", evalue, traceback: [`KernelWorkerExit: ${evalue}`] };
}
