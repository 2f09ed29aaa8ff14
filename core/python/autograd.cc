// Autograd as Python sees it: modes, nodes, hooks, user-defined functions, backward.
#include "autograd/engine.h"

#include <map>
#include <mutex>

#include "compile/recorder.h"
#include "ops/backward.h"
#include "python/autograd.h"

namespace lumbre::python {

using autograd::Edge;
using autograd::Gradients;
using autograd::History;
using autograd::Node;
using autograd::NodeRef;

namespace {

// --- Python functions in the graph
// ------------------------------------------------------------------------------------

PyObject* wrap_node(const NodeRef& node);

Object optional_tensor(const Tensor& t) { return t.defined() ? Object::steal(wrap(t)) : Object::borrow(Py_None); }

Tensor tensor_or_none(PyObject* object, const char* what) {
  if (object == Py_None) return Tensor();
  LB_CHECK(is_tensor(object), Type, what, " must be a Tensor or None, not ", Py_TYPE(object)->tp_name);
  return tensor_of(object);
}

Object gradients_tuple(const Gradients& gradients) {
  Object tuple = Object::steal(PyTuple_New(static_cast<Py_ssize_t>(gradients.size())));
  for (size_t i = 0; i < gradients.size(); ++i)
    PyTuple_SET_ITEM(tuple.get(), static_cast<Py_ssize_t>(i), optional_tensor(gradients[i]).release());
  return tuple;
}

void replace_gradients(Gradients& gradients, PyObject* result, const char* what) {
  if (result == Py_None) return;
  if (is_tensor(result) && gradients.size() == 1) {
    gradients[0] = tensor_of(result);
    return;
  }
  LB_CHECK(PyTuple_Check(result) && static_cast<size_t>(PyTuple_GET_SIZE(result)) == gradients.size(), Runtime, what,
           " returned the wrong number of gradients");
  for (size_t i = 0; i < gradients.size(); ++i)
    gradients[i] = tensor_or_none(PyTuple_GET_ITEM(result, static_cast<Py_ssize_t>(i)), what);
}

std::vector<Object> values_of(PyObject* dict) {
  std::vector<Object> found;
  Object values = Object::steal(PyMapping_Values(dict));
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(values.get()); ++i)
    found.push_back(Object::borrow(PyList_GET_ITEM(values.get(), i)));
  return found;
}

// The callables of a dictionary, in order: Python's handles remove their entries.
class DictHook final : public autograd::TensorHook {
 public:
  explicit DictHook(PyObject* dict) : dict_(Object::borrow(dict)) {}
  Tensor call(const Tensor& gradient) override {
    Tensor current = gradient;
    bool changed = false;
    for (const Object& hook : values_of(dict_.get())) {
      Object argument = Object::steal(wrap(current));
      Object result = Object::steal(PyObject_CallOneArg(hook.get(), argument.get()));
      if (result.get() == Py_None) continue;
      LB_CHECK(is_tensor(result.get()), Type, "expected Variable, but hook returned '", Py_TYPE(result.get())->tp_name,
               "'");
      const Tensor& t = tensor_of(result.get());
      LB_CHECK(t.sizes() == current.sizes(), Runtime, "hook '<hook>' has changed the size of value");
      current = t;
      changed = true;
    }
    return changed ? current : Tensor();
  }
  int visit(autograd::VisitObject visit, void* argument) const override { return visit(dict_.get(), argument); }

 private:
  Object dict_;
};

// After accumulation: the callables take the leaf itself.
class LeafHook final : public autograd::TensorHook {
 public:
  explicit LeafHook(PyObject* dict) : dict_(Object::borrow(dict)) {}
  Tensor call(const Tensor& leaf) override {
    for (const Object& hook : values_of(dict_.get())) {
      Object argument = Object::steal(wrap(leaf));
      Object::steal(PyObject_CallOneArg(hook.get(), argument.get()));
    }
    return Tensor();
  }
  int visit(autograd::VisitObject visit, void* argument) const override { return visit(dict_.get(), argument); }

 private:
  Object dict_;
};

class RetainHook final : public autograd::TensorHook {
 public:
  explicit RetainHook(const Tensor& t) {
    History& history = autograd::own_history(t);
    if (!history.self) history.self = std::make_shared<TensorData*>(t.get());
    tensor_ = history.self;
  }
  // When the tensor is gone, there is nobody to keep the gradient for.
  Tensor call(const Tensor& gradient) override {
    if (!*tensor_) return Tensor();
    History& history = autograd::own_history(Tensor(Ref<TensorData>(*tensor_)));
    history.gradient = history.gradient.defined() && !autograd::grad_enabled()
                           ? op::add(history.gradient, gradient)
                           : (history.gradient.defined() ? op::add(history.gradient, gradient) : gradient);
    return Tensor();
  }

