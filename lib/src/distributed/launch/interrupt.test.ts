import { afterEach, expect, it, vi } from "vitest";
import { whenInterrupted } from "./interrupt.js";

afterEach(() => vi.unstubAllGlobals());

it("tells when the caller's timers fire no more, as in an interrupted cell", async () => {
  const real = globalThis.setInterval;
  let abandoned = false;
  vi.stubGlobal("setInterval", (callback: () => void, ms: number) => real(() => abandoned || callback(), ms));
  let told = false;
  await new Promise<void>((resolve) => {
    whenInterrupted(() => {
      told = true;
      expect(abandoned).toBe(true);
      resolve();
    });
    AbortSignal.timeout(1500).addEventListener("abort", () => {
      expect(told).toBe(false); // a look was taken, and the timers fired
      abandoned = true;
    });
    real(() => {}, 50).unref();
  });
  expect(told).toBe(true);
});
