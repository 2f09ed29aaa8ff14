"""Prints core/kernels/math_coefficients.h: near-minimax (Chebyshev) fits of the functions in core/kernels/math_*.h."""

from collections.abc import Callable

import mpmath as mp

mp.mp.prec = 320
Function = Callable[[mp.mpf], mp.mpf]


def nodes(count: int) -> list[mp.mpf]:
    return [mp.cos(mp.pi * (k + mp.mpf(1) / 2) / count) for k in range(count)]


def chebyshev_series(f: Function, lo: float, hi: float, count: int) -> list[mp.mpf]:
    lo, hi = mp.mpf(lo), mp.mpf(hi)
    points = nodes(2 * count)
    values = [f((hi + lo) / 2 + (hi - lo) / 2 * u) for u in points]
    series = []
    for j in range(count):
        angle = [mp.cos(j * mp.pi * (k + mp.mpf(1) / 2) / len(points)) for k in range(len(points))]
        series.append(2 * mp.fdot(values, angle) / len(points))
    series[0] /= 2
    return series


def monomials(f: Function, lo: float, hi: float, count: int) -> list[mp.mpf]:
    """Coefficients, lowest first, of the truncated Chebyshev series as a polynomial in x."""
    series = chebyshev_series(f, lo, hi, count)
    lo, hi = mp.mpf(lo), mp.mpf(hi)
    scale, shift = 2 / (hi - lo), -(hi + lo) / (hi - lo)

    def times_u(p: list[mp.mpf]) -> list[mp.mpf]:
        out = [mp.mpf(0)] * (len(p) + 1)
        for i, c in enumerate(p):
            out[i] += c * shift
            out[i + 1] += c * scale
        return out

    before, now = [mp.mpf(1)], [shift, scale]
    total = [mp.mpf(0)] * count
    for j, c in enumerate(series):
        term = before if j == 0 else now
        if j > 1:
            twice = [2 * v for v in times_u(now)]
            for i, v in enumerate(before):
                twice[i] -= v
            before, now = now, twice
            term = now
        for i, v in enumerate(term):
            total[i] += c * v
    return total


def report(name: str, f: Function, lo: float, hi: float, p: list[mp.mpf]) -> str:
    worst = max(
        abs(mp.polyval(p[::-1], x) - f(x))
        for x in (mp.mpf(lo) + (mp.mpf(hi) - lo) * (k + mp.mpf("0.37")) / 60 for k in range(60))
    )
    return f"2^{float(mp.log(worst, 2)):.1f}"


def emit(kind: str, name: str, values: list[mp.mpf], note: str) -> None:
    suffix = "f" if kind == "float" else ""
    digits = 9 if kind == "float" else 17
    text = ", ".join(mp.nstr(v, digits, min_fixed=0, max_fixed=0) + suffix for v in values)
    print(f"// {note}")
    if name.startswith("T:"):
        print(f"template <> inline constexpr std::array<{kind}, {len(values)}> {name[2:]}<{kind}>{{{text}}};")
    else:
        print(f"inline constexpr std::array<{kind}, {len(values)}> {name}{{{text}}};")


def poly(name: str, f: Function, lo: float, hi: float, single: int, double: int, note: str) -> None:
    print(f"template <class T> inline constexpr int {name} = 0;")
    for kind, count in (("float", single), ("double", double)):
        if count:
            p = monomials(f, lo, hi, count)
            emit(kind, f"T:{name}", p, f"{note}; error {report(name, f, lo, hi, p)}")


def poly_of(kind: str, name: str, f: Function, lo: float, hi: float, count: int, note: str) -> None:
    p = monomials(f, lo, hi, count)
    emit(kind, name, p, f"{note}; error {report(name, f, lo, hi, p)}")


def series(name: str, f: Function, lo: float, hi: float, count: int, note: str) -> None:
    c = chebyshev_series(f, lo, hi, count)
    emit("double", name, c, f"{note}; last {mp.nstr(c[-1], 2)}")


def root(f: Function) -> Function:
    """f of x = sqrt(z), away from the removable singularity at 0."""
    return lambda z: f(mp.sqrt(z))


def inverse(least: int, f: Function) -> Function:
    """f in 2 least / x - 1, which is in [-1, 1] for x >= least."""
    return lambda v: f(2 * least / (v + 1))


