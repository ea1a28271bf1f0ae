"""Parquet and Arrow files of pyarrow, for the tests. Once: pip install pyarrow==26.0.1; python columns.py"""

import base64
import datetime
import io
import json
import os

import pyarrow as pa
import pyarrow.parquet as pq

here = os.path.dirname(os.path.abspath(__file__))
N = 60
table = pa.table(
    {
        "i32": pa.array(range(-5, N - 5), pa.int32()),
        "i64": pa.array([(-1) ** i * 2 ** (i % 63) for i in range(N)], pa.int64()),
        "u8": pa.array([i * 4 for i in range(N)], pa.uint8()),
        "f32": pa.array([i / 4 for i in range(N)], pa.float32()),
        "f64": pa.array([None if i % 7 == 3 else i / 3 for i in range(N)], pa.float64()),
        "flag": pa.array([None if i % 11 == 5 else i % 3 == 0 for i in range(N)], pa.bool_()),
        "text": pa.array([None if i % 13 == 7 else f"é{i % 9}" * (i % 4) for i in range(N)], pa.string()),
        "bytes": pa.array([bytes([i, 255 - i]) for i in range(N)], pa.binary()),
        "list": pa.array([None if i % 17 == 9 else [j / 2 for j in range(i % 4)] for i in range(N)], pa.list_(pa.float32())),
        "pair": pa.array([{"a": i, "b": None if i % 5 == 0 else str(i)} for i in range(N)], pa.struct([("a", pa.int32()), ("b", pa.string())])),
        "when": pa.array([datetime.datetime(2020, 1, 1) + datetime.timedelta(hours=i) for i in range(N)], pa.timestamp("ms")),
    }
)


def plain(v):
    if isinstance(v, bytes):
        return {"hex": v.hex()}
    if isinstance(v, datetime.datetime):
        return {"ms": int(v.replace(tzinfo=datetime.timezone.utc).timestamp() * 1000)}
    if isinstance(v, int) and not isinstance(v, bool):
        return {"int": str(v)}
    if isinstance(v, list):
        return [plain(x) for x in v]
    if isinstance(v, dict):
        return {"struct": {k: plain(x) for k, x in v.items()}}
    return v


files = {}
for codec in ("none", "snappy", "gzip", "brotli", "zstd", "lz4"):
    out = io.BytesIO()
    pq.write_table(table, out, compression=codec, row_group_size=25, use_dictionary=["text"] if codec != "none" else False, data_page_version="2.0" if codec in ("zstd", "gzip") else "1.0")
    files[codec] = base64.b64encode(out.getvalue()).decode()
arrow = {}
for form, opened in (("stream", pa.ipc.new_stream), ("file", pa.ipc.new_file)):
    out = io.BytesIO()
    with opened(out, table.schema) as writer:
        writer.write_table(table, max_chunksize=25)
    arrow[form] = base64.b64encode(out.getvalue()).decode()
with open(f"{here}/columns.json", "w") as out:
    json.dump({"pyarrow": pa.__version__, "rows": [plain(r) | {} for r in table.to_pylist()], "parquet": files, "arrow": arrow}, out, separators=(",", ":"))
    out.write("\n")
