#include "ops/autocast.h"

#include <algorithm>

#include "ops/backward.h"

namespace lumbre::autocast {

namespace {

struct Entry {
  std::string_view name;
  Policy policy;
};

// By the names of the records, engine's and package's; aliases follow. What is not here computes in the dtypes it is
// given, or is composed of operators that are here.
constexpr std::string_view kLower =
    "_einsum _tensordot addbmm addmm baddbmm bmm mm matmul conv1d conv2d conv3d conv_tbc conv_transpose1d "
    "conv_transpose2d conv_transpose3d _padded_lstm linalg.vecdot nn.functional.linear "
    "nn.functional.scaled_dot_product_attention "
    "prelu";
constexpr std::string_view kFloat32 =
    "cdist cholesky cholesky_inverse cholesky_solve geqrf inverse linalg.cholesky linalg.cholesky_ex linalg.cond "
    "linalg.eig linalg.eigh linalg.eigvals linalg.eigvalsh linalg.householder_product linalg.inv linalg.inv_ex "
    "linalg.lstsq linalg.matrix_rank linalg.qr linalg.solve linalg.svd linalg.svdvals linalg.tensorinv "
    "linalg.tensorsolve lu_solve nanquantile nn.functional.adaptive_avg_pool3d nn.functional.adaptive_max_pool3d "
    "nn.functional.avg_pool3d nn.functional.binary_cross_entropy nn.functional.binary_cross_entropy_with_logits "
    "nn.functional.cosine_embedding_loss nn.functional.cross_entropy nn.functional.ctc_loss "
    "nn.functional.fractional_max_pool2d nn.functional.fractional_max_pool3d nn.functional.grid_sample "
    "nn.functional.hinge_embedding_loss nn.functional.huber_loss nn.functional.kl_div nn.functional.l1_loss "
    "nn.functional.margin_ranking_loss nn.functional.max_pool3d nn.functional.max_unpool1d nn.functional.max_unpool2d "
    "nn.functional.max_unpool3d "
    "nn.functional.mse_loss nn.functional.multi_margin_loss nn.functional.multilabel_margin_loss "
    "nn.functional.nll_loss nn.functional.pad nn.functional.poisson_nll_loss nn.functional.smooth_l1_loss "
    "nn.functional.soft_margin_loss nn.functional.triplet_margin_loss orgqr ormqr pinverse polar prod qr quantile "
    "stft svd trace triangular_solve view_as_complex";
constexpr std::string_view kWidest = "cat index_copy stack";
constexpr std::string_view kInside = "matrix_exp nn.functional.bilinear";

std::vector<Entry> make_table() {
  std::vector<Entry> table;
  const auto add = [&](std::string_view names, Policy policy) {
    while (!names.empty()) {
      const size_t end = std::min(names.find(' '), names.size());
      table.push_back({names.substr(0, end), policy});
      names.remove_prefix(std::min(end + 1, names.size()));
    }
  };
  add(kLower, Policy::Lower);
  add(kFloat32, Policy::Float32);
  add(kWidest, Policy::Widest);
  add(kInside, Policy::Inside);
  std::sort(table.begin(), table.end(), [](const Entry& a, const Entry& b) { return a.name < b.name; });
  return table;
}

bool castable(DType dtype) { return is_half(dtype) || dtype == DType::Float32; }

bool holds_tensors(const Value& value) {
  return value.given && (value.kind == Param::Tensors || value.kind == Param::OptionalTensors);
}

// --- operators that are cast for some arguments only ---------------------------------------------------------------

using Refinement = bool (*)(const Value* values);

// A product with nothing left to sum is an element-wise one; with nothing left at all, a dot product.
bool einsum_is_product(const Value* values) {
  std::string equation = values[0].lists->string;
  std::erase(equation, ' ');
  const size_t arrow = equation.find("->");
  const std::string inputs = equation.substr(0, arrow);
  if (inputs.find(',') == std::string::npos) return false;
  const bool implicit = arrow == std::string::npos;
  const std::string output = implicit ? "" : equation.substr(arrow + 2);
  bool any = false, all = inputs.find('.') == std::string::npos;
  for (const char letter : inputs) {
    if (letter == ',' || letter == '.') continue;
    const bool shared = std::count(inputs.begin(), inputs.end(), letter) > 1;
    const bool summed = shared && output.find(letter) == std::string::npos;
    any |= summed;
    all &= summed;
  }
  return any && !(all && std::count(inputs.begin(), inputs.end(), ',') == 1);
}

// Whether dimensions of more than one element are left.
bool leaves_elements(const Tensor& t, const Dims& summed) {
  int64_t count = 1;
  for (const int64_t dim : summed) {
    if (dim < -t.ndim() || dim >= t.ndim()) return true;  // an error, which is the operator's
    count *= t.size(dim);
  }
  return t.count() > count;
}
bool tensordot_is_product(const Value* values) {
  return leaves_elements(*values[0].tensor, values[2].dims) || leaves_elements(*values[1].tensor, values[3].dims);
}

bool pad_is_cast(const Value* values) {
  const std::string& mode = values[2].lists->string;
  return mode == "replicate" || (mode == "reflect" && values[1].dims.size() <= 4);
}

bool without_indices(const Value* values) { return !values[6].flag; }

Refinement refinement_of(std::string_view name) {
  if (name == "_einsum") return einsum_is_product;
  if (name == "_tensordot") return tensordot_is_product;
  if (name == "nn.functional.pad") return pad_is_cast;
  if (name == "nn.functional.max_pool3d") return without_indices;
  return nullptr;
}

}  // namespace

State& state() {
  static thread_local State own;
  return own;
}

void set_enabled(bool enabled) {
  state().enabled = enabled;
  autograd::modes.watch(autograd::kCasts, enabled);
}

Policy policy_of(std::string_view name) {
  static const std::vector<Entry> table = make_table();
  const auto found =
      std::lower_bound(table.begin(), table.end(), name, [](const Entry& e, std::string_view n) { return e.name < n; });
  return found != table.end() && found->name == name ? found->policy : Policy::None;
}

Policy policy_of(const Operator& record, const Value* values) {
  struct Known {
    Policy policy;
    Refinement refine;
  };
  static std::unordered_map<const Operator*, Known> known;
  const auto found = known.find(&record);
  if (found == known.end()) {
    const std::string_view signature = record.signature;
    const std::string_view name = signature.substr(0, signature.find('('));
    known[&record] = {policy_of(name), refinement_of(name)};
    return policy_of(record, values);
  }
  const Known& entry = found->second;
  return entry.refine && !entry.refine(values) ? Policy::Inside : entry.policy;
}

Target::Target(Policy policy) : policy_(policy), dtype_(policy == Policy::Float32 ? DType::Float32 : state().dtype) {}

void Target::note(const Tensor& tensor) {
  if (policy_ != Policy::Widest || !castable(tensor.dtype()) || tensor.dtype() == dtype_) return;
  LB_CHECK(tensor.dtype() == DType::Float32 || dtype_ == DType::Float32, Runtime,
           "Unexpected floating ScalarType in at::autocast::prioritize");
  dtype_ = DType::Float32;
}

Tensor Target::cast(const Tensor& tensor) const {
  if (policy_ == Policy::Inside || !castable(tensor.dtype()) || tensor.dtype() == dtype_) return tensor;
  State& own = state();
  const bool keep = own.cache_enabled && autograd::grad_enabled() && dtype_ == own.dtype &&
                    tensor.dtype() == DType::Float32 && tensor->requires_grad && !tensor->base &&
                    autograd::is_leaf(tensor);
  if (!keep) return op::cast(tensor, dtype_);
  const auto found = own.cache.find(tensor.get());
  if (found != own.cache.end()) return found->second.second;
  const Tensor made = op::cast(tensor, dtype_);
  own.cache.emplace(tensor.get(), std::pair{tensor, made});
  return made;
}

void cast_arguments(Policy policy, const Operator& record, Value* values, std::vector<Tensor>& made) {
  const std::span<Value> arguments(values, record.forward.count);
  if (policy == Policy::Inside) return;
  Target target(policy);
  for (const Value& value : arguments) {
    if (value.given && value.kind == Param::Tensor) target.note(*value.tensor);
    if (!holds_tensors(value)) continue;
    for (const Tensor& t : value.lists->tensors)
      if (t.defined()) target.note(t);
  }
  made.reserve(arguments.size());  // pointers into it must stay
  for (Value& value : arguments) {
    if (value.given && value.kind == Param::Tensor) value.tensor = &made.emplace_back(target.cast(*value.tensor));
    if (!holds_tensors(value)) continue;
    for (Tensor& t : value.lists->tensors)
      if (t.defined()) t = target.cast(t);
  }
}

}  // namespace lumbre::autocast