 private:
  std::shared_ptr<TensorData*> tensor_;
};

class PythonNodeHook final : public autograd::NodeHook {
 public:
  PythonNodeHook(PyObject* dict, bool before) : dict_(Object::borrow(dict)), before_(before) {}
  void before(Gradients& taken) override {
    if (!before_) return;
    for (const Object& hook : values_of(dict_.get())) {
      Object arguments = gradients_tuple(taken);
      Object result = Object::steal(PyObject_CallOneArg(hook.get(), arguments.get()));
      replace_gradients(taken, result.get(), "a pre-hook");
    }
  }
  void after(Gradients& given, const Gradients& taken) override {
    if (before_) return;
    for (const Object& hook : values_of(dict_.get())) {
      Object inputs = gradients_tuple(given);
      Object outputs = gradients_tuple(taken);
      Object result = Object::steal(PyObject_CallFunctionObjArgs(hook.get(), inputs.get(), outputs.get(), nullptr));
      replace_gradients(given, result.get(), "a hook");
    }
  }
  int visit(autograd::VisitObject visit, void* argument) const override { return visit(dict_.get(), argument); }

 private:
  Object dict_;
  bool before_;
};

// The node of a user-defined function: its context's _run_backward gives the gradients.
class FunctionNode final : public Node {
 public:
  FunctionNode(PyObject* context, std::string title, std::vector<Edge> edges)
      : context(Object::borrow(context)), title_(std::move(title)), edges_(std::move(edges)) {}
  std::string name() const override { return title_; }
  std::span<Edge> edges() noexcept override { return edges_; }
  bool runs_without_gradients() const noexcept override { return true; }
  void release() noexcept override {
    if (!context) return;
    PyObject* released = PyObject_CallMethod(context.get(), "_release", nullptr);
    if (!released) PyErr_WriteUnraisable(context.get());
    Py_XDECREF(released);
  }
  int visit(autograd::VisitObject visit, void* argument) const override {
    return context ? visit(context.get(), argument) : 0;
  }
  void apply(Gradients& taken, Gradients& given) override {
    LB_CHECK(context, Runtime, "the context of ", title_, " has been collected");
    Object arguments = gradients_tuple(taken);
    Object method = Object::steal(PyObject_GetAttrString(context.get(), "_run_backward"));
    Object self = Object::steal(wrap_node(NodeRef(this)));
    Object result = Object::steal(PyObject_CallFunctionObjArgs(method.get(), arguments.get(), self.get(), nullptr));
    LB_CHECK(PyTuple_Check(result.get()) && static_cast<size_t>(PyTuple_GET_SIZE(result.get())) == given.size(),
             Runtime, "function ", title_, " returned an incorrect number of gradients (expected ", given.size(),
             ", got ", PyTuple_Check(result.get()) ? PyTuple_GET_SIZE(result.get()) : 1, ")");
    for (size_t i = 0; i < given.size(); ++i)
      given[i] = tensor_or_none(PyTuple_GET_ITEM(result.get(), static_cast<Py_ssize_t>(i)), "a gradient");
  }
  Object context;

 private:
  std::string title_;
  std::vector<Edge> edges_;
};

// --- nodes as Python objects
// ------------------------------------------------------------------------------------------

struct NodeObject {
  PyObject_HEAD NodeRef node;
  PyObject* attributes;
};

PyTypeObject* node_type;

NodeObject* node_object(PyObject* self) { return reinterpret_cast<NodeObject*>(self); }

// One Python class per name, as PyTorch has.
PyTypeObject* type_of_name(const std::string& name) {
  static std::map<std::string, PyTypeObject*> types;
  PyTypeObject*& type = types[name];
  if (!type) {
    static std::vector<std::unique_ptr<std::string>> kept;
    kept.push_back(std::make_unique<std::string>("lumbre._C." + name));
    PyType_Slot slots[] = {{0, nullptr}};
    PyType_Spec spec{kept.back()->c_str(), sizeof(NodeObject), 0, Py_TPFLAGS_DEFAULT, slots};
    Object bases = Object::steal(PyTuple_Pack(1, node_type));
    type = reinterpret_cast<PyTypeObject*>(Object::steal(PyType_FromSpecWithBases(&spec, bases.get())).release());
  }
  return type;
}

PyObject* wrap_node(const NodeRef& node) {
  if (!node) return Py_NewRef(Py_None);
  if (node->python_object) return Py_NewRef(static_cast<PyObject*>(node->python_object));
  PyTypeObject* type = type_of_name(node->name());
  auto* self = reinterpret_cast<NodeObject*>(type->tp_alloc(type, 0));
  if (!self) throw PythonError{};
  ::new (&self->node) NodeRef(node);
  self->attributes = nullptr;
  node->python_object = self;
  return reinterpret_cast<PyObject*>(self);
}

int node_traverse(PyObject* self, visitproc visit, void* arg) {
  NodeObject* object = node_object(self);
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(object->attributes);
  return object->node ? autograd::visit_owned(*object->node, reinterpret_cast<autograd::VisitObject>(visit), arg) : 0;
}
int node_clear(PyObject* self) {
  NodeObject* object = node_object(self);
  Py_CLEAR(object->attributes);
  if (!object->node || object->node->references != 1) return 0;
  const std::unique_ptr<autograd::Hooks> hooks = std::move(object->node->hooks);
  if (auto* function = dynamic_cast<FunctionNode*>(object->node.get()))
    const Object context = std::move(function->context);
  return 0;
}

void node_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  NodeObject* object = node_object(self);
  PyObject_GC_UnTrack(self);
  if (object->node) object->node->python_object = nullptr;
  Py_CLEAR(object->attributes);
  object->node.~NodeRef();
  type->tp_free(self);
  Py_DECREF(type);
}

