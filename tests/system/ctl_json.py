"""Everything that a test gets from roompayctl --json is held against doc/roompayctl.json."""

import functools
import json
import pathlib

import jsonschema
import referencing
import referencing.jsonschema

DOC = pathlib.Path(__file__).resolve().parents[2] / "doc"
FORMS = json.loads((DOC / "roompayctl.json").read_text())
seen = set()  # commands whose JSON some test had


def resource(name):
    contents = json.loads((DOC / name).read_text())
    return referencing.Resource(contents, referencing.jsonschema.DRAFT202012)


@functools.cache
def validator(command):
    registry = referencing.Registry().with_resource("openapi.json", resource("openapi.json"))
    form = {**FORMS["commands"][command], "$defs": FORMS["$defs"]}
    return jsonschema.Draft202012Validator(form, registry=registry)


def check(argv, said):
    """argv: what stood behind roompayctl. Returns the value."""
    value = json.loads(said)
    plain = [a for a in argv if not a.startswith("-")]
    command = next((c for c in (" ".join(plain[:2]), plain[0]) if c in FORMS["commands"]), None)
    assert command is not None, f"{argv}: doc/roompayctl.json does not tell what this prints"
    validator(command).validate(value)
    seen.add(command)
    return value
