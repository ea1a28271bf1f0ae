/** Handing in, step by step: look, check, ask, send, follow. How each step is shown is the teller's. */
import { checkFile } from "../batch/grade-file.js";
import type { Report } from "../judge/report.js";
import type { Account } from "./accounts.js";
import { ServiceClient, SubmitError } from "./client.js";
import { type Preview, previewOf } from "./preview.js";
import type { Progress, Receipt } from "./protocol.js";

export interface Teller {
  preview(preview: Preview, account: { server: string; person: string; perHour: number }): void;
  checks(report: Report): void;
  receipt(receipt: Receipt, page: string): void;
  progress(words: string): void;
  done(result: Extract<Progress, { state: "done" }>, page: string): void;
}

export interface SubmitOptions {
  file: string;
  account: Account;
  /** Instead of what the notebook says. */
  assignment?: string;
  /** Run the visible tests before. */
  check: boolean;
  /** Asked before anything is sent; false keeps it here. */
  agree: () => boolean | Promise<boolean>;
  /** SHA-256 of what was shown: another file is not sent. */
  expected?: string;
  /** Stay until it is graded. */
  wait: boolean;
  signal?: AbortSignal;
}

/** @returns false when the learner did not agree. @throws InputError, SubmitError */
export async function submit(options: SubmitOptions, teller: Teller): Promise<boolean> {
  const { file, account, assignment, check, agree, expected, wait, signal } = options;
  const preview = await previewOf(file);
  if (expected !== undefined && preview.sha256 !== expected)
    throw new SubmitError(`${preview.file} has changed since it was shown: look at it again`);
  const client = new ServiceClient(account.server, account.token, signal);
  const { person, assignments, maxBytes, perHour } = await client.me();
  const slug = assignment ?? preview.assignment;
  if (!assignments.some((offer) => offer.slug === slug))
    throw new SubmitError(
      `${account.server} has no assignment "${slug}", only ${assignments.map((offer) => offer.slug).join(", ") || "none"}: name one with --assignment`,
    );
  if (preview.bytes.length > maxBytes)
    throw new SubmitError(
      `${preview.file} is larger than ${Math.round(maxBytes / 1024 / 1024)} MiB: clear its outputs, save it and start again`,
    );
  const { server } = account;
  if (expected === undefined)
    teller.preview({ ...preview, assignment: slug }, { server, person: person.name, perHour });
  if (check) teller.checks(await checkFile(file));
  if (!(await agree())) return false;
  const { receipt, page } = await client.send(preview.bytes, preview.file, assignment);
  if (receipt.sha256 !== preview.sha256)
    throw new SubmitError(
      `the server received another file than was sent (receipt ${receipt.id}): hand in again`,
    );
  teller.receipt(receipt, page);
  if (wait) teller.done(await client.follow(receipt.id, (_, words) => teller.progress(words)), page);
  return true;
}
