/* Open MPI's own allReduce: bandwidth of members' float32 data by size, the slowest member's time of each call, the median
   of the calls. Prints a JSON line for each size.
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
  int rank, size;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  int rounds = atoi(argv[1]);
  double *times = malloc(sizeof(double) * rounds);
  for (int a = 2; a < argc; a++) {
    long bytes = atol(argv[a]);
    int count = (int)(bytes / sizeof(float));
    float *in = malloc(bytes), *out = malloc(bytes);
    for (int i = 0; i < count; i++) in[i] = (float)(rank + 1);
    for (int r = -3; r < rounds; r++) { /* three to warm up */
      MPI_Barrier(MPI_COMM_WORLD);
      double start = MPI_Wtime();
      MPI_Allreduce(in, out, count, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
      double own = MPI_Wtime() - start, slowest;
      MPI_Allreduce(&own, &slowest, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
      if (r >= 0) times[r] = slowest;
    }
    if (out[0] != size * (size + 1) / 2 || out[count - 1] != out[0]) MPI_Abort(MPI_COMM_WORLD, 1);
    qsort(times, rounds, sizeof(double), compare);
    if (rank == 0) {
      printf("{\"bytes\": %ld, \"seconds\": %.9f, \"best\": %.9f}\n", bytes, times[rounds / 2], times[0]);
      fflush(stdout);
    }
    free(in);
    free(out);
  }
  MPI_Finalize();
  return 0;
}
