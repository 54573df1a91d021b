"""Lists possible changes of a C file: one operator, constant, text, condition, return,
statement, element of a table, or setting (which becomes its default) at a time. It
reads tokens, not a syntax tree; changes that do not compile are not counted."""

import re
from dataclasses import dataclass

TOKEN = re.compile(r"""
    (?P<comment>/\*.*?\*/)
  | (?P<directive>^[ \t]*\#(?:[^\n\\]|\\\n|\\.)*)
  | (?P<string>"(?:[^"\\\n]|\\.)*")
  | (?P<char>'(?:[^'\\\n]|\\.)*')
  | (?P<name>[A-Za-z_]\w*)
  | (?P<number>\.?\d(?:[eE][+-]|[\w.])*)
  | (?P<operator><<=|>>=|\.\.\.|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|[^\s\w])
""", re.X | re.S | re.M)

OPERATORS = {
    "<": ["<=", ">="], "<=": ["<", ">"], ">": [">=", "<="], ">=": [">", "<"],
    "==": ["!="], "!=": ["=="], "&&": ["||"], "||": ["&&"],
    "+": ["-"], "-": ["+"], "*": ["/"], "/": ["*"], "%": ["/"],
    "&": ["|"], "|": ["&"], "^": ["&"], "<<": [">>"], ">>": ["<<"],
    "+=": ["-="], "-=": ["+="], "*=": ["/="], "/=": ["*="],
    "|=": ["&="], "&=": ["|="], "++": ["--"], "--": ["++"],
}
# Kinds of tokens that can precede a binary operator.
OPERAND_KINDS = {"name", "number", "char", "string"}
WORDS = {"true": ["false"], "false": ["true"]}
KEYWORDS = {"if", "else", "for", "while", "do", "switch", "case", "default", "return", "break",
            "continue", "goto", "sizeof", "struct", "enum", "union", "const", "static", "int",
            "char", "long", "short", "unsigned", "signed", "void", "bool", "double", "float",
            "typedef", "extern", "inline", "volatile", "_Static_assert", "assert"}


@dataclass(frozen=True)
class Token:
    kind: str
    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Change:
    """Replaces text[start:end] by new."""

    file: str
    start: int
    end: int
    new: str
    line: int
    before: str  # its lines, with white space reduced to single spaces
    after: str


def tokens_of(text):
    found = []
    for match in TOKEN.finditer(text):
        kind = match.lastgroup
        if kind == "directive":
            found += tokens_of_define(match)
        elif kind != "comment":
            found.append(Token(kind, match.group(), match.start(), match.end()))
    return found


def tokens_of_define(match):
    """The tokens of the value of a #define; none for other directives."""
    define = re.match(r"[ \t]*#\s*define\s+\w+(\([^)]*\))?", match.group())
    if define is None:
        return []
    value = match.group()[define.end():]
    return [Token(inner.lastgroup, inner.group(), match.start() + define.end() + inner.start(),
                  match.start() + define.end() + inner.end())
            for inner in TOKEN.finditer(value) if inner.lastgroup not in ("comment", "directive")]


def numbers(text):
    """The neighbours of a constant."""
    match = re.fullmatch(r"(0[xX][0-9a-fA-F]+|\d+)([uUlL]*)", text)
    if match is None:
        return ["(1 + %s)" % text] if re.fullmatch(r"[\d.]+", text) else []
    base = 16 if match[1][:2] in ("0x", "0X") else 8 if match[1][:1] == "0" else 10
    value = int(match[1], base)
    return [f"{n}{match[2]}" for n in (value + 1, value - 1) if n >= 0]


def only_grows(tokens, i, new):
    """Whether the change is calloc(2, ...), which only allocates more memory."""
    return i > 1 and tokens[i - 2].text == "calloc" and tokens[i].text == "1" and new == "2"


def closing(tokens, i):
    """The index of the bracket that closes the one at i."""
    depth = 0
    for j in range(i, len(tokens)):
        if tokens[j].text in "([{":
            depth += 1
        elif tokens[j].text in ")]}":
            depth -= 1
            if depth == 0:
                return j
    return None


def semicolon(tokens, i):
    """The index of the ';' of the statement that starts at i; None if it has none."""
    j = i
    while j is not None and j < len(tokens):
        if tokens[j].text in "([{":
            j = closing(tokens, j)
            if j is None:
                return None
        elif tokens[j].text == ";":
            return j
        elif tokens[j].text == "}":
            return None
        j += 1
    return None


def operator_edits(tokens, i):
    token, last = tokens[i], tokens[i - 1] if i > 0 else None
    binary = last is not None and (last.kind in OPERAND_KINDS and last.text != "return"
                                   or last.text in ")]")
    if token.text == "!":
        yield token.start, token.end, ""
    elif token.text in ("++", "--") or binary:
        for new in OPERATORS.get(token.text, []):
            yield token.start, token.end, new


