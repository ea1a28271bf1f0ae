/** The service over HTTP: who gets in, what it takes, what it refuses and in which words, and what it promises. */
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { acceptedSchema, meSchema, problemSchema } from "../src/submit/protocol.js";
import { scratchFolder } from "./support/course.js";
import { pause } from "./support/killing.js";
import { call, formOf, notebookText, ToldGrader, type Tried, tryService } from "./support/service.js";

const folder = scratchFolder(afterAll);
const shelves = join(folder, "shelves");
let tried: Tried;
let ann: string;
let bob: string;
let prof: string;
let notebook: string;

beforeAll(async () => {
  notebook = await notebookText();
  for (const name of ["ann", "bob"]) mkdirSync(join(shelves, name), { recursive: true });
  writeFileSync(join(shelves, "ann", "mine.ipynb"), notebook);
  writeFileSync(join(shelves, "bob", "his.ipynb"), notebook);
  symlinkSync(join(shelves, "bob", "his.ipynb"), join(shelves, "ann", "link.ipynb"));
  symlinkSync(join(shelves, "bob"), join(shelves, "eve"));
  tried = await tryService(join(folder, "data"), { shelf: shelves });
  ann = tried.enrol("ann", { name: "Ann <b>Lee</b>" });
  bob = tried.enrol("bob", { name: "=HYPERLINK(1)", email: "bob@example.org" });
  prof = tried.enrol("prof", { role: "instructor" });
});
afterAll(async () => tried?.running.close());

const ask = (path: string, token?: string, init?: RequestInit) => call(tried.address, path, token, init);
const send = (token: string | undefined, form: FormData, headers: Record<string, string> = {}) =>
  ask("/submissions", token, { method: "POST", body: form, headers });
const submit = async (token: string, form = formOf(notebook), headers = {}) => {
  const { status, body, text } = await send(token, form, headers);
  expect(status, text).toBe(201);
  return acceptedSchema.parse(body);
};
const refusal = ({ status, body }: Awaited<ReturnType<typeof ask>>) => {
  const { error } = problemSchema.parse(body);
  return `${status} ${error.code}: ${error.message}`;
};
async function done(id: string, token: string): Promise<unknown> {
  const { text } = await ask(`/submissions/${id}/events`, token);
  const last = text.trim().split("\n\n").at(-1) ?? "";
  return JSON.parse(last.replace(/^data: /, "")).progress;
}

/** A sender who does not come to the end. */
function beginUpload(token: string): Socket {
  const socket = connect(Number(new URL(tried.address).port), "127.0.0.1").on("error", () => {});
  socket.write(
    `POST /submissions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\ncontent-type: multipart/form-data; boundary=b\r\ncontent-length: 9999\r\n\r\n--b\r\ncontent-disposition: form-data; name="file"; filename="a.ipynb"\r\n\r\n{`,
  );
  return socket;
}

