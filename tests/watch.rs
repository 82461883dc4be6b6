//! A watched tape: lines of its nodes and the first bad value, however it is cut and compacted.

use gradtape::kernel::{Index, NOBODY};
use gradtape::tape::{NO_LINE, leaf};
use gradtape::{Operand, Tape, rule};
use proptest::prelude::*;

/// A value that is alive: slot, place, data and the line that recorded it.
#[derive(Clone, Copy)]
struct Alive {
    slot: u32,
    at: Index,
    data: f64,
    line: u32,
}

struct World {
    tape: Tape,
    start: Operand,
    alive: Vec<Alive>,
}

impl World {
    fn new() -> World {
        let mut tape = Tape::new();
        let slot = tape.open().expect("slot");
        World { tape, start: Operand::new(leaf(slot), 0.5), alive: Vec::new() }
    }

    /// Records the logarithm of a value, or half of it: soon a logarithm of a negative number.
    fn record(&mut self, pick: usize, logarithm: bool, line: u32) -> f64 {
        self.room();
        let picked = self.alive.get(pick % (self.alive.len() + 1));
        let x = picked.map_or(self.start, |value| Operand::new(value.at, value.data));
        let slot = self.tape.open().expect("slot");
        let (at, data) = if logarithm {
            self.tape.record1::<rule::Log>(x, slot)
        } else {
            self.tape.record2_by::<rule::Mul>(x, 0.5, slot)
        };
        self.alive.push(Alive { slot, at, data, line });
        data
    }

    /// Makes room, and tells the values where their nodes have moved.
    fn room(&mut self) {
        if self.tape.make_room(1, 0).expect("room") {
            for (at, slot) in self.tape.owners().enumerate().filter(|&(_, slot)| slot != NOBODY) {
                let value = self.alive.iter_mut().find(|value| value.slot == slot);
                value.expect("an owner is alive").at = at as Index;
            }
        }
    }

    fn drop(&mut self, pick: usize) {
        if !self.alive.is_empty() {
            let value = self.alive.swap_remove(pick % self.alive.len());
            self.tape.close(value.at);
            self.tape.release(value.slot);
        }
    }

    /// What the binding does after a line.
    fn end_line(&mut self, line: u32) -> Option<Index> {
        let bad = self.tape.inspect(line, |_| 0.5);
        self.tape.thaw();
        if self.tape.overgrown() {
            self.room();
        }
        self.tape.freeze();
        bad
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn lines_follow_their_nodes(
        steps in prop::collection::vec((any::<u16>(), any::<bool>(), any::<bool>()), 1..200),
        before in 0_usize..5,
        repeat in prop_oneof![9 => Just(1_usize), 1 => Just(60)],
    ) {
        let mut world = World::new();
        for i in 0..before {
            world.record(i, false, NO_LINE);
        }
        world.tape.watch();
        prop_assert_eq!(world.end_line(NO_LINE), None);
        let mut line = 0;
        for _ in 0..repeat {
            for &(pick, logarithm, dropped) in &steps {
                let length = world.tape.len();
                let finite = world.record(pick.into(), logarithm, line).is_finite();
                let second = world.record(pick.into(), false, line).is_finite();
                if dropped {
                    world.drop(usize::from(pick) / 3);
                    world.drop(usize::from(pick) / 7);
                }
                let bad = if finite { (!second).then_some(1) } else { Some(0) };
                let want = bad.map(|n: usize| (length + n) as Index);
                prop_assert_eq!(world.end_line(line), want);
                line += 1;
            }
            for value in &world.alive {
                prop_assert_eq!(world.tape.line(value.at), value.line);
            }
            prop_assert_eq!(world.end_line(line), None, "nothing new");
        }
        world.tape.unwatch();
        prop_assert!(world.alive.iter().all(|value| world.tape.line(value.at) == NO_LINE));
    }
}

#[test]
fn a_long_tape_of_dead_nodes_is_compacted_while_it_is_watched() {
    let mut world = World::new();
    world.tape.watch();
    let mut longest = 0;
    for line in 0..100_000 {
        let of_the_leaf = world.alive.len();
        world.record(of_the_leaf, false, line);
        if world.alive.len() > 2 {
            world.drop(0); // never the last, so nothing is cut
        }
        world.end_line(line);
        longest = longest.max(world.tape.len());
    }
    assert!(longest < 20_000, "{longest} nodes");
    for value in &world.alive {
        assert_eq!(world.tape.line(value.at), value.line);
    }
}
