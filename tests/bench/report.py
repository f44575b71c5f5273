"""The tables. Each figure is the median of the rounds; a ratio is the median of their ratios."""

from collections.abc import Sequence
from statistics import median

from tests.bench.idle import Idle
from tests.bench.load import Result
from tests.bench.servers import Running
from tests.bench.shapes import Shape

HEADINGS = (
    *("CPU", "ratio", "p50", "p95", "p99", "first", "tokens/s", "ratio", "RSS MiB", "KiB/str."),
    *("wrong", "errors"),
)


def print_shape(shape: Shape, among: Sequence[Running], rounds: list[list[Result]]) -> bool:
    """The first server is what the others are compared with. Whether every stream was right."""
    pace = f"{1000 // shape.delay_ms} tokens/s" if shape.delay_ms else "at once"
    calls = f", {shape.calls} tool call (the relay: none)" if shape.calls else ""
    print(f"\n{shape.name}: {shape.streams} × {shape.tokens} tokens, {pace}{calls}")
    print_row("", HEADINGS)
    columns = list(zip(*rounds, strict=True))
    for server, results in zip(among, columns, strict=True):
        print_row(server.name, figures(results, columns[0]))
    return all(is_right(result) for results in columns for result in results)


def figures(results: Sequence[Result], base: Sequence[Result]) -> list[str]:
    def middle(name: str) -> float:
        return median(getattr(result, name) for result in results)

    return [
        f"{middle('cpu'):.1f}",
        f"{ratio('cpu', results, base):.2f}",
        *(f"{middle(name):.1f}" for name in ("p50", "p95", "p99", "first_p50")),
        f"{middle('rate'):,.0f}",
        f"{ratio('rate', results, base):.2f}",
        f"{middle('rss_kib') / 1024:.0f}",
        f"{middle('rss_per_stream_kib'):.0f}",
        str(sum(result.wrong for result in results)),
        str(sum(len(result.errors) for result in results)),
    ]


def ratio(name: str, results: Sequence[Result], base: Sequence[Result]) -> float:
    """Round by round: what disturbed one of a pair has mostly disturbed the other."""
    pairs = zip(results, base, strict=True)
    return median(getattr(one, name) / (getattr(other, name) or 1) for one, other in pairs)


def is_right(result: Result) -> bool:
    for error in result.errors[:3]:
        print(f"  {error}")
    return not result.wrong and not result.errors


def print_lengths(
    among: Sequence[Running], short: list[list[Result]], long: list[list[Result]]
) -> bool:
    """What a token costs in a long conversation, beside a short one."""
    print("\nCPU for 1,000 tokens in conversations of 10 and of 1,000 messages")
    print_row("", ("10", "1,000", "ratio", "first 10", "1,000"))
    pairs = zip(zip(*short, strict=True), zip(*long, strict=True), strict=True)
    for server, (few, many) in zip(among, pairs, strict=True):
        costs = [f"{median(result.cpu for result in results):.1f}" for results in (few, many)]
        firsts = [f"{median(result.first_p50 for result in some):.1f}" for some in (few, many)]
        print_row(server.name, [*costs, f"{ratio('cpu', many, few):.2f}", *firsts])
    return all(is_right(result) for results in (*short, *long) for result in results)


def print_idle(found: Sequence[tuple[Running, Idle]]) -> bool:
    print("\nOpen streams in which nothing happens")
    print_row("", ("streams", "CPU %", "KiB/str.", "database", "threads"))
    for server, idle in found:
        cells = (f"{idle.cpu_percent:.1f}", f"{idle.rss_per_stream_kib:.0f}")
        more = (f"{idle.more_connections:+d}", f"{idle.more_threads:+d}")
        print_row(server.name, (str(idle.streams), *cells, *more))
    return all(idle.streams == idle.wanted for _, idle in found)


def print_row(name: str, cells: Sequence[str]) -> None:
    print(f"{name:<16}" + "".join(f"{cell:>9}" for cell in cells), flush=True)
