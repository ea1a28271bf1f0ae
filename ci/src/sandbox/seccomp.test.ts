import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { SYSCALLS, seccompFilter } from "./seccomp.js";

const X64 = 0xc000003e;
const ALLOW = 0x7fff0000;
const KILL = 0x80000000;
const errno = (code: number) => 0x00050000 | code;

/** What the kernel's interpreter of classic BPF does, for the instructions that the filter uses. */
function judge(filter: Buffer, arch: number, nr: number, argument = 0): number {
  let accumulator = 0;
  for (let at = 0; at < filter.length / 8; at++) {
    const code = filter.readUInt16LE(at * 8);
    const [onTrue, onFalse] = [filter[at * 8 + 2], filter[at * 8 + 3]];
    const k = filter.readUInt32LE(at * 8 + 4);
    const jump = (holds: boolean) => {
      at += holds ? onTrue : onFalse;
    };
    if (code === 0x20) accumulator = { 0: nr, 4: arch, 16: argument }[k] as number;
    else if (code === 0x15) jump(accumulator === k);
    else if (code === 0x35) jump(accumulator >= k);
    else if (code === 0x45) jump((accumulator & k) !== 0);
    else if (code === 0x06) return k;
    else throw new Error(`instruction ${code.toString(16)} at ${at}`);
  }
  throw new Error("the program ends without a verdict");
}

describe("the filter of system calls", () => {
  const filter = seccompFilter("x64")!;

  it.each([
    ["read", X64, 0, 0, ALLOW],
    ["execve", X64, 59, 0, ALLOW],
    ["ptrace", X64, 101, 0, errno(1)],
    ["io_uring_setup", X64, 425, 0, errno(1)],
    ["fork by clone", X64, 56, 0x01200011, ALLOW],
    ["a thread by clone", X64, 56, 0x3d0f00, ALLOW],
    ["clone with a user namespace", X64, 56, 0x10000011, errno(1)],
    ["clone with a mount namespace", X64, 56, 0x00020000, errno(1)],
    ["clone3, whose flags can't be seen", X64, 435, 0, errno(38)],
    ["a Unix socket", X64, 41, 1, ALLOW],
    ["an IP socket", X64, 41, 2, ALLOW],
    ["a socket pair", X64, 53, 1, ALLOW],
    ["a socket to the hypervisor (AF_VSOCK)", X64, 41, 40, errno(1)],
    ["a kernel crypto socket (AF_ALG)", X64, 41, 38, errno(1)],
    ["a raw packet socket", X64, 41, 17, errno(1)],
    ["ptrace by its x32 number", X64, 0x40000000 | 521, 0, errno(1)],
    ["a call of another architecture", 0x40000003, 26, 0, KILL],
  ])("%s", (_, arch, nr, argument, verdict) => {
    expect(judge(filter, arch, nr, argument)).toBe(verdict);
  });

  it("is not made for an architecture without a table", () => {
    expect(seccompFilter("riscv64")).toBeUndefined();
    expect(seccompFilter("toString")).toBeUndefined();
  });

  // The kernel's own headers, where a C compiler brought them.
  const headers = {
    x64: "/usr/include/x86_64-linux-gnu/asm/unistd_64.h",
    arm64: "/usr/include/asm-generic/unistd.h",
  };
  for (const [arch, header] of Object.entries(headers)) {
    it.skipIf(!existsSync(header))(`has the kernel's numbers for ${arch}`, () => {
      const text = readFileSync(header, "utf8");
      const wrong = Object.entries(SYSCALLS[arch]).filter(([name, number]) => {
        const found = new RegExp(`#define __NR_${name}\\s+(\\d+)`).exec(text)?.[1];
        return found === undefined ? false : Number(found) !== number;
      });
      expect(wrong).toEqual([]);
      expect(text).toMatch(/__NR_ptrace/);
    });
  }
});
