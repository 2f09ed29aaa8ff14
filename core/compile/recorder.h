// Writes a run of a program down on a tape.
#pragma once

#include <unordered_map>

#include "autograd/modes.h"
#include "compile/tape.h"

namespace lumbre::compile {

class Recorder {
 public:
  // While learning, tensors of unknown origin are no reason to refuse: nothing will be run again.
  explicit Recorder(bool learning) : learning_(learning) {}
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
  Step& add(Step::Kind kind);
  void note_arguments(Step& step, const Operator& record, const Out& out, const Value* values);
  void note_result(Step& step, const Result& result);
  void check_decisions(const Operator& record, const Value* values);
  void note_outside_gradients();

  bool learning_;
  std::string refusal_;
  Tape tape_;
  std::unordered_map<const TensorData*, Slot> known_;
};

// Of the recording that is under way in this thread, if there is one.
inline bool recording() { return autograd::modes.watched & autograd::kRecords; }
void refuse(std::string why);
// Python is about to learn what is in a tensor.
inline void note_read(const char* how) {
  if (__builtin_expect(recording(), 0)) refuse(std::string("the program reads elements of a tensor (") + how + ")");
}

// A part of the run that is one step, whatever it calls.
class Unrecorded {
 public:
  Unrecorded() : before_(autograd::modes.watched) { autograd::modes.watch(autograd::kRecords, false); }
  ~Unrecorded() { autograd::modes.watched = before_; }
  Unrecorded(const Unrecorded&) = delete;
  Unrecorded& operator=(const Unrecorded&) = delete;

 private:
  uint8_t before_;
};

}  // namespace lumbre::compile
