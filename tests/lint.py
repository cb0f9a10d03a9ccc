#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The rules of docs/style.md that a program can check.

usage: lint.py OBJECTS     the directory of a gcc build of the tree
"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
ROOMS = ("base", "format", "keys", "bootloader", "updater", "updater/agent", "image-tools")
MAY_INCLUDE = {
    "base": {"base"},
    "format": {"base", "format"},
    "keys": {"base", "format", "keys"},
    "bootloader": {"base", "bootloader"},
    "updater": {"base", "format", "keys", "bootloader", "updater"},
    "updater/agent": {"base", "format", "keys", "bootloader", "updater", "updater/agent"},
    "image-tools": {"base", "format", "keys", "image-tools"},
}
# What may stand in which files only, in all rooms that the device's program is linked from.
# keys/keygen.c writes files on the build host.
SEAMS = {
    r"(?<![>.])\b(pwrite|pwritev|fdatasync|fsync|fallocate|ftruncate)\(": {
        "base/blk_file.c", "base/file.c", "bootloader/bootenv_uboot.c", "keys/keygen.c"},
    r"(?<![>.])\b(rename|renameat|unlink)\(": {"base/file.c", "keys/keygen.c"},
    r"\bfile_replace\(": {"base/file.c", "base/file.h", "updater/state_dir.c"},
    r"\blibuboot_\w+\(": {"bootloader/bootenv_uboot.c"},
    r"\bcurl_\w+\(": {"updater/source_http.c", "updater/http_transfer.c", "updater/http_url.c",
                      "updater/probe_request.c"},
    r"\bmanifest_parse\(": {"format/manifest.c", "format/manifest.h", "format/image.c"},
    r"\bpack_manifest_parse\(": {"format/pack_manifest.c", "format/pack_manifest.h",
                                 "format/pack.c"},
    r"CMS_NOVERIFY|CMS_NO_SIGNER_CERT_VERIFY|VERIFYPEER\s*,\s*0": set(),
}
DEVICE_SIDE = ("base", "format", "keys", "bootloader", "updater", "updater/agent")
FILE_LINES = 500
COLUMNS = 100
TAB_COLUMNS = 4
# Tables that the linker fills in are constants to the program.
WRITABLE_SYMBOL = re.compile(r"^[0-9a-f]+ [BbDdCGgSs] (\S+)$")
FORBIDDEN_WORDS = re.compile(r"\b(TODO|FIXME|XXX)\b")


def tracked(*endings):
    """Files git knows of, or would take."""
    names = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
        stdout=subprocess.PIPE, check=True, text=True).stdout.split()
    return [n for n in names if n.endswith(endings) and (ROOT / n).exists()]


def code_of(text):
    """The text without comments and string contents, line numbers kept."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group(0))
    return re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', blank, text, flags=re.S)


def includes(problems):
    """Arrows between rooms point one way."""
    for room, allowed in MAY_INCLUDE.items():
        for path in sorted((ROOT / room).glob("*.[ch]")):
            may = allowed | {"updater/agent"} if str(path).endswith("updater/main.c") else allowed
            for number, line in enumerate(path.read_text().splitlines(), 1):
                found = re.match(r'#include "([^"]+)"', line)
                if found and str(pathlib.Path(found.group(1)).parent) not in may:
                    problems.append(f"{path.relative_to(ROOT)}:{number}: {room} must not include "
                                    f"{found.group(1)}")


def seams(problems):
    """The outside is touched in the named files only."""
    for room in DEVICE_SIDE:
        for path in sorted((ROOT / room).glob("*.[ch]")):
            name = str(path.relative_to(ROOT))
            for number, line in enumerate(code_of(path.read_text()).splitlines(), 1):
                for pattern, homes in SEAMS.items():
                    if name not in homes and re.search(pattern, line):
                        problems.append(f"{name}:{number}: {line.strip()}: belongs to "
                                        f"{', '.join(sorted(homes)) or 'no file'}")


def sizes(problems):
    """Files are short, and tests are at least as long as what they test."""
    lines = {"source": 0, "test": 0}
    for name in tracked(".c", ".h", ".py"):
        count = (ROOT / name).read_text().count("\n")
        if count > FILE_LINES:
            problems.append(f"{name}: {count} lines; {FILE_LINES} at most")
        room = name.split("/")[0]
        if room in ROOMS:
            lines["source"] += count
        elif room == "tests":
            lines["test"] += count
    print(f"lint: {lines['source']} lines of source, {lines['test']} lines of test")
    if lines["test"] < lines["source"]:
        problems.append("tests/: fewer lines of test than of source")


def mirrors(problems):
    """Every source file that is not a main has its test file."""
    for room in ROOMS:
        for path in sorted((ROOT / room).glob("*.c")):
            if path.stem in ("main", "bootsim", "version"):
                continue
            test = ROOT / "tests" / room / f"test_{path.stem}.c"
            if not test.exists():
                problems.append(f"{path.relative_to(ROOT)}: there is no "
                                f"{test.relative_to(ROOT)}")


def scripts():
    """Files that begin with a #! line."""
    return [n for n in tracked("") if first_line(n).startswith("#!")]


