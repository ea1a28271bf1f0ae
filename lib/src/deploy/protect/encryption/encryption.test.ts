import { webcrypto } from "node:crypto";
import fsp, { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { expectClose } from "../../../../test/support/close.js";
import { deploy, Generator, nn, ones, type Tensor } from "../../../index.js";
import { needConcrete } from "../../../ops/read.js";
import { elementBytes } from "../../../runtime/dense.js";
import { encryptedParts } from "./chunks.js";
import type { EncryptionProblem } from "./errors.js";
import { HEADER } from "./header.js";

const {
  EncryptionError,
  encryptBytes,
  decryptBytes,
  encryptFile,
  decryptFile,
  rekeyFile,
  generateKey,
  keyId,
} = deploy;

const CHUNK = 1024;
const SLOT = 128;
const FIXED = 64;
const TAG = 16;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "mlsys-encryption-"));
});
afterAll(() => rm(folder, { recursive: true }));

const at = (name: string): string => join(folder, name);
const noise = (size: number, seed = 1): Uint8Array =>
  Uint8Array.from({ length: size }, (_, i) => (Math.imul(i + seed, 0x9e3779b1) >>> 13) & 255);
const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

function problemOf(run: () => unknown): EncryptionProblem {
  try {
    run();
  } catch (error) {
    if (error instanceof EncryptionError) return error.problem;
    throw error;
  }
  throw new Error("nothing was wrong");
}

const flipped = (bytes: Uint8Array, bit: number): Uint8Array => {
  const copy = bytes.slice();
  copy[bit >> 3] ^= 1 << (bit & 7);
  return copy;
};

/** What a layout of two slots looks like when a change of keys was interrupted in its middle. */
async function halfway(plain: Uint8Array, a: deploy.KeySource, b: deploy.KeySource): Promise<Uint8Array> {
  const before = await encryptBytes(plain, a, { chunkBytes: CHUNK });
  await writeFile(at("halfway"), before);
  await rekeyFile(at("halfway"), a, b);
  const after = new Uint8Array(await readFile(at("halfway")));
  after.set(before.subarray(FIXED, FIXED + SLOT), FIXED);
  return after;
}

