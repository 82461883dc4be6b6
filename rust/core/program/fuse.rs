//! Fewer and longer instructions: sums of products become one instruction each, and sums over the
//! same factors become a dense layer. Every sum keeps its order, so its bits stay the same.

use rustc_hash::FxHashMap;

use super::graph::{Graph, Id, Kind, NONE};
use crate::Op;

/// What a node is to a section of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Not in it.
    Outside,
    /// Given to it, a number for every row.
    Given,
    /// Given to it, one number for all rows.
    Shared,
    /// Computed in it.
    Member,
}

/// `± x` or `± x * y`; of two factors the first is never shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Term {
    pub minus: bool,
    pub x: Id,
    pub y: Option<Id>,
}

/// A sum over factors that its layer names, each times a shared number.
#[derive(Clone, Debug)]
pub struct Neuron {
    pub root: Id,
    /// A shared number that the sum starts from.
    pub start: Option<Id>,
    pub weights: Vec<Id>,
    /// A shared number that is added last.
    pub bias: Option<Id>,
}

/// What one instruction computes.
#[derive(Clone, Debug)]
pub enum Item {
    /// A row of the table.
    Row(Id),
    /// A sum of terms.
    Linear(Id, Vec<Term>),
    /// Sums over the same factors.
    Layer(Vec<Id>, Vec<Neuron>),
}

impl Item {
    /// The nodes whose values it computes.
    pub fn roots(&self) -> impl Iterator<Item = Id> {
        let (one, neurons): (Option<Id>, &[Neuron]) = match self {
            Item::Row(id) | Item::Linear(id, _) => (Some(*id), &[]),
            Item::Layer(_, neurons) => (None, neurons),
        };
        one.into_iter().chain(neurons.iter().map(|neuron| neuron.root))
    }
}

/// Takes the members, ascending, together into items in an order in which they can be computed.
/// `uses` counts how often each node is used; what is looked at from outside counts twice.
pub fn fuse(graph: &Graph, members: &[Id], class: &[Class], uses: &[u32]) -> Vec<Item> {
    let mut fuser = Fuser { graph, class, uses, absorbed: vec![false; class.len()] };
    let mut items: Vec<Item> = Vec::with_capacity(members.len());
    for &id in members.iter().rev() {
        if !fuser.absorbed[id as usize] && graph.node(id).kind != Kind::Detach {
            items.push(fuser.item(id));
        }
    }
    items.reverse();
    layers(items, class)
}

struct Fuser<'a> {
    graph: &'a Graph,
    class: &'a [Class],
    uses: &'a [u32],
    absorbed: Vec<bool>,
}

impl Fuser<'_> {
    fn is(&self, id: Id, ops: &[Op]) -> bool {
        matches!(self.graph.node(id).kind, Kind::Apply(op) if ops.contains(&op))
    }

    /// Whether nobody else needs the value of this member.
    fn alone(&self, id: Id) -> bool {
        self.class[id as usize] == Class::Member && self.uses[id as usize] == 1
    }

    fn item(&mut self, root: Id) -> Item {
        if self.is(root, &[Op::Mul]) && self.has_shared(root) {
            return Item::Linear(root, vec![self.product(root, false)]);
        }
        if !self.is(root, &[Op::Add, Op::Sub]) {
            return Item::Row(root);
        }
        let (mut terms, mut links, mut products) = (Vec::new(), Vec::new(), Vec::new());
        let mut next = Some(root);
        while let Some(id) = next {
            let [x, y, _] = self.graph.node(id).operands;
            let minus = self.is(id, &[Op::Sub]);
            let link = |id: Id| self.alone(id) && self.is(id, &[Op::Add, Op::Sub]);
            let (rest, term) = if !link(x) && link(y) && !minus { (y, x) } else { (x, y) };
            terms.push(self.term(term, minus, &mut products));
            next = link(rest).then_some(rest);
            match next {
                Some(_) => links.push(rest),
                None => terms.push(self.term(rest, false, &mut products)),
            }
        }
        if products.is_empty() && terms.len() < 3 && !self.has_shared(root) {
            return Item::Row(root);
        }
        for id in links.into_iter().chain(products) {
            self.absorbed[id as usize] = true;
        }
        terms.reverse();
        Item::Linear(root, terms)
    }

    /// A product that is used here only, or the node itself.
    fn term(&self, id: Id, minus: bool, products: &mut Vec<Id>) -> Term {
        if !self.alone(id) || !self.is(id, &[Op::Mul]) {
            return Term { minus, x: id, y: None };
        }
        products.push(id);
        self.product(id, minus)
    }

    fn product(&self, id: Id, minus: bool) -> Term {
        let [x, y, _] = self.graph.node(id).operands;
        let swap = self.class[x as usize] == Class::Shared;
        let (x, y) = if swap { (y, x) } else { (x, y) };
        Term { minus, x, y: Some(y) }
    }

    /// Whether an operand is the same for all rows: a term names it without a copy for each lane.
    fn has_shared(&self, id: Id) -> bool {
        self.graph.node(id).operands().any(|x| self.class[x as usize] == Class::Shared)
    }
}

/// Takes sums over the same factors together.
fn layers(items: Vec<Item>, class: &[Class]) -> Vec<Item> {
    let mut known: FxHashMap<(Vec<Id>, bool), usize> = FxHashMap::default();
    let mut out: Vec<Item> = Vec::with_capacity(items.len());
    for item in items {
        let Item::Linear(root, terms) = &item else {
            out.push(item);
            continue;
        };
        let Some((inputs, neuron)) = neuron(*root, terms, class) else {
            out.push(item);
            continue;
        };
        let place =
            *known.entry((inputs, neuron.bias.is_some())).or_insert_with_key(|(inputs, _)| {
                out.push(Item::Layer(inputs.clone(), Vec::new()));
                out.len() - 1
            });
        if let Item::Layer(_, neurons) = &mut out[place] {
            neurons.push(neuron);
        }
    }
    out
}

/// The sum as a neuron: products of a row's number with a shared one, at least two of them, with
/// a shared number before or after them.
fn neuron(root: Id, terms: &[Term], class: &[Class]) -> Option<(Vec<Id>, Neuron)> {
    let shared = |id: Id| class[id as usize] == Class::Shared;
    let lone = |term: Option<&Term>| {
        term.filter(|term| term.y.is_none() && shared(term.x)).map(|term| term.x)
    };
    let start = lone(terms.first());
    let bias = lone(terms.last());
    let products = &terms[usize::from(start.is_some())..terms.len() - usize::from(bias.is_some())];
    let fits = |term: &Term| term.y.is_some_and(shared) && !shared(term.x);
    if products.len() < 2 || !products.iter().all(fits) || terms.iter().any(|term| term.minus) {
        return None;
    }
    let inputs = products.iter().map(|term| term.x).collect();
    let weights = products.iter().map(|term| term.y.unwrap_or(NONE)).collect();
    Some((inputs, Neuron { root, start, weights, bias }))
}
