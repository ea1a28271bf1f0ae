/** The monitor as a process: it drives nothing, and without it nothing drives. */
import { afterEach, describe, expect, it } from "vitest";
import { library } from "../../support/built-library.js";

const { robotics } = library;
const { ros, safety, simulate } = robotics;

const ends: { destroy(): Promise<void> }[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end.destroy();
});

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe("the safety monitor's process", () => {
  it("gives power, cuts it before a wall that the stack does not see; killed, it takes the power with it", async () => {
    const host = ros.graphHost({ domain: 0, network: `safety ${process.pid}` });
    ends.push({ destroy: () => host.shutdown() });
    const world = simulate.room({ width: 6, height: 4, things: 0, seed: 1 });
    const pose = { x: 4.9, y: 2, theta: 0 };
    const simulation = new simulate.Simulation(world, { robots: [{ ...simulate.TURTLEBOT, pose }] });
    const simulator = await simulate.SimulatorNode.create(simulation, { host, powerTimeout: 0.3, map: null });
    ends.push(simulator);
    const stack = await ros.createNode("stack", { host, onLog: () => {} });
    ends.push(stack);
    const stop = new AbortController();
    const running = simulator.run({ signal: stop.signal });
    ends.push({
      destroy() {
        stop.abort();
        return running;
      },
    });
    const reasons: string[] = [];
    stack.createSubscription(
      ros.msg("diagnostic_msgs/msg/DiagnosticStatus"),
      "/safety_monitor/status",
      ({ message }) => reasons.push(message),
      { durability: "transient_local", depth: 10 },
    );
    const powers: boolean[] = [];
    stack.createSubscription(ros.msg("std_msgs/msg/Bool"), "wheel_power", ({ data }) => powers.push(data));
    const drive = stack.createPublisher(ros.msg("geometry_msgs/msg/Twist"), "cmd_vel", 10);
    stack.createTimer(0.1, () => drive.publish({ linear: { x: 0.26 } })); // whatever stands there

    const monitor = await safety.startSafetyMonitor({
      host,
      // slow machines: what is tested is who holds the power, not how fast
      parameters: { scan_timeout: 30, odometry_timeout: 30, heartbeat_timeout: 30, reaction_time: 1 },
    });
    try {
      // nothing has been heard yet: no power until somebody says so
      await until(() => powers.length > 0);
      const reset = stack.createClient(ros.srv("std_srvs/srv/Trigger"), "/safety_monitor/reset");
      await reset.waitForService();
      await until(() => reasons.length > 0);
      while (!powers.at(-1)) {
        await reset.call({});
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      await until(() => simulation.robot.twist.linear > 0.2);
      await until(() => reasons.some((reason) => reason.startsWith("lidar stop: something at")));
      await until(() => simulation.robot.twist.linear === 0);
      expect(simulation.robot.collided).toBe(false);
      const { message, success } = await reset.call({});
      expect(success).toBe(false);
      expect(message).toContain("something at");

      monitor.process.kill("SIGKILL");
      await until(() => stack.countPublishers("wheel_power") === 0);
      const { x } = simulation.robot.pose;
      const { steps } = simulation;
      await until(() => simulation.steps > steps + 30);
      expect(simulation.robot.pose.x).toBeCloseTo(x, 3);
      expect(simulation.robot.collided).toBe(false);
    } finally {
      await monitor.stop();
    }
  });

  it("ends when it is told to", async () => {
    const host = ros.graphHost({ domain: 0, network: `ends ${process.pid}` });
    ends.push({ destroy: () => host.shutdown() });
    const monitor = await safety.startSafetyMonitor({ host });
    await monitor.stop();
    expect(monitor.process.exitCode).toBe(0);
  });

  it("that can't start says why", async () => {
    const host = ros.graphHost({ domain: 0, network: `no safety ${process.pid}` });
    ends.push({ destroy: () => host.shutdown() });
    await expect(safety.startSafetyMonitor({ host, parameters: { rate: 0 } })).rejects.toThrow(
      /the safety monitor ended \(exit code 1\): [\s\S]*the rate is a positive number of Hz, got 0/,
    );
  });
});