describe("coming in", () => {
  const signIn = (token: string) =>
    ask("/signin", undefined, { method: "POST", body: new URLSearchParams({ token }) });

  it("asks strangers to sign in: pages lead there, programs are told", async () => {
    const page = await ask("/");
    expect([page.status, page.headers.get("location")]).toEqual([303, "/signin"]);
    expect(refusal(await ask("/api/me", "wrong"))).toMatch(/^401 unknown-token: This token is not known/);
    expect(refusal(await send(undefined, formOf(notebook), { accept: "application/json" }))).toMatch(
      /^401 sign-in/,
    );
    expect(refusal(await ask("/gradebook.csv", ""))).toMatch(/^401 unknown-token/);
  });

  it("lets a token in, keeps a cookie that scripts can't read, and forgets it at sign-out", async () => {
    const answer = await signIn(` ${ann}\n`);
    expect(answer.status).toBe(303);
    const cookie = answer.headers.get("set-cookie") ?? "";
    expect(cookie).toMatch(/; HttpOnly/);
    expect(cookie).toMatch(/; SameSite=Strict/);
    const headers = { cookie: cookie.split(";")[0] };
    const home = await ask("/", undefined, { headers });
    expect(home.text).toContain("Ann &lt;b>Lee");
    await ask("/signout", undefined, { method: "POST", headers });
    expect((await ask("/", undefined, { headers })).status).toBe(303);
  });

  it("refuses a wrong token in words, and slows down who guesses", async () => {
    const first = await signIn("guess");
    expect([first.status, first.text]).toEqual([401, expect.stringMatching(/This token is not known/)]);
    const rest = await Promise.all(Array.from({ length: 20 }, () => signIn("guess")));
    expect(rest.filter(({ status }) => status === 429).length).toBeGreaterThan(5);
  });

  it("does nothing that another site makes a browser ask for", async () => {
    for (const headers of [{ "sec-fetch-site": "cross-site" }, { origin: "https://evil.example" }] as const) {
      const answer = await ask("/signout", undefined, {
        method: "POST",
        headers: { ...headers, accept: "application/json" },
      });
      expect(refusal(answer)).toMatch(/^403 other-site/);
    }
  });

  it("ends a token that is renewed, and a person that is closed", async () => {
    const { people } = tried.running.service;
    const old = tried.enrol("carl");
    const fresh = people.renew("carl");
    expect((await ask("/api/me", old)).status).toBe(401);
    expect((await ask("/api/me", fresh)).status).toBe(200);
    people.close("carl");
    expect((await ask("/api/me", fresh)).status).toBe(401);
    expect(() => tried.enrol("../carl")).toThrow(/can't name a person/);
  });

  it("answers with headers that keep scripts, frames and sniffing out", async () => {
    for (const path of ["/signin", "/nowhere", "/assets/live.js"]) {
      const { headers } = await ask(path);
      expect(headers.get("content-security-policy"), path).toMatch(
        /^default-src 'none'; script-src 'self'; style-src 'self'/,
      );
      expect(headers.get("x-content-type-options")).toBe("nosniff");
    }
  });
});

describe("handing in", () => {
  it("says who one is and what there is to do", async () => {
    expect(meSchema.parse((await ask("/api/me", ann)).body)).toMatchObject({
      person: { id: "ann", role: "student" },
      assignments: [{ slug: "mini", title: "Small graphs", points: 12 }],
    });
  });

  it("gives a receipt, grades, and shows history, feedback and the file to its owner and to instructors alone", async () => {
    const { receipt } = await submit(ann);
    expect(receipt).toMatchObject({ person: "ann", assignment: "mini", file: "mini.ipynb" });
    expect(await done(receipt.id, ann)).toMatchObject({
      state: "done",
      status: "graded",
      score: 7,
      points: 12,
    });
    const page = `/submissions/${receipt.id}`;
    expect((await ask("/", ann)).text).toContain(page);
    for (const path of [page, `${page}/feedback`, `${page}/notebook`, `${page}/events`]) {
      expect((await ask(path, ann)).status, path).toBe(200);
      expect((await ask(path, prof)).status, path).toBe(200);
      expect(refusal(await ask(path, bob)), path).toMatch(/^404 not-found/);
      expect((await ask(path)).status, path).toBe(303);
    }
    expect((await ask(`${page}/notebook`, ann)).text).toBe(notebook);
    expect((await ask(`${page}/feedback`, ann)).headers.get("content-security-policy")).not.toMatch(/script/);
    expect(refusal(await ask(`${page}/report.json`, ann))).toMatch(/^403 instructors-only/);
  });

  it("takes the same request once, however often it is sent", async () => {
    const headers = { "idempotency-key": "the-same-request" };
    const ids = await Promise.all(
      Array.from({ length: 5 }, async () => (await submit(bob, formOf(notebook), headers)).receipt.id),
    );
    expect(new Set(ids).size).toBe(1);
    // Another person's request of this name is another request.
    expect((await submit(ann, formOf(notebook), headers)).receipt.id).not.toBe(ids[0]);
    expect(refusal(await send(ann, formOf(notebook), { "idempotency-key": "../x" }))).toMatch(
      /^400 request-name/,
    );
  });

  it("ends a stream of progress with the result, whatever else is said about it", async () => {
    const { board, submissions } = tried.running.service;
    let open = () => {};
    tried.grader.hold = new Promise((resolve) => {
      open = resolve;
    });
    const token = tried.enrol("gus");
    const { id } = (await submit(token)).receipt;
    const headers = { authorization: `Bearer ${token}` };
    const stream = await fetch(`${tried.address}/submissions/${id}/events`, { headers });
    const told = new ToldGrader();
    await submissions.record(id, await told.grade({ id, file: "mini.ipynb", assignment: "mini" }));
    board.drop(id);
    board.drop(id); // as when two who look at a fleet see the same end
    open();
    tried.grader.hold = undefined;
    expect((await stream.text()).match(/"state":"done"/g)).toHaveLength(1);
    expect(await done(id, token)).toMatchObject({ state: "done", score: 7 });
  });

  it("tells at once what is wrong with a file", async () => {
    const other = JSON.stringify({
      ...JSON.parse(notebook),
      metadata: { kernelspec: { name: "python3", language: "python" } },
    });
    const wrong: [FormData, RegExp][] = [
      [formOf(""), /^422 empty: mini.ipynb: the file is empty/],
      [formOf("PK\u0003\u0004 zip"), /^422 not-json: mini.ipynb: is not JSON/],
      [formOf(`{"nbformat": 4}`), /^422 not-a-notebook: mini.ipynb: is not a Jupyter notebook/],
      [formOf("[".repeat(100_000)), /^422 not-json/],
      [formOf(other), /^422 (wrong-kernel|missing-answers)/],
      [
        formOf(notebook, "x.ipynb", { assignment: "nothing" }),
        /^422 unknown-assignment: .*the course has: mini/,
      ],
      [formOf(notebook, "x.ipynb", { assignment: "../../etc" }), /^422 unknown-assignment/],
      [formOf(" ".repeat(1024 * 1024 + 1)), /^413 too-large: The file is larger than 1 MiB/],
      [new FormData(), /^400 (no-file|malformed)/],
    ];
    for (const [form, message] of wrong) expect(refusal(await send(ann, form))).toMatch(message);
    const two = formOf(notebook);
    two.append("file", new Blob([notebook]), "second.ipynb");
    expect(refusal(await send(ann, two))).toMatch(/^400 (one-file|malformed)/);
  });

  it("tells what is wrong with a request that is no form, or breaks off", async () => {
    const post = (body: string, type: string) =>
      ask("/submissions", ann, { method: "POST", body, headers: { "content-type": type } });
    expect(refusal(await post(notebook, "application/x-ipynb+json"))).toMatch(/^415 not-a-form/);
    expect(refusal(await post("a=1", "application/x-www-form-urlencoded"))).toMatch(/^415 not-a-form/);
    expect(refusal(await post("hello", "multipart/form-data"))).toMatch(/^(400|415) /);
    expect(refusal(await post("--b\r\nnonsense", "multipart/form-data; boundary=b"))).toMatch(
      /^400 malformed/,
    );
    expect(refusal(await post("x".repeat(20_000), "application/x-www-form-urlencoded"))).toMatch(
      /^413 too-large/,
    );
    // A sender who vanishes in the middle takes no place from the next.
    for (let i = 0; i < 20; i++) {
      const socket = beginUpload(ann);
      await pause(5);
      socket.destroy();
    }
    await pause(50);
    await submit(ann);
  });

  it("shows a file's name as text and opens none by it", async () => {
    const before = readdirSync(join(folder, "data")).sort();
    for (const [name, shown] of [
      ["../../../etc/passwd", "passwd"],
      ["C:\\work\\b.ipynb", "b.ipynb"],
      ["<script>alert(1)</script>.ipynb", "script>.ipynb"],
      ["a\u202Egnp.ipynb", "agnp.ipynb"],
      ["..", "notebook.ipynb"],
    ]) {
      const { receipt } = await submit(ann, formOf(notebook, name, { assignment: "mini" }));
      expect(receipt.file).toBe(shown);
      const { text } = await ask(`/submissions/${receipt.id}`, ann);
      expect(text).not.toMatch(/<script>alert/);
      await done(receipt.id, ann);
    }
    expect(readdirSync(join(folder, "data")).sort()).toEqual(before);
  });

  it("leads no address out of the pages that there are", async () => {
    for (const path of [
      "/assets/../service.db",
      "/assets/..%2f..%2fservice.db",
      "/submissions/..%2f..",
      "/submissions/%00",
      `/submissions/${"x".repeat(500)}`,
      "/%zz",
      "//etc/passwd",
      "/people/%2e%2e",
    ]) {
      const { status, text } = await raw(path);
      expect([400, 403, 404, 414], path).toContain(status);
      expect(text, path).toMatch(/^\{"error":/);
    }
  });

  /** As written: fetch would tidy the address up. */
  async function raw(path: string): Promise<{ status: number; text: string }> {
    const { hostname, port } = new URL(tried.address);
    const headers = { authorization: `Bearer ${ann}` };
    const message = await new Promise<IncomingMessage>((resolve, reject) =>
      request({ hostname, port, path, headers }, resolve).on("error", reject).end(),
    );
    let text = "";
    for await (const part of message.setEncoding("utf8")) text += part;
    return { status: message.statusCode ?? 0, text };
  }

  it("lets one pick from one's own folder, and nothing else", async () => {
    expect((await ask("/", ann)).text).toMatch(/<option[^>]*>mine\.ipynb/);
    expect((await ask("/", ann)).text).not.toMatch(/link\.ipynb/);
    const pick = (token: string, name: string) => {
      const form = new FormData();
      form.set("pick", name);
      form.set("assignment", "mini");
      return send(token, form);
    };
    expect((await pick(ann, "mine.ipynb")).status).toBe(201);
    for (const name of [
      "his.ipynb",
      "link.ipynb",
      "../bob/his.ipynb",
      join(shelves, "bob", "his.ipynb"),
      "..",
      "",
    ])
      expect(refusal(await pick(ann, name)), name).toMatch(/^(404 not-yours|400 no-file)/);
    // Even where a learner's whole folder is a link to another's.
    expect(refusal(await pick(tried.enrol("eve"), "his.ipynb"))).toMatch(/^404 not-yours/);
  });
});

describe("fairness", () => {
  it("takes so many an hour, says when to come back, and still knows after a restart", async () => {
    const data = join(folder, "limited");
    const first = await tryService(data, { perHour: 3 });
    const token = first.enrol("dan");
    const hand = (address: string) =>
      call(address, "/submissions", token, { method: "POST", body: formOf(notebook) });
    for (let i = 0; i < 3; i++) expect((await hand(first.address)).status).toBe(201);
    await first.running.close();
    const second = await tryService(data, { perHour: 3 });
    const answer = await hand(second.address);
    expect(refusal(answer)).toMatch(
      /^429 too-many: You have handed in this assignment 3 times in the last hour/,
    );
    expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(3_500);
    await second.running.close();
  });

  it("keeps one person's files from filling the disk", async () => {
    const { running, address, enrol } = await tryService(join(folder, "full"), {
      bytesPerPerson: 2.5 * notebook.length,
    });
    const token = enrol("hal");
    const hand = () => call(address, "/submissions", token, { method: "POST", body: formOf(notebook) });
    expect([(await hand()).status, (await hand()).status]).toEqual([201, 201]);
    expect(refusal(await hand())).toMatch(/^413 full: .*no room for more/);
    await running.close();
  });

  it("lets nobody send or follow more than a share at once", async () => {
    const token = tried.enrol("ida");
    const sockets = Array.from({ length: 8 }, () => beginUpload(token));
    await pause(100);
    expect(refusal(await send(token, formOf(notebook)))).toMatch(
      /^429 too-many: You are sending so many files/,
    );
    for (const socket of sockets) socket.destroy();
    await pause(100);
    const { id } = (await submit(token)).receipt;
    await done(id, token);

    let open = () => {};
    tried.grader.hold = new Promise((resolve) => {
      open = resolve;
    });
    const waiting = (await submit(token)).receipt.id;
    const headers = { authorization: `Bearer ${token}` };
    const follow = () => fetch(`${tried.address}/submissions/${waiting}/events`, { headers });
    const streams = await Promise.all(Array.from({ length: 20 }, follow));
    expect((await follow()).status).toBe(429);
    open();
    tried.grader.hold = undefined;
    for (const stream of streams) expect(await stream.text()).toMatch(/"state":"done"/);
    expect(await done(waiting, token)).toMatchObject({ state: "done" });
  });

  it("accepts 200 uploads at once, each with its receipt, and grades each once", async () => {
    const tokens = Array.from({ length: 200 }, (_, i) => tried.enrol(`s${i}`));
    const before = tried.grader.graded.length;
    const receipts = await Promise.all(tokens.map(async (token) => (await submit(token)).receipt));
    expect(new Set(receipts.map(({ id }) => id)).size).toBe(200);
    await Promise.all(receipts.map(({ id }, i) => done(id, tokens[i])));
    const graded = tried.grader.graded.slice(before);
    expect([...graded].sort()).toEqual(receipts.map(({ id }) => id).sort());
  }, 60_000);

  it("serves people in turn: who hands in much does not hold up who hands in once", async () => {
    let open = () => {};
    tried.grader.hold = new Promise((resolve) => {
      open = resolve;
    });
    const [many, once] = [tried.enrol("many"), tried.enrol("once")];
    const his: string[] = [];
    for (let i = 0; i < 5; i++) his.push((await submit(many)).receipt.id);
    const mine = (await submit(once)).receipt.id;
    expect((await ask(`/submissions/${his[4]}`, many)).body.progress).toMatchObject({
      state: "waiting",
      ahead: 2,
    });
    const before = tried.grader.graded.length;
    open();
    tried.grader.hold = undefined;
    await Promise.all([...his.map((id) => done(id, many)), done(mine, once)]);
    // Two were being graded already; the next free place is the other person's.
    expect(tried.grader.graded.slice(before).indexOf(mine)).toBeLessThanOrEqual(3);
  });

  it("holds its folder against a second service", async () => {
    await expect(tryService(join(folder, "data"))).rejects.toThrow(/is in use by another service/);
  });
});

describe("the instructor", () => {
  it("sees everyone's best, and exports it so that no spreadsheet runs it", async () => {
    const csv = (await ask("/gradebook.csv", prof)).text.split("\r\n");
    expect(csv[0]).toBe(
      "person,name,email,assignment,score,points,submissions,waiting,failed,submission,accepted,sha256,raw_score,late_percent",
    );
    expect(csv.find((line) => line.startsWith("bob,"))).toMatch(
      /^bob,'=HYPERLINK\(1\),bob@example.org,mini,7,12,1,0,0,/,
    );
    expect((await ask("/gradebook", prof)).text).toMatch(/Gradebook/);
    const json = (await ask("/gradebook.json", prof)).body as {
      entries: { person: string; score: number }[];
    };
    expect(json.entries.find(({ person }) => person === "ann")).toMatchObject({ score: 7 });
    for (const path of ["/gradebook", "/gradebook.csv", "/gradebook.json", "/people/bob"])
      expect(refusal(await ask(path, ann)), path).toMatch(/^403 instructors-only/);
    expect((await ask("/people/bob", prof)).text).toContain("bob@example.org");
  });

  it("sees where the grader failed, which is no score, and has it graded again", async () => {
    tried.grader.answer = { status: "grader", problem: "grader", message: "no kernel", score: 0 };
    const token = tried.enrol("fay");
    const { receipt } = await submit(token);
    expect(await done(receipt.id, token)).toMatchObject({ status: "grader" });
    const page = await ask(`/submissions/${receipt.id}`, undefined, {
      headers: { cookie: await cookieOf(token) },
    });
    expect(page.text).toMatch(/not your fault and not a score/);
    expect(page.text).not.toMatch(/no kernel/);
    expect((await ask("/gradebook.csv", prof)).text).toMatch(/fay,fay,,mini,,,1,0,1,/);
    const again = (who: string) => ask(`/submissions/${receipt.id}/again`, who, { method: "POST" });
    expect(refusal(await again(token))).toMatch(/^403/);
    tried.grader.answer = { status: "graded", score: 12 };
    expect((await again(prof)).status).toBe(303);
    expect(await done(receipt.id, token)).toMatchObject({ status: "graded", score: 12 });
    expect(refusal(await again(prof))).toMatch(/^409 has-its-grade/);
  });

  async function cookieOf(token: string): Promise<string> {
    return `mlsys_session=${tried.running.service.people.signIn({ id: "fay", name: token, email: "", role: "student" })}`;
  }
});
