"""Writes many rows with the columns of the Telco churn data, to measure predictions for large files.

    python3 benches/many_customers.py Telco-Customer-Churn.csv 10000000 > /tmp/customers.csv

Words are those of random rows of the data; months and amounts are drawn anew. The same arguments give the same bytes.
"""

import csv
import random
import sys

BLOCK = 50_000


def main() -> None:
    source, count = sys.argv[1], int(sys.argv[2])
    random.seed(0)
    with open(source, newline="") as file:
        header, *rows = csv.reader(file)
    if "tenure" != header[5] or header[18:20] != ["MonthlyCharges", "TotalCharges"]:
        sys.exit(f"{source} does not have the columns of the Telco churn data")
    before = [",".join(row[1:5]) for row in rows]
    between = [",".join(row[6:18]) for row in rows]
    print(",".join(header[:-1]))
    for start in range(0, count, BLOCK):
        size = min(BLOCK, count - start)
        picks = random.choices(range(len(rows)), k=size)
        lines = []
        for number, pick in enumerate(picks, start):
            months, cents = random.randrange(73), random.randrange(1825, 11875)
            total = months * cents / 100
            lines.append(
                f"{number:010},{before[pick]},{months},{between[pick]},{cents / 100:.2f},{total:.2f}\n"
            )
        sys.stdout.write("".join(lines))


main()
