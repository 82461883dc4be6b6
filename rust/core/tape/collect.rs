//! Garbage collection: cutting the dead end of the tape, compacting what is left.

use super::Tape;
use crate::Error;
use crate::kernel::{Index, NOBODY, Node, RUN, Step};

/// Below this number of nodes the tape is not compacted.
const FLOOR: usize = 1 << 13;

/// Below this capacity no memory is given back.
const KEPT: usize = 1 << 16;

/// So many times in a row must an emptied tape have been far below its capacity before memory is
/// given back: a loop of small and large steps in turn keeps its arrays.
const PATIENCE: u32 = 64;

impl Tape {
    /// The value that owned the node at `at` is gone.
    #[inline(always)]
    pub fn close(&mut self, at: Index) {
        self.tags[at as usize].set_owner(NOBODY);
        self.owned -= 1;
        if self.owned == 0 {
            self.clear();
        } else if at as usize + 1 == self.nodes.len() {
            self.pop();
        }
    }

    /// The value of the leaf in `slot` is gone, its data was `value`. Returns whether the slot can
    /// serve the next value at once; else the tape keeps it until no node can name it.
    #[inline(always)]
    pub fn retire(&mut self, slot: u32, value: f64) -> bool {
        if self.nodes.is_empty() && self.frozen == 0 {
            return true;
        }
        self.retired.push((slot, value));
        self.watch_stale();
        false
    }

    /// Notes that the leaf in `slot`, whose data was `before`, is assigned to: nodes recorded
    /// until now keep the value they were recorded with.
    pub fn assign(&mut self, slot: u32, before: f64) {
        if !self.nodes.is_empty() {
            self.settle_assigned();
            self.assigned.push((slot, self.nodes.len() as u32, before));
            self.shortest = self.nodes.len() as u32;
            self.watch_stale();
        }
    }

    /// Nodes from the shortest length on were recorded after the assignments that there are.
    fn settle_assigned(&mut self) {
        let late = self.assigned.iter_mut().rev();
        for (_, len, _) in late.take_while(|(_, len, _)| *len > self.shortest) {
            *len = self.shortest;
        }
    }

    /// What is kept for leaves that are gone or were assigned to is bounded as the nodes are:
    /// slots that no node names are given out again, and the next recording compacts.
    #[inline(always)]
    fn watch_stale(&mut self) {
        if self.retired.len() + self.assigned.len() > self.stale_limit && self.frozen == 0 {
            let (_, leaves) = self.mark();
            self.free_retired(&leaves);
            // Of several assignments between two recordings, the first tells what was recorded.
            let mut seen = std::collections::HashSet::new();
            self.assigned.retain(|&(slot, len, _)| seen.insert((slot, len)));
            self.stale_limit = FLOOR.max(2 * (self.retired.len() + self.assigned.len()));
            self.limit = 0;
        }
    }

    /// Frees the slots of dead leaves that are not among `leaves`.
    #[cold]
    fn free_retired(&mut self, leaves: &[bool]) {
        let free = &mut self.free;
        self.retired.retain(|&(slot, _)| {
            leaves[slot as usize] || {
                free.push(slot);
                false
            }
        });
    }

    /// No node is owned: the whole tape goes.
    #[inline(always)]
    pub(super) fn clear(&mut self) {
        let peak = self.nodes.len();
        self.nodes.clear();
        self.tags.clear();
        let more = self.runs.len() + self.retired.len() + self.assigned.len();
        if more > 0 || self.recalled.any() || self.nodes.capacity() > KEPT {
            self.clear_rest(peak);
        }
    }

    #[inline(never)]
    fn clear_rest(&mut self, peak: usize) {
        self.runs.clear();
        self.terms.at.clear();
        self.terms.number.clear();
        self.assigned.clear();
        self.free.extend(self.retired.drain(..).map(|(slot, _)| slot));
        self.recalled.cut(0);
        if self.nodes.capacity() > KEPT {
            self.give_back(peak);
        }
    }

