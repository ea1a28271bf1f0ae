/** Tokens of this user's, by server: each is sent to its own server only. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { z } from "zod";
import { SubmitError } from "./client.js";

const schema = z.object({ server: z.string().optional(), tokens: z.record(z.string(), z.string()) });
type Accounts = z.infer<typeof schema>;

export interface Account {
  server: string;
  token: string;
}

/**
 * Where to and as whom: what is named, else the environment (MLSYS_SERVER, MLSYS_TOKEN), else what `login` remembered.
 * @throws SubmitError that says what is missing
 */
export function accountFor(named: Partial<Account>, env: NodeJS.ProcessEnv = process.env): Account {
  const accounts = read(env);
  const server = named.server ?? env.MLSYS_SERVER ?? accounts.server;
  if (server === undefined)
    throw new SubmitError(
      "no server is known: name it with --server URL, or run mlsys-grade login --server URL once",
    );
  const token = named.token ?? env.MLSYS_TOKEN ?? accounts.tokens[keyOf(server)];
  if (token === undefined)
    throw new SubmitError(`no token for ${server}: run mlsys-grade login --server ${server} once`);
  return { server, token };
}

/** For the next time; readable by this user alone. */
export function remember({ server, token }: Account, env: NodeJS.ProcessEnv = process.env): string {
  const path = pathOf(env);
  const accounts = read(env);
  const next = { server, tokens: { ...accounts.tokens, [keyOf(server)]: token } };
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.${process.pid}.tmp`;
  writeFileSync(draft, `${JSON.stringify(next, null, 2)}\n`, { mode: 0o600 });
  renameSync(draft, path);
  return path;
}

function read(env: NodeJS.ProcessEnv): Accounts {
  let text: string;
  try {
    text = readFileSync(pathOf(env), "utf8");
  } catch {
    return { tokens: {} };
  }
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    throw new SubmitError(`${pathOf(env)} is damaged: delete it and log in again`);
  }
}

function keyOf(server: string): string {
  return URL.canParse(server) ? new URL(server).href.replace(/\/+$/, "") : server;
}

function pathOf(env: NodeJS.ProcessEnv): string {
  return join(env.XDG_CONFIG_HOME || join(homedir(), ".config"), "mlsys", "service.json");
}
