# SPDX-License-Identifier: Apache-2.0
"""The parts of the benchmarks: whole runs of each tool, bytes to download, sizes of chunks."""

import contextlib
import dataclasses
import pathlib
import shutil
import tempfile

import formats
import inputs
import measure
import peers
import products

CHUNK_SIZES = ("16K", "32K", "64K", "128K", "256K")


def say(text):
    """One line of progress."""
    print(f"bench: {text}", flush=True)


# --- whole runs -------------------------------------------------------------------------------

@contextlib.contextmanager
def workshop(old, new):
    """(target, {what the running slot holds: its file}, nginx) as long as the runs take."""
    room = inputs.CACHE
    room.mkdir(parents=True, exist_ok=True)
    size = max(image.path().stat().st_size for image in (old, new))
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(
            tempfile.TemporaryDirectory(prefix="run-", dir=room)))
        target = measure.Target(folder / "slot.img", size)
        stack.callback(target.close)
        other = measure.Target(folder / "other.img", size)
        other.fill()
        other.release()
        shutil.copyfile(old.path(), folder / "old.img")
        nginx = peers.web_server.Nginx(room / "products", folder / "nginx")
        stack.callback(nginx.stop)
        yield target, {"other": other.file, "old": folder / "old.img"}, nginx


def one_run(tool, shop, files, images):
    """Usage of one run of a tool; fails when the target does not hold the newer image then."""
    target, running, nginx = shop
    old, new = images
    folder = pathlib.Path(tempfile.mkdtemp(prefix="device-", dir=nginx.work.parent))
    room = peers.Room(target, running["old" if tool.update else "other"],
                      old if tool.update else None, nginx, folder)
    try:
        target.fill()
        measure.drop_caches()
        if not tool.local:
            measure.warm(files[0].parent)
        with tool.device(room) as (daemons, environment):
            since = len(nginx.requests())
            read, written = target.counts()
            usage = measure.run_steps(tool.steps(room, files, old), daemons, environment)
        rows = measure.settled(nginx.requests)
        usage.fetched, usage.requests = measure.count_requests(rows, since)
        read_end, written_end = target.counts()
        usage.read, usage.written = read_end - read, written_end - written
        if not target.holds(new.path()):
            raise measure.Failed("the target does not hold the image")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return usage


def make_products(names, images):
    """({tool: [its files]}, {tool: why it cannot be measured})."""
    files, absent = {}, {}
    for name in names:
        tool = peers.TOOLS[name]
        why = tool.absent()
        if why:
            absent[name] = why
        else:
            files[name] = tool.make(*images)
    return files, absent


def install(images, files, absent, rounds):
    """Each tool in turn, round after round: {"rows": {tool: [usage]}, "absent": {tool: why}, ...}.
    """
    rows, absent = {}, dict(absent)
    with workshop(*images) as shop:
        for number in range(rounds):
            for name in files:
                if name in absent:
                    continue
                try:
                    usage = one_run(peers.TOOLS[name], shop, files[name], images)
                except measure.Failed as why:
                    say(f"{name} failed: {why}")
                    absent[name] = "it failed: " + str(why).split("\n", maxsplit=1)[0]
                    continue
                rows.setdefault(name, []).append(dataclasses.asdict(usage))
                say(f"round {number + 1} {name:12} {usage.wall_s:7.2f} s wall "
                    f"{usage.cpu_s:6.2f} s CPU {usage.rss_kib / 1024:6.1f} MiB  "
                    f"{usage.fetched / measure.MIB:7.1f} MiB in {usage.requests} requests, "
                    f"{usage.written / measure.MIB:7.1f} MiB written, load {usage.load:.1f}")
        loop = bool(shop[0].loop)
    return {"rows": rows, "absent": absent, "loop": loop,
            "image_bytes": images[1].path().stat().st_size}


# --- bytes to download ------------------------------------------------------------------------

def _ours(old, new):
    """Bytes of a device that has the chunks of the older image: head, table and what is missing."""
    tables = [formats.read_vvi(products.vvi(image) / "image.vvi") for image in (old, new)]
    return tables[1].head_bytes + formats.missing(*tables)[0]


def _pack(old, new):
    size, brought = formats.read_pack(products.vv_pack(old, new) / products.PACK_NAME)
    tables = [formats.read_vvi(products.vvi(image) / "image.vvi") for image in (old, new)]
    return tables[1].head_bytes + size + formats.missing(*tables, brought)[0]


def _casync(old, new):
    have = set(formats.parse_caibx((products.casync(old) / "image.caibx").read_bytes()))
    index = (products.casync(new) / "image.caibx").read_bytes()
    store = products.casync(new) / "store.castr"
    wanted = set(formats.parse_caibx(index)) - have
    return len(index) + sum((store / name[:4] / f"{name}.cacnk").stat().st_size
                            for name in wanted)


def _zchunk(old, new):
    text = inputs.run("zck_delta_size", products.zck(old) / "image.zck",
                      products.zck(new) / "image.zck").decode()
    return formats.parse_zck_delta(text)[0]


# {column: (tool, programs, what counts the bytes)}
DELTAS = {
    "whole (ours)": ("ours", (), lambda old, new: (
        products.vvi(new) / "image.vvi").stat().st_size),
    "whole (zstd -3)": ("curl-zstd-dd", (), lambda old, new: (
        products.zst(new) / "rootfs.img.zst").stat().st_size),
    "ours": ("ours", (), _ours),
    "ours, pack": ("ours", (), _pack),
    "casync": ("casync", ("casync",), _casync),
    "zchunk": ("zchunk", ("zck", "zck_delta_size"), _zchunk),
    "xdelta3": ("xdelta3", ("xdelta3",), lambda old, new: (
        products.xdelta(old, new) / "patch.xdelta").stat().st_size),
    "zstd --patch-from": ("zstd-patch", (), lambda old, new: (
        products.zstd_patch(old, new) / "patch.zst").stat().st_size),
}


def delta_bytes(column, old, new):
    """Bytes, or why there are none."""
    _, programs, count = DELTAS[column]
    missing = next((name for name in programs if not shutil.which(name)), None)
    return f"{missing} is not installed" if missing else count(old, new)


def delta(size, pair, file_system, tools):
    """{column: bytes or why not} of one pair and file system."""
    old, new = inputs.images(size, pair, file_system)
    cells = {}
    for column, (tool, _, _) in DELTAS.items():
        if tool in tools:
            cells[column] = delta_bytes(column, old, new)
            say(f"{pair} {file_system} {column}: {cells[column]}")
    return cells


# --- sizes of chunks --------------------------------------------------------------------------

def chunk_sizes(size, pair, file_system):
    """[{average, whole, download, ranges, table, build_cpu_s} or {average, why}]."""
    images = inputs.images(size, pair, file_system)
    found = []
    for average in CHUNK_SIZES:
        try:
            folders = [products.vvi(image, "--chunk-avg", average) for image in images]
        except SystemExit as why:
            found.append({"average": average, "why": str(why).rsplit("error: ", maxsplit=1)[-1]})
            continue
        old, new = (formats.read_vvi(folder / "image.vvi") for folder in folders)
        missing, ranges = formats.missing(old, new)
        found.append({"average": average, "whole": new.file_bytes,
                      "download": missing + new.head_bytes, "ranges": ranges,
                      "table": new.table_bytes, "build_cpu_s": products.cpu_of(folders[1])})
        say(f"{pair} {file_system} chunks of {average}: {found[-1]['download']} bytes in "
            f"{ranges} ranges")
    return found
