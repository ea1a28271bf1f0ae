/** Runs the examples of a README in a kernel, one after the other, as they stand. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { KernelClient, launchKernel } from "@mlsys/kernel/client";
import { kernelSpec } from "@mlsys/kernel/spec";
import { afterAll, beforeAll, expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

/** Blocks of TypeScript, by file and number. */
export function examplesOf(file: string): (readonly [title: string, code: string])[] {
  return [...readFileSync(`${ROOT}/${file}`, "utf8").matchAll(/^```ts\n(.*?)^```/gms)].map(
    ([, code], i) => [`${file}, example ${i + 1}`, code] as const,
  );
}

/** Registers a test of each. @param env of the kernel, asked for when it is started */
export function runExamples(
  examples: readonly (readonly [title: string, code: string])[],
  env: () => Promise<NodeJS.ProcessEnv> = async () => ({}),
): void {
  let close: () => Promise<unknown>;
  let client: KernelClient;

  beforeAll(async () => {
    const options = { cwd: `${ROOT}/notebooks`, env: await env() };
    const kernel = await launchKernel({ argv: kernelSpec().argv }, options);
    client = await KernelClient.connect(kernel.connection);
    close = async () => {
      client.close();
      await kernel.kill();
    };
  }, 60_000);
  afterAll(() => close());

  it("there are some", () => {
    expect(examples.length).toBeGreaterThan(2);
  });

  it.each(examples)("%s", { timeout: 240_000 }, async (_, code) => {
    const { reply } = await client.execute(code);
    expect(reply).toMatchObject({ status: "ok" });
  });
}
