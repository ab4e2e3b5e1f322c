"""Every relative link in a Markdown file of the repository leads to a file that is there."""

import pathlib
import re
import subprocess
import sys

files = subprocess.run(["git", "ls-files", "*.md"], check=True, capture_output=True, text=True).stdout.split()
broken = []
seen = 0
for name in files:
    page = pathlib.Path(name)
    if page.is_symlink():
        continue
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if re.match(r"[a-z]+:|#", target):
            continue
        seen += 1
        if not (page.parent / target.split("#")[0]).exists():
            broken.append(f"{name}: {target}")
print(f"{seen} links in {len(files)} pages, {len(broken)} broken")
for link in broken:
    print("  " + link)
sys.exit(1 if broken or not seen else 0)
