/** The type checker's thread: answers the calls of `client.ts`, one after the other. */
import { parentPort, workerData } from "node:worker_threads";
import type { FromThread, ToThread } from "./client.js";
import { Language } from "./language.js";

const { directory } = workerData as { directory: string };
const language = new Language(directory);

parentPort!.on("message", (call: ToThread) => {
  const reply: FromThread = { id: call.id };
  try {
    reply.result = (language[call.method] as (...args: unknown[]) => unknown)(...call.args);
  } catch (error) {
    reply.error = (error as Error).stack ?? String(error);
  }
  parentPort!.postMessage(reply);
});
