"""Automatic casts on the CPU: one program run under both libraries, what it sees compared."""

from __future__ import annotations

import warnings

import pytest

import lumbre

reference = pytest.importorskip("torch", reason="PyTorch is the reference")


def same(program):
    seen = []
    for library in (reference, lumbre):
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            library.manual_seed(0)
            result = program(library)
        text = [(each.category.__name__, str(each.message).partition(" (Triggered")[0]) for each in warned]
        seen.append((repr(result).replace("lumbre.", "torch."), text))
    assert seen[1] == seen[0]
    return seen[1]


def attempt(function, *args):
    try:
        return function(*args)
    except Exception as error:
        return type(error).__name__, str(error).partition("\n")[0]


def test_switches():
    def program(torch):
        def state():
            return (
                torch.is_autocast_enabled(), torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu"),
                torch.get_autocast_dtype("cuda"), torch.is_autocast_cache_enabled(), torch.is_autocast_enabled("cuda"),
            )  # fmt: skip

        seen = [state()]
        with torch.autocast("cpu"):
            seen.append(state())
            with torch.amp.autocast("cpu", dtype=torch.float16, cache_enabled=False):
                seen.append(state())
                with torch.autocast("cpu", enabled=False):
                    seen.append(state())
            seen.append(state())
            with torch.cpu.amp.autocast(dtype=torch.float16):
                seen.append(state())
        torch.set_autocast_enabled("cpu", True)
        torch.set_autocast_dtype("cpu", torch.float16)
        seen.append(state())
        torch.set_autocast_enabled("cpu", False)
        torch.set_autocast_dtype("cpu", torch.bfloat16)
        seen.append((torch.autocast_increment_nesting(), torch.autocast_decrement_nesting()))
        seen.append(state())
        seen.append((torch.is_autocast_cpu_enabled(), torch.get_autocast_cpu_dtype(), torch.get_autocast_gpu_dtype()))
        return seen

    same(program)


