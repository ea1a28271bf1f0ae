/** Calls of the graph's services for a client: found first, answered in time or given up. */
import type { HostClient } from "../host.js";
import { BridgeProblem, type Session } from "./session.js";

/**
 * Call it before a client is made: a client alone puts a service's name into the graph.
 * @throws {BridgeProblem} if the graph does not know the service
 */
export function expectService(session: Session, service: string): void {
  if (!session.node.serviceNamesAndTypes().some(({ name }) => name === service))
    throw new BridgeProblem(`there is no service ${service}`);
}

/** How often a service that the graph knows is looked at until it answers to a new client (ms). */
const LOOK_MS = 20;

/**
 * Calls a service.
 * @param seconds that it has, the finding included; `Infinity` for no end
 * @param abort ends it when the client goes
 * @throws {BridgeProblem} if there is no answer in time
 */
export async function callService<Request, Response>(
  session: Session,
  client: HostClient<Request, Response>,
  request: Request,
  seconds: number = session.serviceTimeout,
  abort = new AbortController(),
): Promise<Response> {
  const { signal } = abort;
  const late = () => abort.abort(new BridgeProblem(`${client.name} did not answer within ${seconds} s`));
  const cancel = seconds === Number.POSITIVE_INFINITY ? () => {} : session.timer.after(seconds * 1000, late);
  try {
    await found(session, client, signal);
    return await client.call(request, signal);
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  } finally {
    cancel();
  }
}

/** A client on a middleware meets its service a moment after it was made. */
async function found(
  session: Session,
  client: HostClient<never, unknown>,
  signal: AbortSignal,
): Promise<void> {
  while (!client.isServiceAvailable()) {
    signal.throwIfAborted();
    await new Promise<void>((resolve) => {
      const go = () => {
        cancel();
        signal.removeEventListener("abort", go);
        resolve();
      };
      const cancel = session.timer.after(LOOK_MS, go);
      signal.addEventListener("abort", go);
    });
  }
}
