// What both modules bind: three numbers, and their sum.
#pragma once

struct Vector {
  float data[3];
};

inline Vector add(const Vector& a, const Vector& b) {
  Vector sum;
  for (int i = 0; i < 3; ++i) sum.data[i] = a.data[i] + b.data[i];
  return sum;
}
