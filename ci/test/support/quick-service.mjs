// A service, or a worker of a fleet, as a process of its own that a test can kill: real but for its grader, which takes
// a moment and gives a score by chance, so that a second grading of the same submission would show.
// argv: "service" DATA COURSE [REDIS], or "worker" COURSE REDIS
import { join } from "node:path";
import { Catalog } from "../../dist/service/catalog.js";
import { FleetWorker } from "../../dist/service/fleet-worker.js";
import { LocalQueue } from "../../dist/service/queue.js";
import { RedisQueue } from "../../dist/service/redis-queue.js";
import { RunningService } from "../../dist/service/service.js";

const LOST_MS = 1_000;
const SWEEP_MS = 500;

const [what, ...rest] = process.argv.slice(2);
const [folder, course, redis] = what === "service" ? rest : [undefined, ...rest];
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
  async grade({ file, assignment }, onProgress) {
    onProgress({ state: "running", task: 1, tasks: 1, tests: 0 });
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
if (what === "service") {
  const running = await RunningService.open({
    folder,
    catalog,
    courseName: "Killed",
    maxBytes: 1024 * 1024,
    perHour: 1e6,
    bytesPerPerson: 1e9,
    perMinute: 1e6,
    signInsPerMinute: 10,
    keep: "best",
    makeQueue: (submissions, board) =>
      redis
        ? new RedisQueue(submissions, board, catalog, { url: redis }, () => {}, SWEEP_MS)
        : new LocalQueue(submissions, board, grader, 2),
  });
  console.log(await running.listen("127.0.0.1", 0));
} else {
  new FleetWorker({
    url: redis,
    lostMs: LOST_MS,
    grader,
    digest: (slug) => catalog.digest(slug),
    jobs: 2,
    log: () => {},
  });
  console.log("ready");
}
