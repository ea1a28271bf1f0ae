/**
 * The thread that communicates, beside the one that computes: it holds the transport and carries orders out, on the same
 * memory. Transports with events have the event loop; with others the thread polls, and sleeps on its bell.
 */
import { type MessagePort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { takeBack } from "../../runtime/heap.js";
import { errorData } from "../transport/errors.js";
import type { OpenTransport, PolledTransport, Transport } from "../transport/transport.js";
import { Operations } from "./operations.js";
import { type CommunicationStart, FAILED, OK, type Order, type Reply, WANTED } from "./protocol.js";

const { words, bell, port, transport: wanted } = workerData as CommunicationStart;

/** Turns of the microtask queue after which whatever an algorithm can do without a message is done. */
const HOPS = 24;
/** Milliseconds after which a thread that sleeps looks at its event loop all the same. */
const NAP = 100;

const reply = (message: Reply): void => port.postMessage(message);

function end(slot: number, state: number): void {
  const before = Atomics.exchange(words, slot, state);
  Atomics.notify(words, slot);
  if (before === WANTED) reply({ kind: "done", slot });
}

async function main(): Promise<void> {
  let transport: Transport;
  try {
    const { open } = (await import(wanted.module)) as { open: OpenTransport<unknown> };
    transport = await open(wanted.config);
  } catch (error) {
    return reply({ kind: "unready", error: errorData(error) });
  }
  const operations = new Operations(transport, {
    done: (slot) => end(slot, OK),
    value(slot, value) {
      reply({ kind: "value", slot, value });
      end(slot, OK);
    },
    failed(slot, error) {
      reply({ kind: "failed", slot, error: errorData(error) });
      end(slot, FAILED);
    },
  });
  const { name, rank, size, places } = transport;
  reply({ kind: "ready", name, rank, size, places });
  if ("poll" in transport) await poll(transport as PolledTransport, operations);
  else await listen(transport, operations);
}

/** @returns the word of an order to close */
function obey(order: Order, operations: Operations): number | undefined {
  switch (order.do) {
    case "group":
      operations.join(order);
      return undefined;
    case "leave":
      operations.leave(order.group, order.slot, order.error);
      return undefined;
    case "return":
      for (let i = 0; i < order.blocks.length; i += 2) takeBack(order.blocks[i], order.blocks[i + 1]);
      return undefined;
    case "close":
      return order.slot;
    default:
      operations.start(order);
      return undefined;
  }
}

async function poll(transport: PolledTransport, operations: Operations): Promise<void> {
  let closing: number | undefined;
  let closed = false;
  let yielded = Date.now();
  while (!closed) {
    const heard = Atomics.load(bell, 0);
    const before = operations.steps;
    let moved = false;
    for (let got = receiveMessageOnPort(port); got; got = receiveMessageOnPort(port)) {
      moved = true;
      const slot = obey(got.message as Order, operations);
      if (slot !== undefined && closing === undefined) {
        closing = slot;
        void transport.close().then(() => {
          closed = true;
        });
      }
    }
    if (transport.poll()) moved = true;
    for (let i = 0; i < HOPS; i++) await null;
    const now = Date.now();
    operations.tick(now);
    if (now - yielded > NAP) {
      await new Promise((resolve) => setImmediate(resolve));
      yielded = Date.now();
    }
    if (moved || closed || operations.steps !== before) continue;
    const patience = operations.busy || closing !== undefined ? transport.patience : Number.POSITIVE_INFINITY;
    Atomics.wait(bell, 0, heard, Math.max(0, Math.min(patience, NAP, operations.deadline() - now)));
  }
  end(closing as number, OK);
  port.close();
}

async function listen(transport: Transport, operations: Operations): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const watch = (): void => {
    clearTimeout(timer);
    const next = operations.deadline();
    if (next < Number.POSITIVE_INFINITY)
      timer = setTimeout(
        () => {
          operations.tick(Date.now());
          watch();
        },
        Math.max(1, next - Date.now()),
      );
  };
  await new Promise<void>((closed) => {
    (port as MessagePort).on("message", (order: Order) => {
      const slot = obey(order, operations);
      if (slot === undefined) return watch();
      void transport.close().then(() => {
        clearTimeout(timer);
        end(slot, OK);
        closed();
      });
    });
  });
  port.close();
}

await main();
