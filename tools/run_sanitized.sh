#!/usr/bin/env bash
# Runs the tests on the sanitized build of `make asan`: tools/run_sanitized.sh PYTHON [pytest arguments]
set -euo pipefail
cd "$(dirname "$0")/.."
python=$1
shift
package=build-asan/package
# The package around the sanitized extension, without the ordinary one.
tar -C lumbre --exclude='_C*.so' --exclude=__pycache__ -cf - . | tar -C "$package/lumbre" -xf -
LD_PRELOAD="$(c++ -print-file-name=libasan.so) $(c++ -print-file-name=libstdc++.so.6)"
export LD_PRELOAD
export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
export PYTHONMALLOC=malloc
export PYTHONPATH="$PWD/$package"
exec "$python" -m pytest -p no:cacheprovider --override-ini pythonpath= -m "not sweep" "$@" tests
