/** What lies over the grades: lateness, instructors' decisions and comments; and the gradebook in other systems' formats. */

import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fromBuffer } from "yauzl";
import { parseSettings } from "../src/batch/settings.js";
import { resultsSchema } from "../src/report/results.js";
import { scratchFolder } from "./support/course.js";
import { type Answer, call, formOf, notebookText, type Tried, tryService } from "./support/service.js";

const HOUR = 3_600_000;
const ago = (ms: number) => new Date(Date.now() - ms).toISOString();
/** Handed in now: a day and a half late, but for one who was given more time. */
const settings = parseSettings(
  JSON.stringify({
    late: { percentPerDay: 10 },
    assignments: { mini: { due: ago(36 * HOUR) } },
    extensions: { intime: { mini: ago(-HOUR) } },
  }),
  "grading.json",
);
const folder = join(scratchFolder(afterAll), "data");
const test = (name: string, score: number) => ({
  name, points: 4, score, hidden: name === "secret", status: score > 0 ? ("passed" as const) : ("failed" as const),
}); // biome-ignore format: a record
const tasks = [
  { name: "topo", number: 1, title: "Order", score: 4, points: 8, tests: [test("plain", 4), test("secret", 0)], cells: [] },
  { name: "softmax", number: 2, title: "Softmax", score: 4, points: 4, tests: [test("rows", 4)], cells: [] },
]; // biome-ignore format: a table

let tried: Tried;
let prof: string;
const tokens: Record<string, string> = {};
const ids: Record<string, string> = {};

beforeAll(async () => {
  tried = await tryService(folder, { settings });
  tried.grader.answer = { status: "graded", score: 8, points: 12, tasks };
  prof = tried.enrol("prof", { role: "instructor", name: "Prof. Chen" });
  tokens.late = tried.enrol("late", { name: "=cmd()", email: "late@example.org" });
  tokens.intime = tried.enrol("intime", { name: "In Time" });
  for (const who of ["late", "intime"]) ids[who] = await handIn(who);
});
afterAll(() => tried.running.close());

const ask = (path: string, token: string, init?: RequestInit) => call(tried.address, path, token, init);

/** Hands in and waits for the grade. @returns the submission's id */
async function handIn(who: string): Promise<string> {
  const sent = await ask("/submissions", tokens[who], { method: "POST", body: formOf(await notebookText()) });
  const id = sent.body.receipt?.id as string;
  await ask(`/submissions/${id}/events`, tokens[who]);
  return id;
}

function decide(who: string, fields: Record<string, string>, token = prof): Promise<Answer> {
  return ask(`/submissions/${ids[who]}/decisions`, token, {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams(fields),
  });
}

interface Row {
  person: string;
  score: number | null;
  rawScore: number | null;
  latePercent: number;
  submission: string | null;
}
async function row(who: string): Promise<Row> {
  const { entries } = (await ask("/gradebook.json", prof)).body as unknown as { entries: Row[] };
  return entries.find(({ person }) => person === who) as Row;
}

const page = async (who: string, token: string): Promise<string> => {
  const id = tried.running.service.people.byToken(token);
  const cookie = `mlsys_session=${tried.running.service.people.signIn(id!)}`;
  return (await fetch(`${tried.address}/submissions/${ids[who]}`, { headers: { cookie } })).text();
};

describe("lateness", () => {
  it("takes off what the course's rules say, and nothing from whoever had more time", async () => {
    expect(await row("late")).toMatchObject({ rawScore: 8, latePercent: 20, score: 6.4 });
    expect(await row("intime")).toMatchObject({ rawScore: 8, latePercent: 0, score: 8 });
  });

  it("is told to the learner, on the page, in JSON and in the feedback", async () => {
    expect(await page("late", tokens.late)).toMatch(
      /6\.4<!-- --> of |6\.4 of 12 points[\s\S]*Handed in late: 20 % taken off; without that it would be 8 points/,
    );
    const { progress } = (await ask(`/submissions/${ids.late}`, tokens.late)).body;
    expect(progress).toMatchObject({ state: "done", score: 6.4, points: 12 });
    expect((await ask(`/submissions/${ids.late}/feedback`, tokens.late)).text).toContain("20 % taken off");
  });
});

