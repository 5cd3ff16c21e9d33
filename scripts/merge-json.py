#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""merge-json.py KEY FILE...: one object {KEY: [FILE, FILE, ...]} on stdout.

A FILE that holds a list gives its members, one that holds an object is a member.
"""
import json
import sys


def members(path):
    with open(path, encoding="utf-8") as f:
        value = json.load(f)
    return value if isinstance(value, list) else [value]


def main():
    key, *paths = sys.argv[1:]
    merged = {key: [m for path in paths for m in members(path)]}
    json.dump(merged, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
