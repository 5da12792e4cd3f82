"""The documentation is true: its code runs, the output it shows is what came, its links lead somewhere.

Rules of a page, *.md at the root, in browser/ and everywhere in docs/:

    ```python           runs; the blocks of a page share one namespace and one temporary directory, from top to bottom
    ```python HOST      runs in the environment tests/hosts/HOST, in that directory, as a program of its own
    ```bash             `hermetic …` and `curl …` to this machine run in that directory; of `make …`, the targets must
                        exist; nothing else
                        `hermetic serve …` runs until the page ends, on a free port, which replaces 8000 on the page
    ```text output      what the block before it printed; … stands for anything within a line
    ```text example     right after a block that runs: output that is not compared, and the page says so
    anything else       is not run
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import runpy
import shlex
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import sklearn.linear_model  # noqa: F401  (threadpool_limits reaches only the libraries that are loaded)
from threadpoolctl import threadpool_limits

from ports import free_port

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("browser/*.md"), *ROOT.glob("docs/**/*.md")])
LONGEST_COMMAND = 480


@dataclass(frozen=True)
class Block:
    """A fenced block: its info string, its text, the line where the text starts, and what the page says before it."""

    info: str
    text: str
    line: int
    before: str = ""


def blocks_of(page: str) -> Iterator[Block]:
    end = 0
    for match in re.finditer(r"^```([^\n`]*)\n(.*?)^```$", page, re.DOTALL | re.MULTILINE):
        yield Block(match[1].strip(), match[2], page[: match.start(2)].count("\n"), page[end : match.start()].strip())
        end = match.end()


def without_blocks(page: str) -> str:
    return re.sub(r"^```[^\n]*\n.*?^```$", "", page, flags=re.DOTALL | re.MULTILINE)


def run_python(block: Block, path: Path, namespace: dict[str, Any]) -> str:
    """What the block prints. Tracebacks show the page's own line numbers."""
    printed = io.StringIO()
    code = compile("\n" * block.line + block.text, str(path), "exec")
    # One thread: several that compete with other tests for two cores make a fit a hundred times slower.
    with contextlib.redirect_stdout(printed), threadpool_limits(1):
        exec(code, namespace)
    return printed.getvalue()


def run_in_host(block: Block) -> str:
    """What the block prints when it runs in an environment that holds programs of others."""
    python = ROOT / "tests" / "hosts" / block.info.split()[1] / ".venv" / "bin" / "python"
    command = [str(python), "-W", "ignore", "-c", "\n" * block.line + block.text]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=LONGEST_COMMAND, env=environment(),
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, f"line {block.line}: {done.stderr}"
    return done.stdout


def run_bash(block: Block) -> str:
    """What the block's commands print on stdout; of `make` commands, only whether the targets exist."""
    first = block.text.split(maxsplit=1)[0]
    runs = first in ("hermetic", "make") or is_curl_to_this_machine(block.text)
    assert runs, f"line {block.line}: mark what cannot run here `console`, not `bash`"
    if first == "make":
        assert not (unknown := made_targets(block.text) - make_targets()), f"line {block.line}: no target {unknown}"
        return ""
    command = ["bash", "-euo", "pipefail", "-c", block.text]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment(), stdin=subprocess.DEVNULL,
        timeout=LONGEST_COMMAND,
    )  # fmt: skip
    assert done.returncode == 0, f"line {block.line}: {done.stderr}"
    return done.stdout


def is_curl_to_this_machine(text: str) -> bool:
    commands = text.replace("\\\n", " ").splitlines()
    return all(one.startswith("curl ") and re.search(r"\bhttp://127\.0\.0\.1[:/]", one) for one in commands)


