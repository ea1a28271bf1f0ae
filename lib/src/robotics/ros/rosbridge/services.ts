/** Services: a client calls one of the graph, or offers one itself. */
import type { HostClient, HostService } from "../host.js";
import type { MessageType, ServiceType } from "../interfaces/types.js";
import { DEFAULT_QOS } from "../offered-qos.js";
import { callService, expectService } from "./call.js";
import { fromJson, toJson } from "./json.js";
import { rosapi } from "./rosapi.js";
import { BridgeProblem, field, interfaceOf, type Request, rosName, type Session } from "./session.js";

interface Offered {
  readonly type: ServiceType;
  readonly service: HostService;
}

interface Asked {
  readonly service: string;
  readonly type: ServiceType;
  answer(values: unknown): void;
  fail(why: string): void;
}

export class Services {
  private readonly clients = new Map<string, HostClient<unknown, unknown>>();
  private readonly offered = new Map<string, Offered>();
  /** Calls of the client that wait for an answer. */
  private readonly calls = new Map<number, AbortController>();
  /** Requests that wait for the client's answer, by the id that it was sent. */
  private readonly asked = new Map<string, Asked>();
  private count = 0;

  constructor(private readonly session: Session) {}

  /** Answers with a `service_response`, whatever happens. */
  async call(request: Request): Promise<void> {
    const { session } = this;
    const service = rosName(request, "service");
    const respond = (values: unknown, result: boolean) =>
      session.send({
        op: "service_response",
        ...(typeof request.id === "string" && { id: request.id }),
        service,
        values,
        result,
      });
    const abort = new AbortController();
    const call = ++this.count;
    try {
      session.room(this.calls, "calls under way");
      this.calls.set(call, abort);
      respond(await this.answer(request, service, abort), true);
    } catch (error) {
      respond((error as Error).message, false);
    } finally {
      this.calls.delete(call);
    }
  }

  private async answer(request: Request, service: string, abort: AbortController): Promise<unknown> {
    const { session } = this;
    const own = rosapi(service);
    if (own !== undefined) return own(session, (request.args ?? {}) as Readonly<Record<string, unknown>>);
    const inGraph = session.node.serviceNamesAndTypes().find(({ name }) => name === service)?.types[0];
    const type = interfaceOf(request, "srv", request.type, () => inGraph);
    const message = type.request.create(
      fromJson(type.request, named(type.request, request.args), session.now) as object,
    );
    expectService(session, service);
    const client = this.clientOf(service, type);
    const seconds = (field(request, "timeout", "number") as number) || session.serviceTimeout;
    return toJson(type.response, await callService(session, client, message, seconds, abort));
  }

  private clientOf(service: string, type: ServiceType): HostClient<unknown, unknown> {
    const key = `${service} ${type.name}`;
    let client = this.clients.get(key);
    if (client === undefined) {
      this.session.room(this.clients, "services called");
      client = this.session.node.createClient(type, service, { qos: DEFAULT_QOS });
      this.clients.set(key, client);
    }
    return client;
  }

  advertise(request: Request): void {
    const name = rosName(request, "service");
    const type = interfaceOf(request, "srv", request.type, () => undefined);
    // Offered again: in place of before, as rosbridge.
    this.withdraw(name);
    this.session.room(this.offered, "services offered");
    const ask = (message: unknown) => this.ask(name, type, message);
    const service = this.session.node.createService(type, name, { qos: DEFAULT_QOS }, ask);
    this.offered.set(name, { type, service });
  }

  unadvertise(request: Request): void {
    const name = rosName(request, "service");
    if (!this.withdraw(name)) throw new BridgeProblem(`unadvertise_service: ${name} is not offered`);
  }

  private withdraw(name: string): boolean {
    const held = this.offered.get(name);
    if (held === undefined) return false;
    this.offered.delete(name);
    held.service.dispose();
    for (const asked of this.asked.values())
      if (asked.service === name) asked.fail(`the service ${name} was withdrawn`);
    return true;
  }

  /** Asks the client; rejects when it goes, or does not answer in time. */
  private ask(service: string, type: ServiceType, message: unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.session.room(this.asked, "requests that wait for an answer");
      const id = `service_request:${service}:${++this.count}`;
      const done = () => {
        cancel();
        this.asked.delete(id);
      };
      const fail = (why: string) => {
        done();
        reject(new BridgeProblem(why));
      };
      const cancel = this.session.timer.after(this.session.serviceTimeout * 1000, () =>
        fail(`the client that offers ${service} did not answer within ${this.session.serviceTimeout} s`),
      );
      const answer = (values: unknown) => {
        done();
        resolve(values);
      };
      this.asked.set(id, { service, type, answer, fail });
      this.session.send({ op: "call_service", id, service, args: toJson(type.request, message) });
    });
  }

  respond(request: Request): void {
    const asked = typeof request.id === "string" ? this.asked.get(request.id) : undefined;
    if (asked === undefined) throw new BridgeProblem("service_response: no request with that id waits");
    if (request.result === false) {
      asked.fail(String(request.values ?? "the service failed").slice(0, 1000));
      return;
    }
    const { response } = asked.type;
    try {
      asked.answer(response.create(fromJson(response, request.values ?? {}, this.session.now) as object));
    } catch (error) {
      asked.fail((error as Error).message);
      throw error;
    }
  }

  dispose(): void {
    for (const name of [...this.offered.keys()]) this.withdraw(name);
    for (const abort of this.calls.values()) abort.abort(new BridgeProblem("the client is gone"));
    for (const client of this.clients.values()) client.dispose();
    this.clients.clear();
  }
}

/** Arguments may be a list in the order of the fields. */
function named(type: MessageType, args: unknown): unknown {
  if (!Array.isArray(args)) return args ?? {};
  const { fields } = type.definition;
  if (args.length > fields.length)
    throw new BridgeProblem(`${type.name} has ${fields.length} fields, got ${args.length} arguments`);
  return Object.fromEntries(args.map((value, i) => [fields[i].name, value]));
}
