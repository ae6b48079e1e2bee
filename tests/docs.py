"""docs.py TREE: claims of the documents that a program can check, against the code. Speaks TAP."""

import json
import pathlib
import re
import sys
import textwrap

TOP = pathlib.Path(sys.argv[1])
PAGES = sorted(
    p
    for pattern in ("*.md", "doc/*.md", "clients/*/README*.md", "examples/*/README*.md")
    for p in TOP.glob(pattern)
)
MANS = sorted((TOP / "man").glob("*.[1578]"))
WIDTH = 100


def read(path):
    return (TOP / path).read_text()


def name(path):
    return str(path.relative_to(TOP))


def sources(*folders):
    return "".join(p.read_text() for d in folders for p in sorted((TOP / d).rglob("*.[ch]")))


def without_fences(text):
    return re.sub(r"^ *```.*?^ *```", "", text, flags=re.M | re.S)


def fences(text, kind):
    found = re.findall(rf"^( *)```{kind}\n(.*?)^ *```", text, re.M | re.S)
    return [textwrap.dedent(body) for _, body in found]


def spans(text):
    return set(re.findall(r"`([^`]+)`", re.sub(r"\s+", " ", without_fences(text))))


def table(text, *columns):
    """The rows below the header that begins with these columns."""
    head = "| " + " | ".join(columns)
    lines = text[text.index("\n" + head) + 1 :].split("\n")[2:]
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([c.strip() for c in re.split(r"(?<!\\)\|", line)[1:-1]])
    return rows


def anchors(text):
    """As GitHub makes them of headings: small letters, no punctuation, - for blanks."""
    out = set()
    for heading in re.findall(r"^#+ (.+)$", without_fences(text), re.M):
        heading = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
        out.add(re.sub(r" ", "-", re.sub(r"[^\w\- ]", "", heading)))
    return out


# --- the pages themselves


def links_lead_somewhere():
    wrong = []
    for page in PAGES:
        for target in re.findall(r"\]\(([^)\s]+)\)", without_fences(page.read_text())):
            if re.match(r"https?:", target):
                continue
            path, _, anchor = target.partition("#")
            to = (page.parent / path).resolve() if path else page
            if not to.exists():
                wrong.append(f"{name(page)}: {target}")
            elif anchor and to.suffix == ".md" and anchor not in anchors(to.read_text()):
                wrong.append(f"{name(page)}: no heading for {target}")
    return wrong


def the_table_of_contents_is_complete():
    contents = read("doc/README.md")
    return [
        name(p)
        for p in sorted((TOP / "doc").iterdir())
        if p.is_file() and p.name != "README.md" and f"({p.name})" not in contents
    ]


def the_documents_are_installed():
    made = read("Makefile.am").partition("nobase_dist_doc_DATA")[2].partition("\n\n")[0].split()
    return [name(p) for p in sorted((TOP / "doc").rglob("*.*")) if name(p) not in made]


def lines_are_short():
    wrong = []
    for page in PAGES:
        for n, line in enumerate(page.read_text().split("\n"), 1):
            if len(line) > WIDTH and not line.lstrip().startswith("|"):
                wrong.append(f"{name(page)}:{n}: {len(line)} characters")
    return wrong


def named_files_exist():
    wrong = []
    folders = "lib|fcgi|queued|courier|ctl|sim|tests|etc|man|dev|doc"
    for page in PAGES:
        for span in spans(page.read_text()):
            for path in re.findall(rf"^((?:{folders})/[\w./-]+)", span):
                path = path.rstrip(".").split("::")[0]
                if not (TOP / path).exists() and not list(TOP.glob(path + "*.*")):
                    wrong.append(f"{name(page)}: {path}")
    return wrong