def test_other_devices_and_wrong_arguments():
    def program(torch):
        seen = [torch.amp.is_autocast_available("cpu"), torch.amp.is_autocast_available("cuda")]
        with torch.autocast("cuda"):
            seen.append((torch.ones(1, 1) @ torch.ones(1, 1)).dtype)
        with torch.cuda.amp.autocast():
            seen.append(torch.is_autocast_enabled())
        for dtype in (torch.float64, torch.float32, torch.int64):
            with torch.autocast("cpu", dtype=dtype):
                seen.append((torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")))
        seen.append(attempt(torch.autocast, "xyz"))
        seen.append(attempt(torch.autocast, torch.device("cpu")))
        seen.append(attempt(torch.autocast, "meta"))
        seen.append(attempt(torch.is_autocast_enabled, 3))
        seen.append(attempt(torch.amp.custom_fwd, len))
        seen.append(attempt(lambda: torch.amp.custom_fwd(len, device_type=3)))
        return seen

    same(program)


def test_casts_and_their_nodes():
    def program(torch):
        w = torch.randn(4, 4, requires_grad=True)
        x = torch.randn(2, 4)
        seen = []
        with torch.autocast("cpu"):
            y = x @ w
            z = y @ w
            seen += [y.dtype, (y + x).dtype, torch.nn.functional.mse_loss(z, x).dtype, z.sum().dtype]
            first, second = z.grad_fn.next_functions[1][0], y.grad_fn.next_functions[1][0]
            seen += [first.name(), first is second]
            with torch.no_grad():
                seen.append((x @ w).requires_grad)
            seen.append((x @ w).requires_grad)
            seen.append(attempt(lambda: torch.cat([x.half(), x.bfloat16()])))
            seen += [torch.cat([x, x.bfloat16()]).dtype, torch.stack([x.double(), x.double()]).dtype]
            seen.append(torch.mm(x.double(), w.double()).dtype)
            seen.append(type(attempt(lambda: torch.mm(x, w, out=torch.empty(2, 4)))).__name__)
        loss = z.float().square().sum()
        loss.backward()
        return [*seen, w.grad.dtype, w.grad.abs().sum() > 0]

    same(program)


@pytest.mark.parametrize("half", ["bfloat16", "float16"])
def test_training(half):
    def run(torch):
        torch.manual_seed(0)
        net = torch.nn.Sequential(
            torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(4 * 36, 8), torch.nn.ReLU(),
            torch.nn.Linear(8, 3),
        )  # fmt: skip
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        x, y = torch.randn(16, 1, 8, 8), torch.randint(0, 3, (16,))
        losses = []
        for _ in range(5):
            optimizer.zero_grad()
            with torch.autocast("cpu", dtype=getattr(torch, half)):
                out = net(x)
                loss = torch.nn.functional.cross_entropy(out, y)
            assert str(out.dtype).endswith(half)
            assert loss.dtype == torch.float32
            loss.backward()
            assert all(p.grad.dtype == torch.float32 for p in net.parameters())
            optimizer.step()
            losses.append(loss.item())
        return losses

    assert run(lumbre) == pytest.approx(run(reference), rel=0.02)


def test_modules():
    def program(torch):
        seen = []
        x = torch.randn(5, 3, 8)
        nets = [
            torch.nn.LSTM(8, 8), torch.nn.GRU(8, 8), torch.nn.RNN(8, 8), torch.nn.MultiheadAttention(8, 2),
            torch.nn.TransformerEncoderLayer(8, 2, 16), torch.nn.LayerNorm(8), torch.nn.Linear(8, 2),
            torch.nn.Bilinear(8, 8, 2), torch.nn.Conv1d(3, 2, 3), torch.nn.LSTMCell(8, 8), torch.nn.GRUCell(8, 8),
            torch.nn.Embedding(9, 3), torch.nn.PReLU(), torch.nn.BatchNorm1d(3), torch.nn.Softmax(-1), torch.nn.GELU(),
        ]  # fmt: skip
        for net in nets:
            name = type(net).__name__
            args = (x, x, x) if name == "MultiheadAttention" else (x, x) if name == "Bilinear" else (x,)
            args = (x[0],) if name.endswith("Cell") else (torch.tensor([1]),) if name == "Embedding" else args
            with torch.autocast("cpu"):
                out = net(*args)
            flat = []

            def gather(value, flat=flat):
                if isinstance(value, tuple):
                    [gather(each) for each in value]
                elif value is not None:
                    flat.append(value.dtype)

            gather(out)
            seen.append((name, flat))
        return seen

    same(program)


def test_functions_of_ones_own():
    def program(torch):
        seen = []

        class Widened(torch.autograd.Function):
            @staticmethod
            @torch.amp.custom_fwd(device_type="cpu", cast_inputs=torch.float32)
            def forward(ctx, a):
                seen.append((a.dtype, torch.is_autocast_enabled("cpu")))
                return a * 2

            @staticmethod
            @torch.amp.custom_bwd(device_type="cpu")
            def backward(ctx, g):
                seen.append((g.dtype, torch.is_autocast_enabled("cpu")))
                return g * 2

        class Cast(torch.autograd.Function):
            @staticmethod
            @torch.amp.custom_fwd(device_type="cpu")
            def forward(ctx, a):
                seen.append((a.dtype, torch.is_autocast_enabled("cpu")))
                return a @ a

            @staticmethod
            @torch.amp.custom_bwd(device_type="cpu")
            def backward(ctx, g):
                seen.append((g.dtype, torch.is_autocast_enabled("cpu")))
                return g * 2

        w = torch.randn(3, 3, requires_grad=True)
        with torch.autocast("cpu"):
            y = Widened.apply(w.bfloat16())
            z = Cast.apply(w)
        (y.sum() + z.sum()).backward()
        return [*seen, y.dtype, z.dtype, w.grad.dtype]

    same(program)


def test_decorator():
    def program(torch):
        @torch.autocast("cpu")
        def product(a):
            """Its own."""
            return a @ a

        return product(torch.ones(2, 2)).dtype, product.__name__, product.__doc__, torch.is_autocast_enabled("cpu")

    same(program)


def test_decorated_function_may_call_itself():
    # PyTorch's decorator, which is one block that forgets the outer state, leaves casting enabled after this.
    @lumbre.autocast("cpu")
    def product(a, depth):
        return product(a, depth - 1) if depth else a @ a

    assert product(lumbre.ones(2, 2), 2).dtype == lumbre.bfloat16
    assert not lumbre.is_autocast_enabled("cpu")


def test_a_raising_block_is_left():
    with pytest.raises(ZeroDivisionError), lumbre.autocast("cpu"):
        1 / 0
    assert not lumbre.is_autocast_enabled("cpu")
    assert (lumbre.ones(1, 1) @ lumbre.ones(1, 1)).dtype == lumbre.float32
