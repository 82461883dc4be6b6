//! Operations and their derivatives as formulas: the rows of the table, computed with letters.
//!
//! A [`Formula`] is one more number that a row's partial derivatives are generic over, so that what
//! people read is what the sweep multiplies with.

use std::cell::RefCell;
use std::ops::{Add, Div, Mul, Neg, Sub};

use crate::number::Number;
use crate::op::{Op, Rule, rule};

/// What stands at a place of the sheet.
#[derive(Clone, Copy)]
enum Written {
    Constant(f64),
    /// An operand or the result, by name.
    Letter(&'static str),
    Apply(Op, [u32; 3]),
}

thread_local! {
    /// What is written while a row's formulas are made.
    static SHEET: RefCell<Vec<Written>> = const { RefCell::new(Vec::new()) };
}

/// A number that is written down: its place on the sheet.
#[derive(Clone, Copy)]
pub struct Formula(u32);

/// A formula for people. Operands stand in it as `$x`, the result as `$r`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Texts {
    /// As in Python.
    pub text: String,
    /// As in LaTeX.
    pub latex: String,
}

/// How strongly what is written holds together.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Strength {
    Comparison,
    Sum,
    Product,
    Sign,
    Power,
    Atom,
}

/// Numbers that have names: the number, text, LaTeX.
const NAMED: [(f64, &str, &str); 5] = [
    (std::f64::consts::FRAC_2_SQRT_PI, "2/sqrt(pi)", r"\frac{2}{\sqrt{\pi}}"),
    (0.398_942_280_401_432_7, "1/sqrt(2*pi)", r"\frac{1}{\sqrt{2\pi}}"),
    (2.506_628_274_631_000_7, "sqrt(2*pi)", r"\sqrt{2\pi}"),
    (std::f64::consts::LN_2, "log(2)", r"\ln 2"),
    (std::f64::consts::LN_10, "log(10)", r"\ln 10"),
];

impl Formula {
    fn write(written: Written) -> Formula {
        SHEET.with_borrow_mut(|sheet| {
            sheet.push(written);
            Formula(sheet.len() as u32 - 1)
        })
    }

    fn read(self) -> Written {
        SHEET.with_borrow(|sheet| sheet[self.0 as usize])
    }

    fn is(self, number: f64) -> bool {
        matches!(self.read(), Written::Constant(x) if x == number)
    }

    /// An operation, or something shorter that means the same to a reader.
    fn apply<const A: usize>(op: Op, x: [Formula; A]) -> Formula {
        match (op, &x[..]) {
            (Op::Mul, &[x, y]) if y.is(1.0) || x.is(0.0) => x,
            (Op::Mul, &[x, y]) if x.is(1.0) || y.is(0.0) => y,
            (Op::Add, &[x, y]) if x.is(0.0) => y,
            (Op::Add | Op::Sub, &[x, y]) if y.is(0.0) => x,
            (Op::Pow, &[x, y]) if y.is(1.0) => x,
            _ => {
                let mut operands = [0; 3];
                operands.iter_mut().zip(x).for_each(|(to, x)| *to = x.0);
                Formula::write(Written::Apply(op, operands))
            }
        }
    }

    fn texts(self) -> (Texts, Strength) {
        match self.read() {
            Written::Constant(x) => number(x),
            Written::Letter(name) => {
                let letter = format!("${name}");
                (Texts { text: letter.clone(), latex: letter }, Strength::Atom)
            }
            Written::Apply(op, operands) => {
                let count = op.row().operands.len();
                let operands: Vec<_> =
                    operands[..count].iter().map(|&x| Formula(x).texts()).collect();
                applied(op, &operands)
            }
        }
    }
}

fn number(x: f64) -> (Texts, Strength) {
    let sign = if x < 0.0 { "-" } else { "" };
    let strength = if x < 0.0 { Strength::Sign } else { Strength::Atom };
    let named = NAMED.iter().find(|named| (named.0 - x.abs()).abs() < 1e-15);
    if let Some((_, text, latex)) = named {
        let strength = if text.contains('/') { Strength::Product } else { strength };
        return (
            Texts { text: format!("{sign}{text}"), latex: format!("{sign}{latex}") },
            strength,
        );
    }
    let text =
        if x.fract() == 0.0 && x.abs() < 1e15 { format!("{x:.0}") } else { format!("{x:?}") };
    (Texts { latex: text.clone(), text }, strength)
}

/// Where an operation stands between its operands: its strength, and what its sides must have.
fn infix(op: Op) -> Option<(Strength, Strength, Strength)> {
    use Strength::{Atom, Comparison, Power, Product, Sign, Sum};
    match op {
        Op::Add => Some((Sum, Sum, Sum)),
        Op::Sub => Some((Sum, Sum, Product)),
        Op::Mul => Some((Product, Product, Product)),
        Op::Div => Some((Product, Product, Sign)),
        Op::Pow => Some((Power, Atom, Sign)),
        Op::Greater | Op::GreaterEqual | Op::Equal => Some((Comparison, Sum, Sum)),
        _ => None,
    }
}

