/** The kit for one host and one learner's code: the names that test cells import. */

import type { Peer } from "../wire/peer.js";
import { TensorData } from "../wire/tensor.js";
import { Check, type TestHost } from "./check.js";
import { expectClose, expectEqual, expectShape, expectThrows, expectTrue, fail } from "./expect.js";
import { rng } from "./rng.js";
import { createStudent, portable, read, type Student, StudentError, snapshot } from "./student.js";

export interface Kit {
  readonly student: Student;
  /** Starts the tests of a cell: one per cell, `await ….run()` last. */
  readonly check: (title: string) => Check;
}

export function createKit(peer: Peer, host: TestHost): Kit {
  return { student: createStudent(peer), check: (title) => new Check(title, host) };
}

/** Every name of the kit, for the judge, which has no module of its own per learner. */
export function kitNames(kit: Kit): Record<string, unknown> {
  return {
    ...kit,
    expectClose,
    expectEqual,
    expectShape,
    expectThrows,
    expectTrue,
    fail,
    rng,
    portable,
    read,
    snapshot,
    StudentError,
    TensorData,
  };
}
