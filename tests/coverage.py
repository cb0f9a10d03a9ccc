#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Line coverage of the unit tests, a line a source file, from gcov.

usage: coverage.py BUILD     the directory of a build with --coverage whose tests ran
"""

import json
import pathlib
import subprocess
import sys

ROOMS = ("base", "format", "keys", "bootloader", "updater", "updater/agent",
         "image-tools")


def counts(data_file):
    """{source: {line: times}} of one object's counts."""
    done = subprocess.run(["gcov", "--json-format", "--stdout", str(data_file)],
                          stdout=subprocess.PIPE, check=True, text=True)
    for document in done.stdout.splitlines():
        for unit in json.loads(document)["files"]:
            yield unit["file"], {row["line_number"]: row["count"] for row in unit["lines"]}


def main(build):
    """Prints the table; exit 1 when there is nothing to count."""
    lines = {}
    for room in ROOMS:
        for data_file in sorted((pathlib.Path(build) / room).glob("*.gcda")):
            for source, rows in counts(data_file):
                if source.startswith(room + "/"):
                    into = lines.setdefault(source, {})
                    for number, times in rows.items():
                        into[number] = into.get(number, 0) + times
    if not lines:
        sys.exit(f"coverage.py: {build} holds no counts")
    total = hit = 0
    for source, rows in sorted(lines.items()):
        reached = sum(times > 0 for times in rows.values())
        print(f"{100 * reached / len(rows):6.1f} %  {reached:4}/{len(rows):4}  {source}")
        total += len(rows)
        hit += reached
    print(f"{100 * hit / total:6.1f} %  {hit}/{total}  all")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
