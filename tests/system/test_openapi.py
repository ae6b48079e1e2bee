"""The document is served as it stands in the tree, names every route with its methods, and a machine that knows it alone finds nothing wrong."""

import copy
import json
import os
import pathlib
import re
import subprocess
import sys

import answers
import jsonschema
import pytest
from booking_site import PROBLEMS, eventually, http_call
from conftest import make

TOP = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def site():
    yield from make(workers=8, auto_remove=False)


def test_it_is_served(site):
    a = http_call("GET", site.base + "/openapi.json")
    assert (
        a.status == 200
        and a.headers["content-type"] == "application/json"
        and a.raw == (TOP / "doc/openapi.json").read_bytes()
    )


def test_it_names_each_route_and_no_other():
    rows = re.findall(r'\{ "(GET|POST)", +"([^"]+)",', (TOP / "fcgi/route.c").read_text())
    named = {(m.upper(), p) for p, ms in answers.DOC["paths"].items() for m in ms}
    more = {"/console/": "{file}", "/console/api/deliveries/": "{id}"}
    rows = {(m, p + more.get(p, "{tid}") if p.endswith("/") else p) for m, p in rows}
    assert len(rows) > 30 and rows == named


def test_its_problem_codes_are_ours():
    assert set(
        answers.DOC["components"]["schemas"]["Problem"]["properties"]["code"]["enum"]
    ) == set(PROBLEMS)


def test_its_payment_info_is_the_table_of_rules():
    """Names, types, bounds and what is required, read from the table in the source."""
    source, schema = (
        (TOP / "fcgi/request_ready.c").read_text(),
        answers.DOC["components"]["schemas"]["PaymentInfo"],
    )
    numbers = {"QUANTITY_MAX": 1000000, "MAX_WON": 1000000000}
    members, text = schema["properties"], answers.DOC["components"]["schemas"]["Text"]
    needed, seen = set(), set()
    for kind, name, flags, low, high in re.findall(
        r"PAY_(STR|INT)\((\w+), +(true|false), +(\d+), +(\w+)", source
    ):
        m, low, high = members[name], int(low), numbers.get(high) or int(high)
        seen.add(name)
        needed |= {name} if flags == "true" else set()
        m = text if m.get("$ref", "").endswith("/Text") else m
        if kind == "INT":
            assert (m["type"], m["minimum"], m["maximum"]) == ("integer", low, high), name
        elif name == "cid":
            assert m["pattern"] == f"^[A-Za-z0-9]{{{low}}}$" == f"^[A-Za-z0-9]{{{high}}}$"
        elif "enum" not in m:
            assert (m["type"], m["minLength"], m["maxLength"]) == ("string", low, high), name
    urls = set(re.findall(r"PAY_URL\((\w+_url)\)", source))
    assert len(seen) == 14 and len(urls) == 3
    assert seen | urls | {"available_cards", "custom_json"} == set(
        members
    ) and needed | urls == set(schema["required"])


def test_its_examples_are_valid():
    schemas = answers.DOC["components"]["schemas"]
    examples = [(name, e) for name, s in schemas.items() for e in s.get("examples", ())]
    assert len(examples) >= 20
    for name, example in examples:
        jsonschema.Draft202012Validator(
            {**schemas[name], "components": answers.DOC["components"]}
        ).validate(example)


def test_each_answer_has_an_example():
    """Problems have one for each code that the operation answers; what is no problem has those of its schema."""
    schemas, examples = answers.DOC["components"]["schemas"], answers.DOC["components"]["examples"]

    def is_shown(schema):
        if "$ref" in schema:
            return is_shown(schemas[schema["$ref"].rsplit("/", 1)[1]])
        return schema.get("examples") or ("oneOf" in schema and is_shown(schema["oneOf"][0]))

    for path, _, operation in answers.operations():
        for status, answer in operation["responses"].items():
            for media, content in answer.get("content", {}).items():
                if media == "application/problem+json":
                    values = [
                        examples[e["$ref"].rsplit("/", 1)[1]]["value"]
                        for e in content.get("examples", {}).values()
                    ]
                    assert values and {str(v["status"]) for v in values} == {status}, (path, status)
                elif media == "application/json" and path != "/openapi.json":
                    assert is_shown(content["schema"]), (path, status)


