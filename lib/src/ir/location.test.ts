import { afterEach, describe, expect, it } from "vitest";
import { capture, ones, type Tensor } from "../index.js";
import { callerLocation } from "./location.js";

const { prepareStackTrace, stackTraceLimit } = Error;
afterEach(() => {
  Object.assign(Error, { prepareStackTrace, stackTraceLimit });
});

describe("the user's line", () => {
  const line = (): string | null => capture((x: Tensor) => x.sin(), ones([2])).nodes[0].loc;

  it("is the first outside of the library", () => {
    expect(line()).toMatch(/location\.test\.[jt]s:\d+:\d+$/);
    expect(callerLocation()).toMatch(/location\.test\.[jt]s:\d+:\d+$/);
  });

  it("goes through whoever maps stacks, who gets that one frame only", () => {
    const seen: number[] = [];
    Error.prepareStackTrace = (error, sites) => {
      seen.push(sites.length);
      return `${error}\n    at f (/home/reader/cell.ts:7:2)`;
    };
    expect(line()).toBe("/home/reader/cell.ts:7:2");
    expect(seen).toEqual([1]);
  });

  it("leaves the settings of errors as they were", () => {
    Error.stackTraceLimit = 3;
    Error.prepareStackTrace = undefined;
    expect(callerLocation()).toMatch(/location\.test/);
    expect([Error.stackTraceLimit, Error.prepareStackTrace]).toEqual([3, undefined]);
  });
});
