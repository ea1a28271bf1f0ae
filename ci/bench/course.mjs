// The benchmark's course: one notebook of 20 cells and 10 tests, and submissions that all differ.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export const SLUG = "bench";
export const POINTS = 10;

/** Name, parameters, a right body and the arguments of its tests with what they give. `$` stands for a learner's own names. */
const TASKS = [
  {
    name: "mean",
    head: "function mean(xs: number[]): number",
    right: "let total$ = 0;\n  for (const x$ of xs) total$ += x$;\n  return total$ / xs.length;",
    wrong: "return xs[0];",
    tests: [
      ["[1, 2, 3]", "2"],
      ["Array.from({ length: 1000 }, (_, i) => i)", "499.5"],
    ],
  },
  {
    name: "countWords",
    head: "function countWords(text: string): Map<string, number>",
    right:
      "const seen$ = new Map<string, number>();\n  for (const w$ of text.split(/\\s+/)) seen$.set(w$, (seen$.get(w$) ?? 0) + 1);\n  return seen$;",
    wrong: "return new Map();",
    tests: [
      ['"a b a"', 'new Map([["a", 2], ["b", 1]])'],
      ['"x"', 'new Map([["x", 1]])'],
    ],
  },
  {
    name: "scale",
    head: "function scale(t: Tensor, by: number): Tensor",
    right: "const factor$ = tensor([by]);\n  return mul(t, factor$);",
    wrong: "return t;",
    tests: [
      ["tensor([1, 2, 3]), 2", "tensor([2, 4, 6])"],
      ["tensor([[1, 2], [3, 4]]), -1", "tensor([[-1, -2], [-3, -4]])"],
    ],
  },
  {
    name: "primes",
    head: "function primes(below: number): number[]",
    right:
      "const found$: number[] = [];\n  for (let n$ = 2; n$ < below; n$++) if (found$.every((p) => n$ % p !== 0)) found$.push(n$);\n  return found$;",
    wrong: "return [2, 3, 5, 7];",
    tests: [
      ["10", "[2, 3, 5, 7]"],
      ["30", "[2, 3, 5, 7, 11, 13, 17, 19, 23, 29]"],
    ],
  },
  {
    name: "compose",
    head: "function compose(f: (x: number) => number, g: (x: number) => number): (x: number) => number",
    right: "return (value$) => f(g(value$));",
    wrong: "return (value$) => g(f(value$));",
    call: true,
    tests: [
      ["portable((x: number) => x + 1), portable((x: number) => 2 * x)", "7"],
      ["portable((x: number) => x - 1), portable((x: number) => x * x)", "8"],
    ],
  },
];

const code = (source, nbgrader, task) => ({
  cell_type: "code",
  execution_count: null,
  outputs: [],
  source,
  metadata: {
    ...(nbgrader ? { nbgrader: { schema_version: 3, ...nbgrader } } : {}),
    ...(task ? { mlsys: { task } } : {}),
  },
});
const text = (source, task) => ({ cell_type: "markdown", source, metadata: task ? { mlsys: { task } } : {} });
const given = (id) => ({ grade: false, solution: false, locked: true, grade_id: id });
const answerOf = ({ head, right, wrong }, student, isRight = true) =>
  `/** Answer of ${student}. */\n${head} {\n  // BEGIN SOLUTION\n  ${(isRight ? right : wrong).replaceAll("$", `_${student}`)}\n  // END SOLUTION\n}`;

function testCell({ name, tests, call }) {
  const [visible, hidden] = tests.map(([args, want], i) => {
    const got = call ? `await (await student.${name}<Handle>(${args}))(3)` : `await student.${name}(${args})`;
    return `check${name}.test("${name} ${i + 1}", { points: 1 }, async () => expectClose2(${got}, ${want}));`;
  });
  return [
    `const check${name} = check("${name}");`,
    visible,
    "// BEGIN HIDDEN TESTS",
    hidden,
    "// END HIDDEN TESTS",
    `await check${name}.run();`,
  ].join("\n");
}

function notebook(student, isRight) {
  const cells = [
    text("# Benchmark"),
    code(
      'import { check, expectClose, expectEqual, type Handle, portable, student } from "@mlsys/grader/kit";\nimport { mul, Tensor, tensor } from "mlsys";',
      given("setup"),
    ),
    code(
      "function expectClose2(got: unknown, want: unknown) {\n  if (want instanceof Tensor) expectClose(got, want);\n  else expectEqual(got, want);\n}",
      given("helpers"),
    ),
    ...TASKS.flatMap((task, i) => [
      text(`## ${task.name}`, task.name),
      code(
        answerOf(task, student, isRight(i)),
        { grade: false, solution: true, locked: false, grade_id: `${task.name}-answer` },
        task.name,
      ),
      code(
        testCell(task),
        { grade: true, solution: false, locked: true, points: 2, grade_id: `${task.name}-tests` },
        task.name,
      ),
    ]),
    text("Well done."),
    text("Hand it in."),
  ];
  return {
    cells: cells.map((cell, i) => ({ id: `c${String(i).padStart(3, "0")}`, ...cell })),
    metadata: {
      kernelspec: { name: "mlsys", display_name: "TypeScript (mlsys)", language: "typescript" },
      mlsys: { assignment: SLUG, title: "Benchmark" },
    },
    nbformat: 4,
    nbformat_minor: 5,
  };
}

const write = (path, json) => {
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, `${JSON.stringify(json, null, 1)}\n`);
};

/** The source, as both graders read it. */
export function writeSource(path) {
  write(
    path,
    notebook("reference", () => true),
  );
}

/** Every third task of every second student is wrong. @returns the points that a submission must get */
export function writeSubmission(path, index) {
  const isRight = (task) => index % 2 === 0 || task % 3 !== 0;
  const json = notebook(`s${index}`, isRight);
  for (const cell of json.cells) cell.source = cell.source.replace(/^.*(BEGIN|END) (SOLUTION)\n?/gm, "");
  write(path, json);
  return index % 2 === 0 ? POINTS : undefined;
}
