/** The tests' own ROS 2: installed once per clone, by whoever comes first; and domains that nobody else is in. */
import { execFile } from "node:child_process";
import { randomInt } from "node:crypto";
import { createSocket } from "node:dgram";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { RosHost } from "../../../../src/robotics/ros/host.js";
import { rclHost } from "../../../../src/robotics/ros/rcl/host.js";
import { type RosInstallation, rosInstallationAt } from "../../../../src/robotics/ros/rcl/place.js";
import type { Subject } from "../harness.js";

const root = fileURLToPath(new URL("../../../../..", import.meta.url));
const HOME = process.env.MLSYS_ROS_HOME ?? join(root, "node_modules", ".cache", "ros");
const CLI = join(root, "lib", "bin", "mlsys.mjs");
const run = promisify(execFile);

export type Ready =
  | { readonly ros: RosInstallation; readonly missing: null }
  | { readonly ros: null; readonly missing: string };

/** Installs if need be; `missing` says what this machine lacks for it. Nodes of this process use it from then on. */
export async function ensureRos(): Promise<Ready> {
  process.env.MLSYS_ROS_HOME = HOME;
  process.env.ROS_AUTOMATIC_DISCOVERY_RANGE = "LOCALHOST";
  return alone(async () => {
    const lacks = await lacking();
    if (lacks) return { ros: null, missing: lacks };
    await run(process.execPath, [CLI, "ros", "install"], { maxBuffer: 1 << 24 });
    return { ros: rosInstallationAt(HOME)!, missing: null };
  });
}

/** What the machine would need before an installation could begin; the rest must work. */
async function lacking(): Promise<string | null> {
  if (rosInstallationAt(HOME)) return null;
  const output = await run(process.execPath, [CLI, "ros", "doctor", "--json"]).catch(
    (error: { stdout?: string }) => error as { stdout: string },
  );
  const findings = JSON.parse(output.stdout ?? "") as { what: string; state: string; detail: string }[];
  const missing = findings.filter(({ what, state }) => state === "missing" && what !== "installation");
  return missing.length > 0 ? missing.map(({ what, detail }) => `${what}: ${detail}`).join("; ") : null;
}

/** One at a time among all processes; a lock of a process that is gone is none. */
async function alone<T>(work: () => Promise<T>): Promise<T> {
  const lock = `${HOME}.lock`;
  mkdirSync(dirname(lock), { recursive: true });
  for (;;) {
    try {
      writeFileSync(lock, String(process.pid), { flag: "wx" });
      break;
    } catch {
      const holder = Number(readOr(lock, "0"));
      if (holder > 0 && !isAlive(holder)) rmSync(lock, { force: true });
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
  try {
    return await work();
  } finally {
    rmSync(lock, { force: true });
  }
}

function readOr(file: string, otherwise: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return otherwise;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** A port for each domain: who listens there has the domain. */
const CLAIMS = 20_800;
const claims = new Map<number, Server>();

/**
 * A domain that nobody on this machine is in, until `leaveDomain`: its port is had, and so is DDS's first port of it.
 * Up to 101, whose ports are below those that Linux gives out itself.
 */
export async function freeDomain(): Promise<number> {
  const first = randomInt(101);
  for (let i = 0; i < 101; i++) {
    const domain = 1 + ((first + i) % 101);
    const claim = await claimed(CLAIMS + domain);
    if (!claim) continue;
    if (await isFree(7400 + 250 * domain + 10)) {
      claims.set(domain, claim);
      return domain;
    }
    claim.close();
  }
  throw new Error("every domain is in use");
}

export function leaveDomain(domain: number): void {
  claims.get(domain)?.close();
  claims.delete(domain);
}

function claimed(port: number): Promise<Server | null> {
  return new Promise((resolve) => {
    const server = createServer().unref();
    server.once("error", () => resolve(null));
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => resolve(server));
  });
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket("udp4");
    socket.once("error", () => resolve(false));
    socket.bind(port, "0.0.0.0", () => socket.close(() => resolve(true)));
  });
}

/** A host on a domain of its own, which it leaves when it is shut down. */
export async function ownHost(): Promise<RosHost> {
  const domain = await freeDomain();
  const host = await rclHost({ domain });
  const shutdown = host.shutdown.bind(host);
  host.shutdown = async () => {
    await shutdown();
    leaveDomain(domain);
  };
  return host;
}

/** Two hosts on a domain of their own; for suites over any host. */
export const rclSubject: Subject = {
  refusesSecondType: true,
  async open() {
    const domain = await freeDomain();
    const [near, far] = [await rclHost({ domain }), await rclHost({ domain })];
    const end = async () => {
      await near.shutdown();
      await far.shutdown();
      leaveDomain(domain);
    };
    return { near, far, end };
  },
};

/** Builds a package for ROS 2, of texts by file: `{ "msg/Count.msg": "int64 n" }`. */
export async function buildInterfaces(name: string, files: Readonly<Record<string, string>>): Promise<void> {
  const folder = join(mkdtempSync(join(tmpdir(), "mlsys-interfaces-")), name);
  try {
    for (const [file, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(join(folder, file), `${text}\n`);
    }
    await alone(() =>
      run(process.execPath, [CLI, "ros", "build-interfaces", folder], { maxBuffer: 1 << 24 }),
    );
  } finally {
    rmSync(dirname(folder), { recursive: true, force: true });
  }
}
