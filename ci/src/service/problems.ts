/** What a request can be refused for, in words for the person who sent it. */
import { InputError } from "../errors.js";

export class Refusal extends Error {
  override readonly name = "Refusal";
  constructor(
    /** HTTP status. */
    readonly status: number,
    /** For programs. */
    readonly code: string,
    message: string,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }
}

export const notFound = () => new Refusal(404, "not-found", "There is no such page, or it is not yours.");
export const signInFirst = () =>
  new Refusal(401, "sign-in", "Sign in with your course token first.", { "www-authenticate": "Bearer" });
export const instructorsOnly = () => new Refusal(403, "instructors-only", "This page is for instructors.");

const MIB = 1024 * 1024;

/** @param maxBytes of a file */
export function refusalOf(error: unknown, maxBytes: number): Refusal | undefined {
  if (error instanceof Refusal) return error;
  if (error instanceof InputError) {
    const status = error.problem === "too-large" ? 413 : 422;
    return new Refusal(status, error.problem, error.message);
  }
  const {
    code,
    statusCode = 500,
    message = "",
  } = error as {
    code?: string;
    statusCode?: number;
    message?: string;
  };
  switch (code) {
    case "FST_REQ_FILE_TOO_LARGE":
    case "FST_ERR_CTP_BODY_TOO_LARGE":
      return new Refusal(
        413,
        "too-large",
        `The file is larger than ${maxBytes / MIB} MiB: clear the notebook's outputs and save it again.`,
      );
    case "FST_FILES_LIMIT":
      return new Refusal(400, "one-file", "Send one file at a time.");
    case "FST_PARTS_LIMIT":
    case "FST_FIELDS_LIMIT":
      return new Refusal(400, "malformed", "The form has more fields than this page's.");
    case "FST_ERR_CTP_INVALID_MEDIA_TYPE":
    case "FST_INVALID_MULTIPART_CONTENT_TYPE":
      return new Refusal(415, "not-a-form", "Send the notebook as a form with a file (multipart/form-data).");
    case "FST_ERR_BAD_URL":
      return new Refusal(400, "bad-address", "This address is malformed.");
  }
  if (statusCode === 429) return new Refusal(429, "too-many", message);
  // A body that breaks off, lacks a boundary or a part's end: the parser's message says which.
  if (statusCode < 500 || /multipart|boundary|unexpected end|malformed|premature|aborted/i.test(message))
    return new Refusal(
      statusCode < 500 ? statusCode : 400,
      "malformed",
      `The request is malformed: ${message}`,
    );
  return undefined;
}
