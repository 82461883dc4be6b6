//! From nodes to steps: what a recording's results and guards reach, in the order of the tape.

use std::collections::HashMap;
use std::mem::{Discriminant, discriminant};

use gradtape::Tape;
use gradtape::kernel::{Index, SINK};
use gradtape::program::{Action, Guard, Recording, Source};
use pyo3::prelude::*;

use super::{Base, Origin, Tracer};
use crate::graph::value_at;
use crate::state::enter_idle;

/// No number yet, or none at all.
const NONE: u32 = u32::MAX;

/// What a leaf is, as far as it has been looked up.
#[derive(Clone, Copy)]
enum Leaf {
    Made(Origin),
    /// Its number among the captured places.
    Captured(u32),
}

struct Unroller<'a> {
    tracer: &'a Tracer,
    /// The step of each node from the start on, where it is reached.
    steps: Vec<u32>,
    reached: Vec<bool>,
    /// By slot: 1 + the leaf's place in `leaves`, or 0. Asking a map for each operand would cost
    /// more than the rest; pages of zeros cost nothing until they are touched.
    places: Vec<u32>,
    leaves: Vec<Leaf>,
    /// Captured nodes, by their numbers among the captured places.
    nodes: HashMap<Index, u32>,
    /// The captured places in the order in which they were met.
    captured: Vec<Index>,
    /// The parameters that they are.
    parameters: Vec<Source>,
    /// Steps that cut the derivative off, by what they cut it off from.
    detached: HashMap<(Discriminant<Source>, u32), Source>,
    recording: Recording,
}

/// What `tracer` recorded; the tape is frozen still.
pub(super) fn unroll(
    py: Python<'_>,
    tracer: &mut Tracer,
    inputs: usize,
    outputs: &[Origin],
) -> PyResult<Recording> {
    let mut captured = std::mem::take(&mut tracer.captured);
    let places = std::mem::take(&mut tracer.guards.places);
    let guards = &tracer.guards.asked;
    let state = enter_idle();
    let count = state.tape.len() - tracer.start as usize;
    let mut unroller = Unroller {
        tracer,
        steps: vec![NONE; count],
        reached: vec![false; count],
        places: vec![0; state.tape.slots()],
        leaves: Vec::new(),
        nodes: HashMap::new(),
        captured: Vec::new(),
        parameters: Vec::new(),
        detached: HashMap::new(),
        recording: Recording { inputs: inputs as u32, places, ..Recording::default() },
    };
    unroller.mark(&state.tape, outputs.iter().chain(guards.iter().flat_map(|g| &g.operands)));
    unroller.collect(&state.tape);
    drop(state); // a captured value may have to be made again, which calls Python
    for &at in &unroller.captured {
        unroller.parameters.push(captured.source(&value_at(py, at)?));
    }
    unroller.emit(&enter_idle().tape);
    for guard in guards {
        let operands = guard.operands.map(|origin| unroller.base(origin.base));
        let (test, holds, place) = (guard.test, guard.holds, guard.place);
        unroller.recording.guards.push(Guard { test, operands, holds, place });
    }
    for &output in outputs {
        let source = unroller.source(output);
        unroller.recording.outputs.push(source);
    }
    let recording = unroller.recording;
    tracer.captured = captured;
    Ok(recording)
}

impl Unroller<'_> {
    fn index(&self, at: Index) -> usize {
        (at - self.tracer.start) as usize
    }

    fn place(&self, i: usize) -> Index {
        self.tracer.start + i as Index
    }

    /// Marks the nodes that `roots` reach.
    fn mark<'a>(&mut self, tape: &Tape, roots: impl Iterator<Item = &'a Origin>) {
        for root in roots {
            self.reach(root.base);
        }
        for i in (0..self.reached.len()).rev() {
            if self.reached[i] {
                tape.visit(self.place(i), |at, _| {
                    if at >= self.tracer.start {
                        self.reach(Base::Node(at));
                    } else if at < SINK
                        && let Leaf::Made(origin) = self.leaf(at, i)
                    {
                        self.reach(origin.base);
                    }
                });
            }
        }
    }

    fn reach(&mut self, base: Base) {
        if let Base::Node(at) = base {
            let i = self.index(at);
            self.reached[i] = true;
        }
    }

    /// The leaf at `at` as it was for node `i`.
    fn leaf(&mut self, at: Index, i: usize) -> Leaf {
        let slot = !at as u32;
        if let Some(place) = self.places[slot as usize].checked_sub(1) {
            return self.leaves[place as usize];
        }
        let origin = self.tracer.leaf(slot, self.place(i));
        let leaf = origin.map_or(Leaf::Captured(NONE), Leaf::Made);
        // One that was assigned to is not the same for every node.
        if !self.tracer.earlier.contains_key(&slot) {
            self.leaves.push(leaf);
            self.places[slot as usize] = self.leaves.len() as u32;
        }
        leaf
    }

    /// Numbers the captured places.
    fn collect(&mut self, tape: &Tape) {
        let (mut steps, mut operands) = (0, 0);
        for i in 0..self.reached.len() {
            if !self.reached[i] {
                continue;
            }
            steps += 1;
            tape.visit(self.place(i), |at, _| {
                operands += 1;
                let next = self.captured.len() as u32;
                if at < SINK {
                    if let Leaf::Captured(NONE) = self.leaf(at, i) {
                        let place = self.places[!at as usize] as usize - 1;
                        self.leaves[place] = Leaf::Captured(next);
                        self.captured.push(at);
                    }
                } else if at >= 0
                    && at < self.tracer.start
                    && let std::collections::hash_map::Entry::Vacant(entry) = self.nodes.entry(at)
                {
                    entry.insert(next);
                    self.captured.push(at);
                }
            });
        }
        self.recording.steps.reserve(steps);
        self.recording.operands.reserve(operands);
    }

    /// Appends a step for every node that is reached.
    fn emit(&mut self, tape: &Tape) {
        let mut operands = Vec::new();
        for i in 0..self.reached.len() {
            if !self.reached[i] {
                continue;
            }
            operands.clear();
            let (op, activation) = tape.visit(self.place(i), |at, number| {
                operands.push(self.operand(at, number, i));
            });
            self.steps[i] = self.recording.steps.len() as u32;
            self.recording.push(Action::Apply(op, activation), operands.iter().copied());
        }
    }

    /// The operand of node `i` that stands at `at`; a constant there is `number`.
    fn operand(&mut self, at: Index, number: f64, i: usize) -> Source {
        if at >= self.tracer.start {
            return self.base(Base::Node(at));
        }
        match at {
            SINK => Source::Constant(number),
            0.. => self.parameters[self.nodes[&at] as usize],
            _ => match self.leaf(at, i) {
                Leaf::Made(origin) => self.source(origin),
                Leaf::Captured(number) => self.parameters[number as usize],
            },
        }
    }

    fn base(&self, base: Base) -> Source {
        match base {
            Base::Source(source) => source,
            Base::Node(at) => Source::Step(self.steps[self.index(at)]),
        }
    }

    fn source(&mut self, origin: Origin) -> Source {
        let source = self.base(origin.base);
        let (Source::Input(k) | Source::Parameter(k) | Source::Step(k)) = source else {
            return source;
        };
        if !origin.detached {
            return source;
        }
        let recording = &mut self.recording;
        let cut = || recording.push(Action::Detach, [source]);
        *self.detached.entry((discriminant(&source), k)).or_insert_with(cut)
    }
}
