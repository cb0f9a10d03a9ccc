# SPDX-License-Identifier: Apache-2.0
"""What stands on a terminal in the end, of all that was drawn on it."""

import re

# What moves the cursor: carriage return, line feed, so many lines up; erase to the end of the line;
# other control sequences, which change nothing here.
PIECE = re.compile(r"\r|\n|\x1b\[(\d*)A|(\x1b\[0?K)|\x1b\[[\d;?]*[A-Za-z]|[^\r\n\x1b]+|\x1b")


def settled(text):
    """The last state of each line: progress bars are redrawn behind a carriage return, tables
    behind a cursor that went up. Blanks at the end of a line are what covered something longer."""
    lines, row, column = [""], 0, 0
    for piece in PIECE.finditer(text):
        drawn = piece[0]
        if drawn == "\r":
            column = 0
        elif drawn == "\n":
            row, column = row + 1, 0
            if row == len(lines):
                lines.append("")
        elif piece[1] is not None:
            row = max(0, row - int(piece[1] or 1))
        elif piece[2]:
            lines[row] = lines[row][:column]
        elif not drawn.startswith("\x1b"):
            line = lines[row].ljust(column)
            lines[row] = line[:column] + drawn + line[column + len(drawn):]
            column += len(drawn)
    return "\n".join(line.rstrip(" ") for line in lines)
