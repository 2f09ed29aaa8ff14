// What torch.profiler writes down: when calls of operators, nodes of the backward run and the program's own ranges
// began and ended, inside one another.
#pragma once

#include <string>
#include <vector>

#include "ops/registry.h"

namespace lumbre::profiling {

struct Event {
  const Operator* record = nullptr;  // null: `name` says what it is
  bool in_place = false;
  std::string name;
  int64_t begin = 0;  // nanoseconds of the steady clock
  int64_t end = 0;    // 0: still running
  int64_t parent = -1;
  int64_t memory = 0;  // bytes that tensors hold at its end, less those at its beginning
  bool user = false;
  std::vector<Dims> shapes;  // per parameter; empty where it is no tensor
};

struct Options {
  bool shapes = false;
};

bool active();
// Events of this thread, from now on. Those before are dropped.
void start(Options options);
std::vector<Event> stop();
// Begins and ends a range; -1 where nothing is written down.
int64_t open(std::string name, bool user);
void close(int64_t event);

// Of a call, for as long as it lives.
class Scope {
 public:
  Scope(const Operator& record, bool in_place, const Value* values);
  explicit Scope(std::string name);
  ~Scope() { close(event_); }
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

 private:
  int64_t event_;
};

}  // namespace lumbre::profiling
