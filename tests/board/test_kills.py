# SPDX-License-Identifier: Apache-2.0
"""The board's process killed at seeded instants through whole updates.

KILLS says how many, SEED names the first life; each further one has the next seed. A failure names
seed and number of cuts of its life: `make board-cuts SEED=... N=...` plays one with the same plan,
whose cuts fall at about the same instants: they are shares of times that are measured anew, and how
far the board has come by then differs from run to run. What the failed life left is kept, see
folders.py.
"""

import os
import unittest

import folders
import qemu
import rig
from lives import CUTS_PER_LIFE, FROM, PHASES, TO, Life

KILLS = int(os.environ.get("KILLS", "6"))
SEED = int(os.environ.get("SEED", "1"))


def counts(total):
    """How many cuts each life has, as even as can be."""
    lives = -(-total // CUTS_PER_LIFE)
    return [total // lives + (number < total % lives) for number in range(lives)]


class Kills(unittest.TestCase):
    """After every cut the board boots, and the update comes to its end."""

    def test_the_power_may_go_at_any_instant_of_an_update(self):
        for version in (FROM, TO):
            rig.release_url("small", version)
        rig.uboot_binary()
        with folders.pool(qemu.GUESTS_MAX) as pool:
            durations = list(pool.map(lambda seed: Life(seed, 0).play().durations, (0, 1)))
            mean = {phase: sum(times[phase] for times in durations) / len(durations)
                    for phase in PHASES}
            print("an update without cuts: " +
                  ", ".join(f"{phase} {mean[phase]:.1f} s" for phase in PHASES), flush=True)
            lives = [Life(SEED + number, count, mean) for number, count in
                     enumerate(counts(KILLS))]
            played = [pool.submit(life.play) for life in lives]
            failures = []
            for life, done in zip(lives, played):
                error = done.exception()
                print(life, "" if error is None else "FAILED", flush=True)
                if error is not None:
                    failures.append("\n".join([str(error), *getattr(error, "__notes__", ())]))
        cuts = sum(len(life.told) for life in lives)
        print(f"kills {cuts}, lives {len(lives)}, failures {len(failures)}", flush=True)
        self.assertFalse(failures, "\n\n".join(failures))
        self.assertEqual(cuts, KILLS)
