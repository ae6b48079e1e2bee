"""Every answer that the tests see is held against doc/openapi.json: its status is listed there, and so are its media type and each of its members."""

import functools
import json
import pathlib
import re

import jsonschema

DOC = json.loads((pathlib.Path(__file__).resolve().parents[2] / "doc/openapi.json").read_text())
seen = set()  # (path, method, status) that some test had


@functools.cache
def validator(path, method, status, media):
    content = DOC["paths"][path][method]["responses"][status]["content"]
    assert media in content, f"{method} {path} {status}: {media} is not in openapi.json"
    return jsonschema.Draft202012Validator(
        {**content[media]["schema"], "components": DOC["components"]}
    )


def operations():
    for path, methods in DOC["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


@functools.cache
def message_validator(kind):
    content = DOC["webhooks"][kind]["post"]["requestBody"]["content"]
    schema = content["application/json"]["schema"]
    return jsonschema.Draft202012Validator({**schema, "components": DOC["components"]})


def check_message(message):
    """A message that a stand-in got is one of those under `webhooks`."""
    message_validator(message["type"]).validate(message)


def template_of(path):
    """The longest path of the document with which this one ends: what stands before it is the prefix."""
    if "/console/" in path and "/console/api/" not in path:
        return "/console/{file}"
    for template in sorted(DOC["paths"], key=len, reverse=True):
        if re.search(
            re.sub(r"\{\w+\}", "[^/]+", re.escape(template).replace(r"\{", "{").replace(r"\}", "}"))
            + "$",
            path,
        ):
            return template
    return None


def check(method, path, status, media, raw):
    template, method = template_of(path), method.lower()
    if method == "head":  # GET's headers: its answer without the body
        assert raw == b"", (path, raw)
        method, raw = "get", None
    if method == "options" and status == 204:
        assert raw == b"" and template is not None, (path, raw)
        return
    if (
        template is None
        or method not in DOC["paths"][template]
        or (
            status in (404, 405, 413)
            and str(status) not in DOC["paths"][template][method]["responses"]
        )
    ):
        assert status in (404, 405, 413), (
            method,
            path,
            status,
        )  # no such route, another method, a body where none belongs
        return
    assert str(status) in DOC["paths"][template][method]["responses"], (
        f"{method} {template} answered {status}, which is not in openapi.json"
    )
    seen.add((template, method, status))
    if "content" not in DOC["paths"][template][method]["responses"][str(status)]:
        assert raw in (b"", None), (path, status, raw)
        return
    media = media.split(";")[0]
    v = validator(template, method, str(status), media)
    if media.endswith("json") and raw is not None:
        v.validate(json.loads(raw))
