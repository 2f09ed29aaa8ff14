// Attention by tiles of keys and panels of queries (kernels/attention.h). With K, Q, V, G the keys, queries, values and
// the result's gradient, a tile computes
//   forward    S = scale K Q^T,  P = exp(S - largest),  O^T += V^T P,
//   backward   S = scale K Q^T,  P = exp(S - logarithm),  D = P * (V G^T - inner),
//              dV += P G,  dK += scale D Q,  dQ^T += scale K^T D,
// where the inner of a query is the product of its result and the result's gradient. The order of every sum follows
// from the sizes alone.
#include <algorithm>
#include <limits>
#include <optional>
#include <type_traits>

#include "base/dims.h"
#include "base/dispatch.h"
#include "base/memory.h"
#include "base/threads.h"
#include "kernels/attention.h"
#include "ops/attention.h"
#include "ops/gemm.h"
#include "tensor/plan.h"

namespace lumbre::ops {
namespace {

// Multiply-adds that are worth a chunk of their own, and those from which the interpreter lock is let go.
constexpr double kChunkWork = 1 << 20, kLongWork = 1 << 24;
constexpr int64_t kTileKeys = 266;          // at most: one tile for 256 keys on every instruction set
constexpr int64_t kTileElements = 1 << 15;  // of packed keys or values
constexpr int64_t kTaskQueries = 256;       // that share packed keys and values
constexpr int64_t kTaskElements = 1 << 16;  // of their queries and results
constexpr int64_t kFewHeads = 4;            // below which the way back divides a head's keys among tasks

// Parts of one block of memory.
class Parts {
 public:
  // All parts are asked for before the first is used.
  template <class T>
  size_t add(int64_t rows, int64_t columns) {
    const int64_t bytes = checked_multiply(checked_multiply(rows, columns), sizeof(T));
    const auto start = static_cast<size_t>(bytes_);
    bytes_ = checked_add(bytes_, checked_add(bytes, 63) / 64 * 64);
    return start;
  }
  void allocate_all() { block_.emplace(bytes_); }
  template <class T>
  T* part(size_t start) const {
    return reinterpret_cast<T*>(block_->as() + start);
  }

 private:
  int64_t bytes_ = 64;
  std::optional<Scratch> block_;
};

template <class T>
const AttentionLoops<T>& attention_loops() {
  return loops_of<T>(attention_table());
}

// What a tile's products and steps have in common, and the room they need.
template <class T>
class Tiles {
 public:
  explicit Tiles(const Attention<T>& a)
      : a_(a), gemm_(gemm_loops<T>()), loops_(attention_loops<T>()), columns_(gemm_.columns) {
    LB_CHECK(loops_.columns == gemm_.columns, Runtime, "tiles of attention and of products differ in width");
    const int64_t wide = std::max<int64_t>({a.width, a.values, 1});
    const int64_t most = std::clamp<int64_t>(kTileElements / wide, gemm_.rows, kTileKeys);
    // Tiles of nearly one size: a last one of few keys costs almost as much as a whole one.
    const int64_t keys = std::max<int64_t>(a.keys, 1);
    tile_ = round_up(divide_up(keys, divide_up(keys, most)), gemm_.rows);
    mask_ = parts_.add<T>(tile_, columns_);
    mask_rows_ = parts_.add<T>(a.mask.data ? tile_ : 0, columns_);
    scores_ = parts_.add<T>(tile_, columns_);
  }

 protected:
  int64_t rows_of(int64_t count) const { return round_up(count, gemm_.rows); }
  T* part(size_t start) const { return parts_.part<T>(start); }

  // Of the tile's keys from `key`, how many the panel's queries from `query` see.
  int64_t seen(int64_t query, int64_t key, int64_t count) const {
    const int64_t last = std::min(query + columns_, a_.queries);
    return a_.causal ? std::min(count, last - key) : count;
  }

  // (count x columns) rows, transposed into a panel.
  void pack_panel(const T* rows, int64_t row, int64_t count, int64_t width, T* panel) const {
    gemm_.pack_b(count, width, rows, {1, row}, panel, width * columns_);
  }