fn applied(op: Op, operands: &[(Texts, Strength)]) -> (Texts, Strength) {
    let row = op.row();
    if op == Op::Neg {
        let (x, strength) = &operands[0];
        let text = format!("-{}", held(&x.text, *strength >= Strength::Product));
        let latex = format!("-{}", bracketed(&x.latex, *strength >= Strength::Product));
        return (Texts { text, latex }, Strength::Sign);
    }
    let (text, strength) = if let (Some((own, left, right)), [x, y]) = (infix(op), operands) {
        let (x, y) = (held(&x.0.text, x.1 >= left), held(&y.0.text, y.1 >= right));
        let power = own == Strength::Power;
        (if power { format!("{x}**{y}") } else { format!("{x} {} {y}", row.symbol) }, own)
    } else {
        let texts: Vec<&str> = operands.iter().map(|(x, _)| x.text.as_str()).collect();
        (format!("{}({})", row.name, texts.join(", ")), Strength::Atom)
    };
    let mut latex = row.latex.to_string();
    let sides = infix(op).filter(|_| op != Op::Div).map(|(_, left, right)| [left, right]);
    // The longest names first: `$x` begins others.
    let mut order: Vec<usize> = (0..operands.len()).collect();
    order.sort_by_key(|&k| std::cmp::Reverse(row.operands[k].len()));
    for (mark, &k) in order.iter().enumerate() {
        latex = latex.replace(&format!("${}", row.operands[k]), &format!("\u{1}{mark}"));
    }
    for (mark, &k) in order.iter().enumerate() {
        let (x, strength) = &operands[k];
        // An exponent stands apart already.
        let holds = match sides {
            Some(_) if op == Op::Pow && k == 1 => true,
            // A comparison has brackets of its own.
            Some(sides) => *strength >= sides[k] || *strength == Strength::Comparison,
            None => true,
        };
        latex = latex.replace(&format!("\u{1}{mark}"), &bracketed(&x.latex, holds));
    }
    (Texts { text, latex }, strength)
}

fn held(text: &str, holds: bool) -> String {
    if holds { text.into() } else { format!("({text})") }
}

fn bracketed(latex: &str, holds: bool) -> String {
    if holds { latex.into() } else { format!(r"\left({latex}\right)") }
}

macro_rules! formulas {
    ($r:ident, $c:ident; $($Op:ident($first:ident $(, $rest:ident)*) $name:ident $arity:tt $symbol:literal $latex:literal
        { $value:expr } [$($partial:expr),+] $domain:expr, $summary:literal;)+) => {
        impl Number for Formula {
            fn constant(value: f64) -> Formula { Formula::write(Written::Constant(value)) }
            $(fn $name(self $(, $rest: Formula)*) -> Formula { Formula::apply(Op::$Op, [self $(, $rest)*]) })+
        }

        /// The formula of a row and those of its partial derivatives; `None` for an operation of
        /// any arity.
        #[must_use]
        pub fn formulas(op: Op) -> Option<(Texts, Vec<Texts>)> {
            match op {
                $(Op::$Op => Some(of_row::<rule::$Op, $arity>()),)+
                _ => None,
            }
        }
    };
}
operations!(formulas);

fn of_row<R: Rule<A>, const A: usize>() -> (Texts, Vec<Texts>) {
    SHEET.with_borrow_mut(Vec::clear);
    let letters: [Formula; A] =
        std::array::from_fn(|k| Formula::write(Written::Letter(R::OP.row().operands[k])));
    let result = Formula::write(Written::Letter("r"));
    let value = Formula::write(Written::Apply(R::OP, {
        let mut operands = [0; 3];
        operands.iter_mut().zip(letters).for_each(|(to, x)| *to = x.0);
        operands
    }));
    let partials = R::partials(letters, result);
    (value.texts().0, partials.iter().map(|partial| partial.texts().0).collect())
}

macro_rules! operators {
    ($($Trait:ident $method:ident $($y:ident)?),+) => {
        $(impl $Trait for Formula {
            type Output = Formula;
            fn $method(self $(, $y: Formula)?) -> Formula { Number::$method(self $(, $y)?) }
        })+
    };
}
operators!(Add add y, Sub sub y, Mul mul y, Div div y, Neg neg);

#[cfg(test)]
mod tests {
    use super::*;

    fn of(op: Op) -> Vec<(String, String)> {
        let (value, partials) = formulas(op).unwrap();
        [value].into_iter().chain(partials).map(|texts| (texts.text, texts.latex)).collect()
    }

    #[test]
    fn formulas_are_the_rows() {
        assert_eq!(of(Op::Mul)[1], ("$y".into(), "$y".into()));
        assert_eq!(of(Op::Div)[0], ("$x / $y".into(), r"\frac{$x}{$y}".into()));
        assert_eq!(of(Op::Div)[2], ("-$r / $y".into(), r"\frac{-$r}{$y}".into()));
        assert_eq!(of(Op::Tanh)[1], ("1 - $r * $r".into(), r"1 - $r \cdot $r".into()));
        assert_eq!(of(Op::Relu)[1], ("$x > 0".into(), "[$x > 0]".into()));
        assert_eq!(of(Op::Exp)[1].0, "$r");
    }

    #[test]
    fn every_row_has_formulas_with_its_own_operands_only() {
        for &op in Op::ALL {
            let Some((value, partials)) = formulas(op) else { continue };
            assert_eq!(partials.len(), op.row().operands.len());
            for texts in partials.iter().chain([&value]) {
                for text in [&texts.text, &texts.latex] {
                    let mut rest = text.clone();
                    for name in op.row().operands {
                        rest = rest.replace(&format!("${name}"), "");
                    }
                    assert!(!rest.replace("$r", "").contains('$'), "{op:?}: {text}");
                    let count = |c| text.matches(c).count();
                    assert_eq!(count('('), count(')'), "{op:?}: {text}");
                    assert_eq!(count('{'), count('}'), "{op:?}: {text}");
                }
            }
        }
    }
}
