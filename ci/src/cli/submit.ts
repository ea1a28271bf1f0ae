/** `submit` and `login`: handing in from the command line, and for the kernel's `%submit`. */
import { createInterface } from "node:readline/promises";
import { type Command, Option } from "commander";
import { accountFor, remember } from "../submit/accounts.js";
import { ServiceClient, SubmitError } from "../submit/client.js";
import { notebookTeller } from "../submit/notebook.js";
import { submit } from "../submit/submit.js";
import { terminalTeller } from "../submit/terminal.js";

interface AccountFlags {
  server?: string;
  token?: string;
}
interface SubmitFlags extends AccountFlags {
  assignment?: string;
  check: boolean;
  wait: boolean;
  yes?: boolean;
  look?: boolean;
  shown?: string;
  bundles?: boolean;
}

export function addSubmitCommands(program: Command, signal: AbortSignal): void {
  const account = (command: Command) =>
    command
      .option("--server <url>", "the course's service (default: MLSYS_SERVER, else what login remembered)")
      .option("--token <token>", "your course token (default: MLSYS_TOKEN, else what login remembered)");

  account(program.command("login"))
    .description("remember a course's service and your token for it")
    .action(async (flags: AccountFlags) => {
      const server = flags.server ?? process.env.MLSYS_SERVER;
      if (server === undefined) throw new SubmitError("name the service: --server URL");
      const token = (flags.token ?? (await ask("Course token: "))).trim();
      const { person } = await new ServiceClient(server, token, signal).me();
      console.log(`${person.name}: remembered in ${remember({ server, token })}`);
    });

  account(program.command("submit <file>"))
    .description("hand in a notebook: shows what is sent, runs the visible tests, asks, and gives a receipt")
    .option("--assignment <slug>", "instead of what the notebook says")
    .option("--no-check", "do not run the visible tests before")
    .option("--no-wait", "leave when it is accepted, before it is graded")
    .option("-y, --yes", "do not ask")
    .option("--look", "only show what would be sent")
    .addOption(new Option("--shown <sha256>", "send only this very file").hideHelp())
    .addOption(new Option("--bundles", "speak in MIME bundles, for notebooks").hideHelp())
    .action(async (file: string, flags: SubmitFlags) => {
      const { assignment, check, wait, yes = false, look = false, shown, bundles } = flags;
      const write = (text: string) => process.stdout.write(text);
      const teller = bundles ? notebookTeller((line) => write(`${line}\n`)) : terminalTeller(write);
      const agree = async () => !look && (yes || /^y(es)?$/i.test(await ask("Hand it in? [y/N] ")));
      const options = {
        file,
        account: accountFor(flags),
        assignment,
        check,
        agree,
        expected: shown,
        wait,
        signal,
      };
      const sent = await submit(options, teller);
      if (!sent && !look) console.log("nothing was sent");
    });
}

/** @throws SubmitError where nobody can answer */
async function ask(question: string): Promise<string> {
  if (!process.stdin.isTTY) throw new SubmitError("nobody can be asked here: add --yes, or --token");
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return await lines.question(question);
  } finally {
    lines.close();
  }
}
