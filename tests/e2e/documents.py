# SPDX-License-Identifier: Apache-2.0
"""What the documents show."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def code_block(document, first_words):
    """The fenced block of a document that begins with these words."""
    for block in re.findall(r"^```\n(.*?)^```$", (ROOT / document).read_text(), re.M | re.S):
        if block.startswith(first_words):
            return block
    raise AssertionError(f"{document} has no block that begins with {first_words!r}")
