# SPDX-License-Identifier: Apache-2.0
"""States of the boot environment that script and model are compared over, and rows written by hand.

A state is what a power-on begins with: the variables of one contract (None: not there) and the
slots whose kernels can be started.
"""

import dataclasses
import itertools
import random

CAN_START = ("a b", "a", "b", "none")
TRIALS = (None, "a", "b", "junk")

# Per contract: every variable, with ordinary values first and odd ones behind.
LEFT = ("0", "1", "3", "9", None, "", "a", "10", "0x2", "junk", "-1", "ffffffffffffffff")
VALUES = {
    "order": {
        "BOOT_ORDER": ("A B", "B A", "A", "B", None, "", "C A", "B C A", "X Y", "  A   B ",
                       "B B", "a b", "AB"),
        "BOOT_A_LEFT": LEFT,
        "BOOT_B_LEFT": LEFT,
        "vv_trial": TRIALS,
    },
    "bootcount": {
        "rpipart": ("2", "3", None, "", "junk", "02"),
        "upgrade_available": ("0", "1", None, "", "yes", "2", "0x1", "4294967296"),
        "bootcount": ("0", "1", "3", "4", None, "", "junk", "010", "0x2", "9"),
        "bootlimit": ("3", None, "0", "1", "junk", "0x3"),
        "vv_trial": TRIALS,
    },
}
# All combinations of these are compared, with one slot at least that starts: when none does, a
# board that resets again and again takes five power-ons.
CORE = {
    "order": {"BOOT_ORDER": ("A B", "B A", "A", "B"), "BOOT_A_LEFT": ("0", "2"),
              "BOOT_B_LEFT": ("0", "1"), "vv_trial": (None, "a", "b")},
    "bootcount": {"rpipart": ("2", "3"), "upgrade_available": ("0", "1"),
                  "bootcount": ("0", "2", "3"), "bootlimit": ("3",), "vv_trial": (None, "a", "b")},
}
WANTED = {"order": 310, "bootcount": 230}


