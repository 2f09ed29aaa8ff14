// The connectionist temporal classification loss: the alignments of a sequence with its labels are summed by recursion
// over time (Graves et al. 2006), one sequence after the other, in logarithms.
#include <cmath>
#include <limits>

#include "base/threads.h"
#include "ops/gradients.h"

namespace lumbre::ops {

namespace {

constexpr int64_t kWork = 4096;  // states that one task takes

template <class T>
constexpr T kNothing = -std::numeric_limits<T>::infinity();

template <class T>
T log_sum(T a, T b) {
  const T high = std::max(a, b), low = std::min(a, b);
  return low == kNothing<T> ? high : high + std::log(T(1) + std::exp(low - high));
}
template <class T>
T log_sum(T a, T b, T c) {
  const T low_pair = std::min(a, b), high_pair = std::max(a, b), high = std::max(high_pair, c),
          middle = std::min(high_pair, c);
  if (middle == kNothing<T> && low_pair == kNothing<T>) return high;
  return high + std::log(T(1) + std::exp(middle - high) + std::exp(low_pair - high));
}

struct Sizes {
  int64_t length, batch, classes, most;  // steps, sequences, classes, labels of the longest
  int64_t states() const { return 2 * most + 1; }
};

// One sequence: log-probabilities `row` apart from step to step, and labels with blanks before, between and after them.
template <class T>
struct Sequence {
  const T* chances;
  const int64_t* labels;
  int64_t row, steps, count, blank;

