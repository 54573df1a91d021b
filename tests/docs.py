#!/usr/bin/python3
"""`make docs`: writes the tables of the code into the documents.

    tests/docs.py TABLES BINARY [--check]

TABLES is a program that prints the tables of the code (docs/tables.c); the commands
come from BINARY's own help. A block of a document is the text between two lines: the
first contains "generated: NAME", the second "end: NAME". With --check nothing is
written: each document that differs, and each wrong citation, is reported, and the
exit status is 1.
"""
import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"^([^\n]*\bgenerated: (\w+)\b[^\n]*\n)(.*?)^([^\n]*\bend: \2\b[^\n]*\n)", re.M | re.S)
OPENAPI = "docs/openapi.json"


def output(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def cells(*columns):
    return "| " + " | ".join(columns) + " |\n"


def table(head, rows):
    """A Markdown table; an empty cell has one blank."""
    lines = [cells(*head), "|" + "---|" * len(head) + "\n"]
    lines += [cells(*row) for row in rows]
    return "".join(re.sub(r"\|  +(?=\|)", "| ", line) for line in lines)


def code(text):
    return f"`{text}`" if text else ""


def sentence(text):
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


# --- settings

def bounds(row):
    return f"{row['min']} to {row['max']}" if row["max"] else ""


def setting_words(row):
    words = row["meaning"] + (f" ({bounds(row)})" if bounds(row) else "")
    return sentence(words) + (" " + row["note"] if row["note"] else "")


def settings_markdown(tables):
    rows = []
    for row in tables["settings"]:
        name = code(row["name"]) + (" \\*" if row["is_secret"] else "")
        restart = " Needs a restart." if row["needs_restart"] else ""
        rows.append((name, code(row["initial"]) or row["no_value"], setting_words(row) + restart))
    return table(("variable", "default", "meaning"), rows)


def settings_example(tables):
    text = ""
    for row in tables["settings"]:
        words = setting_words(row)
        if row["no_value"] not in ("", "none"):
            words += f" Default: {row['no_value']}."
        words = textwrap.wrap(words, 78, break_on_hyphens=False)
        text += "".join(f"# {line}\n" for line in words)
        text += row["example"] or f"{'' if row['initial'] else '#'}{row['name']}={row['initial']}"
        text += "\n"
        if row["is_secret"]:
            text += f"#{row['name']}_FILE=\n"
        text += "\n"
    return text


def mdoc(text):
    """Text for mdoc(7): one sentence per line, and code as literals."""
    text = text.replace("\\", "\\e")
    text = re.sub(r"([.:!?]) (?=[A-Z`])", r"\1\n", text)
    text = re.sub(r" ?`([^`]+)`([.,;:)]*) ?",
                  lambda m: f"\n.Ql {m[1]}" + (f" {m[2]}" if m[2] else "") + "\n", text)
    return "".join(line + "\n" for line in text.split("\n") if line)


def settings_manual(tables):
    text = ""
    for row in tables["settings"]:
        mark = " Ns *" if row["is_secret"] else ""
        text += f".It Ev {row['name']}{mark}\n" + mdoc(setting_words(row))
    return text


# --- requests

def presence(row):
    return "required" if row["is_required"] else "optional"


def arguments(tables):
    """(method, argument, presence, rule) of every field."""
    kinds = {kind["name"]: kind["meaning"] for kind in tables["kinds"]}
    return [(method["name"], field["name"], presence(field), kinds[field["kind"]])
            for method in tables["methods"] for field in method["fields"]]


def arguments_markdown(tables):
    return table(("method", "argument", "", "rule"),
                 [(code(method), code(name), must, rule)
                  for method, name, must, rule in arguments(tables)])


def methods(tables):
    return table(("method", "answers"),
                 [(code(row["name"]), row["meaning"]) for row in tables["methods"]])


def members(tables):
    return table(("member", "type", "required", "may be empty"),
                 [(code(row["name"]), row["kind"], "yes" if row["is_required"] else "no",
                   row["meaning"]) for row in tables["members"]])


def kinds(tables):
    return table(("kind", "rule"),
                 [(row["name"], row["meaning"]) for row in tables["kinds"]])


def rules(tables):
    return table(("given", "adds"),
                 [(row["given"], row["points"]) for row in tables["rules"]])


def statuses(tables):
    return table(("code", "text, unless there is a better one", "when", "what to do"),
                 [(str(row["code"]), row["reason"], row["when"], row["advice"])
                  for row in tables["statuses"]])


# --- metrics

def metrics(tables):
    helps, types, labels = {}, {}, {}
    for line in tables["metrics"].splitlines():
        words = line.split(" ", 3)
        if line.startswith("# HELP"):
            helps[words[2]] = words[3]
        elif line.startswith("# TYPE"):
            types[words[2]] = words[3]
            current = labels.setdefault(words[2], {})
        else:
            for name, value in re.findall(r'(\w+)="([^"]*)"', line):
                current.setdefault(name, {})[value] = True
    fixed = lambda name: name not in ("method", "code", "version", "commit", "model", "le", "account", "salt")
    return table(("name", "type", "labels", "meaning"), [
        (code(name), types[name],
         ", ".join(code(label) + (": " + " ".join(map(code, values)) if fixed(label) else "")
                   for label, values in labels[name].items() if label != "le"),
         helps[name]) for name in helps])


# --- commands

def commands(tables):
    """Each command, also those of groups, by its own help."""
    binary, rows = tables["binary"], []

    def add(*words):
        text = output(binary, *words, "--help")
        usage, _, summary = text.split("\n")[:3]
        inner = re.findall(r"^  ([a-z]+)\b", text, re.M) if "|" in usage.split(words[-1])[1] and "..." in usage else []
        for word in inner:
            add(*words, word)
        if not inner:
            rows.append((code(usage.removeprefix("usage: scoring ")).replace("|", "\\|"), summary))

    for word in re.findall(r"^  ([a-z][a-z-]*) ", output(binary, "--help").split("\nSettings")[0], re.M):
        add(word)
    return table(("command", "does"), rows)


def exits_markdown(tables):
    return table(("status", "means"), [(str(row["status"]), row["meaning"])
                                       for row in tables["exits"]])


def exits_manual(tables):
    return "".join(f".It {row['status']}\n{row['meaning']}\n" for row in tables["exits"])


def alerts(_):
    """The alerts of the rules, which must have one line for each member."""
    text = (TOP / "deploy/prometheus/scoring.rules.yml").read_text()
    rule = re.compile(r"- alert: (\w+)\n +expr: '(.*)'\n +for: (\w+)\n +labels: "
                      r"{severity: (\w+)}\n +annotations:\n +summary: '(.*)'\n +action: '(.*)'\n")
    rows = [[part.replace("''", "'").replace("|", r"\|") for part in found]
            for found in rule.findall(text)]
    if len(rows) != text.count("- alert:"):
        sys.exit("deploy/prometheus/scoring.rules.yml: a rule has another form")
    return table(("alert", "when", "means", "do"),
                 [(f"{name}, {severity}", code(expr) + ("" if wait == "0m" else f" for {wait}"), means, do)
                  for name, expr, wait, severity, means, do in rows])


def way(_):
    """The figure at the beginning of serve/conn.c."""
    figure = re.search(r"^ \*   nginx  serve/.*?(?=^ \*\n ?\* The states)",
                       (TOP / "src/serve/conn.c").read_text(), re.M | re.S)
    lines = [line.removeprefix(" *").rstrip() for line in figure[0].splitlines()]
    return "```text\n" + textwrap.dedent("\n".join(lines)) + "\n```\n"


# --- citations

CITED = re.compile(r"((?:S\d+(?:\.\d+)?(?:, | and )?)+) (?:of|in) (?:docs/)?protocol\.md"
                   r"|protocol\.md, ((?:S\d+(?:\.\d+)?(?:, | and )?)+)"
                   r"|\b(S\d+\.\d+)\b")


def wrong_citations():
    """Rules of docs/protocol.md that are cited and do not exist, or exist twice."""
    rules = re.findall(r"\*\*(S\d+\.\d+)\*\*", (TOP / "docs/protocol.md").read_text())
    known = {*rules, *(rule.split(".")[0] for rule in rules)}
    wrong = [f"docs/protocol.md: {rule}: there are two" for rule in known if rules.count(rule) > 1]
    for path in sorted(file for folder in ("src", "tests", "deploy", "nginx", "docs")
                       for file in (TOP / folder).rglob("*.*")
                       if file.suffix in (".c", ".h", ".sh", ".py", ".js", ".md", ".template")):
        text = re.sub(r"\s*\n\s*[*#/]*\s*", " ", path.read_text())
        for groups in CITED.findall(text):
            wrong += [f"{path.relative_to(TOP)}: {name}: there is no such rule"
                      for name in re.findall(r"S\d+(?:\.\d+)?", " ".join(groups))
                      if name not in known]
    return wrong


# --- documents

DOCUMENTS = {
    "docs/api.md": {"arguments": arguments_markdown, "statuses": statuses, "members": members,
                    "methods": methods},
    "CONTRIBUTING.md": {"way": way},
    "docs/protocol.md": {"arguments": arguments_markdown, "statuses": statuses, "members": members,
                         "kinds": kinds, "rules": rules, "metrics": metrics, "methods": methods,
                         "commands": commands, "exits": exits_markdown},
    "docs/operations.md": {"settings": settings_markdown, "commands": commands, "alerts": alerts},
    "docs/scoring.8": {"settings": settings_manual, "exits": exits_manual},
    ".env.example": {"settings": settings_example},
}


def rendered(file, text, tables):
    """The text with new blocks."""
    makers, met = DOCUMENTS[file], set()

    def make(block):
        met.add(block[2])
        if block[2] not in makers:
            sys.exit(f"{file}: {block[2]}: there is no such table")
        return block[1] + makers[block[2]](tables) + block[4]

    text = BLOCK.sub(make, text)
    if missing := set(makers) - met:
        sys.exit(f"{file}: no block {', '.join(sorted(missing))}")
    return text


def openapi(text, tables):
    """Sets the arguments of the methods: their order, schemas, and which are required."""
    document = json.loads(text)
    schemas = document["components"]["schemas"]
    schema_of = {kind["name"]: kind["schema"] for kind in tables["kinds"]}
    for method in tables["methods"]:
        name = "".join(word.title() for word in method["name"].split("_")) + "Arguments"
        if name not in schemas:
            continue  # tests/openapi.py reports what a new method lacks
        old = schemas[name]["properties"]
        schemas[name]["properties"] = {
            field["name"]: old.get(field["name"], {})
            | {"$ref": f"#/components/schemas/{schema_of[field['kind']]}"}
            for field in method["fields"]}
        required = [field["name"] for field in method["fields"] if field["is_required"]]
        if required:
            schemas[name]["required"] = required
        else:
            schemas[name].pop("required", None)
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def main():
    program, binary, *options = sys.argv[1:]
    tables = json.loads(output(program)) | {"binary": binary}
    makers = {file: (lambda text, file=file: rendered(file, text, tables)) for file in DOCUMENTS}
    makers[OPENAPI] = lambda text: openapi(text, tables)
    wrong = wrong_citations() if "--check" in options else []
    print(*wrong, sep="\n", end="\n" if wrong else "")
    status = 1 if wrong else 0
    for file, make in makers.items():
        path = TOP / file
        old = path.read_text()
        new = make(old)
        if new == old:
            continue
        if "--check" in options:
            lines = zip(old.splitlines(), new.splitlines())
            number = next((n for n, (a, b) in enumerate(lines, 1) if a != b), 0)
            print(f"{file}:{number}: is not what the code says: run `make docs`")
            status = 1
        else:
            path.write_text(new)
            print(f"  {file}")
    return status


if __name__ == "__main__":
    sys.exit(main())
