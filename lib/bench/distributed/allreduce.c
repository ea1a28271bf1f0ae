/* Open MPI's own collectives on shared memory: seconds of each call, the slowest member's, as JSON lines.
   mpicc -O2 allreduce.c -o allreduce && mpirun -n 2 ./allreduce ROUNDS BYTES... */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

int main(int argc, char **argv) {
  MPI_Init(&argc, &argv);
  int rank;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  int rounds = atoi(argv[1]);
  double *times = malloc(sizeof(double) * rounds);
  for (int a = 2; a < argc; a++) {
    long bytes = atol(argv[a]);
    int count = (int)(bytes / 4);
    float *in = malloc(bytes), *out = malloc(bytes);
    for (int i = 0; i < count; i++) in[i] = (float)(rank + 1);
    int mine = 1 + rounds * (bytes <= 65536 ? 4 : 1);
    times = realloc(times, sizeof(double) * mine);
    for (int warm = 0; warm < 5; warm++) MPI_Allreduce(in, out, count, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
    for (int r = 0; r < mine; r++) {
      MPI_Barrier(MPI_COMM_WORLD);
      double start = MPI_Wtime();
      MPI_Allreduce(in, out, count, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
      double mine_took = MPI_Wtime() - start;
      MPI_Allreduce(&mine_took, &times[r], 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
    }
    qsort(times, mine, sizeof(double), compare);
    if (rank == 0) {
      printf("{\"bytes\": %ld, \"seconds\": %.9f, \"best\": %.9f, \"value\": %g}\n", bytes, times[mine / 2], times[0], out[count - 1]);
      fflush(stdout);
    }
    free(in);
    free(out);
  }
  MPI_Finalize();
  return 0;
}
