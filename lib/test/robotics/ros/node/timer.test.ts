/** Timers, clocks and sleeping, in a time that the test moves. */
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import {
  Clock,
  createNode,
  Executor,
  graphHost,
  type Node,
  type NodeOptions,
  Time,
  VirtualTime,
} from "../../../../src/robotics/ros/index.js";

const host = graphHost({ network: "timer-tests" });
const nodes: Node[] = [];

async function make(options: NodeOptions): Promise<Node> {
  const node = await createNode("n", { host, useGlobalArguments: false, onLog: () => {}, ...options });
  nodes.push(node);
  return node;
}

afterEach(async () => {
  for (const node of nodes.splice(0)) await node.destroy();
});

describe("timers", () => {
  it("call at multiples of their period, without drift", async () => {
    const time = new VirtualTime(1000);
    const node = await make({ time });
    const calls: [number, number][] = [];
    node.createTimer(0.1, ({ expected, actual }) =>
      calls.push([Number(expected) / 1e9, Number(actual) / 1e9]),
    );
    await time.advance(0.35);
    expect(calls).toEqual([
      [1000.1, 1000.1],
      [1000.2, 1000.2],
      [1000.3, 1000.3],
    ]);
    await time.advance(99.65);
    expect(calls.length).toBe(1000);
    expect(calls.at(-1)![0]).toBe(1100);
  });

  it("skip the calls that a slow callback made impossible", async () => {
    const time = new VirtualTime();
    const node = await make({ time });
    const starts: number[] = [];
    node.createTimer(1, async () => {
      starts.push(node.now().seconds);
      if (starts.length === 2) await node.clock.sleep(3.5);
    });
    await time.advance(8);
    // from 2 to 5.5 it sleeps: the call of 3 comes at 5.5, those of 4 and 5 never, then time goes on as planned
    expect(starts).toEqual([1, 2, 5.5, 6, 7, 8]);
  });

  it("count from when they were due, however late the executor is", async () => {
    const time = new VirtualTime();
    const node = await make({ time, executor: null });
    const starts: number[] = [];
    node.createTimer(1, () => starts.push(node.now().seconds));
    const executor = new Executor(time);
    executor.add(node);
    await time.advance(3.25);
    expect(await executor.spinSome()).toBe(1);
    await time.advance(0.7);
    expect(await executor.spinSome()).toBe(0);
    await time.advance(0.1);
    expect(await executor.spinSome()).toBe(1);
    expect(starts).toEqual([3.25, 4.05]);
    await executor.shutdown();
  });

  it("are due at multiples of the period, whenever the executor comes", async () => {
    const time = new VirtualTime();
    const node = await make({ time, executor: null });
    const executor = new Executor(time);
    executor.add(node);
    const tick = 1 / 64; // exact in binary: the model's sums and the timer's nanoseconds agree
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 20 }),
        fc.array(fc.integer({ min: 0, max: 60 }), { minLength: 1, maxLength: 12 }),
        async (period, waits) => {
          const start = node.now().seconds;
          const at = () => Math.round((node.now().seconds - start) / tick);
          const due: number[] = [];
          const timer = node.createTimer(period * tick, ({ expected }) => {
            due.push(Math.round((Number(expected) / 1e9 - start) / tick));
          });
          // rcl's rule: what is due is called once, and the next is the first multiple that is not past, after the one called
          const model: number[] = [];
          let next = period;
          for (const wait of waits) {
            await time.advance(wait * tick);
            await executor.spinSome();
            if (at() >= next) {
              model.push(next);
              next = Math.max(next + period, Math.ceil(at() / period) * period);
            }
          }
          timer.destroy();
          expect(due).toEqual(model);
        },
      ),
      { numRuns: 40 },
    );
    await executor.shutdown();
  });

  it("are canceled, reset and given another period", async () => {
    const time = new VirtualTime();
    const node = await make({ time });
    const at: number[] = [];
    const timer = node.createTimer(1, () => at.push(node.now().seconds));
    await time.advance(1.5);
    expect([timer.timeUntilNextCall, timer.timeSinceLastCall, timer.isCanceled]).toEqual([0.5, 0.5, false]);
    timer.cancel();
    expect([timer.timeUntilNextCall, timer.isCanceled]).toEqual([Infinity, true]);
    await time.advance(2);
    timer.reset();
    await time.advance(1.25); // to 4.75: called at 4.5
    timer.period = 0.5; // the next call is planned already
    await time.advance(1.25); // to 6: called at 5.5 and 6
    expect(at).toEqual([1, 4.5, 5.5, 6]);
    timer.destroy();
    await time.advance(5);
    expect(at.length).toBe(4);
    expect(node.entities.has(timer as never)).toBe(false);
  });

  it("may be canceled by their own callback, and begin stopped", async () => {
    const time = new VirtualTime();
    const node = await make({ time });
    let calls = 0;
    const timer = node.createTimer(1, () => {
      if (++calls === 2) timer.cancel();
    });
    const stopped = node.createTimer(1, () => calls++, { autostart: false });
    await time.advance(5);
    expect([calls, stopped.isCanceled]).toEqual([2, true]);
    stopped.reset();
    await time.advance(1);
    expect(calls).toBe(3);
  });

  it("outlive their exceptions", async () => {
    const time = new VirtualTime();
    const failures: string[] = [];
    const node = await make({ time, onError: ({ source, error }) => failures.push(`${source}: ${error}`) });
    node.createTimer(1, () => {
      throw new Error("sync");
    });
    node.createTimer(2, async () => {
      throw new Error("async");
    });
    await time.advance(2);
    expect(failures.sort()).toEqual([
      "timer of 1 s: Error: sync",
      "timer of 1 s: Error: sync",
      "timer of 2 s: Error: async",
    ]);
  });

  it("go by the clock they are given", async () => {
    const time = new VirtualTime(500);
    const node = await make({ time, useSimTime: true });
    const calls: string[] = [];
    node.createTimer(1, () => calls.push("simulated"));
    node.createTimer(1, () => calls.push("steady"), { clock: new Clock("steady", time) });
    node.createTimer(1, () => calls.push("system"), { clock: new Clock("system", time) });
    await time.advance(2);
    expect(calls.sort()).toEqual(["steady", "steady", "system", "system"]);
  });

  it("are called while simulated time goes on in every turn of the event loop", async () => {
    const node = await make({ time: new VirtualTime(), useSimTime: true });
    let calls = 0;
    node.createTimer(0.1, () => calls++);
    for (let step = 1; step <= 100; step++) {
      const turn = new Promise((resolve) => setImmediate(resolve)); // asked for before the timer's
      node.clock.setOverride(BigInt(step) * 20_000_000n);
      await turn;
    }
    expect(calls).toBeGreaterThan(10); // of 20
  });

  it("begin anew when time comes from elsewhere", async () => {
    const time = new VirtualTime(1000);
    const node = await make({ time });
    const at: number[] = [];
    node.createTimer(1, () => at.push(node.now().seconds));
    await time.advance(1.5);
    node.setParameters({ use_sim_time: true });
    await time.advance(10);
    node.setParameters({ use_sim_time: false });
    await time.advance(2);
    expect(at).toEqual([1001, 1012.5, 1013.5]);
  });

  it.each([-1, Number.NaN, Infinity, "1"])("refuse a period of %s", async (period) => {
    const node = await make({});
    expect(() => node.createTimer(period as number, () => {})).toThrow(
      `a timer's period is a number of seconds of at least 0, not ${period}`,
    );
    expect(() => node.createTimer(1, undefined as never)).toThrow("a callback is a function, not undefined");
  });

  it("of period 0 stop a virtual time that would not", async () => {
    const time = new VirtualTime(5);
    const node = await make({ time });
    let calls = 0;
    node.createTimer(0, () => calls++);
    await expect(time.advance(1)).rejects.toThrow("time stands still at 0 s");
    expect(calls).toBeGreaterThan(900);
  });

  it("run in real time", async () => {
    const node = await make({});
    const info = await new Promise<{ expected: bigint; actual: bigint }>((resolve) => {
      node.createTimer(0.01, resolve);
    });
    expect(info.actual).toBeGreaterThanOrEqual(info.expected);
  });
});

