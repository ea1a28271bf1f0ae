"""What pyarrow finds in a Parquet or Arrow file: rows as JSON. Run by columns.slow.test.ts: columns_oracle.py FILE"""

import json
import sys

import pyarrow as pa
import pyarrow.parquet as pq

path = sys.argv[1]
table = pq.read_table(path) if path.endswith(".parquet") else pa.ipc.open_file(path).read_all()
types = {name: str(kind) for name, kind in zip(table.column_names, table.schema.types)}


def plain(v):
    if isinstance(v, bytes):
        return v.hex()
    if isinstance(v, int) and not isinstance(v, bool):
        return str(v)
    return v


print(json.dumps({"types": types, "rows": [{k: plain(v) for k, v in row.items()} for row in table.to_pylist()]}))
