/** What the routes work with, and who a request is from. */
import type { FastifyRequest } from "fastify";
import type { Catalog } from "./catalog.js";
import type { Decisions } from "./decisions.js";
import type { Keep } from "./gradebook.js";
import type { People, Person } from "./people.js";
import { signInFirst } from "./problems.js";
import type { ProgressBoard } from "./progress.js";
import type { WorkQueue } from "./queue.js";
import type { Shelf } from "./shelf.js";
import type { Submissions } from "./submissions.js";

export interface ServiceOptions {
  /** Shown on every page. */
  courseName: string;
  maxBytes: number;
  /** Submissions of a person for an assignment. */
  perHour: number;
  /** Of all that a person has handed in. */
  bytesPerPerson: number;
  /** Requests of a person, or of an address that nobody has signed in from. */
  perMinute: number;
  /** Attempts to sign in from one address. */
  signInsPerMinute: number;
  keep: Keep;
  /** The address that people type, behind a proxy; with https, cookies travel over it alone. */
  publicUrl?: string;
}

/** What the routes work with. */
export interface Service {
  options: ServiceOptions;
  catalog: Catalog;
  people: People;
  submissions: Submissions;
  decisions: Decisions;
  board: ProgressBoard;
  queue: WorkQueue;
  shelf?: Shelf;
  /** Told what happened to requests that failed through the service's own fault. */
  log(message: string): void;
}

declare module "fastify" {
  interface FastifyRequest {
    person: Person | undefined;
  }
}

/** @throws Refusal */
export function personOf(request: FastifyRequest): Person {
  if (!request.person) throw signInFirst();
  return request.person;
}

/** A program, not a browser: it gets JSON. */
export function wantsJson(request: FastifyRequest): boolean {
  const { accept = "", authorization } = request.headers;
  return authorization !== undefined || /application\/json/.test(accept);
}
