"""phone.c against python3-phonenumbers: each spelling of a number is that number, and of what has
no meaning nothing is read that the oracle reads as another one.

    phone_oracle.py PHONE_LINES      prints TAP; PHONE_LINES is phone_lines.c, built
"""

import random
import re
import subprocess
import sys

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType

REGIONS = ("US CA MX AR GB DE FR ES IT NL BE CH AT SE NO DK FI IE PL PT BR CL CO PE AU NZ JP CN IN PH "
           "KR SG HK IL ZA NG EG AE TR RU UA").split()
US_AREAS = "801 385 212 415 305 702 206 503 617 312 416 604".split()


def spellings(number, region, chance):
    """The ways in which people, forms and phones write a number."""
    e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    pretty = phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL)
    ways = [e164, pretty, pretty.replace(" ", "-"), pretty.replace(" ", "."), "00" + e164[1:], "011 " + pretty[1:],
            "tel:" + e164, phonenumbers.format_number(number, PhoneNumberFormat.RFC3966), " " + pretty + " ",
            pretty + " ext. " + str(chance.randint(2, 999)), pretty + " x" + str(chance.randint(2, 999)),
            "Mobile: " + pretty, pretty + " (work)", pretty.replace(" ", "\u00a0"), "\u202a" + pretty + "\u202c",
            pretty.replace("-", "\u2011"), "'" + e164]
    if region in ("US", "CA"):
        digits = e164[2:]
        ways += [digits, "1" + digits, "1-" + digits, "(%s) %s-%s" % (digits[:3], digits[3:6], digits[6:]),
                 "%s.%s.%s" % (digits[:3], digits[3:6], digits[6:]), "%s/%s-%s" % (digits[:3], digits[3:6], digits[6:]),
                 "+1 +1 " + digits, "1 1 " + digits, digits + ".0", "n/a; " + digits, digits + " / 555-1234",
                 "555-1234 / " + digits, "555-1234 or " + digits, digits + ", " + "385" + digits[3:],
                 "cell: %s home: 385%s" % (digits, digits[3:]), digits + " ::: 385" + digits[3:], '="%s"' % digits]
    return ways


def numbers(chance):
    """Valid numbers of all regions, mobile and fixed."""
    for region in REGIONS:
        kinds = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE)
        for example in filter(None, (phonenumbers.example_number_for_type(region, kind) for kind in kinds)):
            for _ in range(8):
                national = str(example.national_number)
                varied = national[:-4] + "%04d" % chance.randint(0, 9999)
                yield region, phonenumbers.PhoneNumber(country_code=example.country_code, national_number=int(varied),
                                                       italian_leading_zero=example.italian_leading_zero)
    for area in US_AREAS:
        for _ in range(10):
            digits = area + str(chance.randint(2, 9)) + "%06d" % chance.randint(0, 999999)
            number = phonenumbers.parse(digits, "US")
            if phonenumbers.is_valid_number(number):
                yield "US", number


def canonical(e164):
    """One number for what differs by a mark of mobile numbers only."""
    return re.sub(r"^\+52(?:1(?=\d{10}$))", "+52", re.sub(r"^\+549(?=\d{10}$)", "+54", e164))


def ours(line):
    if line == "-":
        return None
    form = line.split()[1]
    return canonical(form if form.startswith("+") else "+1" + form)


def theirs(text):
    try:
        number = phonenumbers.parse(text.strip().strip("'\u202a\u202c"), "US")
    except phonenumbers.NumberParseException:
        return None
    return phonenumbers.format_number(number, PhoneNumberFormat.E164) if phonenumbers.is_possible_number(number) else None


def random_texts(chance):
    """Digits and marks without a meaning."""
    for _ in range(4000):
        yield "".join(chance.choice("0123456789" * 3 + " -().+/,;x") for _ in range(chance.randint(6, 18)))


def main(program):
    chance = random.Random(20261201)
    expected = [(text, canonical(phonenumbers.format_number(number, PhoneNumberFormat.E164)))
                for region, number in numbers(chance) for text in spellings(number, region, chance)]
    wild = list(random_texts(chance))
    asked = "\n".join([text for text, _ in expected] + wild) + "\n"
    read = subprocess.run([program], input=asked.encode(), stdout=subprocess.PIPE, check=True).stdout.decode().splitlines()
    wrong = [(text, want, ours(line)) for (text, want), line in zip(expected, read) if ours(line) != want]
    report(1, not wrong, "each of %d spellings is the number that it is of" % len(expected), wrong)
    strange = [(text, theirs(text), ours(line)) for text, line in zip(wild, read[len(expected):])
               if ours(line) and theirs(text) and ours(line) != canonical(theirs(text)) and not is_list(text)]
    report(2, not strange, "of %d random texts none is another number than the oracle's" % len(wild), strange)
    print("1..2")
    return 1 if wrong or strange else 0


def is_list(text):
    """Of several numbers in one text the oracle reads the first, usable or not, and glues what we divide."""
    return re.search(r"\d.*[/,;x+]", text) is not None


def report(number, passed, name, findings):
    print("%sok %d - %s" % ("" if passed else "not ", number, name))
    for text, want, got in findings[:20]:
        print("# %r: %s, not %s" % (text, got, want))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
