# SPDX-License-Identifier: Apache-2.0
"""Updates on a board whose boot environment is damaged: one copy, the other one, both at once."""

import unittest

import card
from rig import Rig, factory_card


class DamagedEnvironment(unittest.TestCase):
    """A good slot boots, and the next store repairs what can be repaired."""

    def update(self, rig):
        """Release 2.0 runs in b, confirmed; the power is off."""
        rig.boots("1.0", "a")
        self.assertEqual(rig.confirmed(), 0)
        rig.install("2.0")
        rig.reboot()
        rig.boots("2.0", "b")
        self.assertEqual(rig.confirmed(), 0)
        rig.power_off()

    def good_copies(self, rig):
        """How many copies the running system sees."""
        return rig.status()["environment"]["copies_good"]

    def check_one_copy(self, rig, copy, contract):
        """One copy is damaged while the board is off: b goes on, as one good copy says."""
        card.damage_environment(rig.card, copy)
        self.assertIsNone(card.environment_copies(rig.card)[copy])
        rig.power_on()
        rig.boots("2.0", "b")
        self.assertEqual(rig.confirmed(), 0)
        # The script of `order` stored already; with `bootcount` an ordinary boot writes nothing.
        if contract == "bootcount" and card.environment_copies(rig.card)[copy] is None:
            self.assertEqual(self.good_copies(rig), 1)
            # Back to a, and that taken back: two stores, and all is as before.
            rig.must("vv-update rollback")
            rig.must("vv-update rollback")
        self.assertEqual(self.good_copies(rig), 2)
        status = rig.status()
        self.assertEqual((status["next_boot"], status["trial"]), ("b", None))
        rig.power_off()
        rig.check_card()
        self.assertNotIn(None, card.environment_copies(rig.card))

    def check_both_copies(self, rig, contract):
        """Both are damaged: a slot boots that holds a whole release; the update is made anew."""
        card.damage_environment(rig.card, 0, 1)
        rig.foreign = {}  # gone with the environment
        rig.power_on()
        rig.expect(r"bad CRC, using default environment")
        version, slot = rig.system()
        self.assertEqual(slot, "a")
        if contract == "bootcount":
            # Nothing stored one yet, and vv-update does not make one up.
            self.assertNotEqual(rig.confirmed(), 0)
            rig.must("vv-update status", status=7)
            rig.power_off()
            rig.power_on()
            rig.machine.stop_autoboot()
            rig.machine.command_output("saveenv")
            rig.console.send_line("reset")
            rig.boots(version, "a")
        self.assertEqual(rig.confirmed(), 0)
        rig.install("2.0")
        rig.reboot()
        rig.boots("2.0", "b")
        self.assertEqual(rig.confirmed(), 0)
        self.assertEqual(self.good_copies(rig), 2)
        rig.check_no_write()

    def check(self, contract):
        """The copy in force first: the decision before the last one is in force then."""
        with Rig(factory_card(contract)) as rig:
            self.update(rig)
            newest = card.current_number(rig.card)
            self.check_one_copy(rig, newest, contract)
            self.check_one_copy(rig, 1 - newest, contract)
            self.check_both_copies(rig, contract)

    def test_a_good_slot_boots_from_a_damaged_environment_with_contract_order(self):
        self.check("order")

    def test_a_good_slot_boots_from_a_damaged_environment_with_contract_bootcount(self):
        self.check("bootcount")
