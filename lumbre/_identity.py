"""The name under which the package prints its dtypes and sizes."""

printed_name = "lumbre"


def prefix() -> str:
    """``"lumbre."``, or ``"torch."`` in a program that runs as a PyTorch program."""
    return printed_name + "."