    /// Gives memory back after a peak that does not come again.
    #[cold]
    fn give_back(&mut self, peak: usize) {
        self.idle = if peak * 4 < self.nodes.capacity() { self.idle + 1 } else { 0 };
        if self.idle < PATIENCE {
            return;
        }
        let room = KEPT.max(2 * peak);
        self.nodes.shrink_to(room);
        self.tags.shrink_to(room);
        self.runs.shrink_to(room);
        self.terms.at.shrink_to(room);
        self.terms.number.shrink_to(room);
        self.adjoints = Vec::new();
        (self.idle, self.limit) = (0, room);
    }

    /// Cuts the unowned nodes at the end of the tape, on which an owned one stands.
    #[inline(never)]
    pub(super) fn pop(&mut self) {
        if self.frozen > 0 {
            return;
        }
        while self.tags.last().is_some_and(|tag| tag.owner() == NOBODY) {
            self.tags.pop();
            if let Some(Node { at: [RUN, run], .. }) = self.nodes.pop() {
                self.pop_run(run as usize);
            }
        }
        self.shortest = self.shortest.min(self.nodes.len() as u32);
        self.recalled.cut(self.nodes.len());
    }

    fn pop_run(&mut self, run: usize) {
        let first = self.runs[run].first as usize;
        self.terms.at.truncate(first);
        self.terms.number.truncate(first);
        self.runs.truncate(run);
    }

    /// Makes room for `nodes` more nodes and `terms` more terms, by compacting when that is due.
    /// Returns whether nodes moved: then every owner of a node must be told its new place.
    ///
    /// # Errors
    /// [`Error::TapeFull`] where the indices do not suffice; nothing has changed then.
    pub fn make_room(&mut self, nodes: usize, terms: usize) -> Result<bool, Error> {
        let most = Index::MAX as usize;
        if nodes > most || terms > most {
            return Err(Error::TapeFull);
        }
        let due =
            self.nodes.len() + nodes > self.limit || self.terms.at.len() + terms > self.terms_limit;
        let moved = due && self.frozen == 0 && self.compact(most - nodes, most - terms)?;
        if self.nodes.len() + nodes > most || self.terms.at.len() + terms > most {
            return Err(Error::TapeFull); // not due, so nothing has moved
        }
        if due {
            let limit =
                |floor: usize, len: usize, more| floor.max(2 * len).max(len + more).min(most);
            self.limit = limit(FLOOR, self.nodes.len(), nodes);
            self.terms_limit = limit(16 * FLOOR, self.terms.at.len(), terms);
            self.stale_limit = FLOOR.max(2 * (self.retired.len() + self.assigned.len()));
        }
        Ok(moved)
    }

    /// Slides the nodes that a live value reaches together, unless more than so many nodes and
    /// terms would be left. Returns whether any moved.
    fn compact(&mut self, nodes: usize, terms: usize) -> Result<bool, Error> {
        let (alive, leaves) = self.mark();
        let (left, terms_left) = self.left(&alive);
        if left > nodes || terms_left > terms {
            return Err(Error::TapeFull);
        }
        self.free_retired(&leaves);
        self.settle_assigned();
        let moves = !alive.iter().all(|&alive| alive);
        let moved = if moves { self.slide(&alive) } else { (0..alive.len() as Index).collect() };
        self.forget(&moved);
        if moves {
            let sweep = self.recalled.last_sweep();
            let mut watch = self.recalled.watch.take();
            self.recalled.cut(0);
            if let Some(watch) = &mut watch {
                watch.slide(&moved);
                self.recalled.end = self.nodes.len();
            }
            self.recalled.watch = watch;
            if let Some((root, seed)) = sweep.filter(|&(root, _)| moved[root as usize] >= 0) {
                self.recalled.swept(moved[root as usize], seed);
            }
        }
        Ok(moves)
    }

    /// How many nodes and terms are left of those that are alive.
    fn left(&self, alive: &[bool]) -> (usize, usize) {
        let (mut nodes, mut terms, mut shared) = (0, 0, (0, u32::MAX));
        for (node, _) in self.nodes.iter().zip(alive).filter(|(_, alive)| **alive) {
            nodes += 1;
            if node.at[0] == RUN {
                let run = &self.runs[node.at[1] as usize];
                let inputs = usize::from(shared != (run.start, run.len));
                shared = (run.start, run.len);
                terms += run.len as usize * (inputs + usize::from(run.bias != RUN));
            }
        }
        (nodes, terms)
    }

