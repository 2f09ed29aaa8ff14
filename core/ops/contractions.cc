// Sums of products over named dimensions: einsum, tensordot, kron; cross products and distances.
#include <atomic>
#include <cmath>
#include <map>

#include "base/threads.h"
#include "ops/gemm.h"
#include "ops/gradients.h"
#include "ops/products.h"

namespace lumbre::ops {

namespace {

Tensor viewed(const Tensor& t, Dims sizes, Dims strides) {
  return Tensor::over(t->storage, t.dtype(), std::move(sizes), std::move(strides), t->offset);
}

Tensor permuted(const Tensor& t, const std::vector<int>& order) {
  Dims sizes, strides;
  for (int d : order) {
    sizes.push_back(t.sizes()[d]);
    strides.push_back(t.strides()[d]);
  }
  return viewed(t, std::move(sizes), std::move(strides));
}

Tensor reshaped(const Tensor& t, const Dims& sizes) {
  if (const auto strides = view_strides(t.sizes(), t.strides(), sizes)) return viewed(t, sizes, *strides);
  const Tensor copy = t.clone(MemoryFormat::Contiguous);
  return viewed(copy, sizes, contiguous_strides(sizes));
}

// --- einsum ---------------------------------------------------------------------------------------------------------

// A label is a letter, or one dimension of an ellipsis (numbered from the right, so that they broadcast).
using Label = int;
constexpr Label kEllipsis = 1000;

struct Term {
  Tensor tensor;
  std::vector<Label> labels;  // one per dimension, without repetition
};

std::vector<std::string> split_commas(const std::string& s) {
  std::vector<std::string> parts(1);
  for (char c : s) {
    if (c == ',')
      parts.emplace_back();
    else
      parts.back() += c;
  }
  return parts;
}

std::vector<Label> parse_labels(const std::string& text_of, int ndim, size_t operand, bool output, int ellipsis_dims) {
  std::vector<Label> labels;
  bool ellipsis = false;
  int letters = 0;
  for (char c : text_of) letters += c != '.';
  const int covered = output ? ellipsis_dims : ndim - letters;
  for (size_t i = 0; i < text_of.size(); ++i) {
    const char c = text_of[i];
    if (c == '.') {
      LB_CHECK(!ellipsis && text_of.compare(i, 3, "...") == 0, Runtime,
               output ? "einsum(): found '.' for output but an ellipsis (...) was already found or is not complete"
                      : text("einsum(): found '.' for operand ", operand, " that is not part of any ellipsis"));
      ellipsis = true;
      for (int e = covered; e > 0; --e) labels.push_back(kEllipsis + e);
      i += 2;
      continue;
    }
    LB_CHECK(std::isalpha(static_cast<unsigned char>(c)), Runtime, "einsum(): invalid subscript given at index ", i,
             " in the equation string, subscripts must be in [a-zA-Z]");
    labels.push_back(c);
  }
  if (!output)
    LB_CHECK(ellipsis ? covered >= 0 : letters == ndim, Runtime, "einsum(): the number of subscripts in the equation (",
             letters, ") ", ellipsis ? "is more than" : "does not match", " the number of dimensions (", ndim,
             ") for operand ", operand, ellipsis ? "" : " and no ellipsis was given");
  return labels;
}

// Repeated labels of one operand become its diagonal.
Term diagonal_term(const Tensor& t, std::vector<Label> labels, size_t operand) {
  Term term{t, std::move(labels)};
  for (size_t first = 0; first < term.labels.size(); ++first) {
    for (size_t again = first + 1; again < term.labels.size();) {
      const Label label = term.labels[first];
      if (term.labels[again] != label) {
        ++again;
        continue;
      }
      const Dims& sizes = term.tensor.sizes();
      LB_CHECK(sizes[first] == sizes[again], Runtime, "einsum(): subscript ", static_cast<char>(label),
               " is repeated for operand ", operand, " but the sizes don't match, ", sizes[again],
               " != ", sizes[first]);
      const auto a = static_cast<int64_t>(first), b = static_cast<int64_t>(again);
      const Tensor diagonal = op::call<"diagonal">(term.tensor, int64_t{0}, a, b);
      term.tensor = op::call<"movedim">(diagonal, Dims{-1}, Dims{a});
      term.labels.erase(term.labels.begin() + static_cast<std::ptrdiff_t>(again));
    }
  }
  return term;
}

bool has(const std::vector<Label>& labels, Label label) {
  return std::find(labels.begin(), labels.end(), label) != labels.end();
}

int64_t size_of(const Term& term, Label label) {
  for (size_t d = 0; d < term.labels.size(); ++d)
    if (term.labels[d] == label) return term.tensor.sizes()[d];
  return 1;
}

// The term with its dimensions in the order of `labels`; missing ones are added by expansion.
Tensor arranged(const Term& term, const std::vector<Label>& labels, const std::map<Label, int64_t>& sizes_of) {
  Dims order, with_ones, sizes;
  for (Label label : labels) {
    const auto at = std::find(term.labels.begin(), term.labels.end(), label) - term.labels.begin();
    const bool present = at < static_cast<std::ptrdiff_t>(term.labels.size());
    if (present) order.push_back(at);
    with_ones.push_back(present ? term.tensor.sizes()[static_cast<size_t>(at)] : 1);
    sizes.push_back(sizes_of.at(label));
  }
  // What is left over has size 1.
  for (int64_t d = 0; d < term.tensor.ndim(); ++d)
    if (!order.contains(d)) order.push_back(d);
  const Tensor permuted = op::call<"permute">(term.tensor, order);
  return op::expand(op::reshape(permuted, with_ones), sizes);
}

int64_t product_of(const std::vector<Label>& labels, const std::map<Label, int64_t>& sizes_of) {
  int64_t product = 1;
  for (Label label : labels) product = checked_multiply(product, sizes_of.at(label));
  return product;
}

std::vector<Label> joined(std::initializer_list<std::vector<Label>> lists) {
  std::vector<Label> all;
  for (const auto& list : lists) all.insert(all.end(), list.begin(), list.end());
  return all;
}

// Labels of one term that nobody else needs are summed: a product with a vector of ones. Integers are promoted, as by
// sum.
Term summed(const Term& term, const std::vector<Label>& needed) {
  std::vector<Label> kept, dropped;
  std::map<Label, int64_t> sizes_of;
  for (Label label : term.labels) {
    (has(needed, label) ? kept : dropped).push_back(label);
    sizes_of[label] = size_of(term, label);
  }
  if (dropped.empty()) return term;
  const Tensor rows = op::reshape(arranged(term, joined({kept, dropped}), sizes_of),
                                  {product_of(kept, sizes_of), product_of(dropped, sizes_of)});
  const Tensor matrix = is_integral(rows.dtype(), true) ? op::cast(rows, DType::Int64) : rows;
  const Tensor result = op::call<"mv">(matrix, Tensor::full({matrix.sizes()[1]}, Scalar(1), matrix.dtype()));
  Dims sizes;
  for (Label label : kept) sizes.push_back(sizes_of[label]);
  return {op::reshape(result, sizes), kept};
}

// One product of batches of matrices: labels of both that are needed later are batches, of both and not needed are
// contracted, the others are rows and columns.
Term contract(const Term& a, const Term& b, const std::vector<Label>& needed) {
  std::vector<Label> batch, contracted, rows, columns;
  std::map<Label, int64_t> sizes_of;
  for (const Term* term : {&a, &b})
    for (Label label : term->labels) {
      auto& size = sizes_of[label];
      size = size == 0 || size == 1 ? size_of(*term, label) : size;
    }
  for (Label label : a.labels)
    (has(b.labels, label) ? (has(needed, label) ? batch : contracted) : rows).push_back(label);
  for (Label label : b.labels)
    if (!has(a.labels, label)) columns.push_back(label);
  const int64_t batches = product_of(batch, sizes_of), m = product_of(rows, sizes_of);
  const int64_t k = product_of(contracted, sizes_of), n = product_of(columns, sizes_of);
  const Tensor left = op::reshape(arranged(a, joined({batch, rows, contracted}), sizes_of), {batches, m, k});
  const Tensor right = op::reshape(arranged(b, joined({batch, contracted, columns}), sizes_of), {batches, k, n});
  Dims sizes;
  const std::vector<Label> labels = joined({batch, rows, columns});
  for (Label label : labels) sizes.push_back(sizes_of[label]);
  const bool summed_integers = left.dtype() == DType::Int64 && is_integral(right.dtype(), true);
  const Tensor like_left = summed_integers ? op::cast(right, DType::Int64) : right;
  const bool summed_right = right.dtype() == DType::Int64 && is_integral(left.dtype(), true);
  return {op::reshape(op::call<"bmm">(summed_right ? op::cast(left, DType::Int64) : left, like_left), sizes), labels};
}

struct Equation {
  std::vector<std::vector<Label>> inputs;
  std::vector<Label> output;
};

Equation parse_equation(std::string equation, const std::vector<Tensor>& operands) {
  std::erase(equation, ' ');
  const size_t arrow = equation.find("->");
  const std::vector<std::string> parts = split_commas(equation.substr(0, arrow));
  LB_CHECK(!operands.empty(), Runtime, "einsum(): must provide at least one operand");
  LB_CHECK(parts.size() == operands.size(), Runtime,
           parts.size() > operands.size() ? "einsum(): more subscripts than operands were provided in the equation"
                                          : "einsum(): more operands were provided than specified in the equation");
  Equation result;
  int ellipsis_dims = 0;
  std::map<Label, int> uses;
  for (size_t i = 0; i < parts.size(); ++i) {
    result.inputs.push_back(parse_labels(parts[i], operands[i].ndim(), i, false, 0));
    for (Label label : result.inputs.back()) {
      ++uses[label];
      if (label >= kEllipsis) ellipsis_dims = std::max(ellipsis_dims, label - kEllipsis);
    }
  }
  if (arrow != std::string::npos) {
    result.output = parse_labels(equation.substr(arrow + 2), 0, 0, true, ellipsis_dims);
    std::map<Label, int> seen;
    for (Label label : result.output) {
      LB_CHECK(++seen[label] == 1, Runtime, "einsum(): output subscript ", static_cast<char>(label),
               " appears more than once in the output");
      LB_CHECK(uses.contains(label), Runtime, "einsum(): output subscript ", static_cast<char>(label),
               " does not appear in the equation for any input operand");
    }
    return result;
  }
  for (int e = ellipsis_dims; e > 0; --e) result.output.push_back(kEllipsis + e);
  for (const auto& [label, count] : uses)
    if (label < kEllipsis && count == 1) result.output.push_back(label);
  return result;
}

void check_label_sizes(const std::vector<Term>& terms) {
  std::map<Label, int64_t> known;
  for (size_t i = 0; i < terms.size(); ++i)
    for (Label label : terms[i].labels) {
      const int64_t size = size_of(terms[i], label);
      auto& expected = known.try_emplace(label, 1).first->second;
      LB_CHECK(size == expected || size == 1 || expected == 1, Runtime, "einsum(): subscript ",
               label < kEllipsis ? std::string(1, static_cast<char>(label)) : std::string("..."), " has size ", size,
               " for operand ", i, " which does not broadcast with previously seen size ", expected);
      if (size != 1) expected = size;
    }
}

Tensor einsum(const std::string& equation, const std::vector<Tensor>& operands) {
  const Equation parsed = parse_equation(equation, operands);
  std::vector<Term> terms;
  for (size_t i = 0; i < operands.size(); ++i) terms.push_back(diagonal_term(operands[i], parsed.inputs[i], i));
  check_label_sizes(terms);
  // Dimensions of size 1 that broadcast against larger ones are no dimensions of their operand.
  std::map<Label, int64_t> sizes_of;
  for (const Term& term : terms)
    for (Label label : term.labels) {
      auto& size = sizes_of.try_emplace(label, 1).first->second;
      size = size == 1 ? size_of(term, label) : size;
    }
  for (Term& term : terms) {
    std::vector<Label> kept;
    for (Label label : term.labels)
      if (size_of(term, label) == sizes_of[label]) kept.push_back(label);
    if (kept.size() == term.labels.size()) continue;
    std::map<Label, int64_t> own;
    for (Label label : kept) own[label] = size_of(term, label);
    term = {arranged(term, kept, own), kept};
  }
  const auto needed_after = [&](size_t from) {
    std::vector<Label> needed = parsed.output;
    for (size_t i = from; i < terms.size(); ++i) needed = joined({needed, terms[i].labels});
    return needed;
  };
  Term result = summed(terms[0], needed_after(1));
  for (size_t i = 1; i < terms.size(); ++i) {
    const std::vector<Label> later = needed_after(i + 1);
    result = contract(summed(result, joined({later, terms[i].labels})),
                      summed(terms[i], joined({later, result.labels})), later);
  }
  for (Label label : parsed.output) sizes_of.try_emplace(label, 1);
  return arranged(result, parsed.output, sizes_of);
}

// --- the others -----------------------------------------------------------------------------------------------------

Tensor summed(const Tensor& t, int dim) {
  return t.sizes()[dim] == 1 ? t : op::call<"sum">(t, Dims{dim}, true, t.dtype());
}

Tensor tensordot(const Tensor& input, const Tensor& other, const Dims& dims_self, const Dims& dims_other) {
  LB_CHECK(dims_self.size() == dims_other.size(), Runtime, "both dimension lists should have same length");
  LB_CHECK(input.dtype() == other.dtype(), Runtime, "tensordot: both inputs should have same dtype");
  std::vector<bool> used_a(static_cast<size_t>(input.ndim())), used_b(static_cast<size_t>(other.ndim()));
  std::vector<int> order_a, order_b, contracted_a, contracted_b;
  int64_t k = 1;
  Tensor a = input, b = other;
  for (size_t i = 0; i < dims_self.size(); ++i) {
    const int da = wrap_dim(dims_self[i], input.ndim()), db = wrap_dim(dims_other[i], other.ndim());
    LB_CHECK(!used_a[static_cast<size_t>(da)] && !used_b[static_cast<size_t>(db)], Runtime, "dim ", da,
             " appears multiple times in the list of dims");
    // A dimension of size 1 is repeated: the other is summed.
    if (a.sizes()[da] == 1)
      b = summed(b, db);
    else if (b.sizes()[db] == 1)
      a = summed(a, da);
    LB_CHECK(a.sizes()[da] == b.sizes()[db], Runtime, "contracted dimensions need to match, but first has size ",
             a.sizes()[da], " in dim ", da, " and second has size ", b.sizes()[db], " in dim ", db);
    used_a[static_cast<size_t>(da)] = used_b[static_cast<size_t>(db)] = true;
    contracted_a.push_back(da);
    contracted_b.push_back(db);
    k *= a.sizes()[da];
  }
  Dims sizes;
  int64_t m = 1, n = 1;
  for (int d = 0; d < input.ndim(); ++d)
    if (!used_a[static_cast<size_t>(d)]) order_a.push_back(d), sizes.push_back(input.sizes()[d]), m *= input.sizes()[d];
  for (int d = 0; d < other.ndim(); ++d)
    if (!used_b[static_cast<size_t>(d)]) order_b.push_back(d), sizes.push_back(other.sizes()[d]), n *= other.sizes()[d];
  order_a.insert(order_a.end(), contracted_a.begin(), contracted_a.end());
  order_b.insert(order_b.begin(), contracted_b.begin(), contracted_b.end());
  return reshaped(mm(reshaped(permuted(a, order_a), {m, k}), reshaped(permuted(b, order_b), {k, n})), sizes);
}

Tensor kron(const Tensor& input, const Tensor& other) {
  PromotionState state;
  state.add(input);
  state.add(other);
  const DType dtype = state.result();
  const DType compute = dtype == DType::Bool ? DType::UInt8 : dtype;
  const int n = std::max(input.ndim(), other.ndim());
  const Tensor a = input.to(compute), b = other.to(compute);
  // Their dimensions interleave to the result's.
  Dims sizes_a, sizes_b, merged;
  const auto size = [n](const Tensor& t, int d) { return d < n - t.ndim() ? 1 : t.sizes()[d - (n - t.ndim())]; };
  for (int d = 0; d < n; ++d) {
    sizes_a.push_back(size(a, d));
    sizes_a.push_back(1);
    sizes_b.push_back(1);
    sizes_b.push_back(size(b, d));
    merged.push_back(checked_multiply(size(a, d), size(b, d)));
  }
  const autograd::GradModeGuard off(false);
  return reshaped(op::mul(reshaped(a, sizes_a), reshaped(b, sizes_b)), merged).to(dtype);
}

Tensor cross(const Tensor& input, const Tensor& other, std::optional<int64_t> dim) {
  LB_CHECK(input.ndim() == other.ndim(), Runtime, "linalg.cross: inputs must have the same number of dimensions.");
  const Dims sizes = broadcast_sizes(input.sizes(), other.sizes());
  int axis = -1;
  if (dim) {
    axis = wrap_dim(*dim, input.ndim());
  } else {
    for (int d = 0; d < sizes.ndim() && axis < 0; ++d)
      if (sizes[d] == 3) axis = d;
    LB_CHECK(axis >= 0, Runtime, "no dimension of size 3 in input");
  }
  LB_CHECK(input.sizes()[axis] == 3 && other.sizes()[axis] == 3, Runtime, "linalg.cross: inputs dimension ", axis,
           " must have length 3. Got ", input.sizes()[axis], " and ", other.sizes()[axis]);
  PromotionState state;
  state.add(input);
  state.add(other);
  const DType dtype = state.result();
  LB_CHECK(dtype != DType::Bool, NotImplemented, "\"cross\" not implemented for 'Bool'");
  const DType compute = is_half(dtype) ? DType::Float32 : dtype;
  const auto expanded = [&](const Tensor& t) {
    Tensor full = Tensor::empty(sizes, compute);
    full.copy_from(t);
    return full;
  };
  const Tensor a = expanded(input), b = expanded(other);
  Tensor result = Tensor::empty(sizes, compute);
  const int64_t step = a.strides()[axis], count = a.count() / 3;
  visit_dtype(compute, [&]<class T>(T) {
    if constexpr (!is_half_type<T> && !std::is_same_v<T, bool>) {
      const T *x = a.as<T>(), *y = b.as<T>();
      T* out = result.as<T>();
      for (int64_t i = 0; i < count; ++i) {
        const int64_t at = i / step * step * 3 + i % step;
        const T x0 = x[at], x1 = x[at + step], x2 = x[at + 2 * step];
        const T y0 = y[at], y1 = y[at + step], y2 = y[at + 2 * step];
        out[at] = static_cast<T>(x1 * y2 - x2 * y1);
        out[at + step] = static_cast<T>(x2 * y0 - x0 * y2);
        out[at + 2 * step] = static_cast<T>(x0 * y1 - x1 * y0);
      }
    }
  });
  return result.to(dtype);
}

Tensor linalg_cross(const Tensor& input, const Tensor& other, int64_t dim) { return cross(input, other, dim); }

// The p-norm of the difference of two rows.
template <class T>
T row_distance(const T* x, const T* y, int64_t n, double p) {
  double total = 0;
  for (int64_t i = 0; i < n; ++i) {
    const double d = std::abs(static_cast<double>(x[i]) - static_cast<double>(y[i]));
    if (std::isinf(p))
      total = d > total || std::isnan(d) ? d : total;
    else if (p == 0)
      total += d != 0;
    else if (p == 1)
      total += d;
    else if (p == 2)
      total += d * d;
    else
      total += std::pow(d, p);
  }
  if (p == 2) return static_cast<T>(std::sqrt(total));
  return static_cast<T>(p == 0 || p == 1 || std::isinf(p) ? total : std::pow(total, 1 / p));
}

// Euclidean distances of float32 rows from a product in T: |x|^2 + |y|^2 - 2 x y. Where that cancels, from the
// differences; false, and nothing to rely on, where it cancels for so many that a wider T is the faster way.
template <class T>
bool euclidean_by_product(const Tensor& a, const Tensor& b, const Tensor& result, int64_t m, int64_t n, int64_t k) {
  constexpr double kCancels = std::is_same_v<T, double> ? 1e-6 : 0.03;
  const Tensor own_a = a.to(dtype_of<T>), own_b = b.to(dtype_of<T>);
  const int64_t batch = result.count() / (m * n),
                most = std::is_same_v<T, double> ? result.count() : result.count() / 64;
  const auto square = [k](const float* x) {
    double total = 0;
    for (int64_t i = 0; i < k; ++i) total += static_cast<double>(x[i]) * static_cast<double>(x[i]);
    return total;
  };
  std::vector<double> squares(static_cast<size_t>(n));
  std::vector<T> products(static_cast<size_t>(m * n));
  std::atomic<int64_t> cancelled = 0;
  for (int64_t index = 0; index < batch && cancelled <= most; ++index) {
    const float *x = a.as<float>() + index * m * k, *y = b.as<float>() + index * n * k;
    float* out = result.as<float>() + index * m * n;
    parallel_for(n, std::max<int64_t>(1, 32768 / k), [&](int64_t begin, int64_t end) {
      for (int64_t j = begin; j < end; ++j) squares[static_cast<size_t>(j)] = square(y + j * k);
    });
    gemm<T>(m, n, k, 1, own_a.as<T>() + index * m * k, {k, 1}, own_b.as<T>() + index * n * k, {1, k}, 0,
            products.data(), n);
    parallel_for(m, std::max<int64_t>(1, 32768 / n), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end && cancelled <= most; ++i) {
        const double own = square(x + i * k);
        int64_t near = 0;
        for (int64_t j = 0; j < n; ++j) {
          const double sizes = own + squares[static_cast<size_t>(j)];
          const double distance = sizes - 2 * static_cast<double>(products[static_cast<size_t>(i * n + j)]);
          near += !(distance > kCancels * sizes);
          out[i * n + j] = static_cast<float>(std::sqrt(std::max(distance, 0.0)));
        }
        cancelled += near;
        if (near == 0 || cancelled > most) continue;
        for (int64_t j = 0; j < n; ++j) {
          const double sizes = own + squares[static_cast<size_t>(j)];
          const double distance = sizes - 2 * static_cast<double>(products[static_cast<size_t>(i * n + j)]);
          if (!(distance > kCancels * sizes)) out[i * n + j] = row_distance(x + i * k, y + j * k, k, 2);
        }
      }
    });
  }
  return cancelled <= most;
}

