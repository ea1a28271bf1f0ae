/** The book's service: two strings in, one out; and a client that waits until it is there. (Book, 14.2.) */
import { srv } from "../ros/interfaces/registry.js";
import { createNode, type NodeOptions } from "../ros/node/create.js";
import type { Node } from "../ros/node/node.js";

const ConcatTwoStr = srv("my_interfaces/srv/ConcatTwoStr");
const SERVICE = "concat_two_str";

/**
 * `concat_two_str_service`: answers on `concat_two_str`.
 * @example
 * const node = await robotics.caseStudy.concatTwoStrService();
 * await node.destroy();
 */
export async function concatTwoStrService(options?: NodeOptions): Promise<Node> {
  const node = await createNode("concat_two_str_service", options);
  node.createService(ConcatTwoStr, SERVICE, ({ str1, str2 }) => {
    node.logger.info(`Incoming request\nstr1: ${str1}\nstr2: ${str2}`);
    return { ret: str1 + str2 };
  });
  return node;
}

/**
 * `concat_two_str_client_async`: waits for the service, calls it once and ends.
 * @returns the service's answer
 * @throws what the call throws; the signal's reason
 * @example
 * const server = await robotics.caseStudy.concatTwoStrService();
 * await robotics.caseStudy.concatTwoStrClientAsync("Hello", "World"); // "HelloWorld"
 * await server.destroy();
 */
export async function concatTwoStrClientAsync(
  str1: string,
  str2: string,
  { signal, ...options }: NodeOptions & { readonly signal?: AbortSignal } = {},
): Promise<string> {
  await using node = await createNode("concat_two_str_client_async", options);
  const client = node.createClient(ConcatTwoStr, SERVICE);
  while (!(await client.waitForService({ timeout: 1.0, signal })))
    node.logger.info("service not available, waiting again...");
  const { ret } = await client.call({ str1, str2 }, { signal });
  node.logger.info(`Result of ${SERVICE}: (${str1}, ${str2}) -> ${ret}`);
  return ret;
}