PyObject* node_repr(PyObject* self) {
  return PyUnicode_FromFormat("<%s object at %p>", node_object(self)->node->name().c_str(), self);
}
PyObject* node_name(PyObject* self, PyObject*) {
  // Nodes that belong to no operator say where PyTorch keeps them.
  const std::string name = node_object(self)->node->name();
  const bool own =
      name == "CopySlices" || name == "AccumulateGrad" || name == "CopyBackwards" || name == "NotImplemented";
  return PyUnicode_FromString((own ? "torch::autograd::" + name : name).c_str());
}
PyObject* node_next(PyObject* self, void*) {
  return guarded([&]() -> PyObject* {
    const std::span<Edge> edges = node_object(self)->node->edges();
    Object tuple = Object::steal(PyTuple_New(static_cast<Py_ssize_t>(edges.size())));
    for (size_t i = 0; i < edges.size(); ++i) {
      Object next = Object::steal(wrap_node(edges[i].node));
      PyTuple_SET_ITEM(tuple.get(), static_cast<Py_ssize_t>(i),
                       Object::steal(Py_BuildValue("(OI)", next.get(), edges[i].input)).release());
    }
    return tuple.release();
  });
}
PyObject* node_sequence(PyObject* self, PyObject*) {
  return PyLong_FromUnsignedLongLong(node_object(self)->node->sequence);
}
PyObject* node_variable(PyObject* self, void*) {
  return guarded([&]() -> PyObject* {
    auto* leaf = dynamic_cast<autograd::AccumulateGrad*>(node_object(self)->node.get());
    if (!leaf)
      return PyErr_Format(PyExc_AttributeError, "'%s' object has no attribute 'variable'", Py_TYPE(self)->tp_name);
    return wrap(leaf->variable());
  });
}
// _attach_hooks(dict, before): the callables of the dictionary run before or after the node.
PyObject* node_attach(PyObject* self, PyObject* args) {
  PyObject* dict;
  int before;
  if (!PyArg_ParseTuple(args, "O!p", &PyDict_Type, &dict, &before)) return nullptr;
  return guarded([&]() -> PyObject* {
    node_object(self)->node->own_hooks().node.push_back(std::make_shared<PythonNodeHook>(dict, before));
    Py_RETURN_NONE;
  });
}
PyObject* node_call(PyObject* self, PyObject* args, PyObject*) {
  return guarded([&]() -> PyObject* {
    Node& node = *node_object(self)->node;
    Gradients taken(node.taken), given(node.edges().size());
    LB_CHECK(static_cast<size_t>(PyTuple_GET_SIZE(args)) == taken.size(), Type, "expected ", taken.size(),
             " arguments, got ", PyTuple_GET_SIZE(args), " instead");
    for (size_t i = 0; i < taken.size(); ++i)
      taken[i] = tensor_or_none(PyTuple_GET_ITEM(args, static_cast<Py_ssize_t>(i)), "an argument");
    node.apply(taken, given);
    if (given.size() == 1) return optional_tensor(given[0]).release();
    return gradients_tuple(given).release();
  });
}
// What a node of a user-defined function lacks, its context has.
PyObject* node_attribute(PyObject* self, PyObject* name) {
  PyObject* found = PyObject_GenericGetAttr(self, name);
  if (found || !PyErr_ExceptionMatches(PyExc_AttributeError)) return found;
  auto* function = dynamic_cast<FunctionNode*>(node_object(self)->node.get());
  if (!function || !function->context) return nullptr;
  PyErr_Clear();
  return PyObject_GetAttr(function->context.get(), name);
}

PyMethodDef node_methods[] = {{"name", node_name, METH_NOARGS, "The node's name, such as AddBackward0."},
                              {"_sequence_nr", node_sequence, METH_NOARGS, "Nodes run in the reverse of this order."},
                              {"_attach_hooks", node_attach, METH_VARARGS, nullptr},
                              {nullptr}};
PyGetSetDef node_properties[] = {
    {"next_functions", node_next, nullptr, "((node, input number), ...): where its gradients go.", nullptr},
    {"variable", node_variable, nullptr, "The leaf that an AccumulateGrad node adds to.", nullptr},
    {nullptr}};
PyMemberDef node_members[] = {{"__dictoffset__", T_PYSSIZET, offsetof(NodeObject, attributes), READONLY, nullptr},
                              {nullptr}};

