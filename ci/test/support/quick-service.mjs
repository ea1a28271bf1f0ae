// A service as a process of its own that a test can kill: real but for its grader, which takes a moment and gives a
// score by chance, so that a second grading of the same submission would show. argv: data folder, course folder.
import { join } from "node:path";
import { Catalog } from "../../dist/service/catalog.js";
import { LocalQueue } from "../../dist/service/queue.js";
import { RunningService } from "../../dist/service/service.js";

const [folder, course] = process.argv.slice(2);
const catalog = await Catalog.read({
  solutions: join(course, "solutions"),
  exercises: join(course, "exercises"),
});
const isolation = {
  level: "none",
  network: false,
  files: false,
  syscalls: false,
  memory: "no",
  processes: "no",
  cpu: "no",
};
const grader = {
  async grade({ file, assignment }) {
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 40));
    return {
      version: 1,
      file,
      assignment,
      status: "graded",
      visibleOnly: false,
      isolation,
      trust: "judge",
      score: Math.random(),
      points: 1,
      tasks: [],
      notes: [],
      timing: { ms: 1 },
    };
  },
  async close() {},
};
const running = await RunningService.open({
  folder,
  catalog,
  courseName: "Killed",
  maxBytes: 1024 * 1024,
  perHour: 1e6,
  perMinute: 1e6,
  signInsPerMinute: 10,
  keep: "best",
  makeQueue: (submissions, board) => new LocalQueue(submissions, board, grader, 2),
});
console.log(await running.listen("127.0.0.1", 0));
