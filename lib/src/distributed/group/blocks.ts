/** Blocks of the heap that the communication thread cut, on their way back to it. */
import type { BlockOwner } from "../../runtime/heap.js";
import type { Communicator } from "./communicator.js";

/** Blocks are sent back in parcels: of so many, or of so many bytes. */
const RETURN_AT = 16;
const RETURN_BYTES = 1 << 20;

export class BlockReturns implements BlockOwner {
  private blocks: number[] = [];
  private bytes = 0;

  constructor(private readonly communicator: Communicator) {}

  take(address: number, bytes: number): void {
    this.blocks.push(address, bytes);
    this.bytes += bytes;
    if (this.blocks.length < 2 * RETURN_AT && this.bytes < RETURN_BYTES) return;
    this.communicator.send({ do: "return", blocks: this.blocks });
    this.blocks = [];
    this.bytes = 0;
  }
}