void add_node_type(PyObject* module) {
  PyType_Slot slots[] = {{Py_tp_dealloc, reinterpret_cast<void*>(node_dealloc)},
                         {Py_tp_traverse, reinterpret_cast<void*>(node_traverse)},
                         {Py_tp_clear, reinterpret_cast<void*>(node_clear)},
                         {Py_tp_repr, reinterpret_cast<void*>(node_repr)},
                         {Py_tp_call, reinterpret_cast<void*>(node_call)},
                         {Py_tp_getattro, reinterpret_cast<void*>(node_attribute)},
                         {Py_tp_methods, node_methods},
                         {Py_tp_getset, node_properties},
                         {Py_tp_members, node_members},
                         {0, nullptr}};
  PyType_Spec spec{"lumbre._C.Node", sizeof(NodeObject), 0,
                   Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                   slots};
  node_type = reinterpret_cast<PyTypeObject*>(Object::steal(PyType_FromSpec(&spec)).release());
  if (PyModule_AddObjectRef(module, "Node", reinterpret_cast<PyObject*>(node_type)) < 0) throw PythonError{};
}

// --- backward
// ---------------------------------------------------------------------------------------------------------

// One run at a time: the engine keeps its notes in the nodes. A thread may run inside of its own run.
class EngineLock {
 public:
  EngineLock() {
    if (mutex().try_lock()) return;
    Py_BEGIN_ALLOW_THREADS mutex().lock();
    Py_END_ALLOW_THREADS
  }
  ~EngineLock() { mutex().unlock(); }
  EngineLock(const EngineLock&) = delete;
  EngineLock& operator=(const EngineLock&) = delete;

 private:
  static std::recursive_mutex& mutex() {
    static std::recursive_mutex one;
    return one;
  }
};

Tensor root_gradient(const Tensor& root, PyObject* given, size_t i) {
  if (given && given != Py_None) {
    LB_CHECK(is_tensor(given), Type, "gradients can be either Tensors or None, but got ", Py_TYPE(given)->tp_name);
    const Tensor& gradient = tensor_of(given);
    LB_CHECK(gradient.sizes() == root.sizes(), Runtime, "Mismatch in shape: grad_output[", i, "] has a shape of ",
             printed_prefix(), ".Size(", shown_list(gradient.sizes()), ") and output[", i, "] has a shape of ",
             printed_prefix(), ".Size(", shown_list(root.sizes()), ").");
    return gradient;
  }
  LB_CHECK(root.count() == 1, Runtime, "grad can be implicitly created only for scalar outputs");
  LB_CHECK(is_floating(root.dtype()), Runtime, "grad can be implicitly created only for real scalar outputs but got ",
           printed_prefix(), ".", dtype_name(root.dtype()));
  return Tensor::full(root.sizes(), Scalar(1.0), root.dtype());
}

std::vector<Tensor> run_engine(autograd::Request request) {
  const EngineLock lock;
  return autograd::run(std::move(request));
}

void check_root(const Tensor& root, size_t i) {
  LB_CHECK(autograd::requires_grad(root), Runtime, "element ", i,
           " of tensors does not require grad and does not have a grad_fn");
}

// _run_backward(tensors, gradients, keep_graph, create_graph, inputs, accumulate) -> gradients of the inputs
PyObject* run_backward(PyObject*, PyObject* args) {
  PyObject *tensors, *gradients, *inputs;
  int keep, create, accumulate;
  if (!PyArg_ParseTuple(args, "O!O!ppO!p", &PyTuple_Type, &tensors, &PyTuple_Type, &gradients, &keep, &create,
                        &PyTuple_Type, &inputs, &accumulate))
    return nullptr;
  return guarded([&]() -> PyObject* {
    autograd::Request request;
    request.keep_graph = keep;
    request.create_graph = create;
    request.accumulate = accumulate;
    std::vector<Tensor> roots, given, wanted_tensors;
    const Py_ssize_t count = PyTuple_GET_SIZE(tensors);
    LB_CHECK(PyTuple_GET_SIZE(gradients) == count, Runtime, "got ", count, " tensors and ", PyTuple_GET_SIZE(gradients),
             " gradients");
    for (Py_ssize_t i = 0; i < count; ++i) {
      PyObject* object = PyTuple_GET_ITEM(tensors, i);
      LB_CHECK(is_tensor(object), Type, "element ", i, " of tensors tuple is not a Tensor");
      const Tensor root = tensor_of(object);
      check_root(root, static_cast<size_t>(i));
      request.roots.push_back(autograd::gradient_edge(root));
      request.gradients.push_back(root_gradient(root, PyTuple_GET_ITEM(gradients, i), static_cast<size_t>(i)));
      roots.push_back(root);
      given.push_back(PyTuple_GET_ITEM(gradients, i) == Py_None ? Tensor() : request.gradients.back());
    }
    const Py_ssize_t wanted = PyTuple_GET_SIZE(inputs);
    for (Py_ssize_t i = 0; i < wanted; ++i) {
      PyObject* object = PyTuple_GET_ITEM(inputs, i);
      LB_CHECK(is_tensor(object), Type, "all inputs have to be Tensors, but got ", Py_TYPE(object)->tp_name);
      const Tensor& input = tensor_of(object);
      LB_CHECK(autograd::requires_grad(input), Runtime, "One of the differentiated Tensors does not require grad");
      LB_CHECK(!accumulate || autograd::is_leaf(input), Runtime,
               "One of the differentiated Tensors given as 'inputs' to "
               "backward is not a leaf Tensor");
      request.inputs.push_back(autograd::gradient_edge(input));
      wanted_tensors.push_back(input);
    }
    auto* recorder = compile::Recorder::current();
    const std::vector<Tensor> result = recorder ? recorder->backward(std::move(request), roots, given, wanted_tensors)
                                                : run_engine(std::move(request));
    Object tuple = Object::steal(PyTuple_New(static_cast<Py_ssize_t>(result.size())));
    for (size_t i = 0; i < result.size(); ++i)
      PyTuple_SET_ITEM(tuple.get(), static_cast<Py_ssize_t>(i), optional_tensor(result[i]).release());
    return tuple.release();
  });
}