describe("encryption of bytes", () => {
  const key = noise(32, 7);

  it("gives back what was encrypted, of any size", async () => {
    const sizes = fc.oneof(fc.nat(3 * CHUNK), fc.constantFrom(0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK));
    await fc.assert(
      fc.asyncProperty(sizes, fc.nat(), async (size, seed) => {
        const plain = noise(size, seed);
        const sealed = await encryptBytes(plain, key, { chunkBytes: CHUNK });
        expect(sealed.length).toBe(HEADER + size + TAG * Math.max(1, Math.ceil(size / CHUNK)));
        expect(same(decryptBytes(sealed, key), plain)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it("has the same result however the parts are cut, and takes them one by one", async () => {
    let taken = 0;
    const endless = (function* () {
      for (;;) {
        taken++;
        yield noise(100);
      }
    })();
    const parts = encryptedParts(endless, key, { chunkBytes: CHUNK });
    for (let i = 0; i < 4; i++)
      expect((await parts.next()).value?.length).toBeLessThanOrEqual(CHUNK + TAG + HEADER);
    expect(taken).toBeLessThan(40);
    await parts.return(undefined);
    const plain = noise(5000);
    const cut = [0, 1, 1025, 1025, 3000, 5000].map((from, i, all) => plain.subarray(all[i - 1] ?? 0, from));
    const joined: Uint8Array[] = [];
    for await (const part of encryptedParts(cut, key, { chunkBytes: CHUNK })) joined.push(part);
    expect(same(decryptBytes(Buffer.concat(joined), key), plain)).toBe(true);
  });

  it("never writes the same bytes twice", async () => {
    const [a, b] = [await encryptBytes(noise(3000), key), await encryptBytes(noise(3000), key)];
    expect(same(a.subarray(HEADER), b.subarray(HEADER))).toBe(false);
  });

  it("has the layout that is written down: another implementation reads it", async () => {
    const { subtle } = webcrypto;
    const plain = noise(2 * CHUNK + 77);
    const sealed = await encryptBytes(plain, key, { chunkBytes: CHUNK });
    const slot = sealed.subarray(FIXED, FIXED + SLOT);
    const root = await subtle.importKey("raw", key, "HKDF", false, ["deriveBits", "deriveKey"]);
    const hkdf = (use: string) => ({
      name: "HKDF",
      hash: "SHA-256",
      salt: new Uint8Array(),
      info: new TextEncoder().encode(`mlsys ${use}`),
    });
    const id = new Uint8Array(await subtle.deriveBits(hkdf("key id"), root, 128));
    expect(same(id, slot.subarray(32, 48))).toBe(true);
    const gcm = (iv: Uint8Array, additionalData: Uint8Array) => ({ name: "AES-GCM", iv, additionalData });
    const wrapping = await subtle.deriveKey(hkdf("wrapping"), root, { name: "AES-GCM", length: 256 }, false, [
      "decrypt",
    ]);
    const fixed = sealed.subarray(0, FIXED);
    const dataKey = await subtle.decrypt(
      gcm(slot.subarray(48, 60), Buffer.concat([fixed, slot.subarray(0, 48)])),
      wrapping,
      slot.subarray(60, 108),
    );
    const opening = await subtle.importKey("raw", dataKey, "AES-GCM", false, ["decrypt"]);
    const found: Uint8Array[] = [];
    for (let i = 0; i < 3; i++) {
      const nonce = Uint8Array.from([...fixed.subarray(16, 23), 0, 0, 0, i, i === 2 ? 1 : 0]);
      const from = HEADER + i * (CHUNK + TAG);
      found.push(
        new Uint8Array(
          await subtle.decrypt(gcm(nonce, fixed), opening, sealed.subarray(from, from + CHUNK + TAG)),
        ),
      );
    }
    expect(same(Buffer.concat(found), plain)).toBe(true);
  });

  it("refuses every file of which a bit was flipped", async () => {
    const sealed = await encryptBytes(noise(CHUNK + 30), key, { chunkBytes: CHUNK });
    for (let bit = 0; bit < 8 * sealed.length; bit++) {
      const problem = problemOf(() => decryptBytes(flipped(sealed, bit), key));
      const byte = bit >> 3;
      if (byte < 8) expect(problem).toBe("not encrypted");
      else if (byte >= FIXED + 32 && byte < FIXED + 48) expect(problem).toBe("wrong key");
      else expect(["changed", "cut short"]).toContain(problem);
    }
  });

  it("refuses flipped bits in slots of other keys, and in empty ones", async () => {
    const other = noise(32, 8);
    const sealed = await halfway(noise(50), key, other);
    for (const opener of [key, other]) {
      expect(decryptBytes(sealed, opener).length).toBe(50);
      for (let bit = 8 * FIXED; bit < 8 * HEADER; bit++)
        expect(["changed", "wrong key"]).toContain(
          problemOf(() => decryptBytes(flipped(sealed, bit), opener)),
        );
    }
    const passphrase = { passphrase: "correct horse", cost: 10 };
    const behind = await encryptBytes(noise(50), passphrase, { chunkBytes: CHUNK });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 8 * behind.length - 1 }), (bit) => {
        // a cost of 2²⁶ is refused before any memory is taken for it
        problemOf(() => decryptBytes(flipped(behind, bit), passphrase));
      }),
      { numRuns: 60 },
    );
  });

  it("refuses every file that was cut short, or goes on", async () => {
    const plain = noise(2 * CHUNK);
    const sealed = await encryptBytes(plain, key, { chunkBytes: CHUNK });
    const whole = CHUNK + TAG;
    for (const length of [HEADER + whole, HEADER + TAG, HEADER, 8, 0, sealed.length - 1, sealed.length - TAG])
      expect(["cut short", "not encrypted"]).toContain(
        problemOf(() => decryptBytes(sealed.subarray(0, length), key)),
      );
    fc.assert(
      fc.property(fc.nat(sealed.length - 1), (length) => {
        problemOf(() => decryptBytes(sealed.subarray(0, length), key));
      }),
      { numRuns: 200 },
    );
    for (const more of [1, TAG, TAG + 1, whole, 2 * whole])
      expect(problemOf(() => decryptBytes(Buffer.concat([sealed, noise(more)]), key))).toBe("cut short");
  });

  it("refuses chunks that were swapped, repeated, or come from another file", async () => {
    const whole = CHUNK + TAG;
    const sealed = await encryptBytes(noise(3 * CHUNK + 5), key, { chunkBytes: CHUNK });
    const other = await encryptBytes(noise(3 * CHUNK + 5), key, { chunkBytes: CHUNK });
    const chunk = (of: Uint8Array, i: number) => of.subarray(HEADER + i * whole, HEADER + (i + 1) * whole);
    const made = (...chunks: Uint8Array[]) => Buffer.concat([sealed.subarray(0, HEADER), ...chunks]);
    const [a, b, c, d] = [0, 1, 2, 3].map((i) => chunk(sealed, i));
    expect(decryptBytes(made(a, b, c, d), key).length).toBe(3 * CHUNK + 5);
    for (const wrong of [made(b, a, c, d), made(a, a, c, d), made(a, chunk(other, 1), c, d), made(a, c, d)])
      expect(["changed", "cut short"]).toContain(problemOf(() => decryptBytes(wrong, key)));
    expect(problemOf(() => decryptBytes(made(a, b, c), key))).toBe("cut short");
  });
});

describe("keys", () => {
  const key = noise(32, 3);
  const plain = noise(10);

  it("come from files, the environment, functions and passphrases", async () => {
    await deploy.saveKey(at("base64.key"), key);
    await writeFile(at("hex.key"), Buffer.from(key).toString("hex"));
    await writeFile(at("raw.key"), key);
    vi.stubEnv("MLSYS_TEST_KEY", Buffer.from(key).toString("base64"));
    const asked: (string | null)[] = [];
    const store = (id: string | null): Uint8Array => {
      asked.push(id);
      return key;
    };
    const files = ["base64", "hex", "raw"].map((name) => ({ file: at(`${name}.key`) }));
    for (const source of [...files, { env: "MLSYS_TEST_KEY" }, store, key]) {
      expect(keyId(source)).toBe(keyId(key));
      expect(same(decryptBytes(await encryptBytes(plain, source), key), plain)).toBe(true);
      expect(same(decryptBytes(await encryptBytes(plain, key), source), plain)).toBe(true);
    }
    vi.unstubAllEnvs();
    expect(new Set(asked)).toEqual(new Set([null, keyId(key)]));
    expect((await stat(at("base64.key"))).mode & 0o777).toBe(0o600);
    await expect(deploy.saveKey(at("base64.key"))).rejects.toThrow(/EEXIST/);
    const passphrase = { passphrase: "Müller", cost: 10 };
    const composed = { passphrase: "Mu\u0308ller".normalize("NFD") };
    expect(same(decryptBytes(await encryptBytes(plain, passphrase), composed), plain)).toBe(true);
  });

  it("that are missing or wrong are named, and their contents are not", async () => {
    const sealed = await encryptBytes(plain, key);
    const secret = "s3cret-that-is-no-key";
    vi.stubEnv("MLSYS_TEST_KEY", secret);
    await writeFile(at("bad.key"), secret);
    const cases: [deploy.KeySource, EncryptionProblem, RegExp][] = [
      [noise(32, 4), "wrong key", new RegExp(`this key does not open it; the key ${keyId(key)} does`)],
      [{ passphrase: secret }, "wrong key", /this passphrase does not open it/],
      [noise(16), "bad key", /a key of 16 bytes was given, 32 bytes were expected/],
      [() => "text" as never, "bad key", /the function for keys: a key that is a string was given/],
      [{ env: "MLSYS_TEST_NO_KEY" }, "no key", /the environment variable MLSYS_TEST_NO_KEY is not set/],
      [{ env: "MLSYS_TEST_KEY" }, "bad key", /MLSYS_TEST_KEY holds 21 characters/],
      [{ file: at("bad.key") }, "bad key", /bad\.key holds 21 characters/],
      [{ file: at("none.key") }, "no key", /can't be read/],
    ];
    for (const [source, problem, message] of cases) {
      expect(problemOf(() => decryptBytes(sealed, source, "m"))).toBe(problem);
      expect(() => decryptBytes(sealed, source, "m")).toThrow(message);
      expect(() => decryptBytes(sealed, source, "m")).not.toThrow(secret);
    }
    vi.unstubAllEnvs();
    await expect(encryptBytes(plain, { passphrase: "" })).rejects.toThrow(/the passphrase is empty/);
    await expect(encryptBytes(plain, { passphrase: "x", cost: 40 })).rejects.toThrow(/cost is 40/);
    await expect(encryptBytes(plain, key, { chunkBytes: 7 })).rejects.toThrow(/chunks of 7 bytes/);
    const behind = await encryptBytes(plain, { passphrase: "right", cost: 10 });
    expect(() => decryptBytes(behind, key)).toThrow(/this key does not open it; a passphrase does/);
    expect(() => decryptBytes(behind, { passphrase: "wrong" })).toThrow(/this passphrase does not open it/);
  });
});

describe("encrypted files", () => {
  const key = noise(32, 5);

  it("are encrypted and decrypted, and a damaged one leaves nothing behind", async () => {
    const plain = noise(200_000);
    await writeFile(at("plain"), plain);
    await encryptFile(at("plain"), at("sealed"), key);
    await decryptFile(at("sealed"), at("out"), key);
    expect(same(await readFile(at("out")), plain)).toBe(true);
    const sealed = await readFile(at("sealed"));
    await writeFile(at("damaged"), flipped(sealed, 8 * 100_000));
    await expect(decryptFile(at("damaged"), at("never"), key)).rejects.toThrow(/damaged: chunk 1 of 4/);
    expect((await readdir(folder)).filter((name) => /never|partial/.test(name))).toEqual([]);
  });

  it("take another key without being encrypted anew", async () => {
    const plain = noise(3 * CHUNK);
    const next = { passphrase: "the next one", cost: 10 };
    await writeFile(at("rotated"), await encryptBytes(plain, key, { chunkBytes: CHUNK }));
    const before = await readFile(at("rotated"));
    expect((await deploy.encryptionOf(at("rotated"))).keys).toEqual([{ kind: "key", id: keyId(key) }]);
    await rekeyFile(at("rotated"), key, next);
    const after = await readFile(at("rotated"));
    expect(same(after.subarray(HEADER), before.subarray(HEADER))).toBe(true);
    expect(same(decryptBytes(after, next), plain)).toBe(true);
    expect(problemOf(() => decryptBytes(after, key))).toBe("wrong key");
    expect((await deploy.encryptionOf(at("rotated"))).keys).toEqual([{ kind: "passphrase", id: null }]);
    await expect(rekeyFile(at("rotated"), key, next)).rejects.toThrow(/this key does not open it/);
    await rekeyFile(at("rotated"), next, key);
    expect(same(decryptBytes(await readFile(at("rotated")), key), plain)).toBe(true);
  });

  it("open with either key if the change of keys was interrupted, and the change can be made again", async () => {
    const [a, b] = [noise(32, 1), noise(32, 2)];
    const sealed = await halfway(noise(9), a, b);
    for (const one of [a, b]) expect(decryptBytes(sealed, one).length).toBe(9);
    await writeFile(at("again"), sealed);
    await rekeyFile(at("again"), a, b);
    const after = await readFile(at("again"));
    expect(decryptBytes(after, b).length).toBe(9);
    expect(problemOf(() => decryptBytes(after, a))).toBe("wrong key");
  });
});

describe("encrypted models", () => {
  const key = generateKey();
  const model = new nn.Sequential(new nn.Dense(64, 64), new nn.ReLU(), new nn.Dense(64, 8));
  const x = new Generator(3).normal([2, 64]);

  it("are read lazily, and compute the same", async () => {
    const file = at("model.mlsys");
    await deploy.saveModel(file, model, [x], { key, chunkBytes: CHUNK });
    using opened = deploy.openModel(file, { key });
    expect(opened.bytesRead).toBe(0);
    opened.weight("bias").toArray();
    expect(opened.bytesRead).toBe(64 * 4);
    expectClose(opened.call(x), [model.forward(x) as Tensor], 0);
    const closed = deploy.openModel(file, { key });
    closed.close();
    expect(() => closed.call(x)).toThrow(/the file is closed/);
  });

  it("say what is missing: a key, or the encryption", async () => {
    const [sealed, plain] = [at("sealed.mlsys"), at("plain.mlsys")];
    await deploy.saveModel(sealed, model, [x], { key });
    await deploy.saveModel(plain, model, [x]);
    expect(() => deploy.openModel(sealed)).toThrow(/sealed\.mlsys: it is encrypted; give its key/);
    expect(() => deploy.openModel(plain, { key })).toThrow(/plain\.mlsys: it is not encrypted/);
    expect(() => deploy.openModel(sealed, { key: generateKey() })).toThrow(EncryptionError);
  });

  it("come to one error, wherever a bit was flipped, before or while they run", async () => {
    const small = (v: Tensor) => v.mul(ones([400]).mul(3)).add(1);
    await deploy.saveModel(at("small"), small, [ones([400])], { key, chunkBytes: CHUNK });
    const sealed = new Uint8Array(await readFile(at("small")));
    fc.assert(
      fc.property(fc.nat(8 * sealed.length - 1), (bit) => {
        expect(() => deploy.decodeModelFile(flipped(sealed, bit), "m", { key }).call(ones([400]))).toThrow(
          EncryptionError,
        );
      }),
      { numRuns: 120 },
    );
  });

  it("are ciphertext in every byte that is written", async () => {
    const written: Buffer[] = [];
    const { open } = fsp;
    vi.spyOn(fsp, "open").mockImplementation(async (...args) => {
      const handle = await open(...args);
      const write = handle.write.bind(handle) as (b: Uint8Array, o: number, n: number) => unknown;
      handle.write = ((bytes: Uint8Array, offset: number, length: number) => {
        written.push(Buffer.from(bytes.subarray(offset, offset + length)));
        return write(bytes, offset, length);
      }) as never;
      return handle;
    });
    syncBuiltinESMExports();
    try {
      const weights = elementBytes(needConcrete((model.layers[0] as nn.Dense).weight, "test"));
      const needles = [0, 1000, 8000].map((from) => Buffer.from(weights.subarray(from, from + 16)));
      const found = (all: Buffer) =>
        [...needles, "matmul", "MLSYSFB1", "weight"].some((n) => all.includes(n));
      await deploy.saveModel(at("open"), model, [x]);
      expect(found(Buffer.concat(written))).toBe(true);
      written.length = 0;
      await deploy.saveModel(at("secret"), model, [x], { key });
      const all = Buffer.concat(written);
      expect(all.length).toBe((await stat(at("secret"))).size);
      expect(found(all)).toBe(false);
      expect(all.includes(Buffer.from(key))).toBe(false);
    } finally {
      vi.restoreAllMocks();
      syncBuiltinESMExports();
    }
  });
});
