# SPDX-License-Identifier: Apache-2.0
"""The real boot scripts in real U-Boot, held against the model and against rows written by hand."""

import functools
import unittest

import script_states
import uboot
from folders import fresh_folder, pool
from script_runs import Board, Model, contract_part

SCRIPTS = {contract: uboot.ROOT / f"bootloader/boot-{contract}.cmd"
           for contract in ("order", "bootcount")}
SHOWN = 5


def compare(contract, states, script=None):
    """(differences, {state: outcome on the board}): each state on both sides."""
    folder = fresh_folder()
    differences, outcomes = [], {}
    with Board(uboot.build(), script or SCRIPTS[contract], folder) as board:
        model = Model(folder, board.base)
        for state in states:
            real, played = board.run(state), model.run(state)
            outcomes[state] = (real, played)
            if real != played:
                differences.append(f"{state}\n  script: {real.unlike(played)}\n"
                                   f"  model:  {played.unlike(real)}")
    return differences, outcomes


@functools.cache
def everything():
    """{contract: compare() over all states and rows}: one board per contract, both at once."""
    todo = {contract: script_states.states(contract) +
            [row.state() for row in script_states.ROWS if row.contract == contract]
            for contract in SCRIPTS}
    uboot.build()
    with pool(len(todo)) as workers:
        results = dict(zip(todo, workers.map(compare, todo, todo.values())))
    counts = {contract: len(outcomes) for contract, (_, outcomes) in results.items()}
    print(f"states compared: {sum(counts.values())} (order {counts['order']}, bootcount "
          f"{counts['bootcount']}), rows by hand: {len(script_states.ROWS)}, differences "
          f"{sum(len(differences) for differences, _ in results.values())}", flush=True)
    return results


class ScriptEqualsModel(unittest.TestCase):
    """Slot, kernel command line, resets and every stored variable."""

    def check_equal(self, contract):
        """No difference in any state."""
        differences, _ = everything()[contract]
        self.assertFalse(differences, f"{len(differences)} differences:\n" +
                         "\n".join(differences[:SHOWN]))

    def test_script_and_model_agree_in_every_state_of_contract_order(self):
        self.check_equal("order")

    def test_script_and_model_agree_in_every_state_of_contract_bootcount(self):
        self.check_equal("bootcount")

    def test_at_least_500_states_were_compared(self):
        self.assertGreaterEqual(sum(len(outcomes) for _, outcomes in everything().values()), 500)

    def test_both_do_what_the_rows_written_by_hand_say(self):
        self.assertGreaterEqual(len(script_states.ROWS), 20)
        for row in script_states.ROWS:
            for side, outcome in zip(("script", "model"),
                                     everything()[row.contract][1][row.state()]):
                with self.subTest(row=str(row), side=side):
                    self.assertEqual(
                        (outcome.slot, outcome.resets,
                         contract_part(row.contract, outcome.stored)),
                        (row.slot, row.resets, row.after))


class PlantedBugs(unittest.TestCase):
    """The comparison can fail: a script with a bug differs from the model."""

    def check_caught(self, contract, right, wrong):
        """The script with its only `right` made `wrong` differs in some row."""
        text = SCRIPTS[contract].read_text()
        self.assertEqual(text.count(right), 1, right)
        script = fresh_folder() / "planted.cmd"
        script.write_text(text.replace(right, wrong))
        states = [row.state() for row in script_states.ROWS if row.contract == contract]
        differences, _ = compare(contract, states, script)
        self.assertTrue(differences)
        print(f"planted {wrong!r}: {len(differences)} of {len(states)} rows differ", flush=True)

    def test_a_script_that_forgets_to_save_the_attempt_is_caught(self):
        self.check_caught("order", "if saveenv; then", "if true; then")

    def test_a_script_that_forgets_to_save_the_fallback_is_caught(self):
        self.check_caught("bootcount", "\tsaveenv\n", "")

    def test_a_script_that_misreads_a_hexadecimal_counter_is_caught(self):
        self.check_caught("order", 'test "0x${BOOT_A_LEFT}" -gt 0', 'test "${BOOT_A_LEFT}" -gt 0')