// _backward(tensor, gradient, keep_graph, create_graph): all leaves of one root.
PyObject* backward_one(PyObject*, PyObject* const* args, Py_ssize_t count) {
  if (count != 4 || !is_tensor(args[0]))
    return PyErr_Format(PyExc_TypeError, "_backward() takes a tensor and three more");
  return guarded([&]() -> PyObject* {
    const Tensor root = tensor_of(args[0]);
    check_root(root, 0);
    const Tensor gradient = root_gradient(root, args[1], 0);
    autograd::Request request;
    request.roots.push_back(autograd::gradient_edge(root));
    request.gradients.push_back(gradient);
    request.keep_graph = args[2] == Py_True;
    request.create_graph = args[3] == Py_True;
    if (auto* recorder = compile::Recorder::current())
      recorder->backward(std::move(request), {root}, {args[1] == Py_None ? Tensor() : gradient}, {});
    else
      run_engine(std::move(request));
    Py_RETURN_NONE;
  });
}

// --- user-defined functions
// -------------------------------------------------------------------------------------------

// _function_node(context, name, inputs): inputs are tensors or None.
PyObject* function_node(PyObject*, PyObject* args) {
  PyObject *context, *inputs;
  const char* name;
  unsigned taken;
  if (!PyArg_ParseTuple(args, "OsO!I", &context, &name, &PyTuple_Type, &inputs, &taken)) return nullptr;
  return guarded([&]() -> PyObject* {
    std::vector<Edge> edges;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(inputs); ++i) {
      PyObject* object = PyTuple_GET_ITEM(inputs, i);
      edges.push_back(is_tensor(object) ? autograd::gradient_edge(tensor_of(object)) : Edge());
    }
    auto made = std::make_unique<FunctionNode>(context, name, std::move(edges));
    made->taken = taken;
    return wrap_node(NodeRef(made.release()));
  });
}
// _set_node(tensor, node, output): the tensor is a result of the node.
PyObject* set_node(PyObject*, PyObject* args) {
  PyObject *tensor, *node;
  unsigned output;
  int in_place;
  if (!PyArg_ParseTuple(args, "O!O!Ip", tensor_type, &tensor, node_type, &node, &output, &in_place)) return nullptr;
  return guarded([&]() -> PyObject* {
    const Tensor& t = tensor_of(tensor);
    track(tensor);
    if (in_place) autograd::rewrite_history(t, node_object(node)->node);
    if (!in_place || t->requires_grad) {
      if (!in_place || !t->base) autograd::set_node(t, node_object(node)->node, output);
      if (!in_place && t->base) t->view_kind = static_cast<uint8_t>(autograd::ViewKind::Custom);
    }
    Py_RETURN_NONE;
  });
}
PyObject* check_written(PyObject*, PyObject* tensor) {
  return guarded([&]() -> PyObject* {
    LB_CHECK(is_tensor(tensor), Type, "a tensor was expected");
    autograd::check_in_place(tensor_of(tensor), true);
    Py_RETURN_NONE;
  });
}
// _save(tensor, node or None, output): a function that gives the tensor back, or fails when it was written to since.
struct SavedObject {
  PyObject_HEAD autograd::SavedTensor saved;
};
PyTypeObject* saved_type;
void saved_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  reinterpret_cast<SavedObject*>(self)->saved.~SavedTensor();
  type->tp_free(self);
  Py_DECREF(type);
}
PyObject* saved_unpack(PyObject* self, PyObject* node) {
  return guarded([&]() -> PyObject* {
    Node* owner = Py_IS_TYPE(node, node_type) || PyType_IsSubtype(Py_TYPE(node), node_type)
                      ? node_object(node)->node.get()
                      : nullptr;
    return wrap(reinterpret_cast<SavedObject*>(self)->saved.unpack(owner));
  });
}
PyObject* save_tensor(PyObject*, PyObject* args) {
  PyObject* tensor;
  int output;
  if (!PyArg_ParseTuple(args, "O!i", tensor_type, &tensor, &output)) return nullptr;
  return guarded([&]() -> PyObject* {
    autograd::SavedTensor saved =
        output < 0 ? autograd::SavedTensor::of_input(tensor_of(tensor))
                   : autograd::SavedTensor::of_output(tensor_of(tensor), static_cast<uint32_t>(output));
    auto* self = reinterpret_cast<SavedObject*>(saved_type->tp_alloc(saved_type, 0));
    if (!self) throw PythonError{};
    ::new (&self->saved) autograd::SavedTensor(std::move(saved));
    return reinterpret_cast<PyObject*>(self);
  });
}

