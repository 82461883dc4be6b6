//! Slots for values and adjoints: each is given back when it is not needed any more, so that what
//! a block of rows touches stays small.

/// Gives out slots, the one given back last first: it is in the cache still.
#[derive(Debug, Default)]
pub struct Slots {
    free: Vec<u32>,
    used: u32,
}

impl Slots {
    pub fn take(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.used += 1;
            self.used - 1
        })
    }

    pub fn give_back(&mut self, slot: u32) {
        self.free.push(slot);
    }

    /// How many there are.
    pub fn len(&self) -> u32 {
        self.used
    }
}