describe("rates", () => {
  it("keep a loop's frequency, and begin anew after a missed round", async () => {
    const time = new VirtualTime();
    const node = await make({ time });
    const rate = node.createRate(2);
    const rounds: [number, boolean][] = [];
    const loop = (async () => {
      for (const busy of [0.1, 0.25, 0.7, 2, 0]) {
        await node.clock.sleep(busy);
        const isInTime = await rate.sleep();
        rounds.push([node.now().seconds, isInTime]);
      }
    })();
    await time.advance(10);
    await loop;
    expect(rounds).toEqual([
      [0.5, true],
      [1, true],
      [1.7, false],
      [3.7, false],
      [4.2, true],
    ]);
    expect(() => node.createRate(0)).toThrow("a rate's frequency is a number of hertz above 0, not 0");
  });
});

describe("clocks", () => {
  it("wake sleepers in the order of their times", async () => {
    const time = new VirtualTime(10);
    const clock = new Clock("ros", time);
    const woken: string[] = [];
    const sleepers = [
      clock.sleep(3).then(() => woken.push("three")),
      clock.sleepUntil(Time.fromSeconds(11)).then(() => woken.push("one")),
      clock.sleepUntil(Time.fromSeconds(5)).then(() => woken.push("past")),
      clock.sleep(0).then(() => woken.push("now")),
    ];
    await time.advance(3);
    await Promise.all(sleepers);
    expect(woken).toEqual(["past", "now", "one", "three"]);
  });

  it("stop waiting by signal", async () => {
    const controller = new AbortController();
    const clock = new Clock("steady", new VirtualTime());
    const slept = clock.sleep(1, { signal: controller.signal });
    controller.abort(new Error("enough"));
    await expect(slept).rejects.toThrow("enough");
    await expect(clock.sleep(1, { signal: controller.signal })).rejects.toThrow("enough");
  });

  it("tell of jumps that are asked for", () => {
    const clock = new Clock("ros", new VirtualTime(100));
    const seen: string[] = [];
    clock.onJump(({ clockChange, delta }) => seen.push(`all ${clockChange} ${delta}`));
    clock.onJump(({ delta }) => seen.push(`back ${delta}`), {
      forward: Infinity,
      backward: 2,
      onClockChange: false,
    });
    for (const ns of [0n, 1_000_000_000n, 0n, 5_000_000_000n, 2_000_000_000n, undefined])
      clock.setOverride(ns);
    expect(seen).toEqual([
      "all activated -100",
      "all none 1",
      "all none -1",
      "all none 5",
      "all none -3",
      "back -3",
      "all deactivated 98",
    ]);
    expect(() => new Clock("steady").setOverride(0n)).toThrow("a steady clock can't show simulated time");
  });

  it("show the machine's time", () => {
    const system = new Clock("system").now();
    expect(Math.abs(system.seconds - Date.now() / 1000)).toBeLessThan(5);
    const steady = new Clock("steady");
    const first = steady.nanoseconds();
    expect(steady.nanoseconds()).toBeGreaterThanOrEqual(first);
  });
});

describe("times", () => {
  it("are nanoseconds, exactly", () => {
    const time = Time.fromMessage({ sec: 1_700_000_000, nanosec: 123_456_789 });
    expect(time.nanoseconds).toBe(1_700_000_000_123_456_789n);
    expect(time.toMessage()).toEqual({ sec: 1_700_000_000, nanosec: 123_456_789 });
    expect(time.add(0.5).since(time)).toBe(0.5);
    expect(String(time.add(-1.25))).toBe("1699999998.873456789");
    expect(Time.fromSeconds(-1.25).toMessage()).toEqual({ sec: -2, nanosec: 750_000_000 });
    expect([Time.fromSeconds(1), Time.fromSeconds(0)].sort((a, b) => a.compare(b))[0].seconds).toBe(0);
    expect(() => Time.fromSeconds(Number.NaN)).toThrow("a duration is a finite number of seconds, not NaN");
  });
});
