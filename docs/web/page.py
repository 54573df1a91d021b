#!/usr/bin/python3
"""Makes the documentation page.

    docs/web/page.py FOLDER

Into the folder come index.html and docs/ with what it loads. The prose is
docs/api.md; between its marks "page: NAME" and "page: end" the page has instead
what docs/openapi.json says: the members of a request, a live form for each
method, and an example of each error. The page is whole without its script.
"""
import json
import re
import shutil
import sys
from html import escape
from pathlib import Path

WEB = Path(__file__).resolve().parent
DOCS = WEB.parent
DOCUMENT = json.loads((DOCS / "openapi.json").read_text())
OPERATION = DOCUMENT["paths"]["/method"]["post"]
JSON = "application/json"
REQUESTS = {name: example["value"] for name, example in
            OPERATION["requestBody"]["content"][JSON]["examples"].items()}
ORIGIN = "http://127.0.0.1:8080"  # until the script knows better
INLINE_MAX = 60  # characters of an array that stays in one line

# The file of docs/web/samples, the name of the language, how it says where the
# token comes from (None: the sample puts it in by itself), and its literals
# for true, false and null where those are not JSON's.
SAMPLES = [
    ("curl.sh", "curl", "\"'\"$API_TOKEN\"'\"", None),
    ("python.py", "Python", 'os.environ["API_TOKEN"]',
     ("True", "False", "None")),
    ("php.php", "PHP", None, None),
    ("go.go", "Go", None, None),
    ("node.mjs", "Node", "process.env.API_TOKEN", None),
]


def resolve(node):
    while "$ref" in node:
        target = DOCUMENT
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        node = {**target, **{k: v for k, v in node.items() if k != "$ref"}}
    return node


# --- Markdown, as much of it as the documents use

def inline(text):
    """Code, strong, emphasis and links."""
    parts = re.split(r"`([^`]*)`", text)
    for i, part in enumerate(parts):
        part = escape(part, quote=False)
        if i % 2:
            parts[i] = f"<code>{part}</code>"
            continue
        part = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", part)
        part = re.sub(r"\*(.+?)\*", r"<em>\1</em>", part)
        parts[i] = part
    return re.sub(r"\[([^]]+)\]\(([^)]+)\)", link, "".join(parts))


def link(match):
    text, target = match.groups()
    if target.startswith("#") or target == "openapi.json":
        return f'<a href="{target}">{text}</a>'
    return text  # a file of the source, which is not served


def slug(title):
    return re.sub(r"[^a-z0-9_]+", "-", title.lower()).strip("-")


def table(lines):
    head, _, *body = [[cell.strip() for cell in line.strip("|").split("|")]
                      for line in lines]
    rows = ["<tr>" + "".join(f"<th scope=\"col\">{inline(c)}</th>" if c else
                             "<td></td>" for c in head) + "</tr>"]
    rows += ["<tr>" + "".join(f"<td>{inline(c)}</td>" for c in cells) + "</tr>"
             for cells in body]
    return "<table>" + "\n".join(rows) + "</table>"


def block(text, contents):
    """One block of Markdown; a heading is also added to the contents."""
    lines = text.split("\n")
    if text.startswith("```"):
        return code("\n".join(lines[1:-1]))
    if match := re.match(r"(#+) (.*)", text):
        return heading(len(match[1]), match[2], contents)
    if text.startswith("|"):
        return table(lines)
    if text.startswith("- "):
        items = re.split(r"\n- ", text[2:])
        return "<ul>" + "\n".join(f"<li>{inline(unfold(item))}</li>"
                                  for item in items) + "</ul>"
    return f"<p>{inline(unfold(text))}</p>"


def unfold(text):
    return re.sub(r"\s*\n\s*", " ", text)


def heading(level, title, contents):
    name = slug(title)
    contents.append((level, name, title))
    return f'<h{level} id="{name}">{inline(title)}</h{level}>'


def markdown(text, contents):
    blocks = re.findall(r"^```[^\n]*\n.*?^```$|(?:^(?!```)[^\n]+\n?)+", text,
                        re.M | re.S)
    return "\n".join(block(b.strip("\n"), contents) for b in blocks)


def code(text):
    return f"<pre><code>{escape(text, quote=False)}</code></pre>"


# --- requests, as JSON and in other languages

