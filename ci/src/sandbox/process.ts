/** A process in a box: started under a level of isolation, measured, and ended with all that it started. */
import { type ChildProcess, spawn } from "node:child_process";
import { chownSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { createGroup, entriesOf, type Group, OWNED, ownerOf, sweepGroups } from "./cgroup.js";
import type { BoxCommand, LevelSpec } from "./command.js";
import { processesOf, treeUsage } from "./usage.js";

export interface BoxUsage {
  /** Processor time of all processes so far; `undefined` where it can't be known. */
  cpuMs: number | undefined;
  /** Only where no control group limits it: what the processes hold now. */
  memoryBytes: number | undefined;
  oomKills: number;
  refusedForks: number;
}

const STDERR_TAIL = 4_000;
/** A range that no distribution gives to people or services by default. */
const FIRST_UID = 64_000;
const UIDS = 1_000;

const taken = new Set<number>();

export class BoxProcess {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly exited: Promise<void>;
  private readonly child: ChildProcess;
  /** What it wrote to standard error so far. */
  errorBytes = 0;
  private tail = "";
  private ended = false;

  private constructor(
    private readonly level: string,
    wrapped: ReturnType<LevelSpec["wrap"]>,
    /** `undefined` where the machine lets us make none. */
    readonly group: Group | undefined,
    /** The user that is this box's own, if it has one. */
    private readonly uid: number | undefined,
    private readonly scratch: string,
  ) {
    // A shell joins the groups, so that no process is ever outside of them.
    const join = 'while [ "$1" != -- ]; do echo 0 > "$1" || exit 125; shift; done; shift; exec "$@"';
    this.child = spawn("/bin/sh", ["-c", join, "sh", ...(group?.joinFiles ?? []), "--", ...wrapped.argv], {
      cwd: wrapped.cwd,
      env: { PATH: process.env.PATH, ...wrapped.env },
      stdio: ["pipe", "pipe", "pipe", ...(wrapped.descriptor3 ? (["pipe"] as const) : [])],
      detached: true,
    });
    const [stdin, stdout, stderr, filter] = this.child.stdio as unknown as [
      Writable,
      Readable,
      Readable,
      Writable?,
    ];
    this.stdin = stdin;
    this.stdout = stdout;
    for (const stream of [stdin, stdout, stderr, filter]) stream?.on("error", () => {});
    if (wrapped.descriptor3) filter?.end(wrapped.descriptor3);
    stderr.setEncoding("utf8").on("data", (text: string) => {
      this.errorBytes += text.length;
      this.tail = (this.tail + text).slice(-STDERR_TAIL);
    });
    this.exited = new Promise((resolve) => {
      this.child.once("exit", () => resolve());
      this.child.once("error", (error) => {
        this.tail += String(error.message);
        resolve();
      });
    });
  }

  static start(spec: LevelSpec, command: BoxCommand): BoxProcess {
    const isRoot = process.getuid?.() === 0;
    const uid = isRoot && spec.level !== "none" ? freeUid() : undefined;
    const scratch = mkdtempSync(join(scratchParent(spec.level), `${OWNED}${process.pid}-`));
    if (uid !== undefined && spec.level === "uid") chownSync(scratch, uid, uid);
    const group = spec.level === "none" ? undefined : createGroup(command.limits);
    return new BoxProcess(spec.level, spec.wrap(command, { uid, scratch }), group, uid, scratch);
  }

  /** The last of what it wrote to standard error: says why it did not start. */
  get errorText(): string {
    return this.tail.trim();
  }

  usage(): BoxUsage {
    const grouped = this.group?.usage() ?? { cpuMs: undefined, oomKills: 0, refusedForks: 0 };
    const limited = this.group?.controllers.includes("memory") ?? false;
    const tree =
      (limited && grouped.cpuMs !== undefined) || this.child.pid === undefined || this.level === "none"
        ? undefined
        : treeUsage(this.child.pid);
    return {
      ...grouped,
      cpuMs: grouped.cpuMs ?? tree?.cpuMs,
      memoryBytes: limited ? undefined : tree?.memoryBytes,
    };
  }

  /** Ends everything, without waiting. */
  killNow(): void {
    const { pid } = this.child;
    if (pid !== undefined) attempt(() => process.kill(-pid, "SIGKILL"));
  }

  /** Ends everything, waits for it, and removes what it left. */
  async kill(): Promise<void> {
    if (this.ended) return this.exited;
    this.ended = true;
    this.killNow();
    await this.group?.destroy();
    await this.exited;
    if (this.uid !== undefined) {
      await endAll(this.uid);
      if (this.level === "uid") removeFilesOf(this.uid);
      taken.delete(this.uid);
    }
    for (const stream of this.child.stdio) stream?.destroy();
    rmSync(this.scratch, { recursive: true, force: true });
  }
}

/** Removes what graders left that were killed: groups, with what runs in them, and folders. */
export async function sweep(): Promise<void> {
  const isGone = (pid: number) => pid !== process.pid && !attempt(() => process.kill(pid, 0));
  await sweepGroups(isGone);
  for (const folder of [tmpdir(), PRIVATE]) {
    for (const name of entriesOf(folder)) {
      const pid = ownerOf(name);
      if (pid !== undefined && isGone(pid))
        attempt(() => rmSync(join(folder, name), { recursive: true, force: true }));
    }
  }
}

/** Where only root can put anything. */
const PRIVATE = "/run/mlsys-grade";

/**
 * Without a root of its own, a box looks for packages in the folders above its own: where everybody may write, one
 * box could put packages there for the next.
 */
function scratchParent(level: string): string {
  if (level !== "uid") return realpathSync(tmpdir());
  mkdirSync(PRIVATE, { recursive: true, mode: 0o755 });
  return PRIVATE;
}

/** A user id without an entry, a process or another box. */
function freeUid(): number {
  const named = new Set(accounts());
  const start = Math.floor(Math.random() * UIDS);
  for (let offset = 0; offset < UIDS; offset++) {
    const uid = FIRST_UID + ((start + offset) % UIDS);
    if (taken.has(uid) || named.has(uid) || processesOf(uid).length > 0) continue;
    taken.add(uid);
    return uid;
  }
  throw new Error(`all user ids from ${FIRST_UID} to ${FIRST_UID + UIDS - 1} are in use`);
}

function accounts(): number[] {
  try {
    return readFileSync("/etc/passwd", "utf8")
      .split("\n")
      .map((line) => Number(line.split(":")[2]));
  } catch {
    return [];
  }
}

/** Until none is left: a process that starts others faster than they are ended is stopped first. */
async function endAll(uid: number): Promise<void> {
  for (let round = 0; round < 200; round++) {
    const left = processesOf(uid);
    if (left.length === 0) return;
    for (const pid of left) attempt(() => process.kill(pid, "SIGSTOP"));
    for (const pid of left) attempt(() => process.kill(pid, "SIGKILL"));
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Where all may write: what a box's user left there would stay, and could be taken for somebody else's. */
function removeFilesOf(uid: number): void {
  for (const folder of new Set([realpathSync(tmpdir()), "/tmp", "/var/tmp", "/dev/shm"])) {
    for (const name of entriesOf(folder)) {
      const path = join(folder, name);
      if (lstatSync(path, { throwIfNoEntry: false })?.uid === uid)
        attempt(() => rmSync(path, { recursive: true, force: true }));
    }
  }
}

/** @returns false when it failed, because what it is about is gone */
function attempt(action: () => void): boolean {
  try {
    action();
    return true;
  } catch {
    return false;
  }
}
