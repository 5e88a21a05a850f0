"""Which of the inputs that fuzzing made are worth keeping.

    choose.py CONTROL FOLDER

CONTROL is what libFuzzer's -merge_inner left behind: which input reached
what.  Prints the names of those that reach code that the inputs in FOLDER do
not, the smallest first, so that a large one is kept only for what is its own.
"""
import os
import sys


def read_control(path):
    """Names, sizes and covered places of the inputs in a control file."""
    with open(path, encoding="utf-8") as file:
        lines = file.read().splitlines()
    names = lines[2:2 + int(lines[0])]
    sizes = {}
    places = {}
    for line in lines[2 + len(names):]:
        word, index, *numbers = line.split()
        if word == "STARTED":
            sizes[int(index)] = int(numbers[0])
        elif word == "COV":
            places[int(index)] = set(numbers)
    # libFuzzer says of each input only what none before it had: see below
    return [(sizes[i], os.path.basename(names[i]), places.get(i, set())) for i in sizes]


def main():
    inputs = read_control(sys.argv[1])
    kept = set(os.listdir(sys.argv[2]))
    seen = set()
    for _, name, places in inputs:
        if name in kept:
            seen |= places
    for _, name, places in sorted(inputs):
        if name not in kept and not places <= seen:
            seen |= places
            print(name)


main()
