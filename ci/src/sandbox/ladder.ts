/**
 * Which isolation this machine offers: found by trying, from the strongest down. A level counts only if a program
 * that runs under it can't do what the level forbids.
 */
import { accessSync, constants, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { GraderError, messageOf } from "../errors.js";
import { bwrap } from "./bwrap.js";
import { LEVELS, type Level, type LevelSpec } from "./command.js";
import { DEFAULT_BOX_LIMITS } from "./limits.js";
import { none } from "./none.js";
import { BoxProcess } from "./process.js";
import { uid } from "./uid.js";
import { userns } from "./userns.js";
import { viewFor } from "./view.js";

/** How a limit is kept: by a control group, for each process or user (`rlimit`), by watching, or not at all. */
export type Keeper = "cgroup" | "rlimit" | "watched" | "no";

/** A level that works here, and what it holds. Recorded in each report. */
export interface Isolation {
  level: Level;
  spec: LevelSpec;
  /** The box can't reach the network. */
  network: boolean;
  /** The box sees no files but those that it needs. */
  files: boolean;
  /** A filter on system calls. */
  syscalls: boolean;
  memory: Keeper;
  processes: Keeper;
  cpu: Keeper;
}

export const LADDER: readonly LevelSpec[] = [bwrap, userns, uid, none];

export function specOf(level: Level): LevelSpec {
  return LADDER.find((spec) => spec.level === level) as LevelSpec;
}

// biome-ignore format: a record
export const NO_ISOLATION: Isolation = {
  level: "none", spec: none, network: false, files: false, syscalls: false, memory: "no", processes: "no", cpu: "no",
};

export interface Attempt {
  level: Level;
  isolation?: Isolation;
  /** Why it doesn't work, and what to do. */
  problem?: string;
}

const tried = new Map<Level, Promise<Attempt>>();

/** Tries a level once in the life of this process. */
export function tryLevel(level: Level): Promise<Attempt> {
  let attempt = tried.get(level);
  if (!attempt) {
    attempt = probe(specOf(level));
    tried.set(level, attempt);
  }
  return attempt;
}

/**
 * The strongest level that works, or the one that is wanted.
 * @param unsafe `none` is good enough
 * @throws GraderError that says what is missing at each level and how to get it
 */
export async function chooseIsolation(
  wanted: Level | "auto" = "auto",
  { unsafe = false } = {},
): Promise<Isolation> {
  if (wanted === "none" && !unsafe)
    throw new GraderError("isolation none runs strangers' code with your rights: say --unsafe to mean it");
  const candidates = wanted === "auto" ? LEVELS.filter((level) => level !== "none" || unsafe) : [wanted];
  const problems: string[] = [];
  for (const level of candidates) {
    const attempt = await tryLevel(level);
    if (attempt.isolation) return attempt.isolation;
    problems.push(`  ${level}: ${attempt.problem}`);
  }
  throw new GraderError(
    [
      wanted === "auto"
        ? "no isolation for strangers' code works on this machine:"
        : `the isolation "${wanted}" does not work on this machine:`,
      ...problems,
      "Install what is missing, grade in a container or a virtual machine, or say --unsafe to run the code as yourself.",
    ].join("\n"),
  );
}

async function probe(spec: LevelSpec): Promise<Attempt> {
  const { level } = spec;
  if (level === "none") return { level, isolation: NO_ISOLATION };
  const problem = missing(spec);
  if (problem !== undefined) return { level, problem };
  try {
    return { level, isolation: await experiment(spec) };
  } catch (error) {
    return { level, problem: messageOf(error) };
  }
}

function missing(spec: LevelSpec): string | undefined {
  if (process.platform !== "linux") return `needs Linux, this is ${process.platform}`;
  if (spec.needsRoot && process.getuid?.() !== 0)
    return "only root can become another user: run the grader as root";
  const absent = Object.entries(spec.programs).filter(([program]) => !onPath(program));
  if (absent.length === 0) return undefined;
  const packages = [...new Set(absent.map(([, name]) => name))].join(" ");
  return `${absent.map(([program]) => program).join(", ")} not found: apt install ${packages}`;
}

function onPath(program: string): boolean {
  return (process.env.PATH ?? "").split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Looks around from inside, as hostile code would. */
const LOOK = `
const fs = require("fs"), os = require("os");
const can = (action) => { try { action(); return true; } catch { return false; } };
const status = fs.readFileSync("/proc/self/status", "utf8");
const field = (name) => (new RegExp("^" + name + ":\\\\s*(\\\\S+)", "m").exec(status) || [])[1];
console.log(JSON.stringify({
  uid: process.getuid(),
  reads: can(() => fs.readFileSync(process.argv[1])),
  writes: can(() => fs.writeFileSync("/usr/.mlsys-probe", "")),
  interfaces: Object.keys(os.networkInterfaces()).filter((name) => name !== "lo").length,
  processes: fs.readdirSync("/proc").filter((name) => +name > 0).length,
  capabilities: field("CapEff"), noNewPrivileges: field("NoNewPrivs"), seccomp: field("Seccomp"),
}));`;

interface Seen {
  uid: number;
  reads: boolean;
  writes: boolean;
  interfaces: number;
  processes: number;
  capabilities: string;
  noNewPrivileges: string;
  seccomp: string;
}

async function experiment(spec: LevelSpec): Promise<Isolation> {
  const folder = mkdtempSync(join(realpathSync(tmpdir()), "mlsys-probe-"));
  const secret = join(folder, "secret");
  writeFileSync(secret, "secret", { mode: 0o600 });
  const box = BoxProcess.start(spec, {
    argv: [process.execPath, "-e", LOOK, secret],
    env: { PATH: SYSTEM_PATH },
    view: viewFor(folder),
    limits: DEFAULT_BOX_LIMITS,
  });
  try {
    const text = await readAll(box);
    if (text.trim() === "") throw new Error(explain(box.errorText));
    const seen = JSON.parse(text) as Seen;
    const group = box.group?.controllers ?? [];
    const walls = spec.level !== "uid";
    const broken = [
      seen.reads && "reads a private file of the grader's user",
      seen.writes && "writes to /usr",
      Number(`0x${seen.capabilities}`) !== 0 && "has capabilities",
      seen.noNewPrivileges !== "1" && "may gain privileges",
      spec.level === "uid" && (seen.uid === 0 || seen.uid === process.getuid?.()) && "is the same user",
      walls && seen.interfaces > 0 && "sees the network",
      walls && seen.processes > 20 && "sees other processes",
    ].filter((what) => what !== false);
    if (broken.length > 0) throw new Error(`tried, but the code inside ${broken.join(", ")}`);
    return {
      level: spec.level,
      spec,
      network: walls,
      files: walls,
      syscalls: seen.seccomp === "2",
      memory: group.includes("memory") ? "cgroup" : "watched",
      processes: group.includes("pids") ? "cgroup" : "rlimit",
      cpu: group.includes("cpu") ? "cgroup" : "watched",
    };
  } finally {
    await box.kill();
    rmSync(folder, { recursive: true, force: true });
  }
}

export const SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const PROBE_MS = 20_000;

async function readAll(box: BoxProcess): Promise<string> {
  let text = "";
  box.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    text = (text + chunk).slice(0, 10_000);
  });
  const timer = setTimeout(() => box.killNow(), PROBE_MS);
  await new Promise((resolve) => box.stdout.once("close", resolve));
  clearTimeout(timer);
  return text;
}

/** What a tool says, with what it means. */
function explain(text: string): string {
  const said = text.split("\n").slice(-3).join(" ") || "the program in it did not start";
  if (
    /user namespace|uid map|Operation not permitted|Permission denied/i.test(text) &&
    process.getuid?.() !== 0
  )
    return `${said} (unprivileged user namespaces seem to be switched off: see kernel.apparmor_restrict_unprivileged_userns and kernel.unprivileged_userns_clone, or run as root)`;
  if (/Cannot find module|EACCES|Permission denied/.test(text))
    return `${said} (an unprivileged user can't reach the project's folder: put it where others may read, or install bubblewrap)`;
  return said;
}
