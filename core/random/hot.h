// The few loops of this room that must be fast. On x86-64 they are compiled for two instruction sets and chosen when
// the library is loaded. Multiply-adds are fused only where the code says so: the bits of a stream must not depend
// on the processor.
#pragma once

#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__)
#define LB_HOT_LOOP [[gnu::target_clones("default", "arch=x86-64-v3"), gnu::optimize("O3", "fp-contract=off")]]
#else
#define LB_HOT_LOOP
#endif
