/** What Prometheus reads at `/metrics`: one row per metric. */
import type { Registry } from "prom-client";
import type { ModelVersion, VersionObserver } from "./version.js";

/** Seconds: from a tenth of a millisecond to half a minute. */
const SECONDS = [
  1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
];
const ROWS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];

export interface Metrics {
  /** `text/plain; version=0.0.4` */
  readonly contentType: string;
  text(): Promise<string>;
  /** A request is over. `code`: `OK`, or that of its error. */
  request(
    request: { model: string; version: string; protocol: "http" | "grpc"; code: string },
    seconds: number,
  ): void;
  /** A token was streamed. */
  token(model: string): void;
  observer(model: string, version: string): VersionObserver;
}

/** prom-client is loaded when a server starts. @param versions those that are loaded, read at each scrape */
export async function createMetrics(versions: () => readonly ModelVersion[]): Promise<Metrics> {
  const { default: prometheus } = await import("prom-client");
  const registry: Registry = new prometheus.Registry();
  prometheus.collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const model = ["model", "version"] as const;
  const requests = new prometheus.Counter({
    name: "mlsys_serve_requests_total",
    help: "Requests for inference that are over, by the code of their answer.",
    labelNames: [...model, "protocol", "code"],
    registers,
  });
  const seconds = new prometheus.Histogram({
    name: "mlsys_serve_request_seconds",
    help: "Time from the request's arrival to its answer.",
    labelNames: [...model, "protocol"],
    buckets: SECONDS,
    registers,
  });
  const queue = new prometheus.Histogram({
    name: "mlsys_serve_queue_seconds",
    help: "Time that requests waited for a run.",
    labelNames: model,
    buckets: SECONDS,
    registers,
  });
  const compute = new prometheus.Histogram({
    name: "mlsys_serve_compute_seconds",
    help: "Time of runs in the backend.",
    labelNames: model,
    buckets: SECONDS,
    registers,
  });
  const rows = new prometheus.Histogram({
    name: "mlsys_serve_batch_rows",
    help: "Rows of runs, padding not counted.",
    labelNames: model,
    buckets: ROWS,
    registers,
  });
  const padding = new prometheus.Counter({
    name: "mlsys_serve_padding_rows_total",
    help: "Rows of zeros that filled batches up.",
    labelNames: model,
    registers,
  });
  const tokens = new prometheus.Counter({
    name: "mlsys_serve_tokens_total",
    help: "Tokens that were streamed.",
    labelNames: ["model"],
    registers,
  });
  const gauge = (name: string, help: string, read: (version: ModelVersion) => number): void => {
    new prometheus.Gauge({
      name,
      help,
      labelNames: model,
      registers,
      collect() {
        this.reset();
        for (const version of versions())
          this.set({ model: version.name, version: version.number }, read(version));
      },
    });
  };
  gauge("mlsys_serve_queue_length", "Requests that wait.", (version) => version.queueLength);
  gauge("mlsys_serve_in_flight", "Requests that wait or run.", (version) => version.inFlight);
  gauge("mlsys_serve_model_ready", "1: the version answers.", ({ state }) => (state === "READY" ? 1 : 0));
  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    request: ({ code, ...labels }, time) => {
      requests.inc({ ...labels, code });
      seconds.observe(labels, time);
    },
    token: (name) => tokens.inc({ model: name }),
    observer: (name, version) => {
      const labels = { model: name, version };
      return {
        batch: (count, zeros, ms, waited) => {
          compute.observe(labels, ms / 1000);
          rows.observe(labels, count);
          if (zeros > 0) padding.inc(labels, zeros);
          for (const wait of waited) queue.observe(labels, wait / 1000);
        },
      };
    },
  };
}