    /// Which nodes, and which slots' leaves, a live value reaches.
    fn mark(&self) -> (Vec<bool>, Vec<bool>) {
        let mut alive: Vec<bool> = self.owners().map(|owner| owner != NOBODY).collect();
        let mut leaves = vec![false; self.grads.len()];
        for i in (0..self.nodes.len()).rev() {
            if alive[i] {
                self.each_operand(i, |at| {
                    if at < 0 {
                        leaves[!at as usize] = true;
                    } else {
                        alive[at as usize] = true;
                    }
                });
            }
        }
        (alive, leaves)
    }

    /// Moves the nodes that are alive down, and their runs; the nodes' new places.
    fn slide(&mut self, alive: &[bool]) -> Vec<Index> {
        let mut moved = vec![-1; alive.len()]; // −1: gone
        let (mut to, mut runs, mut terms) = (0, 0, 0);
        // A layer's nodes share the range of their inputs: where the last one was moved to.
        let (mut shared, mut start) = ((0, u32::MAX), 0);
        for from in 0..alive.len() {
            if !alive[from] {
                continue;
            }
            let place = |at: Index| if at < 0 { at } else { moved[at as usize] };
            let mut node = self.nodes[from];
            if node.at[0] == RUN {
                let mut run = self.runs[node.at[1] as usize];
                run.first = terms as u32;
                if run.bias != RUN {
                    run.bias = place(run.bias);
                }
                if shared != (run.start, run.len) {
                    (shared, start) = ((run.start, run.len), terms as u32);
                    terms = self.move_terms(run.start, run.len, terms, &moved);
                }
                run.start = start;
                run.step = self.step(start, run.len);
                if run.bias != RUN {
                    let weights = terms as u32;
                    terms = self.move_terms(run.weights, run.len, terms, &moved);
                    run.weights = weights;
                    run.weight_step = self.step(weights, run.len);
                }
                self.runs[runs] = run;
                node.at[1] = runs as Index;
                runs += 1;
            } else {
                let own = |at: Index| {
                    if at == from as Index { to as Index } else { place(at) }
                };
                node.at = node.at.map(own);
            }
            self.nodes[to] = node;
            self.tags[to] = self.tags[from];
            moved[from] = to as Index;
            to += 1;
        }
        self.nodes.truncate(to);
        self.tags.truncate(to);
        self.runs.truncate(runs);
        self.terms.at.truncate(terms);
        self.terms.number.truncate(terms);
        moved
    }

    /// Moves `len` terms from `start` down to `to`; the end of the moved ones.
    fn move_terms(&mut self, start: u32, len: u32, to: usize, moved: &[Index]) -> usize {
        let range = start as usize..(start + len) as usize;
        self.terms.number.copy_within(range.clone(), to);
        for (from, to) in range.zip(to..) {
            let at = self.terms.at[from];
            self.terms.at[to] = if at < 0 { at } else { moved[at as usize] };
        }
        to + len as usize
    }

    /// How the places of these terms follow each other.
    fn step(&self, start: u32, len: u32) -> Step {
        Step::of(self.terms.at[start as usize..(start + len) as usize].iter().copied())
    }

    /// Keeps of the leaves' earlier data what the nodes that are left were recorded with.
    fn forget(&mut self, moved: &[Index]) {
        // A node that is gone stands for the next one alive.
        let mut next = self.nodes.len() as Index;
        let mut places = vec![next; moved.len() + 1];
        for i in (0..moved.len()).rev() {
            next = if moved[i] < 0 { next } else { moved[i] };
            places[i] = next;
        }
        let mut kept: Vec<(u32, u32, f64)> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for &(slot, len, value) in &self.assigned {
            let len = places[(len as usize).min(moved.len())] as u32;
            if len > 0 && seen.insert((slot, len)) {
                kept.push((slot, len, value));
            }
        }
        self.assigned = kept;
        self.shortest = self.nodes.len() as u32;
    }
}
