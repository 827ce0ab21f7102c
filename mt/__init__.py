"""Machine translation by an LSTM encoder-decoder.

    from mt import Translator
    print(Translator.load().translate(["Guten Morgen."])[0].text)

Names are loaded when first asked for, so that `import mt.errors` does not wait for torch.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mt.errors import MTError
    from mt.translation import Alternative, Translation
    from mt.translator import Translator

__all__ = ["Alternative", "MTError", "Translation", "Translator", "__version__"]
__version__ = "0.1.0"

_HOMES = {
    "Alternative": "mt.translation",
    "MTError": "mt.errors",
    "Translation": "mt.translation",
    "Translator": "mt.translator",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
