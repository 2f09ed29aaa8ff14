"""Trees of containers, the same operations under both libraries."""

from __future__ import annotations

import collections
import dataclasses
import enum

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


class Colour(enum.Enum):
    RED = 1


class Nameless:
    def __repr__(self) -> str:
        return "nameless"


class Box:
    class Inner(dict):
        pass


DUMPED = [
    *TREES, collections.defaultdict(Box.Inner, a=1), {Colour.RED: 1}, {(1, 2): 3}, {1.5: 2}, {Nameless(): 1},
    collections.defaultdict(None, a=1), ours.Size([1, 2]),
]  # fmt: skip


@pytest.mark.parametrize("tree", DUMPED, ids=repr)
def test_text_of_shapes(tree):
    def text(library):
        own = torch.Size(tree) if isinstance(tree, ours.Size) and library is theirs else tree
        return library.treespec_dumps(library.tree_structure(own))

    try:
        expected = text(theirs)
    except Exception as error:
        with pytest.raises(type(error)):
            text(mine)
        return
    assert text(mine) == expected
    back = mine.treespec_loads(expected)
    assert mine.treespec_dumps(back) == expected
    assert back == mine.tree_structure(tree) or (1, 2) in tree  # a tuple comes back as a list


def test_text_of_registered_classes():
    class Pair:
        pass

    found = []
    for library in (mine, theirs):
        Named = collections.namedtuple("Named", "a b")
        library._register_namedtuple(Named, serialized_type_name="tests.Named")
        library.register_pytree_node(
            Pair,
            lambda pair: ([1], (1, 2)),
            lambda values, context: Pair(),
            serialized_type_name="tests.Pair",
            to_dumpable_context=lambda context: {"numbers": list(context)},
            from_dumpable_context=lambda text: tuple(text["numbers"]),
        )
        shape = library.tree_structure([Named(1, 2), Pair()])
        found.append(library.treespec_dumps(shape))
        assert library.treespec_loads(found[-1]) == shape
        library._deregister_pytree_node(Pair)
        with pytest.raises(ValueError):
            library.register_pytree_node(Pair, None, None, to_dumpable_context=list)
    assert found[0] == found[1]
    with pytest.raises(NotImplementedError):  # PyTorch still remembers what it read
        mine.treespec_loads(found[0])


@pytest.mark.parametrize(
    "text",
    [
        "x", "[1]", "[2, {}]", "[1, 2]", '[1, {"type": "no.such", "context": "null", "children_spec": []}]',
        '[1, {"type": null, "context": null, "children_spec": [1]}]',
        '[1, {"type": "collections.namedtuple", "context": "no.such", "children_spec": []}]',
    ],
)  # fmt: skip
def test_text_that_is_no_shape(text):
    with pytest.raises(Exception) as expected:
        theirs.treespec_loads(text)
    with pytest.raises(expected.type):
        mine.treespec_loads(text)


def test_what_is_no_shape_has_no_text():
    for library in (mine, theirs):
        with pytest.raises(TypeError):
            library.treespec_dumps(3)
        with pytest.raises(ValueError):
            library.treespec_dumps(library.tree_structure(1), 7)
