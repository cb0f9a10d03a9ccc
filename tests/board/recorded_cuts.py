#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The power cuts in a recorded update: all of them checked by the program `cuts`, some booted.

usage: recorded_cuts.py [RECORDING:STATE [boot]]    e.g. used:p123

Without a state all are checked. With one it is told what the card holds then; with `boot` a board
starts from it and has to end in the confirmed update.
"""

import pathlib
import re
import subprocess
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))

# pylint: disable=wrong-import-position
import card
import folders
import images
import recording
import rig

CUTS = images.BIN / "tests/board/cuts"
# Steps whose cuts are the most delicate come first: where something becomes able to boot or stops
# being it, then what is on record, then bulk.
DELICATE = (8, 10, 4, 12, 5, 11, 9, 3, 7, 6, 1)


def run_cuts(folder, *options):
    """(exit status, output) of the checker: 0 when nothing is violated, 1 when something is. With
    any other it has found nothing out."""
    done = subprocess.run([str(CUTS), *map(str, options), str(folder)], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode not in (0, 1):
        raise AssertionError(f"cuts: exit {done.returncode}: {done.stdout}")
    return done.returncode, done.stdout


def check(name):
    """(failures, output) of all cuts in a recording."""
    _, text = run_cuts(recording.recording(name), "--name", name)
    return int(re.search(r"failures (\d+)$", text.strip())[1]), text


def states_of(folder):
    """{step: [state]} of one recording: in the middle of a step, a subset of its longest window, at
    its last write."""
    _, text = run_cuts(folder, "--steps")
    longest, windows = {}, {}
    for kind, *numbers in (line.split() for line in text.splitlines()):
        numbers = [int(number) for number in numbers]
        if kind == "step":
            step, first, last = numbers
            longest[step] = max(longest.get(step, (0, 0, 0)), (last - first, first, last))
        else:
            number, step, first, end = numbers
            windows[step] = max(windows.get(step, (0, 0)), (end - first, number))
    states = {}
    for step, (length, first, last) in longest.items():
        states[step] = [f"p{first + length // 2}"]
        if step in windows and windows[step][0] > 1:
            states[step].append(f"s{windows[step][1]}.1")
        if last - 1 not in (first + length // 2, 0):
            states[step].append(f"p{last - 1}")
    return states


def choose(count):
    """[(recording, state)] to be booted: over all steps, the most delicate first, and over the
    recordings in turn."""
    found = {name: states_of(recording.recording(name)) for name in recording.NAMES}
    order = []
    for turn in range(3):
        for place, step in enumerate(DELICATE):
            names = recording.NAMES[::-1] if (place + turn) % 2 == 0 else recording.NAMES
            order += [(rank, turn, place, name, found[name][step][turn])
                      for rank, name in enumerate(names)
                      if step in found[name] and turn < len(found[name][step])]
    # Every step in every way once before it is booted from the other recording too.
    order.sort()
    return [(name, state) for *_, name, state in order[:count]]


def card_of(name, state):
    """The card as a cut in this state leaves it."""
    path = folders.fresh_folder() / "card.img"
    run_cuts(recording.recording(name), "--name", name, "--state", state, "--save", path)
    return path


def boot_to_the_end(name, state):
    """A board starts from a card in this state; in the end the update is confirmed."""
    with recording.RecordedRig(card_of(name, state)) as board:
        first = board.system()
        if first not in ((recording.FROM, "a"), (recording.TO, "b")):
            raise AssertionError(f"{name}:{state}: {first} runs")
        board.expect_confirmed()
        if first[0] == recording.FROM:
            board.install_recorded()
            board.reboot()
            board.boots(recording.TO, "b")
            board.expect_confirmed()
        status = board.status()
        board.power_cut()
        stored = card.environment(board.card) or {}
        got = (status["running"], status["next_boot"], status["trial"], stored.get("vv_floor"))
        if got != ("b", "b", None, str(recording.FLOOR)):
            raise AssertionError(f"{name}:{state}: expected a confirmed update in slot b, got "
                                 f"{got}")
    board.card.unlink()
    return first


def boot_without_environment(name, state):
    """Both copies of the environment are damaged as well: a whole release runs all the same. With
    its built-in environment U-Boot starts Linux as on any board, the card being a card."""
    path = card_of(name, state)
    card.damage_environment(path, 0, 1)
    with rig.Rig(path, "small", foreign={}) as board:
        board.console.expect("bad CRC, using default environment", rig.BOOT_S["small"])
        ran = board.system()
    path.unlink()
    return ran


def main(words):
    """All, or one state."""
    if not words:
        failures = 0
        for name in recording.NAMES:
            print(f"--- {name}", flush=True)
            found, text = check(name)
            failures += found
            print(text, end="", flush=True)
        return min(failures, 1)
    name, _, state = words[0].partition(":")
    if name not in recording.NAMES or not state or words[1:] not in ([], ["boot"]):
        sys.exit(__doc__)
    code, text = run_cuts(recording.recording(name), "--name", name, "--state", state)
    print(text, end="", flush=True)
    if words[1:]:
        print("{} in slot {} ran first; the update was finished and confirmed".format(
            *boot_to_the_end(name, state)))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
