/**
 * Training that goes on when a member is lost: the others leave the group, meet again at the rendezvous store, and
 * continue from the last checkpoint, with a new member in the lost one's place or with one less.
 */
import { ValueError } from "../../core/errors.js";
import { jobEnvironment } from "../environment.js";
import type { ProcessGroup } from "../group/process-group.js";
import { GroupTimeoutError, PeerLostError, TransportError } from "../transport/errors.js";
import { addressOf, type InitOptions, openWorld, shared, tcpTransport } from "./init.js";

export interface ElasticOptions extends Omit<InitOptions, "backend" | "rank" | "size" | "store"> {
  /** How often this member may begin again. Default 3. */
  readonly maxRestarts?: number;
  /** Called before each new beginning, with the reason. */
  readonly onRestart?: (error: Error, restart: number) => void;
}

/** Errors after which the members that are left can begin again. */
export function isLoss(error: unknown): error is Error {
  return (
    error instanceof PeerLostError || error instanceof GroupTimeoutError || error instanceof TransportError
  );
}

/**
 * Runs `train(group, restart)` with a group of the members that are there. When one is lost, the operations of the others
 * fail within the group's timeout; they meet again and `train` begins anew: it must go on from its last checkpoint. At
 * most the steps since then are lost.
 *
 * The store where they meet must outlive each of them: `distributed.supervise` holds it, or `distributed.openStore` in a
 * process of its own. Rank and number of members are the store's to give, and may be others after a restart.
 * @param options `url`: of the store; default: what `supervise` says by MASTER_ADDR and MASTER_PORT
 * @throws what `train` throws for reasons of its own; the loss, if it is one too many
 * @example
 * const store = await distributed.openStore({ size: 1 });
 * const result = await distributed.elastic((group) => group.size, { url: store.url });
 * await store.close();
 * result; // 1
 */
export async function elastic<R>(
  train: (group: ProcessGroup, restart: number) => R | Promise<R>,
  options: ElasticOptions = {},
): Promise<R> {
  const { maxRestarts = 3, url = urlOfStore() } = options;
  for (let restart = 0; ; restart++) {
    const transport = tcpTransport({ ...addressOf(url), rank: null, storeRank: null, ...shared(options) });
    const group = await openWorld(transport, options, "elastic");
    try {
      const result = await train(group, restart);
      await group.close();
      return result;
    } catch (error) {
      await group.abandon((error as Error).message ?? String(error));
      const reason = (error as Error)?.cause ?? error;
      const loss = isLoss(error) ? error : isLoss(reason) ? reason : null;
      if (!loss || restart >= maxRestarts) throw error;
      options.onRestart?.(loss, restart + 1);
    }
  }
}

function urlOfStore(): string {
  const { MASTER_ADDR, MASTER_PORT } = process.env;
  const url = MASTER_ADDR && MASTER_PORT ? `tcp://${MASTER_ADDR}:${MASTER_PORT}` : jobEnvironment()?.url;
  if (url !== undefined) return url;
  throw new ValueError("elastic: `url` of the store is needed (or MASTER_ADDR and MASTER_PORT)");
}
