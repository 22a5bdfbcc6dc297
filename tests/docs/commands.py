"""The commands that documents show: commands.py FILE.md... prints FILE:LINE, a tab, and the command, one a line.

A command is a line of an indented block, or of a fenced one of shell, with its continuations and without its comment; and inline
code that begins with one of our programs and says what it is to do. Of such blocks every line counts. Code in another language
(a fence that names it) is tested where that language is; data are fenced as json or text.
"""
import pathlib
import re
import sys

INLINE = re.compile(r"`((?:[A-Z_]+=\S+ )*(?:\./dev|build/bin/|enclavectl |enclave-os |ctest|cmake|curl -|pip |ninja |apps/build\.sh)[^`]*)`")


def without_comment(line):
    return re.sub(r"\s+#\s.*$", "", line).strip()


def blocks(lines):
    """(line number, its text) for a line of prose, (line number, [lines]) for a block of code."""
    fence, block, start, listed, blank = None, [], 0, False, True
    for number, line in enumerate(lines + [""], 1):
        mark = re.match(r"\s*```(\w*)", line)
        indented = re.match(r" {7}" if listed else r" {4}", line) and (block or blank)
        if fence is None and block and (mark or number > len(lines) or (line.strip() and not indented)):
            yield start, block
            block = []
        if mark and fence is None:
            fence, start = mark.group(1), number + 1
        elif mark:
            if fence in ("", "sh", "bash", "shell", "console"):
                yield start, block
            fence, block = None, []
        elif fence is not None or (indented or block):
            start = start if block or fence is not None else number
            block = block + [line.strip()]
        elif line.strip():
            # Within a list item, code stands seven columns in; less is the item's own text.
            listed = bool(re.match(r"\s*([-*]|\d+\.) ", line)) or (listed and (not blank or line[:1] == " "))
            yield number, line
        blank = not line.strip()


def main(paths):
    for path in paths:
        for number, found in blocks(pathlib.Path(path).read_text().splitlines()):
            if isinstance(found, str):
                for command in INLINE.findall(found):
                    print(f"{path}:{number}\t{command}")
                continue
            joined = re.sub(r"\\\n\s*", "", "\n".join(found)).split("\n")
            for offset, line in enumerate(joined):
                if without_comment(line):
                    print(f"{path}:{number + offset}\t{without_comment(line)}")


main(sys.argv[1:])
