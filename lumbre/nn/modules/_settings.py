"""Modules that are a function and its settings."""

from __future__ import annotations

from lumbre.nn.modules.module import Module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
else:
    Any = object  # who asks for the hints of a class gets them

_REQUIRED: Any = object()


class _Signature:
    """What inspect.signature says of a class whose arguments are its settings; made when it asks."""

    def __get__(self, instance: Any, owner: Any) -> Any:
        init = next(base for base in owner.__mro__ if "__init__" in base.__dict__)
        takes_settings = init is SettingsModule or "_passes_settings" in init.__dict__
        if instance is not None or not takes_settings:
            raise AttributeError("__signature__")
        from inspect import Parameter, Signature

        return Signature(
            [
                Parameter(
                    name, Parameter.POSITIONAL_OR_KEYWORD, default=Parameter.empty if default is _REQUIRED else default
                )
                for name, default in owner.settings
            ]
        )


class SettingsModule(Module):
    """A module without parameters: ``settings`` names its arguments, in order, with their defaults.

    The arguments become attributes. ``required`` stands for an argument without a default.
    """

    settings: tuple[tuple[str, Any], ...] = ()
    required = _REQUIRED
    __constants__: list[str] = []
    __signature__ = _Signature()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "settings" in cls.__dict__:
            cls.__constants__ = [name for name, _ in cls.settings]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        settings = self.settings
        name = type(self).__name__
        if len(args) > len(settings):
            least, most = 1 + sum(default is _REQUIRED for _, default in settings), 1 + len(settings)
            count = f"{most}" if least == most else f"from {least} to {most}"
            raise TypeError(f"{name}.__init__() takes {count} positional arguments but {len(args) + 1} were given")
        values = dict(zip((key for key, _ in settings), args, strict=False))
        for key, value in kwargs.items():
            if key in values:
                raise TypeError(f"{name}.__init__() got multiple values for argument '{key}'")
            if all(key != known for known, _ in settings):
                raise TypeError(f"{name}.__init__() got an unexpected keyword argument '{key}'")
            values[key] = value
        missing = [repr(key) for key, default in settings if default is _REQUIRED and key not in values]
        if missing:
            names = f"argument{'s' * (len(missing) > 1)}: {' and '.join(missing)}"
            raise TypeError(f"{name}.__init__() missing {len(missing)} required positional {names}")
        for key, default in settings:
            setattr(self, key, values.get(key, default))

    def extra_repr(self) -> str:
        return ", ".join(
            f"{key}={getattr(self, key)}" for key, _ in self.settings if key != "inplace" or getattr(self, key)
        )
