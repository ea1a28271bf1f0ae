/** What a domain tells the domain of another process that it is linked with. */
import type { NodeData, Participant } from "./domain.js";
import type { Reader, Writer } from "./endpoint.js";
import type { Sample } from "./sample.js";

export interface Peer {
  joined(participant: Participant): void;
  left(participant: Participant): void;
  nodeAdded(participant: Participant, node: NodeData): void;
  nodeRemoved(participant: Participant, id: string): void;
  endpointAdded(endpoint: Writer | Reader): void;
  endpointRemoved(endpoint: Writer | Reader): void;
  aliveChanged(writer: Writer): void;
  /** @param to the one reader that it is for; null: all that match */
  sample(writer: Writer, sample: Sample, to: string | null): void;
  history(writer: Writer, reader: string, samples: readonly Sample[]): void;
  /** Asks a writer that is elsewhere for its history. */
  askHistory(writer: Writer, reader: string): void;
  /** Resolves when all that `writer` sent so far has reached every reader behind this peer. */
  acked(writer: Writer): Promise<void>;
  /** Resolves when nothing waits to be sent any more, or after `seconds`. */
  drain(seconds: number): Promise<void>;
}
