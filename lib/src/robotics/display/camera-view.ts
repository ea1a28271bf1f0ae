/** What a robot's camera sees: the picture, its depth and its labels side by side, with boxes around what was found. */
import type { MimeBundle } from "../../core/display.js";
import { ValueError } from "../../core/errors.js";
import { PALETTE } from "../../viz/plot.js";
import type { Frame } from "../simulate/render.js";
import type { Robot } from "../simulate/robot.js";
import { type LiveOptions, LiveView } from "./live-view.js";
import { png } from "./png.js";
import { text } from "./svg.js";

export type CameraLayer = "image" | "depth" | "semantic" | "instance";

/** A box in pixels of the picture. */
export interface ShownBox {
  readonly x0: number;
  readonly y0: number;
  readonly x1: number;
  readonly y1: number;
  readonly text?: string;
}

export interface CameraViewOptions extends LiveOptions {
  /** Default the picture, depth and semantic labels. */
  readonly layers?: readonly CameraLayer[];
  /** Pixels of the display for each of the picture's. Default 2. */
  readonly scale?: number;
  /** Metres that are black in the depth. Default 6. */
  readonly depthRange?: number;
}

const GAP = 4;
const CAPTION = 16;

/**
 * A camera's pictures, of a robot or given.
 * @example
 * const { robot } = new robotics.simulate.Simulation(robotics.simulate.room({ things: 6 }), { robots: [{ pose: { x: 4, y: 3, theta: 0 } }] });
 * new robotics.display.CameraView(robot).bundle()["image/svg+xml"];
 */
export class CameraView extends LiveView {
  private boxes: readonly ShownBox[] = [];
  private given: Frame | null = null;

  constructor(
    private readonly robot: Robot,
    private readonly options: CameraViewOptions = {},
  ) {
    super(options);
    const { scale = 2 } = options;
    if (!(scale > 0 && scale <= 16))
      throw new ValueError(`CameraView: the scale is a number from 0 to 16, got ${scale}`);
  }

  /** Draws what the camera sees now, or `frame`, with boxes of a detector. */
  override update({
    frame = null,
    boxes = [],
  }: {
    readonly frame?: Frame | null;
    readonly boxes?: readonly ShownBox[];
  } = {}): void {
    this.given = frame;
    this.boxes = boxes;
    super.update();
  }

  svg(): string {
    const { layers = ["image", "depth", "semantic"], scale = 2, depthRange = 6 } = this.options;
    const frame = this.given ?? this.robot.photograph();
    const [w, h] = [frame.width * scale, frame.height * scale];
    const total = layers.length * (w + GAP) - GAP;
    const parts = layers.map((layer, i) => {
      const left = i * (w + GAP);
      const href = `data:image/png;base64,${pictureOf(frame, layer, depthRange).toString("base64")}`;
      const picture = `<image x="${left}" y="0" width="${w}" height="${h}" style="image-rendering: pixelated" href="${href}"/>`;
      return picture + text(left + 2, h + 12, layer);
    });
    const boxes = this.boxes.map(({ x0, y0, x1, y1, text: words }, i) => {
      const colour = PALETTE[i % PALETTE.length];
      const box = `<rect x="${x0 * scale}" y="${y0 * scale}" width="${(x1 - x0) * scale}" height="${(y1 - y0) * scale}" fill="none" stroke="${colour}" stroke-width="2"/>`;
      const above = Math.max(10, y0 * scale - 3);
      return words ? box + text(x0 * scale, above, words, `style="fill:${colour};font-weight:bold"`) : box;
    });
    const height = h + CAPTION;
    return `<svg xmlns="http://www.w3.org/2000/svg" width="${total}" height="${height}" viewBox="0 0 ${total} ${height}" style="max-width: 100%; height: auto"><rect width="${total}" height="${height}" fill="#fbfaf7"/>${parts.join("")}${boxes.join("")}</svg>`;
  }

  bundle(): MimeBundle {
    return { "image/svg+xml": this.svg(), "text/plain": String(this) };
  }

  override toString(): string {
    const { width, height } = this.robot.camera;
    return `Camera(${this.robot.name}, ${width} × ${height})`;
  }
}

/** Colours of labels: far from each other, the same in every picture. */
const LABELS = PALETTE.map((hex) => [1, 3, 5].map((i) => Number.parseInt(hex.slice(i, i + 2), 16)));

function pictureOf(frame: Frame, layer: CameraLayer, depthRange: number): Buffer {
  const { width, height, image, depth, semantic, instance } = frame;
  if (layer === "image") return png(new Uint8Array(image.data), width, height, 3);
  if (layer === "depth") {
    const grey = Uint8Array.from(depth, (metres) =>
      metres === Number.POSITIVE_INFINITY ? 0 : 255 * Math.max(0, 1 - metres / depthRange),
    );
    return png(grey, width, height, 1);
  }
  const labels = layer === "semantic" ? semantic : instance;
  const colours = new Uint8Array(3 * width * height);
  labels.forEach((label, i) => {
    if (label === 0) return; // nothing: black
    const turn = Math.floor((label - 1) / LABELS.length);
    const shade = 1 / (1 + 0.35 * turn); // past the palette's end, darker each round
    LABELS[(label - 1) % LABELS.length].forEach((c, k) => {
      colours[3 * i + k] = c * shade;
    });
  });
  return png(colours, width, height, 3);
}
