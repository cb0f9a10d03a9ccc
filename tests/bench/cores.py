# SPDX-License-Identifier: Apache-2.0
"""What a second processor brings: whole installs of ours, from memory to memory."""

import dataclasses
import os
import pathlib
import shutil
import tempfile

import measure
import peers
import products
import runs

MEMORY = "/dev/shm"


def one_install(folder, image, content, cpus):
    """Usage of one install into a slot that has other content, on these processors."""
    with tempfile.TemporaryDirectory(prefix="device-", dir=folder) as name:
        device = peers.virtual_device.VirtualDevice(
            pathlib.Path(name), products.vv_trust(), slot_size=content.stat().st_size,
            product="vv-bench", compatible=products.COMPATIBLE)
        slot = device.slot_file("b")
        with open(slot, "wb") as stream:
            while stream.tell() < content.stat().st_size:
                stream.write(b"x" * measure.MIB)
        usage = measure.run_steps([[["taskset", "-c", ",".join(map(str, cpus)),
                                     *device.command("install", image)]]])
        if not measure.begins_with(slot, content):
            raise measure.Failed("the slot does not hold the image")
    return usage


def measure_cores(new, rounds):
    """{"rows": {"1": [usage], "2": [usage]}}."""
    cpus = sorted(os.sched_getaffinity(0))[:2]
    if len(cpus) < 2:
        raise SystemExit("bench: there is one processor only")
    rows = {"1": [], "2": []}
    with tempfile.TemporaryDirectory(prefix="vv-bench-", dir=MEMORY) as name:
        folder = pathlib.Path(name)
        image = folder / "image.vvi"
        shutil.copyfile(products.vvi(new, *peers.LEVEL) / "image.vvi", image)
        for number in range(rounds):
            for count, used in (("1", cpus[:1]), ("2", cpus)):
                usage = one_install(folder, image, new.path(), used)
                rows[count].append(dataclasses.asdict(usage))
                runs.say(f"round {number + 1} {count} processors {usage.wall_s:7.2f} s wall "
                         f"{usage.cpu_s:6.2f} s CPU, load {usage.load:.1f}")
    return {"rows": rows}
