/** Who may come in: people of the course, each with a token of their own, and the browsers that they signed in with. */
import { createHash, randomBytes } from "node:crypto";
import { GraderError } from "../errors.js";
import type { Database } from "./database.js";

export interface Person {
  id: string;
  name: string;
  email: string;
  role: "student" | "instructor";
}

const FIELDS = "id, name, email, role";
const ID = /^[\p{L}\p{N}_][\p{L}\p{N}_.@+-]{0,63}$/u;
const SESSION_MS = 30 * 24 * 60 * 60 * 1000;

export class People {
  constructor(private readonly database: Database) {}

  /** Adds or changes a person. @returns the token of a new one, which is kept nowhere; `undefined` for a known one */
  put(person: Person): string | undefined {
    if (!ID.test(person.id))
      throw new GraderError(
        `${JSON.stringify(person.id)} can't name a person: letters, digits, "_", then also ".", "@", "+", "-", at most 64`,
      );
    if (this.get(person.id)) {
      const { id, name, email, role } = person;
      this.database.run(
        "UPDATE person SET name = ?, email = ?, role = ? WHERE id = ?",
        name,
        email,
        role,
        id,
      );
      return undefined;
    }
    const token = newToken();
    const values = [person.id, person.name, person.email, person.role, hash(token)];
    this.database.run(`INSERT INTO person(${FIELDS}, token_hash) VALUES (?, ?, ?, ?, ?)`, ...values);
    return token;
  }

  /** The old token and every browser that was signed in with it are turned away from now on. @returns the new one */
  renew(id: string): string {
    const token = newToken();
    this.database.transaction(() => {
      if (this.database.run("UPDATE person SET token_hash = ? WHERE id = ?", hash(token), id) === 0)
        throw new GraderError(`there is no person "${id}"`);
      this.database.run("DELETE FROM session WHERE person = ?", id);
    });
    return token;
  }

  /** Nobody comes in as this person any more; what was handed in stays. */
  close(id: string): void {
    this.database.transaction(() => {
      if (this.database.run("UPDATE person SET token_hash = NULL WHERE id = ?", id) === 0)
        throw new GraderError(`there is no person "${id}"`);
      this.database.run("DELETE FROM session WHERE person = ?", id);
    });
  }

  get(id: string): Person | undefined {
    return this.database.get<Person>(`SELECT ${FIELDS} FROM person WHERE id = ?`, id);
  }

  all(): Person[] {
    return this.database.all<Person>(`SELECT ${FIELDS} FROM person ORDER BY id`);
  }

  /** Of random 160 bits: compared by its hash, so that time tells nothing, and a copy of the file gives no one entrance. */
  byToken(token: string): Person | undefined {
    return this.database.get<Person>(`SELECT ${FIELDS} FROM person WHERE token_hash = ?`, hash(token.trim()));
  }

  /** @returns the secret that a browser keeps */
  signIn(person: Person): string {
    const secret = newToken();
    const now = Date.now();
    this.database.run("DELETE FROM session WHERE expires < ?", now);
    const values = [hash(secret), person.id, now + SESSION_MS];
    this.database.run("INSERT INTO session(hash, person, expires) VALUES (?, ?, ?)", ...values);
    return secret;
  }

  bySession(secret: string): Person | undefined {
    return this.database.get<Person>(
      `SELECT ${FIELDS} FROM person WHERE id = (SELECT person FROM session WHERE hash = ? AND expires > ?)`,
      hash(secret),
      Date.now(),
    );
  }

  signOut(secret: string): void {
    this.database.run("DELETE FROM session WHERE hash = ?", hash(secret));
  }
}

function newToken(): string {
  return randomBytes(20).toString("base64url");
}

function hash(secret: string): string {
  return createHash("sha256").update(secret).digest("hex");
}
