"""manage.py ask: the agent on the console, with nothing but what comes along."""

from tests.start.steps import Installation


def test_ask_prints_the_answer_and_a_line_for_each_tool(bare: Installation) -> None:
    plain = bare.manage("ask", "18% of 249.90")

    assert plain.returncode == 0
    assert "→ calculate" in plain.stdout
    assert "44.982" in plain.stdout


def test_ask_prints_raw_frames(bare: Installation) -> None:
    frames = bare.manage("ask", "--sse", "18% of 249.90")

    assert frames.stdout.startswith("id: 1\nevent: reasoning\ndata: ")
    assert "\nevent: done\n" in frames.stdout
