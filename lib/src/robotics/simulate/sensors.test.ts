import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { boxesOf } from "./boxes.js";
import { room } from "./generate.js";
import { fromOccupancy, fromText, occupancyOf, occupancyOfImage } from "./occupancy.js";
import { photographs } from "./photographs.js";
import { makeCamera, project, toOptical } from "./pinhole.js";
import type { Frame } from "./render.js";
import { Simulation } from "./simulation.js";
import { GROUND, NOTHING, World } from "./world.js";

const square = room({ width: 4, height: 4 });
const middle = { x: 2, y: 2, theta: 0 };

describe("the laser scanner", () => {
  it("measures a square room as trigonometry does", () => {
    const { robot } = new Simulation(square, { robots: [{ pose: { ...middle, theta: 0.4 } }] });
    const { ranges, intensities, angleMin, angleIncrement } = robot.scan();
    expect(ranges).toHaveLength(360);
    for (let i = 0; i < 360; i++) {
      const angle = 0.4 + angleMin + i * angleIncrement;
      const most = Math.max(Math.abs(Math.cos(angle)), Math.abs(Math.sin(angle)));
      expect(ranges[i]).toBeCloseTo(2 / most, 5);
      expect(intensities[i]).toBeCloseTo(0.7 * most, 5);
    }
  });

  it("agrees with single rays, with moving bodies, other robots, mounts and fans", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 1e6 }),
        fc.integer({ min: 1, max: 60 }).map((n) => n / 10),
        fc.integer({ min: 0, max: 400 }),
        (seed, fieldOfView, steps) => {
          const world = room({ things: 5, people: 3, seed });
          const mount = { x: 0.05, y: -0.02, theta: 0.7 };
          const lidar = { rays: 97, fieldOfView, mount, maxRange: 6, minRange: 0 };
          const pose = { x: 4, y: 3, theta: seed };
          fc.pre(world.isFree(pose, 0.06));
          const simulation = new Simulation(world, { robots: [{ pose, lidar, radius: 0.05 }], dt: 0.05 });
          simulation.step(steps);
          const { ranges, angleMin, angleIncrement } = simulation.robot.scan();
          const [c, s] = [Math.cos(pose.theta), Math.sin(pose.theta)];
          const eye = { x: 4 + c * 0.05 + s * 0.02, y: 3 + s * 0.05 - c * 0.02 };
          for (let i = 0; i < 97; i++) {
            const angle = pose.theta + 0.7 + angleMin + i * angleIncrement;
            const hit = world.cast(eye, angle, { range: 6, time: simulation.time });
            expect(ranges[i]).toBeCloseTo(hit?.distance ?? Number.POSITIVE_INFINITY, 4);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it("sees another robot", () => {
    const other = { pose: { x: 3.5, y: 2, theta: 0 }, radius: 0.25 };
    const lidar = { rays: 4 };
    const simulation = new Simulation(square, { robots: [{ pose: middle, lidar }, other] });
    // −π, −π/2, 0, π/2
    expect([...simulation.robot.scan().ranges].map((r) => Number(r.toFixed(5)))).toEqual([2, 2, 1.25, 2]);
  });

  it("tells too near, too far and nothing apart, as REP 117 does", () => {
    const lidar = { rays: 4, minRange: 1.5, maxRange: 2.5 };
    const pose = { x: 1, y: 1.8, theta: 0 };
    const { robot } = new Simulation(square, { robots: [{ pose, lidar }] });
    const [behind, right, ahead, left] = robot.scan().ranges;
    expect(behind).toBe(Number.NEGATIVE_INFINITY);
    expect(right).toBeCloseTo(1.8, 5);
    expect(ahead).toBe(Number.POSITIVE_INFINITY);
    expect(left).toBeCloseTo(2.2, 5);
    const drops = new Simulation(square, { robots: [{ pose, lidar: { dropout: 0.25 } }] }).robot.scan();
    const lost = drops.ranges.filter(Number.isNaN).length;
    expect(lost).toBeGreaterThan(50);
    expect(lost).toBeLessThan(130);
  });

  it("has noise of the spread that was asked", () => {
    const simulation = new Simulation(square, {
      robots: [{ pose: middle, lidar: { noise: 0.03, rays: 4 } }],
    });
    let sum = 0;
    for (let i = 0; i < 1000; i++) {
      simulation.step();
      for (const range of simulation.robot.scan().ranges) sum += (range - 2) ** 2;
    }
    expect(Math.sqrt(sum / 4000) / 0.03).toBeCloseTo(1, 1);
  });

  it("refuses what is no scanner", () => {
    const make = (lidar: object): Simulation => new Simulation(square, { robots: [{ pose: middle, lidar }] });
    expect(() => make({ rays: 0 })).toThrow("the number of rays is a whole number from 1 to 1e6, got 0");
    expect(() => make({ fieldOfView: 7 })).toThrow("at most 2π radians, got 7");
    expect(() => make({ minRange: 2, maxRange: 1 })).toThrow("got 2 and 1");
    expect(() => make({ dropout: 1.5 })).toThrow("dropout is a part");
  });
});

describe("the camera", () => {
  const camera = { width: 64, height: 48, mount: { x: 0, y: 0, theta: 0, z: 0.5 } };
  const at = (frame: Frame, column: number, row: number): number => row * frame.width + column;

  it("projects as a pinhole does", () => {
    const { fx, cx, cy } = makeCamera(camera);
    expect(fx).toBeCloseTo(32 / Math.tan((35 * Math.PI) / 180), 12);
    const point = toOptical({ x: 1, y: 1, theta: Math.PI / 2 }, makeCamera(camera), { x: 0, y: 3, z: 1.5 });
    expect(point.x).toBeCloseTo(-1, 12); // a metre to the left, a metre up, two ahead
    expect(point.y).toBeCloseTo(-1, 12);
    expect(point.z).toBeCloseTo(2, 12);
    const pixel = project(makeCamera(camera), point);
    expect(pixel?.u).toBeCloseTo(cx - fx / 2, 12);
    expect(pixel?.v).toBeCloseTo(cy - fx / 2, 12);
    expect(project(makeCamera(camera), { x: 0, y: 0, z: -1 })).toBeNull();
  });

  it("gives a wall straight ahead one depth, and the ground that of its row", () => {
    const { robot } = new Simulation(square, { robots: [{ pose: middle, camera }] });
    const frame = robot.photograph();
    const { fy, cy } = robot.camera;
    for (let row = 0; row < 48; row++)
      for (const column of [20, 31, 44]) {
        const k = at(frame, column, row);
        const foot = cy + (0.5 * fy) / 2;
        const roof = cy - ((2.5 - 0.5) * fy) / 2;
        if (row < roof) expect(frame.semantic[k]).toBe(NOTHING);
        else if (row <= foot) {
          expect(frame.depth[k]).toBeCloseTo(2, 5);
          expect(square.classes[frame.semantic[k]]).toBe("wall");
        } else {
          expect(frame.depth[k]).toBeCloseTo((0.5 * fy) / (row - cy), 5);
          expect(frame.semantic[k]).toBe(GROUND);
        }
      }
  });

  it("agrees with rays of the plane, column by column", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e6 }), (seed) => {
        const world = room({ things: 6, people: 2, seed, kinds: ["cylinder"] });
        const pose = { x: 4, y: 3, theta: seed % 7 };
        fc.pre(world.isFree(pose, 0.06));
        const low = { ...camera, height: 3, mount: { x: 0, y: 0, theta: 0, z: 0.4 } };
        const simulation = new Simulation(world, { robots: [{ pose, camera: low, radius: 0.05 }] });
        const frame = simulation.robot.photograph();
        const { fx, cx } = simulation.robot.camera;
        for (let column = 0; column < 64; column++) {
          // the middle row is the horizon: it shows what the plane's ray meets, all bodies being taller than the eye
          const angle = pose.theta - Math.atan((column - cx) / fx);
          const hit = world.cast(pose, angle);
          if (!hit) throw new Error("the room is closed");
          const k = at(frame, column, 1);
          expect(frame.depth[k]).toBeCloseTo(hit.distance * Math.cos(angle - pose.theta), 4);
          expect(frame.instance[k]).toBe(1 + hit.body);
          expect(frame.semantic[k]).toBe(world.labels[hit.body]);
        }
      }),
      { numRuns: 40 },
    );
  });

  it("shows points of bodies where they are: depth and pixel give the point back", () => {
    const world = room({ things: 8, seed: 12 });
    const pose = { x: 4, y: 3, theta: 2 };
    const { robot } = new Simulation(world, { robots: [{ pose, camera }] });
    const frame = robot.photograph();
    const { fx, fy, cx, cy, mount } = robot.camera;
    let checked = 0;
    frame.depth.forEach((depth, k) => {
      const body = world.bodies[frame.instance[k] - 1];
      if (!body) return;
      const [column, row] = [k % 64, Math.floor(k / 64)];
      const right = ((column - cx) * depth) / fx;
      const up = mount.z - ((row - cy) * depth) / fy;
      const x = pose.x + Math.cos(2) * depth + Math.sin(2) * right - body.at.x;
      const y = pose.y + Math.sin(2) * depth - Math.cos(2) * right - body.at.y;
      expect(up).toBeGreaterThan(-1e-4);
      expect(up).toBeLessThan(body.height + 1e-4);
      checked++;
      if (body.shape.kind === "sphere")
        expect(Math.hypot(x, y, up - body.radius)).toBeCloseTo(body.radius, 4);
      else if (body.radius > 0 && up < body.height - 1e-4)
        expect(Math.hypot(x, y)).toBeCloseTo(body.radius, 4);
    });
    expect(checked).toBeGreaterThan(1000);
  });

  it("looks onto the tops of what is lower than it", () => {
    const box = [
      { x: 0.5, y: -0.5 },
      { x: 1.5, y: -0.5 },
      { x: 1.5, y: 0.5 },
      { x: 0.5, y: 0.5 },
    ];
    const world = new World({
      bodies: [{ shape: { kind: "polygon", points: box }, height: 0.2, class: "box" }],
    });
    const frame = new Simulation(world, { robots: [{ camera, radius: 0.1 }] }).robot.photograph();
    const { fy, cy } = makeCamera(camera);
    for (let row = 0; row < 48; row++) {
      const onTop = row >= cy + (0.3 * fy) / 1.5 && row <= cy + (0.3 * fy) / 0.5;
      const k = at(frame, 31, row);
      if (!onTop) continue;
      expect(frame.instance[k]).toBe(1);
      expect(frame.depth[k]).toBeCloseTo((0.3 * fy) / (row - cy), 5);
    }
    expect(boxesOf(frame)).toHaveLength(1);
    expect(boxesOf(frame)[0]).toMatchObject({ label: 2, instance: 1 });
    expect(boxesOf(frame, 1e6)).toEqual([]);
  });

  it("boxes what it labels", () => {
    const world = room({ things: 9, seed: 2 });
    const { robot } = new Simulation(world, { robots: [{ pose: { x: 4, y: 3, theta: 1 }, camera }] });
    const frame = robot.photograph();
    const boxes = boxesOf(frame);
    expect(boxes.reduce((sum, { pixels }) => sum + pixels, 0)).toBe(frame.instance.filter(Boolean).length);
    for (const { instance, x0, y0, x1, y1 } of boxes)
      frame.instance.forEach((one, k) => {
        if (one !== instance) return;
        const [x, y] = [k % 64, Math.floor(k / 64)];
        expect(x >= x0 && x < x1 && y >= y0 && y < y1).toBe(true);
      });
  });

  it("has noise of the spread that was asked, on the picture alone", () => {
    const make = (noise: number): Frame =>
      new Simulation(square, { robots: [{ pose: middle, camera: { ...camera, noise } }] }).robot.photograph();
    const [clean, noisy] = [make(0), make(6)];
    expect(noisy.depth).toEqual(clean.depth);
    let sum = 0;
    clean.image.data.forEach((value, i) => {
      sum += (noisy.image.data[i] - value) ** 2;
    });
    expect(Math.sqrt(sum / clean.image.data.length) / 6).toBeCloseTo(1, 1);
  });
});

