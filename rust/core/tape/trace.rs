//! Holding still: while a function is recorded, every node stays where it is, so that a place names
//! the same node until the recording has been read off.

use super::Tape;
use super::record::NO_ACTIVATION;
use crate::kernel::{Index, RUN, SINK};
use crate::op::Op;

/// Number of operands of each operation; 0 for those of any arity.
const ARITIES: [u8; Op::ALL.len()] = {
    let mut all = [0; Op::ALL.len()];
    let mut i = 0;
    while i < all.len() {
        all[i] = Op::ALL[i].row().operands.len() as u8;
        i += 1;
    }
    all
};

impl Tape {
    /// Keeps every node in its place, dead ones too, and every slot of a leaf from being given out
    /// again, until [`thaw`](Tape::thaw) has been called as often.
    pub fn freeze(&mut self) {
        self.frozen += 1;
        self.owned += 1; // as if a node had an owner, so that `close` has nothing more to ask
    }

    /// Ends what [`freeze`](Tape::freeze) began: the dead end of the tape is cut.
    pub fn thaw(&mut self) {
        self.frozen -= 1;
        self.owned -= 1;
        if self.owned == 0 {
            self.clear();
        } else {
            self.pop();
        }
    }

    /// Number of slots, those without a value among them.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.grads.len()
    }

    /// Calls `f` with the operands of the node at `at` in their order, as
    /// [`recorded`](Tape::recorded) has them, and returns the operation and an affine node's
    /// activation. `f` is told a place; where that is [`SINK`], also the constant.
    #[inline]
    pub fn visit(&self, at: Index, mut f: impl FnMut(Index, f64)) -> (Op, Option<Op>) {
        let node = &self.nodes[at as usize];
        let op = self.tags[at as usize].op();
        if node.at[0] != RUN {
            let operands = node.at.iter().zip(node.partial).take(ARITIES[op as usize].into());
            operands.for_each(|(&x, number)| f(if x == at { SINK } else { x }, number));
            return (op, None);
        }
        let run = &self.runs[node.at[1] as usize];
        let mut terms = |start: u32| {
            let range = start as usize..(start + run.len) as usize;
            let numbers = &self.terms.number[range.clone()];
            self.terms.at[range].iter().zip(numbers).for_each(|(&x, &number)| f(x, number));
        };
        terms(run.start);
        if run.bias != RUN {
            terms(run.weights);
            if op == Op::Affine {
                f(run.bias, node.partial[1]);
            }
        }
        let activation =
            (run.activation != NO_ACTIVATION).then(|| Op::ALL[run.activation as usize]);
        (op, activation)
    }
}
