"""The processor's features are read as Linux writes them."""

import pytest

from models import hardware
from reproduce.training.recipes import RECIPES


@pytest.fixture
def processor(tmp_path, monkeypatch):
    """Pretends to run on a processor with some features."""

    def pretend(text: str) -> None:
        (tmp_path / "cpuinfo").write_text(text)
        monkeypatch.setattr(hardware, "_CPUINFO", tmp_path / "cpuinfo")
        hardware.processor_flags.cache_clear()

    yield pretend
    hardware.processor_flags.cache_clear()


@pytest.mark.parametrize(
    ("flags", "instruction_set", "bfloat16"),
    [
        ("flags\t\t: fpu sse4_2 avx avx2 fma", "avx2", False),
        ("flags\t\t: avx avx2 avx512f avx512bw", "avx512", False),
        ("flags\t\t: avx2 avx512f avx512_bf16", "avx512", True),
        ("Features\t: fp asimd bf16", "other", True),
        ("model name\t: without any", "other", False),
    ],
)
def test_features_decide(processor, flags, instruction_set, bfloat16):
    processor(f"processor\t: 0\n{flags}\n\nprocessor\t: 1\n{flags}\n")
    assert hardware.instruction_set() == instruction_set
    assert hardware.has_bfloat16() is bfloat16


def test_a_system_that_does_not_tell_has_no_features(tmp_path, monkeypatch):
    monkeypatch.setattr(hardware, "_CPUINFO", tmp_path / "missing")
    hardware.processor_flags.cache_clear()
    assert hardware.instruction_set() == "other"
    assert not hardware.has_bfloat16()
    hardware.processor_flags.cache_clear()


def test_every_recipe_is_float32():
    assert {recipe.settings.precision for recipe in RECIPES.values()} == {"float32"}


@pytest.mark.parametrize(
    ("precision", "has_bfloat16", "warned"),
    [
        ("mixed_bfloat16", False, True),
        ("mixed_bfloat16", True, False),
        ("float32", False, False),
    ],
)
def test_emulated_bfloat16_is_warned_of_in_one_line(
    precision, has_bfloat16, warned, tensorflow, monkeypatch, caplog
):
    from reproduce.training import loop

    monkeypatch.setattr(hardware, "has_bfloat16", lambda: has_bfloat16)
    monkeypatch.setattr(tensorflow.config, "list_physical_devices", lambda kind: [])
    loop.warn_if_emulated(precision)
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == warned
    assert all("emulates it, 10 to 20 times slower" in line for line in lines)
