/** A batch without a kernel: what is handed in, the log, what is graded again and what is not, decisions, lateness. */
import {
  createWriteStream,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { afterAll, describe, expect, it } from "vitest";
import { ZipFile } from "yazl";
import { type Assignment, assignmentOf } from "../src/assignment/assignment.js";
import { runBatch } from "../src/batch/batch.js";
import { sha256 } from "../src/batch/course.js";
import { decided } from "../src/batch/decisions.js";
import { openInbox, parseTime } from "../src/batch/inbox.js";
import { BatchLog } from "../src/batch/log.js";
import { lateness, NO_SETTINGS, parseSettings } from "../src/batch/settings.js";
import type { Report } from "../src/judge/report.js";
import { resultsAsJson } from "../src/report/results.js";
import { miniAssignment, scratchFolder } from "./support/course.js";
import { report } from "./support/reports.js";

const folder = scratchFolder(afterAll);
const place = (name: string) => mkdtempSync(join(folder, `${name}-`));
const put = (root: string, path: string, text = "{}") => {
  mkdirSync(join(root, path, ".."), { recursive: true });
  writeFileSync(join(root, path), text);
};

async function zipFile(
  root: string,
  entries: [name: string, text: string | Buffer, mode?: number][],
): Promise<string> {
  const zip = new ZipFile();
  for (const [name, text, mode] of entries)
    zip.addBuffer(Buffer.from(text), name, { mtime: new Date(0), ...(mode === undefined ? {} : { mode }) });
  zip.end();
  const path = join(root, "in.zip");
  await pipeline(zip.outputStream, createWriteStream(path));
  return path;
}

/** Changes names in a zip file's bytes: the library that writes refuses such names. */
function rename(path: string, from: string, to: string): void {
  expect(to).toHaveLength(from.length);
  const bytes = readFileSync(path).toString("latin1").replaceAll(from, to);
  writeFileSync(path, Buffer.from(bytes, "latin1"));
}

describe("inbox", () => {
  it("reads nbgrader's tree, with times, and tells whose folder is empty", async () => {
    const root = place("nbgrader");
    put(root, "submitted/alice/ps1/p1.ipynb");
    put(root, "submitted/alice/ps1/p2.ipynb");
    put(root, "submitted/alice/ps1/timestamp.txt", "2026-11-01 15:58:23.948203 UTC");
    put(root, "submitted/alice/ps1/.ipynb_checkpoints/p1-checkpoint.ipynb");
    put(root, "submitted/bob/ps1/notes.txt");
    const { items } = await openInbox([root]);
    expect(
      items.map(({ student, name, submittedAt, refused }) => [
        student,
        name.slice(root.length),
        submittedAt,
        refused?.problem,
      ]),
    ).toEqual([
      ["alice", "/submitted/alice/ps1/p1.ipynb", "2026-11-01T15:58:23.948Z", undefined],
      ["alice", "/submitted/alice/ps1/p2.ipynb", "2026-11-01T15:58:23.948Z", undefined],
      ["bob", "/submitted/bob/ps1", undefined, "missing"],
    ]);
    const below = await openInbox([join(root, "submitted")]);
    expect(below.items.map(({ student }) => student)).toEqual(["alice", "alice", "bob"]);
  });

  it("knows whose a file is by the names that Canvas and Moodle give, a folder, or its own", async () => {
    const root = place("flat");
    put(root, "ngalice_101_9001_mini-2.ipynb");
    put(root, "bobson_LATE_102_9002_my_answer.ipynb");
    put(root, "Dora Doe_77_assignsubmission_file_/mini.ipynb");
    put(root, "eve/deep/er/mini.ipynb");
    put(root, "frank.ipynb");
    symlinkSync("/etc/passwd", join(root, "link.ipynb"));
    const { items } = await openInbox([root]);
    expect(items.map(({ student }) => student).sort()).toEqual([
      "101",
      "102",
      "Dora Doe",
      "eve",
      "frank",
      "link",
    ]);
  });

  it("reads times with and without a zone, and nothing else", () => {
    expect(parseTime("2026-11-01 15:58:23 UTC\n")).toBe("2026-11-01T15:58:23.000Z");
    expect(parseTime("2026-11-01T15:58:23.5+02:00")).toBe("2026-11-01T13:58:23.500Z");
    expect(parseTime("2026-11-01 15:58 +0100")).toBe("2026-11-01T14:58:00.000Z");
    for (const text of ["", "yesterday", "2026-13-01 00:00:00", "2026-11-01", "1".repeat(100)])
      expect(parseTime(text)).toBeUndefined();
  });

  it("zip: the honest files are there, and each trap is told by name and reason", async () => {
    const root = place("zip");
    const path = await zipFile(root, [
      ["alice/mini.ipynb", "alice's"],
      ["alice/timestamp.txt", "2026-11-01 15:58:23 UTC"],
      ["XXXXXX/out.ipynb", "out"],
      ["YYYYYY/abs.ipynb", "abs"],
      ["ZZZZZZ/back.ipynb", "back"],
      ["bob/link.ipynb", "/etc/passwd", 0o120777],
      ["carol/mini.ipynb", "once"],
      ["CAROL/mini.ipynb", "twice"],
      ["dora/huge.ipynb", Buffer.alloc(40 * 1024 * 1024)],
      ["__MACOSX/alice/._mini.ipynb", ""],
      ["eve/program.sh", "rm -rf /"],
    ]);
    rename(path, "XXXXXX/out", "../../o/out".slice(0, 10));
    rename(path, "YYYYYY/abs", "/etc/x/abs".slice(0, 10));
    rename(path, "ZZZZZZ/back", "a\\..\\..\\bk!");
    const { items, close } = await openInbox([path]);
    const told = Object.fromEntries(
      items.map(({ name, refused }) => [name.slice(path.length + 1), refused?.message]),
    );
    expect(told).toEqual({
      "alice/mini.ipynb": undefined,
      "carol/mini.ipynb": undefined,
      "bob/link.ipynb": expect.stringMatching(/is not a regular file/),
      "CAROL/mini.ipynb": expect.stringMatching(/stands twice/),
      "dora/huge.ipynb": expect.stringMatching(/40 MiB unpacked is more than the limit of 32 MiB/),
      "../../o/ou.ipynb": expect.stringMatching(/leads out of the archive/),
      "/etc/x/abs.ipynb": expect.stringMatching(/leads out of the archive/),
      "a/../../bk!.ipynb": expect.stringMatching(/leads out of the archive/),
    });
    const alice = items.find(({ student }) => student === "alice");
    expect(readFileSync(alice?.file ?? "", "utf8")).toBe("alice's");
    expect(alice?.submittedAt).toBe("2026-11-01T15:58:23.000Z");
    await close();
    expect(() => readFileSync(alice?.file ?? "")).toThrow(/ENOENT/);
  });

  it("zip: a bomb stops at the limit, whatever sizes it claims", async () => {
    const root = place("bomb");
    const path = await zipFile(root, [
      ["a.ipynb", Buffer.alloc(900_000)],
      ["b.ipynb", Buffer.alloc(900_000)],
    ]);
    const limits = { entries: 10, fileBytes: 1_000_000, totalBytes: 1_000_000 };
    const { items, close } = await openInbox([path], limits);
    expect(items.map(({ refused }) => refused?.problem)).toEqual([undefined, "too-large"]);
    await close();
    // The directory says 9 bytes; the data are 900,000.
    const bytes = readFileSync(path);
    const directory = bytes.indexOf("PK\u0001\u0002", "latin1");
    bytes.writeUInt32LE(9, directory + 24);
    writeFileSync(path, bytes);
    const lying = await openInbox([path], { ...limits, totalBytes: 10_000_000 });
    expect(lying.items.find(({ name }) => name.endsWith("a.ipynb"))?.refused?.message).toMatch(
      /can't be unpacked/,
    );
    await lying.close();
    await expect(
      openInbox([path], { ...limits, entries: 1 }).then(({ items }) => items[0].refused?.message),
    ).resolves.toMatch(/more than 1 entries/);
  });

  it("zip: what is no zip, half of one, or spoilt is told, and the other paths are read", async () => {
    const root = place("spoilt");
    const whole = await zipFile(root, [["alice/mini.ipynb", "x".repeat(5000)]]);
    const half = join(root, "half.zip");
    writeFileSync(half, readFileSync(whole));
    truncateSync(half, 60);
    const spoilt = join(root, "spoilt.zip");
    const bytes = readFileSync(whole);
    bytes[50] ^= 0xff;
    writeFileSync(spoilt, bytes);
    put(root, "text.zip", "hello");
    put(root, "frank.ipynb");
    const { items, close } = await openInbox([
      half,
      spoilt,
      join(root, "text.zip"),
      join(root, "frank.ipynb"),
    ]);
    expect(items.map(({ refused }) => refused?.problem)).toEqual([
      "bad-archive",
      "bad-archive",
      "bad-archive",
      undefined,
    ]);
    await close();
  });
});

describe("log", () => {
  const line = (name: string, more: Partial<Report> = {}) =>
    ({ type: "graded", name, tasks: { topo: "f1" }, report: report({ file: name, ...more }) }) as const;

  it("cut off at any byte, it gives the whole lines and goes on behind them", async () => {
    const root = place("log");
    const path = join(root, "log.jsonl");
    const log = await BatchLog.open(path);
    await log.append(line("a"));
    await log.append(line("b ü\n"));
    await log.append({
      type: "override",
      student: "alice",
      assignment: "mini",
      task: "topo",
      score: 2,
      at: "2026",
    });
    await log.append(line("c"));
    await log.close();
    const bytes = readFileSync(path);
    const ends = [...bytes.entries()].flatMap(([i, byte]) => (byte === 0x0a ? [i + 1] : []));
    expect(ends).toHaveLength(4);
    for (let length = 0; length <= bytes.length; length += 1 + (length % 37)) {
      writeFileSync(path, bytes.subarray(0, length));
      const whole = ends.filter((end) => end <= length).length;
      const again = await BatchLog.open(path);
      expect(again.reports()).toHaveLength([0, 1, 2, 2, 3][whole]);
      expect(again.overrides).toHaveLength(whole >= 3 ? 1 : 0);
      await again.append(line("d"));
      await again.close();
      expect((await BatchLog.read(path)).reports()).toHaveLength([0, 1, 2, 2, 3][whole] + 1);
    }
  });

  it("is not written by two at once, but taken over from the dead", async () => {
    const path = join(place("lock"), "log.jsonl");
    writeFileSync(`${path}.lock`, String(process.ppid));
    await expect(BatchLog.open(path)).rejects.toThrow(/process \d+ is grading into this log/);
    writeFileSync(`${path}.lock`, "4194304");
    await (await BatchLog.open(path)).close();
    writeFileSync(path, '{"type":"graded"}\n');
    await expect(BatchLog.open(path)).rejects.toThrow(/line 1: is no line of a grading log/);
    await expect(BatchLog.read("/nowhere/x.jsonl")).rejects.toThrow(/there is no such log/);
  });
});

describe("batch", () => {
  let rounds = 0;
  /** Counts what it grades; a file's text says how it goes. */
  function grader(calls: string[], assignment: Assignment) {
    const round = ++rounds;
    return async (file: string, tasks?: readonly string[]): Promise<Report> => {
      const text = readFileSync(file, "utf8");
      calls.push(`${text}${tasks ? `:${tasks.join("+")}` : ""}`);
      if (text === "crash") throw new Error("the judge is gone");
      const [sample] = report().tasks;
      const graded = assignment.tasks
        .filter(({ name }) => tasks?.includes(name) ?? true)
        .map(({ name, number, title }) => ({
          ...sample,
          name,
          number,
          title,
          score: round,
          points: 100,
        }));
      return {
        ...report({ file, student: undefined, sha256: await sha256(file), tasks: graded }),
        ...(text === "broken"
          ? { status: "invalid" as const, problem: "not-json", message: `${file}: is not JSON`, tasks: [] }
          : {}),
        score: text === "broken" ? 0 : graded.reduce((sum, { score }) => sum + score, 0),
        timing: { ms: Math.round(performance.now()) },
      };
    };
  }

  async function course() {
    const root = place("batch");
    const inbox = join(root, "inbox");
    for (const name of ["a", "b", "broken", "crash", "e"]) put(inbox, `${name}/mini.ipynb`, name);
    const state = { assignment: await miniAssignment() };
    const calls: string[] = [];
    const run = async (regrade?: string[], signal?: AbortSignal) => {
      calls.length = 0;
      const log = await BatchLog.open(join(root, "log.jsonl"));
      const { items } = await openInbox([inbox]);
      const grade = grader(calls, state.assignment);
      const reports = await runBatch(items, {
        log,
        grade,
        assignment: async () => state.assignment,
        jobs: 2,
        regrade,
        signal,
      });
      await log.close();
      return reports;
    };
    return { root, inbox, state, calls, run };
  }

  it("grades each once; a broken one and a crash stop nothing, and are no silent 0", async () => {
    const { run, calls, root } = await course();
    const first = await run();
    expect(first.map(({ student, status }) => [student, status])).toEqual([
      ["a", "graded"],
      ["b", "graded"],
      ["broken", "invalid"],
      ["crash", "grader"],
      ["e", "graded"],
    ]);
    expect(first[2].message).toBe(`${join(root, "inbox/broken/mini.ipynb")}: is not JSON`);
    // The grader's own failure is tried again, a file that can't be read is looked at again, the rest is known.
    const second = await run();
    expect(calls.sort()).toEqual(["broken", "crash"]);
    const untimed = (reports: Report[]) =>
      resultsAsJson(reports.map((one) => ({ ...one, timing: { ms: 0 } })));
    expect(untimed(second)).toBe(untimed(first));
    const lines = readFileSync(join(root, "log.jsonl"), "utf8").trim().split("\n");
    expect(lines.filter((text) => text.includes('"status":"invalid"'))).toHaveLength(1);
  });

  it("grades again what was handed in again, and only the tasks whose tests changed", async () => {
    const { run, calls, inbox, state } = await course();
    const first = await run();
    put(inbox, "a/mini.ipynb", "a2");
    await run();
    expect(calls.filter((call) => !/^(broken|crash)/.test(call))).toEqual(["a2"]);
    // Another text of one test: the task's results are old, and no other's.
    const notebook = structuredClone(state.assignment.notebook);
    const cell = notebook.cells.find(({ source }) => source.includes("topo.test"));
    if (cell) cell.source = cell.source.replace("topo.test", "/* stricter */ topo.test");
    state.assignment = assignmentOf(notebook, state.assignment.path);
    const third = await run();
    expect(calls.filter((call) => !/^(broken|crash)/.test(call)).sort()).toEqual([
      "a2:topo",
      "b:topo",
      "e:topo",
    ]);
    const tasks = (reports: Report[]) => reports.find(({ student }) => student === "b")?.tasks ?? [];
    expect(tasks(third).slice(1)).toEqual(tasks(first).slice(1));
    expect(tasks(third)[0].score).not.toBe(tasks(first)[0].score);
    expect(third[1].score).toBe(tasks(third).reduce((sum, { score }) => sum + score, 0));
  });

  it("regrades one task; stopped in the middle, the next run does the rest and no more", async () => {
    const { run, calls } = await course();
    await run();
    const stop = new AbortController();
    const pending = run(["softmax"], stop.signal);
    while (!calls.some((call) => call.endsWith(":softmax")))
      await new Promise((resolve) => setImmediate(resolve));
    stop.abort();
    await pending;
    const before = calls.filter((call) => call.endsWith(":softmax")).length;
    expect(before).toBeLessThan(3);
    await run(["softmax"]);
    const after = calls.filter((call) => call.endsWith(":softmax")).length;
    expect(after).toBeGreaterThan(0);
    await run();
    expect(calls.filter((call) => call.endsWith(":softmax"))).toEqual([]);
    await run(["softmax"]);
    expect(calls.filter((call) => call.endsWith(":softmax"))).toHaveLength(3);
  });
});

describe("decisions", () => {
  const at = "2026-11-27T00:00:00Z";
  const override = { type: "override", student: "alice", assignment: "mini", task: "topo", at } as const;

  it("override a task's score and comment on it, until they are taken back", () => {
    const made = [
      { ...override, score: 3, comment: "Right idea.", by: "Ada" },
      { ...override, comment: "See page 3." },
    ];
    const got = decided(report(), made, NO_SETTINGS);
    expect(got).toMatchObject({ score: 1, final: 3 });
    expect(got.tasks[0]).toMatchObject({
      score: 1,
      override: { score: 3, by: "Ada" },
      comments: ["Right idea.", "See page 3."],
    });
    const manual = [{ gradeId: "essay", points: 3 }];
    const essay = { ...override, task: "essay", score: 2.5, comment: undefined };
    const graded = decided(report({ manual }), [essay], NO_SETTINGS);
    expect(graded.manual).toEqual([{ gradeId: "essay", points: 3, score: 2.5, by: essay.by }]);
    expect(graded.final).toBe(report().score + 2.5);
    expect(decided(report({ manual }), [], NO_SETTINGS)).toEqual(report({ manual }));
    const undone = decided(report(), [...made, { ...override, score: null, comment: null }], NO_SETTINGS);
    expect(undone).toEqual(report());
    expect(decided(report({ student: "bob" }), made, NO_SETTINGS)).toEqual(report({ student: "bob" }));
  });

  it("lateness: grace, days begun, the most, the end, extensions, and no known time", () => {
    const settings = parseSettings(
      JSON.stringify({
        late: { graceMinutes: 10, percentPerDay: 10, maxPercent: 30, closedAfterDays: 7 },
        assignments: { mini: { due: "2026-11-01T12:00:00+01:00" }, free: {} },
        extensions: { bob: { mini: "2026-11-03T12:00:00+01:00" } },
      }),
      "grading.json",
    );
    const of = (submittedAt: string | undefined, student = "alice", assignment = "mini") =>
      lateness(settings, { student, assignment, submittedAt })?.percent;
    expect(of("2026-11-01T11:10:00Z")).toBeUndefined();
    expect(of("2026-11-01T11:11:00Z")).toBe(10);
    expect(of("2026-11-02T11:00:00Z")).toBe(10);
    expect(of("2026-11-02T11:00:01Z")).toBe(20);
    expect(of("2026-11-06T11:00:00Z")).toBe(30);
    expect(of("2026-11-08T11:00:01Z")).toBe(100);
    expect(of("2026-11-03T11:00:00Z", "bob")).toBeUndefined();
    expect(of(undefined)).toBeUndefined();
    expect(of("2027-01-01T00:00:00Z", "alice", "free")).toBeUndefined();
    const late = decided(
      report({ submittedAt: "2026-11-02T11:00:00.000Z" }),
      [{ ...override, score: 3 }],
      settings,
    );
    expect(late).toMatchObject({ score: 1, final: 2.7, late: { minutes: 1440, percent: 10 } });
  });

  it("names the place of a mistake in the settings", () => {
    expect(() => parseSettings("{", "grading.json")).toThrow(/grading\.json: is not JSON/);
    expect(() => parseSettings('{"assignments":{"mini":{"due":"soon"}}}', "grading.json")).toThrow(
      /at assignments\.mini\.due/,
    );
    expect(() => parseSettings('{"late":{"percent":3}}', "grading.json")).toThrow(/at late/);
  });
});
