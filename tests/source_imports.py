"""The imports that stand in a source file, read and not run."""

import ast


def imports(source: str, module: str, *, is_package: bool, modules: set[str]) -> set[str]:
    """Every module that `source`, the text of `module`, imports anywhere, by its full name."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.split(".") + [""] * is_package
                base = ".".join([*parts[: len(parts) - node.level], *filter(None, [node.module])])
            submodules = {f"{base}.{alias.name}" for alias in node.names} & modules
            found |= submodules
            if len(submodules) < len(node.names):
                found.add(base)
    return found
