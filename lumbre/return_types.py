"""``torch.return_types``: the classes of results with named fields: ``type(torch.max(x, 0))`` is ``return_types.max``."""

from __future__ import annotations

from lumbre import _C, _identity, _registry

_fields: dict[str, tuple[str, str]] = {}
for _record in _registry.records():
    _, _arrow, _result = _record.signature.partition(" -> (")
    if _arrow:
        for _name in (_record.name, *_record.aliases):
            _fields[_name.replace(".", "_")] = (_record.name.replace(".", "_"), _result.rstrip(")"))
del _record, _arrow, _result
__all__ = sorted(_fields)


def __getattr__(name: str) -> type:
    if name not in _fields:
        raise AttributeError(f"module '{_identity.prefix()}return_types' has no attribute '{name}'")
    made = globals()[name] = _C._fields_type(*_fields[name])
    return made


def __dir__() -> list[str]:
    return [*__all__]