describe("decisions", () => {
  it("change what counts, with who decided, and leave what the tests gave", async () => {
    expect(
      (await decide("intime", { task: "topo", score: "7.5", comment: "Nearly <b>right</b>." })).status,
    ).toBe(303);
    expect(await row("intime")).toMatchObject({ rawScore: 8, score: 11.5 });
    const report = (await ask(`/submissions/${ids.intime}/report.json`, prof)).body;
    expect(report).toMatchObject({ score: 8, final: 11.5, student: "intime" });
    expect((report.tasks as object[])[0]).toMatchObject({
      score: 4,
      override: { score: 7.5, by: "prof" },
      comments: ["Nearly <b>right</b>."],
    });
  });

  it("are shown to the learner, as text, and their list to instructors alone", async () => {
    const shown = await page("intime", tokens.intime);
    expect(shown).toContain("11.5 of 12 points");
    expect(shown).toContain("Nearly &lt;b>right&lt;/b>.");
    expect(shown).toContain("decided; the tests gave 4");
    expect(shown).not.toContain('id="decisions"');
    expect(await page("intime", prof)).toContain('id="decisions"');
    expect((await ask(`/submissions/${ids.intime}/feedback`, tokens.intime)).text).toContain(
      "decided by your instructor",
    );
  });

  it("are late as well, when the submission is", async () => {
    await decide("late", { task: "topo", score: "8" });
    expect(await row("late")).toMatchObject({ rawScore: 8, latePercent: 20, score: 9.6 });
  });

  it("stand when more is handed in, when the grader failed before, and over a restart", async () => {
    tried.grader.answer = { status: "grader", score: 0, message: "no kernel" };
    const failed = await handIn("intime");
    expect(await row("intime")).toMatchObject({ score: 11.5, submission: ids.intime });
    tried.grader.answer = {
      status: "graded",
      score: 4,
      points: 12,
      tasks: [{ ...tasks[0], score: 0, tests: [test("plain", 0), test("secret", 0)] }, tasks[1]],
    };
    await ask(`/submissions/${failed}/again`, prof, { method: "POST" });
    await ask(`/submissions/${failed}/events`, tokens.intime);
    expect((await ask(`/submissions/${failed}/report.json`, prof)).body).toMatchObject({
      score: 4,
      final: 11.5,
    });
    await tried.running.close();
    tried = await tryService(folder, { settings });
    expect(await row("intime")).toMatchObject({ score: 11.5, rawScore: 8 });
  });

  it("are taken back, task by task", async () => {
    await decide("intime", { comment: "Well done." });
    await decide("intime", { task: "topo", clear: "1" });
    expect(await row("intime")).toMatchObject({ score: 8 });
    const shown = await page("intime", tokens.intime);
    expect(shown).not.toContain("Nearly");
    expect(shown).toContain("Well done.");
    await decide("intime", { clear: "1" });
    expect(await page("intime", tokens.intime)).not.toContain("Well done.");
  });

  it.each([
    [{}, /Give a score or a comment/],
    [{ score: "3" }, /choose the task/],
    [{ task: "nope", score: "3" }, /There is no task \\"nope\\"/],
    [{ task: "topo", score: "-1" }, /is no number of points/],
    [{ task: "topo", score: "NaN" }, /is no number of points/],
    [{ task: "topo", score: "1e999" }, /is no number of points/],
    [{ comment: "x".repeat(4_001) }, /at most 4000 characters/],
  ])("are refused when they are none: %j", async (fields, message) => {
    const before = await row("late");
    const { status, text } = await decide("late", fields as Record<string, string>);
    expect(status).toBe(422);
    expect(text).toMatch(message);
    expect(await row("late")).toEqual(before);
  });

  it("are instructors' alone", async () => {
    expect((await decide("late", { task: "topo", score: "8" }, tokens.late)).status).toBe(403);
    const none = await ask("/submissions/nope/decisions", prof, { method: "POST" });
    expect(none.status).toBe(404);
  });
});

