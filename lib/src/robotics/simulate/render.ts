/**
 * Pictures by ray casting, a column of pixels at a time: bodies stand upright and the camera looks level, so one ray on
 * the plane meets all that a column shows. With every picture comes its truth: depth, class and body of each pixel.
 */
import type { Image } from "../../data/vision/image.js";
import { ColumnHits } from "./column-hits.js";
import { compose, type Pose } from "./geometry.js";
import type { NoiseSource } from "./noise.js";
import type { Camera } from "./pinhole.js";
import { type Material, TEXELS, type Texture, textureOf } from "./texture.js";
import { GROUND, NOTHING, type Placed, type World } from "./world.js";

/** A picture and its truth, each with `height × width` pixels in rows. */
export interface Frame {
  readonly width: number;
  readonly height: number;
  /** Shape (height, width, 3). */
  readonly image: Image;
  /** Metres along the optical axis; +∞ where there is nothing. */
  readonly depth: Float32Array;
  /** Index into the world's `classes`. */
  readonly semantic: Uint8Array;
  /** 0 for nothing and ground, 1 + index of the body, then the robots. */
  readonly instance: Uint16Array;
}

/** Direction of the light on the plane: surfaces that face it are brighter. */
const [LIGHT_X, LIGHT_Y] = [0.6, 0.8];
const SKY: readonly [number, number, number] = [196, 214, 232];
/** Light that distance takes, a metre. */
const HAZE = 0.03;

/** A material, ready to be looked up. */
interface Paint {
  readonly r: number;
  readonly g: number;
  readonly b: number;
  readonly texture: Texture;
}

const paints = new WeakMap<Material, Paint>();

function paintOf(material: Material): Paint {
  let paint = paints.get(material);
  if (!paint) {
    const [r, g, b] = material.color;
    paint = { r, g, b, texture: textureOf(material.texture) };
    paints.set(material, paint);
  }
  return paint;
}

const LEVELS = Math.log2(TEXELS);

/** The smaller copy in which a pixel that covers `metres` is about a texel. */
function levelFor(metres: number): number {
  return Math.min(LEVELS, Math.floor(Math.log2(Math.max(1, metres * TEXELS))));
}

function texel(texture: Texture, level: number, u: number, v: number): number {
  const size = TEXELS >> level;
  // & with a power of two less one repeats the texture, below 0 too
  const column = Math.floor(u * size) & (size - 1);
  const row = Math.floor(v * size) & (size - 1);
  return texture[level][row * size + column];
}

class Painter {
  readonly rgb: Uint8Array<ArrayBuffer>;
  readonly depth: Float32Array;
  readonly semantic: Uint8Array;
  readonly instance: Uint16Array;

  constructor(
    private readonly camera: Camera,
    private readonly world: World,
  ) {
    const pixels = camera.width * camera.height;
    this.rgb = new Uint8Array(3 * pixels);
    this.depth = new Float32Array(pixels).fill(Number.POSITIVE_INFINITY);
    this.semantic = new Uint8Array(pixels);
    this.instance = new Uint16Array(pixels);
  }

  private put(
    at: number,
    depth: number,
    light: number,
    paint: Paint,
    semantic: number,
    instance: number,
  ): void {
    const { rgb } = this;
    const shade = light / (1 + HAZE * depth);
    rgb[3 * at] = paint.r * shade;
    rgb[3 * at + 1] = paint.g * shade;
    rgb[3 * at + 2] = paint.b * shade;
    this.depth[at] = depth;
    this.semantic[at] = semantic;
    this.instance[at] = instance;
  }

  /** Sky, and the ground row by row: a row of ground lies at one depth. */
  background(eye: Pose): void {
    const { width, height, fx, fy, cx, cy, mount, maxRange } = this.camera;
    const paint = paintOf(this.world.ground);
    const [c, s] = [Math.cos(eye.theta), Math.sin(eye.theta)];
    for (let row = 0; row < height; row++) {
      const depth = row > cy ? (mount.z * fy) / (row - cy) : Number.POSITIVE_INFINITY;
      const base = row * width;
      if (depth > maxRange) {
        for (let at = base; at < base + width; at++) {
          this.rgb[3 * at] = SKY[0];
          this.rgb[3 * at + 1] = SKY[1];
          this.rgb[3 * at + 2] = SKY[2];
          this.semantic[at] = NOTHING;
        }
        continue;
      }
      // a pixel is as wide as depth / fx and as long as depth² / (fy · z)
      const level = levelFor(Math.sqrt((depth * depth * depth) / (fx * fy * mount.z)));
      for (let column = 0; column < width; column++) {
        const right = ((column - cx) * depth) / fx;
        const u = eye.x + c * depth + s * right;
        const v = eye.y + s * depth - c * right;
        this.put(base + column, depth, texel(paint.texture, level, u, v), paint, GROUND, 0);
      }
    }
  }

  /** The upright surface that hit `i` met. */
  wall(column: number, hits: ColumnHits, i: number, depth: number): void {
    const { width, height, fx, fy, cy, mount } = this.camera;
    const body = hits.bodies[i];
    const paint = paintOf(body.material);
    const top = Math.max(0, Math.ceil(cy - ((body.height - mount.z) * fy) / depth));
    const bottom = Math.min(height - 1, Math.floor(cy + (mount.z * fy) / depth));
    const light = 0.78 + 0.22 * (hits.normalX[i] * LIGHT_X + hits.normalY[i] * LIGHT_Y);
    const level = levelFor(depth / fx);
    const u = hits.along[i];
    for (let row = top; row <= bottom; row++) {
      const at = row * width + column;
      if (depth > this.depth[at]) continue;
      const up = mount.z - ((row - cy) * depth) / fy;
      this.put(
        at,
        depth,
        light * texel(paint.texture, level, u, up),
        paint,
        hits.labels[i],
        hits.instances[i],
      );
    }
  }

