# SPDX-License-Identifier: Apache-2.0
"""The document: medians, ratios and Markdown, out of what was measured."""

import os
import re
import statistics
import subprocess

import inputs
import peers
import runs

MIB = 1 << 20
NOT_RUN = "*Not run yet.*"
PACKAGES = ("rauc", "swupdate", "casync", "zchunk", "xdelta3", "zstd", "nginx-light", "e2fsprogs",
            "erofs-utils", "squashfs-tools")


def machine():
    """The processor and how many cores are there; nothing else names the machine."""
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as stream:
        model = cpu_model(stream.read())
    with open("/proc/meminfo", encoding="ascii") as stream:
        memory = int(re.search(r"^MemTotal:\s+(\d+) kB", stream.read(), re.M).group(1))
    return {"cpu": model, "cores": os.cpu_count(), "memory_gib": round(memory / (1 << 20))}


def cpu_model(text):
    """The model in /proc/cpuinfo."""
    found = re.search(r"^(?:model name|Model|Hardware)\s*:\s*(.+)$", text, re.M)
    return found.group(1).strip() if found else "unknown processor"


def tool_versions():
    """{package: version} of those installed here."""
    done = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${Version} ${db:Status-Status}\n",
                           *PACKAGES], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                          check=False)
    rows = [line.split() for line in done.stdout.splitlines()]
    return {row[0]: row[1] for row in rows if len(row) == 3 and row[2] == "installed"}


def median(runs_of_tool, key):
    """The median of one figure over the rounds."""
    return statistics.median(run[key] for run in runs_of_tool)


def spread(values):
    """`least-most` of some seconds."""
    return f"{min(values):.2f}-{max(values):.2f}"


def mib(count):
    """Bytes, in MiB."""
    return f"{count / MIB:.1f}"


def markdown(head, rows, right_from=1):
    """A table; numbers are to the right."""
    ruler = ["---"] * right_from + ["---:"] * (len(head) - right_from)
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in [head, ruler, *rows])


def install_rows(found):
    """The rows of one table of whole runs."""
    base = found["rows"].get("ours")
    base_wall = median(base, "wall_s") if base else None
    rows = []
    for name in peers.TOOLS:
        of_tool = found["rows"].get(name)
        if not of_tool:
            continue
        wall = median(of_tool, "wall_s")
        rows.append([
            name, f"{wall:.2f}", spread([run["wall_s"] for run in of_tool]),
            f"{wall / base_wall:.2f}" if base_wall else "-",
            f"{median(of_tool, 'cpu_s'):.2f}", f"{median(of_tool, 'rss_kib') / 1024:.1f}",
            mib(median(of_tool, "fetched")), f"{median(of_tool, 'requests'):.0f}",
            mib(median(of_tool, "written")) if found["loop"] else "-",
            mib(median(of_tool, "read")) if found["loop"] else "-",
            f"{median(of_tool, 'load'):.1f}"])
    return rows


INSTALL_HEAD = ["tool", "wall s", "least-most", "of ours", "CPU s", "peak RSS MiB", "fetched MiB",
                "requests", "written MiB", "read MiB", "load"]


def install_table(found):
    """Whole runs, in Markdown."""
    rounds = max((len(rows) for rows in found["rows"].values()), default=0)
    lines = [f"Root `{found['size']}`, pair `{found['pair']}`, {found['file_system']} of "
             f"{mib(found['image_bytes'])} MiB; rounds: {rounds}; {found['date']}, {found['vv']}.",
             "", markdown(INSTALL_HEAD, install_rows(found))]
    lines += ["", *[f"- `{name}` was not measured: {why}." for name, why in
                    sorted(found["absent"].items())]] if found["absent"] else []
    named = [name for name in peers.TOOLS if name not in found["rows"]
             and name not in found["absent"]]
    if named:
        lines += ["", f"Not run: {', '.join(named)}."]
    return "\n".join(lines)


