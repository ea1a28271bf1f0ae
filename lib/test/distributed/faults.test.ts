/** What may happen to a job: each time those that are left are told within a bounded time, and nobody hangs. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { endProcesses, freePort, type Process, start, startJob } from "../support/distributed/processes.js";

const member = fileURLToPath(new URL("../support/distributed/fault-member.mjs", import.meta.url));
afterEach(endProcesses);

interface Line {
  readonly error?: string;
  readonly message?: string;
  readonly lost?: number;
  readonly [key: string]: unknown;
}

async function linesOf({ ended }: Process): Promise<Line[]> {
  const { out, err } = await ended;
  expect(err).toBe("");
  return out
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Line);
}

const ready = (members: readonly Process[]): Promise<unknown> =>
  Promise.all(members.map((one) => one.line(/"ready"/)));

describe("members over tcp", () => {
  it("hear who was killed, in the operation that waits for it and in all that follow", async () => {
    const members = await startJob(3, [member, "blocked"]);
    await ready(members);
    members[2].child.kill("SIGKILL");
    for (const one of members.slice(0, 2)) {
      const errors = (await linesOf(one)).filter(({ error }) => error !== undefined);
      expect(errors).toHaveLength(2);
      for (const { error, lost, message } of errors)
        expect({ error, lost, message }).toEqual({
          error: "PeerLostError",
          lost: 2,
          message: expect.stringMatching(/^rank 2 is gone: /),
        });
    }
  });

  it("hear who has stopped giving signs of life", async () => {
    const heartbeat = { every: 250, lost: 6000 };
    const members = await startJob(3, [member, "blocked", JSON.stringify({ heartbeat })]);
    await ready(members);
    members[2].child.kill("SIGSTOP");
    for (const one of members.slice(0, 2)) {
      const [first] = (await linesOf(one)).filter(({ error }) => error !== undefined);
      expect(first).toMatchObject({
        error: "PeerLostError",
        lost: 2,
        message: expect.stringContaining("no sign of life for 6000 ms"),
      });
    }
  });

  it("are waited for if they are slow: large messages stay with their sender, and come in order", async () => {
    const [sender, taker] = await startJob(2, [member, "slow"]);
    expect(await linesOf(sender)).toEqual([{ unfinished: 20 }]);
    expect(await linesOf(taker)).toEqual([{ right: 20 }]);
  });

  it("can be interrupted in a blocked wait: the group is closed, and the others are told", async () => {
    const [interrupted, other] = await startJob(2, [member, "interrupted"]);
    expect(await linesOf(interrupted)).toEqual([
      { result: expect.stringMatching(/terminated/i) },
      { closed: true },
    ]);
    expect(await linesOf(other)).toEqual([
      { error: "PeerLostError", lost: 0, message: "rank 0 is gone: interrupted" },
    ]);
  });

  it("talk over TLS, with certificates that the other side checks", async (context) => {
    const folder = mkdtempSync(join(tmpdir(), "mlsys-tls-"));
    try {
      const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
      const made = tried("openssl", [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=mlsys",
        "-keyout",
        key,
        "-out",
        cert,
      ]);
      context.skip(made !== null, `no certificate: ${made}`);
      const [keyText, certText] = [readFileSync(key, "utf8"), readFileSync(cert, "utf8")];
      const tls = { key: keyText, cert: certText, ca: certText };
      const members = await startJob(2, [member, "slow", JSON.stringify({ tls, secret: "s" })]);
      expect(await linesOf(members[1])).toEqual([{ right: 20 }]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

/** Runs a program. @returns why it did not work, or `null` */
function tried(program: string, args: readonly string[]): string | null {
  try {
    execFileSync(program, args, { stdio: "pipe" });
    return null;
  } catch (error) {
    return (error as Error).message.split("\n")[0];
  }
}

describe("members in network namespaces of their own", () => {
  const ip = (...args: string[]): string | null => tried("ip", args);
  const [left, right] = [`mlsys${process.pid}a`, `mlsys${process.pid}b`];
  const inside = (name: string): string[] => ["ip", "netns", "exec", name];
  const steps = [
    ["netns", "add", left],
    ["netns", "add", right],
    ["link", "add", "veth0", "netns", left, "type", "veth", "peer", "name", "veth0", "netns", right],
    ["-n", left, "addr", "add", "10.77.0.1/24", "dev", "veth0"],
    ["-n", right, "addr", "add", "10.77.0.2/24", "dev", "veth0"],
    ...[left, right].flatMap((name) => [
      ["-n", name, "link", "set", "lo", "up"],
      ["-n", name, "link", "set", "veth0", "up"],
    ]),
  ];
  afterEach(() => {
    for (const name of [left, right]) ip("netns", "del", name);
  });

  it("work over a link with delay, and hear it when the link is lost", async (context) => {
    for (const step of steps) {
      const why = ip(...step);
      context.skip(why !== null, `no network namespaces here: ${why}`);
    }
    const delayed = tried("ip", [
      "netns",
      "exec",
      left,
      "tc",
      "qdisc",
      "add",
      "dev",
      "veth0",
      "root",
      "netem",
      "delay",
      "5ms",
    ]);
    if (delayed !== null) console.info(`without delay: ${delayed}`);
    const MASTER_PORT = String(await freePort());
    const options = JSON.stringify({ secret: "of this job", heartbeat: { every: 250, lost: 6000 } });
    const members = [left, right].map((name, rank) =>
      start(
        [member, "all", options],
        { RANK: String(rank), WORLD_SIZE: "2", MASTER_ADDR: "10.77.0.1", MASTER_PORT },
        inside(name),
      ),
    );
    await ready(members);
    expect(ip("-n", left, "link", "set", "veth0", "down")).toBeNull();
    const lines = await linesOf(members[0]);
    expect(lines[0]).toEqual({ sum: 3, objects: [0, 1], mean: 0.5 });
    expect(lines.find(({ error }) => error !== undefined)).toMatchObject({
      error: "PeerLostError",
      lost: 1,
      message: expect.stringMatching(/^rank 1 is gone: /),
    });
  });
});
