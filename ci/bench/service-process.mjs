// The service of the benchmark, in a process of its own: all of it but the grading, which is measured elsewhere.
// argv: DATA COURSE PEOPLE; prints one line of JSON: the address and everybody's token.
import { join } from "node:path";
import { Catalog } from "../dist/service/catalog.js";
import { LocalQueue } from "../dist/service/queue.js";
import { RunningService } from "../dist/service/service.js";

const [folder, course, people] = process.argv.slice(2);
const isolation = { level: "none", network: false, files: false, syscalls: false, memory: "no", processes: "no", cpu: "no" }; // biome-ignore format: a record
const grader = {
  grade: async ({ file, assignment }) => ({
    version: 1, file, assignment, status: "graded", visibleOnly: false, isolation, trust: "judge", score: 10, points: 10,
    tasks: [], notes: [], timing: { ms: 1 },
  }), // biome-ignore format: a record
  close: async () => {},
};
const running = await RunningService.open({
  folder,
  catalog: await Catalog.read({
    solutions: join(course, "solutions"),
    exercises: join(course, "exercises"),
  }),
  courseName: "Benchmark",
  maxBytes: 8 * 1024 * 1024,
  perHour: 1e6,
  bytesPerPerson: 1e9,
  perMinute: 1e6,
  signInsPerMinute: 10,
  keep: "best",
  makeQueue: (submissions, board) => new LocalQueue(submissions, board, grader, 2),
});
const enrol = (id, role) => running.service.people.put({ id, name: id, email: "", role });
const tokens = Array.from({ length: Number(people) }, (_, i) => enrol(`s${i}`, "student"));
const address = await running.listen("127.0.0.1", 0);
console.log(JSON.stringify({ address, tokens, instructor: enrol("prof", "instructor") }));
process.on("SIGTERM", () => void running.close().then(() => process.exit(0)));
