# SPDX-License-Identifier: Apache-2.0
"""A trial that is made again and again until the boot loader gives it up."""

PER_TRIAL = 3  # of overlay/common/etc/vv-update/update.conf
# A command that makes it one, where the first says it all.
ONE = "printf '[bootloader]\\nattempts=1\\n' >/data/conf.d/60-attempts.conf"
PANIC = "Kernel panic"
# What the scripts say, ours and those of others.
SAID = rf"^Booting (?:slot|partition) (\w)$|({PANIC}) - not syncing"


def check_panics(test, rig, slot, other):
    """Every start of a slot (or partition, by the name its script has for it) whose kernel panics,
    and then that of the other one. Nothing that the console says is skipped: one attempt more or
    less is a failure."""
    wanted = [slot, PANIC] * PER_TRIAL + [other]
    found = [rig.expect(SAID) for _ in wanted]
    test.assertEqual([match[1] or match[2] for match in found], wanted)
