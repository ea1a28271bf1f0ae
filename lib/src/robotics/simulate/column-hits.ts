/** All that a ray on the plane meets, nearest first: what a column of a picture is drawn from. */
import type { Body } from "./body.js";
import { rayCircle, raySegment } from "./geometry.js";
import type { Placed, World } from "./world.js";

const MOST = 512;

export class ColumnHits {
  count = 0;
  /** Of each hit, from the nearest: metres along the ray. */
  readonly distance = new Float64Array(MOST);
  readonly normalX = new Float64Array(MOST);
  readonly normalY = new Float64Array(MOST);
  /** Texture coordinate along the surface, metres. */
  readonly along = new Float64Array(MOST);
  readonly originX = new Float64Array(MOST);
  readonly originY = new Float64Array(MOST);
  readonly labels = new Uint8Array(MOST);
  readonly instances = new Uint16Array(MOST);
  /** Where a ray enters a solid: the hit where it leaves it; else −1. */
  readonly partner = new Int16Array(MOST);
  readonly bodies: Body[] = [];

  /** @param eye height of the camera, metres: what is taller than all else and than the camera hides what is behind it */
  constructor(
    private readonly world: World,
    private readonly others: readonly (Placed & { readonly label: number; readonly instance: number })[],
    private readonly eye: number,
  ) {}

  gather(ox: number, oy: number, dx: number, dy: number, limit: number): void {
    this.count = 0;
    const { surfaces, bodies, labels } = this.world;
    let tallest = this.world.height;
    for (const { body } of this.others) tallest = Math.max(tallest, body.height);
    const hides = Math.max(tallest, this.eye);
    let end = limit;
    for (const other of this.others) {
      if (Math.abs((other.x - ox) * dy - (other.y - oy) * dx) > other.body.reach) continue;
      this.body(other.body, other.x, other.y, other.label, other.instance, ox, oy, dx, dy, limit);
    }
    // surfaces come cell by cell, about from near to far: once something hides all behind it, no farther cell is asked
    surfaces.walk(ox, oy, dx, dy, limit, (k) => {
      const index = surfaces.bodyOf[k];
      const body = bodies[index];
      if (k < surfaces.segmentCount) {
        const { segments } = surfaces;
        const [ax, ay] = [segments[4 * k], segments[4 * k + 1]];
        const [ex, ey] = [segments[4 * k + 2], segments[4 * k + 3]];
        const t = raySegment(ox, oy, dx, dy, ax, ay, ex, ey);
        if (t < limit) {
          this.straight(
            body,
            t,
            ax,
            ay,
            ex,
            ey,
            surfaces.alongOf[k],
            labels[index],
            index + 1,
            ox,
            oy,
            dx,
            dy,
          );
          if (body.height >= hides && t < end) end = t;
        }
      } else this.round(body, body.at.x, body.at.y, labels[index], index + 1, ox, oy, dx, dy, limit);
      return end;
    });
    this.pair();
  }

  private body(
    body: Body,
    x: number,
    y: number,
    label: number,
    instance: number,
    ox: number,
    oy: number,
    dx: number,
    dy: number,
    limit: number,
  ): void {
    if (body.radius > 0) this.round(body, x, y, label, instance, ox, oy, dx, dy, limit);
    for (const { ax, ay, ex, ey, along } of body.edges) {
      const t = raySegment(ox, oy, dx, dy, x + ax, y + ay, ex, ey);
      if (t < limit) this.straight(body, t, x + ax, y + ay, ex, ey, along, label, instance, ox, oy, dx, dy);
    }
  }

  private straight(
    body: Body,
    t: number,
    ax: number,
    ay: number,
    ex: number,
    ey: number,
    along: number,
    label: number,
    instance: number,
    ox: number,
    oy: number,
    dx: number,
    dy: number,
  ): void {
    const length = Math.sqrt(ex * ex + ey * ey);
    const sign = -ey * dx + ex * dy > 0 ? -1 : 1;
    const u = along + ((ox + t * dx - ax) * ex + (oy + t * dy - ay) * ey) / length;
    this.add(body, t, (sign * -ey) / length, (sign * ex) / length, u, ax, ay, label, instance);
  }

  private round(
    body: Body,
    x: number,
    y: number,
    label: number,
    instance: number,
    ox: number,
    oy: number,
    dx: number,
    dy: number,
    limit: number,
  ): void {
    const { radius } = body;
    const t = rayCircle(ox, oy, dx, dy, x, y, radius);
    if (t >= limit) return;
    const [px, py] = [ox + t * dx - x, oy + t * dy - y];
    const [nx, ny] = [px / radius, py / radius];
    const sign = nx * dx + ny * dy > 0 ? -1 : 1;
    this.add(body, t, sign * nx, sign * ny, radius * Math.atan2(py, px), x, y, label, instance);
    if (sign < 0) return; // the camera is within
    const through = -2 * (px * dx + py * dy);
    this.add(body, t + through, -nx, -ny, 0, x, y, label, instance);
  }

  /** Puts a hit in its place by distance. */
  private add(
    body: Body,
    t: number,
    nx: number,
    ny: number,
    along: number,
    x: number,
    y: number,
    label: number,
    instance: number,
  ): void {
    if (this.count === MOST) return;
    let i = this.count++;
    for (; i > 0 && this.distance[i - 1] > t; i--) {
      this.distance[i] = this.distance[i - 1];
      this.normalX[i] = this.normalX[i - 1];
      this.normalY[i] = this.normalY[i - 1];
      this.along[i] = this.along[i - 1];
      this.originX[i] = this.originX[i - 1];
      this.originY[i] = this.originY[i - 1];
      this.labels[i] = this.labels[i - 1];
      this.instances[i] = this.instances[i - 1];
      this.bodies[i] = this.bodies[i - 1];
    }
    this.distance[i] = t;
    this.normalX[i] = nx;
    this.normalY[i] = ny;
    this.along[i] = along;
    this.originX[i] = x;
    this.originY[i] = y;
    this.labels[i] = label;
    this.instances[i] = instance;
    this.bodies[i] = body;
  }

  /** Of a solid, every other hit is a way in, and the next one the way out. */
  private pair(): void {
    const { count, partner, instances, bodies } = this;
    partner.fill(-1, 0, count);
    for (let i = 0; i < count; i++) {
      if (partner[i] === -2 || !bodies[i].solid) continue;
      for (let j = i + 1; j < count; j++) {
        if (instances[j] !== instances[i]) continue;
        partner[i] = j;
        partner[j] = -2; // a way out has no partner
        break;
      }
    }
  }
}
