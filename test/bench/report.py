"""How the numbers of the bench are said: medians, ranks, the table of results, and the file they are kept in."""

import os
import statistics

median = statistics.median


def rank(values, percent):
    """Nearest rank."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def ratios(taken, base):
    return [a / b for a, b in zip(taken, base)]


def spread(values):
    return "%.2f to %.2f" % (min(values), max(values))


def middle_half(values):
    return "%.2f to %.2f" % (rank(values, 25), rank(values, 75))


class Report:
    """What was measured: shown as it comes, kept in a file.  Curves go beside the file."""

    def __init__(self, path):
        self.path = path
        self.head = []
        self.results = []
        self.details = []

    def title(self, text=""):
        """A line above the table."""
        self.head.append(text)
        print(text, flush=True)

    def say(self, text=""):
        """A line below the table."""
        self.details.append(text)
        print(text, flush=True)

    def result(self, row, what, value, met, target):
        """One measured thing: the number as text, and whether the target is met (None: none is set)."""
        verdict = "" if met is None else "met" if met else "NOT MET"
        self.results.append("%-6s%-70s%11s   %-18s%s" % (row, what, value, target, verdict))
        self.say(self.results[-1].rstrip())

    def beside(self, name):
        return os.path.join(os.path.dirname(self.path), name)

    def write(self):
        table = ["%-6s%-70s%11s   %-18s" % ("row", "what", "measured", "target")] + self.results
        with open(self.path, "w", encoding="utf-8") as file:
            file.write("\n".join(line.rstrip() for line in self.head + [""] + table + ["", "In detail", ""] + self.details) + "\n")
        print("\n".join(line.rstrip() for line in table))
        print("written: " + self.path)