def pretty(value, literal=json.dumps, depth=0):
    """JSON over several lines, but short arrays of scalars in one."""
    inner, outer = "  " * (depth + 1), "  " * depth
    if isinstance(value, Verbatim):
        return str(value)
    if isinstance(value, dict) and value:
        lines = [f"{inner}{json.dumps(k, ensure_ascii=False)}: "
                 f"{pretty(v, literal, depth + 1)}" for k, v in value.items()]
        return "{\n" + ",\n".join(lines) + f"\n{outer}}}"
    if isinstance(value, list) and value:
        items = [pretty(v, literal, depth + 1) for v in value]
        short = "[" + ", ".join(items) + "]"
        if len(short) <= INLINE_MAX and "\n" not in short:
            return short
        return "[\n" + ",\n".join(inner + i for i in items) + f"\n{outer}]"
    return literal(value)


class Verbatim(str):
    """A text that is no string of JSON, but an expression."""


def literals(words):
    def literal(value):
        text = json.dumps(value, ensure_ascii=False)
        for quote in "'`$":  # what ends a string, or is replaced in one
            text = text.replace(quote, f"\\u{ord(quote):04x}")
        return dict(zip(("true", "false", "null"), words)).get(text, text) \
            if words else text
    return literal


def sample(file, name, token, words, request):
    """A program that sends the request; the script replaces its spans."""
    request = {k: v for k, v in request.items() if k != "token"}
    if token:
        position = list(request).index("method")
        items = list(request.items())
        items.insert(position, ("token", Verbatim(token)))
        request = dict(items)
    data = "".join(f' data-{k}="{escape(v)}"' for k, v in
                   (("token", token), ("words", " ".join(words or ()))) if v)
    body = escape(pretty(request, literals(words)), quote=False)
    text = escape((WEB / "samples" / file).read_text().rstrip(), quote=False)
    text = text.replace("@ORIGIN@", f'<span class="origin">{ORIGIN}</span>')
    text = text.replace("@REQUEST@",
                        f'<span class="request"{data}>{body}</span>')
    return text


def samples(method, request):
    """One of them at a time: radio buttons, so that no script is needed."""
    choices, panes = [], []
    for number, (file, name, token, words) in enumerate(SAMPLES):
        ident = f"{method}-{name.lower()}"
        choices.append(
            f'<input type="radio" name="{method}-sample" id="{ident}" '
            f'class="choice n{number}"{" checked" if number == 0 else ""}>'
            f'<label for="{ident}">{name}</label>')
        panes.append(f'<div class="pane n{number}"><pre><code>'
                     f'{sample(file, name, token, words, request)}'
                     f'</code></pre><button type="button" class="copy live">'
                     f'Copy<span class="aside"> the {name} request</span>'
                     f'</button></div>')
    return (f'<fieldset class="samples"><legend class="aside">'
            f'The request as a program: {method}</legend>'
            f'{"".join(choices)}{"".join(panes)}</fieldset>')


# --- what takes the place of the marked parts

def types_of(schema):
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    return [kind for kind in kinds if kind != "null"]


def kind_of(schema):
    """How the form shows an argument."""
    kinds = types_of(schema)
    if "enum" in schema:
        return "choice"
    if kinds == ["boolean"]:
        return "flag"
    if kinds == ["array"]:
        items = resolve(schema.get("items", {}))
        return "numbers" if types_of(items) == ["integer"] else "json"
    return "text" if "string" in kinds else "json"


def shown(kind, value):
    """A value as the form shows it."""
    if value is None:
        return ""
    if kind == "numbers":
        return ", ".join(str(item) for item in value)
    if kind == "text":
        return str(value)
    return pretty(value) if isinstance(value, (list, dict)) else json.dumps(value)


def control(ident, name, kind, schema, value):
    attributes = (f'id="{ident}" name="{name}" data-kind="{kind}" '
                  f'aria-describedby="{ident}-rule" class="live"')
    if kind in ("choice", "flag"):
        values = schema.get("enum", [False, True])
        words = schema.get("x-enum-descriptions", [])
        options = ['<option value="">not given</option>']
        for i, choice in enumerate(values):
            if choice is None:
                continue
            text = json.dumps(choice)
            word = f" {words[i]}" if i < len(words) else ""
            chosen = " selected" if text == value else ""
            options.append(f'<option value="{escape(text)}"{chosen}>'
                           f"{escape(text + word)}</option>")
        return f'<select {attributes}>{"".join(options)}</select>'
    if kind == "json":
        return (f'<textarea {attributes} rows="6" spellcheck="false">'
                f"{escape(value)}</textarea>")
    return (f'<input {attributes} type="text" value="{escape(value)}" '
            f'autocomplete="off" spellcheck="false">')