describe("labelled pictures", () => {
  it("come from free places, as many as asked, the same for the same seed", () => {
    const camera = { width: 16, height: 12 };
    const options = { camera, count: 6, worlds: 3, seed: 4 };
    const world = (seed: number): World => room({ things: 5, seed });
    const first = [...photographs(world, options)];
    expect(first).toHaveLength(6);
    const again = [...photographs(world, options)];
    first.forEach((one, i) => {
      expect(Buffer.compare(one.frame.image.data, again[i].frame.image.data)).toBe(0);
      expect(one.world.isFree(one.pose, 0.15)).toBe(true);
      expect(one.boxes).toEqual(boxesOf(one.frame, 4));
    });
    expect(new Set(first.map((one) => one.world)).size).toBe(3);
    expect(first[0].world).toBe(first[1].world);
    const other = [...photographs(world, { ...options, seed: 5 })];
    expect(other[0].pose).not.toEqual(first[0].pose);
    expect(() => [...photographs(world, { count: 0 })]).toThrow("count is a whole number from 1, got 0");
  });
});

describe("landmarks", () => {
  const world = new World({
    bodies: [
      {
        shape: {
          kind: "segments",
          segments: [
            [
              { x: 2, y: -1 },
              { x: 2, y: 1 },
            ],
          ],
        },
        height: 0.6,
      },
      { shape: { kind: "circle", radius: 0.5 }, at: { x: 0, y: 3 }, height: 2 },
    ],
    landmarks: [
      { id: 7, x: 1, y: 0, z: 0.5 },
      { id: 3, x: 3, y: 0, z: 2 },
      { id: 4, x: 3, y: 0.1, z: 0.2 },
      { id: 5, x: 0, y: 4 },
      { id: 6, x: 2, y: 0.5 },
      { id: 8, x: -9, y: 0 },
    ],
  });

  it("are seen by range and bearing, unless hidden or far", () => {
    const { robot } = new Simulation(world, { robots: [{ pose: { x: 0, y: 0, theta: 0.5 } }] });
    const seen = robot.readLandmarks();
    expect(seen.map(({ id }) => id)).toEqual([7, 6]);
    expect(seen[0].range).toBeCloseTo(1, 12);
    expect(seen[0].bearing).toBeCloseTo(-0.5, 12);
    const open = { landmarkSensor: { occlusion: false, maxRange: 10, fieldOfView: Math.PI } };
    const through = new Simulation(world, { robots: [open] }).robot.readLandmarks();
    expect(through.map(({ id }) => id)).toEqual([7, 3, 4, 5, 6]);
  });

  it("are seen by the camera over what is low", () => {
    const camera = { width: 640, height: 480, fieldOfView: 1.6, mount: { x: 0, y: 0, theta: 0, z: 0.5 } };
    const { robot } = new Simulation(world, { robots: [{ camera }] });
    const pixels = robot.photographLandmarks();
    expect(pixels.map(({ id }) => id)).toEqual([7, 3, 6]);
    expect(pixels[0].u).toBeCloseTo(robot.camera.cx, 9);
    expect(pixels[0].v).toBeCloseTo(robot.camera.cy, 9);
    expect(pixels[1].v).toBeCloseTo(robot.camera.cy - (1.5 / 3) * robot.camera.fy, 9);
    const noisy = robot.photographLandmarks(1);
    expect(Math.abs(noisy[0].u - pixels[0].u)).toBeGreaterThan(0);
    expect(Math.abs(noisy[0].u - pixels[0].u)).toBeLessThan(6);
  });
});

