#!/bin/sh
# Starts the native type checker so that it ends with the kernel, however that ends. While it waits for an answer from the
# kernel it does not notice by itself. Where there is no setpriv (util-linux), it starts all the same.
setpriv --pdeathsig KILL true 2>/dev/null && exec setpriv --pdeathsig KILL "$MLSYS_TYPE_CHECKER" "$@"
exec "$MLSYS_TYPE_CHECKER" "$@"
