/** Reports of submissions whose authors tried to write something into every output. */
import type { Report, TestReport } from "../../src/judge/report.js";

/** One text that means something to each medium. */
export const HOSTILE = [
  '=HYPERLINK("http://evil.example","x")',
  "::error file=a::forged",
  "  ::set-output name=score::100",
  "##[error]forged",
  '::notice title=Autograding report::{"totalPoints":100,"maxPoints":100}',
  "]]><script>alert(1)</script>&amp;<img src=x onerror=alert(1)>",
  "| a | b |\n\n# heading\n[link](javascript:alert(1)) `code` **bold** @everyone",
  "\u0000\u0001\u0008\u000b\u001b[31m\u001b]52;c;aGk=\u0007\u009b31m\ufffe\uffff",
  "\u202e\u2066\ud800 lone \udfff",
  "</textarea></pre></style>'\"\r\n",
  "%0A::error::forged",
].join("\n");

export const SECRET = "what the hidden test said: token-4711";

export function testReport(more: Partial<TestReport> = {}): TestReport {
  return { name: "adds", hidden: false, status: "passed", score: 1, points: 1, ...more };
}

export function report(more: Partial<Report> = {}): Report {
  return {
    version: 1,
    file: "inbox/alice/mini.ipynb",
    student: "alice",
    assignment: "mini",
    title: "Small graphs",
    status: "graded",
    visibleOnly: false,
    isolation: {
      level: "bwrap",
      network: true,
      files: true,
      syscalls: true,
      memory: "cgroup",
      processes: "cgroup",
      cpu: "cgroup",
    },
    trust: "judge",
    score: 1,
    points: 4,
    tasks: [
      {
        name: "topo",
        number: 1,
        title: "Order the nodes",
        score: 1,
        points: 4,
        tests: [
          testReport(),
          testReport({
            name: "adds more",
            status: "failed",
            score: 0,
            message: "got 1, expected 2",
            comparison: {
              got: "[ 1, 2, 30, 4 ]",
              expected: "[ 1, 2, 3, 4 ]",
              numbers: { shape: [2, 2], got: [1, 2, 30, "NaN"], expected: [1, 2, 3, 4] },
            },
          }),
          testReport({
            name: "hidden one",
            hidden: true,
            status: "failed",
            score: 0,
            points: 2,
            hint: "think of empty lists",
            message: SECRET,
            comparison: { got: SECRET, expected: SECRET },
            stack: [SECRET],
          }),
        ],
        cells: [{ gradeId: "topo-answer", status: "ok" }],
      },
    ],
    notes: [],
    sha256: "0".repeat(64),
    timing: { ms: 1234 },
    ...more,
  };
}

/** Every text in it is the hostile one. */
export function hostileReport(): Report {
  const base = report();
  const [task] = base.tasks;
  return {
    ...base,
    file: HOSTILE,
    student: HOSTILE,
    title: HOSTILE,
    notes: [HOSTILE],
    comments: [HOSTILE],
    tasks: [
      {
        ...task,
        title: HOSTILE,
        comments: [HOSTILE],
        cells: [{ gradeId: "topo-answer", status: "error", message: HOSTILE }],
        tests: [
          testReport({
            name: HOSTILE,
            status: "error",
            score: 0,
            points: 4,
            message: HOSTILE,
            hint: HOSTILE,
            comparison: { got: HOSTILE, expected: `${HOSTILE}!` },
          }),
        ],
      },
    ],
  };
}

export const unreadable = (): Report =>
  report({
    file: "inbox/bob/mini.ipynb",
    student: "bob",
    status: "invalid",
    problem: "not-json",
    message: "inbox/bob/mini.ipynb: is not JSON",
    score: 0,
    tasks: [],
  });

export const broken = (): Report =>
  report({
    file: "inbox/carol/mini.ipynb",
    student: "carol",
    status: "grader",
    problem: "grader",
    message: `hidden one: ${SECRET}`,
    score: 0,
  });
