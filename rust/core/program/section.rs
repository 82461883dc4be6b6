//! A section: part of a program, laid out as instructions on slots.
//!
//! A program has two: what all rows share is computed once a batch, on one lane, and the rest in
//! blocks of rows. Time runs over the items forwards (`0 .. n`), then over them backwards
//! (`n + 1 ..= 2 n`); a value's slot is free after the last time at which it is read.

mod layout;

use std::sync::OnceLock;

use super::fuse::Class;
use super::graph::{Graph, Id, Question};
use super::kernels::{GROUP, LANES, Names};
use super::level::Level;
use super::real::Real;
use super::simd::{Instruction, kernel};
use super::tables::Tables;
use super::work::Work;
use layout::Layout;

/// What a section is made of.
pub struct Task<'a> {
    pub graph: &'a Graph,
    /// What is computed, ascending.
    pub members: &'a [Id],
    /// What every node is to the section.
    pub class: &'a [Class],
    pub guards: &'a [(Question, Role)],
    /// Values that are read after the forward part; none of them shared.
    pub kept: &'a [Id],
    /// Nodes that are given an adjoint before the reverse part; none of them shared.
    pub seeded: &'a [Id],
    /// Of every node that is given, whether its adjoint is wanted.
    pub wanted: &'a [bool],
    /// Whether large dense layers may become products of matrices.
    pub products: bool,
}

/// What a question is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// To stay on the path: the answer must be this.
    Guard(bool),
    /// To find the path: the answer goes to this place.
    Ask(u32),
}

/// A number that all rows share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scalar {
    /// The value of a node.
    Node(Id),
    /// The bits of a constant that no node stands for.
    Number(u64),
}

/// A part of a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Forward,
    Reverse,
    /// The reverse part with care about products with exact zeros.
    Careful,
}

/// What is done in this order, on what.
pub type Works = Vec<(Work, Names)>;

/// Instructions on slots of `L` lanes.
#[derive(Debug)]
pub struct Section<T: Real, const L: usize> {
    pub forward: Works,
    pub reverse: Works,
    level: Level,
    /// The instructions of the three parts, made when they are asked for; and those with kernels
    /// for whole blocks.
    instructions: [OnceLock<Vec<Instruction<T>>>; 3],
    whole: [OnceLock<Vec<Instruction<T>>>; 2],
    pub tables: Tables,
    /// Number of lanes that the slots take.
    pub size: usize,
    /// Nodes that are given, and where their values go: numbers of rows, and shared ones.
    pub given: Vec<(Id, u32)>,
    pub splats: Vec<(Id, u32)>,
    /// The shared numbers, in their order.
    pub scalars: Vec<Scalar>,
    /// Where the values of `kept` are.
    pub kept: Vec<u32>,
    /// Where the adjoints of `seeded` go, with [`FRESH`].
    pub seeds: Vec<u32>,
    /// Adjoints of given nodes that are wanted and not always zero.
    pub adjoints: Vec<(Id, u32)>,
    /// The shared nodes that the sums are adjoints of.
    pub sums: Vec<Option<Id>>,
    /// Number of nodes whose values are computed.
    pub nodes: usize,
}

impl<T: Real, const L: usize> Section<T, L> {
    /// Lays a section out.
    pub fn new(task: &Task<'_>, level: Level) -> Section<T, L> {
        Layout::<T, L>::new(task, level).run()
    }

    /// The instructions of a part, for so many lanes.
    pub fn part(&self, part: Part, width: usize) -> &[Instruction<T>] {
        if L == 1 {
            self.instructions[part as usize].get_or_init(|| self.made::<1>(part))
        } else if T::WHOLE && width == LANES && part != Part::Careful {
            self.whole[part as usize].get_or_init(|| self.made::<LANES>(part))
        } else {
            self.instructions[part as usize].get_or_init(|| self.made::<GROUP>(part))
        }
    }

    /// The instructions of a part, with kernels that take `W` lanes at a time.
    fn made<const W: usize>(&self, part: Part) -> Vec<Instruction<T>> {
        let works = if part == Part::Forward { &self.forward } else { &self.reverse };
        let made = |&(work, names): &(Work, Names)| Instruction {
            kernel: kernel::<T, W>(self.level, work, part == Part::Careful),
            names,
        };
        works.iter().map(made).collect()
    }
}