def field(method, name, node, required, value):
    schema = resolve(node)
    kind = kind_of(schema)
    ident = f"{method}-{name}"
    return (f'<div class="field"><label for="{ident}"><code>{name}</code>'
            f'{" <em>required</em>" if required else ""}</label>'
            f'{control(ident, name, kind, schema, shown(kind, value))}'
            f'<p class="rule" id="{ident}-rule">'
            f'{inline(schema.get("description", ""))}</p></div>')


def examples_of(method):
    """Requests for trying out: those with the credentials of the first."""
    first = next(iter(REQUESTS.values()))
    keys = ("account", "login", "token")
    listed = OPERATION["requestBody"]["content"][JSON]["examples"]
    return {name: example for name, example in listed.items()
            if example["value"].get("method") == method
            and [example["value"].get(k) for k in keys] ==
            [first[k] for k in keys]}


def answers():
    """{name of an example: (status, answer)}"""
    return {name: (status, example["value"])
            for status, node in OPERATION["responses"].items()
            for name, example in
            resolve(node)["content"][JSON]["examples"].items()}


def answer_schema(method):
    schema = resolve(OPERATION["responses"]["200"])["content"][JSON]["schema"]
    for choice in map(resolve, schema["oneOf"]):
        if choice.get("title") == method:
            return resolve(choice["properties"]["response"])
    return {}


def answer_rules(method):
    schema = answer_schema(method)
    rows = [f"<tr><td><code>{name}</code></td><td>"
            f'{inline(resolve(node).get("description", ""))}</td></tr>'
            for name, node in schema.get("properties", {}).items()]
    words = schema.get("description")
    return ((f"<p>{inline(words)}</p>" if words else "") +
            (f'<table><tr><th scope="col">in the answer</th><td></td></tr>'
             f'{"".join(rows)}</table>' if rows else ""))


def method_section(method, schema, contents):
    examples = examples_of(method)
    name, first = next(iter(examples.items()))
    arguments = resolve(schema["properties"]["arguments"])
    given = first["value"]["arguments"]
    fields = "".join(
        field(method, key, node, key in arguments.get("required", []),
              given.get(key))
        for key, node in arguments["properties"].items())
    options = "".join(
        f'<option value="{escape(json.dumps(e["value"]["arguments"]))}">'
        f'{escape(e.get("summary", n))}</option>' for n, e in examples.items())
    status, answer = answers()[name]
    return f"""<section class="method">
{heading(3, method, contents)}
<p>{inline(schema.get("description", ""))} {inline(arguments.get("description", ""))}</p>
{answer_rules(method)}
<form data-method="{method}" autocomplete="off">
<div class="ask">
<div class="views live"><fieldset><legend class="aside">Arguments of {method} as</legend>
<input type="radio" class="choice form" name="{method}-view" id="{method}-form" value="form" checked><label for="{method}-form">Form</label>
<input type="radio" class="choice json" name="{method}-view" id="{method}-json" value="json"><label for="{method}-json">JSON</label>
</fieldset>
<label class="example">Example <select>{options}</select></label></div>
<div class="fields">{fields}</div>
<div class="text live" hidden><label for="{method}-text">arguments</label>
<textarea id="{method}-text" rows="12" spellcheck="false"></textarea></div>
<p class="fault" role="alert"></p>
<p class="live"><button type="submit">Send {method}</button></p>
</div>
<div class="show">
{samples(method, first["value"])}
<div class="answer" role="status" aria-label="Answer of {method}">
<p class="outcome">Answer, as an example</p>
<pre><code>{escape(json.dumps(answer), quote=False)}</code></pre>
</div>
</div>
</form>
</section>"""