// --- saved-tensor hooks
// -----------------------------------------------------------------------------------------------

std::vector<std::pair<Object, Object>>& saved_hooks() {
  static auto& stack = *new std::vector<std::pair<Object, Object>>;
  return stack;
}

class PackedByPython final : public autograd::SavedTensor::Packed {
 public:
  PackedByPython(Object packed, Object unpack) : packed_(std::move(packed)), unpack_(std::move(unpack)) {}
  Tensor unpack() override {
    Object result = Object::steal(PyObject_CallOneArg(unpack_.get(), packed_.get()));
    LB_CHECK(is_tensor(result.get()), Type,
             "Output of saved tensor unpack_hook expected to be a Tensor but got result of "
             "type ",
             Py_TYPE(result.get())->tp_name);
    return tensor_of(result.get());
  }

 private:
  Object packed_, unpack_;
};

std::unique_ptr<autograd::SavedTensor::Packed> pack_with_python(const Tensor& t) {
  if (saved_hooks().empty()) return nullptr;
  const auto [pack, unpack] = saved_hooks().back();
  const autograd::GradModeGuard off(false);
  Object argument = Object::steal(wrap(t));
  Object packed = Object::steal(PyObject_CallOneArg(pack.get(), argument.get()));
  return std::make_unique<PackedByPython>(std::move(packed), unpack);
}

PyObject* push_saved_hooks(PyObject*, PyObject* args) {
  PyObject *pack, *unpack;
  if (!PyArg_ParseTuple(args, "OO", &pack, &unpack)) return nullptr;
  saved_hooks().emplace_back(Object::borrow(pack), Object::borrow(unpack));
  autograd::pack_hook = pack_with_python;
  Py_RETURN_NONE;
}
PyObject* pop_saved_hooks(PyObject*, PyObject*) {
  if (!saved_hooks().empty()) saved_hooks().pop_back();
  if (saved_hooks().empty()) autograd::pack_hook = nullptr;
  Py_RETURN_NONE;
}

// --- hooks of tensors
// -------------------------------------------------------------------------------------------------

void add_tensor_hook(const Tensor& t, std::shared_ptr<autograd::TensorHook> hook, bool retains) {
  History& history = autograd::own_history(t);
  const NodeRef node = autograd::node_of(t);
  autograd::Hooks* hooks;
  if (node) {
    hooks = &node->own_hooks();
  } else if (history.accumulator) {
    hooks = &history.accumulator->own_hooks();
  } else {
    if (!history.leaf_hooks) history.leaf_hooks = std::make_unique<autograd::Hooks>();
    hooks = history.leaf_hooks.get();
  }
  hooks->tensor.push_back({node ? history.output : 0, retains, std::move(hook)});
}

PyObject* attach_tensor_hooks(PyObject*, PyObject* args) {
  PyObject *tensor, *dict;
  int after;
  if (!PyArg_ParseTuple(args, "O!O!p", tensor_type, &tensor, &PyDict_Type, &dict, &after)) return nullptr;
  return guarded([&]() -> PyObject* {
    const Tensor& t = tensor_of(tensor);
    track(tensor);
    if (!after) {
      add_tensor_hook(t, std::make_shared<DictHook>(dict), false);
    } else {
      History& history = autograd::own_history(t);
      history.after_accumulation.push_back(std::make_shared<LeafHook>(dict));
      if (history.accumulator) history.accumulator->after = history.after_accumulation;
    }
    Py_RETURN_NONE;
  });
}

PyObject* retain_gradient(PyObject*, PyObject* tensor) {
  return guarded([&]() -> PyObject* {
    LB_CHECK(is_tensor(tensor), Type, "a tensor was expected");
    const Tensor& t = tensor_of(tensor);
    LB_CHECK(autograd::requires_grad(t), Runtime, "can't retain_grad on Tensor that has requires_grad=False");
    if (autograd::is_leaf(t)) Py_RETURN_NONE;
    History& history = autograd::own_history(t);
    if (history.retains) Py_RETURN_NONE;
    history.retains = true;
    add_tensor_hook(t, std::make_shared<RetainHook>(t), true);
    Py_RETURN_NONE;
  });
}