  // to (m x columns) = alpha A panel, A packed for products over `packed` of which the first k are taken.
  void multiply(int64_t m, int64_t k, T alpha, const T* a, int64_t packed, const T* panel, bool accumulate,
                T* to) const {
    GemmBlock<T> block{m, columns_, k, alpha, a, {}, panel, {}, accumulate, to, columns_, true};
    if (k == packed) return gemm_.multiply(block);
    for (int64_t i = 0; i < m; i += gemm_.rows) {
      block.m = std::min<int64_t>(m - i, gemm_.rows);
      block.a = a + i * packed;
      block.c = to + i * columns_;
      gemm_.multiply(block);
    }
  }

  // The panel's scores of `count` keys from `key` on, masks and all.
  void score(int64_t query_head, int64_t query, int64_t key, int64_t count, const T* keys, const T* panel) const {
    T* const scores = part(scores_);
    multiply(count, a_.width, a_.scale, keys, a_.width, panel, false, scores);
    if (a_.mask.data) add_mask(query_head, query, key, count);
    if (a_.causal && key + count - 1 > query) loops_.shut(count, query - key, a_.causal_adds, scores);
  }

  const Attention<T>& a_;
  const GemmLoops<T>& gemm_;
  const AttentionLoops<T>& loops_;
  int64_t columns_, tile_;
  Parts parts_;
  size_t scores_;

 private:
  void add_mask(int64_t query_head, int64_t query, int64_t key, int64_t count) const {
    const AttentionMask& m = a_.mask;
    const int64_t item = m.boolean ? 1 : sizeof(T), present = std::min(columns_, a_.queries - query);
    const char* from =
        m.data + (m.starts[static_cast<size_t>(query_head)] + query * m.query_step + key * m.key_step) * item;
    const bool one_row = m.query_step == 0;
    const auto* mask = reinterpret_cast<const T*>(from);
    int64_t query_step = m.query_step, key_step = m.key_step;
    if (m.boolean) {
      T* const rows = part(mask_rows_);
      query_step = count;
      key_step = 1;
      mask = rows;
      for (int64_t j = 0; j < (one_row ? 1 : present); ++j)
        loops_.numbers(count, from + j * m.query_step, m.key_step, rows + j * count);
    }
    if (one_row) return loops_.add_keys(count, mask, key_step, part(scores_));
    gemm_.pack_b(present, count, mask, {key_step, query_step}, part(mask_), count * columns_);
    loops_.add(count, part(mask_), part(scores_));
  }

  size_t mask_, mask_rows_;
};

// Panels of queries of one head, against all keys.
template <class T>
class Forward : public Tiles<T> {
  using Base = Tiles<T>;
  using Base::a_, Base::columns_, Base::gemm_, Base::loops_, Base::part, Base::parts_, Base::tile_;

 public:
  explicit Forward(const Attention<T>& a) : Base(a), panels_(panels_of_task(a)) {
    queries_ = parts_.template add<T>(panels_ * columns_, a.width);
    results_ = parts_.template add<T>(panels_ * columns_, a.values);
    top_ = parts_.template add<T>(panels_, columns_);
    sum_ = parts_.template add<T>(panels_, columns_);
    factors_ = parts_.template add<T>(1, columns_);
    logarithm_ = parts_.template add<T>(1, columns_);
    keys_ = parts_.template add<T>(this->rows_of(tile_), a.width);
    values_ = parts_.template add<T>(this->rows_of(a.values), tile_);
    parts_.allocate_all();
  }

  static int64_t panels_of_task(const Attention<T>& a) {
    const int64_t columns = gemm_loops<T>().columns;
    const int64_t most = std::clamp<int64_t>(kTaskElements / columns / std::max<int64_t>(a.width + a.values, 1), 1,
                                             kTaskQueries / columns);
    return std::min(most, std::max<int64_t>(divide_up(a.queries, columns), 1));
  }

  // The task's queries begin at `query`.
  void run(int64_t query_head, int64_t query, const HeadRows<T>& result, T* logarithms) const {
    const int64_t end = std::min(a_.queries, query + panels_ * columns_), key_head = query_head / a_.shared;
    start(query_head, query, end);
    const T* const keys = a_.key.at(key_head);
    const T* const values = a_.value.at(key_head);
    for (int64_t key = 0; key < (a_.causal ? std::min(end, a_.keys) : a_.keys); key += tile_) {
      const int64_t count = std::min(tile_, a_.keys - key);
      gemm_.pack_a(count, a_.width, keys + key * a_.key.row, {a_.key.row, 1}, part(keys_));
      gemm_.pack_a(a_.values, count, values + key * a_.value.row, {1, a_.value.row}, part(values_));
      for (int64_t first = query; first < end; first += columns_)
        absorb(query_head, first, (first - query) / columns_, key, count);
    }
    for (int64_t first = query; first < end; first += columns_)
      finish(first, (first - query) / columns_, result.at(query_head), result.row, logarithms);
  }