def delta_table(part):
    """Bytes to download, in Markdown; one row for each pair and file system."""
    columns = list(runs.DELTAS)
    rows, reasons = [], set()
    if any(set(columns) - set(found["cells"]) for found in part.values()):
        reasons.add("`-` without a reason below was not run")
    for found in sorted(part.values(), key=lambda f: (f["size"], f["pair"], f["file_system"])):
        cells = found["cells"]
        reasons |= {f"{column}: {cell}" for column, cell in cells.items() if isinstance(cell, str)}
        numbers = [mib(cells[c]) if isinstance(cells.get(c), int) else "-" for c in columns]
        rows.append([found["size"], found["pair"], found["file_system"], *numbers,
                     ratio(cells, "ours", "zchunk"),
                     ratio(cells, "ours, pack", "zstd --patch-from")])
    head = ["root", "pair", "file system", *columns, "ours / zchunk", "pack / zstd"]
    lines = [markdown(head, rows, 3)]
    lines += ["", *[f"- {reason}." for reason in sorted(reasons)]] if reasons else []
    return "\n".join([*lines, "", not_run(part)]).rstrip()


def not_run(part):
    """A sentence that names the pairs and file systems that a table lacks, of roots it has."""
    have = {(found["size"], found["pair"], found["file_system"]) for found in part.values()}
    lacking = [f"{size} {pair} {file_system}" for size in sorted({size for size, _, _ in have})
               for pair in inputs.PAIRS for file_system in inputs.FILE_SYSTEMS
               if (size, pair, file_system) not in have]
    return f"Not run: {', '.join(lacking)}." if lacking else ""


def ratio(cells, ours, peer):
    """One figure of ours to that of a peer, when there are both."""
    if isinstance(cells.get(ours), int) and isinstance(cells.get(peer), int):
        return f"{cells[ours] / cells[peer]:.2f}"
    return "-"


def chunk_table(part):
    """Sizes of chunks, in Markdown."""
    rows, reasons = [], []
    for found in sorted(part.values(), key=lambda f: (f["size"], f["pair"], f["file_system"])):
        for cell in found["cells"]:
            which = [found["size"], found["pair"], found["file_system"], cell["average"]]
            if "why" in cell:
                reasons.append(f"- {' '.join(which)}: {cell['why'].strip()}")
                continue
            seconds = cell.get("build_cpu_s")
            rows.append([*which, mib(cell["whole"]), mib(cell["download"]), cell["ranges"],
                         f"{cell['table'] / 1024:.0f}", f"{seconds:.1f}" if seconds else "-"])
    head = ["root", "pair", "file system", "average", "whole MiB", "download MiB", "ranges",
            "table KiB", "build CPU s"]
    lines = [markdown(head, rows, 4), *([""] + reasons if reasons else []), "", not_run(part)]
    return "\n".join(lines).rstrip()


def chunk_totals(part):
    """[(average, bytes to download, ranges)] over all pairs and file systems that have all sizes;
    the averages in the order of the table."""
    whole = [found["cells"] for found in part.values()
             if not any("why" in cell for cell in found["cells"])]
    return [(cells[0]["average"], sum(cell["download"] for cell in cells),
             sum(cell["ranges"] for cell in cells)) for cells in zip(*whole)]


CORES_HEAD = ["processors", "wall s", "least-most", "to one", "CPU s", "peak RSS MiB"]


def cores_table(found):
    """One processor and two, in Markdown."""
    one = median(found["rows"]["1"], "wall_s")
    rows = []
    for count, of_count in sorted(found["rows"].items()):
        wall = median(of_count, "wall_s")
        rows.append([count, f"{wall:.2f}", spread([run["wall_s"] for run in of_count]),
                     f"{one / wall:.2f}", f"{median(of_count, 'cpu_s'):.2f}",
                     f"{median(of_count, 'rss_kib') / 1024:.1f}"])
    return "\n".join([f"Root `{found['size']}`, ext4; {found['date']}, {found['vv']}.", "",
                      markdown(CORES_HEAD, rows)])


def chunk_words(part):
    """What the table says in sum."""
    totals = chunk_totals(part)
    if not totals:
        return ""
    least = min(bytes_ for _, bytes_, _ in totals)
    words = "; ".join(f"{average}: {mib(bytes_)} MiB ({bytes_ / least:.2f}) in {ranges} ranges"
                      for average, bytes_, ranges in totals)
    return f"All of them together: {words}."


# What the project set out for: a figure of ours to that of a peer, at most.
WALL_TARGETS = (("swupdate", 0.7), ("rauc", 0.25), ("curl-zstd-dd", 1.0))
RSS_TARGET_MIB = 14
CORES_TARGET = 0.59  # 1.7 times as fast
DELTA_TARGETS = (("ours", "zchunk", 0.7), ("ours, pack", "zstd --patch-from", 0.6))