@dataclasses.dataclass(frozen=True)
class State:
    """What one power-on begins with."""

    contract: str
    variables: tuple  # (name, value or None), in the order of VALUES
    can_start: str

    def stored(self):
        """The variables that are there."""
        return {name: value for name, value in self.variables if value is not None}

    def __str__(self):
        shown = " ".join(f"{name}={value!r}" for name, value in self.variables)
        return f"{self.contract}: {shown}, can start: {self.can_start}"


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the table below: before, what can start; slot, resets, variables after."""

    contract: str
    before: dict
    can_start: str
    slot: str  # "none": nothing was started
    resets: int
    after: dict

    def state(self):
        """The same as a state; what the row does not name is not there."""
        return State(self.contract, tuple((name, self.before.get(name))
                                          for name in VALUES[self.contract]), self.can_start)


def product(values):
    """All combinations of {dimension: values}, as dicts."""
    return [dict(zip(values, combination)) for combination in itertools.product(*values.values())]


def pairs(values, rng):
    """Combinations in which every two values of two dimensions meet at least once."""
    open_pairs = {((one, x), (two, y)) for one, two in itertools.combinations(values, 2)
                  for x in values[one] for y in values[two]}
    while open_pairs:
        (one, x), (two, y) = rng.choice(sorted(open_pairs, key=repr))
        best, best_count = None, -1
        for _ in range(30):
            tried = {name: rng.choice(options) for name, options in values.items()}
            tried[one], tried[two] = x, y
            met = set(itertools.combinations(tried.items(), 2)) & open_pairs
            if len(met) > best_count:
                best, best_count = tried, len(met)
        open_pairs -= set(itertools.combinations(best.items(), 2))
        yield best


def states(contract):
    """The core, every pair of values, and others by a fixed seed until there are WANTED."""
    rng = random.Random(f"boot scripts, contract {contract}")
    every = {**VALUES[contract], "can_start": CAN_START}
    chosen = product({**CORE[contract], "can_start": CAN_START[:3]})
    chosen += pairs(every, rng)
    while len({repr(choice) for choice in chosen}) < WANTED[contract]:
        chosen.append({name: rng.choice(options) for name, options in every.items()})
    made = {}
    for choice in chosen:
        can_start = choice.pop("can_start")
        made[State(contract, tuple(choice.items()), can_start)] = True
    return list(made)


def order(names, a_left, b_left, trial=None):
    """Variables of contract `order`."""
    values = {"BOOT_ORDER": names, "BOOT_A_LEFT": a_left, "BOOT_B_LEFT": b_left,
              "vv_trial": trial}
    return {name: value for name, value in values.items() if value is not None}


def count(part, available, counted, limit="3", trial=None):
    """Variables of contract `bootcount`."""
    values = {"rpipart": part, "upgrade_available": available, "bootcount": counted,
              "bootlimit": limit, "vv_trial": trial}
    return {name: value for name, value in values.items() if value is not None}


# By hand, from what docs/bootloader.md says the boot loader does; not from script or model.
ROWS = [Row(*row) for row in (
    # The first name with attempts left; one attempt is taken off.
    ("order", order("A B", "3", "3"), "a b", "a", 0, order("A B", "2", "3")),
    ("order", order("B A", "3", "3"), "a b", "b", 0, order("B A", "3", "2")),
    ("order", order("B A", "3", "1", "b"), "a b", "b", 0, order("B A", "3", "0", "b")),
    ("order", order("B A", "3", "0", "b"), "a b", "a", 0, order("B A", "2", "0", "b")),
    ("order", order("A", "1", "3"), "a b", "a", 0, order("A", "0", "3")),
    # A slot that cannot be started has lost the attempt, and the next one is tried at once.
    ("order", order("B A", "3", "3", "b"), "a", "a", 0, order("B A", "2", "2", "b")),
    ("order", order("A B", "3", "3"), "b", "b", 0, order("A B", "2", "2")),
    # Defaults for what is missing, each for itself; empty is missing.
    ("order", {}, "a b", "a", 0, order("A B", "2", "3")),
    ("order", {}, "b", "b", 0, order("A B", "2", "2")),
    ("order", order(None, "0", None), "a b", "b", 0, order("A B", "0", "2")),
    ("order", order("", "", "3"), "a b", "a", 0, order("A B", "2", "3")),
    # Nothing left: attempts for all but the trial, which leaves the order; one reset.
    ("order", order("A B", "0", "0"), "a b", "a", 1, order("A B", "2", "3")),
    ("order", order("B A", "0", "0", "b"), "a b", "a", 1, order("A", "2", "0", "b")),
    ("order", order("B R A", "0", "0", "b"), "a b", "a", 1, order("R A", "2", "0", "b")),
    # No slot would stay: nothing is saved, the script ends at the prompt.
    ("order", order("B", "3", "0", "b"), "a b", "none", 0, order("B", "3", "0", "b")),
    ("order", order("R", "3", "3"), "a b", "none", 0, order("R", "3", "3")),
    # Attempts are hexadecimal; what is no number is none.
    ("order", order("A B", "a", "3"), "a b", "a", 0, order("A B", "9", "3")),
    ("order", order("A B", "10", "3"), "a b", "a", 0, order("A B", "f", "3")),
    ("order", order("A B", "junk", "3"), "a b", "b", 0, order("A B", "junk", "2")),
    # Without upgrade_available an ordinary boot stores nothing.
    ("bootcount", count("2", "0", "0"), "a b", "a", 0, count("2", "0", "0")),
    ("bootcount", count("3", "0", "7"), "a b", "b", 0, count("3", "0", "7")),
    # A trial is counted.
    ("bootcount", count("3", "1", "0", trial="b"), "a b", "b", 0, count("3", "1", "1", trial="b")),
    ("bootcount", count("3", "1", "2", trial="b"), "a b", "b", 0, count("3", "1", "3", trial="b")),
    # More boots than the limit: the slot that is not on trial, by name; vv_trial stays.
    ("bootcount", count("3", "1", "3", trial="b"), "a b", "a", 0, count("2", "0", "0", trial="b")),
    ("bootcount", count("2", "1", "3", trial="b"), "a b", "a", 0, count("2", "0", "0", trial="b")),
    ("bootcount", count("2", "1", "3", trial="a"), "a b", "b", 0, count("3", "0", "0", trial="a")),
    # The other slot is tried only behind a trial, or when the variable names none.
    ("bootcount", count("3", "1", "0", trial="b"), "a", "a", 0, count("3", "1", "1", trial="b")),
    ("bootcount", {}, "b", "b", 0, {}),
    ("bootcount", count("junk", "0", "0"), "a b", "a", 0, count("junk", "0", "0")),
    # A rejected slot is never started: reset after reset, and nothing is written.
    ("bootcount", count("2", "0", "0"), "b", "none", 3, count("2", "0", "0")),
    # A trial of which neither slot starts is counted down to the end.
    ("bootcount", count("3", "1", "2", trial="b"), "none", "none", 3,
     count("2", "0", "0", trial="b")),
    # Without a limit U-Boot counts for ever.
    ("bootcount", count("3", "1", "7", None, "b"), "a b", "b", 0, count("3", "1", "8", None, "b")),
)]
