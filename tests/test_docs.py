"""README and docs are short enough, and every link, anchor and file in them exists."""

import re
from collections.abc import Iterator
from importlib.metadata import metadata
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import pytest

ROOT: Final = Path(__file__).parents[1]
README: Final = ROOT / "README.md"
PAGES: Final = (
    *("authors", "testing", "programs-and-mcp", "operating", "security", "developing"),
    *("decisions", "benchmarks"),
)
DOCUMENTS: Final = (
    README,
    ROOT / "CHANGELOG.md",
    ROOT / ".github" / "CONTRIBUTING.md",
    ROOT / ".github" / "SECURITY.md",
    *(ROOT / "docs" / f"{name}.md" for name in PAGES),
)
INVENTED: Final = {"entrypoints/ui/pages/words.py"}
"""Files that an example asks the reader to make."""


def prose(document: Path) -> str:
    """Return the text without its blocks of code."""
    text = re.sub(r"^```.*?^```", "", document.read_text(), flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"^ {4,}.*$", "", text, flags=re.MULTILINE)


def links(document: Path) -> Iterator[str]:
    """Yield the targets of links and pictures that lead into this repository."""
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(document)):
        if not re.match(r"[a-z]+:", target):
            yield target


def headings(document: Path) -> list[tuple[int, str]]:
    """Return level and text of each heading."""
    found = re.findall(r"^(#+) (.+)$", prose(document), flags=re.MULTILINE)
    return [(len(marks), text) for marks, text in found]


def anchor(heading: str) -> str:
    """Return the anchor that GitHub makes of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_the_readme_has_at_most_9000_bytes() -> None:
    assert len(README.read_bytes()) <= 9000


def test_the_readme_has_one_picture_of_at_most_150_kilobytes() -> None:
    [picture] = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", README.read_text())

    assert (ROOT / picture).stat().st_size <= 150_000
    assert (ROOT / picture).read_bytes().startswith(b"\x89PNG")


def test_the_readme_links_to_every_page_and_there_are_no_others() -> None:
    there = {path.stem for path in (ROOT / "docs").glob("*.md")}

    assert there == set(PAGES)
    assert {f"docs/{name}.md" for name in PAGES} <= set(links(README))


def is_dead(target: str, document: Path, root: Path = ROOT) -> bool:
    """Return whether a link of the document leads to no file or heading, or out of the repository."""
    path, _, fragment = unquote(target).partition("#")
    there = (document.parent / path).resolve() if path else document
    if not there.exists() or not there.is_relative_to(root):
        return True
    return bool(fragment) and fragment not in {anchor(text) for _, text in headings(there)}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_and_anchor_exists(document: Path) -> None:
    found = list(links(document))

    assert found or document.name == "CHANGELOG.md"
    assert [target for target in found if is_dead(target, document)] == []


def test_a_link_to_no_file_to_no_heading_or_out_of_the_repository_is_noticed(
    tmp_path: Path,
) -> None:
    root = tmp_path / "repository"
    root.mkdir()
    (tmp_path / "outside.md").write_text("# Outside")
    (root / "other.md").write_text("# Of the other")
    document = root / "document.md"
    good = ["#a-heading", "other.md", "other.md#of-the-other"]
    dead = ["#other", "nothing.md", "other.md#a-heading", "../outside.md"]
    document.write_text("# A heading\n" + " ".join(f"[a]({to})" for to in [*good, *dead]))

    found = list(links(document))

    assert found == [*good, *dead]
    assert [target for target in found if is_dead(target, document, root)] == dead


@pytest.mark.parametrize("name", PAGES)
def test_every_page_has_a_table_of_contents_with_all_its_sections(name: str) -> None:
    document = ROOT / "docs" / f"{name}.md"
    sections = [text for level, text in headings(document) if level == 2]
    contents = re.findall(r"^- \[(.+)\]\(#(.+)\)$", document.read_text(), flags=re.MULTILINE)

    assert sections
    assert contents == [(text, anchor(text)) for text in sections]


def missing(document: Path) -> set[str]:
    """Return the files that the document names and that do not exist."""
    folders = "adapters|application|benchmarks|docs|domain|entrypoints|gradioapp|migrations|tests"
    named = set(re.findall(rf"`((?:{folders})/[\w./-]*)`", prose(document)))
    return {path for path in named if not (ROOT / path).exists()}


def test_every_file_that_is_named_exists() -> None:
    assert set().union(*map(missing, DOCUMENTS)) == INVENTED


def test_a_name_of_a_missing_file_is_noticed(tmp_path: Path) -> None:
    document = tmp_path / "document.md"
    document.write_text("Read `entrypoints/app.py`, `tests/` and `domain/model/nothing.py`.")

    assert missing(document) == {"domain/model/nothing.py"}


def test_the_metadata_of_the_package_names_licence_and_authors() -> None:
    found = metadata("gradioapp")

    assert found["License-Expression"] == "MIT AND BSD-3-Clause"
    assert found.get_all("License-File") == [
        "LICENSE",
        "adapters/security/common_passwords.LICENSE",
    ]
    assert found["Author"] == "gradioapp contributors"
    assert (ROOT / "LICENSE").read_text().startswith("MIT License")
