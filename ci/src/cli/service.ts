/** `serve`, `worker` and `people`: the service that a course hands in to, who grades for it, and who may come in. */
import { type Command, Option } from "commander";
import { InputError } from "../errors.js";
import { boxed, count, limited, megabytes, ofCourse } from "./options.js";
import type { ServeFlags, WorkerFlags } from "./serve.js";

const FOLDER = ".mlsys/service";

export function addServiceCommands(program: Command, signal: AbortSignal): void {
  const data = (command: Command) =>
    command.option("--data <folder>", "where the service keeps everything", FOLDER);

  data(boxed(limited(ofCourse(program.command("serve")))))
    .description("run the service that learners hand in to")
    .option(
      "--host <address>",
      "listen there; anything but this machine's own wants a proxy with TLS",
      "127.0.0.1",
    )
    .option("--port <n>", "listen there", port, 8080)
    .option("--public-url <url>", "the address that learners type, if a proxy stands before the service")
    .option("--name <course>", "shown on every page", "Course")
    .option("--max-upload <MiB>", "size of a notebook", megabytes, 8 * 1024 * 1024)
    .option("--per-person <MiB>", "size of all that one person has handed in", megabytes, 256 * 1024 * 1024)
    .option("--per-hour <n>", "submissions of one person for one assignment", count, 10)
    .addOption(
      new Option("--keep <which>", "submission that counts").choices(["best", "latest"]).default("best"),
    )
    .option(
      "--pick <folder>",
      "holds a folder of notebooks for each person, to pick from instead of uploading",
    )
    .option("--redis <url>", "have workers on other machines grade (mlsys-grade worker), through this Redis")
    .action(async (flags: ServeFlags) => (await import("./serve.js")).serve(flags, signal));

  boxed(limited(ofCourse(program.command("worker"))))
    .description("grade for a service on another machine")
    .requiredOption("--redis <url>", "the service's Redis: redis://:password@host:6379")
    .action(async (flags: WorkerFlags) => (await import("./serve.js")).work(flags, signal));

  const people = program.command("people").description("who may hand in to the service, and their tokens");
  const acting = () => import("./people.js");
  data(people.command("add <id>"))
    .description("add a person, or change one; prints the token of a new one")
    .option("--name <name>", "default: the id")
    .option("--email <address>", "", "")
    .option("--instructor", "sees everyone's submissions and the gradebook")
    .action(async (id: string, { data, name = id, email, instructor }: PersonFlags) =>
      (await acting()).addPerson(data, { id, name, email, role: instructor ? "instructor" : "student" }),
    );
  data(people.command("import <roster>"))
    .description("add the people of a CSV file (id,name,email,role); prints id,token of each new one as CSV")
    .action(async (file: string, { data }: DataFlag) => (await acting()).importRoster(data, file));
  data(people.command("list"))
    .description("print everybody")
    .action(async ({ data }: DataFlag) => (await acting()).listPeople(data));
  data(people.command("renew <id>"))
    .description("give a person a new token; the old one and all sign-ins end")
    .action(async (id: string, { data }: DataFlag) => (await acting()).renewToken(data, id));
  data(people.command("close <id>"))
    .description("turn a person away; what was handed in stays")
    .action(async (id: string, { data }: DataFlag) => (await acting()).closePerson(data, id));
}

interface DataFlag {
  data: string;
}
interface PersonFlags extends DataFlag {
  name?: string;
  email: string;
  instructor?: boolean;
}

function port(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value > 65_535)
    throw new InputError("unreadable", `--port ${text}: expected a number from 0 to 65535`);
  return value;
}