def methods(contents):
    body = OPERATION["requestBody"]["content"][JSON]["schema"]
    first = next(iter(REQUESTS.values()))
    data = " ".join(f'data-{key}="{escape(first[key])}"'
                    for key in ("account", "login", "token"))
    parts = [f"""<div id="try">
<form id="credentials" class="live" autocomplete="off" {data}>
<p>Your credentials, for all requests from this page. They stay in its memory
and are gone when you close it.</p>
<div class="who">
<label>account <input name="account" type="text" autocomplete="off" spellcheck="false"></label>
<label>login <input name="login" type="text" autocomplete="off" spellcheck="false"></label>
<label class="wide">token <input name="token" type="text" class="secret" autocomplete="off" spellcheck="false"></label>
</div>
<div class="trial" role="status" hidden>
<p>This service is for trying out: its published account is filled in. The
programs below read the token from the environment:</p>
<pre><code></code></pre>
</div>
</form>
<noscript><p class="note">The forms need JavaScript. Everything else is here to
read.</p></noscript>
</div>"""]
    for target in body["oneOf"]:
        schema = resolve(target)
        parts.append(method_section(
            schema["properties"]["method"]["const"], schema, contents))
    return "\n".join(parts)


def members(_):
    body = OPERATION["requestBody"]["content"][JSON]["schema"]
    schema = resolve(body["oneOf"][0])
    rows = []
    for name, node in schema["properties"].items():
        node = resolve(node)
        words = {"method": "What you want: see [Methods](#methods).",
                 "arguments": "What the method needs."}.get(
                     name, node.get("description", ""))
        need = "required" if name in schema["required"] else "optional"
        rows.append(f"<tr><td><code>{name}</code></td>"
                    f'<td>{" or ".join(types_of(node)) or "string"}</td>'
                    f"<td>{need}</td><td>{inline(words)}</td></tr>")
    return ('<table><tr><th scope="col">member</th><th scope="col">type</th>'
            '<td></td><td></td></tr>' + "".join(rows) + "</table>")


def error_examples(node):
    rows = []
    for name, example in node["content"][JSON]["examples"].items():
        request = REQUESTS.get(name, {}).get("arguments")
        sent = (f'<br><code>{escape(json.dumps(request, ensure_ascii=False), quote=False)}'
                f"</code>" if request else "")
        answer = json.dumps(example["value"], ensure_ascii=False)
        rows.append(f'<dt>{escape(example["summary"], quote=False)}{sent}</dt>'
                    f"<dd><code>{escape(answer, quote=False)}</code></dd>")
    return "<dl>" + "".join(rows) + "</dl>"


def errors(contents):
    parts = []
    for status, node in sorted(OPERATION["responses"].items()):
        node = resolve(node)
        if status == "200":
            continue
        headers = [f"<code>{name}</code>" for name in node["headers"]
                   if name != "X-Request-ID"]
        with_headers = (f' Header: {", ".join(headers)}.' if headers else "")
        parts.append(f'<section class="error"><h3 id="error-{status}">'
                     f"{status}</h3><div>"
                     f'<p>{inline(node["description"])}{with_headers}</p>'
                     f"{error_examples(node)}</div></section>")
    return "\n".join(parts)


START = """
<p class="start"><a href="#methods">Send a request now</a>
<a href="openapi.json">openapi.json</a></p>"""
PARTS = {"members": members, "methods": methods, "errors": errors}


def contents_list(contents):
    items = [f'<li class="l{level}"><a href="#{name}">{inline(title)}</a></li>'
             for level, name, title in contents if level > 1]
    return "<ul>" + "\n".join(items) + "</ul>"


def page():
    text = (DOCS / "api.md").read_text()
    pieces = re.split(r"<!-- page: (\w+) -->\n.*?<!-- page: end -->\n", text,
                      flags=re.S)
    contents, body = [], []
    for i, piece in enumerate(pieces):
        body.append(PARTS[piece](contents) if i % 2 else
                    markdown(piece, contents))
    body[0] = body[0].replace("\n<h2", START + "\n<h2", 1)
    info = DOCUMENT["info"]
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(info["title"])}</title>
<link rel="icon" href="docs/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="docs/page.css">
<script src="docs/page.js" defer></script>
</head>
<body>
<a class="skip" href="#try">Skip to the first request</a>
<nav aria-label="Contents">
<p><img src="docs/icon.svg" alt="" width="28" height="28"> {escape(info["title"])} <span>{escape(info["version"])}</span></p>
{contents_list(contents)}
</nav>
<main>
{chr(10).join(body)}
</main>
</body>
</html>
"""


def main(folder):
    parts = Path(folder) / "docs"
    parts.mkdir(parents=True, exist_ok=True)
    (Path(folder) / "index.html").write_text(page())
    for name in ("page.css", "page.js", "icon.svg"):
        shutil.copy(WEB / name, parts)
    shutil.copy(DOCS / "openapi.json", folder)


if __name__ == "__main__":
    main(sys.argv[1])
