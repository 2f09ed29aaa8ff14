"""Gradients that are checked while they are computed."""

from __future__ import annotations

from lumbre import _C


class set_detect_anomaly:
    """Switches the detection of NaN in gradients on or off, at once; as a context it puts the old setting back.

    Backward raises RuntimeError, with the name of the operation, as soon as one gives NaN (unless ``check_nan`` is
    False).

    >>> with torch.autograd.set_detect_anomaly(True):
    ...     torch.is_anomaly_enabled()
    True
    """

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self.before = (_C._set_anomaly(mode), _C._set_anomaly_nan(check_nan))

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exception: object) -> None:
        _C._set_anomaly(self.before[0])
        _C._set_anomaly_nan(self.before[1])


class detect_anomaly:
    """A block in which NaN in gradients is an error that names the operation.

    >>> with torch.autograd.detect_anomaly(): torch.is_anomaly_enabled()
    True
    """

    def __init__(self, check_nan: bool = True) -> None:
        from warnings import warn

        warn(
            "Anomaly Detection has been enabled. This mode will increase the runtime and should only be enabled for "
            "debugging.",
            stacklevel=2,
        )
        self.check_nan = check_nan

    def __enter__(self) -> None:
        self.before = (_C._set_anomaly(True), _C._set_anomaly_nan(self.check_nan))

    def __exit__(self, *exception: object) -> None:
        _C._set_anomaly(self.before[0])
        _C._set_anomaly_nan(self.before[1])
