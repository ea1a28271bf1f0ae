/**
 * The service's memory: one SQLite file. A transaction that has come back is on the disk (`synchronous = FULL`), so what
 * the service has told anyone survives kill -9 and, where the disk is honest, a power cut.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import Sqlite from "libsql";
import { GraderError, messageOf } from "../errors.js";

export type Value = string | number | null | Buffer;

const BUSY_MS = 10_000;

const SCHEMA = `
CREATE TABLE IF NOT EXISTS person(
  id TEXT PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL,
  role TEXT NOT NULL CHECK (role IN ('student', 'instructor')), token_hash TEXT UNIQUE);
CREATE TABLE IF NOT EXISTS session(
  hash TEXT PRIMARY KEY, person TEXT NOT NULL REFERENCES person ON DELETE CASCADE, expires INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS submission(
  id TEXT PRIMARY KEY, person TEXT NOT NULL REFERENCES person, assignment TEXT NOT NULL, file TEXT NOT NULL,
  sha256 TEXT NOT NULL, bytes BLOB NOT NULL, accepted INTEGER NOT NULL,
  request TEXT NOT NULL, UNIQUE (person, request));
CREATE INDEX IF NOT EXISTS submission_by_person ON submission(person, assignment, accepted);
CREATE TABLE IF NOT EXISTS work(
  submission TEXT PRIMARY KEY REFERENCES submission, ticket TEXT NOT NULL, owner TEXT,
  attempts INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS grade(
  submission TEXT PRIMARY KEY REFERENCES submission, status TEXT NOT NULL, score REAL NOT NULL, points REAL NOT NULL,
  report TEXT NOT NULL, graded INTEGER NOT NULL, attempts INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS decision(
  id INTEGER PRIMARY KEY, person TEXT NOT NULL REFERENCES person, assignment TEXT NOT NULL, line TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS decision_by_person ON decision(person, assignment);
`;

export class Database {
  private readonly statements = new Map<string, Sqlite.Statement>();
  private readonly waiting: {
    work: () => unknown;
    resolve: (value: unknown) => void;
    reject: (error: unknown) => void;
  }[] = [];

  private constructor(private readonly sqlite: Sqlite.Database) {}

  /** Makes the folder and the file if they are not there. Several processes may have it open. */
  static open(folder: string): Database {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const sqlite = new Sqlite(join(folder, "service.db"), { timeout: BUSY_MS });
    sqlite.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;");
    sqlite.exec(SCHEMA);
    return new Database(sqlite);
  }

  all<Row>(sql: string, ...values: Value[]): Row[] {
    // One list: the package takes a lone buffer for a record of names, and ends the process.
    return this.prepared(sql).all(values as never) as Row[];
  }

  get<Row>(sql: string, ...values: Value[]): Row | undefined {
    return this.all<Row>(sql, ...values)[0];
  }

  /** @returns the number of rows that were changed */
  run(sql: string, ...values: Value[]): number {
    return this.prepared(sql).run(values as never).changes;
  }

  /** All of it or nothing; on the disk when it returns. */
  transaction<T>(work: () => T): T {
    this.sqlite.exec("BEGIN IMMEDIATE");
    try {
      const result = work();
      this.sqlite.exec("COMMIT");
      return result;
    } catch (error) {
      this.sqlite.exec("ROLLBACK");
      throw error;
    }
  }

  /**
   * A transaction that shares its way to the disk, the slow part, with all that come in the same moment. Each is whole or
   * nothing by itself; it is on the disk when the promise resolves.
   */
  together<T>(work: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.waiting.length === 0) setImmediate(() => this.runWaiting());
      this.waiting.push({ work, resolve: resolve as (value: unknown) => void, reject });
    });
  }

  private runWaiting(): void {
    const turn = this.waiting.splice(0);
    if (turn.length === 0) return;
    const ends: (() => void)[] = [];
    try {
      this.transaction(() => {
        for (const { work, resolve, reject } of turn) {
          this.sqlite.exec("SAVEPOINT one");
          try {
            const result = work();
            ends.push(() => resolve(result));
          } catch (error) {
            this.sqlite.exec("ROLLBACK TO one");
            ends.push(() => reject(error));
          }
          this.sqlite.exec("RELEASE one");
        }
      });
    } catch (error) {
      for (const { reject } of turn) reject(error);
      return;
    }
    for (const end of ends) end();
  }

  /** As `transaction`, kept over the end of the process but not, at once, over a power cut: for what may then be done again. */
  quickly<T>(work: () => T): T {
    this.sqlite.exec("PRAGMA synchronous = NORMAL");
    try {
      return this.transaction(work);
    } finally {
      this.sqlite.exec("PRAGMA synchronous = FULL");
    }
  }

  close(): void {
    this.runWaiting();
    this.sqlite.close();
  }

  private prepared(sql: string): Sqlite.Statement {
    let statement = this.statements.get(sql);
    if (!statement) {
      statement = this.sqlite.prepare(sql);
      this.statements.set(sql, statement);
    }
    return statement;
  }
}

/**
 * Holds a folder for one service. The lock is the system's on an open file: it ends with the process, however that
 * ends. @returns what lets it go
 * @throws GraderError while another service has it
 */
export function lockFolder(folder: string): () => void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const sqlite = new Sqlite(join(folder, "lock.db"), { timeout: 0 });
  try {
    sqlite.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE;");
  } catch (error) {
    sqlite.close();
    throw new GraderError(`${folder} is in use by another service (${messageOf(error)})`);
  }
  return () => sqlite.close();
}
