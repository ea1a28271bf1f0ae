/** Every output format: what stands in it, read by somebody else's reader, and hostile text that stays text. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";
import * as actions from "@actions/core";
import { Ajv2020 } from "ajv/dist/2020.js";
import { parse } from "csv-parse/sync";
import fc from "fast-check";
import { SaxesParser } from "saxes";
import { describe, expect, it, vi } from "vitest";
import { InputError } from "../src/errors.js";
import type { Report } from "../src/judge/report.js";
import { canvasCsv, parseRoster } from "../src/report/canvas.js";
import { asCsv } from "../src/report/csv.js";
import { annotations, command, stepSummary, withoutCommands } from "../src/report/github.js";
import { gradesCsv } from "../src/report/grades.js";
import { gradescopeResults } from "../src/report/gradescope.js";
import { reportAsHtml } from "../src/report/html.js";
import { junitXml } from "../src/report/junit.js";
import { forLearner } from "../src/report/learner.js";
import { ltiScores } from "../src/report/lti.js";
import { prairieLearnResults } from "../src/report/prairielearn.js";
import { resultsAsJson, resultsJsonSchema } from "../src/report/results.js";
import { reportsAsText } from "../src/report/terminal.js";
import { broken, HOSTILE, hostileReport, report, SECRET, unreadable } from "./support/reports.js";

const all = (): Report[] => [report(), hostileReport(), unreadable(), broken()];

describe("results.json", () => {
  const published = readFileSync(
    fileURLToPath(new URL("../schema/results.schema.json", import.meta.url)),
    "utf8",
  );

  it("is valid under the published schema, which is the one of this version", () => {
    expect(published).toBe(resultsJsonSchema());
    const validate = new Ajv2020({ strict: true }).compile(JSON.parse(published));
    const results = JSON.parse(resultsAsJson(all()));
    expect(validate(results), JSON.stringify(validate.errors)).toBe(true);
    // The schema refuses what is not there, what is too much, and what is of another kind.
    for (const spoil of [
      (r: typeof results) => delete r.reports[0].status,
      (r: typeof results) => Object.assign(r.reports[0], { grade: 1 }),
      (r: typeof results) => Object.assign(r.reports[0].tasks[0], { score: "4" }),
      (r: typeof results) => Object.assign(r.reports[0].tasks[0].tests[0], { status: "fine" }),
      (r: typeof results) => Object.assign(r, { version: 2 }),
    ]) {
      const spoilt = structuredClone(results);
      spoil(spoilt);
      expect(validate(spoilt), spoil.toString()).toBe(false);
    }
  });
});

describe("JUnit", () => {
  it("is well-formed XML with a failure, an error and a property for what it says", () => {
    const xml = elements(junitXml([report(), unreadable(), broken()]));
    expect(xml.filter(({ name }) => name === "testcase").map(({ attributes }) => attributes.name)).toEqual([
      "adds",
      "adds more",
      "hidden one",
      "can be graded",
      "can be graded",
    ]);
    expect(xml.find(({ name }) => name === "testsuites")?.attributes).toMatchObject({
      tests: "5",
      failures: "2",
      errors: "2",
    });
    expect(
      xml.filter(({ name }) => name === "property").map(({ attributes }) => Object.values(attributes)),
    ).toEqual(
      expect.arrayContaining([
        ["score", "1"],
        ["points", "4"],
      ]),
    );
    // No score where nothing was graded.
    const suites = junitXml([unreadable(), broken()]);
    expect(suites).not.toContain('name="score"');
  });

  it("keeps hostile text as text", () => {
    const xml = elements(junitXml([hostileReport()]));
    const names = xml.map(({ name }) => name);
    expect(
      names.filter(
        (name) => !["testsuites", "testsuite", "properties", "property", "testcase", "error"].includes(name),
      ),
    ).toEqual([]);
    expect(xml.find(({ name }) => name === "error")?.text).toContain("]]><script>alert(1)</script>&amp;");
  });

  it("is well-formed for any text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const base = report();
        base.tasks[0].tests[1].message = text;
        base.tasks[0].tests[1].name = text;
        elements(junitXml([{ ...base, file: text }]));
      }),
    );
  });
});

describe("tables", () => {
  const reader = (text: string) => parse(text, { relax_column_count: false }) as string[][];

  it("never begin a cell like a formula, and come back as they were", () => {
    const cells = [
      "=1+1",
      "+1",
      "-1",
      "@SUM(A1)",
      " =1",
      "\t=1",
      "\r=1",
      "\n=1",
      "＝1",
      "|cmd",
      "%0A",
      'a"b',
      "a,b",
      "a\nb",
      "plain",
      "",
    ];
    const [row] = reader(asCsv([cells]));
    row.forEach((cell, i) => {
      expect(cell, JSON.stringify(cells[i])).not.toMatch(/^[\s\p{Cc}]*[=+\-@|%＝＋－＠]|^[\t\r\n]/u);
      expect(cell.replace(/^'/, "")).toBe(cells[i]);
    });
    fc.assert(
      fc.property(fc.array(fc.string({ unit: "binary" }), { minLength: 1 }), (texts) => {
        const [back] = reader(asCsv([["x", ...texts]]));
        expect(back).toHaveLength(texts.length + 1);
        for (const cell of back) expect(cell).not.toMatch(/^[\s\p{Cc}\p{Cf}]*[=+\-@]/u);
      }),
    );
  });

  it("grades.csv: a row each; no score where nothing was graded, and the reason", () => {
    const rows = reader(gradesCsv(all()));
    const column = (name: string) => rows.slice(1).map((row) => row[rows[0].indexOf(name)]);
    expect(column("score")).toEqual(["1", "1", "", ""]);
    expect(column("status")).toEqual(["graded", "graded", "invalid", "grader"]);
    expect(column("student_id")).toEqual(["alice", expect.stringMatching(/^'=HYPERLINK/), "bob", "carol"]);
    const late = gradesCsv([
      report({ final: 0.9, late: { minutes: 5, percent: 10 }, submittedAt: "2026-11-01T00:00:00.000Z" }),
    ]);
    expect(reader(late)[1].slice(7, 11)).toEqual(["1", "0.1", "0.9", "4"]);
  });

  const ROSTER = `Student,ID,SIS User ID,SIS Login ID,Section,Exercise 3 (77),Current Score
    Points Possible,,,,,10,(read only)
"Ng, Alice",101,alice,alice@uni.example,A,,
"Bobson, ""Bob""",102,b-2,=bob,A,,
Dora,103,dora,dora@uni.example,B,9,
`;

  it("Canvas: identities are copied from the export, and who has no grade keeps an empty cell", () => {
    const roster = parseRoster(`\uFEFF${ROSTER}`, "roster.csv");
    const { csv, strangers, ungraded } = canvasCsv(
      [report(), report({ ...unreadable(), student: "102" }), report({ student: "eve", file: "eve.ipynb" })],
      roster,
      "Exercise 3 (77)",
      4,
    );
    expect(reader(csv)).toEqual([
      ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Exercise 3 (77)"],
      ["    Points Possible", "", "", "", "", "4"],
      ["Ng, Alice", "101", "alice", "alice@uni.example", "A", "1"],
      ['Bobson, "Bob"', "102", "b-2", "'=bob", "A", ""],
      ["Dora", "103", "dora", "dora@uni.example", "B", ""],
    ]);
    expect(strangers).toEqual(["eve"]);
    expect(ungraded).toEqual(['Bobson, "Bob"', "Dora"]);
    expect(() => canvasCsv([report(), report({ student: "101" })], roster, "x", 4)).toThrow(
      /both of Ng, Alice/,
    );
    expect(() => parseRoster("a,b\n1,2\n", "x.csv")).toThrow(InputError);
    expect(() => parseRoster('"a', "x.csv")).toThrow(/is not a CSV file/);
  });
});

describe("GitHub Actions", () => {
  /** What GitHub's runner takes for commands in a step's output: its rules, `ActionCommand.cs`. */
  function commandsIn(output: string): string[] {
    let stopped: string | undefined;
    return output.split("\n").flatMap((raw) => {
      const line = raw.trimStart();
      if (stopped !== undefined) {
        if (line.trimEnd() === `::${stopped}::`) stopped = undefined;
        return [];
      }
      const stop = /^::stop-commands::(.+)$/.exec(line);
      if (stop) {
        [, stopped] = stop;
        return [];
      }
      return line.startsWith("::") || line.includes("##[") ? [line] : [];
    });
  }

  it("gives no command of the submission's to the runner", () => {
    const printed = withoutCommands(reportsAsText([hostileReport()]));
    expect(commandsIn(reportsAsText([hostileReport()])).length).toBeGreaterThan(0);
    expect(commandsIn(printed)).toEqual([]);
    const own = commandsIn(printed + annotations([hostileReport()]));
    expect(own.map((line) => /^::(\w+) /.exec(line)?.[1])).toEqual(["warning", "notice", "notice"]);
    expect(own.at(-1)).toBe('::notice title=Autograding report::{"totalPoints":1,"maxPoints":4}');
    expect(new Set([withoutCommands(""), withoutCommands("")]).size).toBe(2);
  });

  it("writes commands as GitHub's own toolkit does", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(..."a:,%\r\n =;|ü😀"), minLength: 1, maxLength: 30 }),
        (text) => {
          const out: string[] = [];
          const spy = vi.spyOn(process.stdout, "write").mockImplementation((chunk) => {
            out.push(String(chunk));
            return true;
          });
          actions.warning(text, { title: text, file: text });
          spy.mockRestore();
          expect(`${command("warning", { title: text, file: text }, text)}\n`).toBe(out.join(""));
        },
      ),
    );
  });

  it("claims no score when the grader failed", () => {
    expect(annotations([broken()].map(forLearner))).not.toMatch(/Autograding/);
    expect(annotations([broken()].map(forLearner))).toMatch(/^::error .*The grader failed/);
  });

  it("summary: Markdown in which a submission's text means nothing", () => {
    const page = stepSummary([hostileReport()]);
    expect(page).not.toMatch(/<script|<img|\]\(javascript|^# /m);
    expect(page.replace(/<\/?(details|summary|pre)>/g, "")).not.toMatch(/[<>]/);
    expect(page).toContain("| task | test | result | points |");
    expect(stepSummary(Array.from({ length: 3000 }, () => hostileReport())).length).toBeLessThan(2 ** 20);
  });
});