def test_its_problems_have_our_words():
    source, examples = (TOP / "fcgi/problem.c").read_text(), answers.DOC["components"]["examples"]
    assert set(PROBLEMS) - set(examples) == {"method-not-allowed"}
    for code, example in examples.items():
        v = example["value"]
        answers.validator("/payReady", "post", "409", "application/problem+json").validate(v)
        assert v["code"] == code and f'"{v["title"]}"' in source and f'"{v["detail"]}"' in source, (
            code
        )
        assert v["status"] == PROBLEMS[code][0] and v.get("charged") in PROBLEMS[code][2], code


def test_its_messages_are_those_that_are_sent(site):
    """Each message that a test receives is held against it (stack.Peer); here each of them is received once."""
    body, _, paid = site.paid()
    tid = paid.body["payment"]["tid"]
    assert (
        site.remove(body["userInfo"]["userId"], body["reservationInfo"]["roomId"], tid).status
        == 200
    )
    assert site.refund(tid, amount=1000).status == 200
    _, opened = site.opened()
    site.sim.fault("approve", "close-after")
    site.sim.fault("order", "http-500", 3)
    token = site.sim.pay(opened.body["tid"])
    assert (
        site.approve(opened.body["hold"]["userId"], opened.body["hold"]["roomId"], token).status
        == 202
    )
    site.stack.ctl("deliveries", "test", "gateway")
    both, wanted = (site.stack.gateway, site.stack.reservation), set(answers.DOC["webhooks"])
    eventually(lambda: wanted <= {m["type"] for peer in both for m in peer.received}, 40)


def test_each_operation_has_a_name_of_its_own():
    operations = [
        o
        for part in ("paths", "webhooks")
        for ms in answers.DOC[part].values()
        for o in ms.values()
    ]
    names = [o["operationId"] for o in operations]
    assert len(set(names)) == len(names) == len(operations) > 15
    tags = {t["name"] for t in answers.DOC["tags"]}
    assert {t for o in operations for t in o["tags"]} == tags


def test_a_message_that_is_not_in_it_is_found():
    message = copy.deepcopy(answers.DOC["components"]["schemas"]["PaymentApproved"]["examples"][0])
    answers.check_message(message)
    message["data"]["more"] = 1
    with pytest.raises(jsonschema.ValidationError):
        answers.check_message(message)


def test_an_answer_that_is_not_in_it_is_found():
    with pytest.raises(jsonschema.ValidationError):
        answers.check("GET", "/pay/livez", 200, "application/json", b'{"live":true,"more":1}')
    with pytest.raises(AssertionError):
        answers.check("GET", "/pay/livez", 201, "application/json", b'{"live":true}')
    with pytest.raises(AssertionError):
        answers.check("GET", "/pay/livez", 200, "text/html", b"")


# Each boundary of each schema once takes minutes: with ROOMPAY_OPENAPI=all.
MACHINES = [("operator", "fuzzing"), ("gateway", "fuzzing")] + [("gateway", "coverage")] * (
    os.environ.get("ROOMPAY_OPENAPI") == "all"
)


@pytest.mark.parametrize(("caller", "phases"), MACHINES)
def test_a_machine_that_knows_the_document_finds_nothing(site, caller, phases, tmp_path):
    doc = tmp_path / "openapi.json"
    doc.write_text(json.dumps({**answers.DOC, "servers": [{"url": site.base}]}))
    done = subprocess.run(
        [
            str(pathlib.Path(sys.executable).parent / "schemathesis"),
            "run",
            str(doc),
            "--url",
            site.base,
            "--header",
            "Authorization: Bearer " + site.stack.tokens[caller],
            "--checks",
            "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance,ignored_auth",
            "--phases",
            phases,
            "--max-examples",
            "12",
            "--seed",
            "7",
            "--workers",
            "4",
            "--suppress-health-check",
            "all",
        ],
        capture_output=True,
        text=True,
        timeout=400,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
