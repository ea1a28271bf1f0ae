import { afterEach, expect, it, vi } from "vitest";
import { rosHost } from "./select.js";

afterEach(() => vi.unstubAllEnvs());

it("gives all that ask for a domain the same host, until it is shut down", async () => {
  const [a, b, other] = await Promise.all([
    rosHost({ domain: 101 }),
    rosHost({ domain: 101 }),
    rosHost({ domain: 102 }),
  ]);
  expect(a).toBe(b);
  expect(other).not.toBe(a);
  expect([a.kind, a.domain, other.domain]).toEqual(["graph", 101, 102]);
  await a.shutdown();
  const again = await rosHost({ domain: 101 });
  expect(again).not.toBe(a);
  await Promise.all([again.shutdown(), other.shutdown()]);
});

it("takes the domain and the kind from the environment", async () => {
  vi.stubEnv("ROS_DOMAIN_ID", "103");
  vi.stubEnv("MLSYS_ROS", "graph");
  const host = await rosHost();
  expect([host.kind, host.domain]).toEqual(["graph", 103]);
  await host.shutdown();
  vi.stubEnv("ROS_DOMAIN_ID", "many");
  await expect(rosHost()).rejects.toThrow('ROS_DOMAIN_ID is a whole number, got "many"');
  vi.stubEnv("MLSYS_ROS", "dds");
  await expect(rosHost({ domain: 1 })).rejects.toThrow('MLSYS_ROS is one of graph, rclnodejs, got "dds"');
});

it("takes a host as it is", async () => {
  const host = await rosHost({ domain: 104 });
  expect(await rosHost({ host })).toBe(host);
  await expect(rosHost({ host, domain: 7 })).rejects.toThrow(
    "it is of domain 104, and domain 7 was asked for",
  );
  await host.shutdown();
});
