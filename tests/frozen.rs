//! A frozen tape keeps what it has, whoever dies; thawed, it is as if it had never been frozen.

mod program;

use gradtape::kernel::{Index, SINK};
use gradtape::tape::{Recorded, leaf};
use gradtape::{Operand, Tape, rule};
use program::{Program, Recording, program};
use proptest::prelude::*;

/// All nodes, as they are told to people.
fn nodes(tape: &Tape) -> Vec<Recorded> {
    (0..tape.len()).map(|i| tape.recorded(i as Index)).collect()
}

/// Closes every node whose turn it is.
fn close(recording: &mut Recording, program: &Program, deaths: &[bool]) {
    let leaves = program.leaves.len();
    for (at, &dies) in recording.places[leaves..].iter().copied().zip(deaths.iter().cycle()) {
        if dies {
            recording.tape.close(at);
        }
    }
}

proptest! {
    #[test]
    fn nothing_goes_while_frozen(
        program in program(),
        deaths in prop::collection::vec(any::<bool>(), 1..8),
    ) {
        let (mut still, mut free) = (program.record(), program.record());
        let before = nodes(&still.tape);
        still.tape.freeze();
        still.tape.freeze();
        close(&mut still, &program, &deaths);
        close(&mut free, &program, &deaths);
        for _ in 0..2 {
            prop_assert_eq!(nodes(&still.tape), before.clone());
            prop_assert!(!still.tape.make_room(1 << 20, 1 << 20).expect("room"));
            prop_assert_eq!(nodes(&still.tape), before.clone());
            still.tape.thaw();
        }
        prop_assert_eq!(nodes(&still.tape), nodes(&free.tape));
        prop_assert!(still.tape.owners().eq(free.tape.owners()));
    }

    #[test]
    fn visiting_tells_what_is_recorded(program in program()) {
        let recording = program.record();
        for i in 0..recording.tape.len() {
            let mut visited = Vec::new();
            let (op, activation) = recording.tape.visit(i as Index, |at, number| {
                visited.push((at, if at == SINK { number } else { 0.0 }));
            });
            let told = recording.tape.recorded(i as Index);
            let operands = told.operands.iter();
            let operands: Vec<_> =
                operands.map(|&(at, x)| (at, if at == SINK { x } else { 0.0 })).collect();
            prop_assert_eq!((op, activation, visited), (told.op, told.activation, operands));
        }
    }

    #[test]
    fn restored_nodes_are_visited_as_they_were(program in program()) {
        let mut recording = program.record();
        let tape = &mut recording.tape;
        let originals = nodes(tape);
        for node in &originals {
            let slot = tape.open().expect("slot");
            let copy = tape.restore(node, slot);
            let mut visited = Vec::new();
            let found = tape.visit(copy, |at, _| visited.push(at));
            prop_assert_eq!(found, (node.op, node.activation));
            prop_assert!(visited.into_iter().eq(node.operands.iter().map(|operand| operand.0)));
        }
    }
}

#[test]
fn slots_of_dead_leaves_wait_for_the_thaw() {
    for nodes in 0..2 {
        let mut tape = Tape::new();
        let slots = [tape.open().expect("slot"), tape.open().expect("slot")];
        if nodes > 0 {
            tape.make_room(1, 0).expect("room");
            tape.record1::<rule::Exp>(Operand::new(leaf(slots[0]), 1.0), slots[1]);
        }
        tape.freeze();
        let dead = tape.open().expect("slot");
        assert!(!tape.retire(dead, 1.0), "not at once");
        let next = tape.open().expect("slot");
        assert!(next != dead && next as usize == tape.slots() - 1);
        tape.thaw();
        if nodes > 0 {
            tape.close(0);
        }
        assert_eq!(tape.open().expect("slot"), dead);
    }
}

#[test]
fn many_dead_leaves_wait_too() {
    let mut tape = Tape::new();
    let owner = tape.open().expect("slot");
    let operand = Operand::new(leaf(tape.open().expect("slot")), 1.0);
    tape.make_room(1, 0).expect("room");
    tape.record1::<rule::Exp>(operand, owner);
    tape.freeze();
    let mut seen = std::collections::HashSet::new();
    for _ in 0..100_000 {
        let slot = tape.open().expect("slot");
        assert!(seen.insert(slot));
        tape.retire(slot, 1.0);
    }
    tape.thaw();
    tape.close(0);
    assert!(tape.is_empty());
    assert!(seen.contains(&tape.open().expect("slot")));
}