def condition_edits(tokens, i):
    if i + 1 >= len(tokens) or tokens[i + 1].text != "(":
        return
    last = closing(tokens, i + 1)
    if last is None:
        return
    start, end = tokens[i + 1].end, tokens[last].start
    yield start, start, "!(", end, ")"
    if tokens[i].text == "if":
        yield start, start, "0 && (", end, ")"


def return_edits(tokens, i, text):
    last = semicolon(tokens, i)
    if last is None or last == i + 1:
        return
    value = text[tokens[i + 1].start:tokens[last].start]
    for new in ("0", "1"):
        if value != new and value not in ("true", "false"):
            yield tokens[i + 1].start, tokens[last].start, new


def element_edits(tokens, i):
    """Removes one element, with its comma, from the table that opens at i."""
    last = closing(tokens, i)
    if last is None:
        return
    start = j = i + 1
    while j <= last:
        if tokens[j].text == "," or j == last:
            if j > start:
                yield tokens[start].start, tokens[j].start if j == last else tokens[j].end, ""
            start = j + 1
        elif tokens[j].text in "([{":
            j = closing(tokens, j)
        j += 1


def is_table(tokens, i, tables):
    """Whether the bracket at i opens an initializer; tables: those found so far."""
    return tokens[i].text == "{" and i > 0 and \
        (tokens[i - 1].text == "=" or
         tokens[i - 1].text in ("{", ",") and any(a < i < b for a, b in tables))


def is_statement_start(tokens, i, depth):
    """Whether an expression statement or a jump starts at i."""
    if depth == 0 or i == 0:
        return False
    token, last = tokens[i], tokens[i - 1].text
    after_control = last == ")" and starts_control(tokens, i - 1)
    if last not in (";", "{", "}", "else", ":") and not after_control:
        return False
    if token.text in ("break", "continue", "goto", "return"):
        return True
    if token.kind == "name":
        following = tokens[i + 1]
        return token.text not in KEYWORDS and following.kind != "name" and \
            following.text not in ("*", ":")
    return token.text in ("*", "++", "--", "(")


def starts_control(tokens, close):
    depth = 0
    for j in range(close, -1, -1):
        depth += tokens[j].text == ")"
        depth -= tokens[j].text == "("
        if depth == 0:
            return j > 0 and tokens[j - 1].text in ("if", "while", "for") or \
                j > 0 and tokens[j - 1].text.endswith("_FOREACH")
    return False


def defaults_of(settings):
    """Member of struct config -> its default, from the table in settings.c."""
    row = re.compile(r'CONFIG_TO\(config_number, ([\w.]+)\),\s*\.initial = "(\d+)"')
    return {member.rpartition(".")[2]: initial for member, initial in row.findall(settings)}


def setting_edits(tokens, i, defaults):
    """Replaces shared->config->cache_ttl_s by the default."""
    if tokens[i].text not in defaults or tokens[i - 1].text not in ("->", "."):
        return
    first = i
    while first > 1 and tokens[first - 1].text in ("->", ".") and \
            tokens[first - 2].kind == "name":
        first -= 2
    if first < i and any(token.text == "config" for token in tokens[first:i]):
        yield tokens[first].start, tokens[i].end, defaults[tokens[i].text]


def edits_of(text, defaults):
    """Yields each change as a list of (start, end, new)."""
    tokens, depth, tables = tokens_of(text), 0, []
    for i, token in enumerate(tokens):
        depth += token.text == "{"
        depth -= token.text == "}"
        if token.kind == "operator":
            for edit in operator_edits(tokens, i):
                yield [edit]
        elif token.kind == "number":
            for new in numbers(token.text):
                if not only_grows(tokens, i, new):
                    yield [(token.start, token.end, new)]
        elif token.kind == "string":
            yield [(token.start + 1, token.start + 1, "x")]
        elif token.text in defaults:
            for edit in setting_edits(tokens, i, defaults):
                yield [edit]
        elif token.text in WORDS:
            for new in WORDS[token.text]:
                yield [(token.start, token.end, new)]
        elif token.text in ("if", "while"):
            for start, stop, new, end, tail in condition_edits(tokens, i):
                yield [(start, stop, new), (end, end, tail)]
        elif token.text == "return":
            for edit in return_edits(tokens, i, text):
                yield [edit]
        if is_table(tokens, i, tables):
            tables.append((i, closing(tokens, i)))
            for edit in element_edits(tokens, i):
                yield [edit]
        if is_statement_start(tokens, i, depth):
            last = semicolon(tokens, i)
            if last is not None:
                yield [(token.start, tokens[last].start, "")]


def plain(text):
    return " ".join(text.split())


def change(file, text, edits):
    first, last = edits[0][0], edits[-1][1]
    new = text[first:last]
    for start, end, put in reversed(edits):
        new = new[:start - first] + put + new[end - first:]
    line_start = text.rfind("\n", 0, first) + 1
    line_end = text.find("\n", last)
    return Change(file, first, last, new, text.count("\n", 0, first) + 1,
                  plain(text[line_start:line_end]),
                  plain(text[line_start:first] + new + text[last:line_end]))


def changes_of(file, text, defaults):
    return [change(file, text, edits) for edits in edits_of(text, defaults)]
