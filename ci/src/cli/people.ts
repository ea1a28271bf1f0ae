/** `people` at work. Loaded only for it. */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { printable } from "../report/terminal.js";
import { Database } from "../service/database.js";
import { People, type Person } from "../service/people.js";
import { readRoster } from "../service/roster.js";

/** Prints the token of a new person. */
export function addPerson(folder: string, person: Person): void {
  withPeople(folder, (all) =>
    console.log(all.put(person) ?? `${printable(person.id)} is changed; the token stays`),
  );
}

/** Prints `id,token` of each new person. */
export async function importRoster(folder: string, file: string): Promise<void> {
  const roster = readRoster(await readFile(file, "utf8"), file);
  withPeople(folder, (all) => {
    for (const person of roster) {
      const token = all.put(person);
      if (token !== undefined) console.log(`${person.id},${token}`);
    }
  });
}

export function listPeople(folder: string): void {
  withPeople(folder, (all) => {
    for (const { id, name, email, role } of all.all())
      console.log(printable([id, role, name, email].join("\t")));
  });
}

export function renewToken(folder: string, id: string): void {
  withPeople(folder, (all) => console.log(all.renew(id)));
}

export function closePerson(folder: string, id: string): void {
  withPeople(folder, (all) => all.close(id));
}

function withPeople(folder: string, work: (people: People) => void): void {
  const database = Database.open(resolve(folder));
  try {
    work(new People(database));
  } finally {
    database.close();
  }
}
