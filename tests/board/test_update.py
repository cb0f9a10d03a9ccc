# SPDX-License-Identifier: Apache-2.0
"""An update of the whole system on the virtual board, over HTTP, that is confirmed."""

import unittest

from rig import Rig, factory_card


class Update(unittest.TestCase):
    """The new release passes its checks and stays."""

    def check_update(self, contract):
        """From the factory's release in a to 2.0 in b, and a second boot of it."""
        with Rig(factory_card(contract)) as rig:
            rig.boots("1.0", "a")
            self.assertEqual(rig.confirmed(), 0)
            rig.install("2.0")
            self.assertEqual(rig.status()["next_boot"], "b")
            rig.reboot()
            rig.boots("2.0", "b")
            self.assertEqual(rig.confirmed(), 0)
            status = rig.status()
            self.assertEqual((status["running"], status["next_boot"], status["trial"]),
                             ("b", "b", None))
            self.assertEqual((status["last"]["result"], status["last"]["version"]),
                             ("confirmed", "2.0"))
            rig.reboot()
            rig.boots("2.0", "b")
            self.assertEqual(rig.confirmed(), 0)
            rig.check_no_write()

    def test_an_update_is_confirmed_with_contract_order(self):
        self.check_update("order")

    def test_an_update_is_confirmed_with_contract_bootcount(self):
        self.check_update("bootcount")
