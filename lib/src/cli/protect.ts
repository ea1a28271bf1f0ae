/** `mlsys protect`: keys, and files that are encrypted with them. */
import type { Command } from "commander";
import { ValueError } from "../core/errors.js";
import type { KeySource } from "../deploy/protect/encryption/keys.js";

interface KeyOptions {
  readonly keyFile?: string;
  readonly keyEnv?: string;
  readonly passphraseEnv?: string;
}

interface RekeyOptions extends KeyOptions {
  readonly toKeyFile?: string;
  readonly toKeyEnv?: string;
  readonly toPassphraseEnv?: string;
}

/** Keys and passphrases are never arguments: other users of the machine can read those. */
function keyOf({ keyFile, keyEnv, passphraseEnv }: KeyOptions, prefix = ""): KeySource {
  const given = [keyFile, keyEnv, passphraseEnv].filter((option) => option !== undefined);
  if (given.length !== 1)
    throw new ValueError(
      `one of --${prefix}key-file, --${prefix}key-env and --${prefix}passphrase-env is needed, ${given.length} were given`,
    );
  if (keyFile !== undefined) return { file: keyFile };
  if (keyEnv !== undefined) return { env: keyEnv };
  return { passphrase: process.env[passphraseEnv as string] ?? "" };
}

const withKey = (command: Command, prefix = "", what = "key"): Command =>
  command
    .option(`--${prefix}key-file <path>`, `a file with the ${what}`)
    .option(`--${prefix}key-env <name>`, `an environment variable with the ${what}`)
    .option(`--${prefix}passphrase-env <name>`, `an environment variable with a passphrase instead`);

const files = () => import("../deploy/protect/encryption/files.js");

export function addProtect(program: Command): void {
  const protect = program.command("protect").description("encrypt files, and give them other keys");
  protect
    .command("key")
    .description("write a new random key to a new file, and print its number")
    .argument("<file>")
    .action(async (file: string) => {
      const { keyId, saveKey } = await import("../deploy/protect/encryption/keys.js");
      await saveKey(file);
      process.stdout.write(`${keyId({ file })}\n`);
    });
  withKey(protect.command("encrypt"))
    .description("encrypt a file of any kind (AES-256-GCM); the one it is made from stays")
    .argument("<from>")
    .argument("<to>")
    .action(async (from: string, to: string, options: KeyOptions) =>
      (await files()).encryptFile(from, to, keyOf(options)),
    );
  withKey(protect.command("decrypt"))
    .description("decrypt a file, if all of it is as it was written")
    .argument("<from>")
    .argument("<to>")
    .action(async (from: string, to: string, options: KeyOptions) =>
      (await files()).decryptFile(from, to, keyOf(options)),
    );
  withKey(withKey(protect.command("rekey")), "to-", "new key")
    .description("give a file another key; what it holds is not encrypted anew")
    .argument("<file>")
    .action(async (file: string, options: RekeyOptions) => {
      const to = {
        keyFile: options.toKeyFile,
        keyEnv: options.toKeyEnv,
        passphraseEnv: options.toPassphraseEnv,
      };
      await (await files()).rekeyFile(file, keyOf(options), keyOf(to, "to-"));
    });
  protect
    .command("show")
    .description("print which keys open a file")
    .argument("<file>")
    .action(async (file: string) => {
      process.stdout.write(`${JSON.stringify(await (await files()).encryptionOf(file), null, 2)}\n`);
    });
}
