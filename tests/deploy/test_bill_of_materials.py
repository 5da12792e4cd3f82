"""The bill of materials is valid CycloneDX, and lists what the lock installs on the image's system."""

import json
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from rendering import REGISTRY, rendered

from hermetic.deploy import Description
from hermetic.deploy.bill_of_materials import bill_of_materials

LOCK = """\
./hermetic.whl --hash=sha256:{a}
one==1.0 \\
    --hash=sha256:{b} \\
    --hash=sha256:{c}
two==2.0 ; sys_platform == 'win32' \\
    --hash=sha256:{b}
three-more==3.0 ; python_full_version < '3.12' and platform_machine == 'x86_64' \\
    --hash=sha256:{c}
""".format(a="a" * 64, b="b" * 64, c="c" * 64)
TARGETS: dict[str, dict[str, Any]] = {
    "docker": {},
    "kubernetes": {"image": f"{REGISTRY}/digits:1", "store": "az://keys/digits"},
    "azureml": {"store": "az://keys/digits"},
    "ray": {"image": f"{REGISTRY}/digits:1", "job": "s3://bucket/job", "memory_gb": 2},
}


@pytest.mark.parametrize("target", TARGETS)
def test_it_is_valid_and_the_same_for_the_same_files(description: Description, tmp_path: Path, target: str) -> None:
    bills = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        rendered(target, folder, description, **TARGETS[target])
        bills.append((folder / "sbom.cdx.json").read_text())
    assert bills[0] == bills[1]
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    assert validator.validate_str(bills[0]) is None
    assert validator.validate_str(bills[0].replace('"purl"', '"url"', 1)) is not None
    assert json.loads(bills[0])["metadata"]["component"]["name"] == "digits"


def components(wheel: str, python: str) -> dict[str, Any]:
    bill = json.loads(bill_of_materials("digits", LOCK, wheel, python))
    return {one["name"]: one for one in bill["components"]}


def test_it_lists_what_is_installed_on_the_images_system() -> None:
    x86, arm = "hermetic-0.1.0-cp311-cp311-manylinux_2_28_x86_64.whl", "hermetic-0.1.0-cp311-cp311-linux_aarch64.whl"
    assert set(components(x86, "3.11")) == {"hermetic", "one", "three-more"}
    assert set(components(x86, "3.12")) == set(components(arm, "3.11")) == {"hermetic", "one"}


def test_hashes_are_those_of_the_lock() -> None:
    found = components("hermetic-0.1.0-cp311-cp311-linux_x86_64.whl", "3.11")
    assert [one["content"] for one in found["hermetic"]["hashes"]] == ["a" * 64]
    (source,) = found["one"]["externalReferences"]
    assert {one["content"] for one in source["hashes"]} == {"b" * 64, "c" * 64}
    assert found["one"]["purl"] == "pkg:pypi/one@1.0"
