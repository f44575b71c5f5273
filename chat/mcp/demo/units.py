"""Conversion of units, for the demo tools."""

from decimal import Decimal, localcontext

from chat.mcp.demo.refused import Refused

# Each kind: its units, by all their names, as multiples of the first.
KINDS: dict[str, dict[str, str]] = {
    "length": {
        "m meter meters metre metres": "1",
        "km kilometer kilometers kilometre kilometres": "1000",
        "cm centimeter centimeters centimetre centimetres": "0.01",
        "mm millimeter millimeters millimetre millimetres": "0.001",
        "mi mile miles": "1609.344",
        "yd yard yards": "0.9144",
        "ft foot feet": "0.3048",
        "in inch inches": "0.0254",
        "nmi nautical-mile nautical-miles": "1852",
    },
    "mass": {
        "kg kilogram kilograms kilo kilos": "1",
        "g gram grams": "0.001",
        "mg milligram milligrams": "0.000001",
        "t tonne tonnes ton tons": "1000",
        "lb lbs pound pounds": "0.45359237",
        "oz ounce ounces": "0.028349523125",
        "st stone": "6.35029318",
    },
    "volume": {
        "l liter liters litre litres": "1",
        "ml milliliter milliliters millilitre millilitres": "0.001",
        "gal gallon gallons": "3.785411784",
        "pt pint pints": "0.473176473",
        "cup cups": "0.2365882365",
        "floz fluid-ounce fluid-ounces": "0.0295735295625",
        "m3 cubic-meter cubic-meters cubic-metre cubic-metres": "1000",
    },
    "speed": {
        "m/s meters-per-second metres-per-second": "1",
        "km/h kmh kph kilometers-per-hour kilometres-per-hour": "0.2777777777777777777777777778",
        "mph miles-per-hour": "0.44704",
        "kn knot knots": "0.5144444444444444444444444444",
    },
    "area": {
        "m2 sqm square-meter square-meters square-metre square-metres": "1",
        "km2 square-kilometer square-kilometers square-kilometre square-kilometres": "1000000",
        "ha hectare hectares": "10000",
        "acre acres": "4046.8564224",
        "ft2 sqft square-foot square-feet": "0.09290304",
    },
    "data": {
        "b byte bytes": "1",
        "kb kilobyte kilobytes": "1000",
        "mb megabyte megabytes": "1000000",
        "gb gigabyte gigabytes": "1000000000",
        "tb terabyte terabytes": "1000000000000",
        "kib": "1024",
        "mib": "1048576",
        "gib": "1073741824",
        "tib": "1099511627776",
    },
    "time": {
        "s sec second seconds": "1",
        "ms millisecond milliseconds": "0.001",
        "min minute minutes": "60",
        "h hour hours": "3600",
        "d day days": "86400",
        "week weeks": "604800",
    },
}
TEMPERATURES = {
    name: symbol
    for symbol, names in {
        "°C": ("c", "celsius", "°c", "degrees-celsius"),
        "°F": ("f", "fahrenheit", "°f", "degrees-fahrenheit"),
        "K": ("k", "kelvin"),
    }.items()
    for name in names
}
ABSOLUTE_ZERO = Decimal("-273.15")
SYMBOLS = {"l": "L", "ml": "mL", "kb": "kB", "mb": "MB", "gb": "GB", "tb": "TB", "b": "B"} | {
    "kib": "KiB",
    "mib": "MiB",
    "gib": "GiB",
    "tib": "TiB",
    "floz": "fl oz",
    "m2": "m²",
    "km2": "km²",
    "ft2": "ft²",
    "m3": "m³",
}


def convert(value: float, source: str, target: str) -> str:
    """A sentence such as "5 mi = 8.04672 km". Raises Refused with a sentence."""
    amount = Decimal(str(value))
    if not amount.is_finite() or abs(amount) > Decimal("1e30"):
        raise Refused("The number is too large.")
    one, other = _plain(source), _plain(target)
    if one in TEMPERATURES and other in TEMPERATURES:
        result = _temperature(amount, TEMPERATURES[one], TEMPERATURES[other])
        return f"{_shown(amount)} {TEMPERATURES[one]} = {_shown(result)} {TEMPERATURES[other]}"
    kind, factor, symbol = _find(one, source)
    other_kind, other_factor, other_symbol = _find(other, target)
    if kind != other_kind:
        raise Refused(f"{source} is a unit of {kind}, {target} is one of {other_kind}.")
    result = amount * factor / other_factor
    return f"{_shown(amount)} {symbol} = {_shown(result)} {other_symbol}"


def _plain(unit: str) -> str:
    """As the table spells it: small letters, one word."""
    return "-".join(unit.lower().replace("²", "2").replace("³", "3").split())


def _find(name: str, given: str) -> tuple[str, Decimal, str]:
    if name in TEMPERATURES:
        return "temperature", Decimal(1), TEMPERATURES[name]
    for kind, units in KINDS.items():
        for names, factor in units.items():
            if name in names.split():
                symbol = names.split()[0]
                return kind, Decimal(factor), SYMBOLS.get(symbol, symbol)
    raise Refused(f"The unit {given[:40]!r} is not known.")


def _temperature(amount: Decimal, source: str, target: str) -> Decimal:
    celsius = {
        "°C": amount,
        "°F": (amount - 32) * 5 / 9,
        "K": amount + ABSOLUTE_ZERO,
    }[source]
    if celsius < ABSOLUTE_ZERO:
        raise Refused("Nothing is colder than -273.15 °C.")
    return {
        "°C": celsius,
        "°F": celsius * 9 / 5 + 32,
        "K": celsius - ABSOLUTE_ZERO,
    }[target]


def _shown(value: Decimal) -> str:
    """Nine digits, or more where the number before the point has more."""
    digits = max(9, value.adjusted() + 3)
    with localcontext(prec=digits):
        return f"{value.normalize():f}"
