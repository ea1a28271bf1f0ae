"""CSV text as Python's csv module writes and reads it, for the tests of CSV. Once: python csv_cases.py"""

import csv
import io
import json
import os
import random

here = os.path.dirname(os.path.abspath(__file__))
random.seed(7)
ALPHABET = ["a", "B", "é", "日", "😀", '"', '""', ",", ";", "\n", "\r\n", " ", "'", "0", "1.5", "\t", ""]
cases = []
for _ in range(80):
    width = random.randint(2, 4)
    names = [f"c{i}" for i in range(width)]
    rows = [["".join(random.choices(ALPHABET, k=random.randint(0, 6))) for _ in range(width)] for _ in range(random.randint(0, 6))]
    rows = [row for row in rows if any(row)]
    options = {
        "delimiter": random.choice([",", ";", "\t"]),
        "lineterminator": random.choice(["\r\n", "\n"]),
        "quoting": random.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    }
    out = io.StringIO(newline="")
    csv.writer(out, **options).writerows([names, *rows])
    text = out.getvalue()
    assert list(csv.reader(io.StringIO(text, newline=""), delimiter=options["delimiter"]))[1:] == rows
    cases.append({"text": text, "delimiter": options["delimiter"], "names": names, "rows": rows})
with open(f"{here}/csv.json", "w") as out:
    json.dump(cases, out, ensure_ascii=True)
    out.write("\n")