describe("Gradescope, PrairieLearn, LTI", () => {
  it("Gradescope: scores, statuses, hidden tests after publication, everything as text", () => {
    expect(gradescopeResults(report())).toMatchObject({
      score: 1,
      output_format: "text",
      test_name_format: "text",
      tests: [
        { number: "1.1", status: "passed", score: 1, max_score: 1, visibility: "visible" },
        { number: "1.2", status: "failed", output: expect.stringContaining("got 1, expected 2") },
        { visibility: "after_published", output: "wrong answer\nhint: think of empty lists" },
      ],
    });
    expect(gradescopeResults(unreadable())).toMatchObject({
      score: 0,
      tests: [],
      output: expect.stringMatching(/NOT GRADED.*\n.*is not JSON/),
      extra_data: { status: "invalid" },
    });
    const decided = report({ final: 3 });
    decided.tasks[0].override = { score: 3 };
    const { score, tests } = gradescopeResults(decided);
    expect(score).toBe(3);
    expect(tests.reduce((sum, test) => sum + test.score, 0)).toBe(3);
  });

  it("PrairieLearn: an attempt that can't be graded does not count, and no file is too large", () => {
    expect(prairieLearnResults(report())).toMatchObject({
      gradable: true,
      score: 0.25,
      tests: { length: 3 },
    });
    expect(prairieLearnResults(unreadable())).toMatchObject({
      gradable: false,
      format_errors: [expect.stringContaining("JSON")],
    });
    expect(prairieLearnResults(broken())).toMatchObject({ gradable: false });
    const huge = report();
    huge.tasks[0].tests = Array.from({ length: 2000 }, (_, i) => ({
      ...huge.tasks[0].tests[1],
      name: `test ${i}`,
      message: "x".repeat(5000),
    }));
    expect(Buffer.byteLength(JSON.stringify(prairieLearnResults(huge)))).toBeLessThan(1_000_000);
  });

  it("LTI: only what was graded has a score and is final", () => {
    const now = new Date("2026-11-27T12:00:00.123Z");
    const scores = ltiScores(all(), { now, userId: (student) => (student === "alice" ? "u-1" : undefined) });
    expect(scores[0]).toEqual({
      userId: "u-1",
      scoreGiven: 1,
      scoreMaximum: 4,
      comment: "1. Order the nodes: 1/4",
      timestamp: "2026-11-27T12:00:00.123Z",
      activityProgress: "Completed",
      gradingProgress: "FullyGraded",
    });
    expect(scores.slice(2).map(({ scoreGiven, gradingProgress }) => [scoreGiven, gradingProgress])).toEqual([
      [undefined, "Failed"],
      [undefined, "Failed"],
    ]);
    const manual = [
      { gradeId: "essay", points: 3, score: 2 },
      { gradeId: "proof", points: 1 },
    ];
    const [open, closed] = ltiScores([report({ manual }), report({ manual: manual.slice(0, 1), final: 3 })], {
      now,
    });
    expect(open).toMatchObject({ scoreMaximum: 8, gradingProgress: "PendingManual" });
    expect(open.comment).toMatch(/; essay: 2\/3; proof: not graded yet\/1$/);
    expect(closed).toMatchObject({ scoreGiven: 3, scoreMaximum: 7, gradingProgress: "FullyGraded" });
    expect(scores[1].comment).not.toMatch(/[<>&]/);
    expect(() => ltiScores([report({ student: undefined })], { now })).toThrow(/belongs to no student/);
  });
});

