"""Prints how many tests passed and failed, from JUnit files; fails where any did, or none ran.

summary.py FAILED_PARTS FILE...: a part that is no test counts where no test failed.
"""

import sys
from pathlib import Path
from xml.etree import ElementTree


def main(failed_parts: int, paths: list[str]) -> int:
    passed = failed = skipped = 0
    for path in paths:
        for suite in ElementTree.fromstring(Path(path).read_text()).iter("testsuite"):
            bad = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
            left_out = int(suite.get("skipped", 0))
            passed += int(suite.get("tests", 0)) - bad - left_out
            failed += bad
            skipped += left_out
    failed = max(failed, failed_parts)
    if skipped:
        print(f"({skipped} skipped)")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
