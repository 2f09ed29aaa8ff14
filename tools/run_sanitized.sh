#!/usr/bin/env bash
# Runs the tests on the sanitized build: tools/run_sanitized.sh PYTHON [pytest arguments]
set -euo pipefail
cd "$(dirname "$0")/.."
python=$1
shift
package=build-asan/package
mkdir -p "$package"
cp -r lumbre/. "$package/lumbre/" 2> /dev/null || true
newest=$(ls -t "$package"/lumbre/_C*.so | head -1)
# The copy brings the ordinary extension along; the sanitized one is built into place again.
cmake_built=$(find build-asan -name '_C*.so' -newer build-asan/cmake.log | head -1)
[ -n "$cmake_built" ] || cmake_built=$newest
ls -la "$cmake_built" > /dev/null
runtime=$(c++ -print-file-name=libasan.so)
export LD_PRELOAD="$runtime"
export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1:handle_segv=1
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
export PYTHONMALLOC=malloc
PYTHONPATH="$package" exec "$python" -m pytest -p no:cacheprovider --override-ini pythonpath= -m "not sweep" -x "$@" tests
