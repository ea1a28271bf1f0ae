/**
 * A seccomp filter: the system calls that a learner's program never needs and that have opened sandboxes before
 * (namespaces, mounts, keys, BPF, io_uring, tracing, modules, the socket families beyond Unix and IP) fail with EPERM.
 * Written as classic BPF, which bubblewrap installs before it starts the command.
 * Sources: linux/seccomp.h, linux/filter.h, the kernel's syscall tables, Docker's default profile.
 */

/** `AUDIT_ARCH_*` of linux/audit.h, and the numbers of system calls that differ between the architectures. */
interface Architecture {
  audit: number;
  /** x86-64 has a second set of numbers (x32) from here on. */
  secondAbi?: number;
  calls: Readonly<Record<string, number>>;
}

// biome-ignore format: a table
const X64: Architecture = {
  audit: 0xc000003e,
  secondAbi: 0x40000000,
  calls: {
    ptrace: 101, syslog: 103, uselib: 134, personality: 135, ustat: 136, sysfs: 139, vhangup: 153, modify_ldt: 154,
    pivot_root: 155, adjtimex: 159, acct: 163, settimeofday: 164, mount: 165, umount2: 166, swapon: 167, swapoff: 168,
    reboot: 169, sethostname: 170, setdomainname: 171, iopl: 172, ioperm: 173, create_module: 174, init_module: 175,
    delete_module: 176, quotactl: 179, nfsservctl: 180, lookup_dcookie: 212, clock_settime: 227, mbind: 237,
    kexec_load: 246, add_key: 248, request_key: 249, keyctl: 250, unshare: 272, perf_event_open: 298, fanotify_init: 300,
    name_to_handle_at: 303, open_by_handle_at: 304, clock_adjtime: 305, setns: 308, process_vm_readv: 310,
    process_vm_writev: 311, kcmp: 312, finit_module: 313, kexec_file_load: 320, bpf: 321, userfaultfd: 323,
    clone: 56, clone3: 435, socket: 41, socketpair: 53,
  },
};
// biome-ignore format: a table
const ARM64: Architecture = {
  audit: 0xc00000b7,
  calls: {
    ptrace: 117, syslog: 116, personality: 92, vhangup: 58, pivot_root: 41, adjtimex: 171, acct: 89, settimeofday: 170,
    mount: 40, umount2: 39, swapon: 224, swapoff: 225, reboot: 142, sethostname: 161, setdomainname: 162,
    init_module: 105, delete_module: 106, quotactl: 60, lookup_dcookie: 18, clock_settime: 112, mbind: 235,
    kexec_load: 104, add_key: 217, request_key: 218, keyctl: 219, unshare: 97, perf_event_open: 241, fanotify_init: 262,
    name_to_handle_at: 264, open_by_handle_at: 265, clock_adjtime: 266, setns: 268, process_vm_readv: 270,
    process_vm_writev: 271, kcmp: 272, finit_module: 273, kexec_file_load: 294, bpf: 280, userfaultfd: 282,
    clone: 220, clone3: 435, socket: 198, socketpair: 199,
  },
};
/** Numbers that all architectures share (424 and up). */
// biome-ignore format: a table
const SHARED: Readonly<Record<string, number>> = {
  io_uring_setup: 425, io_uring_enter: 426, io_uring_register: 427, open_tree: 428, move_mount: 429, fsopen: 430,
  fsconfig: 431, fsmount: 432, fspick: 433, pidfd_getfd: 438, mount_setattr: 442,
};
/** All numbers by architecture and name. */
export const SYSCALLS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  x64: { ...X64.calls, ...SHARED },
  arm64: { ...ARM64.calls, ...SHARED },
};
const ARCHITECTURES: Readonly<Record<string, Architecture>> = { x64: X64, arm64: ARM64 };

/** Calls that are judged by their arguments. */
const BY_ARGUMENT = new Set(["clone", "clone3", "socket", "socketpair"]);
/** AF_UNIX, AF_INET, AF_INET6, and AF_NETLINK for the list of network interfaces. AF_VSOCK would reach a hypervisor. */
const FAMILIES = [1, 2, 10, 16];
/** CLONE_NEW{TIME,NS,CGROUP,UTS,IPC,USER,PID,NET}. */
const NEW_NAMESPACES = 0x7e020080;

// linux/filter.h and linux/seccomp.h
const LOAD = 0x20; // BPF_LD | BPF_W | BPF_ABS
const JEQ = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const JGE = 0x35;
const JSET = 0x45;
const RETURN = 0x06;
const ALLOW = 0x7fff0000;
const KILL = 0x80000000; // SECCOMP_RET_KILL_PROCESS
const errno = (code: number) => 0x00050000 | code;
const EPERM = 1;
const ENOSYS = 38;
/** Offsets in struct seccomp_data. */
const NR = 0;
const ARCH = 4;
const ARGUMENT_0 = 16;

type Instruction = [code: number, jumpTrue: number, jumpFalse: number, k: number];

/** The filter as the bytes that `bwrap --seccomp FD` reads; `undefined` for an architecture that has no table. */
export function seccompFilter(arch: string = process.arch): Buffer | undefined {
  if (!Object.hasOwn(ARCHITECTURES, arch)) return undefined;
  const table = ARCHITECTURES[arch];
  const program: Instruction[] = [
    [LOAD, 0, 0, ARCH],
    [JEQ, 1, 0, table.audit],
    [RETURN, 0, 0, KILL],
    [LOAD, 0, 0, NR],
  ];
  if (table.secondAbi !== undefined) program.push([JGE, 0, 1, table.secondAbi], [RETURN, 0, 0, errno(EPERM)]);
  // Its flags are in memory that a filter can't read; without it the C library falls back to clone.
  program.push([JEQ, 0, 1, table.calls.clone3], [RETURN, 0, 0, errno(ENOSYS)]);
  program.push(
    [JEQ, 0, 4, table.calls.clone],
    [LOAD, 0, 0, ARGUMENT_0],
    [JSET, 0, 1, NEW_NAMESPACES],
    [RETURN, 0, 0, errno(EPERM)],
    [RETURN, 0, 0, ALLOW],
  );
  for (const call of ["socket", "socketpair"]) {
    program.push(
      [JEQ, 0, FAMILIES.length + 3, table.calls[call]],
      [LOAD, 0, 0, ARGUMENT_0],
      ...FAMILIES.map((family, index): Instruction => [JEQ, FAMILIES.length - index, 0, family]),
      [RETURN, 0, 0, errno(EPERM)],
      [RETURN, 0, 0, ALLOW],
    );
  }
  for (const [name, number] of Object.entries(SYSCALLS[arch])) {
    if (!BY_ARGUMENT.has(name)) program.push([JEQ, 0, 1, number], [RETURN, 0, 0, errno(EPERM)]);
  }
  program.push([RETURN, 0, 0, ALLOW]);
  const bytes = Buffer.alloc(program.length * 8);
  for (const [index, [code, jumpTrue, jumpFalse, k]] of program.entries()) {
    bytes.writeUInt16LE(code, index * 8);
    bytes.writeUInt8(jumpTrue, index * 8 + 2);
    bytes.writeUInt8(jumpFalse, index * 8 + 3);
    bytes.writeUInt32LE(k >>> 0, index * 8 + 4);
  }
  return bytes;
}
