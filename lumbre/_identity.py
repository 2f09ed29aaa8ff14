"""Who the package says it is: its version, and the name under which it prints dtypes and sizes."""

version = "0.1.0"
# The PyTorch whose behaviour is the reference.
api_level = "2.13.0"
# "2.13.0+lumbre0.1.0": what programs that ask torch.__version__ are told.
torch_version = f"{api_level}+lumbre{version}"

printed_name = "lumbre"


def prefix() -> str:
    """``"lumbre."``, or ``"torch."`` in a program that runs as a PyTorch program."""
    return printed_name + "."
