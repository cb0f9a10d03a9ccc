# SPDX-License-Identifier: Apache-2.0
"""An update of the whole system on the virtual board, over HTTP, that is confirmed."""

import unittest

from rig import Rig, factory_card


class Update(unittest.TestCase):
    """The new release passes its checks and stays."""

    def check_update(self, contract, userland="small"):
        """From the factory's release in a to 2.0 in b, and a second boot of it."""
        with Rig(factory_card(contract, userland), userland) as rig:
            rig.boots("1.0", "a")
            self.assertEqual(rig.confirmed(), 0)
            rig.install("2.0")
            self.assertEqual(rig.status()["next_boot"], "b")
            rig.power_off()
            times = rig.times()
            print(f"from power-on, {userland}, {contract}: " +
                  ", ".join(f"{name} {seconds:.1f} s" for name, seconds in times.items()),
                  flush=True)
            self.check_confirmed(rig)
            rig.reboot()
            rig.boots("2.0", "b")
            self.assertEqual(rig.confirmed(), 0)
            self.check_confirmed(rig)
            rig.check_no_write()

    def check_confirmed(self, rig):
        """2.0 runs in b, is kept, and status says so."""
        self.assertEqual((rig.version, rig.slot), ("2.0", "b"))
        status = rig.status()
        self.assertEqual((status["running"], status["next_boot"], status["trial"]),
                         ("b", "b", None))
        self.assertEqual((status["last"]["result"], status["last"]["version"]),
                         ("confirmed", "2.0"))

    def test_an_update_is_confirmed_with_contract_order(self):
        self.check_update("order")

    def test_an_update_is_confirmed_with_contract_bootcount(self):
        self.check_update("bootcount")

    def test_an_update_is_confirmed_with_systemd(self):
        self.check_update("order", "debian")
