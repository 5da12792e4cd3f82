"""Write ``docs/api.md`` and the pages in ``docs/api`` from the docstrings: ``python docs/make_api.py``.

A test compares them with what this writes. Signatures are read from the source text, so that they look as there.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from textwrap import dedent

import hermetic

HERE = Path(__file__).parent
PACKAGE = Path(hermetic.__file__).parent

# A name with a dot is a module's own; the others are exported by `hermetic` itself.
GROUPS = {
    "Compile and keep a model": ["compile", "CompiledModel", "Rules"],
    "What is public about a model": [
        "Signature",
        "head.Head",
        "circuits.linear.public.LinearCircuit",
        "circuits.linear.public.Offer",
        "inputs.grid.Grid",
        "Layout",
        "circuits.linear.plan.Cost",
        "Parameters",
    ],
    "Encrypt and decrypt": ["Client", "SecretKey"],
    "What travels": ["Query", "Result", "PublicKey"],
    "Public features": [
        "features.feature_map.FeatureMap",
        "features.bins.Bins",
        "features.pair_bins.PairBins",
        "features.local_filters.LocalFilters",
    ],
    "Ask a service": ["connect", "aconnect", "RemoteModel", "AsyncRemoteModel"],
    "Answer": ["MaskingKey", "roundtrip.LocalServer", "roundtrip.round_trip", "roundtrip.RoundTrip"],
    "The workflow of the 2020 guide": [
        "workflow.workspace.Workspace",
        "workflow.datastore.Datastore",
        "workflow.models.Model",
        "workflow.environment.Environment",
        "workflow.environment.CondaDependencies",
        "workflow.configuration.InferenceConfig",
        "workflow.configuration.DeployConfiguration",
        "workflow.webservice.Webservice",
    ],
}
REST = "Also exported"
ERRORS = "Errors"

INTRODUCTION = """# API reference

Written by `docs/make_api.py` from the docstrings: change those, then run `python docs/make_api.py`.

Names without a module are exported by `hermetic` itself; the others are imported from the module that they name.
Letters: N is the ring degree, d the number of features, k the number of outputs, n the number of samples, L the number
of primes. [glossary.md](glossary.md) explains the terms, [design.md](design.md) the mathematics.
"""

Function = ast.FunctionDef | ast.AsyncFunctionDef
_PROPERTIES = {"property", "cached_property"}
_WIDTH = 100
_ITEMS = {"Parameters", "Attributes", "Raises", "Returns"}


def render() -> dict[str, str]:
    """The text of ``api.md`` and of each page that it leads to, by their paths in ``docs``."""
    groups = _groups()
    contents = [
        f"- [{title}]({_page(title)}): {', '.join(_link(title, name) for name in names)}"
        for title, names in groups.items()
    ]
    pages = {
        _page(title): "\n".join([f"# {title}\n", *(_entry(name) for name in names)]) for title, names in groups.items()
    }
    errors = f"# {ERRORS}\n\n{_markdown(_docstring(ast.parse(_source('errors'))))}"
    index = "\n".join([INTRODUCTION, *contents, f"- [{ERRORS}]({_page(ERRORS)})\n"])
    return {"api.md": index, **pages, _page(ERRORS): errors}


def _groups() -> dict[str, list[str]]:
    """GROUPS, and what is exported and in none of them; a second name of something is told where the first is."""
    listed = {name for names in GROUPS.values() for name in names}
    rest = [name for name in hermetic.__all__ if name not in listed and name != "__version__"]
    rest = [name for name in rest if not name.endswith("Error") and getattr(hermetic, name).__name__ == name]
    return {title: names for title, names in {**GROUPS, REST: rest}.items() if names}


def _page(title: str) -> str:
    return f"api/{title.lower().replace(' ', '-')}.md"


def _link(title: str, name: str) -> str:
    """A link to a heading, by GitHub's rule: lower case, no dots."""
    return f"[{name}]({_page(title)}#{name.lower().replace('.', '')})"


