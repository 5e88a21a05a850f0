"""META.json by the rules of PGXN's Meta Spec 1.0.0, and one version everywhere.

Prints what is wrong; the exit status is 1 then.  Looks at the files of the
folder it is run in.
"""
import json
import os
import re
import sys

SEMVER = re.compile(r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?$")
RANGE = re.compile(r"^((==|!=|>=|<=|>|<)?\s*(0|\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?))(\s*,\s*(==|!=|>=|<=|>|<)?\s*\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?)*$")
LICENSES = {"agpl_3", "apache_1_1", "apache_2_0", "artistic_1", "artistic_2", "bsd", "freebsd", "gfdl_1_2", "gfdl_1_3",
            "gpl_1", "gpl_2", "gpl_3", "lgpl_2_1", "lgpl_3_0", "mit", "mozilla_1_0", "mozilla_1_1", "openssl", "perl_5",
            "postgresql", "qpl_1_0", "ssleay", "sun", "zlib", "open_source", "restricted", "unrestricted", "unknown"}
REQUIRED = {"name", "version", "abstract", "maintainer", "license", "provides", "meta-spec"}
OPTIONAL = {"description", "generated_by", "no_index", "prereqs", "release_status", "resources", "tags"}
PHASES = {"configure", "build", "test", "runtime", "develop"}
RELATIONS = {"requires", "recommends", "suggests", "conflicts"}

problems = []


def expect(condition, text):
    if not condition:
        problems.append("META.json: " + text)
    return condition


def text(value, name, limit=None):
    expect(isinstance(value, str) and value != "" and (limit is None or len(value) <= limit), name + " is a text")


def is_term(value):
    return isinstance(value, str) and len(value) >= 2 and not re.search(r"[\s/\\\x00-\x1f\x7f]", value)


def is_tag(value):
    return isinstance(value, str) and 0 < len(value) <= 255 and not re.search(r"[/\\\x00-\x1f\x7f]", value)


def one_or_many(value):
    return value if isinstance(value, list) else [value]


def check_provides(provides):
    if not expect(isinstance(provides, dict) and provides, "provides names an extension"):
        return
    for name, extension in provides.items():
        expect(is_term(name), "provides: %r is a term" % name)
        unknown = set(extension) - {"file", "version", "abstract", "docfile"}
        expect(not {k for k in unknown if not k.lower().startswith("x_")}, "provides.%s: no key is unknown: %s" % (name, sorted(unknown)))
        expect(SEMVER.match(str(extension.get("version"))), "provides.%s.version is a semantic version" % name)
        for key in ("file", "docfile"):
            expect(key != "file" or key in extension, "provides.%s.file is there" % name)
            expect(key not in extension or os.path.isfile(extension[key]), "provides.%s.%s is a file of the tree" % (name, key))


def check_prereqs(prereqs):
    for phase, relations in prereqs.items():
        expect(phase in PHASES or phase.lower().startswith("x_"), "prereqs: %r is a phase" % phase)
        for relation, needed in relations.items():
            expect(relation in RELATIONS or relation.lower().startswith("x_"), "prereqs.%s: %r is a relation" % (phase, relation))
            for name, version in needed.items():
                expect(is_term(name) and RANGE.match(str(version)), "prereqs.%s.%s.%s is a version or a range" % (phase, relation, name))


def check_meta(meta):
    custom = {key for key in meta if key.lower().startswith("x_")}
    expect(not REQUIRED - set(meta), "nothing is missing: %s" % sorted(REQUIRED - set(meta)))
    expect(not set(meta) - REQUIRED - OPTIONAL - custom, "no key is unknown: %s" % sorted(set(meta) - REQUIRED - OPTIONAL - custom))
    expect(is_term(meta.get("name")), "name is a term")
    expect(SEMVER.match(str(meta.get("version"))), "version is a semantic version")
    text(meta.get("abstract"), "abstract")
    for maintainer in one_or_many(meta.get("maintainer")):
        text(maintainer, "maintainer")
    if isinstance(meta.get("license"), dict):
        for url in meta["license"].values():
            expect(str(url).startswith("http"), "license: values are URLs")
    else:
        for name in one_or_many(meta.get("license")):
            expect(name in LICENSES, "license: %r is in the list of the specification" % name)
    spec = meta.get("meta-spec", {})
    expect(spec.get("version") == "1.0.0", "meta-spec.version is 1.0.0")
    expect(spec.get("url", "https://pgxn.org/meta/spec.txt").replace("https:", "http:") == "http://pgxn.org/meta/spec.txt", "meta-spec.url")
    expect(meta.get("release_status", "stable") in ("stable", "testing", "unstable"), "release_status")
    for tag in meta.get("tags", []):
        expect(is_tag(tag), "tags: %r is a tag" % tag)
    for key in ("description", "generated_by"):
        if key in meta:
            text(meta[key], key)
    check_provides(meta.get("provides"))
    check_prereqs(meta.get("prereqs", {}))


def version_in(path, pattern):
    """The first group of the first match, or None."""
    with open(path, encoding="utf-8") as file:
        match = re.search(pattern, file.read(), re.M)
    return match and match.group(1)


def check_versions(meta):
    """What says the version of the extension says the same; the control file leads."""
    version = version_in("echosync.control", r"^default_version *= *'(.*)'")
    said = {"META.json, version": meta.get("version"),
            "META.json, provides": meta.get("provides", {}).get("echosync", {}).get("version"),
            "CHANGELOG.md": version_in("CHANGELOG.md", r"^## (\d+\.\d+\.\d+)")}
    if os.path.exists("debian/changelog"):
        said["debian/changelog"] = version_in("debian/changelog", r"^echosync \(([0-9.]+)-")
    for where, found in said.items():
        if found != version:
            problems.append("%s: the version is %s, and that of echosync.control is %s" % (where, found, version))


def main():
    with open("META.json", encoding="utf-8") as file:
        meta = json.load(file)
    check_meta(meta)
    check_versions(meta)
    print("\n".join(problems))
    return 1 if problems else 0


sys.exit(main())
