# SPDX-License-Identifier: Apache-2.0
"""A connection plugin of Ansible: this machine as a device that is away while it reboots. VV_AWAY
names a file: while it is there nobody is reached, and each try is written into it."""

import os

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection import local

DOCUMENTATION = """
name: board
short_description: this machine, unless the file VV_AWAY is there
description: For the tests of docs/examples/update.yml.
extends_documentation_fragment: [connection_pipelining]
"""


class Connection(local.Connection):
    """What runs, runs here."""

    transport = "board"

    def exec_command(self, cmd, in_data=None, sudoable=True):
        """As `local` does it, or not at all."""
        away = os.environ["VV_AWAY"]
        if os.path.exists(away):
            with open(away, "a", encoding="ascii") as stream:
                stream.write("tried\n")
            raise AnsibleConnectionFailure("the board is away")
        return super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
