//! Memory after a peak. Alone in its binary, since it counts every allocation.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use gradtape::tape::leaf;
use gradtape::{Operand, Tape, rule};

struct Counter;

static BYTES: AtomicUsize = AtomicUsize::new(0);

// SAFETY: passes everything on to the system's allocator.
unsafe impl GlobalAlloc for Counter {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BYTES.fetch_add(layout.size(), Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        BYTES.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static COUNTER: Counter = Counter;

/// One test at a time: they count the same bytes.
static TURN: Mutex<()> = Mutex::new(());

/// A chain of so many nodes, of which only the last is owned; swept and dropped.
fn step(tape: &mut Tape, slots: [u32; 3], nodes: usize) {
    let [x, mut own, mut other] = slots;
    let mut top = Operand::new(leaf(x), 1.0);
    for _ in 0..nodes {
        tape.make_room(1, 0).expect("room");
        let (at, value) = tape.record1::<rule::Neg>(top, other);
        if top.at() >= 0 {
            tape.close(top.at());
        }
        (top, own, other) = (Operand::new(at, value), other, own);
    }
    tape.backward(top.at(), 1.0);
    tape.close(top.at());
    assert!(tape.is_empty());
}

#[test]
fn memory_of_a_peak_is_given_back() {
    let _turn = TURN.lock();
    let mut tape = Tape::new();
    let slots = [(); 3].map(|()| tape.open().expect("slot"));
    step(&mut tape, slots, 1_000_000);
    assert!(BYTES.load(Relaxed) > 30_000_000, "that was the peak");
    (0..10).for_each(|_| step(&mut tape, slots, 100));
    assert!(BYTES.load(Relaxed) > 30_000_000, "a peak that may come again keeps its arrays");
    (0..200).for_each(|_| step(&mut tape, slots, 100));
    let left = BYTES.load(Relaxed);
    assert!(left < 5_000_000, "{left} bytes left");
}

#[test]
fn operands_of_dead_nodes_do_not_pile_up() {
    let _turn = TURN.lock();
    let mut tape = Tape::new();
    let slots: Vec<u32> = (0..2_002).map(|_| tape.open().expect("slot")).collect();
    let x: Vec<Operand> = slots[..2_000].iter().map(|&s| Operand::new(leaf(s), 1.0)).collect();
    let before = BYTES.load(Relaxed);
    // Short-lived products, and between them small nodes that live on.
    for _ in 0..5_000 {
        tape.make_room(2, x.len()).expect("room");
        let (product, _) = tape.dot(&x[..1_000], &x[1_000..], slots[2_000]).expect("lengths");
        tape.record1::<rule::Neg>(x[0], slots[2_001]);
        tape.close(product);
    }
    let kept = BYTES.load(Relaxed) - before;
    assert!(kept < 60_000_000, "{kept} bytes for 5000 nodes");
}
