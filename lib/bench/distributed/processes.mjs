// The members of a job as processes, for programs of any language that know torchrun's variables.
import { spawn } from "node:child_process";
import { createServer } from "node:net";

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** Standard output of all members together. @throws Error with the last line that a member that failed has said */
export async function runMembers(command, args, size, env, limitMs) {
  const port = String(await freePort());
  const children = Array.from({ length: size }, (_, rank) =>
    spawn(command, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        ...process.env,
        ...env,
        ...{ RANK: String(rank), WORLD_SIZE: String(size), LOCAL_RANK: String(rank) },
        ...{ MASTER_ADDR: "127.0.0.1", MASTER_PORT: port, OMP_NUM_THREADS: "1" },
      },
    }),
  );
  const endAll = () => {
    for (const child of children) child.kill("SIGKILL");
  };
  const late = setTimeout(endAll, limitMs);
  try {
    const outputs = await Promise.all(
      children.map(
        (child) =>
          new Promise((resolve, reject) => {
            let [out, err] = ["", ""];
            child.stdout.on("data", (data) => {
              out += data;
            });
            child.stderr.on("data", (data) => {
              err += data;
            });
            child.on("error", reject);
            child.on("close", (code, signal) => {
              if (code === 0) return resolve(out);
              const last = err.trim().split("\n").at(-1);
              reject(new Error(last || `ended with ${signal ?? code}`));
            });
          }),
      ),
    );
    return outputs.join("");
  } finally {
    clearTimeout(late);
    endAll();
  }
}
