"""Just enough of PromQL to see what an expression asks for. Whether it is PromQL
at all, promtool says."""

import re

TOKEN = re.compile(r"""
    (?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`)
  | (?P<comment>\#[^\n]*)
  | (?P<number>\d[\w.]*)
  | (?P<variable>\$\{?\w+(?::\w+)?\}?)
  | (?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)
  | (?P<mark>=~|!~|!=|==|>=|<=|[-+*/%^(){}\[\],=<>:@])
""", re.X)

WORDS = set("""by without on ignoring group_left group_right bool offset and or unless start end inf nan""".split())
AGGREGATIONS = set("sum min max avg count topk bottomk quantile group stddev stdvar count_values".split())
GROUPING = {"by", "without", "on", "ignoring", "group_left", "group_right"}


def tokens(expr):
    return [(match.lastgroup, match.group()) for match in TOKEN.finditer(expr) if match.lastgroup != "comment"]


class Selector:
    def __init__(self, name):
        self.name, self.matchers, self.range, self.calls = name, [], None, []

    def __repr__(self):
        return self.name + "{" + ",".join("".join(matcher) for matcher in self.matchers) + "}"


def parse(expr):
    """The selectors of `expr` and the labels named in its groupings."""
    found, labels, stack = [], set(), []
    stream = tokens(expr)
    index = 0
    while index < len(stream):
        kind, token = stream[index]
        following = stream[index + 1][1] if index + 1 < len(stream) else ""
        if kind == "name" and token in GROUPING and following == "(":
            index += 2
            while stream[index][1] != ")":
                if stream[index][0] == "name":
                    labels.add(stream[index][1])
                index += 1
        elif kind == "name" and following == "(" and token not in WORDS:
            stack.append(token)
            index += 1
        elif kind == "name" and token in AGGREGATIONS and following in GROUPING:
            # `sum by (x) (…)`: the call opens after the grouping.
            after = index + 2
            while stream[after][1] != ")":
                if stream[after][0] == "name":
                    labels.add(stream[after][1])
                after += 1
            stack.append(token)
            index = after + 1
        elif kind == "name" and token.lower() not in WORDS:
            selector = Selector(token)
            selector.calls = [call for call in stack if call]
            if following == "{":
                index += 2
                while stream[index][1] != "}":
                    if stream[index][1] != ",":
                        selector.matchers.append(tuple(part for _, part in stream[index:index + 3]))
                        labels.add(stream[index][1])
                        index += 3
                    else:
                        index += 1
            if index + 1 < len(stream) and stream[index + 1][1] == "[":
                selector.range = stream[index + 2][1]
                while stream[index + 1][1] != "]":
                    index += 1
            found.append(selector)
        elif token == "[":
            while stream[index][1] != "]":
                index += 1
        elif token == "(":
            stack.append("")
        elif token == ")" and stack:
            stack.pop()
        index += 1
    return found, labels


VARIABLES = {
    "__rate_interval": "2m", "__range": "1h", "__interval": "30s", "job": ".+", "instance": ".+", "account": ".*",
    "project": ".*", "domain": ".*",
}


def substituted(expr, **more):
    """`expr` as Grafana sends it, with All chosen everywhere."""
    values = {**VARIABLES, **more}
    return re.sub(r"\$\{?(\w+)\}?", lambda match: match.group() if match.group(1).isdigit() else values[match.group(1)], expr)
