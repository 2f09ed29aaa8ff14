"""The thread pool: results are the same on any number of threads, and pools outlive forks and other Python threads."""

from __future__ import annotations

import os
import threading

import pytest

import lumbre as torch

F = torch.nn.functional
COUNTS = (2, 3, 20)  # 20: more than there are shares


@pytest.fixture(autouse=True)
def threads_as_before():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def numbers(*sizes, dtype=torch.float32):
    return torch.randn(*sizes, dtype=dtype, generator=torch.Generator().manual_seed(7))


def gradients(function, *inputs):
    """The result and the gradients of a function, one after the other."""
    inputs = [x.clone().requires_grad_() for x in inputs]
    result = function(*inputs)
    return [result, *torch.autograd.grad(result.square().sum(), inputs)]


matrix = numbers(700, 900)
flat = matrix.flatten()
whole = (matrix * 100).long()
half = matrix.bfloat16()
images = numbers(8, 6, 40, 44)
filters = numbers(12, 6, 3, 3)
heads = numbers(2, 4, 200, 32)
rows = torch.randint(700, (3000,), generator=torch.Generator().manual_seed(3))

WORK = {
    "pointwise": lambda: torch.exp(matrix) * 2 + matrix,
    "broadcast": lambda: matrix + matrix[0] * matrix[:, :1],
    "transposed": lambda: matrix.T + numbers(900, 700),
    "in place": lambda: matrix.clone().mul_(3).add_(1),
    "comparison": lambda: matrix > 0.5,
    "conversion": lambda: matrix.double().half().float(),
    "sum": lambda: (matrix.sum(), matrix.sum(0), matrix.sum(1), half.sum(), whole.sum(), matrix.T.sum(1)),
    "mean, std, norm": lambda: (matrix.mean(), matrix.std(), matrix.var(0), torch.linalg.vector_norm(matrix)),
    "extremes": lambda: (*matrix.max(0), *matrix.min(1), flat.argmax(), matrix.amax()),
    "scans": lambda: (flat.cumsum(0), matrix.cumsum(1), *matrix.cummax(0), matrix.logcumsumexp(1)),
    "sorting": lambda: (*flat.sort(), *matrix.topk(5), *torch.unique(whole, return_counts=True)),
    "softmax": lambda: (matrix.softmax(0), matrix.log_softmax(1), half.softmax(1), matrix.logsumexp(1)),
    "gathering": lambda: (matrix[rows], matrix.index_select(1, rows), matrix[matrix > 1], matrix.nonzero()),
    "scattering": lambda: (
        torch.zeros(700, 900).index_add(0, rows[:700], matrix),
        torch.zeros(700).scatter_add(0, rows, flat[:3000]),
        torch.zeros(700).index_put((rows,), flat[:3000], accumulate=True),
    ),
    "products": lambda: (matrix @ matrix.T, matrix.T @ matrix, matrix @ matrix[0], matrix.double() @ matrix.double().T),
    "batches": lambda: (heads @ heads.transpose(-1, -2), torch.einsum("bhlk,bhsk->bls", heads, heads)),
    "convolution": lambda: gradients(lambda x, w: F.conv2d(x, w, padding=1), images, filters),
    "pooling": lambda: gradients(lambda x: F.max_pool2d(x, 2) + F.avg_pool2d(x, 2), images),
    "normalisation": lambda: gradients(
        lambda x: F.batch_norm(x, None, None, training=True) + F.layer_norm(x, (40, 44)) + F.group_norm(x, 3), images
    ),
    "attention": lambda: gradients(lambda x: F.scaled_dot_product_attention(x, x, x, is_causal=True), heads),
    "embedding": lambda: gradients(lambda table: F.embedding(rows, table), matrix),
    "loss": lambda: gradients(lambda x: F.cross_entropy(x, rows[:700] % 900), matrix),
    "random": lambda: (
        torch.manual_seed(5) and torch.randn(300000),
        torch.rand(300000),
        F.dropout(matrix, 0.3),
        torch.randperm(100000),
    ),
    "joining": lambda: (torch.cat((matrix, matrix), 1), torch.stack((matrix, matrix), 2), matrix.repeat(2, 3)),
    "padding": lambda: (F.pad(images, (1, 2, 3, 1), mode="reflect"), F.interpolate(images, scale_factor=2.5)),
    "linear algebra": lambda: torch.linalg.cholesky(matrix[:, :300].T @ matrix[:, :300]),
    "systems": lambda: (
        *torch.linalg.lu_factor(matrix),
        torch.linalg.solve(matrix[:500, :500], matrix[:500, 500:]),
        torch.linalg.inv(matrix[:300, :300]),
        torch.linalg.solve_triangular(matrix[:500, :500] + torch.eye(500) * 50, matrix[:500], upper=True),
    ),
}