describe("occupancy", () => {
  it("of a drawing is the drawing, and makes the same world again", () => {
    const text = ["######", "#  b #", "# ## #", "#a   #", "######"].join("\n");
    const world = fromText(text, { cell: 0.5 });
    expect(world.landmarks).toEqual([
      { id: 0, x: 1.75, y: 1.75, z: 0.5 },
      { id: 1, x: 0.75, y: 0.75, z: 0.5 },
    ]);
    const grid = occupancyOf(world, { resolution: 0.5 });
    const lines = Array.from({ length: grid.height - 2 }, (_, i) => {
      const row = grid.height - 2 - i;
      return [...grid.data.subarray(row * grid.width + 1, (row + 1) * grid.width - 1)]
        .map((cell) => (cell > 50 ? "#" : " "))
        .join("");
    });
    expect(lines.join("\n")).toBe(text.replace(/[ab]/g, " "));
    const again = fromOccupancy(grid);
    for (let i = 0; i < 40; i++) {
      const [from, angle] = [{ x: 0.75, y: 0.75 }, i * 0.157];
      expect(again.cast(from, angle)?.distance).toBeCloseTo(world.cast(from, angle)?.distance ?? -1, 9);
    }
  });

  it("has thin walls that lie between cells, and what is inflated", () => {
    const grid = occupancyOf(square, { resolution: 0.1 });
    const at = (column: number, row: number): number => grid.data[row * grid.width + column];
    expect([grid.width, grid.height, at(0, 20), at(1, 20), at(2, 20), at(20, 20)]).toEqual([
      42, 42, 100, 100, 0, 0,
    ]);
    const wide = occupancyOf(square, { resolution: 0.1, inflate: 0.25 });
    expect(wide.data[20 * wide.width + 3]).toBe(100);
    expect(wide.data[20 * wide.width + 5]).toBe(0);
  });

  it("reads pictures as map servers do", () => {
    const data = Uint8Array.of(0, 100, 205, 254, 255, 80);
    const read = (shape: number[], bytes: Uint8Array<ArrayBuffer>, options = {}): number[] => [
      ...occupancyOfImage({ dtype: "uint8", shape, data: bytes }, { resolution: 0.1, ...options }).data,
    ];
    // rows from the bottom up
    expect(read([2, 3, 1], data)).toEqual([0, 0, 100, 100, -1, -1]);
    expect(read([2, 3, 1], data, { negate: true })).toEqual([100, 100, -1, 0, -1, 100]);
    expect(read([1, 2, 3], data, { occupiedThreshold: 0.5 })).toEqual([100, -1]); // means of three
    expect(read([1, 3, 2], Uint8Array.of(0, 255, 0, 254, 255, 255))).toEqual([100, -1, 0]);
    expect(() => read([1, 3, 1], data)).toThrow("occupancyOfImage");
    expect(() => read([2, 3, 1], data, { freeThreshold: 0.9 })).toThrow("0 ≤ free < occupied ≤ 1, got 0.9");
  });

  it("makes solids with holes, and few segments of straight walls", () => {
    const world = fromText("#####\n#   #\n#####", { cell: 1 });
    expect(world.bodies[0].edges).toHaveLength(8);
    expect(world.isFree({ x: 2.5, y: 1.5 }, 0.4)).toBe(true);
    expect(world.isFree({ x: 2.5, y: 0.5 })).toBe(false);
    expect(() =>
      fromOccupancy({ width: 2, height: 2, resolution: 1, origin: { x: 0, y: 0 }, data: new Int8Array(3) }),
    ).toThrow("occupancy: 3 cells for a grid of 2 × 2");
  });
});
