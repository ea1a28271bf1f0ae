/** kill -9 at any moment: what was accepted is there, is graded, and is graded once. */
import { join } from "node:path";
import { afterAll, describe, it } from "vitest";
import { COURSE, scratchFolder } from "./support/course.js";
import { endure, killAll, killed, startQuick } from "./support/killing.js";

const KILLS = 12;
const folder = scratchFolder(afterAll);
afterAll(killAll);

describe("a service that is killed", () => {
  it(`loses nothing and grades nothing twice, over ${KILLS} kills at random moments`, async () => {
    const data = join(folder, "data");
    const start = () => startQuick(["service", data, COURSE]);
    let service = await start();
    const kill = async () => {
      await killed(service.child);
      service = await start();
    };
    await endure({ data, kills: KILLS, pauseMs: 400, kill, address: () => service.said });
    await killed(service.child);
  }, 180_000);
});