 private:
  ScoreSums<T> sums(int64_t panel) const { return {part(top_) + panel * columns_, part(sum_) + panel * columns_}; }

  void start(int64_t query_head, int64_t query, int64_t end) const {
    const T* const rows = a_.query.at(query_head) + query * a_.query.row;
    gemm_.pack_b(end - query, a_.width, rows, {1, a_.query.row}, part(queries_), a_.width * columns_);
    std::fill_n(part(top_), panels_ * columns_, -std::numeric_limits<T>::infinity());
    std::fill_n(part(sum_), panels_ * columns_, T(0));
    if (a_.keys == 0) std::fill_n(part(results_), panels_ * columns_ * a_.values, T(0));
  }

  void absorb(int64_t query_head, int64_t query, int64_t panel, int64_t key, int64_t count) const {
    const int64_t seen = this->seen(query, key, count);
    if (seen <= 0) return;
    T* const results = part(results_) + panel * columns_ * a_.values;
    T* const scores = part(this->scores_);
    this->score(query_head, query, key, seen, part(keys_), part(queries_) + panel * columns_ * a_.width);
    const bool changed = loops_.absorb(seen, scores, sums(panel), part(factors_));
    if (key > 0 && changed) loops_.rescale(a_.values, part(factors_), results);
    this->multiply(a_.values, seen, T(1), part(values_), count, scores, key > 0, results);
  }

  void finish(int64_t query, int64_t panel, T* to, int64_t row, T* logarithms) const {
    const int64_t present = std::min(columns_, a_.queries - query);
    T* const results = part(results_) + panel * columns_ * a_.values;
    loops_.conclude(sums(panel), part(factors_), part(logarithm_));
    loops_.rescale(a_.values, part(factors_), results);
    std::copy_n(part(logarithm_), present, logarithms + query);
    transpose_loop(sizeof(T))(reinterpret_cast<const char*>(results), columns_ * static_cast<int64_t>(sizeof(T)),
                              a_.values, present, reinterpret_cast<char*>(to + query * row),
                              row * static_cast<int64_t>(sizeof(T)));
  }

  int64_t panels_;
  size_t queries_, results_, top_, sum_, factors_, logarithm_, keys_, values_;
};

// The way back of one key head's keys, or of a range of them, against all queries of the heads that it serves.
template <class T>
class Back : public Tiles<T> {
  using Base = Tiles<T>;
  using Base::a_, Base::columns_, Base::gemm_, Base::loops_, Base::part, Base::parts_, Base::tile_;

 public:
  explicit Back(const Attention<T>& a) : Base(a), padded_(round_up(a.queries, columns_)) {
    slopes_ = parts_.template add<T>(tile_, columns_);
    query_ = parts_.template add<T>(a.width, columns_);
    grad_ = parts_.template add<T>(a.values, columns_);
    rows_ = parts_.template add<T>(round_up(std::max(a.width, a.values), columns_), columns_);
    keys_ = parts_.template add<T>(this->rows_of(tile_), a.width);
    turned_ = parts_.template add<T>(this->rows_of(a.width), tile_);
    values_ = parts_.template add<T>(this->rows_of(tile_), a.values);
    inner_ = parts_.template add<T>(1, padded_);
    logarithms_ = parts_.template add<T>(1, padded_);
    parts_.allocate_all();
  }

  struct Head {
    int64_t number;
    HeadRows<const T> const *result, *grad;
    const T* logarithms;
    T* to_query;  // (panels x width x columns)
    bool first;   // of those that share the keys
  };

  void run(const Head& head, int64_t begin, int64_t end, T* to_key, int64_t key_row, T* to_value,
           int64_t value_row) const {
    const int64_t key_head = head.number / a_.shared;
    start(head);
    if (begin == end) std::fill_n(head.to_query, padded_ * a_.width, T(0));
    for (int64_t key = begin; key < end; key += tile_) {
      const int64_t count = std::min(tile_, end - key);
      const T* const keys = a_.key.at(key_head) + key * a_.key.row;
      const T* const values = a_.value.at(key_head) + key * a_.value.row;
      gemm_.pack_a(count, a_.width, keys, {a_.key.row, 1}, part(keys_));
      gemm_.pack_a(a_.width, count, keys, {1, a_.key.row}, part(turned_));
      gemm_.pack_a(count, a_.values, values, {a_.value.row, 1}, part(values_));
      const int64_t first = a_.causal ? std::min(key / columns_ * columns_, padded_) : 0;
      if (key == begin) std::fill_n(head.to_query, first * a_.width, T(0));
      Target target{to_key + key * key_row, key_row, to_value + key * value_row, value_row, head.first, key == begin};
      for (int64_t query = first; query < a_.queries; query += columns_) panel(head, query, key, count, target);
      if (target.fresh) clear(target, 0, count);
    }
  }

