import { describe, expect, it } from "vitest";
import { firstHost, jobEnvironment } from "./environment.js";

describe("jobEnvironment", () => {
  it("is null where no launcher was", () => {
    expect(jobEnvironment({})).toBeNull();
    expect(jobEnvironment({ RANK: "0" })).toBeNull();
    // a batch script of Slurm is no member of the job
    expect(jobEnvironment({ SLURM_PROCID: "0", SLURM_NTASKS: "8", SLURM_JOB_ID: "7" })).toBeNull();
  });

  it("knows torchrun's variables", () => {
    expect(
      jobEnvironment({
        ...{ RANK: "5", WORLD_SIZE: "8", LOCAL_RANK: "1", LOCAL_WORLD_SIZE: "4" },
        ...{ MASTER_ADDR: "fe80::1", MASTER_PORT: "29500" },
      }),
    ).toEqual({
      ...{ launcher: "torchrun", backend: "tcp", rank: 5, size: 8, localRank: 1, localSize: 4 },
      url: "tcp://[fe80::1]:29500",
    });
  });

  it("knows Open MPI's and MPICH's, and asks for MPI", () => {
    const open = {
      ...{ OMPI_COMM_WORLD_RANK: "2", OMPI_COMM_WORLD_SIZE: "4" },
      ...{ OMPI_COMM_WORLD_LOCAL_RANK: "0", OMPI_COMM_WORLD_LOCAL_SIZE: "2" },
    };
    const place = { backend: "mpi", rank: 2, size: 4, localRank: 0, localSize: 2 };
    expect(jobEnvironment(open)).toEqual({ launcher: "Open MPI", ...place });
    const mpich = { PMI_RANK: "2", PMI_SIZE: "4", MPI_LOCALRANKID: "0", MPI_LOCALNRANKS: "2" };
    expect(jobEnvironment(mpich)).toEqual({ launcher: "MPICH", ...place });
    const meeting = { MASTER_ADDR: "a", MASTER_PORT: "1" };
    expect(jobEnvironment({ ...open, ...meeting, MLSYS_BACKEND: "tcp" })).toMatchObject({
      ...{ backend: "tcp", url: "tcp://a:1" },
    });
    // the innermost launcher's word counts
    expect(jobEnvironment({ ...open, ...meeting, RANK: "0", WORLD_SIZE: "1" })?.launcher).toBe("torchrun");
  });

  it("knows srun's, with and without its own MPI", () => {
    const slurm = {
      ...{ SLURM_PROCID: "3", SLURM_STEP_NUM_TASKS: "8", SLURM_LOCALID: "3" },
      ...{ SLURM_STEP_TASKS_PER_NODE: "4(x2)", SLURM_JOB_NODELIST: "gpu[03-04]", SLURM_JOB_ID: "123456" },
    };
    expect(jobEnvironment(slurm)).toEqual({
      ...{ launcher: "Slurm", backend: "tcp", rank: 3, size: 8, localRank: 3, localSize: 4 },
      url: `tcp://gpu03:${20_000 + (123_456 % 20_000)}`,
    });
    expect(jobEnvironment({ ...slurm, PMIX_RANK: "3" })).not.toHaveProperty("url");
  });

  it("says which variable is wrong", () => {
    const env = { RANK: "1", WORLD_SIZE: "2", MASTER_ADDR: "a", MASTER_PORT: "1" };
    const said = (more: Record<string, string | undefined>) => () => jobEnvironment({ ...env, ...more });
    expect(said({ RANK: "one" })).toThrow('RANK is "one": a whole number from 0 is expected');
    expect(said({ RANK: "2" })).toThrow("RANK is 2, but WORLD_SIZE is 2");
    expect(said({ WORLD_SIZE: "0" })).toThrow('WORLD_SIZE is "0": a whole number from 1 is expected');
    expect(said({ MASTER_ADDR: undefined })).toThrow("MASTER_ADDR is not set");
    expect(said({ MASTER_PORT: "65536" })).toThrow('MASTER_PORT is "65536": a whole number from 1 to 65535');
    expect(said({ MASTER_PORT: undefined })).toThrow("MASTER_PORT is not set");
    expect(said({ MLSYS_BACKEND: "gloo" })).toThrow('MLSYS_BACKEND is "gloo": tcp or mpi is expected');
  });

  it("expands the first of Slurm's hosts", () => {
    expect(["a", "a,b", "n[1-4]", "n[007,9],m3", "x-[12]"].map(firstHost)).toEqual([
      ...["a", "a", "n1", "n007", "x-12"],
    ]);
  });
});