def identifiers_are_the_codes():
    """A NAME_LIKE_THIS that a page says stands in the tree, too."""
    folders = ("lib", "fcgi", "queued", "courier", "ctl", "sim", "tests", "dev")
    kinds = (".c", ".h", ".py", ".sh", ".mjs", "")
    code = "".join(
        p.read_text(errors="replace")
        for d in folders
        for p in (TOP / d).rglob("*")
        if p.is_file() and p.suffix in kinds and p.stat().st_size < 400000
    )
    return [
        f"{name(page)}: {word}"
        for page in PAGES
        for word in sorted(set(re.findall(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b", page.read_text())))
        if word not in code
    ]


def named_tests_exist():
    """`tests/...::name`: the file has a function of that name."""
    wrong, n = [], 0
    for page in PAGES:
        for path, test in re.findall(r"`(tests/[\w/]+\.(?:py|c))::(\w+)", page.read_text()):
            n += 1
            if not (TOP / path).exists() or not re.search(rf"\b{test}\(", read(path)):
                wrong.append(f"{name(page)}: {path}::{test}")
    assert n > 20
    return wrong


def twins_say_the_same():
    """Every name, command and snippet that stands in one language stands in the other."""
    wrong = []
    for korean in [p for p in PAGES if p.name.endswith(".ko.md")]:
        english = korean.with_name(korean.name.replace(".ko.md", ".md"))
        a, b = english.read_text(), korean.read_text()
        wrong += [f"{name(korean)} lacks `{s}`" for s in sorted(spans(a) - spans(b))]
        wrong += [f"{name(english)} lacks `{s}`" for s in sorted(spans(b) - spans(a))]
        if fences(a, "js") != fences(b, "js"):
            wrong.append(f"{name(korean)}: its snippets are others")
        if len(re.findall("^## ", a, re.M)) != len(re.findall("^## ", b, re.M)):
            wrong.append(f"{name(korean)}: it has another number of sections")
    return wrong


def snippets_are_parts_of_the_example():
    def lines(text):
        return "\n".join(line.strip() for line in text.split("\n") if line.strip())

    site = lines(read("doc/examples/site.mjs"))
    snippets = fences(read("doc/integration.md"), "js")
    assert len(snippets) >= 6
    return [s.split("\n")[0] for s in snippets if lines(s) not in site]


# --- against the code


PARAMETERS = {"/console/": "{file}", "/console/api/deliveries/": "{id}"}


def routes():
    code = read("fcgi/route.c")
    rows = re.findall(r'\{ "(GET|POST)", +"(/[\w./]+)", +([\w |]+?), +handle', code)
    assert len(rows) > 10
    return {
        (m, p + (PARAMETERS.get(p, "{tid}") if p.endswith("/") else "")): {
            w.lower()
            for w in re.findall(
                r"ROLE_(\w+)", roles.replace("LOOKS", "ROLE_OPERATOR | ROLE_VIEWER")
            )
        }
        for m, p, roles in rows
    }


def roles_in(text):
    return set(re.findall("gateway|reservation|operator|refund|viewer", text))


def routes_of_the_reference():
    of_page = {}
    for query, roles, _ in table(read("doc/http.md"), "query", "role", "what it does"):
        for method, path in re.findall(r"`(GET|POST) ([^`]+)`", query):
            of_page[(method, path)] = roles_in(roles)
    return differences(routes(), of_page)


def routes_of_the_manual():
    of_page = {}
    for line in re.findall(r"^\.It ((?:GET|POST) .*)$", read("man/roompay.fcgi.8"), re.M):
        query, roles, _ = line.split(" Ta ")
        method, _, paths = query.partition(" ")
        for path in re.split(", ", paths):
            of_page[(method, path.partition("?")[0])] = roles_in(roles)
    return differences(routes(), of_page)


def routes_of_openapi():
    paths = json.loads(read("doc/openapi.json"))["paths"]
    of_page = {
        (m.upper(), p) for p, methods in paths.items() for m in methods if m in ("get", "post")
    }
    return [str(r) for r in sorted(set(routes()) ^ of_page)]


def words_of_openapi():
    """The messages and the cards that openapi.json names are those of the code."""
    doc = json.loads(read("doc/openapi.json"))
    kinds = set(
        re.findall(r'\{ "(\w+\.\w+)", "(?:gateway|reservation)"', read("lib/delivery/outbox.c"))
    )
    kinds |= set(re.findall(r'test_type\[\] = "([\w.]+)"', read("lib/delivery/outbox.c")))
    wrong = kinds ^ set(doc["webhooks"])
    code = re.search(r"card_codes\[\] = \{(.*?)\}", sources("fcgi"), re.S)[1]
    pay = doc["components"]["schemas"]["PaymentInfo"]["properties"]
    wrong |= set(re.findall(r'"([^"]+)"', code)) ^ set(pay["available_cards"]["items"]["enum"])
    return sorted(wrong)


def differences(a, b):
    return [
        f"{k}: code {a.get(k)}, page {b.get(k)}" for k in sorted({*a, *b}) if a.get(k) != b.get(k)
    ]


def problems():
    code = re.findall(r'\{ "([a-z-]+)", (\d{3}), (true|false), (\d+), \{', read("fcgi/problem.c"))
    assert len(code) > 25
    of_code = {c: (s, charged == "true", retry != "0") for c, s, charged, retry in code}
    rows = table(read("doc/http.md"), "status", "code", "`charged`", "`Retry-After`", "when")
    return differences(
        of_code, {r[1].strip("`"): (r[0], r[2] == "yes", r[3] == "yes") for r in rows}
    )


def shown_words_are_the_programs():
    """Titles and details that a page shows are in fcgi/problem.c, or an operator's, as they are."""
    code = re.sub(r'"\s*"', "", read("fcgi/problem.c") + sources("lib/operate"))
    texts = [(name(p), re.sub(r"\s+", " ", p.read_text())) for p in PAGES]
    texts.append(("doc/openapi.json", read("doc/openapi.json")))
    shown = [
        (page, t)
        for page, text in texts
        for t in re.findall(r'"(?:title|detail)": ?"([^"]+)"', text)
        if t != "roompay"
    ]
    assert len(shown) >= 4
    return [f"{page}: {t}" for page, t in shown if t not in code]


def codes_of_fields():
    of_code = set(re.findall(r'\[FIELD_\w+\] = "([a-z-]+)"', read("lib/json/field.c")))
    text = re.sub(r"\s+", " ", read("doc/http.md"))
    listed = text[text.index("`code` is one of") + len("`code` is one of") :].split(". ")[0]
    return sorted(of_code ^ set(re.findall(r"`([a-z-]+)`", listed)))


def messages():
    of_code = set(
        re.findall(r'\{ "(\w+\.\w+)", "(?:gateway|reservation)"', read("lib/delivery/outbox.c"))
    )
    rows = table(read("doc/http.md"), "type", "to", "`data`")
    return sorted(of_code ^ {r[0].strip("`") for r in rows})


def entries(page, macro):
    """{name: text} of a manual page's `.It MACRO name` entries, in order; names may repeat."""
    parts = re.split(rf"^\.It {macro} ", read(page), flags=re.M)[1:]
    return [(p.split("\n")[0], re.sub(r"\s+", " ", p.split("\n.El")[0])) for p in parts]


def settings():
    """Each key of the code is in roompay.conf(5) with its range and its default, and no other."""
    conf = next(
        p
        for p in (TOP / "lib").rglob("conf*.c")
        if "static const struct conf_key keys[]" in p.read_text()
    ).read_text()
    row = r'^\t\{ "([a-z]+)", +"([a-z_0-9]+)", +set_(\w+),\s*(.*?) \},$'
    rows = re.findall(row, conf, re.M | re.S)
    assert len(rows) > 30
    page, section = {}, None
    for line in read("man/roompay.conf.5").split("\n"):
        if m := re.match(r"\.Ss Section (\w+)", line):
            section = m[1]
        elif m := re.match(r"\.It Cm (\w+)$", line):
            key = (section, m[1])
            page[key] = ""
        elif line.startswith((".Sh", ".El")):
            key = None
        elif section and key:
            page[key] += " " + line
    wrong = [
        f"[{s}] {k}: only in one of them"
        for s, k in sorted({(s, k) for s, k, _, _ in rows} ^ set(page))
    ]
    for s, k, _kind, rest in rows:
        text = page.get((s, k), "").replace(".Cm ", "")
        number = re.search(r"\), (\d+), (\d+), \d+, \"(\d+)\"", rest)
        default = number[3] if number else (re.search(r'\.preset = "(\w+)"', rest) or [0, ""])[1]
        if number and not re.search(rf"\b{number[1]} to {number[2]}\b", text):
            wrong.append(f"[{s}] {k}: {number[1]} to {number[2]} is not said")
        if default and not re.search(
            rf"default[ :]+(Ql )?{default}\b|{default} \(default|"
            rf"{default} \(the default|\b{default} "
            rf"Pq default",
            text,
        ):
            wrong.append(f"[{s}] {k}: its default {default} is not said")
        if ".required = true" in rest and "Required" not in text and "required" not in text:
            wrong.append(f"[{s}] {k}: that it is required is not said")
    return wrong


def commands_of_roompayctl():
    code = read("ctl/commands.c")
    rows = re.findall(r'^\t\{ "([a-z ]+)", +"[^"]*", +"([^"]*)", +\{', code, re.M)
    assert len(rows) > 15
    page = {
        re.split(r" (?:Op|Ar|Fl) ", line)[0].strip(): line
        for line, _ in entries("man/roompayctl.8", "Cm")
    }
    wrong = sorted({w for w, _ in rows} ^ set(page))
    for words, options in rows:
        told = set(re.findall(r"Fl -([a-z-]+)", page.get(words, "")))
        if told - {"reason", "dry-run"} != set(options.split()) - {"reason", "dry-run"}:
            wrong.append(f"{words}: code {options}, page {' '.join(sorted(told))}")
    return wrong


def commands_that_pages_name():
    """What a page tells an operator to type is a command, with options that it knows."""
    rows = re.findall(r'^\t\{ "([a-z ]+)", +"[^"]*", +"([^"]*)", +\{', read("ctl/commands.c"), re.M)
    known = {
        words: {*options.split(), "reason", "dry-run", "json", "wide", "lang"}
        for words, options in rows
    }
    wrong, n = [], 0
    for page in PAGES:
        text = re.sub(r"\s+", " ", page.read_text())
        for typed in re.findall(r"roompayctl (?:-c \S+ )?([a-z][^`$]*?)[`$]", text):
            words = next((w for w in known if re.match(rf"{w}( |$)", typed)), None)
            n += words is not None
            if words is None and re.match(r"[a-z]+( [a-z]+)?$", typed):
                wrong.append(f"{name(page)}: roompayctl {typed}")
            for option in re.findall(r" --([a-z-]+)", typed) if words else ():
                if option not in known[words]:
                    wrong.append(f"{name(page)}: {words} --{option}")
    assert n > 40
    return wrong


def exit_codes():
    wrong = []
    for page, path, pattern in (
        ("man/roompay-queued.8", "queued/main.c", r"enum exit_code \{(.*?)\}"),
        ("man/roompayctl.8", "ctl/command.h", r"enum ctl_exit \{(.*?)\}"),
    ):
        of_code = set(re.findall(r"= (\d+)", re.search(pattern, read(path), re.S)[1]))
        status = read(page).split(".Sh EXIT STATUS")[1].split("\n.Sh")[0]
        if of_code != (of_page := set(re.findall(r"^\.It (\d+)", status, re.M))):
            wrong.append(f"{page}: code {sorted(of_code)}, page {sorted(of_page)}")
    return wrong


def events_of_the_manuals():
    """Each event that a manual page names is one that the code logs."""
    code = sources("lib", "fcgi", "queued", "queuelog", "courier", "ctl", "sim")
    wrong = []
    for page in MANS:
        for line in re.findall(r"^\.It Li (.+)$", page.read_text(), re.M):
            wrong += [
                f"{name(page)}: {e}" for e in re.split(r"[ ,]+", line) if e and f'"{e}"' not in code
            ]
    return wrong


def ledger_kinds():
    of_code = set(re.findall(r'\[LK_\w+\] = "(\w+)"', read("lib/money/ledger.c")))
    rows = table(read("doc/ledger.md"), "kind", "says", "written by")
    return sorted(of_code ^ {k for r in rows for k in re.findall(r"`(\w+)`", r[0])})


def collections():
    """Each collection has its section in ledger.md, with every member; in brackets what may
    lack, and every index."""
    code = read("lib/store/shape.c")
    shapes = re.findall(r'\.collection = "(\w+)",\s*SHAPE\(\w+, (\w+)\)', code)
    assert len(shapes) >= 7
    page = read("doc/ledger.md")
    sections = dict(re.findall(r"^### (\w+)$(.*?)(?=^###? |\Z)", page, re.M | re.S))
    wrong = [f"{c}: only in one of them" for c in sorted({c for c, _ in shapes} ^ set(sections))]
    for collection, columns in shapes:
        text = sections.get(collection, "")
        body = re.search(rf"struct column {columns}\[\] = \{{(.*?)^\}};", code, re.M | re.S)[1]
        for must, member in re.findall(r'(MUST|MAY)\(COLUMN_\w+, "(\w+)"', body):
            form = rf"(?<!\[)\b{member}\b" if must == "MUST" else rf"\[{member}\b"
            if not re.search(form, text) and not (collection == "meta" and member in text):
                wrong.append(f"{collection}.{member} ({must.lower()})")
    code = read("lib/store/mongo_index.c")
    indexes = re.findall(r'^\t\{ "(\w+)", "\w+",\s*(\{ \{.*?\} \})[ ,]', code, re.M | re.S)
    assert len(indexes) >= 10
    for collection, keys in indexes:
        named = ", ".join(re.findall(r'\{ "([\w.]+)", -?1 \}', keys))
        text = re.sub(r"\s+", " ", sections.get(collection, "")).partition("Index")[2]
        if not re.search(rf"(: |; )\b{re.escape(named)}(;|\.| \()", text):
            wrong.append(f"{collection}: index of {named}")
    return wrong


def verbs():
    of_code = set(re.findall(r'\.name = "([a-z-]+)"', read("lib/queue/wire/verb.c")))
    assert len(of_code) > 15
    headings = re.findall(r"^### (.+)$", read("doc/protocol.md"), re.M)
    words = {h.split(" ")[0] for line in headings for h in line.split(", ")}
    return sorted(of_code ^ words)


def states_of_holds():
    of_code = set(re.findall(r'\[HOLD_[A-Z]+\] = "(\w+)"', read("lib/booking/hold.c")))
    row = next(r for r in table(read("doc/protocol.md"), "name", "value") if r[0] == "`state`")
    return sorted(of_code ^ set(re.findall(r"`(\w+)`", row[1])))


def faults_of_the_simulator():
    of_code = set(re.findall(r'\[FAULT_\w+\]\s*= \{ "([\w-]+)"', read("sim/fault.c"))) - {"none"}
    page = read("doc/simulator.md")
    rows = table(page, "fault", "on", "without `after_commit`", "answer")
    wrong = of_code ^ {f for r in rows for f in re.findall(r"`([\w-]+)`", r[0])}
    switches = set(re.findall(r'\{ "(\w+)",\s+SWITCH_', read("sim/dial.c")))
    wrong |= switches ^ {r[0].strip("`") for r in table(page, "name", "values", "meaning")}
    return sorted(wrong)


def answers_of_kakaopay():
    """Each code of KakaoPay's means to each call what the table in the code says."""
    short = {"NE": "NE", "TR": "token", "DE": "D", "WO": "window", "IQ": "inquire", "UN": "unknown"}
    path = name(next((TOP / "lib").rglob("outcome.c")))
    rows = re.findall(r"^\t\{ (-\d+), +\{ (\w+), (\w+), (\w+), (\w+) \}", read(path), re.M)
    assert len(rows) > 40
    of_code = {code: [short[o] for o in outcomes] for code, *outcomes in rows}
    of_page = {
        code: row[2:]
        for row in table(read("doc/kakaopay.md"), "code", "meaning", "ready")
        for code in re.findall(r"-\d+", row[0])
    }
    return differences(of_code, of_page)


def layers():
    """The chain and the table of architecture.md are those of tests/layers.t and of the tree."""
    test, page = read("tests/layers.t"), read("doc/architecture.md")
    in_test = re.search(r'^layers="([a-z ]+)"', test, re.M)[1].split()
    chain = re.search(r"^```text\n(base → .*?)```", page, re.M | re.S)[1]
    in_page = re.findall(r"[a-z]+", chain.partition("the programs")[0])
    wrong = [] if in_test == in_page else [f"layers.t: {in_test}", f"architecture.md: {in_page}"]
    rows = {
        r[0].strip("`").split("/")[1] if r[0].startswith("`lib/") else r[0].strip("`")
        for r in table(page, "folder", "what", "knows")
    }
    folders = {p.name for p in (TOP / "lib").iterdir() if p.is_dir()}
    folders |= set(re.search(r'^programs="([a-z ]+)"', test, re.M)[1].split())
    return wrong + sorted(rows ^ folders)


def short_names_exist():
    """A `file.c` without its folder, in a row that names a folder before, is in one of those."""
    wrong = []
    for line in read("doc/architecture.md").split("\n"):
        named = re.findall(r"`([\w./*-]+\.[ch])`", line)
        folders = {str(pathlib.PurePath(n).parent) for n in named if "/" in n}
        folders |= set(re.findall(r"`((?:lib|fcgi|queued|queuelog|courier|ctl|sim)[\w/]*)`", line))
        for short in (n for n in named if "/" not in n and "*" not in n):
            if not any((TOP / f / short).exists() for f in folders or {""}) and not any(
                list((TOP / d).rglob(short)) for d in ("lib", "tests")
            ):
                wrong.append(f"{short} in: {line[:60]}")
    return wrong


def programs():
    rules = "".join(p.read_text() for p in TOP.glob("*/Makefile.inc"))
    made = re.findall(r"^(?:sbin|bin|libexec)_PROGRAMS \+= \w+/([\w.-]+)", rules, re.M)
    assert len(made) == 6
    wrong = []
    for page in ("man/roompay.7", "doc/architecture.md"):
        wrong += [f"{page} lacks {p}" for p in made if p not in read(page)]
    for p in made:
        if not list((TOP / "man").glob(p + ".[18]")):
            wrong.append(f"{p} has no manual page")
    return wrong


CHECKS = [
    links_lead_somewhere,
    the_table_of_contents_is_complete,
    the_documents_are_installed,
    lines_are_short,
    named_files_exist,
    identifiers_are_the_codes,
    named_tests_exist,
    twins_say_the_same,
    snippets_are_parts_of_the_example,
    routes_of_the_reference,
    routes_of_the_manual,
    routes_of_openapi,
    words_of_openapi,
    problems,
    shown_words_are_the_programs,
    codes_of_fields,
    messages,
    settings,
    commands_of_roompayctl,
    commands_that_pages_name,
    exit_codes,
    events_of_the_manuals,
    ledger_kinds,
    collections,
    verbs,
    states_of_holds,
    faults_of_the_simulator,
    answers_of_kakaopay,
    layers,
    short_names_exist,
    programs,
]


def main():
    print(f"1..{len(CHECKS)}")
    bad = False
    for n, check in enumerate(CHECKS, 1):
        wrong = check()
        print(f"{'not ok' if wrong else 'ok'} {n} - {check.__name__.replace('_', ' ')}")
        for w in wrong:
            print(f"# {w}")
        bad = bad or bool(wrong)
    return 1 if bad else 0


sys.exit(main())
