#!/usr/bin/python3
"""Writes the demo's data: 1,000 leads as an app has them, and what the two CRMs hold already.

  leads.py DIR USER_ID     DIR/leads.csv, DIR/lofty.json, DIR/followupboss.json

The same bytes at every run. Nobody real: numbers are from the ranges kept free for fiction (555-0100 to 555-0199,
+44 20 7946 0xxx), e-mails from example.com, .net and .org.
"""

import csv
import json
import os
import random
import sys

LEADS = 1000
COLUMNS = ("user_id", "phone_number", "first_name", "last_name", "email", "address", "city", "state", "zip_code",
           "risk_score", "is_dnc", "opted_out", "tags", "notes")

FIRST = ("James Mary Robert Patricia John Jennifer Michael Linda David Elizabeth José María Zoë Søren Renée Björk "
         "François Chloë Siân Łukasz Nguyễn Thị Anh Đức Mei Wei Aiko Yusuf Fatima Priya Arjun Olga Dmitri Ana-Sofía "
         "D'Angelo Mary-Kate Tyrone Latoya Xochitl Keanu Noelani 伟 秀英 美咲 Оксана Ελένη").split()
LAST = ("Smith Johnson Williams Brown García Rodríguez Martínez O'Brien O'Connor Nguyễn Trần Müller Größe Sjöberg "
        "Núñez Peña Kowalczyk Wałęsa D'Amico Lefèvre Çelik Øvergård Patel Singh Kim Park Yamamoto Okafor Mbeki "
        "Goldstein Smith-Jones McDonald MacLeod Begay Kealoha 李 王 佐藤 Шевченко Παππάς").split()
LONG_LAST = ("van der Merwe", "de la Cruz", "St. John", "Vanden Bossche-Featherstonehaugh of Kilmarnock")
PLACES = (("Salt Lake City", "UT", "841"), ("Provo", "UT", "846"), ("Boise", "ID", "837"), ("Phoenix", "AZ", "850"),
          ("Las Vegas", "NV", "891"), ("Denver", "CO", "802"), ("St. George", "UT", "847"), ("San José", "CA", "951"),
          ("Cañon City", "CO", "812"), ("Coeur d'Alene", "ID", "838"))
STREETS = ("Main St", "S State St", "Wasatch Blvd", "E 3300 S", "Cottonwood Ln", "Martin Luther King Jr. Blvd",
           "Peña Blvd", "Temple View Dr #12", "Avenida del Sol", "Old Mill Rd, Unit 4")
AREAS = ("801", "385", "435", "208", "986", "602", "480", "702", "303", "720", "408", "970", "212", "312", "415")
FORMATS = ("({0}) {1}-{2}", "{0}-{1}-{2}", "{0}.{1}.{2}", "{0}{1}{2}", "+1{0}{1}{2}", "+1 {0} {1} {2}",
           "+1 ({0}) {1}-{2}", "1-{0}-{1}-{2}", "1{0}{1}{2}", "{0} {1} {2}", "({0}){1}-{2}", "{0}-{1}-{2} x204",
           "{0}.{1}.{2} ext. 12", "({0}) {1}-{2} Ext 7", "Tel: {0}-{1}-{2}", "{0}/{1}-{2}", " {0}-{1}-{2} ",
           "({0}) {1}-{2} (cell)", "001 {0} {1} {2}", "{0}\u2013{1}\u2013{2}")
BAD_PHONES = ("", "N/A", "call after 5pm", "000-000-0000", "123", "801-555-01", "801-HOME-NOW", "***-***-0142",
              "+1 801 555 01012", "ask José")
TAGS = ("Buyer", "Seller", "Investor", "First-time", "Relocation", "Open house", "Luxury, waterfront", "Hablo español",
        'The "Cottages"', "2024 Q3")
NOTES = ("Wants three bedrooms, two baths, and a yard for the dog.",
         'Asked: "Is the HOA fee included?" Call back Tuesday.',
         "Met at the open house.\nPrefers text.\nBudget: $450,000",
         "Pre-approved at 6.125%; lender is O'Brien & Sons.",
         "Prefiere español — llamar después de las 17:00.",
         "Moving from Zürich, needs a school nearby 🏡")