 private:
  struct Target {
    T* key;
    int64_t key_row;
    T* value;
    int64_t value_row;
    bool fresh;        // nothing has been written to the tile's keys and values,
    bool fresh_query;  // nor to the panels of queries
  };

  void clear(const Target& to, int64_t begin, int64_t end) const {
    for (int64_t i = begin; i < end; ++i) {
      std::fill_n(to.key + i * to.key_row, a_.width, T(0));
      std::fill_n(to.value + i * to.value_row, a_.values, T(0));
    }
  }

  void start(const Head& head) const {
    const T* const grad = head.grad->at(head.number);
    const T* const result = head.result->at(head.number);
    std::fill_n(part(inner_), padded_, T(0));
    std::fill_n(part(logarithms_), padded_, std::numeric_limits<T>::infinity());
    std::copy_n(head.logarithms, a_.queries, part(logarithms_));
    for (int64_t q = 0; q < a_.queries; ++q) {
      const GemmBlock<T> row{1,
                             1,
                             a_.values,
                             T(1),
                             grad + q * head.grad->row,
                             {a_.values, 1},
                             result + q * head.result->row,
                             {1, a_.values},
                             false,
                             part(inner_) + q,
                             1};
      gemm_.dots(row);
    }
  }

  void panel(const Head& head, int64_t query, int64_t key, int64_t count, Target& to) const {
    const int64_t seen = this->seen(query, key, count), present = std::min(columns_, a_.queries - query);
    T* const to_query = head.to_query + query * a_.width;
    if (seen <= 0) {
      if (to.fresh_query) std::fill_n(to_query, columns_ * a_.width, T(0));
      return;
    }
    const T* const queries = a_.query.at(head.number) + query * a_.query.row;
    const T* const grads = head.grad->at(head.number) + query * head.grad->row;
    T* const scores = part(this->scores_);
    T* const slopes = part(slopes_);
    this->pack_panel(queries, a_.query.row, present, a_.width, part(query_));
    this->pack_panel(grads, head.grad->row, present, a_.values, part(grad_));
    this->score(head.number, query, key, seen, part(keys_), part(query_));
    this->multiply(seen, a_.values, T(1), part(values_), a_.values, part(grad_), false, slopes);
    loops_.weigh(seen, scores, slopes, part(logarithms_) + query, part(inner_) + query);
    const bool adds = !to.fresh;
    if (to.fresh) clear(to, seen, count);
    to.fresh = false;
    add_product(seen, present, scores, T(1), grads, head.grad->row, a_.values, adds, to.value, to.value_row);
    add_product(seen, present, slopes, a_.scale, queries, a_.query.row, a_.width, adds, to.key, to.key_row);
    this->multiply(a_.width, seen, a_.scale, part(turned_), count, slopes, !to.fresh_query, to_query);
  }

  // to (keys x width) = alpha tile rows, or added to it.
  void add_product(int64_t keys, int64_t present, const T* tile, T alpha, const T* rows, int64_t row, int64_t width,
                   bool adds, T* to, int64_t to_row) const {
    GemmBlock<T> block{keys, width, present, alpha, tile, {columns_, 1}, rows, {row, 1}, adds, to, to_row};
    if (width % columns_) {
      gemm_.pack_b(width, present, rows, {row, 1}, part(rows_), columns_ * present);
      block.b = part(rows_);
      block.layout_b = {columns_ * present, 0};
    }
    gemm_.multiply(block);
  }