Tensor cdist(const Tensor& x1, const Tensor& x2, double p, std::optional<std::string> compute_mode) {
  static const char* modes[] = {"use_mm_for_euclid_dist_if_necessary", "use_mm_for_euclid_dist",
                                "donot_use_mm_for_euclid_dist"};
  if (compute_mode)
    LB_CHECK(std::find(std::begin(modes), std::end(modes), *compute_mode) != std::end(modes), Value, *compute_mode,
             " is not a valid value for compute_mode");
  LB_CHECK(is_floating(x1.dtype()), Runtime,
           "cdist only supports floating-point dtypes, X1 got: ", dtype_title(x1.dtype()));
  LB_CHECK(is_floating(x2.dtype()), Runtime,
           "cdist only supports floating-point dtypes, X2 got: ", dtype_title(x2.dtype()));
  LB_CHECK(x1.ndim() >= 2 && x2.ndim() >= 2, Runtime, "cdist only supports at least 2D tensors, X",
           x1.ndim() < 2 ? 1 : 2, " got: ", x1.ndim() < 2 ? x1.ndim() : x2.ndim(), "D");
  LB_CHECK(x1.sizes().back() == x2.sizes().back(), Runtime,
           "X1 and X2 must have the same number of columns. X1: ", x1.sizes().back(), " X2: ", x2.sizes().back());
  LB_CHECK(p >= 0, Runtime, "cdist only supports non-negative p values");
  LB_CHECK(x1.dtype() == x2.dtype(), Runtime, "cdist: both inputs should have the same dtype");
  LB_CHECK(!is_half(x1.dtype()), NotImplemented, "\"cdist\" not implemented for '", dtype_title(x1.dtype()), "'");
  const auto leading = [](const Tensor& t) { return Dims(std::span(t.sizes().begin(), t.sizes().size() - 2)); };
  const Dims batch = broadcast_sizes(leading(x1), leading(x2));
  const int64_t m = x1.sizes()[x1.ndim() - 2], n = x2.sizes()[x2.ndim() - 2], k = x1.sizes().back();
  const auto expanded = [&](const Tensor& t, int64_t rows) {
    Dims sizes = batch;
    sizes.push_back(rows);
    sizes.push_back(k);
    if (t.sizes() == sizes) return t.contiguous();
    Tensor full = Tensor::empty(sizes, t.dtype());
    full.copy_from(t);
    return full;
  };
  const Tensor a = expanded(x1, m), b = expanded(x2, n);
  Dims sizes = batch;
  sizes.push_back(m);
  sizes.push_back(n);
  Tensor result = Tensor::empty(sizes, x1.dtype());
  if (p == 2 && x1.dtype() == DType::Float32 && k > 0 && result.count() > 1024) {
    if (!euclidean_by_product<float>(a, b, result, m, n, k)) euclidean_by_product<double>(a, b, result, m, n, k);
    return result;
  }
  const auto fill = [&]<class T>(T) {
    const T *x = a.as<T>(), *y = b.as<T>();
    T* out = result.as<T>();
    parallel_for(result.count(), std::max<int64_t>(1, 32768 / std::max<int64_t>(k, 1)),
                 [=](int64_t begin, int64_t end) {
                   for (int64_t i = begin; i < end; ++i) {
                     const int64_t row = i / n, index = i / (m * n);
                     out[i] = row_distance(x + row * k, y + (index * n + i % n) * k, k, p);
                   }
                 });
  };
  if (x1.dtype() == DType::Float32)
    fill(float{});
  else
    fill(double{});
  return result;
}

}  // namespace

