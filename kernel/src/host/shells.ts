/**
 * The main shell and its subshells (JEP 91): queues of cells beside each other over the same variables.
 *
 * All of them share one V8 isolate, so one statement runs at a time: a subshell's cell runs whenever the cells of
 * the other shells wait (`await`), and waits for those that compute.
 */
import { randomUUID } from "node:crypto";
import type { ErrorReport } from "../link/messages.js";
import type { Message } from "../protocol/message.js";
import type { Request } from "./context.js";

export interface Shell {
  /** What clients put into `subshell_id`; null for the main shell. */
  readonly id: string | null;
  /** 0 for the main shell; the worker knows shells by this number. */
  readonly number: number;
  readonly queue: Request[];
  executionCount: number;
  draining: boolean;
}

export class Shells {
  readonly main: Shell = makeShell(null, 0);
  private readonly children = new Map<string, Shell>();
  private created = 0;

  /** The shell that a message is for; `undefined` when there is none of that id. */
  of(message: Message): Shell | undefined {
    const id = message.header.subshell_id;
    return id === undefined || id === null ? this.main : this.children.get(id);
  }

  create(): Shell {
    const shell = makeShell(randomUUID(), ++this.created);
    this.children.set(shell.id!, shell);
    return shell;
  }

  /** @returns the shell that is no more, or `undefined` when there was none of that id. */
  delete(id: string): Shell | undefined {
    const shell = this.children.get(id);
    this.children.delete(id);
    return shell;
  }

  /** Ids of the subshells, oldest first. */
  get ids(): string[] {
    return [...this.children.keys()];
  }
}

/** The error of a request to a subshell that does not exist. */
export function unknownShell(id: unknown): ErrorReport {
  const evalue = `There is no subshell ${JSON.stringify(id)}. Create one with create_subshell_request.`;
  return { ename: "UnknownSubshell", evalue, traceback: [`UnknownSubshell: ${evalue}`] };
}

function makeShell(id: string | null, number: number): Shell {
  return { id, number, queue: [], executionCount: 0, draining: false };
}
