"""Files of the repository that pages show although they lie outside ``docs/``: pictures and tables of ``results/``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
COPIED = (".png", ".csv", ".ipynb")
LINK = re.compile(r"(!?)\[([^\]]*)\]\((?:\.\./)+((?:results|examples|benchmarks|configs|tests)\b[^)]*)\)")


def on_files(files: Any, config: Any) -> Any:
    """Add the pictures and tables that pages link to; called by mkdocs."""
    from mkdocs.structure.files import File

    targets = {
        target
        for page in Path(config["docs_dir"]).rglob("*.md")
        for _, _, target in LINK.findall(page.read_text(encoding="utf-8"))
    }
    for target in sorted(targets):
        if (ROOT / target).is_file() and target.endswith(COPIED):
            files.append(File.generated(config, target, abs_src_path=str(ROOT / target)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Point links at the copies; what is not copied, such as a folder, becomes its path in code quotes."""
    up = "../" * page.file.src_uri.count("/")

    def replaced(match: re.Match[str]) -> str:
        image, text, target = match.groups()
        if (ROOT / target).is_file() and target.endswith(COPIED):
            return f"{image}[{text}]({up}{target})"
        return f"{text} (`{target}`)" if text.strip("`") != target else f"`{target}`"

    return LINK.sub(replaced, markdown)
