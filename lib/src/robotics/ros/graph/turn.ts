/**
 * When messages are delivered: never inside `publish`, but before the process does anything else, so as a microtask. Two
 * nodes that answer each other without end must not lock out timers and sockets: after some rounds the event loop has its turn.
 */

export interface Task {
  run(): void;
}

const ROUNDS = 64;
const immediate = setImmediate; // tests that fake timers fake what comes later

const tasks: Task[] = [];
let first = 0;
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
      flush();
    });
  if (rounds++ < ROUNDS) queueMicrotask(flush);
}

/** Runs what there is; what is added meanwhile has its round later. */
export function flush(): void {
  isScheduled = false;
  for (let left = tasks.length - first; left > 0; left--) {
    // taken out first: if execution is terminated (a notebook's interrupt), the next round goes on behind it
    const task = tasks[first++];
    try {
      task.run();
    } catch (error) {
      // what is called is not ours, and others wait behind it
      process.emitWarning(error instanceof Error ? error : String(error));
    }
  }
  tasks.splice(0, first);
  first = 0;
}