@pytest.mark.parametrize("name", WORK)
def test_results_do_not_depend_on_the_number_of_threads(name):
    def results(count):
        torch.set_num_threads(count)
        found = WORK[name]()
        return [found] if isinstance(found, torch.Tensor) else list(found)

    expected = results(1)
    for count in COUNTS:
        for one, other in zip(expected, results(count), strict=True):
            assert one.dtype == other.dtype and torch.equal(one, other), f"{count} threads"


BEYOND_THE_CACHE = {
    "two inputs": lambda x, y: x + y,
    "a number": lambda x, y: x * 2,
    "a repeated element": lambda x, y: x - torch.tensor([0.25]),
    "repeated elements only": lambda x, y: torch.tensor([0.25]).expand(len(x)).contiguous(),
    "other bytes": lambda x, y: x.to(torch.float64),
    "off its line": lambda x, y: torch.maximum(x[1:], y[:-1]),
    "into an output": lambda x, y: torch.add(x[1:], y[1:], out=torch.empty(len(x))[1:]),
    "in place": lambda x, y: x.clone().mul_(y),
    "other dtypes": lambda x, y: x.double() * y,
    "three inputs": lambda x, y: torch.where(x > y, x, y),
    "apart": lambda x, y: torch.stack((x, y), 1)[:, 0] + y,
}


@pytest.mark.parametrize("name", BEYOND_THE_CACHE)
def test_what_is_written_past_the_cache(name):
    """Results of more than 32 MB are what their pieces are."""
    function, count, piece = BEYOND_THE_CACHE[name], 13_000_003, 1_000_001
    x, y = numbers(count), numbers(count).flip(0)
    whole, done = function(x, y).flatten(), 0
    for start in range(0, count, piece):
        part = function(x[start : start + piece], y[start : start + piece]).flatten()
        assert torch.equal(whole[start : start + len(part)], part)
        done += len(part)
    assert done >= count - count // piece - 1


def test_python_threads_share_the_pool():
    torch.set_num_threads(2)
    expected = [(matrix * k).sum() for k in range(8)]
    found = [None] * 8

    def work(k):
        for _ in range(20):
            found[k] = (matrix * k).sum()

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert all(torch.equal(one, other) for one, other in zip(expected, found, strict=True))


def test_a_child_has_a_pool_of_its_own():
    torch.set_num_threads(3)
    expected = matrix.exp().sum()
    child = os.fork()
    if child == 0:
        os._exit(0 if torch.equal(matrix.exp().sum(), expected) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert torch.equal(matrix.exp().sum(), expected)


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="there is one processor")
def test_workers_keep_off_the_processor_of_their_caller():
    torch.set_num_threads(2)
    ours = os.sched_getaffinity(0)

    def kept_off():
        """Some thread may run on every processor but one."""
        matrix.exp()
        masks = [os.sched_getaffinity(int(task)) for task in os.listdir("/proc/self/task")]
        return any(mask < ours and len(mask) == len(ours) - 1 for mask in masks)

    assert any(kept_off() for _ in range(1000))  # from the second job on that finds the caller where it was
    assert os.sched_getaffinity(threading.get_native_id()) == ours


def test_an_error_on_a_worker_is_raised_here():
    torch.set_num_threads(2)
    index = torch.zeros(700, 900, dtype=torch.int64)
    for place in (0, 350, 699):  # of either thread's share
        index.zero_()[place, 5] = 900
        with pytest.raises(RuntimeError, match="out of bounds"):
            matrix.gather(1, index)
    assert torch.equal(matrix.gather(1, index.zero_()), matrix[:, :1].expand(700, 900))


@pytest.mark.parametrize("count", [0, -1])
def test_there_is_at_least_one_thread(count):
    with pytest.raises(RuntimeError, match="expects a positive integer"):
        torch.set_num_threads(count)
