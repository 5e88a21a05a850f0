"""Which of the inputs that fuzzing made are worth keeping.

    choose.py CONTROL FOLDER

CONTROL is what libFuzzer's -merge_inner left behind: which input reached
what.  Prints the names of a few inputs that reach code that those in FOLDER
do not: always the one that adds most, the smaller of two, until what is left
adds less than WORTH places.
"""
import os
import sys

WORTH = 2


def read_control(path):
    """Name -> (size, the places in the code that the input reaches)."""
    with open(path, encoding="utf-8") as file:
        lines = file.read().splitlines()
    names = [os.path.basename(name) for name in lines[2:2 + int(lines[0])]]
    sizes, places = {}, {}
    for line in lines[2 + len(names):]:
        word, index, *numbers = line.split()
        if word == "STARTED":
            sizes[int(index)] = int(numbers[0])
        elif word == "FT":
            # of a place there are eight features: how often it was reached
            places[int(index)] = {int(number) // 8 for number in numbers}
    return {names[i]: (sizes[i], found) for i, found in places.items()}


def main():
    """Greedy, which is nearly the smallest number."""
    inputs = read_control(sys.argv[1])
    seen = set()
    for name in os.listdir(sys.argv[2]):
        seen |= inputs.pop(name, (0, set()))[1]
    while inputs:
        name = max(inputs, key=lambda n: (len(inputs[n][1] - seen), -inputs[n][0]))
        if len(inputs[name][1] - seen) < WORTH:
            break
        seen |= inputs.pop(name)[1]
        print(name)


main()
