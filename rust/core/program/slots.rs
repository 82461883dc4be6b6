//! Slots for values and adjoints: each is given back when it is not needed any more, so that what
//! a block of rows touches stays small.

use rustc_hash::FxHashMap;

use super::graph::Id;

/// Gives out slots, the one given back last first: it is in the cache still.
#[derive(Debug, Default)]
pub struct Slots {
    free: Vec<u32>,
    used: u32,
    /// The first slots stay with whom they were reserved for.
    reserved: u32,
}

impl Slots {
    pub fn take(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.used += 1;
            self.used - 1
        })
    }

    pub fn give_back(&mut self, slot: u32) {
        if slot >= self.reserved {
            self.free.push(slot);
        }
    }

    /// Reserves slots side by side for those that have none; before any is taken.
    pub fn row(&mut self, ids: &[Id], known: &FxHashMap<Id, u32>) -> Vec<(Id, u32)> {
        let mut row = Vec::new();
        for &id in ids.iter().filter(|id| !known.contains_key(id)) {
            row.push((id, self.used));
            self.used += 1;
        }
        self.reserved = self.used;
        row
    }

    /// How many there are.
    pub fn len(&self) -> u32 {
        self.used
    }
}
