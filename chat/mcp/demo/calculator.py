"""A calculator that can only calculate: a whitelist over Python's own parser, no eval.

Decimal numbers, so that 18% of 249.90 is 44.982 and nothing else.
"""

import ast
import math
import re
from collections.abc import Callable
from decimal import Decimal, DivisionByZero, InvalidOperation, Overflow, localcontext

from chat.mcp.demo.refused import Refused

MAX_CHARACTERS = 200
MAX_DEPTH = 40
MAX_EXPONENT = 1_000
MAX_DIGITS = 50
# What is no whole number is calculated to more digits than it is shown with: sqrt(2)**2 is 2.
SHOWN_DIGITS = 20
_NUMBER = r"\d[\d.]*"
# Where a comma separates numbers, and not thousands.
_SEVERAL = re.compile(r"\b(?:round|min|max)\s*\(")


def calculate(expression: str) -> str:
    """The result as text, without needless zeros. Raises Refused with a sentence."""
    text = expression.strip().rstrip("=?").strip()
    if not text:
        raise Refused("There is nothing to calculate.")
    if len(text) > MAX_CHARACTERS:
        raise Refused(f"The expression is too long; {MAX_CHARACTERS} characters are the most.")
    try:
        tree = _parsed(_readable(text))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Refused(f"This is not an expression that can be calculated: {text}") from error
    with localcontext(prec=MAX_DIGITS):
        try:
            return _shown(_value(tree.body, MAX_DEPTH))
        except DivisionByZero as error:
            raise Refused("Nothing can be divided by zero.") from error
        except (InvalidOperation, Overflow, ValueError, OverflowError) as error:
            raise Refused("This has no result that can be written down.") from error


def _readable(text: str) -> str:
    """Percentages and the signs people type, in Python's spelling."""
    text = text.replace("×", "*").replace("÷", "/").replace("−", "-").replace("^", "**")
    if not _SEVERAL.search(text):
        text = re.sub(r"(?<=\d),(?=\d{3})", "", text)
    text = re.sub(rf"({_NUMBER})\s*(?:%|percent)\s*of\b", r"(\1/100)*", text)
    return re.sub(rf"({_NUMBER})\s*%(?!\s*[\w(.])", r"(\1/100)", text)


def _parsed(text: str) -> ast.Expression:
    """The tree, with each fraction as it was written: a float would keep 17 digits of it."""
    tree = ast.parse(text, mode="eval")
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, float):
            written = ast.get_source_segment(text, node) or ""
            node.value = Decimal(written if math.isfinite(node.value) else "inf")  # type: ignore[assignment]
    return tree


def _value(node: ast.expr, depth: int) -> Decimal:
    if depth == 0:
        raise Refused("The expression is nested too deeply.")
    match node:
        case ast.Constant(value=int() | Decimal() as number) if not isinstance(number, bool):
            return Decimal(number)
        case ast.UnaryOp(op=ast.USub()):
            return -_value(node.operand, depth - 1)
        case ast.UnaryOp(op=ast.UAdd()):
            return _value(node.operand, depth - 1)
        case ast.BinOp() if type(node.op) in OPERATIONS:
            left, right = _value(node.left, depth - 1), _value(node.right, depth - 1)
            return OPERATIONS[type(node.op)](left, right)
        case ast.Name() if node.id in CONSTANTS:
            return CONSTANTS[node.id]
        case ast.Call(func=ast.Name(id=name), keywords=[]) if name in FUNCTIONS:
            return _called(name, [_value(part, depth - 1) for part in node.args])
        case _:
            raise Refused(
                f"Only numbers, + - * / // % ** ( ) and {', '.join(FUNCTIONS)} are known."
            )


def _called(name: str, values: list[Decimal]) -> Decimal:
    least, most, function = FUNCTIONS[name]
    if not least <= len(values) <= most:
        raise Refused(f"{name} does not take {len(values)} numbers.")
    return function(*values)


def _power(base: Decimal, exponent: Decimal) -> Decimal:
    if abs(exponent) > MAX_EXPONENT or abs(base) > Decimal(10) ** MAX_DIGITS:
        raise Refused(f"The power is too large; exponents up to {MAX_EXPONENT:,} are possible.")
    return base**exponent


def _floored(left: Decimal, right: Decimal) -> tuple[Decimal, Decimal]:
    """Quotient and remainder; the remainder has the sign of `right`."""
    if not right:
        raise DivisionByZero
    # From here on the last digits are rounded away, and a remainder is made of just these.
    if max(abs(left), abs(right)) >= Decimal(10) ** MAX_DIGITS:
        raise Refused(f"The numbers are too large; // and % take up to {MAX_DIGITS} digits.")
    whole, rest = divmod(left, right)
    return (whole - 1, rest + right) if rest and (rest < 0) != (right < 0) else (whole, rest)


def _round(value: Decimal, digits: Decimal = Decimal(0)) -> Decimal:
    if abs(digits) > MAX_DIGITS:
        raise Refused(f"round takes up to {MAX_DIGITS} digits.")
    return round(value, int(digits))


def _shown(value: Decimal) -> str:
    if value != value.to_integral():
        with localcontext(prec=SHOWN_DIGITS):
            value = +value
    value = value.normalize()
    if value == value.to_integral() and value.adjusted() < MAX_DIGITS:
        return f"{int(value):,}".replace(",", "")
    return f"{value:f}" if -12 < value.adjusted() < 20 else str(value)


OPERATIONS: dict[type[ast.operator], Callable[[Decimal, Decimal], Decimal]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.FloorDiv: lambda a, b: _floored(a, b)[0],
    ast.Mod: lambda a, b: _floored(a, b)[1],
    ast.Pow: _power,
}
CONSTANTS = {"pi": Decimal(str(math.pi)), "e": Decimal(str(math.e))}
# How few and how many numbers each takes.
FUNCTIONS: dict[str, tuple[int, int, Callable[..., Decimal]]] = {
    "sqrt": (1, 1, lambda value: value.sqrt()),
    "abs": (1, 1, abs),
    "round": (1, 2, _round),
    "min": (1, 20, lambda *values: min(values)),
    "max": (1, 20, lambda *values: max(values)),
    "ln": (1, 1, lambda value: value.ln()),
    "log10": (1, 1, lambda value: value.log10()),
}