class Generator:
    def __init__(self, user_id):
        self.random = random.Random(20240611)
        self.user_id = user_id
        numbers = [(area, "555", "%04d" % number) for area in AREAS for number in range(100, 200)]
        self.random.shuffle(numbers)
        self.numbers = iter(numbers)
        self.leads = []

    def chance(self, percent):
        return self.random.random() * 100 < percent

    def pick(self, values):
        return values[int(self.random.random() * len(values))]

    def phone(self, number):
        return self.pick(FORMATS).format(*number)

    def score(self):
        """Low for most; the limit itself and its neighbours; none for some."""
        if self.chance(6):
            return None
        if self.chance(4):
            return self.pick(("20.0", "20.1", "19.9", "0.0", "100.0"))
        return "%.1f" % (self.random.random() * (20 if self.chance(60) else 100))

    def lead(self):
        number = next(self.numbers)
        city, state, zip_start = self.pick(PLACES)
        last = self.pick(LONG_LAST) if self.chance(3) else self.pick(LAST)
        lead = {
            "number": number, "user_id": self.user_id, "phone_number": self.phone(number),
            "first_name": self.pick(FIRST), "last_name": last,
            "email": "lead%04d@example.%s" % (len(self.leads) + 1, self.pick(("com", "net", "org"))),
            "address": "%d %s" % (100 + self.random.random() * 9900, self.pick(STREETS)), "city": city,
            "state": state, "zip_code": "%s%02d" % (zip_start, self.random.random() * 100),
            "risk_score": self.score(), "is_dnc": self.chance(3), "opted_out": self.chance(2),
            "tags": sorted({self.pick(TAGS) for _ in range(int(self.random.random() * 4))}),
            "notes": self.pick(NOTES) if self.chance(30) else None}
        self.spoil(lead)
        return lead

    def spoil(self, lead):
        """Lists from the field have holes."""
        if self.chance(12):
            lead["email"] = None
        elif self.chance(4):
            lead["email"] = self.pick(("none", "jo@", "two@at@example.com", "Lead %d <x>" % len(self.leads)))
        elif self.chance(5):
            lead["email"] = " " + lead["email"].upper()
        if self.chance(6):
            lead["number"], lead["phone_number"] = None, self.pick(BAD_PHONES) or None
        elif self.chance(2):
            lead["number"], lead["phone_number"] = None, "+44 20 7946 0%03d" % len(self.leads)
        for name, percent in (("first_name", 5), ("last_name", 7), ("address", 15), ("zip_code", 5)):
            if self.chance(percent):
                lead[name] = None
        if lead["address"] is None and self.chance(50):
            lead["city"] = lead["state"] = lead["zip_code"] = None

    def repeats(self):
        """Entered twice, or another person of the household: the number of an earlier lead, written otherwise."""
        for place in range(300, LEADS, 35):
            first, second = self.leads[place - 200], self.leads[place]
            if first["number"] is None:
                continue
            second["number"], second["phone_number"] = first["number"], self.phone(first["number"])
            if place % 2:
                second["first_name"], second["last_name"] = first["first_name"], first["last_name"]

    def make(self):
        while len(self.leads) < LEADS:
            self.leads.append(self.lead())
        self.repeats()

    def sendable(self):
        """Leads that pass every rule, whose number nobody else on the list has."""
        numbers = [lead["number"] for lead in self.leads]
        return [lead for lead in self.leads
                if lead["number"] and lead["email"] and lead["email"].startswith("lead")
                and lead["first_name"] and lead["last_name"] and not lead["is_dnc"] and not lead["opted_out"]
                and lead["risk_score"] and float(lead["risk_score"]) <= 20 and numbers.count(lead["number"]) == 1]


def known_to_both(leads):
    """(first name, last name, phone, e-mail) of records that agents made before echosync came."""
    for place, lead in enumerate(leads):
        digits = "".join(lead["number"])
        if place % 3 == 0:                    # by phone and name
            yield lead["first_name"], lead["last_name"], digits, "agent%03d@example.com" % place
        elif place % 3 == 1:                  # by e-mail; the agent has another number
            yield lead["first_name"], lead["last_name"], "505555%04d" % (100 + place), lead["email"]
        else:                                 # the number of somebody else: a household
            yield "Pat", "Household", digits, "home%03d@example.com" % place


def nobody_can_tell(leads):
    """Two records for one number, of neither's name; the e-mail is a third's."""
    for place, lead in enumerate(leads):
        for name in ("Twin", "Other"):
            yield name, "Person%d" % place, "".join(lead["number"]), "%s%d@example.net" % (name.lower(), place)


def lofty_lead(first, last, phone, email):
    return {"firstName": first, "lastName": last, "phones": [phone], "emails": [email], "source": "Zillow",
            "tags": ["VIP", "Agent's own"], "notes": ["Spoke on Sunday."]}


def followupboss_person(first, last, phone, email):
    return {"firstName": first, "lastName": last, "phones": [phone], "emails": [email], "source": "Zillow",
            "stage": "Nurture", "tags": ["VIP", "Agent's own"], "notes": ["Spoke on Sunday."]}


def csv_value(value):
    """NULL is an empty field, an array its literal."""
    if isinstance(value, list):
        return "{%s}" % ",".join('"%s"' % one.replace("\\", "\\\\").replace('"', '\\"') for one in value)
    return {None: "", True: "t", False: "f"}.get(value, value)


def write_json(directory, name, records):
    with open(os.path.join(directory, name), "w", encoding="utf-8") as out:
        json.dump(records, out, ensure_ascii=False)


def main():
    directory, user_id = sys.argv[1:]
    generator = Generator(user_id)
    generator.make()
    with open(os.path.join(directory, "leads.csv"), "w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([csv_value(lead[name]) for name in COLUMNS] for lead in generator.leads)
    sendable = generator.sendable()
    known, twins = list(known_to_both(sendable[0:400:10])), list(nobody_can_tell(sendable[5:400:80]))
    write_json(directory, "lofty.json", [lofty_lead(*one) for one in known + twins])
    write_json(directory, "followupboss.json", [followupboss_person(*one) for one in known[:30] + twins])


if __name__ == "__main__":
    main()
