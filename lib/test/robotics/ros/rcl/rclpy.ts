/** rclpy's half of a test: a role of a program in `python/` as a process of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { rosEnvironment } from "../../../../src/cli/ros/interfaces.js";
import type { RosInstallation } from "../../../../src/robotics/ros/rcl/place.js";

const PROGRAMS = fileURLToPath(new URL("python/", import.meta.url));

export type Line = Record<string, unknown>;

export interface Role {
  /** All lines so far; grows. */
  readonly lines: readonly Line[];
  /** Resolves when a line is there that has it. @throws if the process ends before */
  until(holds: (line: Line) => boolean): Promise<Line>;
  /** Resolves when it ended by itself. @throws if it failed */
  ended(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts a role on a domain; one that is a node is ready when this resolves. */
export async function rclpy(
  ros: RosInstallation,
  domain: number,
  role: string,
  program = "book.py",
): Promise<Role> {
  const child = spawn(ros.python, [`${PROGRAMS}${program}`, role], {
    env: { ...rosEnvironment(ros), ROS_DOMAIN_ID: String(domain), PYTHONDONTWRITEBYTECODE: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const lines: Line[] = [];
  let errors = "";
  let code: number | string | null = null;
  const wakers = new Set<() => void>();
  const wake = () => {
    for (const waker of [...wakers]) waker();
  };
  createInterface({ input: child.stdout }).on("line", (line) => {
    lines.push(JSON.parse(line) as Line);
    wake();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    errors += chunk;
  });
  const closed = new Promise<void>((resolve) => {
    child.once("close", (status, signal) => {
      code = status ?? signal;
      resolve();
      wake();
    });
  });
  const change = () =>
    new Promise<void>((resolve) => {
      const waker = () => {
        wakers.delete(waker);
        resolve();
      };
      wakers.add(waker);
    });
  const until = async (holds: (line: Line) => boolean): Promise<Line> => {
    for (;;) {
      const found = lines.find(holds);
      if (found) return found;
      if (code !== null) throw new Error(`rclpy's ${role} ended (${code}):\n${errors}`);
      await change();
    }
  };
  const process: Role = {
    lines,
    until,
    ended: async () => {
      await closed;
      if (code !== 0) throw new Error(`rclpy's ${role} failed (${code}):\n${errors}`);
    },
    stop: () => end(child, closed),
  };
  if (!role.endsWith("_client")) {
    try {
      await until((line) => "ready" in line);
    } catch (error) {
      await process.stop();
      throw error;
    }
  }
  return process;
}

/** By its own number; asked first, made to if it does not listen. */
async function end(child: ChildProcess, closed: Promise<void>): Promise<void> {
  child.kill("SIGINT");
  const patience = setTimeout(() => child.kill("SIGKILL"), 5000);
  await closed;
  clearTimeout(patience);
}