describe("HTML feedback", () => {
  it("shows what differs, and draws the numbers", () => {
    const page = reportAsHtml(report());
    expect(page).toMatch(/<del class="got">30<\/del>/);
    expect(page).toMatch(/<ins class="want">3<\/ins>/);
    expect(page.match(/<svg/g)).toHaveLength(3);
    expect(page).toContain('fill="#d0f"'); // the NaN
    expect(page.length).toBeLessThan(30_000);
    const line = report();
    line.tasks[0].tests[1].comparison = {
      got: "",
      expected: "",
      numbers: { shape: [3], got: [1, "Infinity", 3], expected: [1, 2, 3] },
    };
    expect(reportAsHtml(line)).toMatch(/<polyline[^>]*points="4,114 160,60 316,6"/);
    const large = report();
    const values = Array.from({ length: 1024 }, (_, i) => Math.sin(i));
    large.tasks[0].tests[1].comparison = {
      got: "",
      expected: "",
      numbers: { shape: [32, 32], got: values, expected: values },
    };
    expect(reportAsHtml(large).length).toBeLessThan(100_000);
  });

  it("keeps hostile text as text, and loads and runs nothing", () => {
    const page = reportAsHtml(hostileReport());
    const tags = [...page.matchAll(/<([a-z][a-z0-9]*)/gi)].map(([, name]) => name.toLowerCase());
    expect(tags).not.toContain("script");
    expect(tags).not.toContain("img");
    expect(page).not.toMatch(/<[a-z]+[^>]* on\w+=/i);
    expect(page).toContain("default-src 'none'");
  });

  it("shows decisions and lateness", () => {
    const decided = report({ final: 2.7, late: { minutes: 300, percent: 10 }, comments: ["Well tried."] });
    decided.tasks[0].override = { score: 3 };
    decided.tasks[0].comments = ["Right idea."];
    const page = reportAsHtml(decided);
    expect(page).toMatch(/2\.7 of 4 points/);
    expect(page).toMatch(/10 % taken off: handed in 5 hours late/);
    expect(page).toMatch(/3 of 4 points, decided by your instructor; the tests gave 1/);
    expect(page).toContain("Well tried.");
    expect(page).toContain("Right idea.");
  });
});

