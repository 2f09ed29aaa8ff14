// The tensor: a storage seen through an offset, sizes and strides.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/dims.h"
#include "base/dtype.h"
#include "base/ref.h"
#include "base/scalar.h"
#include "tensor/storage.h"

namespace lumbre {

enum class MemoryFormat : uint8_t { Contiguous, Preserve, ChannelsLast, ChannelsLast3d };

// What autograd knows of a tensor; its meaning is core/autograd's.
struct TensorHistory {
  virtual ~TensorHistory() = default;
};

class TensorData {
 public:
  uint32_t references = 0;
  DType dtype = DType::Float32;
  bool requires_grad = false;  // of a view: up to date when view_version is the storage's
  bool contiguous = true;      // row-major without gaps; kept up to date by set_geometry
  int64_t offset = 0;          // in elements
  int64_t count = 1;           // number of elements
  Ref<Storage> storage;
  void* python_object = nullptr;  // borrowed: the one Python object that stands for this tensor, if any
  // Turned around: the tensor owns its object, which Python has let go of but which somebody may ask for again.
  bool keeps_object = false;
  uint8_t view_kind = 0;      // autograd::ViewKind
  bool inference = false;     // made in inference mode
  bool untracked = false;     // `x.data`: what is written to it does not count as a change of x
  uint32_t view_version = 0;  // of a view: the storage's version that its history accounts for
  Ref<TensorData> base;       // of a view that autograd follows: the tensor whose memory it shows
  std::unique_ptr<TensorHistory> history;
  Dims sizes;
  Dims strides;  // in elements

  static void destroy(TensorData* data) noexcept;
  static void (*end_kept_object)(TensorData* data) noexcept;  // the object's end, and then the tensor's
  void set_geometry(const Dims& new_sizes, const Dims& new_strides, int64_t new_offset);
};

class Tensor {
 public:
  Tensor() noexcept = default;
  explicit Tensor(Ref<TensorData> data) noexcept : data_(std::move(data)) {}

  // New tensors; contents indeterminate.
  static Tensor empty(const Dims& sizes, DType dtype);
  // Of the sizes of a contiguous tensor, row-major.
  static Tensor empty_as(const Tensor& contiguous, DType dtype);
  static Tensor empty_strided(const Dims& sizes, const Dims& strides, DType dtype);
  // Shares nothing; memory zero.
  static Tensor zeros(const Dims& sizes, DType dtype);
  static Tensor full(const Dims& sizes, Scalar value, DType dtype);
  static Tensor scalar(Scalar value, DType dtype);
  static Tensor over(Ref<Storage> storage, DType dtype, const Dims& sizes, const Dims& strides, int64_t offset);
  // A view of this tensor's storage. Checked: every reachable element lies inside it.
  Tensor view_as_strided(const Dims& sizes, const Dims& strides, int64_t offset) const;

  bool defined() const noexcept { return static_cast<bool>(data_); }
  TensorData* get() const noexcept { return data_.get(); }
  TensorData* operator->() const noexcept { return data_.get(); }
  DType dtype() const noexcept { return data_->dtype; }
  const Dims& sizes() const noexcept { return data_->sizes; }
  const Dims& strides() const noexcept { return data_->strides; }
  int64_t size(int64_t dim) const { return data_->sizes[wrap_dim(dim, ndim())]; }
  int ndim() const noexcept { return data_->sizes.ndim(); }
  int64_t count() const noexcept { return data_->count; }
  bool is_contiguous() const noexcept { return data_->contiguous; }
  bool is_contiguous(MemoryFormat format) const;
  // Every element has its own place and there are no gaps, in some order of dimensions.
  bool is_dense() const;
  size_t item_bytes() const noexcept { return item_size(data_->dtype); }
  char* bytes() const noexcept { return data_->storage->data() + data_->offset * static_cast<int64_t>(item_bytes()); }
  template <class T>
  T* as() const noexcept {
    return reinterpret_cast<T*>(bytes());
  }
  bool same(const Tensor& other) const noexcept { return data_ == other.data_; }
  bool shares_storage(const Tensor& other) const noexcept { return data_->storage == other.data_->storage; }
  void bump_version() const noexcept { data_->storage->version += !data_->untracked; }

  // The one element, as a number. Throws when there is not exactly one.
  Scalar item() const;
  Tensor contiguous() const;
  Tensor clone(MemoryFormat format = MemoryFormat::Preserve) const;
  Tensor to(DType dtype) const;  // itself when it has that dtype already
  // this <- source, converted and broadcast.
  void copy_from(const Tensor& source) const;
  void fill(Scalar value) const;
  // Gives it the sizes, row-major, growing the storage where needed; new elements are zero.
  void resize(const Dims& sizes) const;

 private:
  Ref<TensorData> data_;
};

DType default_dtype() noexcept;
void set_default_dtype(DType dtype);

// Strides of a dense layout that keeps the dimensions' order of `like` (as PyTorch's preserve_format does).
Dims strides_like(const Tensor& like, const Dims& sizes);
Dims strides_for(const Dims& sizes, MemoryFormat format);
// Elements from the first to one past the last that the geometry reaches (0 when empty).
int64_t reach(const Dims& sizes, const Dims& strides);
// Strides that view `from` as `sizes` without a copy, when there are any.
std::optional<Dims> view_strides(const Dims& sizes, const Dims& strides, const Dims& wanted);
// Replaces one -1 in `sizes`; throws PyTorch's error when they do not fit `count`.
Dims infer_sizes(const Dims& sizes, int64_t count);

Dims broadcast_sizes(const Dims& a, const Dims& b);

}  // namespace lumbre
