"""Small changes of a right answer, made from its syntax tree: each is a mistake that somebody may make."""

import ast
import copy

ORDER = (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq)
ARITHMETIC = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv)
COMMUTATIVE = (ast.Mult, ast.BitXor, ast.BitAnd, ast.BitOr, ast.Eq, ast.NotEq)
BITWISE = (ast.BitXor, ast.BitAnd, ast.BitOr, ast.LShift, ast.RShift)
#: Functions and methods that are easily taken for each other.
INSTEAD = {
    "min": "max",
    "max": "min",
    "sum": "max",
    "sorted": "reversed",
    "round": "int",
    "mean": "max",
    "len": "bool",
    "bit_count": "bit_length",
    "flatnonzero": "count_nonzero",
    "values": "keys",
    "append": "extend",
    "array_equal": "array_equiv",
    "read_bytes": "absolute",
    "get": "pop",
}


def mutants(source):
    """The bodies of all functions that differ from a function in one place, as text, each once."""
    tree = ast.parse(source)
    parameters = [argument.arg for argument in tree.body[0].args.args]
    found = {}
    for number, node in enumerate(ast.walk(tree)):
        for change in changes(node, parameters):
            mutant = copy.deepcopy(tree)
            twin = next(twin for n, twin in enumerate(ast.walk(mutant)) if n == number)
            new = change(twin)
            if new is not twin:
                mutant = Replace(twin, new).visit(mutant)
            body = "\n".join(map(ast.unparse, mutant.body[0].body or [ast.Pass()]))
            found[body] = None
    found.pop("\n".join(map(ast.unparse, tree.body[0].body)), None)
    return list(found)


class Replace(ast.NodeTransformer):
    def __init__(self, old, new):
        self.old, self.new = old, new

    def visit(self, node):
        return self.new if node is self.old else self.generic_visit(node)


def changes(node, parameters):
    """Functions that change a node like this one in place, or return another one for it."""
    kind = type(node).__name__
    yield from {
        "Compare": compared,
        "BinOp": computed,
        "BoolOp": joined,
        "UnaryOp": lambda node: [lambda n: n.operand],
        "Constant": constants,
        "Call": called,
        "Subscript": subscripted,
        "IfExp": chosen,
        "Tuple": listed,
        "List": listed,
        "comprehension": comprehended,
        "GeneratorExp": first_of_it,
        "ListComp": first_of_it,
        "If": asked,
        "For": shortened,
        "FunctionDef": removed,
        "Starred": lambda node: [lambda n: n.value],
    }.get(kind, lambda node: ())(node)
    if kind == "Name" and isinstance(node.ctx, ast.Load) and node.id in parameters:
        yield from (named(other) for other in parameters if other != node.id)


def setting(field, value):
    """A change that sets a field; the value is made by a function of the node."""

    def change(node):
        setattr(node, field, value(node))
        return node

    return change


def named(name):
    return setting("id", lambda node: name)


def compared(node):
    (operator,) = node.ops[:1]
    if isinstance(operator, ORDER):
        for other in ORDER:
            if not isinstance(operator, other):
                yield setting("ops", lambda n, other=other: [other(), *n.ops[1:]])
        if not isinstance(operator, COMMUTATIVE):
            yield lambda n: ast.Compare(n.comparators[0], n.ops[:1], [n.left])
    else:
        pairs = {ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is}
        yield setting("ops", lambda n: [pairs[type(n.ops[0])]()])
    yield lambda n: ast.Constant(True)
    yield lambda n: ast.Constant(False)


def computed(node):
    for group in (ARITHMETIC, BITWISE):
        if isinstance(node.op, group):
            for other in group:
                if not isinstance(node.op, other):
                    yield setting("op", lambda n, other=other: other())
    if not isinstance(node.op, COMMUTATIVE):
        yield lambda n: ast.BinOp(n.right, n.op, n.left)
    yield lambda n: n.left
    yield lambda n: n.right


