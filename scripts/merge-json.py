#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Merges JSON files, on stdout.

merge-json.py --key KEY FILE...   {KEY: [members]}
merge-json.py --list FILE...      [members]

A FILE that holds a list gives its members, one that holds an object is one.
"""
import argparse
import json
import sys


def members(path):
    with open(path, encoding="utf-8") as f:
        value = json.load(f)
    return value if isinstance(value, list) else [value]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--key", help="name of the one member of the result")
    what.add_argument("--list", action="store_true", help="the result is a list")
    parser.add_argument("files", nargs="*", metavar="FILE")
    args = parser.parse_args()

    merged = [m for path in args.files for m in members(path)]
    json.dump({args.key: merged} if args.key else merged, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
