/** Services and clients. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { HostClient, HostService, RosHost } from "../../../../src/robotics/ros/host.js";
import { srv } from "../../../../src/robotics/ros/interfaces/registry.js";
import { fresh, nodeOn, type Pair, qos, String_, type Subject, until } from "../harness.js";

const SetBool = srv("std_srvs/srv/SetBool");

type Request = { data: boolean };
type Response = { success: boolean; message: string };

const options = { qos: qos() };

function serve(host: RosHost, name: string, handle: (request: Request) => Promise<Response>): HostService {
  return nodeOn(host, "server").createService(SetBool, name, options, handle);
}

function clientOf(host: RosHost, name: string): HostClient<Request, Response> {
  return nodeOn(host, "client").createClient(SetBool, name, options);
}

const answer = (message: string, success = true): Response => SetBool.response.create({ success, message });
const ask = (data: boolean): Request => SetBool.request.create({ data });

/** A promise from outside. */
function gate(): { readonly promise: Promise<void>; readonly open: () => void } {
  let open = (): void => {};
  const promise = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { promise, open };
}

export function serviceCases({ open }: Subject): void {
  describe("services", () => {
    let pair: Pair;
    let name: string;
    beforeEach(async () => {
      pair = await open();
      name = fresh("service");
    });
    afterEach(() => pair.end());

    it("answers a call, and not before call returns", async () => {
      let asked = 0;
      serve(pair.far, name, async ({ data }) => {
        asked++;
        return answer(`got ${data}`, data);
      });
      const client = clientOf(pair.near, name);
      await until(() => client.isServiceAvailable());
      const reply = client.call(ask(true));
      expect(asked).toBe(0);
      expect(await reply).toEqual(answer("got true", true));
      expect(await client.call(ask(false))).toEqual(answer("got false", false));
    });

    it("tells when an answer has left: what is published then reaches who asked", async () => {
      const [server, client] = [nodeOn(pair.far, "server"), nodeOn(pair.near, "client")];
      const news = server.createPublisher(String_, `${name}_news`, options);
      const serving = server.createService(
        ...([SetBool, name, options] as const),
        async ({ data }) => {
          if (!data) throw new Error("no answer");
          return answer("yes");
        },
        ({ data }) => news.publish({ data: `answered ${data}` }),
      );
      const heard: string[] = [];
      const listening = client.createSubscription(String_, `${name}_news`, options, ({ data }) => {
        heard.push(data);
      });
      const asking = client.createClient(SetBool, name, options); // its end for answers is known after the other one
      await until(() => asking.isServiceAvailable() && listening.publisherCount > 0);
      asking.call(ask(false)).catch(() => {});
      await asking.call(ask(true));
      await until(() => heard.length > 0);
      await asking.call(ask(true));
      await until(() => heard.length > 1);
      expect(heard).toEqual(["answered true", "answered true"]);
      serving.dispose();
    });

    it("gives each of several clients its own answers, in whatever order they come", async () => {
      const waiting: (() => void)[] = [];
      serve(pair.far, name, ({ data }) => {
        const { promise, open: go } = gate();
        waiting.push(go);
        const number = waiting.length;
        return promise.then(() => answer(String(number), data));
      });
      const clients = [clientOf(pair.near, name), clientOf(pair.far, name)];
      await until(() => clients.every((client) => client.isServiceAvailable()));
      const calls: Promise<Response>[] = [];
      for (let i = 0; i < 8; i++) {
        calls.push(clients[i % 2].call(ask(i % 4 < 2)));
        await until(() => waiting.length === i + 1);
      }
      for (const go of waiting.reverse()) go();
      const responses = await Promise.all(calls);
      expect(responses).toEqual(responses.map((_, i) => answer(String(i + 1), i % 4 < 2)));
    });

    it("is available as long as a server is there", async () => {
      const client = clientOf(pair.near, name);
      expect(client.isServiceAvailable()).toBe(false);
      const first = serve(pair.far, name, async () => answer("first"));
      await until(() => client.isServiceAvailable());
      first.dispose();
      await until(() => !client.isServiceAvailable());
      const second = nodeOn(pair.far, "server");
      second.createService(SetBool, name, options, async () => answer("second"));
      await until(() => client.isServiceAvailable());
      expect((await client.call(ask(true))).message).toBe("second");
      second.dispose();
      await until(() => !client.isServiceAvailable());
    });

    it("asks every server of a name, and takes one answer", async () => {
      const asked = [0, 0];
      for (const i of [0, 1])
        serve(i === 0 ? pair.near : pair.far, name, async () => {
          asked[i]++;
          return answer(String(i));
        });
      const client = clientOf(pair.near, name);
      await until(() =>
        nodeOn(pair.near)
          .serviceNamesAndTypes()
          .some((service) => service.name === name),
      );
      await until(() => client.isServiceAvailable());
      // a server is asked as soon as it is known
      let calls = 0;
      await until(() => {
        if (asked[0] > 0 && asked[1] > 0) return true;
        if (calls++ < 1000) void client.call(ask(true)).catch(() => {});
        return false;
      });
      const before = asked[0] + asked[1];
      const { message } = await client.call(ask(true));
      expect(["0", "1"]).toContain(message);
      await until(() => asked[0] + asked[1] >= before + 2);
    });

    it("doesn't answer a request that the server fails at, and answers the next", async () => {
      serve(pair.far, name, async ({ data }) => {
        if (!data) throw new Error("can't");
        return answer("fine");
      });
      const client = clientOf(pair.near, name);
      await until(() => client.isServiceAvailable());
      const abort = new AbortController();
      const failed = client.call(ask(false), abort.signal);
      const state = Promise.race([failed, client.call(ask(true))]);
      expect((await state).message).toBe("fine");
      abort.abort(new Error("enough"));
      await expect(failed).rejects.toThrow("enough");
    });

    it("gives a call up when its signal is aborted, and drops the late answer", async () => {
      const { promise, open: go } = gate();
      let served = 0;
      serve(pair.far, name, async ({ data }) => {
        if (!data) await promise;
        served++;
        return answer(data ? "quick" : "slow");
      });
      const client = clientOf(pair.near, name);
      await until(() => client.isServiceAvailable());
      const abort = new AbortController();
      const slow = client.call(ask(false), abort.signal);
      abort.abort(new Error("too slow"));
      await expect(slow).rejects.toThrow("too slow");
      await expect(client.call(ask(true), abort.signal)).rejects.toThrow("too slow");
      go();
      await until(() => served === 1);
      expect((await client.call(ask(true))).message).toBe("quick");
    });

    it("leaves a call without an answer waiting when its server goes, until it is aborted", async () => {
      let asked = 0;
      const service = serve(pair.far, name, () => {
        asked++;
        return new Promise<Response>(() => {});
      });
      const client = clientOf(pair.near, name);
      await until(() => client.isServiceAvailable());
      const abort = new AbortController();
      let isSettled = false;
      const call = client.call(ask(true), abort.signal).finally(() => {
        isSettled = true;
      });
      await until(() => asked === 1);
      service.dispose();
      await until(() => !client.isServiceAvailable());
      expect(isSettled).toBe(false);
      abort.abort(new Error("gone"));
      await expect(call).rejects.toThrow("gone");
    });

    it("rejects waiting calls of a client that is disposed of", async () => {
      serve(pair.far, name, () => new Promise<Response>(() => {}));
      const client = clientOf(pair.near, name);
      await until(() => client.isServiceAvailable());
      const call = client.call(ask(true));
      client.dispose();
      await expect(call).rejects.toThrow();
      await expect(client.call(ask(true))).rejects.toThrow();
    });
  });
}