// --- modes
// ------------------------------------------------------------------------------------------------------------

PyObject* set_mode(bool autograd::Modes::* mode, PyObject* value) {
  const bool before = autograd::modes.*mode;
  autograd::modes.*mode = value == Py_True;
  return PyBool_FromLong(before);
}
PyObject* set_recording(bool autograd::Modes::* mode, PyObject* value) {
  PyObject* before = set_mode(mode, value);
  autograd::modes.grad = autograd::modes.asked && !autograd::modes.inference;
  return before;
}
PyObject* set_grad(PyObject*, PyObject* value) { return set_recording(&autograd::Modes::asked, value); }
PyObject* set_inference(PyObject*, PyObject* value) { return set_recording(&autograd::Modes::inference, value); }
PyObject* set_anomaly(PyObject*, PyObject* value) { return set_mode(&autograd::Modes::anomaly, value); }
PyObject* set_anomaly_nan(PyObject*, PyObject* value) { return set_mode(&autograd::Modes::anomaly_nan, value); }
PyObject* get_grad_mode(PyObject*, PyObject*) { return PyBool_FromLong(autograd::modes.asked); }
PyObject* get_inference_mode(PyObject*, PyObject*) { return PyBool_FromLong(autograd::modes.inference); }
PyObject* get_anomaly(PyObject*, PyObject*) { return PyBool_FromLong(autograd::modes.anomaly); }

PyMethodDef module_methods[] = {
    {"_run_backward", run_backward, METH_VARARGS, nullptr},
    {"_backward", reinterpret_cast<PyCFunction>(backward_one), METH_FASTCALL, nullptr},
    {"_function_node", function_node, METH_VARARGS, nullptr},
    {"_set_node", set_node, METH_VARARGS, nullptr},
    {"_check_written", check_written, METH_O, nullptr},
    {"_save_tensor", save_tensor, METH_VARARGS, nullptr},
    {"_push_saved_hooks", push_saved_hooks, METH_VARARGS, nullptr},
    {"_pop_saved_hooks", pop_saved_hooks, METH_NOARGS, nullptr},
    {"_attach_tensor_hooks", attach_tensor_hooks, METH_VARARGS, nullptr},
    {"_retain_grad", retain_gradient, METH_O, nullptr},
    {"_set_grad_enabled", set_grad, METH_O, "Switches recording on or off; gives what it was."},
    {"_set_inference", set_inference, METH_O, nullptr},
    {"_set_anomaly", set_anomaly, METH_O, nullptr},
    {"_set_anomaly_nan", set_anomaly_nan, METH_O, nullptr},
    {"is_grad_enabled", get_grad_mode, METH_NOARGS, "Whether operations are recorded."},
    {"is_inference_mode_enabled", get_inference_mode, METH_NOARGS, "Whether inference mode is on in this thread."},
    {"is_anomaly_enabled", get_anomaly, METH_NOARGS, "Whether gradients are checked as they are computed."},
    {nullptr}};

}  // namespace

std::string shown_list(const Dims& sizes) {
  std::string s = "[";
  for (size_t i = 0; i < sizes.size(); ++i) s += (i ? ", " : "") + std::to_string(sizes[i]);
  return s + "]";
}

// --- properties of tensors
// --------------------------------------------------------------------------------------------

PyObject* get_requires_grad(PyObject* self, void*) { return PyBool_FromLong(autograd::requires_grad(tensor_of(self))); }

int set_requires_grad(PyObject* self, PyObject* value, void*) {
  return guarded([&]() -> int {
    LB_CHECK(value && PyBool_Check(value), Runtime, "requires_grad must be a bool");
    const Tensor& t = tensor_of(self);
    const bool wanted = value == Py_True;
    LB_CHECK(!wanted || is_floating(t.dtype()), Runtime,
             "only Tensors of floating point and complex dtype can require gradients");
    if (!autograd::is_leaf(t)) {
      LB_CHECK(wanted, Runtime,
               "you can only change requires_grad flags of leaf variables. If you want to use a "
               "computed variable in a subgraph that doesn't require differentiation use var_no_grad = var.detach().");
      return 0;
    }
    LB_CHECK(!wanted || !t->inference || autograd::modes.inference, Runtime,
             "Setting requires_grad=True on inference tensor outside InferenceMode is not allowed.");
    if (auto* recorder = compile::Recorder::current()) recorder->require_gradient(t, wanted);
    t->requires_grad = wanted;
    return 0;
  });
}