describe("what reaches learners", () => {
  it("holds nothing that a hidden test said", () => {
    const learners = [report(), broken()].map(forLearner);
    const outputs = [
      reportAsHtml(report()),
      reportAsHtml(broken()),
      JSON.stringify(gradescopeResults(report())),
      JSON.stringify(gradescopeResults(broken())),
      JSON.stringify(prairieLearnResults(report())),
      JSON.stringify(prairieLearnResults(broken())),
      JSON.stringify(ltiScores([report(), broken()], { now: new Date(0) })),
      junitXml(learners),
      annotations(learners),
      stepSummary(learners),
      ...learners.map((one) => reportsAsText([one])),
    ];
    for (const text of outputs) expect(text).not.toContain("token-4711");
    // The check can fail: what is for instructors holds it.
    expect(resultsAsJson([report()])).toContain(SECRET);
  });

  it("has no control character and no mark that turns text round", () => {
    for (const text of [
      reportsAsText([hostileReport()]),
      annotations([hostileReport()]),
      stepSummary([hostileReport()]),
    ])
      expect(stripVTControlCharacters(text)).not.toMatch(/(?![\n])[\p{Cc}\p{Cf}]/u);
    expect(HOSTILE).toMatch(/\p{Cf}/u);
  });
});

interface Element {
  name: string;
  attributes: Record<string, string>;
  text: string;
}

/** @throws for anything that is not well-formed XML 1.0 */
function elements(xml: string): Element[] {
  const found: Element[] = [];
  const open: Element[] = [];
  const parser = new SaxesParser();
  parser.on("error", (error) => {
    throw error;
  });
  parser.on("opentag", ({ name, attributes }) => {
    const element = { name, attributes: { ...(attributes as Record<string, string>) }, text: "" };
    found.push(element);
    open.push(element);
  });
  parser.on("text", (text) => {
    const element = open.at(-1);
    if (element) element.text += text;
  });
  parser.on("closetag", () => void open.pop());
  parser.write(xml).close();
  return found;
}
