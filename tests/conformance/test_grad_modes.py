"""Inference tensors, and views written to with and without recording: small programs run under both."""

from __future__ import annotations

import copy
import re
import warnings

import numpy as np
import pytest

reference = pytest.importorskip("torch", reason="PyTorch is the reference")

import lumbre


def programs(torch):
    """The programs, by name, written with one of the two libraries."""
    found = {}

    def prog(function):
        found[function.__name__] = function

    def inf(*sizes):
        with torch.inference_mode():
            return torch.ones(*sizes or (3,))

    @prog
    def inplace_outside():
        x = inf()
        x.add_(1)
        return x

    @prog
    def inplace_nograd():
        x = inf()
        with torch.no_grad():
            x.add_(1)
        return x

    @prog
    def inplace_inside():
        x = inf()
        with torch.inference_mode():
            x.add_(1)
        return x

    @prog
    def inplace_normal_inside():
        x = torch.ones(3)
        with torch.inference_mode():
            x.add_(1)
        return x, x._version, x.is_inference()

    @prog
    def inplace_leaf_inside():
        x = torch.ones(3, requires_grad=True)
        with torch.inference_mode():
            x.add_(1)
        return x, x._version

    @prog
    def inplace_nonleaf_inside():
        x = torch.ones(3, requires_grad=True)
        y = x * 2
        with torch.inference_mode():
            y.add_(1)
        y.sum().backward()
        return x.grad

    @prog
    def version():
        return inf()._version

    @prog
    def version_in():
        with torch.inference_mode():
            return torch.ones(2)._version

    @prog
    def save_bw():
        x = torch.ones(3, requires_grad=True)
        return x * inf()

    @prog
    def add_bw():
        x = torch.ones(3, requires_grad=True)
        y = x + inf()
        y.sum().backward()
        return x.grad, y.is_inference()

    @prog
    def func_normal():
        y = inf() + 1
        return y.is_inference(), y

    @prog
    def view_of_inf():
        y = inf()[0:2]
        return y.is_inference(), y._is_view()

    @prog
    def view_inplace():
        y = inf()[0:2]
        y.add_(1)
        return y

    @prog
    def view_normal_in_inf():
        x = torch.ones(3)
        with torch.inference_mode():
            y = x[0:2]
        return y.is_inference(), y._is_view()

    @prog
    def view_normal_in_inf_inplace():
        x = torch.ones(3)
        with torch.inference_mode():
            y = x[0:2]
        y.add_(1)
        return x

    @prog
    def view_leaf_in_inf_inplace():
        x = torch.ones(3, requires_grad=True)
        with torch.inference_mode():
            y = x[0:2]
        y.add_(1)
        return x

    @prog
    def view_nonleaf_in_inf_inplace():
        x = torch.ones(3, requires_grad=True)
        z = x * 2
        with torch.inference_mode():
            y = z[0:2]
        y.add_(1)
        return x

    @prog
    def req_grad():
        x = inf()
        x.requires_grad_()
        return x

    @prog
    def req_grad_set():
        x = inf()
        x.requires_grad = True
        return x

    @prog
    def req_grad_in():
        with torch.inference_mode():
            x = torch.ones(2, requires_grad=True)
            return x.requires_grad, x.is_leaf

    @prog
    def req_grad_in_out():
        with torch.inference_mode():
            x = torch.ones(2, requires_grad=True)
        y = x * 2
        return y.requires_grad

    @prog
    def req_grad_backward():
        with torch.inference_mode():
            x = torch.ones(2, requires_grad=True)
        y = x + 2
        y.sum().backward()
        return x.grad

    @prog
    def out_inf():
        x = inf()
        torch.add(torch.ones(3), 1, out=x)
        return x

    @prog
    def out_inside():
        x = torch.ones(3)
        with torch.inference_mode():
            torch.add(torch.ones(3), 1, out=x)
        return x, x._version

    @prog
    def clone_inf():
        y = inf().clone()
        return y.is_inference()

    @prog
    def detach_inf():
        y = inf().detach()
        return y.is_inference()

    @prog
    def data_inf():
        y = inf().data
        return y.is_inference()

    @prog
    def data_write():
        y = inf()
        y.data.add_(1)
        return y

    @prog
    def detach_under_inf():
        x = torch.ones(3)
        with torch.inference_mode():
            y = x.detach()
        return y.is_inference()

    @prog
    def setitem():
        x = inf()
        x[0] = 5
        return x

    @prog
    def setitem_normal_inf_value():
        x = torch.zeros(3)
        x[:] = inf()
        return x, x.is_inference()

    @prog
    def copy_inf_to_leafview():
        x = torch.zeros(3, requires_grad=True)
        y = x * 1
        y.copy_(inf())
        y.sum().backward()
        return x.grad

    @prog
    def nested():
        with torch.inference_mode(), torch.inference_mode(False):
            x = torch.ones(2, requires_grad=True)
            return (x * 2).requires_grad, x.is_inference(), torch.is_inference_mode_enabled(), torch.is_grad_enabled()

    @prog
    def nested_grad():
        with torch.inference_mode(), torch.enable_grad():
            x = torch.ones(2, requires_grad=True)
            y = x * 2
            return y.requires_grad, y.is_inference(), torch.is_grad_enabled()

    @prog
    def factory():
        with torch.inference_mode():
            return [
                t.is_inference()
                for t in (
                    torch.tensor([1.0]),
                    torch.zeros(2),
                    torch.arange(3),
                    torch.empty(2),
                    torch.rand(2),
                    torch.from_numpy(np.ones(2)),
                    torch.eye(2),
                    torch.nn.Parameter(torch.ones(2)),
                )
            ]

    @prog
    def module():
        m = torch.nn.Linear(2, 2)
        with torch.inference_mode():
            y = m(torch.ones(1, 2))
        return y.is_inference(), y.requires_grad, y.grad_fn is None

    @prog
    def zero_():
        inf().zero_()
        return 1

    @prog
    def fill_():
        inf().fill_(2.0)
        return 1

    @prog
    def normal_():
        inf().normal_()
        return 1

    @prog
    def reshape():
        return inf(2, 3).reshape(6).is_inference(), inf(2, 3).t().reshape(6).is_inference()

    @prog
    def split_inf():
        return [t.is_inference() for t in inf(4).split(2)]

    @prog
    def squeeze_():
        x = inf(1, 3)
        x.squeeze_()
        return x.shape

    @prog
    def t_():
        x = inf(2, 3)
        x.t_()
        return x.shape

    @prog
    def resize_():
        x = inf(2, 3)
        x.resize_(3)
        return x.shape

    @prog
    def stack_inf():
        return torch.stack([inf(), torch.ones(3)]).is_inference()

    @prog
    def contig_same():
        x = inf()
        return x.contiguous() is x, x.to(torch.float32) is x, x.to(torch.float64).is_inference()

    @prog
    def grad_assign():
        x = torch.ones(3, requires_grad=True)
        x.grad = inf()
        x.sum().backward()
        return x.grad

    @prog
    def optimizer():
        p = torch.nn.Parameter(torch.ones(3))
        p.grad = inf()
        torch.optim.SGD([p], 0.1).step()
        return p

    @prog
    def deepcopy_inf():
        y = copy.deepcopy(inf())
        return y.is_inference()

    @prog
    def expand_inplace_msg():
        inf(2)[0].mul_(2)
        return 0

    @prog
    def sum_saved():
        x = torch.ones(3, requires_grad=True)
        return (x.exp() * x).sum().item(), torch.mm(torch.ones(1, 3, requires_grad=True), inf(3, 1))

    @prog
    def linear_inf():
        m = torch.nn.Linear(3, 2)
        return m(inf(1, 3))

    @prog
    def embedding_inf():
        with torch.inference_mode():
            i = torch.tensor([0])
        m = torch.nn.Embedding(2, 2)
        return m(i).shape

    @prog
    def detach_():
        x = inf()
        x.detach_()
        return x.is_inference()

    @prog
    def decorator():
        @torch.inference_mode()
        def f(x):
            return x * 2

        return f(torch.ones(2, requires_grad=True)).is_inference()

    @prog
    def backward_in_inf():
        x = torch.ones(2, requires_grad=True)
        y = (x * x).sum()
        with torch.inference_mode():
            y.backward()
        return x.grad, x.grad.is_inference()

    @prog
    def set_data():
        x = torch.ones(3)
        x.data = inf()
        return x.is_inference()

    @prog
    def swap_version():
        x = torch.ones(3)
        with torch.inference_mode():
            y = x.view(3)
            x.add_(1)
        return y._version if not y.is_inference() else "inf", x._version

    # view + inplace under no_grad

    @prog
    def view_in_no_grad_write_outside():
        x = torch.ones(3, requires_grad=True)
        with torch.no_grad():
            y = x[0:2]
        y.add_(1)
        return x

    @prog
    def view_and_write_in_no_grad():
        x = torch.ones(3, requires_grad=True)
        with torch.no_grad():
            y = x[0:2]
            y.add_(1)
        return x, x._version

    @prog
    def write_in_no_grad():
        x = torch.ones(3, requires_grad=True)
        y = x[0:2]
        with torch.no_grad():
            y.add_(1)
        return x, y

    @prog
    def view_of_leaf_write():
        x = torch.ones(3, requires_grad=True)
        y = x[0:2]
        y.add_(1)
        return x

    @prog
    def view_of_result_write_in_no_grad():
        x = torch.ones(3, requires_grad=True)
        z = x * 1
        y = z[0:2]
        with torch.no_grad():
            y.mul_(5)
        z.sum().backward()
        return x.grad, z

    @prog
    def view_then_base_requires():
        x = torch.ones(3)
        with torch.no_grad():
            y = x[0:2]
        x.requires_grad_()
        y.add_(1)
        return x

    @prog
    def view_in_no_grad_takes_recorded():
        x = torch.ones(3)
        with torch.no_grad():
            y = x[0:2]
        y.add_(torch.ones(2, requires_grad=True))
        return x.requires_grad, y.requires_grad

    @prog
    def view_takes_recorded():
        x = torch.ones(3)
        y = x[0:2]
        y.add_(torch.ones(2, requires_grad=True))
        return x.requires_grad, y.requires_grad, str(x.grad_fn)[:11], str(y.grad_fn)[:20]

    @prog
    def one_of_many():
        x = torch.ones(4, requires_grad=True)
        a, _b = (x * 1).unbind(0)[:2]
        a.add_(1)
        return a

    @prog
    def one_of_many_in_no_grad():
        x = torch.ones(4, requires_grad=True)
        with torch.no_grad():
            a, _b = x.split(2)
        a.add_(1)
        return a

    @prog
    def chunk_and_write_in_no_grad():
        x = torch.ones(4, requires_grad=True)
        with torch.no_grad():
            a = x.chunk(2)[0]
            a.add_(1)
        return x

    @prog
    def detached_write_counts():
        x = torch.ones(4, requires_grad=True)
        y = x.detach()
        y.add_(1)
        (x * x).sum().backward()
        return x.grad, x._version, y._version

    @prog
    def detached_write_of_saved():
        x = torch.ones(4, requires_grad=True)
        z = x.exp()
        z.detach().zero_()
        z.sum().backward()
        return x.grad

    @prog
    def data_write_of_saved():
        x = torch.ones(4, requires_grad=True)
        z = x.exp()
        z.data.zero_()
        z.sum().backward()
        return x.grad

    @prog
    def no_grad_write_of_saved():
        x = torch.ones(4, requires_grad=True)
        z = x.exp()
        with torch.no_grad():
            z.zero_()
        z.sum().backward()
        return x.grad

    @prog
    def result_requires_nothing():
        x = torch.ones(4, requires_grad=True)
        y = (x * 1).view(2, 2)
        y.requires_grad_(False)
        return y

    @prog
    def detach_view():
        x = torch.ones(4, requires_grad=True)
        y = x * 1
        v = y.view(2, 2)
        v.detach_()
        return v

    @prog
    def view_in_no_grad():
        x = torch.ones(4, requires_grad=True)
        with torch.no_grad():
            v = x.view(2, 2)
        return v.requires_grad, v._base is x, v.is_leaf

    @prog
    def view_follows_base():
        x = torch.ones(4)
        v = x.view(2, 2)
        x.requires_grad_()
        return v.requires_grad, v._is_view()

    @prog
    def out_recorded():
        x = torch.ones(4, requires_grad=True)
        torch.add(x, 1, out=torch.ones(4))
        return 0

    @prog
    def out_in_no_grad():
        x = torch.ones(4, requires_grad=True)
        with torch.no_grad():
            torch.add(x, 1, out=x)
        return x, x._version

    return found


THEIRS, OURS = programs(reference), programs(lumbre)


def outcome(program):
    """What the program gives, or the class and the first line of what it raises, without the library's name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            text = repr(program())
        except Exception as error:
            text = f"{type(error).__name__}: {error}".splitlines()[0]
    return re.sub(r" at 0x\w+|lumbre\.|torch\.", "", text)


@pytest.mark.parametrize("name", sorted(THEIRS))
def test_program(name):
    assert outcome(OURS[name]) == outcome(THEIRS[name])