def environment() -> dict[str, str]:
    """The commands of this Python first, one thread each, and the page's directory for a home."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    terminal = {"NO_COLOR": "1", "COLUMNS": "110"}
    return {**os.environ, **terminal, "PATH": path, "HOME": str(Path.cwd()), "OMP_NUM_THREADS": "1"}


@contextlib.contextmanager
def service(block: Block, port: int) -> Iterator[None]:
    """`hermetic serve …` as a process of its own, ready to answer."""
    command = [*shlex.split(block.text), *([] if "--port" in block.text else ["--port", str(port)])]
    with Path("service.log").open("w") as log:
        process = subprocess.Popen(command, env=environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + LONGEST_COMMAND
        while not is_ready(port):
            waiting = process.poll() is None and time.monotonic() < deadline
            assert waiting, f"line {block.line}: {Path('service.log').read_text()}"
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(LONGEST_COMMAND)


def is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/health/ready", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def made_targets(text: str) -> set[str]:
    commands = (line.split("#")[0].split() for line in text.splitlines() if line.startswith("make "))
    return {command[1] for command in commands}


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def check_output(shown: Block, printed: str) -> None:
    pattern = "\n".join("[^\n]*".join(map(re.escape, line.split("…"))) for line in shown.text.rstrip().splitlines())
    actual = "\n".join(line.rstrip() for line in printed.rstrip().splitlines())
    assert re.fullmatch(pattern, actual), f"line {shown.line} shows\n{shown.text}\nbut this was printed\n{actual}"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_code_of_a_page_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    port, namespace = free_port(), {"__name__": "__main__"}
    page = path.read_text(encoding="utf-8")
    if "```bash\nhermetic serve" in page:
        page = re.sub(r"\b8000\b", str(port), page)
    printed: str | None = None
    with contextlib.ExitStack() as services:
        for block in blocks_of(page):
            if block.info == "text output":
                assert printed is not None, f"line {block.line}: there is no block that printed this"
                check_output(block, printed)
            printed = None
            if block.info == "python":
                printed = run_python(block, path, namespace)
            elif block.info.startswith("python "):
                printed = run_in_host(block)
            elif block.info == "bash" and block.text.startswith("hermetic serve "):
                services.enter_context(service(block, port))
            elif block.info == "bash":
                printed = run_bash(block)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_output_is_compared_or_called_an_example(path: Path) -> None:
    for before, block in pairwise(blocks_of(path.read_text(encoding="utf-8"))):
        marked = block.info != "text" or block.before or before.info.split(" ")[0] not in ("python", "bash")
        assert marked, f"line {block.line}: mark it `text output`, or `text example`"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    page = without_blocks(path.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", page):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (path.parent / name).resolve() if name else path
        assert file.exists(), f"{target} does not exist"
        if anchor:
            assert anchor in anchors(file.read_text(encoding="utf-8")), f"{target}: no such heading"


def anchors(page: str) -> set[str]:
    """The anchors that GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ +(.+?) *$", without_blocks(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_reference_is_what_the_docstrings_say() -> None:
    rendered = runpy.run_path(str(ROOT / "docs" / "make_api.py"))["render"]()
    pages = [ROOT / "docs" / "api.md", *(ROOT / "docs" / "api").glob("*.md")]
    written = {path.relative_to(ROOT / "docs").as_posix(): path.read_text(encoding="utf-8") for path in pages}
    assert written == rendered, "docs/api.md or docs/api/ is out of date: run python docs/make_api.py"


def test_the_modules_are_listed_in_the_order_of_imports() -> None:
    rendered = runpy.run_path(str(ROOT / "docs" / "make_code.py"))["render"]()
    written = (ROOT / "docs" / "code.md").read_text(encoding="utf-8")
    assert written == rendered, "docs/code.md is out of date: run python docs/make_code.py"


def test_output_that_differs_is_noticed() -> None:
    with pytest.raises(AssertionError, match="but this was printed"):
        check_output(Block("text output", "1 of 2 … right\n", 1), "1 of 3 are right\n")
    check_output(Block("text output", "1 of 2 … right\n", 1), "1 of 2 are right\n")


def test_a_block_that_cannot_run_here_is_noticed() -> None:
    for elsewhere in (
        "wget example.org",
        "curl example.org",
        "curl https://example.org/",
        "curl http://127.0.0.1.org/",
    ):
        with pytest.raises(AssertionError, match="console"):
            run_bash(Block("bash", f"{elsewhere}\n", 1))
    with pytest.raises(AssertionError, match="no target"):
        run_bash(Block("bash", "make coffee\n", 1))


def test_anchors_are_those_of_github() -> None:
    assert anchors("# A `b.c` (d)\n## Two words\n```text\n# no\n```\n") == {"a-bc-d", "two-words"}
