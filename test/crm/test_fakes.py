#!/usr/bin/python3
"""Runs all tests of the fakes: that each behaviour of the reference is there and each breach is seen. A few seconds.

  test_fakes.py [-v] [test_lofty.LoftySearch ...]
"""

import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
FILES = ("test_lofty", "test_followupboss", "test_fub_oauth", "test_kvcore", "test_wire")

if __name__ == "__main__":
    sys.path.insert(0, HERE)
    named = [word for word in sys.argv[1:] if not word.startswith("-")]
    suite = unittest.defaultTestLoader.loadTestsFromNames(named or FILES)
    done = unittest.TextTestRunner(verbosity=2 if "-v" in sys.argv else 1).run(suite)
    sys.exit(not done.wasSuccessful())
