//! Recording: appending nodes.

use super::recall::Recorded;
use super::{Operand, Tape};
use crate::Error;
use crate::elementary::{exp, log};
use crate::kernel::{Index, NOBODY, Node, RUN, Run, SINK, Step, Tag};
use crate::op::{Op, Rule};

/// Marks a run without activation.
pub(super) const NO_ACTIVATION: u8 = u8::MAX;

/// A dense layer: `outputs` neurons that share their inputs. The parameters stand neuron by
/// neuron, weights before the bias.
#[derive(Clone, Copy, Debug)]
pub struct Layer<'a> {
    /// The inputs.
    pub inputs: &'a [Operand],
    /// Weights and bias of each neuron, `inputs.len() + 1` operands each.
    pub parameters: &'a [Operand],
    /// Applied to each neuron's sum; `None` for the identity.
    pub activation: Option<Op>,
}

impl Tape {
    /// Whether the tape has room for one node. Where it has not, call
    /// [`make_room`](Tape::make_room) before looking up any operand's place.
    #[inline(always)]
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.nodes.len() < self.limit
    }

    /// Records a row of one operand. The node belongs to `slot`.
    #[inline(always)]
    pub fn record1<R: Rule<1>>(&mut self, x: Operand, slot: u32) -> (Index, f64) {
        let value = R::value([x.value]);
        let [p] = R::partials([x.value], value);
        (self.push(R::OP, [x.at, self.here()], [p, 0.0], slot), value)
    }

    /// Records a row of two operands, neither of them a constant.
    #[inline(always)]
    pub fn record2<R: Rule<2>>(&mut self, x: Operand, y: Operand, slot: u32) -> (Index, f64) {
        let value = R::value([x.value, y.value]);
        let p = R::partials([x.value, y.value], value);
        (self.push(R::OP, [x.at, y.at], p, slot), value)
    }

    /// Records a row whose second operand is a constant.
    #[inline(always)]
    pub fn record2_by<R: Rule<2>>(&mut self, x: Operand, y: f64, slot: u32) -> (Index, f64) {
        let value = R::value([x.value, y]);
        let [p, _] = R::partials([x.value, y], value);
        (self.push(R::OP, [x.at, self.here()], [p, y], slot), value)
    }

    /// Records a row whose first operand is a constant.
    #[inline(always)]
    pub fn record2_of<R: Rule<2>>(&mut self, x: f64, y: Operand, slot: u32) -> (Index, f64) {
        let value = R::value([x, y.value]);
        let [_, p] = R::partials([x, y.value], value);
        (self.push(R::OP, [self.here(), y.at], [x, p], slot), value)
    }

    /// Records a row of three operands, constants among them.
    pub fn record3<R: Rule<3>>(&mut self, x: [Operand; 3], slot: u32) -> (Index, f64) {
        let at = x.map(|x| x.value);
        let value = R::value(at);
        let partials = R::partials(at, value);
        (self.push_run(R::OP, &x, &partials, slot), value)
    }

    /// Records the sum of the operands: one node.
    pub fn sum(&mut self, x: &[Operand], slot: u32) -> (Index, f64) {
        let at = self.push_run(Op::Sum, x, &vec![1.0; x.len()], slot);
        (at, total(x))
    }

    /// Records `log(sum(exp(x)))`: one node.
    ///
    /// # Errors
    /// [`Error::Empty`] without operands.
    pub fn logsumexp(&mut self, x: &[Operand], slot: u32) -> Result<(Index, f64), Error> {
        if x.is_empty() {
            return Err(Error::Empty);
        }
        let (value, partials) = logsumexp(x);
        Ok((self.push_run(Op::Logsumexp, x, &partials, slot), value))
    }

    /// Records `sum(x[i] * w[i])`: one node.
    ///
    /// # Errors
    /// [`Error::Lengths`] where the runs differ in length.
    pub fn dot(&mut self, x: &[Operand], w: &[Operand], slot: u32) -> Result<(Index, f64), Error> {
        if x.len() != w.len() {
            return Err(Error::Lengths { first: x.len(), second: w.len() });
        }
        let start = self.push_terms(x);
        let shared = (start, Step::of(x.iter().map(|x| x.at)));
        Ok(self.push_neuron(Op::Dot, start, shared, x, w, Operand::constant(0.0), None, slot))
    }

    /// Records a dense layer, one node a neuron; `slots` owns them. Appends places and values of
    /// the outputs to `outputs`.
    ///
    /// # Errors
    /// [`Error::Lengths`] where the parameters do not fill `slots.len()` neurons.
    pub fn layer(
        &mut self,
        layer: Layer<'_>,
        slots: &[u32],
        outputs: &mut Vec<(Index, f64)>,
    ) -> Result<(), Error> {
        let Layer { inputs, parameters, activation } = layer;
        let width = inputs.len() + 1;
        if parameters.len() != width * slots.len() {
            return Err(Error::Lengths { first: width * slots.len(), second: parameters.len() });
        }
        let first = self.terms.at.len() as u32;
        let shared = (self.push_terms(inputs), Step::of(inputs.iter().map(|x| x.at)));
        for (i, (&slot, neuron)) in slots.iter().zip(parameters.chunks_exact(width)).enumerate() {
            let own = if i == 0 { first } else { self.terms.at.len() as u32 };
            let (weights, bias) = neuron.split_at(width - 1);
            outputs.push(self.push_neuron(
                Op::Affine,
                own,
                shared,
                inputs,
                weights,
                bias[0],
                activation,
                slot,
            ));
        }
        // `push` counted every node as owned.
        self.owned -= slots.iter().filter(|&&slot| slot == NOBODY).count();
        Ok(())
    }

    /// The place of the next node, which it gives to operands that are constants.
    #[inline(always)]
    fn here(&self) -> Index {
        self.nodes.len() as Index
    }

    #[inline(always)]
    fn push(&mut self, op: Op, at: [Index; 2], partial: [f64; 2], slot: u32) -> Index {
        let place = self.here();
        self.nodes.push(Node { at, partial });
        self.tags.push(Tag::new(op, slot));
        self.owned += 1;
        place
    }

    /// Appends the operands to the terms; their place there.
    fn push_terms(&mut self, x: &[Operand]) -> u32 {
        let start = self.terms.at.len() as u32;
        self.terms.at.extend(x.iter().map(|x| x.at));
        self.terms.number.extend(x.iter().map(|x| x.value));
        start
    }

    /// A node whose operands stand in the terms with their partial derivatives.
    fn push_run(&mut self, op: Op, x: &[Operand], partials: &[f64], slot: u32) -> Index {
        let start = self.terms.at.len() as u32;
        self.terms.at.extend(x.iter().map(|x| x.at));
        let number = |(x, &p): (&Operand, &f64)| if x.at == SINK { x.value } else { p };
        self.terms.number.extend(x.iter().zip(partials).map(number));
        let len = x.len() as u32;
        let run = Run {
            first: start,
            start,
            len,
            weights: 0,
            bias: RUN,
            activation: NO_ACTIVATION,
            step: Step::Any,
            weight_step: Step::Any,
        };
        self.runs.push(run);
        self.push(op, [RUN, self.runs.len() as Index - 1], [1.0, 0.0], slot)
    }

    /// A node as it was told by a look back.
    pub(super) fn append(&mut self, node: &Recorded) -> Index {
        let Recorded { op, activation, ref operands } = *node;
        if let [(a, p), ref rest @ ..] = operands[..]
            && matches!(op.row().operands.len(), 1 | 2)
        {
            let (b, q) = rest.first().copied().unwrap_or((SINK, 0.0));
            let place = |at| if at == SINK { self.here() } else { at };
            return self.push(op, [place(a), place(b)], [p, q], NOBODY);
        }
        let x: Vec<Operand> =
            operands.iter().map(|&(at, number)| Operand::new(at, number)).collect();
        let partials: Vec<f64> = operands.iter().map(|operand| operand.1).collect();
        let place = self.push_run(op, &x, &partials, NOBODY);
        if let Some(run) = self.runs.last_mut() {
            run.activation = activation.map_or(NO_ACTIVATION, |op| op as u8);
        }
        place
    }

    /// A node `activation(x · w + bias)`, where `x` already stands in the terms.
    #[expect(
        clippy::too_many_arguments,
        reason = "the two callers pass a neuron's parts as they have them"
    )]
    #[inline(always)]
    fn push_neuron(
        &mut self,
        op: Op,
        first: u32,
        (start, step): (u32, Step),
        x: &[Operand],
        w: &[Operand],
        bias: Operand,
        activation: Option<Op>,
        slot: u32,
    ) -> (Index, f64) {
        let weights = self.push_terms(w);
        let sum = affine(x.iter().map(|x| x.value), w.iter().map(|w| w.value), bias.value);
        let (value, partial) = activate(activation, sum);
        let len = x.len() as u32;
        let activation = activation.map_or(NO_ACTIVATION, |op| op as u8);
        let weight_step = Step::of(w.iter().map(|w| w.at));
        self.runs.push(Run {
            first,
            start,
            len,
            weights,
            bias: bias.at,
            activation,
            step,
            weight_step,
        });
        let at = [RUN, self.runs.len() as Index - 1];
        (self.push(op, at, [partial, bias.value], slot), value)
    }
}