  int64_t states() const { return 2 * count + 1; }
  int64_t label(int64_t s) const { return s % 2 ? labels[s / 2] : blank; }
  T at(int64_t t, int64_t s) const { return chances[t * row + label(s)]; }
  // Whether the blank before state s may be left out.
  bool skips(int64_t s) const { return s % 2 == 1 && s > 1 && label(s) != label(s - 2); }
};

// alpha[t][s]: all ways that end in state s at step t. Gives the loss.
template <class T>
T forwards(const Sequence<T>& q, int64_t pitch, T* alpha) {
  const int64_t states = q.states();
  if (q.steps == 0) return q.count == 0 ? T(0) : -kNothing<T>;
  for (int64_t s = 0; s < states; ++s) alpha[s] = s < 2 ? q.at(0, s) : kNothing<T>;
  for (int64_t t = 1; t < q.steps; ++t) {
    const T* before = alpha + (t - 1) * pitch;
    T* now = alpha + t * pitch;
    now[0] = before[0] + q.at(t, 0);
    for (int64_t s = 1; s < states; ++s)
      now[s] = q.at(t, s) +
               (q.skips(s) ? log_sum(before[s], before[s - 1], before[s - 2]) : log_sum(before[s], before[s - 1]));
  }
  const T* last = alpha + (q.steps - 1) * pitch;
  return -(states == 1 ? last[0] : log_sum(last[states - 1], last[states - 2]));
}

// gradient[t][c] = exp(chances) - the part of all ways that are at class c at step t, times g.
template <class T>
void backwards(const Sequence<T>& q, int64_t pitch, const T* alpha, T loss, T g, T* beta, T* parts, int64_t classes,
               T* gradient) {
  const int64_t states = q.states();
  for (int64_t t = q.steps - 1; t >= 0; --t) {
    for (int64_t s = 0; s < states; ++s) {  // in place: state s needs those from s on, of the step after
      const T own = beta[s], next = s + 1 < states ? beta[s + 1] : kNothing<T>;
      const T over = s + 2 < states && q.skips(s + 2) ? beta[s + 2] : kNothing<T>;
      const bool ends = t == q.steps - 1;
      beta[s] = q.at(t, s) + (ends ? (s >= states - 2 ? T(0) : kNothing<T>) : log_sum(own, next, over));
    }
    std::fill(parts, parts + classes, kNothing<T>);
    for (int64_t s = 0; s < states; ++s) {
      T& part = parts[q.label(s)];
      part = log_sum(part, alpha[t * pitch + s] + beta[s]);
    }
    const T* chances = q.chances + t * q.row;
    T* out = gradient + t * q.row;
    for (int64_t c = 0; c < classes; ++c) out[c] = (std::exp(chances[c]) - std::exp(parts[c] + loss - chances[c])) * g;
  }
}

struct Problem {
  Sizes sizes;
  Tensor chances, labels, steps, counts;  // contiguous; chances in the dtype to compute in
};

// log_probs is (length, batch, classes), labels (batch, most); steps and counts have an entry for each sequence.
Problem problem_of(const Tensor& log_probs, const Tensor& labels, const Tensor& steps, const Tensor& counts) {
  const DType own = log_probs.dtype();
  LB_CHECK(is_floating(own), Runtime, "ctc_loss: expected floating-point log-probabilities, but got ",
           dtype_title(own));
  LB_CHECK(log_probs.ndim() == 3 && labels.ndim() == 2 && labels.sizes()[0] == log_probs.sizes()[1] &&
               steps.count() == labels.sizes()[0] && counts.count() == labels.sizes()[0],
           Runtime, "ctc_loss: sizes of the batch differ");
  Problem p{{log_probs.sizes()[0], log_probs.sizes()[1], log_probs.sizes()[2], labels.sizes()[1]},
            log_probs.to(is_half(own) ? DType::Float32 : own).contiguous(),
            labels.to(DType::Int64).contiguous(),
            steps.to(DType::Int64).contiguous(),
            counts.to(DType::Int64).contiguous()};
  for (int64_t i = 0; i < p.sizes.batch; ++i) {
    const int64_t count = p.counts.as<int64_t>()[i], some = p.steps.as<int64_t>()[i];
    LB_CHECK(count >= 0 && count <= p.sizes.most && some >= 0 && some <= p.sizes.length, Runtime,
             "ctc_loss: a length is out of range");
    for (int64_t k = 0; k < count; ++k) {
      const int64_t label = p.labels.as<int64_t>()[i * p.sizes.most + k];
      LB_CHECK(label >= 0 && label < p.sizes.classes, Runtime, "index ", label,
               " is out of bounds for dimension 2 with size ", p.sizes.classes);
    }
  }
  return p;
}

// body(sequence's number, sequence, loss, alpha, pitch) for each of the batch.
template <class T, class Body>
void each_sequence(const Problem& p, int64_t blank, Body body) {
  const Sizes sizes = p.sizes;
  const T* chances = p.chances.as<T>();
  const int64_t *labels = p.labels.as<int64_t>(), *steps = p.steps.as<int64_t>(), *counts = p.counts.as<int64_t>();
  const int64_t each = checked_multiply(sizes.length, sizes.states());
  parallel_for(sizes.batch, std::max<int64_t>(1, kWork / std::max<int64_t>(each, 1)), [=](int64_t begin, int64_t end) {
    std::vector<T> alpha(static_cast<size_t>(each));
    for (int64_t i = begin; i < end; ++i) {
      const Sequence<T> q{chances + i * sizes.classes,
                          labels + i * sizes.most,
                          sizes.batch * sizes.classes,
                          steps[i],
                          counts[i],
                          blank};
      body(i, q, forwards(q, sizes.states(), alpha.data()), alpha.data(), sizes.states());
    }
  });
}

template <class F>
void in_dtype(const Tensor& t, F f) {
  if (t.dtype() == DType::Float64)
    f(double{});
  else
    f(float{});
}

Tensor ctc_losses(const Tensor& log_probs, const Tensor& labels, const Tensor& steps, const Tensor& counts,
                  int64_t blank, bool zero_infinity) {
  const Problem p = problem_of(log_probs, labels, steps, counts);
  LB_CHECK(blank >= 0 && blank < p.sizes.classes, Runtime, "blank must be in label range");
  const Tensor out = Tensor::empty({p.sizes.batch}, p.chances.dtype());
  in_dtype(out, [&]<class T>(T) {
    T* losses = out.as<T>();
    each_sequence<T>(p, blank, [=](int64_t i, const Sequence<T>&, T loss, const T*, int64_t) {
      losses[i] = zero_infinity && loss == -kNothing<T> ? T(0) : loss;
    });
  });
  return out.to(log_probs.dtype());
}

Tensor ctc_gradient(const Tensor& g, const Tensor& log_probs, const Tensor& labels, const Tensor& steps,
                    const Tensor& counts, int64_t blank, bool zero_infinity) {
  const Problem p = problem_of(log_probs, labels, steps, counts);
  LB_CHECK(blank >= 0 && blank < p.sizes.classes && g.count() == p.sizes.batch, Runtime, "ctc_loss: sizes differ");
  const Tensor out = Tensor::zeros(log_probs.sizes(), p.chances.dtype());
  const Tensor factors = g.to(out.dtype()).contiguous();
  in_dtype(out, [&]<class T>(T) {
    const T* factor = factors.as<T>();
    T* gradient = out.as<T>();
    const int64_t classes = p.sizes.classes;
    each_sequence<T>(p, blank, [=](int64_t i, const Sequence<T>& q, T loss, const T* alpha, int64_t pitch) {
      if (zero_infinity && loss == -kNothing<T>) return;
      std::vector<T> beta(static_cast<size_t>(pitch), kNothing<T>), parts(static_cast<size_t>(classes));
      backwards(q, pitch, alpha, loss, factor[i], beta.data(), parts.data(), classes, gradient + i * classes);
    });
  });
  return out.to(log_probs.dtype());
}

}  // namespace

LB_OPERATOR(.signature = "_ctc_losses(log_probs, labels, steps, counts, blank, zero_infinity)",
            .doc = "The ctc_loss of each sequence of a batch, whose labels are the rows of a matrix.",
            .forward = forward_of<ctc_losses>,
            .derivative = LB_GRADIENT("CtcLossBackward0", "0:0123",
                                      call<"_ctc_gradient">(g, b.input(0), b.input(1), b.input(2), b.input(3),
                                                            b.integer(4), b.flag(5))),
            .forms = kFunction);
LB_OPERATOR(.signature = "_ctc_gradient(grad, log_probs, labels, steps, counts, blank, zero_infinity)",
            .doc = "The gradient of _ctc_losses.", .forward = forward_of<ctc_gradient>,
            .derivative = kDerivativeRefused, .forms = kFunction);

}  // namespace lumbre::ops
