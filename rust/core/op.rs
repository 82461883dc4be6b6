//! The one table of operations.
//!
//! A row gives an operation's name, symbol, LaTeX, value, partial derivatives and domain. The
//! partial derivatives use only `+ − * /`, constants and other rows, so the table is closed under
//! differentiation; they are written once, generic over the [`Number`](crate::Number) that they
//! are computed with. Whatever needs a list of operations passes a macro to [`operations!`].

/// Hands every row of the table to the macro `$with`.
///
/// `Variant(operands) name arity symbol latex { value } [ partials ] domain, summary;`
///
/// In a row `x`, `y`, `z` are the operands, `r` is the row's value and `c` makes a constant.
/// The value is an expression of `f64`, a partial derivative one of `Number`, the domain a `bool`.
/// In a value, `B` is what is done [`Beyond`](crate::elementary::Beyond) the range of a formula.
#[macro_export]
#[rustfmt::skip]
macro_rules! operations { ($with:path) => { $with! { r, c;
    Add(x, y) add 2 "+" "$x + $y" { x + y } [c(1.0), c(1.0)] true, "Sum of two operands";
    Sub(x, y) sub 2 "-" "$x - $y" { x - y } [c(1.0), c(-1.0)] true, "Difference of two operands";
    Mul(x, y) mul 2 "*" r"$x \cdot $y" { x * y } [y, x] true, "Product of two operands";
    Div(x, y) div 2 "/" r"\frac{$x}{$y}" { x / y } [c(1.0) / y, -r / y] y != 0.0, "Quotient of two operands";
    Pow(x, y) pow 2 "**" "$x^{$y}" { elementary::pow::<B>(x, y) }
        [(x.equal(c(0.0)) * y.equal(c(0.0))).r#where(c(0.0), y * x.pow(y - c(1.0))), (x.equal(c(0.0)) * y.greater_equal(c(0.0))).r#where(c(0.0), r * x.log())]
        x > 0.0 || y.fract() == 0.0 && (x != 0.0 || y >= 0.0) || x == 0.0 && y >= 0.0, "Power; d/dx is 0 where y is 0, d/dy is 0 where x is 0 and y >= 0";
    Neg(x) neg 1 "neg" "-$x" { -x } [c(-1.0)] true, "Negative of the operand";
    Abs(x) abs 1 "abs" r"\left|$x\right|" { x.abs() } [x.sign()] true, "Absolute value; the derivative at 0 is 0";
    Sign(x) sign 1 "sign" r"\operatorname{sign}($x)" { if x > 0.0 { 1.0 } else if x < 0.0 { -1.0 } else { x } } [c(0.0)] true, "Sign: -1, 0 or 1; the derivative is 0";
    Exp(x) exp 1 "exp" "e^{$x}" { elementary::exp(x) } [r] true, "Exponential function";
    Expm1(x) expm1 1 "expm1" "e^{$x} - 1" { elementary::expm1(x) } [x.exp()] true, "exp(x) - 1, accurate near 0";
    Log(x) log 1 "log" r"\ln($x)" { elementary::log(x) } [c(1.0) / x] x > 0.0, "Natural logarithm";
    Log1p(x) log1p 1 "log1p" r"\ln(1 + $x)" { elementary::log1p(x) } [c(1.0) / (c(1.0) + x)] x > -1.0, "log(1 + x), accurate near 0";
    Log2(x) log2 1 "log2" r"\log_2($x)" { elementary::log2(x) } [c(std::f64::consts::LOG2_E) / x] x > 0.0, "Logarithm to base 2";
    Log10(x) log10 1 "log10" r"\log_{10}($x)" { elementary::log10(x) } [c(std::f64::consts::LOG10_E) / x] x > 0.0, "Logarithm to base 10";
    Sqrt(x) sqrt 1 "sqrt" r"\sqrt{$x}" { x.sqrt() } [c(0.5) / r] x >= 0.0, "Square root; the derivative at 0 is inf";
    Cbrt(x) cbrt 1 "cbrt" r"\sqrt[3]{$x}" { x.cbrt() } [c(1.0) / (c(3.0) * (r * r))] true, "Cube root; the derivative at 0 is inf";
    Sin(x) sin 1 "sin" r"\sin($x)" { elementary::sin::<B>(x) } [x.cos()] x.is_finite(), "Sine of an angle in radians";
    Cos(x) cos 1 "cos" r"\cos($x)" { elementary::cos::<B>(x) } [-x.sin()] x.is_finite(), "Cosine of an angle in radians";
    Tan(x) tan 1 "tan" r"\tan($x)" { elementary::tan::<B>(x) } [c(1.0) + r * r] x.is_finite(), "Tangent of an angle in radians";
    Asin(x) asin 1 "asin" r"\arcsin($x)" { x.asin() } [c(1.0) / ((c(1.0) - x) * (c(1.0) + x)).sqrt()] x.abs() <= 1.0, "Inverse sine, in radians";
    Acos(x) acos 1 "acos" r"\arccos($x)" { x.acos() } [c(-1.0) / ((c(1.0) - x) * (c(1.0) + x)).sqrt()] x.abs() <= 1.0, "Inverse cosine, in radians";
    Atan(x) atan 1 "atan" r"\arctan($x)" { x.atan() } [c(1.0) / (c(1.0) + x * x)] true, "Inverse tangent, in radians";
    Atan2(y, x) atan2 2 "atan2" r"\operatorname{atan2}($x, $y)" { y.atan2(x) } [{ let h = y.hypot(x); x / h / h }, { let h = y.hypot(x); -y / h / h }] x != 0.0 || y != 0.0, "Angle of the point (second operand, first operand), in radians";
    Sinh(x) sinh 1 "sinh" r"\sinh($x)" { elementary::sinh(x) } [x.cosh()] true, "Hyperbolic sine";
    Cosh(x) cosh 1 "cosh" r"\cosh($x)" { elementary::cosh(x) } [x.sinh()] true, "Hyperbolic cosine";
    Tanh(x) tanh 1 "tanh" r"\tanh($x)" { elementary::tanh(x) } [c(1.0) - r * r] true, "Hyperbolic tangent";
    Asinh(x) asinh 1 "asinh" r"\operatorname{arsinh}($x)" { pxfm::f_asinh(x) } [c(1.0) / x.hypot(c(1.0))] true, "Inverse hyperbolic sine";
    Acosh(x) acosh 1 "acosh" r"\operatorname{arcosh}($x)" { pxfm::f_acosh(x) } [c(1.0) / ((x - c(1.0)).sqrt() * (x + c(1.0)).sqrt())] x >= 1.0, "Inverse hyperbolic cosine";
    Atanh(x) atanh 1 "atanh" r"\operatorname{artanh}($x)" { pxfm::f_atanh(x) } [c(1.0) / ((c(1.0) - x) * (c(1.0) + x))] x.abs() < 1.0, "Inverse hyperbolic tangent";
    Hypot(x, y) hypot 2 "hypot" r"\sqrt{$x^2 + $y^2}" { x.hypot(y) } [r.equal(c(0.0)).r#where(c(0.0), x / r), r.equal(c(0.0)).r#where(c(0.0), y / r)] true, "Length of the vector (x, y); both derivatives are 0 at (0, 0)";
    Erf(x) erf 1 "erf" r"\operatorname{erf}($x)" { elementary::erf(x) } [c(std::f64::consts::FRAC_2_SQRT_PI) * (-(x * x)).exp()] true, "Error function";
    Erfc(x) erfc 1 "erfc" r"\operatorname{erfc}($x)" { elementary::erfc(x) } [c(-std::f64::consts::FRAC_2_SQRT_PI) * (-(x * x)).exp()] true, "Complementary error function, 1 - erf(x)";
    NormCdf(x) norm_cdf 1 "norm_cdf" r"\Phi($x)" { elementary::norm_cdf(x) } [c(FRAC_1_SQRT_2PI) * (c(-0.5) * x * x).exp()] true, "Distribution function of the standard normal distribution";
    NormPpf(x) norm_ppf 1 "norm_ppf" r"\Phi^{-1}($x)" { spec_math::cephes64::ndtri(x) } [c(1.0 / FRAC_1_SQRT_2PI) * (c(0.5) * r * r).exp()] x > 0.0 && x < 1.0, "Quantile of the standard normal distribution, inverse of norm_cdf";
    Lgamma(x) lgamma 1 "lgamma" r"\ln\left|\Gamma($x)\right|" { pxfm::f_lgamma(x) } [x.digamma()] x > 0.0 || x.fract() != 0.0, "Logarithm of the absolute value of the gamma function";
    Digamma(x) digamma 1 "digamma" r"\psi($x)" { pxfm::f_digamma(x) } [c(1.0).polygamma(x)] x > 0.0 || x.fract() != 0.0, "Derivative of lgamma";
    Polygamma(n, x) polygamma 2 "polygamma" "\\psi^{($n)}($x)" { polygamma(n, x) } [c(0.0), (n + c(1.0)).polygamma(x)] n >= 1.0 && n.fract() == 0.0 && x > 0.0, "n-th derivative of digamma at x > 0; n is a whole number and counts as constant";
    Sigmoid(x) sigmoid 1 "sigmoid" r"\sigma($x)" { elementary::sigmoid(x) } [r * (c(1.0) - r)] true, "Logistic function, 1 / (1 + exp(-x))";
    Softplus(x) softplus 1 "softplus" r"\ln(1 + e^{$x})" { elementary::softplus(x) } [x.sigmoid()] true, "log(1 + exp(x)), without overflow";
    Relu(x) relu 1 "relu" r"\operatorname{relu}($x)" { if x > 0.0 || x.is_nan() { x } else { 0.0 } } [x.greater(c(0.0))] true, "max(x, 0); the derivative at 0 is 0";
    LeakyRelu(x, slope) leaky_relu 2 "leaky_relu" r"\operatorname{leaky}_{$slope}($x)" { if x > 0.0 { x } else { slope * x } } [x.greater(c(0.0)).r#where(c(1.0), slope), x.greater(c(0.0)).r#where(c(0.0), x)] true, "x where x > 0, else slope * x; the derivative at 0 is the slope";
    Elu(x, alpha) elu 2 "elu" r"\operatorname{elu}_{$alpha}($x)" { if x > 0.0 { x } else { alpha * elementary::expm1(x) } } [x.greater(c(0.0)).r#where(c(1.0), alpha * x.exp()), x.greater(c(0.0)).r#where(c(0.0), x.expm1())] true, "x where x > 0, else alpha * (exp(x) - 1); the derivative at 0 is alpha";
    Gelu(x) gelu 1 "gelu" r"\operatorname{gelu}($x)" { x * elementary::norm_cdf(x) } [x.norm_cdf() + x * (c(FRAC_1_SQRT_2PI) * (c(-0.5) * x * x).exp())] true, "Gaussian error linear unit, x * norm_cdf(x)";
    Silu(x) silu 1 "silu" r"$x \cdot \sigma($x)" { x * elementary::sigmoid(x) } [x.sigmoid() * (c(1.0) + x * (c(1.0) - x.sigmoid()))] true, "Sigmoid linear unit, x * sigmoid(x)";
    Maximum(x, y) maximum 2 "max" r"\max($x, $y)" { if x >= y || x.is_nan() { x } else { y } } [c(0.5) * (x.greater(y) + x.greater_equal(y)), c(0.5) * (y.greater(x) + y.greater_equal(x))] true, "Larger operand; at ties each derivative is one half";
    Minimum(x, y) minimum 2 "min" r"\min($x, $y)" { if x <= y || x.is_nan() { x } else { y } } [c(0.5) * (y.greater(x) + y.greater_equal(x)), c(0.5) * (x.greater(y) + x.greater_equal(y))] true, "Smaller operand; at ties each derivative is one half";
    Greater(x, y) greater 2 ">" "[$x > $y]" { f64::from(u8::from(x > y)) } [c(0.0), c(0.0)] true, "1 where x > y, else 0; the derivative is 0";
    GreaterEqual(x, y) greater_equal 2 ">=" r"[$x \ge $y]" { f64::from(u8::from(x >= y)) } [c(0.0), c(0.0)] true, "1 where x >= y, else 0; the derivative is 0";
    Equal(x, y) equal 2 "==" "[$x = $y]" { f64::from(u8::from(x == y)) } [c(0.0), c(0.0)] true, "1 where x == y, else 0; the derivative is 0";
    Where(condition, x, y) r#where 3 "where" r"\begin{cases}$x & $condition \\ $y & \text{else}\end{cases}" { if condition == 0.0 { y } else { x } } [c(0.0), c(1.0) - condition.equal(c(0.0)), condition.equal(c(0.0))] true, "Second operand where the first is not 0, else the third; the branch not taken gets exactly 0";
    Clip(x, low, high) clip 3 "clip" r"\operatorname{clip}($x, $low, $high)" { if x.is_nan() { x } else if x > high { high } else if x < low { low.min(high) } else { x } }
        [x.greater_equal(low) * high.greater_equal(x), low.greater(x) * high.greater_equal(low), x.greater(high) + low.greater(high) * high.greater_equal(x)] low <= high, "x limited to [low, high]; the derivative is 1 on the closed interval";
}}}

use crate::elementary::{self, Beyond, Exact};
use crate::special::{FRAC_1_SQRT_2PI, polygamma};
use crate::{Dual, Number};

/// `where` is a word of Rust's own.
const fn plain(name: &str) -> &str {
    match name.as_bytes() {
        [b'r', b'#', ..] => name.split_at(2).1,
        _ => name,
    }
}

/// Whether a row's value says what to do beyond the range of a formula, that is, whether it names
/// the parameter `B` of [`Rule::compute`]: `<B>`, however the compiler spaces it.
const fn names_beyond(value: &str) -> bool {
    let (text, mut i, mut found) = (value.as_bytes(), 0, 0);
    while i < text.len() && found < 3 {
        if text[i] == b"<B>"[found] {
            found += 1;
        } else if text[i] != b' ' {
            found = 0;
        }
        i += 1;
    }
    found == 3
}

/// One row of the table with `A` operands, known at compile time: hot loops expand it.
pub trait Rule<const A: usize> {
    /// The row's place in the table.
    const OP: Op;
    /// Whether [`compute`](Rule::compute) in [`Lanes`](crate::elementary::Lanes) may leave the
    /// sentinel.
    const BEYOND: bool;
    /// The value at the operands `x`; `B` is done where no formula covers them.
    fn compute<B: Beyond>(x: [f64; A]) -> f64;
    /// The value at the operands `x`.
    #[inline(always)]
    #[must_use]
    fn value(x: [f64; A]) -> f64 {
        Self::compute::<Exact>(x)
    }
    /// The partial derivatives at the operands `x`, where the value is `r`.
    fn partials<N: Number>(x: [N; A], r: N) -> [N; A];
    /// Whether the operation is defined at the operands `x`.
    fn domain(x: [f64; A]) -> bool;
}

macro_rules! define {
    ($r:ident, $c:ident; $($Op:ident($($x:ident),+) $name:ident $arity:tt $symbol:literal $latex:literal
        { $value:expr } [$($partial:expr),+] $domain:expr, $summary:literal;)+) => {
        /// An operation: one for every row of the table, then the operations of any arity.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Op {
            $(#[doc = $summary] $Op,)+
            /// Sum of any number of operands.
            Sum,
            /// Sum of products of two runs of operands.
            Dot,
            /// `activation(dot + bias)`.
            Affine,
            /// `log(sum(exp(x)))`, without overflow.
            Logsumexp,
        }

        /// One zero-sized type for every row.
        pub mod rule {
            $(#[doc = $summary] #[derive(Clone, Copy, Debug)] pub struct $Op;)+
        }

        $(#[allow(unused_variables)]
        impl Rule<$arity> for rule::$Op {
            const OP: Op = Op::$Op;
            const BEYOND: bool = names_beyond(stringify!($value));
            #[inline(always)]
            fn compute<B: Beyond>([$($x),+]: [f64; $arity]) -> f64 { $value }
            #[inline(always)]
            fn partials<N: Number>([$($x),+]: [N; $arity], $r: N) -> [N; $arity] {
                let $c = <N as Number>::constant;
                [$($partial),+]
            }
            #[inline(always)]
            fn domain([$($x),+]: [f64; $arity]) -> bool { $domain }
        })+

        impl Op {
            /// Every operation, in the order of the table.
            pub const ALL: &[Op] = &[$(Op::$Op,)+ Op::Sum, Op::Dot, Op::Affine, Op::Logsumexp];

            /// The row's texts; the operands' names stand in `operands`.
            #[must_use]
            pub const fn row(self) -> Row {
                match self {
                    $(Op::$Op => Row { name: plain(stringify!($name)), operands: &[$(stringify!($x)),+],
                        symbol: $symbol, latex: $latex, summary: $summary },)+
                    Op::Sum => Row { name: "sum", operands: &[], symbol: "sum", latex: r"\sum x_i", summary: "Sum of any number of operands" },
                    Op::Dot => Row { name: "dot", operands: &[], symbol: "dot", latex: r"\sum x_i w_i", summary: "Sum of products of two runs of operands" },
                    Op::Affine => Row { name: "affine", operands: &[], symbol: "affine", latex: r"\sum x_i w_i + b", summary: "activation(dot + bias)" },
                    Op::Logsumexp => Row { name: "logsumexp", operands: &[], symbol: "logsumexp", latex: r"\ln \sum e^{x_i}", summary: "log(sum(exp(x))), without overflow" },
                }
            }

            /// The value for operands of any kind of number; `None` where their count is not
            /// the row's.
            #[must_use]
            pub fn apply<N: Number>(self, x: &[N]) -> Option<N> {
                match self {
                    $(Op::$Op => <[N; $arity]>::try_from(x).ok().map(|[$($x),+]| define!(@call N $name $($x)+)),)+
                    _ => None,
                }
            }

            /// The partial derivatives at the operands `x`, where the value is `r`.
            #[must_use]
            pub fn partials<N: Number>(self, x: &[N], r: N) -> Option<Vec<N>> {
                match self {
                    $(Op::$Op => <[N; $arity]>::try_from(x).ok().map(|x| rule::$Op::partials(x, r).to_vec()),)+
                    _ => None,
                }
            }

            /// Value and derivative of a row of one operand; nan for any other operation.
            #[inline]
            #[must_use]
            pub fn value_and_slope(self, x: f64) -> (f64, f64) {
                match self {
                    $(Op::$Op => define!(@slope $arity $Op x),)+
                    _ => (f64::NAN, f64::NAN),
                }
            }

            /// Whether the operation is defined at the operands `x`.
            #[must_use]
            pub fn domain(self, x: &[f64]) -> bool {
                match self {
                    $(Op::$Op => <[f64; $arity]>::try_from(x).is_ok_and(rule::$Op::domain),)+
                    _ => true,
                }
            }
        }
    };
    (@slope 1 $Op:ident $x:ident) => {{
        let value = rule::$Op::value([$x]);
        (value, rule::$Op::partials([$x], value)[0])
    }};
    (@slope $arity:tt $Op:ident $x:ident) => {{
        let _ = $x;
        (f64::NAN, f64::NAN)
    }};
    (@call $N:ident $name:ident $($x:ident)+) => { <$N as Number>::$name($($x),+) };
}
operations!(define);

/// The texts of a row.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Name in Rust and Python.
    pub name: &'static str,
    /// Names of the operands; empty for the operations of any arity.
    pub operands: &'static [&'static str],
    /// Symbol for drawings and `Value.op`.
    pub symbol: &'static str,
    /// LaTeX, with `$name` where an operand stands.
    pub latex: &'static str,
    /// One line for people.
    pub summary: &'static str,
}

impl Op {
    /// The operation of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Op> {
        Op::ALL.iter().copied().find(|op| op.row().name == name)
    }

    /// Value, first and second partial derivatives at `x`, the latter by tangents of the former;
    /// `None` where the number of operands is not the row's.
    #[must_use]
    pub fn derivatives(self, x: &[f64]) -> Option<(f64, Vec<f64>, Vec<Vec<f64>>)> {
        let value = self.apply(x)?;
        let first = self.partials(x, value)?;
        let second = (0..x.len()).map(|direction| {
            let seed = |(i, &value)| Dual { value, tangent: f64::from(u8::from(i == direction)) };
            let x: Vec<Dual> = x.iter().enumerate().map(seed).collect();
            let partials = self.partials(&x, self.apply(&x)?)?;
            Some(partials.iter().map(|p| p.tangent).collect())
        });
        Some((value, first, second.collect::<Option<_>>()?))
    }
}