/// The sum of the operands, from the first to the last.
pub(super) fn total(x: &[Operand]) -> f64 {
    x.iter().fold(0.0, |sum, x| sum + x.value)
}

/// `x · w + bias`, from the first product to the last, then the bias.
pub(super) fn affine(x: impl Iterator<Item = f64>, w: impl Iterator<Item = f64>, bias: f64) -> f64 {
    x.zip(w).fold(0.0, |sum, (x, w)| sum + x * w) + bias
}

/// The activation's value and derivative.
pub(super) fn activate(activation: Option<Op>, sum: f64) -> (f64, f64) {
    let Some(op) = activation else {
        return (sum, 1.0);
    };
    op.value_and_slope(sum)
}

/// `log(sum(exp(x)))` and its partial derivatives, the softmax. A program takes these very steps,
/// each from the first operand to the last:
///
/// 1. `top`, from -inf, becomes `x[i]` where `x[i] > top`; `shift` is `top`, or 0 where that is not
///    finite,
/// 2. `e[i] = exp(x[i] - shift)`; `sum`, from 0, grows by `e[i]`,
/// 3. the value is `shift + log(sum)`, the partial derivatives are `e[i] / sum`.
pub(super) fn logsumexp(x: &[Operand]) -> (f64, Vec<f64>) {
    let larger = |top, x: &Operand| if x.value > top { x.value } else { top };
    let top = x.iter().fold(f64::NEG_INFINITY, larger);
    let shift = if top.is_finite() { top } else { 0.0 };
    let mut exps: Vec<f64> = x.iter().map(|x| exp(x.value - shift)).collect();
    let sum = exps.iter().fold(0.0, |sum, e| sum + e);
    for e in &mut exps {
        *e /= sum;
    }
    (shift + log(sum), exps)
}
