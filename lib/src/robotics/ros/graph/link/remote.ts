/** The ends of other processes, as a domain here knows them. */
import type { GraphClock } from "../clock.js";
import type { Domain, Participant } from "../domain.js";
import { type EndpointData, Reader, TakingReader, Writer } from "../endpoint.js";
import type { Peer } from "../peer.js";
import type { Sample } from "../sample.js";
import { Watch } from "../watch.js";

export class RemoteReader extends Reader {}

export class RemoteWriter extends Writer {
  override readonly codec = null;
  private readonly lease: Watch;

  constructor(
    domain: Domain,
    participant: Participant,
    data: EndpointData,
    /** What it says of itself. */
    private said: boolean | null,
    clock: GraphClock,
  ) {
    super(domain, participant, data);
    this.alive = said;
    // it says nothing any more, not even that it is silent
    this.lease = new Watch(clock, data.qos.livelinessLease, () => this.said && this.setAlive(false), false);
    this.lease.touch(clock.now());
  }

  receive(sample: Sample, to: string | null): void {
    this.distribute(sample, to);
  }

  receivePast(samples: readonly Sample[], to: string): void {
    const reader = this.domain.endpoints.get(to);
    if (reader instanceof TakingReader) {
      if (this.matches.has(reader)) reader.acceptHistory(samples, this);
    } else if (reader && reader.via !== this.via) reader.via?.history(this, to, samples);
  }

  override replay(reader: TakingReader | string, _peer: Peer | null): void {
    this.via?.askHistory(this, typeof reader === "string" ? reader : reader.id);
  }

  says(alive: boolean | null): void {
    this.said = alive;
    this.setAlive(alive);
  }

  /** Its process is heard of, at `now`. */
  heard(now: number): void {
    this.lease.touch(now);
    this.setAlive(this.said);
  }

  stop(): void {
    this.lease.stop();
  }
}
