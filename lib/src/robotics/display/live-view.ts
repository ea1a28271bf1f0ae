/** Displays that change: shown once in a notebook and replaced in place, at most so often; outside of one, MIME bundles. */
import { displaySymbol, type MimeBundle } from "../../core/display.js";
import { ValueError } from "../../core/errors.js";
import { newDisplayId, publisher } from "../../viz/bundle.js";

export interface LiveOptions {
  /** Least milliseconds between two drawings. Default 100. */
  readonly interval?: number;
}

/**
 * Base of the displays. The last value of a cell shows it; `update` replaces it wherever it is shown; nothing of it keeps
 * a process alive.
 */
export abstract class LiveView {
  private readonly id = newDisplayId();
  private readonly interval: number;
  private shown = false;
  private drawn = Number.NEGATIVE_INFINITY;
  private drawing = false;
  private again = false;
  /** Displays under way. */
  private showing = 0;
  /** Whether something was drawn before the first of them was there to be replaced. */
  private missed = false;
  private timer: NodeJS.Timeout | undefined;
  private ended = false;

  constructor({ interval = 100 }: LiveOptions = {}) {
    if (!(interval >= 0))
      throw new ValueError(`a display's interval is a number of milliseconds from 0, got ${interval}`);
    this.interval = interval;
  }

  /** What it shows now. A saved notebook keeps it as a picture. */
  abstract bundle(): MimeBundle | Promise<MimeBundle>;

  /** Whether `stop` was called. */
  get stopped(): boolean {
    return this.ended;
  }

  /**
   * Draws what is there now, the first time as a new output. Too soon after the last drawing it waits, and draws once for
   * all that changed meanwhile.
   */
  update(): void {
    if (this.ended || !publisher()) return;
    const wait = this.drawn + this.interval - performance.now();
    if (wait <= 0) this.draw();
    else if (!this.timer) {
      this.timer = setTimeout(() => this.draw(), wait);
      this.timer.unref();
    }
  }

  /** Draws a last time; later updates do nothing. */
  stop(): void {
    if (this.ended) return;
    this.ended = true;
    if (this.shown || this.showing > 0) this.draw();
  }

  private draw(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.drawing) {
      this.again = true;
      return;
    }
    this.drawn = performance.now();
    const bundle = this.bundle();
    if (!(bundle instanceof Promise)) {
      this.publish(bundle);
      return;
    }
    this.drawing = true;
    bundle
      .catch((error): MimeBundle => ({ "text/plain": `[display failed: ${String(error)}]` }))
      .then((drawn) => {
        this.drawing = false;
        this.publish(drawn);
        if (!this.again) return;
        this.again = false;
        if (this.ended) this.draw();
        else this.update();
      });
  }

  private publish(bundle: MimeBundle): void {
    if (this.showing > 0 && !this.shown) {
      this.missed = true; // it would be a second output
      return;
    }
    publisher()?.(bundle, { displayId: this.id, update: this.shown });
    this.shown = true;
  }

  /** In a notebook: an output that later updates replace. Elsewhere: the bundle. */
  [displaySymbol](): MimeBundle | null | Promise<MimeBundle | null> {
    const publish = publisher();
    const bundle = this.bundle();
    if (!publish) return bundle;
    const show = (drawn: MimeBundle): null => {
      publish(drawn, { displayId: this.id, update: false });
      this.shown = true;
      return null;
    };
    if (!(bundle instanceof Promise)) return show(bundle);
    this.showing++;
    const shown = (drawn: MimeBundle): null => {
      this.showing--;
      show(drawn);
      if (this.missed) this.draw();
      this.missed = false;
      return null;
    };
    return bundle.then(shown, (error) => {
      this.showing--;
      throw error;
    });
  }
}