def scaled_erfc(v: mp.mpf) -> mp.mpf:
    u = (v + 1) / 2
    x = 3 / u - 3
    return (mp.exp(x * x) * mp.erfc(x) if x < 100 else sum_erfcx(x) / mp.sqrt(mp.pi) / x) / u


def erfinv_share(w: mp.mpf) -> mp.mpf:
    x = mp.sqrt(-mp.expm1(-w)) if w > mp.mpf(10) ** -60 else mp.mpf(10) ** -30
    return mp.erfinv(x) / x


def modified(order: int) -> None:
    """I in x^2, and I and K with their exponentials taken off in 1/x."""
    share = root(lambda x: mp.besseli(order, x) / x**order)
    of = f"I{order}(x)" + (" / x" if order else "")
    poly(f"kI{order}Small", share, 0, 64, 12, 17, f"{of} in x^2, x <= 8")
    poly(f"kI{order}Smallest", share, 0, 4, 6, 10, f"{of} in x^2, x <= 2")
    large = inverse(8, lambda x: mp.exp(-x) * mp.sqrt(x) * mp.besseli(order, x))
    poly(f"kI{order}Large", large, -1, 1, 7, 24, f"exp(-x) sqrt(x) I{order}(x) in 16/x - 1")
    large = inverse(2, lambda x: mp.exp(x) * mp.sqrt(x) * mp.besselk(order, x))
    poly(f"kK{order}Large", large, -1, 1, 10, 24, f"exp(x) sqrt(x) K{order}(x) in 4/x - 1")


def log2_share(z: mp.mpf) -> mp.mpf:
    """What remains of log2((1 + s) / (1 - s)) / s after its first two terms, over z^2 = s^4."""
    s = mp.sqrt(z)
    return (2 * mp.atanh(s) / s - 2 - 2 * z / 3) / mp.log(2) / z**2


def print_pair(name: str, value: mp.mpf) -> None:
    high = mp.mpf(float(value))
    parts = ", ".join(mp.nstr(v, 20, min_fixed=0, max_fixed=0) for v in (high, value - high))
    print(f"inline constexpr std::array<double, 2> {name}{{{parts}}};")


def waves(order: int) -> None:
    """J and Y: up to 8 in x^2 / 32 - 1, J without its two roots; beyond, the amplitudes p and q of cosine and sine."""
    first, second = (mp.besseljzero(order, k) ** 2 for k in (1, 2))

    def small_j(v: mp.mpf) -> mp.mpf:
        x = mp.sqrt((v + 1) * 32)
        return mp.besselj(order, x) / x**order / ((x * x - first) * (x * x - second))

    def small_y(v: mp.mpf) -> mp.mpf:
        x = mp.sqrt((v + 1) * 32)
        return x**order * (mp.bessely(order, x) - 2 / mp.pi * mp.log(x / 2) * mp.besselj(order, x))

    def amplitude(v: mp.mpf, sine: bool) -> mp.mpf:
        x = 8 / mp.sqrt((v + 1) / 2)
        t, scale = x - (2 * order + 1) * mp.pi / 4, mp.sqrt(mp.pi * x / 2)
        j, y = scale * mp.besselj(order, x), scale * mp.bessely(order, x)
        return x * (y * mp.cos(t) - j * mp.sin(t)) if sine else j * mp.cos(t) + y * mp.sin(t)

    poly_of("double", f"kJ{order}Small", small_j, -1, 1, 15, f"J{order} up to 8 without its roots")
    poly_of(
        "double", f"kY{order}Small", small_y, -1, 1, 18, f"Y{order} - 2/pi log(x/2) J{order} up to 8, times x^{order}"
    )
    poly_of("double", f"kWave{order}P", lambda v: amplitude(v, False), -1, 1, 13, f"p of order {order}, in 128/x^2 - 1")
    poly_of(
        "double", f"kWave{order}Q", lambda v: amplitude(v, True), -1, 1, 14, f"x q of order {order}, in 128/x^2 - 1"
    )
    print_pair(f"kJ{order}FirstRoot", mp.sqrt(first))
    print_pair(f"kJ{order}SecondRoot", mp.sqrt(second))


