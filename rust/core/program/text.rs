//! A path as text: a Wengert list that reads like arithmetic.

use std::fmt::Write;

use super::graph::{Graph, Id, Kind, Question, Trace};
use super::paths::Paths;
use super::plan::{Asking, reached};
use super::recording::Test;
use crate::Op;

/// How deep a question's operands are written out.
const DEPTH: usize = 4;

/// Names of nodes: `v1`, `v2`, … for those that have a line of their own.
struct Names<'a> {
    graph: &'a Graph,
    inputs: &'a [String],
    parameters: &'a [String],
    lines: Vec<u32>,
}

impl Names<'_> {
    fn of(&self, id: Id) -> String {
        match self.graph.node(id).kind {
            Kind::Input(k) => given(self.inputs, k, "x"),
            Kind::Parameter(k) => given(self.parameters, k, "w"),
            Kind::Constant(bits) => number(f64::from_bits(bits)),
            _ => format!("v{}", self.lines[id as usize]),
        }
    }

    /// The operation of a node on these operands.
    fn operation(&self, id: Id, operands: &[String]) -> String {
        let Kind::Apply(op) = self.graph.node(id).kind else {
            return match operands {
                [x] => format!("detach({x})"),
                _ => self.of(id),
            };
        };
        match (op, operands) {
            (Op::Neg, [x]) => format!("-{x}"),
            (Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Pow, [x, y]) => {
                format!("{x} {} {y}", op.row().symbol)
            }
            _ => format!("{}({})", op.row().name, operands.join(", ")),
        }
    }

    /// The expression for a node, written out `depth` operations deep.
    fn expression(&self, id: Id, depth: usize) -> String {
        let node = self.graph.node(id);
        if node.operands().next().is_none() {
            return self.of(id);
        }
        if depth == 0 {
            return "…".into();
        }
        let operand = |x: Id| {
            let text = self.expression(x, depth - 1);
            let infix =
                |op| matches!(op, Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Pow | Op::Neg);
            match (node.kind, self.graph.node(x).kind) {
                (Kind::Apply(outer), Kind::Apply(inner)) if infix(outer) && infix(inner) => {
                    format!("({text})")
                }
                _ => text,
            }
        };
        let operands: Vec<String> = node.operands().map(operand).collect();
        self.operation(id, &operands)
    }

    /// The question as a condition. One that does not hold stays that very condition under a
    /// `not`, since no comparison holds where a number is nan.
    fn question(&self, question: &Question, holds: bool, depth: usize) -> String {
        let [a, b] = question
            .operands
            .map(|id| if depth == 0 { self.of(id) } else { self.expression(id, depth) });
        let condition = match question.test {
            // A number stands on the right, as people write it.
            Test::Less if self.constant(question.operands[0]) => format!("{b} > {a}"),
            Test::LessEqual if self.constant(question.operands[0]) => format!("{b} >= {a}"),
            Test::Less => format!("{a} < {b}"),
            Test::LessEqual => format!("{a} <= {b}"),
            Test::Equal => format!("{a} == {b}"),
            Test::Same => format!("{a} is {b}"),
        };
        if holds { condition } else { format!("not {condition}") }
    }

    fn constant(&self, id: Id) -> bool {
        matches!(self.graph.node(id).kind, Kind::Constant(_))
    }
}

fn given(names: &[String], k: u32, letter: &str) -> String {
    names.get(k as usize).cloned().unwrap_or_else(|| format!("{letter}{k}"))
}

/// As Python writes it.
fn number(x: f64) -> String {
    if x.is_finite() { format!("{x:?}") } else { x.to_string().to_lowercase() }
}

impl Paths {
    /// What a guard asks, be the answer yes or no, as a condition on inputs and captured values of
    /// these names.
    #[must_use]
    pub fn guard_text(&self, guard: &(Question, bool, u32), names: [&[String]; 2]) -> String {
        let [inputs, parameters] = names;
        let names = Names { graph: self.graph(), inputs, parameters, lines: Vec::new() };
        names.question(&guard.0, true, DEPTH)
    }

    /// The path as a Wengert list: a line for each node, then the guards and the results.
    #[must_use]
    pub fn text(&self, trace: &Trace, names: [&[String]; 2]) -> String {
        let graph = self.graph();
        let reached = reached(graph, trace, Asking::Guards);
        let [inputs, parameters] = names;
        let mut names = Names { graph, inputs, parameters, lines: vec![0; reached.len()] };
        let (mut text, mut lines) = (String::new(), 0);
        for (id, node) in graph.nodes().iter().enumerate() {
            if reached[id] && matches!(node.kind, Kind::Apply(_) | Kind::Detach) {
                lines += 1;
                names.lines[id] = lines;
                let operands: Vec<String> = node.operands().map(|x| names.of(x)).collect();
                let _ = writeln!(text, "v{lines} = {}", names.operation(id as Id, &operands));
            }
        }
        for (question, holds, place) in &trace.guards {
            let (file, line) = &self.places()[*place as usize];
            let condition = names.question(question, *holds, 0);
            let _ = writeln!(text, "guard {condition}  # {file}:{line}");
        }
        let outputs: Vec<String> = trace.outputs.iter().map(|&id| names.of(id)).collect();
        let _ = write!(text, "return {}", outputs.join(", "));
        text
    }

    /// Number of nodes that a path computes.
    #[must_use]
    pub fn size(&self, trace: &Trace) -> usize {
        let reached = reached(self.graph(), trace, Asking::Guards);
        let nodes = self.graph().nodes().iter().zip(reached);
        nodes.filter(|(n, r)| *r && matches!(n.kind, Kind::Apply(_) | Kind::Detach)).count()
    }
}