def texts(problems):
    """Licence lines and words that have no place."""
    for name in {*tracked(".c", ".h", ".py", ".cmd", "Makefile"), *scripts()}:
        text = (ROOT / name).read_text()
        if "SPDX-License-Identifier: Apache-2.0" not in "\n".join(text.splitlines()[:3]):
            problems.append(f"{name}: no SPDX line at its head")
        if name != "tests/lint.py":
            for number, line in enumerate(text.splitlines(), 1):
                if FORBIDDEN_WORDS.search(line):
                    problems.append(f"{name}:{number}: {line.strip()}")
    for name in tracked(".key"):
        problems.append(f"{name}: a private key must not be tracked")


def widths(problems):
    """Lines are short; clang-format leaves comments and strings as long as they are."""
    for name in {*tracked(".c", ".h", ".py", ".cmd", ".env", "Makefile"), *scripts()}:
        for number, line in enumerate((ROOT / name).read_text().splitlines(), 1):
            columns = len(line.expandtabs(TAB_COLUMNS))
            if columns > COLUMNS:
                problems.append(f"{name}:{number}: {columns} columns; {COLUMNS} at most")


def mutants(problems):
    """Every planted bug still applies: whether it is caught is for `make mutants`."""
    names = tracked(".patch")
    for name in names:
        done = subprocess.run(["patch", "-p1", "--fuzz=0", "--dry-run", f"--input={name}"],
                              cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, check=False)
        if done.returncode != 0:
            problems.append(f"{name}: does not apply: {done.stdout.strip()}")
    print(f"lint: mutants: {len(names)} patches")


def globals_(problems, objects):
    """No writable variable at file scope outside main.c."""
    built = [p for p in sorted(objects.glob("**/*.o"))
             if str(p.parent.relative_to(objects)) in ROOMS]
    if not built:
        problems.append(f"{objects}: no object file is there to look at")
    for path in built:
        if path.stem == "main":
            continue
        table = subprocess.run(["nm", str(path)], stdout=subprocess.PIPE, check=True, text=True)
        sections = subprocess.run(["objdump", "-t", str(path)], stdout=subprocess.PIPE,
                                  check=True, text=True).stdout
        for line in table.stdout.splitlines():
            found = WRITABLE_SYMBOL.match(line)
            if not found:
                continue
            symbol = found.group(1)
            constant = re.search(rf"\.data\.rel\.ro\S*\s.*\b{re.escape(symbol)}$", sections, re.M)
            if not constant:
                problems.append(f"{path.parent.name}/{path.stem}.c: {symbol} is a writable global")


def run_tool(problems, label, command, names):
    """One external tool over files; its output is shown when it complains."""
    if not names:
        return
    done = subprocess.run(command + names, cwd=ROOT, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    print(f"lint: {label}: {len(names)} files, exit {done.returncode}", flush=True)
    if done.returncode != 0:
        print(done.stdout)
        problems.append(f"{label} found something")


def tools(problems):
    """Format, static analysis, shell."""
    c_files = tracked(".c", ".h")
    units = [n for n in c_files if n.endswith(".c")]
    device_and_host = [n for n in units if n.split("/")[0] in ROOMS]
    run_tool(problems, "clang-format", ["clang-format", "--dry-run", "-Werror"], c_files)
    # What looks at the cards of the board decides what its tests say.
    checkers = [n for n in units if n.startswith("tests/board/")]
    run_tool(problems, "cppcheck",
             ["cppcheck", "--quiet", "--std=c11", "--error-exitcode=1", "-I.", "-D_GNU_SOURCE",
              "--enable=warning,portability,performance", "--inline-suppr", "-j2",
              "--suppress=missingIncludeSystem", "--suppressions-list=tests/cppcheck.supp"],
             device_and_host + checkers)
    tidy(problems, device_and_host)
    shell = [n for n in scripts() if re.match(r"#!/\S*(env )?(ba)?sh\b", first_line(n))]
    run_tool(problems, "shellcheck", ["shellcheck"], shell)
    pages = tracked(".1", ".5", ".8")
    run_tool(problems, "mandoc", ["mandoc", "-Tlint", "-Wwarning"], pages)


def first_line(name):
    """The first line of a file, or nothing when it is no text."""
    with open(ROOT / name, "rb") as stream:
        return stream.readline(200).decode(errors="replace")


def tidy(problems, units):
    """clang-tidy, two at a time; the checks are named in .clang-tidy."""
    done = subprocess.run(
        ["xargs", "-P2", "-n4", "sh", "-c",
         'clang-tidy --quiet --warnings-as-errors="*" "$@" -- -std=c17 -D_GNU_SOURCE -I. '
         '-DVV_VERSION=\\"0\\" -DVV_BUILD_TIME=0', "tidy"],
        input="\n".join(units), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, check=False)
    print(f"lint: clang-tidy: {len(units)} files, exit {done.returncode}", flush=True)
    if done.returncode != 0:
        print(done.stdout)
        problems.append("clang-tidy found something")


def main(objects):
    """All rules; exit 0 if none is broken."""
    problems = []
    includes(problems)
    seams(problems)
    sizes(problems)
    mirrors(problems)
    texts(problems)
    widths(problems)
    mutants(problems)
    globals_(problems, pathlib.Path(objects).resolve())
    tools(problems)
    for problem in problems:
        print(f"lint: {problem}")
    print(f"lint: {'clean' if not problems else f'{len(problems)} problems'}")
    return 1 if problems else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