def airy_parts(w: mp.mpf) -> tuple[mp.mpf, mp.mpf]:
    """Amplitudes f, g of Ai(-x) = (sin(t) f - cos(t) g) / (sqrt(pi) x^(1/4)), t = z + pi/4, at w = 1/z."""
    z = 1 / w
    x = (3 * z / 2) ** (mp.mpf(2) / 3)
    t = z + mp.pi / 4
    a, b = mp.airyai(-x), mp.airybi(-x)
    scale = mp.sqrt(mp.pi) * mp.root(x, 4)
    return scale * (a * mp.sin(t) + b * mp.cos(t)), scale * (b * mp.sin(t) - a * mp.cos(t))


def main() -> None:
    print("// Polynomial coefficients, lowest power first, and Chebyshev series; printed by tests/core/fit_math.py.")
    print('#pragma once\n\n#include <array>\n#include <cstdint>\n\n#include "base/level.h"\n')
    print("// clang-format off\nnamespace lumbre {\nnamespace LB_LEVEL {\nnamespace math {\n")
    ln2, quarter = mp.log(2), (mp.pi / 4 * mp.mpf("1.0001")) ** 2
    f_lo, f_hi = mp.sqrt(mp.mpf("0.5")) - 1, mp.sqrt(2) - 1
    poly("kExp", lambda r: (mp.expm1(r) - r) / r**2, -0.3467, 0.3467, 5, 11, "(exp(r) - 1 - r) / r^2")
    poly("kExp2", lambda r: (mp.mpf(2) ** r - 1 - r * ln2) / r**2, -0.5, 0.5, 5, 11, "(2^r - 1 - r ln2) / r^2")
    poly_of("double", "kExp2Pow", lambda r: mp.mpf(2) ** r, -0.5, 0.5, 8, "2^r")
    poly("kLog", lambda f: (mp.log1p(f) - f + f * f / 2) / f**3, f_lo, f_hi, 8, 0, "(log(1+f) - f + f^2/2) / f^3")
    poly(
        "kLog2",
        lambda f: (mp.log1p(f) - f * ln2 * (1 / ln2)) / f**2 / ln2,
        f_lo,
        f_hi,
        10,
        0,
        "(log2(1+f) - f/ln2) / f^2",
    )
    poly("kLog10", lambda f: (mp.log1p(f) - f) / f**2 / mp.log(10), f_lo, f_hi, 10, 0, "(log10(1+f) - f/ln10) / f^2")
    poly_of("double", "kLog2Pow", lambda f: mp.log1p(f) / f / ln2, f_lo, f_hi, 15, "log2(1+f) / f")
    poly_of(
        "double",
        "kLogAtanh",
        root(lambda s: (2 * mp.atanh(s) - 2 * s) / s**3),
        0,
        0.02945,
        8,
        "(log((1+s)/(1-s)) - 2s) / s^3 in s^2",
    )
    poly_of(
        "double", "kPowTail", log2_share, 1e-9, 0.02945, 7, "(log2((1+s)/(1-s)) / s - the pairs below) / s^4 in s^2"
    )
    print_pair("kPowFirst", 2 / ln2)
    print_pair("kPowSecond", 2 / (3 * ln2))
    poly("kSin", root(lambda r: (mp.sin(r) - r) / r**3), 0, quarter, 4, 7, "(sin(r) - r) / r^3 in r^2")
    poly(
        "kCos",
        root(lambda r: (mp.cos(r) - 1 + r * r / 2) / r**4),
        0,
        quarter,
        3,
        6,
        "(cos(r) - 1 + r^2/2) / r^4 in r^2",
    )
    poly("kTan", root(lambda r: (mp.tan(r) - r) / r**3), 0, quarter, 7, 15, "(tan(r) - r) / r^3 in r^2")
    poly("kAsin", root(lambda s: (mp.asin(s) - s) / s**3), 0, 0.25, 6, 13, "(asin(s) - s) / s^3 in s^2")
    poly("kAtan", root(lambda t: (mp.atan(t) - t) / t**3), 0, 1, 9, 20, "(atan(t) - t) / t^3 in t^2")
    poly("kTanh", root(lambda x: (mp.tanh(x) - x) / x**3), 0, 0.391, 5, 11, "(tanh(x) - x) / x^3 in x^2")
    poly("kSinh", root(lambda x: (mp.sinh(x) - x) / x**3), 0, 1, 4, 7, "(sinh(x) - x) / x^3 in x^2")
    erf_share = root(lambda x: mp.erf(x) / x - 1)
    poly("kErf", erf_share, 0, 1, 7, 0, "erf(x) / x - 1 in x^2")
    poly_of("double", "T:kErf", erf_share, 0, 1.4, 13, "the same up to 1.18")
    poly_of("float", "kLogErfcF", lambda x: -mp.log(mp.erfc(x)), 1, 4, 9, "-log(erfc(x))")
    poly_of(
        "float",
        "kNormalTailF",
        lambda x: -mp.log(mp.erfc(x / mp.sqrt(2)) / 2, 2),
        0,
        5.6,
        12,
        "-log2(erfc(x / sqrt(2)) / 2)",
    )
    poly_of("double", "kErfcRootD", lambda v: mp.erfc(v + 3.5) ** (mp.mpf(1) / 8), -2.5, 2.5, 24, "erfc(v + 3.5)^(1/8)")
    poly_of(
        "double", "kErfInvNearD", lambda t: erfinv_share(t + 3.125), -3.125, 3.125, 25, "erfinv(x) / x in w - 3.125"
    )
    poly("kErfcx", scaled_erfc, -1, 1, 12, 24, "erfcx(x) / u in 2u - 1, u = 3 / (3 + x)")
    poly_of(
        "float",
        "kErfInvNear",
        lambda t: erfinv_share(t + 2.5),
        -2.5,
        2.5,
        10,
        "erfinv(x) / x in w - 2.5, w = -log(1 - x^2)",
    )
    poly_of(
        "float", "kErfInvFar", lambda t: erfinv_share((t + 3) ** 2), -0.764, 1.05, 10, "erfinv(x) / x in sqrt(w) - 3"
    )
    for order in (0, 1):
        modified(order)
    k0 = root(lambda x: mp.besselk(0, x) + mp.log(x / 2) * mp.besseli(0, x))
    k1 = root(lambda x: x * (mp.besselk(1, x) - mp.log(x / 2) * mp.besseli(1, x)))
    poly("kK0Small", k0, 0, 4, 7, 10, "K0(x) + log(x/2) I0(x) in x^2")
    poly("kK1Small", k1, 0, 4, 8, 11, "x (K1(x) - log(x/2) I1(x)) in x^2")
    for order in (0, 1):
        waves(order)
    zeta3 = mp.mpf(2) / 3 * 3 ** mp.mpf("1.5")
    series("kAiryMiddle", mp.airyai, -3, 3, 30, "Ai(x)")

    def decay(w: mp.mpf) -> mp.mpf:
        x = (3 / w / 2) ** (mp.mpf(2) / 3)
        return 2 * mp.sqrt(mp.pi) * mp.root(x, 4) * mp.exp(1 / w) * mp.airyai(x)

    series("kAiryDecay", decay, 0, 1 / zeta3, 22, "2 sqrt(pi) x^(1/4) exp(z) Ai(x) in 1/z, z = 2/3 x^(3/2), x > 3")
    series("kAiryCos", lambda w: airy_parts(w)[0], 0, 1 / zeta3, 20, "f of Ai(-x) in 1/z, x > 3")
    series("kAirySin", lambda w: airy_parts(w)[1], 0, 1 / zeta3, 20, "g of Ai(-x) in 1/z, x > 3")
    mp.mp.prec = 1500
    bits = int(mp.floor(2 / mp.pi * mp.mpf(2) ** 1344))
    words = ", ".join(f"0x{bits >> (64 * (20 - i)) & (2**64 - 1):016x}" for i in range(21))
    print("// 64 zero bits, then the first 1344 bits of 2/pi.")
    print(f"inline constexpr std::array<uint64_t, 22> kTwoOverPi{{0, {words}}};")
    print("\n}  // namespace math\n}  // namespace LB_LEVEL\n}  // namespace lumbre\n// clang-format on")


def sum_erfcx(x: mp.mpf) -> mp.mpf:
    """The asymptotic series of sqrt(pi) x erfcx(x)."""
    term, total, k = mp.mpf(1), mp.mpf(1), 0
    while k < 40:
        k += 1
        term *= -(2 * k - 1) / (2 * x * x)
        total += term
    return total


if __name__ == "__main__":
    main()
