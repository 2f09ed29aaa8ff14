"""Holds operators against PyTorch's samples from the command line: ``python tests/conformance/check.py add mul``.

Without names it runs the whole database and prints a line per operator; ``--write`` renews the committed table.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

TABLE = Path(__file__).with_name("coverage.tsv")


def row(report) -> str:
    state = "right" if report.right else "wrong" if report.present else "missing"
    return "\t".join(
        map(str, (report.name, state, report.samples, report.inplace_samples, report.out_samples, report.errors,
                  len(report.error_failures)))
    )  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="operators (as in torch's database); all when none is given")
    parser.add_argument("--write", action="store_true", help="renew the committed coverage table")
    parser.add_argument("--limit", type=int, default=3, help="failures shown for each operator")
    options = parser.parse_args()
    import samples

    chosen = [info for info in samples.database() if not options.names or info.name in options.names]
    rows, right, refused, errors, present = [], 0, 0, 0, 0
    for info in chosen:
        try:
            report = samples.check(info)
        except Exception as error:
            report = samples.Report(info.name, present=True, failures=[f"harness: {type(error).__name__}: {error}"])
        rows.append(row(report))
        right += report.right
        present += report.present
        errors += report.errors
        refused += report.errors - len(report.error_failures)
        if options.names or (report.present and not report.right):
            print(rows[-1], flush=True)
            shown = report.failures[: options.limit] + report.inplace_failures[: options.limit]
            for line in shown + report.out_failures[: options.limit] + report.error_failures[: options.limit]:
                print("    " + line, flush=True)
    print(f"{right} of {len(chosen)} operators right, {present} present; {refused} of {errors} error samples refused")
    if options.write:
        header = "operator\tstate\tsamples\tin-place\tout\terror samples\twrongly handled errors\n"
        renewed = {line.partition("\t")[0]: line for line in rows}
        if options.names:  # the other operators keep their rows
            old = {line.partition("\t")[0]: line for line in TABLE.read_text().splitlines()[1:]}
            renewed = old | renewed
        TABLE.write_text(header + "\n".join(renewed.values()) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
