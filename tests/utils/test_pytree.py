"""Trees of containers, the same operations under both libraries."""

from __future__ import annotations

import collections
import dataclasses

import pytest

import lumbre as ours
from lumbre.utils import _pytree as mine

torch = pytest.importorskip("torch", reason="PyTorch is the reference")
theirs = pytest.importorskip("torch.utils._pytree")
Point = collections.namedtuple("Point", "x y")
TREES = [
    3, None, [], (), {}, [1, (2, None)], {"b": 1, "a": [2, {3: 4}]}, Point(1, [2]), collections.OrderedDict(b=1, a=(2,)),
    collections.deque([1, [2]], maxlen=3), collections.defaultdict(list, {1: [2, 3]}), "text", {1, 2},
]  # fmt: skip


@pytest.mark.parametrize("tree", TREES, ids=repr)
def test_flatten_and_back(tree):
    leaves, spec = mine.tree_flatten(tree)
    expected, their_spec = theirs.tree_flatten(tree)
    assert leaves == expected
    assert repr(spec) == repr(their_spec)
    assert (spec.num_leaves, spec.num_nodes) == (their_spec.num_leaves, their_spec.num_nodes)
    built = mine.tree_unflatten(leaves, spec)
    assert built == tree and type(built) is type(tree)
    assert mine.tree_leaves(tree) == leaves and mine.tree_structure(tree) == spec
    assert hash(spec) == hash(mine.tree_structure(tree))


@pytest.mark.parametrize("tree", TREES, ids=repr)
def test_paths(tree):
    found, expected = mine.tree_leaves_with_path(tree), theirs.tree_leaves_with_path(tree)
    assert [(mine.keystr(path), leaf) for path, leaf in found] == [
        (theirs.keystr(path), leaf) for path, leaf in expected
    ]
    assert [mine.key_get(tree, path) for path, _ in found] == [leaf for _, leaf in found]
    named = mine.tree_map_with_path(lambda path, leaf: mine.keystr(path), tree)
    assert mine.tree_leaves(named) == [theirs.keystr(path) for path, _ in expected]


def test_map():
    assert mine.tree_map(lambda a, b: a + b, [1, {"x": 2}], [10, {"x": 20}]) == [11, {"x": 22}]
    assert mine.tree_map_only(int, str, [1, "a", (2.0,)]) == ["1", "a", (2.0,)]
    assert mine.tree_map_only(lambda leaf: leaf == "a", str.upper, [1, "a"]) == [1, "A"]
    assert mine.tree_map(sum, [[1, 2], [3]], is_leaf=lambda each: each and isinstance(each[0], int)) == [3, 3]
    assert mine.tree_all(bool, [1, [2]]) and not mine.tree_any(bool, [0, [None]])


@pytest.mark.parametrize(
    "attempt",
    [
        lambda p: p.tree_map(lambda a, b: 0, [1], [1, 2]),
        lambda p: p.tree_map(lambda a, b: 0, [1], (1,)),
        lambda p: p.tree_map(lambda a, b: 0, {"a": 1}, {"b": 1}),
        lambda p: p.tree_unflatten([1], p.tree_structure([1, 2])),
        lambda p: p.tree_unflatten([1], "no shape"),
        lambda p: p.tree_map_only(3, str, [1]),
        lambda p: p.register_pytree_node(list, None, None),
    ],
)
def test_errors(attempt):
    with pytest.raises((ValueError, TypeError)) as expected:
        attempt(theirs)
    with pytest.raises(expected.type):
        attempt(mine)


def test_registered_classes():
    class Pair:
        def __init__(self, first, second):
            self.first, self.second = first, second

    mine.register_pytree_node(Pair, lambda p: ([p.first, p.second], None), lambda values, _: Pair(*values))
    try:
        doubled = mine.tree_map(lambda x: 2 * x, {"p": Pair(1, (2,))})
        assert (doubled["p"].first, doubled["p"].second) == (2, (4,))
    finally:
        mine._deregister_pytree_node(Pair)
    assert mine.tree_is_leaf(Pair(1, 2))


def test_dataclasses():
    @dataclasses.dataclass
    class Batch:
        x: int
        y: object = None

    mine.register_dataclass(Batch)
    try:
        assert mine.tree_map(lambda x: x + 1, Batch(1)) == Batch(2)
        assert mine.keystr(mine.tree_leaves_with_path(Batch(1, [2]))[1][0]) == ".y[0]"
    finally:
        mine._deregister_pytree_node(Batch)


def test_results_with_fields_are_nodes():
    leaves, spec = mine.tree_flatten(ours.max(ours.ones(2, 2), 0))
    assert len(leaves) == 2
    assert type(mine.tree_unflatten(leaves, spec)).__name__ == type(ours.max(ours.ones(2, 2), 0)).__name__
    assert mine.tree_leaves(ours.Size([2, 3])) == [2, 3]


@pytest.mark.parametrize("dims", [0, [0, (1, None)], [0, 1], (0, 1)])
def test_broadcast(dims):
    tree = [1, (2, 3)]
    expected = theirs._broadcast_to_and_flatten(dims, theirs.tree_structure(tree))
    assert mine._broadcast_to_and_flatten(dims, mine.tree_structure(tree)) == expected