describe("exports", () => {
  const get = (file: string, token = prof) => ask(`/gradebook/export/${file}`, token);

  it("hold what counts, in the command line's formats", async () => {
    const csv = (await get("grades.csv")).text.split("\r\n");
    expect(csv[0]).toMatch(/^assignment,duedate,timestamp,student_id,/);
    expect(csv.find((line) => line.includes(",late,"))).toMatch(
      /^mini,,\d{4}-[^,]+Z,late,'=cmd\(\),,late@example\.org,12,2\.4,9\.6,12,graded,/,
    );
    const { reports } = resultsSchema.parse(JSON.parse((await get("results.json?assignment=mini")).text));
    expect(reports.map(({ student, final, score }) => [student, final ?? score]).sort()).toEqual([
      ["intime", 8],
      ["late", 9.6],
    ]);
    const lti = JSON.parse((await get("lti.json")).text) as { userId: string; scoreGiven: number }[];
    expect(lti.find(({ userId }) => userId === "late")).toMatchObject({
      scoreGiven: 9.6,
      scoreMaximum: 12,
      gradingProgress: "FullyGraded",
    });
    expect((await get("junit.xml")).text).toMatch(/<testsuites[\s\S]*name="plain"/);
  });

  it("hold the learners' pages, with what counts", async () => {
    const response = await fetch(`${tried.address}/gradebook/export/feedback.zip`, {
      headers: { authorization: `Bearer ${prof}` },
    });
    const files = await unzipped(Buffer.from(await response.arrayBuffer()));
    expect([...files.keys()].sort()).toEqual(["mini/intime.html", "mini/late.html"]);
    expect(files.get("mini/late.html")).toContain("9.6 of 12 points");
  });

  const roster =
    "Student,ID,SIS User ID,SIS Login ID,Section,Mini (77)\n    Points Possible,,,,,12\n" +
    '"Time, In",101,,intime,A,\n"Nobody, Else",102,,else,A,\n';
  const fill = (fields: Record<string, string>, text?: string, token = prof) => {
    const form = new FormData();
    for (const [name, value] of Object.entries(fields)) form.set(name, value);
    if (text !== undefined) form.set("roster", new Blob([text]), "canvas.csv");
    return ask("/gradebook/export/canvas.csv", token, { method: "POST", body: form });
  };

  it("fill in the table that Canvas exported", async () => {
    const { status, text, headers } = await fill({ assignment: "mini", column: "Mini (77)" }, roster);
    expect(status, text).toBe(200);
    expect(headers.get("content-disposition")).toContain("canvas.csv");
    expect(text.split(/\r?\n/).slice(0, 4)).toEqual([
      "Student,ID,SIS User ID,SIS Login ID,Section,Mini (77)",
      "    Points Possible,,,,,12",
      '"Time, In",101,,intime,A,8',
      '"Nobody, Else",102,,else,A,',
    ]);
  });

  it.each([
    [{ assignment: "", column: "Mini (77)" }, roster, 422, /Choose the assignment/],
    [{ assignment: "mini", column: " " }, roster, 422, /Name the assignment's column/],
    [{ assignment: "mini", column: "Mini" }, undefined, 422, /Choose the grades as Canvas exported them/],
    [{ assignment: "mini", column: "Mini" }, "a,b\n1,2\n", 422, /has no column/],
    [{ assignment: "nope", column: "Mini" }, roster, 404, /There is no such page/],
  ])("say what Canvas's table lacks: %j", async (fields, text, status, message) => {
    const answer = await fill(fields, text);
    expect([answer.status, answer.text]).toEqual([status, expect.stringMatching(message)]);
  });

  it("are instructors' alone, and only those that there are", async () => {
    for (const file of ["grades.csv", "results.json", "lti.json", "junit.xml", "feedback.zip"])
      expect((await get(file, tokens.late)).status, file).toBe(403);
    expect((await fill({ assignment: "mini", column: "Mini" }, roster, tokens.late)).status).toBe(403);
    for (const file of ["nope", "toString", "__proto__"]) expect((await get(file)).status, file).toBe(404);
    expect((await get("grades.csv?assignment=nope")).status).toBe(404);
  });
});

function unzipped(bytes: Buffer): Promise<Map<string, string>> {
  return new Promise((resolve, reject) => {
    fromBuffer(bytes, { lazyEntries: true }, (error, zip) => {
      if (error) return reject(error);
      const files = new Map<string, string>();
      zip.on("entry", (entry) =>
        zip.openReadStream(entry, async (failure, stream) => {
          if (failure) return reject(failure);
          files.set(entry.fileName, (await buffer(stream)).toString("utf8"));
          zip.readEntry();
        }),
      );
      zip.on("end", () => resolve(files)).on("error", reject);
      zip.readEntry();
    });
  });
}
