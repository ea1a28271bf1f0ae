/**
 * When messages are delivered: never inside `publish`, but before the process does anything else, so as a microtask. Two
 * nodes that answer each other without end must not lock out timers and sockets: after some rounds the event loop has its turn.
 */

export interface Task {
  run(): void;
}

const ROUNDS = 64;
const immediate = setImmediate; // tests that fake timers fake what comes later

let tasks: Task[] = [];
let isScheduled = false;
let rounds = 0;

/** Runs `task` soon, in the order of the calls. */
export function soon(task: Task): void {
  tasks.push(task);
  if (!isScheduled) schedule();
}

function schedule(): void {
  isScheduled = true;
  if (rounds === 0)
    immediate(() => {
      rounds = 0;
      if (isScheduled && tasks.length > 0) flush();
    });
  if (rounds++ < ROUNDS) queueMicrotask(flush);
}

function flush(): void {
  const batch = tasks;
  if (batch.length === 0) return; // the event loop's turn was first
  tasks = [];
  isScheduled = false;
  for (const task of batch) {
    try {
      task.run();
    } catch (error) {
      // what is called is not ours, and others wait behind it
      process.emitWarning(error instanceof Error ? error : String(error));
    }
  }
}