def _source(module: str) -> str:
    path = PACKAGE.joinpath(*module.split("."))
    return (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text(encoding="utf-8")


def _entry(name: str) -> str:
    """One class or function: its heading, signature, docstring and members."""
    module, _, attribute = name.rpartition(".")
    value = getattr(import_module(f"hermetic.{module}"), attribute) if module else getattr(hermetic, name)
    home = value.__module__.removeprefix("hermetic.")
    tree = ast.parse(_source(home))
    node = next(one for one in tree.body if getattr(one, "name", None) == value.__name__)
    lines = [f"## {name}\n"]
    if isinstance(node, ast.ClassDef):
        lines += [_fenced(_call(f"class {node.name}", _constructor(node))), _markdown(_docstring(node))]
        lines += [text for member in node.body if isinstance(member, Function) for text in _member(node.name, member)]
    elif isinstance(node, Function):
        lines += [_fenced(_function(attribute or name, node)), _markdown(_docstring(node))]
    return "\n".join(lines)


def _member(owner: str, node: Function) -> Iterator[str]:
    made = node.name == "__init__"
    if not ast.get_docstring(node) or (node.name.startswith("_") and not made):
        return
    decorators = {ast.unparse(one) for one in node.decorator_list}
    if made:
        yield f"### {owner}()\n"
    elif decorators & _PROPERTIES:
        yield f"### {owner}.{node.name}\n"
        yield _fenced(f"{node.name}: {_annotation(node.returns)}")
    else:
        yield f"### {owner}.{node.name}()\n"
        yield _fenced(("static " if "staticmethod" in decorators else "") + _function(node.name, node))
    yield _markdown(_docstring(node))


def _constructor(node: ast.ClassDef) -> list[str]:
    for member in node.body:
        if isinstance(member, ast.FunctionDef) and member.name == "__init__":
            return _arguments(member.args)
    return [ast.unparse(one) for one in node.body if isinstance(one, ast.AnnAssign)]


def _function(name: str, node: Function) -> str:
    head = "async " if isinstance(node, ast.AsyncFunctionDef) else ""
    return f"{_call(head + name, _arguments(node.args))} -> {_annotation(node.returns)}"


def _call(name: str, arguments: list[str]) -> str:
    line = f"{name}({', '.join(arguments)})"
    return line if len(line) <= _WIDTH else f"{name}(\n" + "".join(f"    {one},\n" for one in arguments) + ")"


def _annotation(node: ast.expr | None) -> str:
    return "None" if node is None else ast.unparse(node)


def _arguments(node: ast.arguments) -> list[str]:
    """The arguments as text, without ``self`` and without private ones."""
    positional = [*node.posonlyargs, *node.args]
    defaults = [None] * (len(positional) - len(node.defaults)) + list(node.defaults)
    shown = [_argument(one, default) for one, default in zip(positional, defaults, strict=True) if _is_public(one)]
    if node.vararg:
        shown.append(f"*{_argument(node.vararg, None)}")
    keyword = [
        _argument(one, default)
        for one, default in zip(node.kwonlyargs, node.kw_defaults, strict=True)
        if _is_public(one)
    ]
    if keyword and not node.vararg:
        shown.append("*")
    shown += keyword
    if node.kwarg:
        shown.append(f"**{_argument(node.kwarg, None)}")
    return shown


def _is_public(argument: ast.arg) -> bool:
    return argument.arg not in ("self", "cls") and not argument.arg.startswith("_")


def _argument(node: ast.arg, default: ast.expr | None) -> str:
    text = node.arg if node.annotation is None else f"{node.arg}: {ast.unparse(node.annotation)}"
    return text if default is None else f"{text} = {ast.unparse(default)}"


def _docstring(node: ast.Module | ast.ClassDef | Function) -> str:
    return ast.get_docstring(node) or ""


def _fenced(text: str) -> str:
    return f"```text\n{text}\n```\n"


def _markdown(docstring: str) -> str:
    """A docstring in numpydoc form as Markdown."""
    text = re.sub(r":\w+:`(?:~[\w.]*\.)?([^`]+)`", r"`\1`", docstring).replace("``", "`")
    out = []
    for title, body in _sections(text):
        if title:
            out.append(f"**{title}**\n")
        out.append(_items(body) if title in _ITEMS else _paragraphs(body))
    return "\n".join(out)


def _sections(text: str) -> Iterator[tuple[str, list[str]]]:
    """(title, lines) of every numpydoc section; the first has no title."""
    lines, title, body = text.splitlines(), "", list[str]()
    for i, line in enumerate(lines):
        following = lines[i + 1] if i + 1 < len(lines) else ""
        if line and re.fullmatch(r"-{3,}", following):
            yield title, body
            title, body = line, []
        elif not (re.fullmatch(r"-{3,}", line) and not body and title):
            body.append(line)
    yield title, body


def _items(lines: list[str]) -> str:
    """``name`` lines with indented descriptions as a list."""
    found: list[tuple[str, list[str]]] = []
    for line in filter(None, lines):
        if line.startswith(" ") and found:
            found[-1][1].append(line.strip())
        else:
            found.append((line.strip(), []))
    return "".join(f"- `{name}`: {' '.join(described)}\n" for name, described in found)


def _paragraphs(lines: list[str]) -> str:
    """Text as it is, with indented blocks fenced."""
    out: list[str] = []
    for block in "\n".join(lines).strip("\n").split("\n\n"):
        out.append(_fenced(dedent(block)) if block.startswith("    ") else f"{block}\n")
    return "\n".join(one.replace("```\n\n```text\n", "\n") for one in out if one.strip())


def main() -> None:
    """Write the pages, and remove those of groups that are gone."""
    pages = render()
    for path in set(HERE.glob("api/*.md")) - {HERE / name for name in pages}:
        path.unlink()
    (HERE / "api").mkdir(exist_ok=True)
    for name, text in pages.items():
        (HERE / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
