#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares vv-update with other updaters on the same inputs, and writes docs/benchmarks.md.

usage: main.py [--parts install,delta,chunks,cores,document] [--size small|large] [--pairs ...]
               [--fs ...] [--tools ...] [--rounds N] [--doc FILE]

VV is the directory of the built vv-update and vv-image (build/release); BENCH_CACHE keeps inputs
and what the tools made of them (build/bench), and may be shared by several trees. What was measured
is kept in build/bench/results.json of this tree when a document is written: a part that is run
again takes the place of what it said before, the document shows all of them.
"""

import argparse
import contextlib
import fcntl
import json
import os
import pathlib
import re
import signal
import sys
import time

import cores
import inputs
import measure
import peers
import products
import runs
import tables

# The last one measures nothing: the document is written with what is known.
PARTS = ("install", "delta", "chunks", "cores", "document")
RESULTS = pathlib.Path(os.environ.get("BENCH_RESULTS") or
                       inputs.ROOT / "build/bench/results.json")
# By default whole runs are made on the large root, the rest on the small one: patches of a
# gibibyte take an hour.
DEFAULT_SIZE = {"install": "large", "delta": "small", "chunks": "small", "cores": "large"}


def words(allowed):
    """A type for argparse: words between commas or blanks, each one allowed."""
    def parse(text):
        found = [word for word in re.split(r"[,\s]+", text) if word]
        wrong = [word for word in found if word not in allowed]
        if wrong:
            raise argparse.ArgumentTypeError(f"{wrong[0]}: not one of {', '.join(allowed)}")
        return found or list(allowed)
    return parse


def arguments(given):
    """The command line."""
    parser = argparse.ArgumentParser(description="Compares vv-update with other updaters.")
    parser.add_argument("--parts", type=words(PARTS), default=list(PARTS))
    parser.add_argument("--size", choices=[*inputs.SIZES, ""], default="")
    parser.add_argument("--pairs", type=words(inputs.PAIRS), default=list(inputs.PAIRS))
    parser.add_argument("--fs", type=words(inputs.FILE_SYSTEMS),
                        default=list(inputs.FILE_SYSTEMS))
    parser.add_argument("--tools", type=words(list(peers.TOOLS)), default=list(peers.TOOLS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--doc", default="")
    return parser.parse_args(given)


def load_results():
    """What was measured before."""
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {}


def keep(options, **parts):
    """Writes down what was found, beside what others may have found meanwhile; all of it."""
    results = load_results()
    for part, found in parts.items():
        results.setdefault(part, {}).update(found)
    if options.doc:
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
    return results


def stamp():
    """Of one part: when, what, under which load."""
    version = inputs.run(products.VV / "vv-update", "--version").decode().strip()
    return {"date": time.strftime("%Y-%m-%d", time.gmtime()), "vv": version,
            "load": os.getloadavg()[0]}


@contextlib.contextmanager
def alone():
    """Nobody else measures on this cache meanwhile."""
    inputs.CACHE.mkdir(parents=True, exist_ok=True)
    with open(inputs.CACHE / ".measuring", "wb") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            runs.say("others are measuring; waiting for them")
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def run_install(options):
    """Whole runs: of the pair `security` on ext4 unless others are named alone."""
    pair = options.pairs[0] if len(options.pairs) == 1 else "security"
    file_system = options.fs[0] if len(options.fs) == 1 else "ext4"
    size = options.size or DEFAULT_SIZE["install"]
    images = inputs.images(size, pair, file_system)
    files, absent = runs.make_products(options.tools, images)
    with alone():
        found = {**stamp(), "size": size, "pair": pair, "file_system": file_system,
                 **runs.install(images, files, absent, options.rounds)}
    keep(options, install={f"{size} {pair} {file_system}": found})
    print(tables.install_table(found))


def run_cores(options):
    """One processor and two, on the newer image of the pair `security` as ext4."""
    size = options.size or DEFAULT_SIZE["cores"]
    _, new = inputs.images(size, "security", "ext4")
    with alone():
        found = {**stamp(), "size": size, **cores.measure_cores(new, options.rounds)}
    keep(options, cores={size: found})
    print(tables.cores_table(found))


def run_each(part, options, measured):
    """A part that is made for every pair and file system."""
    size = options.size or DEFAULT_SIZE[part]
    for pair in options.pairs:
        for file_system in options.fs:
            began = stamp()
            cells = measured(size, pair, file_system)
            keep(options, **{part: {f"{size} {pair} {file_system}": {
                **began, "size": size, "pair": pair, "file_system": file_system,
                "cells": cells}}})


def cells_before(*which):
    """What is known of one pair and file system; bytes do not change with the hour."""
    return load_results().get("delta", {}).get(" ".join(which), {}).get("cells", {})


def main(given):
    """Runs the parts named and writes the document."""
    options = arguments(given)
    if not (products.VV / "vv-update").exists():
        raise SystemExit(f"bench: {products.VV}/vv-update is not there: make builds it")
    measure.adopt_orphans()
    # Loop devices and servers are given back when it is ended, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if "install" in options.parts:
        run_install(options)
    if "delta" in options.parts:
        run_each("delta", options, lambda *which: {
            **cells_before(*which), **runs.delta(*which, options.tools)})
    if "chunks" in options.parts:
        run_each("chunks", options, runs.chunk_sizes)
    if "cores" in options.parts:
        run_cores(options)
    results = keep(options, machine=tables.machine(), tools=tables.tool_versions())
    if options.doc:
        pathlib.Path(options.doc).write_text(tables.document(results))
        runs.say(f"wrote {options.doc}")


if __name__ == "__main__":
    main(sys.argv[1:])
