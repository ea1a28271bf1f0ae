/* malloc and realloc whose memory is zeros: what a program does not write then has one value. */
#include <malloc.h>
#include <string.h>
extern void *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
void *malloc(size_t n) { return __libc_calloc(1, n); }
void *realloc(void *p, size_t n) {
  size_t old = p ? malloc_usable_size(p) : 0;
  char *q = __libc_realloc(p, n);
  if (q && malloc_usable_size(q) > old) memset(q + old, 0, malloc_usable_size(q) - old);
  return q;
}