LB_OPERATOR(.signature = "_einsum(equation, operands)", .doc = "The sum of products that an equation describes.",
            .forward = forward_of<einsum>, .derivative = kComposed, .forms = kFunction);
LB_OPERATOR(.signature = "_tensordot(input, other, dims_self, dims_other)",
            .doc = "Contracts the given dimensions of one tensor with those of the other.",
            .forward = forward_of<tensordot>,
            .derivative = gradients("TensordotBackward0", tensordot_gradient, "0:1 1:0"), .forms = kFunction);
LB_OPERATOR(.signature = "kron(input, other, *, out=None)",
            .doc = R"(The Kronecker product: every element of `input` times the whole of `other`.

>>> torch.kron(torch.tensor([1., 2.]), torch.tensor([1., 10.]))
tensor([ 1., 10.,  2., 20.]))",
            .forward = forward_of<kron>, .derivative = gradients("KronBackward0", kron_gradient, "0:1 1:0"));
LB_OPERATOR(.signature = "cross(input, other, dim=None, *, out=None)",
            .doc =
                R"(The cross product of vectors of three elements along `dim` (the first dimension of size 3 when None).

>>> torch.cross(torch.tensor([1., 0., 0.]), torch.tensor([0., 1., 0.]))
tensor([0., 0., 1.]))",
            .forward = forward_of<cross>,
            .derivative = LB_GRADIENTS("LinalgCrossBackward0", "0:1 1:0", call<"cross">(b.input(1), g, b.maybe(2)),
                                       call<"cross">(g, b.input(0), b.maybe(2))));
LB_OPERATOR(.signature = "linalg.cross(input, other, *, dim=-1, out=None)",
            .doc = R"(The cross product of vectors of three elements along `dim`.

>>> torch.linalg.cross(torch.tensor([1., 0., 0.]), torch.tensor([0., 1., 0.]))
tensor([0., 0., 1.]))",
            .forward = forward_of<linalg_cross>,
            .derivative = LB_GRADIENTS("LinalgCrossBackward0", "0:1 1:0",
                                       call<"linalg.cross">(b.input(1), g, b.integer(2)),
                                       call<"linalg.cross">(g, b.input(0), b.integer(2))),
            .forms = kFunction);
LB_OPERATOR(
        .signature = "cdist(x1, x2, p=2.0, compute_mode='use_mm_for_euclid_dist_if_necessary')",
        .doc =
            R"(The p-norm distances between the rows of two batches of matrices: (..., m, k) and (..., n, k) give (..., m, n).

>>> torch.cdist(torch.zeros(1, 2), torch.tensor([[3., 4.]]))
tensor([[5.]]))",
        .forward = forward_of<cdist>, .derivative = gradients("CdistBackward0", cdist_gradient, "0:01r 1:01r"),
        .forms = kFunction);

}  // namespace lumbre::ops