  /** The level top of a body lower than the camera, from one depth to another. */
  top(column: number, hits: ColumnHits, i: number, near: number, far: number): void {
    const { width, height, fy, cy, mount } = this.camera;
    const paint = paintOf(hits.bodies[i].material);
    const below = (mount.z - hits.bodies[i].height) * fy;
    const first = Math.max(0, Math.ceil(cy + below / far));
    const last = Math.min(height - 1, Math.floor(cy + below / near));
    for (let row = first; row <= last; row++) {
      const depth = below / (row - cy);
      const at = row * width + column;
      if (depth > this.depth[at]) continue;
      this.put(at, depth, 1, paint, hits.labels[i], hits.instances[i]);
    }
  }

  /**
   * A ball: pixels' rays (1 ahead, `a` to the right, `b` up) against the sphere.
   * @param ahead, right, up its centre from the camera, in the camera's directions
   */
  ball(column: number, hits: ColumnHits, i: number, ahead: number, right: number, up: number): void {
    const { width, height, fx, fy, cx, cy } = this.camera;
    const { radius, material } = hits.bodies[i];
    const paint = paintOf(material);
    const a = (column - cx) / fx;
    const outside = ahead * ahead + right * right + up * up - radius * radius;
    for (let row = 0; row < height; row++) {
      const b = (cy - row) / fy;
      const along = ahead + a * right + b * up;
      const length2 = 1 + a * a + b * b;
      const discriminant = along * along - length2 * outside;
      if (discriminant < 0) continue;
      const depth = (along - Math.sqrt(discriminant)) / length2;
      const at = row * width + column;
      if (depth <= 0 || depth > this.depth[at]) continue;
      // normal: from the centre to the point, in camera directions; lit from above and the left
      const light =
        0.65 +
        (0.35 * (0.8 * (b * depth - up) - 0.4 * (a * depth - right) - 0.45 * (depth - ahead))) / radius;
      const stripes = texel(
        paint.texture,
        levelFor(depth / fx),
        (a * depth - right) / 2,
        (b * depth - up) / 2,
      );
      this.put(at, depth, Math.max(0.2, light) * stripes, paint, hits.labels[i], hits.instances[i]);
    }
  }

  frame(): Frame {
    const { width, height } = this.camera;
    const image: Image = { dtype: "uint8", shape: [height, width, 3], data: this.rgb };
    const { depth, semantic, instance } = this;
    return { width, height, image, depth, semantic, instance };
  }
}

/** Spread of the sum of four random bytes. */
const FOUR_BYTES = Math.sqrt(4 * ((256 * 256 - 1) / 12));

/** Adds noise to a picture: sums of four random bytes, near enough to a normal distribution and an eighth of its price. */
function grain(rgb: Uint8Array, sigma: number, noise: NoiseSource, robot: number, step: number): void {
  const bytes = noise.bytes("camera", robot, step, new Uint8Array(4 * rgb.length));
  for (let i = 0; i < rgb.length; i++) {
    const sum = bytes[4 * i] + bytes[4 * i + 1] + bytes[4 * i + 2] + bytes[4 * i + 3] - 510;
    const value = Math.round(rgb[i] + (sigma * sum) / FOUR_BYTES);
    rgb[i] = Math.max(0, Math.min(255, value));
  }
}

/**
 * A picture from a robot's camera.
 * @param others what is not in the world's grid: moving bodies and other robots, with their labels
 */
export function render(
  camera: Camera,
  world: World,
  others: readonly (Placed & { readonly label: number; readonly instance: number })[],
  robotPose: Pose,
  noise: NoiseSource,
  robot: number,
  step: number,
): Frame {
  const eye = compose(robotPose, camera.mount);
  const painter = new Painter(camera, world);
  painter.background(eye);
  const [c, s] = [Math.cos(eye.theta), Math.sin(eye.theta)];
  const { width, fx, cx, mount, maxRange } = camera;
  const hits = new ColumnHits(world, others, mount.z);
  for (let column = 0; column < width; column++) {
    const right = (column - cx) / fx;
    const toAhead = 1 / Math.sqrt(1 + right * right); // depth of a metre along this column's ray
    const dx = (c + s * right) * toAhead;
    const dy = (s - c * right) * toAhead;
    hits.gather(eye.x, eye.y, dx, dy, maxRange / toAhead);
    for (let i = 0; i < hits.count; i++) {
      const body = hits.bodies[i];
      const depth = hits.distance[i] * toAhead;
      if (body.shape.kind === "sphere") {
        if (hits.partner[i] < 0) continue;
        const [x, y] = [hits.originX[i] - eye.x, hits.originY[i] - eye.y];
        painter.ball(column, hits, i, c * x + s * y, s * x - c * y, body.radius - mount.z);
        continue;
      }
      if (depth > 1e-6) painter.wall(column, hits, i, depth);
      if (body.height < mount.z && hits.partner[i] >= 0)
        painter.top(column, hits, i, depth, hits.distance[hits.partner[i]] * toAhead);
    }
  }
  if (camera.noise > 0) grain(painter.rgb, camera.noise, noise, robot, step);
  return painter.frame();
}