def target_row(what, most, measured):
    """One line: the target, what was measured (several figures: the range), whether it is met."""
    if not measured:
        return [what, most, "-", "not measured"]
    least, largest = min(measured), max(measured)
    figure = f"{least:.2f}" if f"{least:.2f}" == f"{largest:.2f}" else f"{least:.2f}-{largest:.2f}"
    verdict = "met" if largest <= most else "missed" if least > most else "met by some"
    return [what, most, figure, verdict]


def target_rows(results):
    """The targets of which something is in the results."""
    rows = []
    for key, found in sorted(results.get("install", {}).items()):
        ours = found["rows"].get("ours")
        where = f"{found['size']}, {found['file_system']}"
        if not ours:
            continue
        for peer, most in WALL_TARGETS:
            of_peer = found["rows"].get(peer)
            measured = [median(ours, "wall_s") / median(of_peer, "wall_s")] if of_peer else []
            rows.append(target_row(f"time of a whole install to {peer} ({where})", most, measured))
        if found["size"] == "large":
            rows.append(target_row("peak RSS of it in MiB", RSS_TARGET_MIB,
                                   [median(ours, "rss_kib") / 1024]))
    for found in results.get("cores", {}).values():
        walls = [median(found["rows"][count], "wall_s") for count in ("1", "2")]
        rows.append(target_row("time on two processors to that on one", CORES_TARGET,
                               [walls[1] / walls[0]]))
    for ours, peer, most in DELTA_TARGETS:
        cells = [found["cells"] for found in results.get("delta", {}).values()]
        rows.append(target_row(f"bytes of an update, {ours} to {peer}", most, [
            cell[ours] / cell[peer] for cell in cells
            if isinstance(cell.get(ours), int) and isinstance(cell.get(peer), int)]))
    return rows


def legend():
    """What each tool does in its run."""
    return "\n".join(f"- `{name}`: {tool.does}." for name, tool in peers.TOOLS.items())


def document(results):
    """docs/benchmarks.md."""
    host, tools = results["machine"], results["tools"]
    installs = results.get("install", {})
    return "\n".join([
        HEAD.format(cpu=host["cpu"], cores=host["cores"], memory=host["memory_gib"],
                    tools=", ".join(f"{name} {tools[name]}" for name in tools)),
        "## Targets\n",
        markdown(["target", "at most", "measured", "so it is"], target_rows(results)), "",
        TARGET_WORDS, COUNTED_WORDS, "## Whole runs\n", INSTALL_WORDS, legend(), "",
        *([install_table(installs[key]) + "\n" for key in sorted(installs)] or [NOT_RUN + "\n"]),
        "## Bytes to download\n", DELTA_WORDS,
        delta_table(results["delta"]) if results.get("delta") else NOT_RUN, "",
        "## Size of chunks\n", CHUNK_TEXT,
        chunk_table(results["chunks"]) if results.get("chunks") else NOT_RUN, "",
        chunk_words(results.get("chunks", {})), "",
        "## One processor and two\n", CORES_WORDS,
        *([cores_table(found) for found in results.get("cores", {}).values()] or [NOT_RUN]),
    ]).rstrip() + "\n"


