/** Who is behind a link: the participants there, what they have, and whether they are still heard of. */
import type { GraphClock } from "../clock.js";
import type { Domain, NodeData, Participant } from "../domain.js";
import type { EndpointData } from "../endpoint.js";
import type { Peer } from "../peer.js";
import { Watch } from "../watch.js";
import type { EndpointFrame, ParticipantFrame } from "./frames.js";
import { RemoteReader, RemoteWriter } from "./remote.js";

interface Known {
  readonly participant: Participant;
  readonly lease: Watch;
}

export class Neighbours {
  private readonly known = new Map<string, Known>();

  /** @param grace seconds that one may be silent beyond its lease */
  constructor(
    private readonly domain: Domain,
    private readonly via: Peer,
    private readonly clock: GraphClock,
    private readonly grace: number,
  ) {}

  /** @returns false if it is known by another way */
  add({ id, lease, nodes, endpoints }: ParticipantFrame): boolean {
    const before = this.domain.participants.get(id);
    if (before) return before.via === this.via;
    check(typeof id === "string" && lease >= 0, "a participant");
    const { via } = this;
    const participant: Participant = {
      ...{ id, lease, via },
      nodes: new Map(nodes.map((node) => [node.id, node])),
      endpoints: new Map(),
      heard: this.clock.now(),
    };
    const watch = new Watch(this.clock, lease, () => this.suspect(id), true);
    this.known.set(id, { participant, lease: watch });
    watch.touch();
    this.domain.join(participant);
    for (const endpoint of endpoints) this.addEndpoint(id, endpoint);
    return true;
  }

  /** @returns false if it isn't known */
  heard(id: string): boolean {
    const known = this.known.get(id);
    if (!known) return false;
    known.participant.heard = this.clock.now();
    known.lease.touch();
    for (const endpoint of known.participant.endpoints.values())
      if (endpoint instanceof RemoteWriter) endpoint.heard();
    return true;
  }

  addNode(id: string, node: NodeData): void {
    const known = this.known.get(id);
    if (known) this.domain.addNode(known.participant, node);
  }

  removeNode(id: string, node: string): void {
    const known = this.known.get(id);
    if (known) this.domain.removeNode(known.participant, node);
  }

  addEndpoint(id: string, { data, alive }: EndpointFrame): void {
    const participant = this.known.get(id)?.participant;
    if (!participant || this.domain.endpoints.has(data.id)) return;
    checkEndpoint(data);
    this.domain.add(
      data.role === "writer"
        ? new RemoteWriter(this.domain, participant, data, alive, this.clock)
        : new RemoteReader(this.domain, participant, data),
    );
  }

  removeEndpoint(id: string): void {
    const endpoint = this.domain.endpoints.get(id);
    if (endpoint?.via !== this.via) return;
    if (endpoint instanceof RemoteWriter) endpoint.stop();
    this.domain.remove(endpoint);
  }

  writer(id: string): RemoteWriter | null {
    const writer = this.domain.endpoints.get(id);
    return writer instanceof RemoteWriter && writer.via === this.via ? writer : null;
  }

  forget(id: string): void {
    const known = this.known.get(id);
    if (!known) return;
    this.known.delete(id);
    known.lease.stop();
    for (const endpoint of known.participant.endpoints.values())
      if (endpoint instanceof RemoteWriter) endpoint.stop();
    this.domain.leave(known.participant);
  }

  forgetAll(): void {
    for (const id of [...this.known.keys()]) this.forget(id);
  }

  /** If it was this process that stood still, what was said meanwhile is still to be read. */
  private suspect(id: string): void {
    this.clock.after(this.grace * 1000, () => {
      const participant = this.known.get(id)?.participant;
      if (participant && this.clock.now() - participant.heard >= participant.lease * 1000) this.forget(id);
    });
  }
}

function check(holds: boolean, what: string): void {
  if (!holds) throw new TypeError(`${what} that is none`);
}

/** What another process says decides about timers and queues here. */
function checkEndpoint({ id, node, role, topic, type, qos }: EndpointData): void {
  check(
    [id, node, topic, type].every((text) => typeof text === "string") && /^r[tqr]\//.test(topic),
    "an endpoint",
  );
  check(role === "writer" || role === "reader", "an endpoint's role");
  const { depth, deadline, lifespan, livelinessLease } = qos;
  check(
    [depth, deadline, lifespan, livelinessLease].every((n) => typeof n === "number" && n >= 0),
    "a quality of service",
  );
}
