// Writes a run of a program down on a tape.
#pragma once

#include <unordered_map>

#include "autograd/modes.h"
#include "compile/details.h"
#include "compile/tape.h"

namespace lumbre::compile {

class Recorder {
 public:
  // While learning, tensors of unknown origin are no reason to refuse: nothing will be run again.
  explicit Recorder(bool learning) : learning_(learning), details_(*this) {
    if (learning) details_.give_up();
  }
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  // From now on, in this thread.
  void start();
  void stop();
  static Recorder* current();

  // The first reason counts.
  void refuse(std::string why);
  const std::string& refusal() const { return refusal_; }

  Slot add_argument(const Tensor& t);
  Slot add_outside(const Tensor& t);
  bool is_outside(const Tensor& t) const;
  Slot find(const Tensor& t) const;  // kNone: of unknown origin
  Slot read(const Tensor& t);        // refuses what is of unknown origin
  Slot know(const Tensor& t);        // a new one
  // The same, or another tensor over the same memory with the same geometry.
  Slot find_memory(const Tensor& t) const;
  void keep_constant(const Tensor& t);
  bool results_were_known() const { return results_were_known_; }
  // Whether it is the program that acts, not a part of one of its steps.
  bool outermost() const { return inside_ == 0; }
  Details& details() { return details_; }

  Result call(const Operator& record, const Out& out, Value* values);
  std::vector<Tensor> backward(autograd::Request request, const std::vector<Tensor>& roots,
                               const std::vector<Tensor>& gradients, const std::vector<Tensor>& inputs);
  void load_gradient(const Tensor& of, const Tensor& gradient);
  void store_gradient(const Tensor& of, const Tensor& gradient);
  void made_from(Step::Kind kind, const Tensor& source, const Tensor& result);
  void constant(const Tensor& made);
  void require_gradient(const Tensor& t, bool wanted);

  // The tape, when the run is over and was not refused.
  Tape finish(std::vector<Slot> outputs);

 private:
  class Inside;
  void add(Step step);
  Step step_of(Step::Kind kind) const;
  Slot read_inside(const Tensor& t);
  void note_arguments(Step& step, const Operator& record, const Out& out, const Value* values);
  void note_result(Step& step, const Result& result);
  bool decides_by_elements(const Operator& record, const Value* values) const;
  void note_outside_gradients();

  bool learning_;
  std::string refusal_;
  Tape tape_;
  std::unordered_map<const TensorData*, Slot> known_;
  std::unordered_multimap<const Storage*, Slot> by_storage_;
  int inside_ = 0;
  bool results_were_known_ = false;
  Details details_;
};

// Of the recording that is under way in this thread, if there is one.
bool program_acts();
inline bool recording() { return autograd::modes.watched & autograd::kRecords && program_acts(); }
void refuse(std::string why);
void refuse_read(const char* how);
// Python is about to learn what is in a tensor.
inline void note_read(const char* how) {
  if (__builtin_expect(recording(), 0)) refuse_read(how);
}

}  // namespace lumbre::compile