def joined(node):
    yield setting("op", lambda n: ast.Or() if isinstance(n.op, ast.And) else ast.And())
    for place in range(len(node.values)):
        yield lambda n, place=place: n.values[place]
        yield setting(
            "values",
            lambda n, place=place: [
                ast.UnaryOp(ast.Not(), value) if k == place else value
                for k, value in enumerate(n.values)
            ],
        )


def constants(node):
    value = node.value
    if isinstance(value, bool) or value is None:
        others = [not value]
    elif isinstance(value, int | float):
        others = [value + 1, value - 1, -value, 0]
    elif isinstance(value, str):
        others = ["", value + "_", value[::-1]]
    else:
        others = []
    yield from (setting("value", lambda n, other=other: other) for other in others)


def called(node):
    name = getattr(node.func, "id", getattr(node.func, "attr", ""))
    if name in INSTEAD:
        field = "id" if isinstance(node.func, ast.Name) else "attr"

        def change(n):
            setattr(n.func, field, INSTEAD[name])
            return n

        yield change
    if node.args:
        yield lambda n: n.args[0]
    elif isinstance(node.func, ast.Attribute):
        yield lambda n: n.func.value
    for place in range(len(node.args)):
        yield setting("args", lambda n, place=place: n.args[:place] + n.args[place + 1 :])
    if len(node.args) > 1:
        yield setting("args", lambda n: [n.args[1], n.args[0], *n.args[2:]])
    for place in range(len(node.keywords)):
        yield setting(
            "keywords", lambda n, place=place: n.keywords[:place] + n.keywords[place + 1 :]
        )


def subscripted(node):
    yield lambda n: n.value
    if isinstance(node.slice, ast.Slice):
        yield setting("slice", lambda n: ast.Slice(n.slice.upper, n.slice.lower))
        yield setting("slice", lambda n: ast.Slice(None, None))


def chosen(node):
    yield lambda n: n.body
    yield lambda n: n.orelse
    yield lambda n: ast.IfExp(n.test, n.orelse, n.body)


def listed(node):
    for place in range(len(node.elts)):
        yield setting("elts", lambda n, place=place: n.elts[:place] + n.elts[place + 1 :])
    for place in range(len(node.elts) - 1):
        yield setting(
            "elts",
            lambda n, place=place: [
                *n.elts[:place],
                n.elts[place + 1],
                n.elts[place],
                *n.elts[place + 2 :],
            ],
        )


def comprehended(node):
    if node.ifs:
        yield setting("ifs", lambda n: [])
        yield setting("ifs", lambda n: [ast.UnaryOp(ast.Not(), n.ifs[0])])
    yield setting("iter", lambda n: part_of(n.iter, ast.Slice(ast.Constant(1))))
    yield setting("iter", lambda n: part_of(n.iter, ast.Slice(None, ast.Constant(-1))))


def part_of(value, part):
    """`list(value)[part]`"""
    whole = ast.Call(ast.Name("list", ast.Load()), [value], [])
    return ast.Subscript(whole, part, ast.Load())


def first_of_it(node):
    yield lambda n: part_of(n, ast.Slice(None, ast.Constant(1)))
    yield lambda n: part_of(n, ast.Slice(None, None, ast.Constant(-1)))


def asked(node):
    yield setting("test", lambda n: ast.UnaryOp(ast.Not(), n.test))
    yield setting("body", lambda n: [ast.Pass()])


def shortened(node):
    yield setting("body", lambda n: [ast.Pass()])
    yield setting("iter", lambda n: part_of(n.iter, ast.Slice(ast.Constant(1))))
    yield setting("iter", lambda n: part_of(n.iter, ast.Slice(None, ast.Constant(-1))))


def removed(node):
    for place in range(len(node.body)):
        yield setting("body", lambda n, place=place: n.body[:place] + n.body[place + 1 :])
