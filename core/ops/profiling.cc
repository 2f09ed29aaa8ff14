#include "ops/profiling.h"

#include <chrono>

#include "autograd/engine.h"
#include "base/memory.h"

namespace lumbre::profiling {

namespace {

struct Recorder {
  Options options;
  std::vector<Event> events;
  int64_t innermost = -1;
  int64_t session = 0;
};
constexpr int kSessionShift = 40;
thread_local Recorder recorder;

int64_t now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

int64_t begin(Event event) {
  event.parent = recorder.innermost;
  event.memory = tensor_bytes;
  recorder.innermost = static_cast<int64_t>(recorder.events.size());
  recorder.events.push_back(std::move(event));
  recorder.events.back().begin = now();
  return recorder.innermost | recorder.session << kSessionShift;
}

std::vector<Dims> shapes_of(const Operator& record, const Value* values) {
  std::vector<Dims> shapes;
  for (int i = 0; i < record.forward.count; ++i)
    shapes.push_back(values[i].given && values[i].kind == Param::Tensor ? values[i].tensor->sizes() : Dims());
  return shapes;
}

// A node of the backward run: the engine's share, and the node's own inside it.
int64_t node_begins(const autograd::Node& node) {
  const int64_t outer = open("autograd::engine::evaluate_function: " + node.name(), false);
  open(node.name(), false);
  return outer;
}
void node_ended(int64_t outer) {
  if (recorder.innermost >= 0 && outer >= 0) close(outer + 1);
  close(outer);
}

}  // namespace

bool active() { return autograd::modes.watched & autograd::kTimes; }

void start(Options options) {
  autograd::node_watch = {node_begins, node_ended};
  recorder = {options, {}, -1, recorder.session + 1};
  autograd::modes.watch(autograd::kTimes, true);
}

std::vector<Event> stop() {
  autograd::modes.watch(autograd::kTimes, false);
  const int64_t end = now();
  for (int64_t open = recorder.innermost; open >= 0; open = recorder.events[static_cast<size_t>(open)].parent)
    recorder.events[static_cast<size_t>(open)].end = end;
  recorder.innermost = -1;
  return std::exchange(recorder.events, {});
}

int64_t open(std::string name, bool user) {
  if (!active()) return -1;
  Event event;
  event.name = std::move(name);
  event.user = user;
  return begin(std::move(event));
}

void close(int64_t index) {
  // What began in another recording, or was ended with this one, is not there.
  if (index < 0 || index >> kSessionShift != recorder.session) return;
  index &= (int64_t{1} << kSessionShift) - 1;
  if (static_cast<size_t>(index) >= recorder.events.size()) return;
  Event& event = recorder.events[static_cast<size_t>(index)];
  if (event.end) return;
  event.end = now();
  event.memory = tensor_bytes - event.memory;
  recorder.innermost = event.parent;
}

Scope::Scope(const Operator& record, bool in_place, const Value* values) {
  Event event;
  event.record = &record;
  event.in_place = in_place;
  if (recorder.options.shapes) event.shapes = shapes_of(record, values);
  event_ = begin(std::move(event));
}

Scope::Scope(std::string name) : event_(open(std::move(name), false)) {}

}  // namespace lumbre::profiling
