/** A member's side of the rendezvous. */
import { TransportError } from "../errors.js";
import { type Connection, DEFAULT_HEARTBEAT, type Heartbeat, type Security } from "./connection.js";
import { KIND, parseJson } from "./frames.js";
import type { MemberAddress } from "./store.js";

export interface TcpConfig extends Security {
  /** Of the store. */
  readonly host: string;
  readonly port: number;
  /** This member's number; `null`: the store gives it one. */
  readonly rank: number | null;
  /** Address that this member listens on. Default: the one from which it reaches the store. */
  readonly listenOn?: string;
  /** Name of this machine, for algorithms that look at the topology. Default: its host name. */
  readonly machine?: string;
  /** The member in whose process the store is; `null`: it is in another one, as a launcher's. */
  readonly storeRank: number | null;
  /** Members of the job: this one opens the store for them. */
  readonly serve?: number;
  /** Milliseconds that all members may take to come. */
  readonly joinTimeout: number;
  readonly heartbeat?: Heartbeat;
}

/** The members of a round, and this one's number among them. */
export interface Members {
  readonly rank: number;
  readonly round: number;
  readonly table: readonly MemberAddress[];
}

/** Tells the store that this member is there, and waits for the others. @param told hears what the store says later */
export function membersOf(
  store: Connection,
  { heartbeat = DEFAULT_HEARTBEAT, joinTimeout }: TcpConfig,
  join: object,
  until: number,
  told: (message: Record<string, unknown>) => void,
): Promise<Members> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new TransportError(`tcp: not all members came within ${joinTimeout} ms`)),
      Math.max(0, until - Date.now()),
    );
    const end = (settle: () => void): void => {
      clearTimeout(timer);
      settle();
    };
    store.onEnd = (error) =>
      end(() => reject(new TransportError(`tcp: the rendezvous store is gone: ${error.message}`)));
    store.begin(
      {
        place({ kind, length }) {
          if (kind !== KIND.control) throw new TransportError(`tcp: a frame of kind ${kind} from the store`);
          return new Uint8Array(length);
        },
        taken(_head, payload) {
          const message = parseJson(payload);
          if (message.members) end(() => resolve(message.members as Members));
          else if (typeof message.lost === "number") told(message);
          else if (message.refused) end(() => reject(new TransportError(`tcp: ${message.refused}`)));
        },
      },
      heartbeat,
    );
    store.json(KIND.control, { join });
  });
}
