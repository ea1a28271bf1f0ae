/** What the service and those who hand in say to each other, as JSON over HTTP. */
import { z } from "zod";

/** Proof that a file was accepted: it is on the service's disk and will be graded. */
export const receiptSchema = z.object({
  id: z.string(),
  person: z.string(),
  assignment: z.string(),
  file: z.string(),
  /** Of the bytes that were received. */
  sha256: z.string(),
  size: z.number(),
  /** ISO 8601. */
  accepted: z.string(),
});
export type Receipt = z.infer<typeof receiptSchema>;

/** How far a submission is. */
export const progressSchema = z.discriminatedUnion("state", [
  z.object({ state: z.literal("waiting"), ahead: z.number() }),
  z.object({
    state: z.literal("running"),
    /** Which of `tasks` is being graded, from 1; 0 before the first. */
    task: z.number(),
    tasks: z.number(),
    /** Tests that have ended. */
    tests: z.number(),
  }),
  z.object({
    state: z.literal("done"),
    status: z.enum(["graded", "invalid", "grader"]),
    score: z.number(),
    points: z.number(),
  }),
]);
export type Progress = z.infer<typeof progressSchema>;

export const acceptedSchema = z.object({ receipt: receiptSchema, url: z.string() });
export const meSchema = z.object({
  person: z.object({ id: z.string(), name: z.string(), role: z.enum(["student", "instructor"]) }),
  assignments: z.array(z.object({ slug: z.string(), title: z.string(), points: z.number() })),
  maxBytes: z.number(),
  perHour: z.number(),
});
export const problemSchema = z.object({ error: z.object({ code: z.string(), message: z.string() }) });

/** Header in which a sender names a request, so that sending it again does not hand in twice. */
export const REQUEST_HEADER = "idempotency-key";