  int64_t padded_;
  size_t slopes_, query_, grad_, rows_, keys_, turned_, values_, inner_, logarithms_;
};

template <class T>
double work_of(const Attention<T>& a, double products) {
  return products * static_cast<double>(a.queries) * static_cast<double>(a.keys) *
         (static_cast<double>(a.width + a.values) + 16) / (a.causal ? 2 : 1);
}

int64_t grain_of(double work) { return static_cast<int64_t>(std::clamp(kChunkWork / std::max(work, 1.0), 1.0, 1e9)); }

// The gradient of a head's queries from the panels of its parts, which are `stride` elements apart; the first part
// becomes the sum.
template <class T>
void write_queries(const Attention<T>& a, int64_t columns, T* panels, int64_t parts, int64_t stride, T* to,
                   int64_t row) {
  const int64_t padded = round_up(a.queries, columns);
  for (int64_t p = 1; p < parts; ++p)
    for (int64_t i = 0; i < padded * a.width; ++i) panels[i] += panels[p * stride + i];
  for (int64_t query = 0; query < a.queries; query += columns)
    transpose_loop(sizeof(T))(reinterpret_cast<const char*>(panels + query * a.width),
                              columns * static_cast<int64_t>(sizeof(T)), a.width, std::min(columns, a.queries - query),
                              reinterpret_cast<char*>(to + query * row), row * static_cast<int64_t>(sizeof(T)));
}

}  // namespace

template <class T>
void attend(const Attention<T>& a, const HeadRows<T>& result, T* logarithms) {
  const int64_t queries = Forward<T>::panels_of_task(a) * gemm_loops<T>().columns;
  const int64_t tasks = divide_up(a.queries, queries), heads = a.heads * a.shared;
  const double work = work_of(a, 1);
  const LongWork released(work * static_cast<double>(heads) > kLongWork);
  parallel_for(heads * tasks, grain_of(work / static_cast<double>(std::max<int64_t>(tasks, 1))),
               [&](int64_t begin, int64_t end) {
                 const Forward<T> forward(a);
                 for (int64_t i = begin; i < end; ++i)
                   forward.run(i / tasks, i % tasks * queries, result, logarithms + i / tasks * a.queries);
               });
}

template <class T>
void attend_back(const Attention<T>& a, const HeadRows<const T>& result, const T* logarithms,
                 const HeadRows<const T>& grad, const AttentionGradients<T>& to) {
  if (a.heads == 0) return;
  const double work = work_of(a, 2.5 * static_cast<double>(a.shared));
  const LongWork released(work * static_cast<double>(a.heads) > kLongWork);
  const int64_t columns = gemm_loops<T>().columns;
  const int64_t most = a.heads < kFewHeads ? divide_up(kFewHeads, a.heads) : 1;
  const int64_t range = std::max<int64_t>(round_up(divide_up(a.keys, most), kTileKeys), 1);
  const int64_t ranges = std::max<int64_t>(divide_up(a.keys, range), 1);
  const int64_t panels = checked_multiply(round_up(a.queries, columns), a.width);
  const int64_t heads = a.heads * a.shared;
  // Of each range and query head, the gradient of its queries.
  Parts room;
  const size_t sums = room.template add<T>(checked_multiply(heads, ranges), panels);
  room.allocate_all();
  T* const queries = room.part<T>(sums);
  parallel_for(a.heads * ranges, grain_of(work / static_cast<double>(ranges)), [&](int64_t begin, int64_t end) {
    const Back<T> back(a);
    for (int64_t i = begin; i < end; ++i) {
      const int64_t head = i / ranges, part = i % ranges, key = part * range, stop = std::min(a.keys, key + range);
      T* const key_to = to.key.at(head);
      T* const value_to = to.value.at(head);
      for (int64_t h = head * a.shared; h < (head + 1) * a.shared; ++h)
        back.run({h, &result, &grad, logarithms + h * a.queries, queries + (h * ranges + part) * panels,
                  h == head * a.shared},
                 key, stop, key_to, to.key.row, value_to, to.value.row);
    }
  });
  parallel_for(heads, grain_of(work), [&](int64_t begin, int64_t end) {
    for (int64_t h = begin; h < end; ++h)
      write_queries(a, columns, queries + h * ranges * panels, ranges, panels, to.query.at(h), to.query.row);
  });
}

template void attend(const Attention<float>&, const HeadRows<float>&, float*);
template void attend(const Attention<double>&, const HeadRows<double>&, double*);
template void attend_back(const Attention<float>&, const HeadRows<const float>&, const float*,
                          const HeadRows<const float>&, const AttentionGradients<float>&);
template void attend_back(const Attention<double>&, const HeadRows<const double>&, const double*,
                          const HeadRows<const double>&, const AttentionGradients<double>&);

}  // namespace lumbre::ops