HEAD = """# Benchmarks

Written by `make bench`; do not edit. Measured on: {cpu}, {cores} cores, {memory} GiB of memory.
Tools: {tools}.

Timings are those of one machine with a loop device on a local disk and a web server on loopback:
ratios mean more than seconds. The column `load` is the load average when a run began: where it is
above the number of cores, other work disturbed the run, and the least of its seconds says more than
the median.

```
make bench                      # all of it; inputs and what the tools make of them are kept
make bench PARTS=install TOOLS='ours swupdate' ROUNDS=9
make bench PARTS='delta chunks' PAIRS=security FS='ext4 erofs' BENCH_SIZE=large
make bench VV=/elsewhere/build/release DOC=     # other programs; nothing is written down
```

`PARTS` are install, delta, chunks, cores, and document, which only writes this page again.
`BENCH_SIZE` is large or small, see below; without it whole runs are made on the large root, the
rest on the small one. `BENCH_CACHE` names a folder that several trees may share. Whole runs are of
the pair `security` on ext4, or of the one pair and file system named.

**Inputs.** Debian 12 (minbase, python3, nginx; `large`: ffmpeg, too), with fixed times, UUIDs and
seeds. Pair `small`: the release pocket, and the same with a handful of packages from the security
updates. `security`: all of the security updates. `kernel`: the release pocket with its kernel, and
with the one of the security updates. ext4 has 1024 MiB (`large`) or 512 MiB, erofs is lz4hc with
its defaults, squashfs is zstd in blocks of 128 KiB.
"""
INSTALL_WORDS = """Each tool in turn, round after round; medians. Before each run the target is
filled with something else (no byte of zero in it), caches are dropped, and the file that the server
sends is read into memory; local files are not. Afterwards the target is compared with the image.
CPU is user and system time of all processes of the tool, not of the server or the kernel's threads.
Peak RSS is the largest sum of peaks of processes alive at the same time, pages they share counted
in each. Requests and bytes are counted in the server's log, bytes written and read by the block
device. Whole images are compressed with zstd -3. RAUC's streaming is not measured: it needs NBD.
"""
DELTA_WORDS = """MiB that a device with the older image downloads. `ours` is what its chunks leave
to fetch, head and table included, with the defaults of `vv-image build`: counted in chunk tables,
not installed. `zstd --patch-from` is `-19 --ultra --long=31`, xdelta3 `-9 -S djw` with the whole
image as window; patches hold for one older version each.
"""
TARGET_WORDS = """Where whole installs miss: `ours` hashes every byte before and after it
is decoded and reads all of it back from the medium, which SWUpdate and the pipe do not: as much is
read as is written, and its processor time alone, spread over two cores, is nearly the whole time of
the pipe. Two processors: one thread writes, in order, and what threads hand to each other costs a
fifth more processor time. RSS: three workers and four connections are 1.25 MiB of it (`workers=0`
goes without). Downloads without a pack are of whole chunks, as zchunk's are; what a release changed
here and there only a pack does without. A pack is made chunk by chunk, so that it is applied in the
memory of any install (`ours-pack` beside `zstd-patch` below). It is smaller than a patch of the
whole image where chunks have an older version that is like them, and its equal on a squashfs, where
after a change nothing is alike.
"""
COUNTED_WORDS = """Held by tests, whatever the machine; `make check` and `make idle` print what
they measure. Of memory, the first figure is that of one thread, the second that of three workers.

| target | at most | held at | so it is |
| --- | ---: | ---: | ---: |
| peak RSS over HTTP, 1 GiB, in MiB | 14 | 14.25, 15.75 | missed but for zeros in one thread |
| the same over HTTPS, sparse | 20 | 14.5, 15.75 | met |
| the same, any image up to 16 GiB | 16 | 18, 20.75 | missed |
| anonymous memory of it, 1 GiB | 5 | 5, 6.5 | missed with workers |
| anonymous memory, any image up to 16 GiB | 5 | 8.75, 11.5 | missed |
| idle agent: peak RSS, anonymous memory | 10, 2 | 10, 2 | met |
| fetched again after a cut, in MiB | 16 | 16 | met |
| bytes written that are right already | 0 | 0 | met |

The longest chunk table, of an image of 4 GiB and more, is 4 MiB that have to be checked before
they are believed; a full squashfs of 16 GiB has chunks of 1 MiB, of which each worker holds one as
it was stored and one as it is written.
"""

CORES_WORDS = """A whole install on one processor (one thread) and on two, each in turn. Image and
slot are files in memory, so that no medium is waited for; on a medium the difference is smaller.
"""
CHUNK_TEXT = """What the average of `vv-image build --chunk-avg` costs and brings. Ranges are runs
of the payload that a device with the older image lacks; the table, 64 bytes a chunk, is part of
every download.

Smaller chunks bring less of what did not change along, until the table outweighs that: from 64K
to 32K a point release on ext4 gets 8 % smaller and on erofs 15 %, an update of six packages on
ext4 6 %. One step more, to 16K, takes another 3 % and 17 % off the point releases, but adds 6 %
to the small update, which is the commonest. Each step doubles the table, which is fetched and
kept in memory even when nothing changed: 0.8 MiB more at 1 GiB from 64K to 32K. 128K costs 11 %
to 26 % more to download than 64K and saves nothing that is scarce.

The default is 64K: memory at 1 GiB is above its target already, and where the last tenth of a
download counts a delta pack takes more than that off it, with any size of chunk. `--chunk-avg
32K` is the better choice where there are no packs and memory is no concern.

A squashfs is cut between any two bytes (`--cut auto`), because what follows a file that grew
moves by bytes there.
"""
