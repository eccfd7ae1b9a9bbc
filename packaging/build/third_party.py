#!/usr/bin/env python3
"""Prints the licences of every crate that is in the binary: name, version, licence, and the texts
that the crate brings along. Equal texts are printed once.

    packaging/build/third_party.py x86_64-unknown-linux-gnu
"""
import json
import pathlib
import subprocess
import sys

TEXTS = ("LICENSE", "LICENCE", "COPYING", "NOTICE", "UNLICENSE")


def compiled(metadata):
    """The packages that the program is linked from: no build, test or workspace packages."""
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    root = metadata["resolve"]["root"]
    found, open_ends = set(), [root]
    while open_ends:
        for dependency in nodes[open_ends.pop()]["deps"]:
            is_normal = any(kind["kind"] is None for kind in dependency["dep_kinds"])
            if is_normal and dependency["pkg"] not in found:
                found.add(dependency["pkg"])
                open_ends.append(dependency["pkg"])
    packages = [package for package in metadata["packages"] if package["id"] in found]
    return sorted(packages, key=lambda package: (package["name"], package["version"]))


def texts(package):
    """The licence texts in the directory of a package."""
    folder = pathlib.Path(package["manifest_path"]).parent
    for file in sorted(folder.iterdir()):
        if file.is_file() and file.name.upper().startswith(TEXTS):
            yield file.read_text(encoding="utf-8", errors="replace").strip()


def main(target):
    command = ["cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", target]
    metadata = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    packages = compiled(metadata)
    print("doorward contains these crates:\n")
    owners = {}
    for package in packages:
        label = f"{package['name']} {package['version']}"
        print(f"  {label}: {package['license']}")
        for text in texts(package):
            owners.setdefault(text, []).append(label)
    for text, labels in owners.items():
        print("\n" + "-" * 80)
        print("Of " + ", ".join(labels) + ":\n")
        print(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
