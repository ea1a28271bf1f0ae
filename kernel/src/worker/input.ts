/** Questions to the reader: `prompt` and `confirm` block the cell as they do in a browser, `input` does not. */
import { readAnswer, send } from "./link.js";
import { currentRun } from "./runs.js";
import { flush } from "./streams.js";

/** Thrown where the front end takes no input, or the question was interrupted. */
export class InputError extends Error {
  override name = "InputError";
}

let nextToken = 1;
/** Cells that run now and may ask. */
const allowed = new Set<number>();
const waiting = new Map<number, (value: string | null) => void>();

/** Whether a cell may ask: while it runs, and if its request says so (`allow_stdin`). */
export function allowInput(run: number, allow: boolean): void {
  if (allow) allowed.add(run);
  else allowed.delete(run);
}

/** Shows `message` and waits for a line; `null` when the question is dismissed. */
export function prompt(message = "", initial = ""): string | null {
  const answer = askNow(String(message), false);
  return answer === "" ? String(initial) : answer;
}

/** Asks a yes-or-no question. */
export function confirm(message = ""): boolean {
  return /^y(es)?$/i.test((askNow(`${message} [y/N] `, false) ?? "").trim());
}

/** Asks without blocking: timers and other work of the cell go on. */
export async function input(message = "", options: { password?: boolean } = {}): Promise<string> {
  const token = ask(String(message), options.password === true, false);
  const answer = await new Promise<string | null>((resolve) => waiting.set(token, resolve));
  if (answer === null) throw new InputError("The question was interrupted.");
  return answer;
}

export function answered(token: number, value: string | null): void {
  waiting.get(token)?.(value);
  waiting.delete(token);
}

function askNow(message: string, password: boolean): string | null {
  const token = ask(message, password, true);
  for (;;) {
    const answer = readAnswer();
    if (answer.token !== token) continue;
    if (answer.value === null) throw new InputError("The question was interrupted.");
    return answer.value;
  }
}

function ask(message: string, password: boolean, sync: boolean): number {
  const run = currentRun();
  if (!allowed.has(run))
    throw new InputError(
      "Nobody can be asked: the cell is over, or its front end takes no input (it sent allow_stdin: false).",
    );
  flush();
  const token = nextToken++;
  send({ type: "input", run, token, prompt: message, password, sync });
  return token;
}
