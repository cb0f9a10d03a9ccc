# SPDX-License-Identifier: Apache-2.0
"""Devices that another updater has kept so far: vv-update goes on in place, with its variables, its
boot script and its kernel command line. Of RAUC's and SWUpdate's nothing is changed; Mender's
script has one line more, as docs/bootloader.md says."""

import unittest

import attempts
import card
from rig import Rig, new_card

SCRIPTS = card.uboot.ROOT / "tests/board/scripts"
# Both go to the other slot, whichever that is.
SWUPDATE_ALTBOOTCMD = ("if test ${rpipart} = 2; then setenv rpipart 3; else setenv rpipart 2; fi; "
                       "setenv upgrade_available 0; setenv bootcount 0; saveenv; run bootcmd")
MENDER_ALTBOOTCMD = SWUPDATE_ALTBOOTCMD.replace("rpipart", "mender_boot_part")
OTHERS = {
    "rauc": ("[bootloader]\ncontract=order\n",
             # Twelve attempts, in hexadecimal.
             {"BOOT_ORDER": "A B", "BOOT_A_LEFT": "c", "BOOT_B_LEFT": "c",
              "default_bootargs": "console=ttyAMA0 panic=5"}),
    "swupdate": ("[bootloader]\ncontract=bootcount\nslot_var=rpipart\n",
                 {"rpipart": "2", "upgrade_available": "0", "bootcount": "0", "bootlimit": "2",
                  "ustate": "0", "altbootcmd": SWUPDATE_ALTBOOTCMD}),
    "mender": ("[bootloader]\ncontract=bootcount\nslot_var=mender_boot_part\n",
               {"mender_boot_part": "2", "mender_boot_part_hex": "2", "upgrade_available": "0",
                "bootcount": "0", "bootlimit": "1", "altbootcmd": MENDER_ALTBOOTCMD}),
}
# What vv-update, the script or U-Boot may change; all else must stay.
CHANGING = {"BOOT_ORDER", "BOOT_A_LEFT", "BOOT_B_LEFT", "rpipart", "mender_boot_part",
            "mender_boot_part_hex", "upgrade_available", "bootcount", "bootlimit", "bootargs"}


def card_of(updater):
    """(card, variables that must stay) of a device as this updater leaves it."""
    settings, variables = OTHERS[updater]
    theirs = {name: value for name, value in card.built_in().items()
              if not name.startswith("vv_") and name != "altbootcmd"}
    theirs |= card.FOREIGN | variables
    path = new_card("small", SCRIPTS / f"{updater}.cmd", settings, theirs)
    return path, {name: value for name, value in theirs.items() if name not in CHANGING}


class TakeOver(unittest.TestCase):
    """One update that stays, and another one that does not."""

    def check_update(self, rig):
        """From the factory's release in a to 2.0 in b."""
        rig.boots("1.0", "a")
        self.assertNotIn("vv.slot=", rig.must("cat /proc/cmdline"))
        self.assertEqual(rig.confirmed(), 0)
        self.assertEqual(rig.status()["slots"]["a"]["state"], "good")
        rig.install("2.0")
        rig.reboot()
        rig.boots("2.0", "b")
        self.assertEqual(rig.confirmed(), 0)
        status = rig.status()
        self.assertEqual((status["running"], status["next_boot"], status["trial"]),
                         ("b", "b", None))
        self.assertEqual(status["last"]["result"], "confirmed")

    def check_rolled_back(self, rig, version):
        """Slot b goes on after the trial of a release in slot a."""
        rig.boots("2.0", "b")
        self.assertEqual(rig.confirmed(), 0)
        status = rig.status()
        self.assertEqual((status["running"], status["next_boot"], status["trial"]),
                         ("b", "b", None))
        self.assertEqual((status["last"]["result"], status["last"]["version"]),
                         ("rolled_back", version))
        rig.check_no_write()

    def check_unhealthy(self, updater):
        """2.0 stays; 3.0, whose service is broken, does not."""
        path, kept = card_of(updater)
        with Rig(path, foreign=kept) as rig:
            self.check_update(rig)
            rig.install("3.0")
            rig.reboot()
            rig.boots("3.0", "a")
            self.check_rolled_back(rig, "3.0")

    def test_a_device_of_rauc_is_updated_in_place(self):
        self.check_unhealthy("rauc")

    def test_a_device_of_mender_is_updated_in_place(self):
        self.check_unhealthy("mender")

    def test_a_device_of_swupdate_is_updated_in_place(self):
        path, kept = card_of("swupdate")
        with Rig(path, foreign=kept) as rig:
            self.check_update(rig)
            # The kernel panics; the altbootcmd that the device has always had ends the trial.
            rig.install("4.0")
            rig.reboot()
            attempts.check_panics(self, rig, "2", "3")
            self.check_rolled_back(rig, "4.0")
