// What saved files need: checksums of their records, and pickles whose globals have other names.

#include <string>
#include <string_view>

#include "base/checksum.h"
#include "python/objects.h"

namespace lumbre::python {

namespace {

class Buffer {
 public:
  explicit Buffer(PyObject* object) {
    if (PyObject_GetBuffer(object, &view_, PyBUF_SIMPLE) < 0) throw PythonError{};
  }
  ~Buffer() { PyBuffer_Release(&view_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  std::string_view bytes() const { return {static_cast<const char*>(view_.buf), static_cast<size_t>(view_.len)}; }

 private:
  Py_buffer view_;
};

PyObject* checksum(PyObject*, PyObject* args) {
  PyObject* data;
  unsigned int crc = 0;
  if (!PyArg_ParseTuple(args, "O|I:_crc32", &data, &crc)) return nullptr;
  return guarded([&]() -> PyObject* {
    const Buffer buffer(data);
    const std::string_view bytes = buffer.bytes();
    return PyLong_FromUnsignedLong(
        checksum_loop()(crc, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()));
  });
}

// Walks a pickle of protocol 2 or 3, as pickle.Pickler writes it.
class Opcodes {
 public:
  explicit Opcodes(std::string_view pickle) : rest_(pickle) {}

  bool done() const { return rest_.empty(); }

  // The next opcode and its argument.
  std::string_view next() {
    const std::string_view all = rest_;
    const auto opcode = static_cast<unsigned char>(take(1)[0]);
    switch (opcode) {
      case '(':
      case ')':
      case ']':
      case '}':
      case '.':
      case 't':
      case 'l':
      case 'd':
      case 'a':
      case 'e':
      case 's':
      case 'u':
      case 'b':
      case 'R':
      case 'N':
      case '0':
      case '1':
      case '2':
      case 'Q':
      case 'o':
      case 0x81:
      case 0x85:
      case 0x86:
      case 0x87:
      case 0x88:
      case 0x89:
        break;
      case 'K':
      case 'q':
      case 'h':
      case 0x80:
      case 0x82:
        take(1);
        break;
      case 'M':
      case 0x83:
        take(2);
        break;
      case 'J':
      case 'r':
      case 'j':
      case 0x84:
        take(4);
        break;
      case 'G':
        take(8);
        break;
      case 'U':
      case 'C':
      case 0x8a:
        take(size(1));
        break;
      case 'X':
      case 'T':
      case 'B':
      case 0x8b:
        take(size(4));
        break;
      case 'c':
        line();
        line();
        break;
      default:
        fail(ErrorKind::Runtime, "a pickle has an opcode that protocols 2 and 3 have not: ", int{opcode});
    }
    return all.substr(0, all.size() - rest_.size());
  }

 private:
  std::string_view take(size_t count) {
    LB_CHECK(count <= rest_.size(), Runtime, "a pickle ends in the middle of an opcode");
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }
  size_t size(size_t bytes) {
    size_t value = 0, shift = 0;
    for (const char byte : take(bytes)) {
      value |= size_t{static_cast<unsigned char>(byte)} << shift;
      shift += 8;
    }
    return value;
  }
  void line() {
    const size_t end = rest_.find('\n');
    LB_CHECK(end != std::string_view::npos, Runtime, "a pickle ends in the middle of a name");
    take(end + 1);
  }

  std::string_view rest_;
};

// The argument of a GLOBAL as the function `renamed(module, name) -> (module, name)` has it.
void write_global(std::string_view opcode, PyObject* renamed, std::string& to) {
  const size_t middle = opcode.find('\n');
  const std::string_view module = opcode.substr(1, middle - 1);
  const std::string_view name = opcode.substr(middle + 1, opcode.size() - middle - 2);
  const auto text = [](std::string_view part) {
    return Object::steal(PyUnicode_FromStringAndSize(part.data(), static_cast<Py_ssize_t>(part.size())));
  };
  const Object old_module = text(module), old_name = text(name);
  const Object found = Object::steal(PyObject_CallFunctionObjArgs(renamed, old_module.get(), old_name.get(), nullptr));
  const char *new_module, *new_name;
  if (!PyArg_ParseTuple(found.get(), "ss", &new_module, &new_name)) throw PythonError{};
  to.append("c").append(new_module).append("\n").append(new_name).append("\n");
}

PyObject* rename_globals(PyObject*, PyObject* args) {
  PyObject *data, *renamed;
  if (!PyArg_ParseTuple(args, "OO:_rename_globals", &data, &renamed)) return nullptr;
  return guarded([&]() -> PyObject* {
    const Buffer buffer(data);
    std::string result;
    result.reserve(buffer.bytes().size());
    for (Opcodes opcodes(buffer.bytes()); !opcodes.done();) {
      const std::string_view opcode = opcodes.next();
      if (opcode[0] == 'c')
        write_global(opcode, renamed, result);
      else
        result.append(opcode);
    }
    return PyBytes_FromStringAndSize(result.data(), static_cast<Py_ssize_t>(result.size()));
  });
}

PyMethodDef functions[] = {
    {"_rename_globals", rename_globals, METH_VARARGS,
     "A pickle of protocol 2 or 3, with its globals as the function (module, name) -> (module, name) has them."},
    {nullptr}};
PyMethodDef checksums[] = {
    {"_crc32", checksum, METH_VARARGS, "The CRC-32 of bytes, after others that had the second argument."}, {nullptr}};

}  // namespace

void add_files(PyObject* module) {
  if (PyModule_AddFunctions(module, functions) < 0) throw PythonError{};
  if (checksum_loop() && PyModule_AddFunctions(module, checksums) < 0) throw PythonError{};
}

}  // namespace lumbre::python
