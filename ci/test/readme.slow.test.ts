/** The examples of the READMEs run in the kernel as they stand. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { KernelClient, launchKernel } from "@mlsys/kernel/client";
import { kernelSpec } from "@mlsys/kernel/spec";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const blocks = ["README.md", "lib/README.md", "kernel/README.md"].flatMap((file) =>
  [...readFileSync(`${ROOT}/${file}`, "utf8").matchAll(/^```ts\n(.*?)^```/gms)].map(
    ([, code], i) => [`${file}, example ${i + 1}`, code] as const,
  ),
);

describe("examples", () => {
  let close: () => Promise<unknown>;
  let client: KernelClient;

  beforeAll(async () => {
    const kernel = await launchKernel({ argv: kernelSpec().argv }, { cwd: `${ROOT}/notebooks` });
    client = await KernelClient.connect(kernel.connection);
    close = async () => {
      client.close();
      await kernel.kill();
    };
  }, 60_000);
  afterAll(() => close());

  it("there are some", () => {
    expect(blocks.length).toBeGreaterThan(2);
  });

  it.each(blocks)("%s", { timeout: 240_000 }, async (_, code) => {
    const { reply } = await client.execute(code);
    expect(reply).toMatchObject({ status: "ok" });
  });
});
