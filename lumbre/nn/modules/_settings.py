"""Modules that are a function and its settings."""

from __future__ import annotations

from lumbre.nn.modules.module import Module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_REQUIRED: Any = object()


class SettingsModule(Module):
    """A module without parameters: ``settings`` names its arguments, in order, with their defaults.

    The arguments become attributes. ``required`` stands for an argument without a default.
    """

    settings: tuple[tuple[str, Any], ...] = ()
    required = _REQUIRED
    __constants__: list[str] = []

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "settings" in cls.__dict__:
            cls.__constants__ = [name for name, _ in cls.settings]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        settings = self.settings
        name = type(self).__name__
        if len(args) > len(settings):
            raise TypeError(
                f"{name}.__init__() takes {len(settings) + 1} positional arguments but {len(args) + 1} were given"
            )
        values = dict(zip((key for key, _ in settings), args, strict=False))
        for key, value in kwargs.items():
            if key in values:
                raise TypeError(f"{name}.__init__() got multiple values for argument '{key}'")
            if all(key != known for known, _ in settings):
                raise TypeError(f"{name}.__init__() got an unexpected keyword argument '{key}'")
            values[key] = value
        for key, default in settings:
            value = values.get(key, default)
            if value is _REQUIRED:
                raise TypeError(f"{name}.__init__() missing 1 required positional argument: '{key}'")
            setattr(self, key, value)

    def extra_repr(self) -> str:
        return ", ".join(
            f"{key}={getattr(self, key)}"
            for key, _ in self.settings
            if key != "inplace" or getattr(self, key)
        )