PyObject* get_is_leaf(PyObject* self, void*) {
  return guarded([&] { return PyBool_FromLong(autograd::is_leaf(tensor_of(self))); });
}
PyObject* get_grad_fn(PyObject* self, void*) {
  track(self);
  return guarded([&] {
    const NodeRef node = autograd::node_of(tensor_of(self));
    if (node && compile::recording()) compile::refuse("the program looks at the graph");
    return wrap_node(node);
  });
}
PyObject* get_output_number(PyObject* self, void*) {
  const History* history = autograd::history_of(tensor_of(self));
  return PyLong_FromUnsignedLong(history ? history->output : 0);
}
PyObject* get_retains_grad(PyObject* self, void*) {
  const History* history = autograd::history_of(tensor_of(self));
  return PyBool_FromLong(history && history->retains);
}
PyObject* get_base(PyObject* self, void*) {
  const Tensor& t = tensor_of(self);
  if (!t->base) Py_RETURN_NONE;
  if (compile::recording()) compile::refuse("the program looks at a view's base");
  return guarded([&] { return wrap(Tensor(t->base)); });
}
PyObject* is_view(PyObject* self, PyObject*) { return PyBool_FromLong(static_cast<bool>(tensor_of(self)->base)); }
PyObject* is_inference(PyObject* self, PyObject*) { return PyBool_FromLong(tensor_of(self)->inference); }

PyObject* get_gradient(PyObject* self, void*) {
  const Tensor& t = tensor_of(self);
  const History* history = autograd::history_of(t);
  if (auto* recorder = compile::Recorder::current()) recorder->load_gradient(t, history ? history->gradient : Tensor());
  if (history && history->gradient.defined()) return guarded([&] { return wrap(history->gradient); });
  if (t->requires_grad && history && history->node && !history->retains &&
      PyErr_WarnEx(
          PyExc_UserWarning,
          "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed. Its .grad attribute won't "
          "be populated during autograd.backward(). If you indeed want the .grad field to be populated for a "
          "non-leaf Tensor, use .retain_grad() on the non-leaf Tensor. If you access the non-leaf Tensor by "
          "mistake, make sure you access the leaf Tensor instead. See github.com/pytorch/pytorch/pull/30531 for "
          "more informations.",
          1) < 0)
    return nullptr;
  Py_RETURN_NONE;
}

int set_gradient(PyObject* self, PyObject* value, void*) {
  return guarded([&]() -> int {
    const Tensor& t = tensor_of(self);
    auto* recorder = compile::Recorder::current();
    if (!value || value == Py_None) {
      if (recorder) recorder->store_gradient(t, Tensor());
      if (History* history = autograd::history_of(t)) {
        // Freed after it is out of reach: its own end may run Python.
        const Tensor old = std::move(history->gradient);
        history->gradient = Tensor();
      }
      return 0;
    }
    LB_CHECK(is_tensor(value), Type, "assigned grad expected to be a Tensor or None but got grad of type ",
             Py_TYPE(value)->tp_name);
    const Tensor& gradient = tensor_of(value);
    LB_CHECK(value != self, Runtime, "can't assign Variable as its own grad");
    LB_CHECK(
        gradient.dtype() == t.dtype(), Runtime, "attempting to assign a gradient with dtype '",
        dtype_name(gradient.dtype()), "' to a tensor with grad_dtype '", dtype_name(t.dtype()),
        "'. The gradient must match the tensor's grad_dtype (defaults to the tensor's dtype). You can set the tensor's "
        "grad_dtype attribute with a specific dtype, or None to allow any dtype. Set grad_dtype with caution. "
        "Diverging the dtypes of a tensor and its gradient may break downstream systems that assume they match.");
    LB_CHECK(gradient.sizes() == t.sizes(), Runtime, "assigned grad has data of a different size");
    track(self);
    if (recorder) recorder->store_gradient(t, gradient);
    autograd::own_history(t).gradient = gradient;
    return 0;
  });
}

// The same memory without history; both count the same in-place operations.
PyObject* detach(PyObject* self, PyObject*) {
  return guarded([&] {
    const Tensor& t = tensor_of(self);
    const Tensor same = Tensor::over(t->storage, t.dtype(), t.sizes(), t.strides(), t->offset);
    same->inference = t->inference;
    if (auto* recorder = compile::Recorder::current()) recorder->made_from(compile::Step::Kind::Detach, t, same);
    return wrap_like(self, same);
  });
}
PyObject* detach_here(PyObject* self, PyObject*) {
  return guarded([&] {
    if (compile::recording()) compile::refuse("the program detaches a tensor in place");
    autograd::detach_in_place(tensor_of(self));
    return Py_NewRef(self);
  });
}

void add_autograd(PyObject* module) {
  compile::run_engine = run_engine;
  add_node_type(module);
  static PyMethodDef saved_methods[] = {{"unpack", saved_unpack, METH_O, nullptr}, {nullptr}};
  PyType_Slot slots[] = {
      {Py_tp_dealloc, reinterpret_cast<void*>(saved_dealloc)}, {Py_tp_methods, saved_methods}, {0, nullptr}};
  PyType_Spec spec{"lumbre._C._SavedTensor", sizeof(SavedObject), 0,
                   Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};
  saved_type = reinterpret_cast<PyTypeObject*>(Object::steal(PyType_FromSpec(&spec)).release());
  if (PyModule_AddFunctions(module, module_methods) < 0) throw PythonError{};
}

}  // namespace lumbre::python
