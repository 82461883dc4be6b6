//! A plan: one path of a function, laid out for batches of one kind. What all rows share is
//! computed once, the rest in blocks of rows.

use rustc_hash::FxHashSet;

use super::fuse::Class;
use super::graph::{Graph, Id, Kind, Question, Trace};
use super::kernels::LANES;
use super::level::Level;
use super::real::Real;
use super::runs::Runs;
use super::section::{Role, Scalar, Section, Task};
use super::uses;

/// Which kind of batch a plan is for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Batch {
    /// Of each input, whether all rows share it.
    pub shared: Vec<bool>,
    /// Of each input, whether its gradient is wanted.
    pub wanted: Vec<bool>,
    /// Whether the captured values' gradients are wanted.
    pub parameters: bool,
    /// What the questions of the path are asked for.
    pub asking: Asking,
    /// What rows are computed in.
    pub numbers: Numbers,
}

/// What rows are computed in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Numbers {
    /// 64 bits, every sum in the tape's order: values have the tape's bits.
    #[default]
    Exact,
    /// 64 bits, dense layers as products of matrices.
    Double,
    /// The same in 32 bits; what all rows share, and the sums of chunks, in 64.
    Single,
}

/// What a plan does with questions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Asking {
    /// It checks that every row is on the path.
    #[default]
    Guards,
    /// Nothing: the rows are known to be on the path.
    Nothing,
    /// It tells the answers, from which the path is found.
    Answers,
}

impl Batch {
    /// Whether a reverse sweep is needed.
    #[must_use]
    pub fn gradient(&self) -> bool {
        self.parameters || self.wanted.contains(&true)
    }
}

/// Where a result is after the forward parts.
#[derive(Clone, Copy, Debug)]
pub enum Output {
    /// In the rows' section, at this offset; its adjoint starts at the second one.
    Rows(u32, Option<u32>),
    /// In the shared section.
    Shared(u32, Option<u32>),
}

/// Where the rows' shared numbers come from.
#[derive(Debug)]
pub struct Scalars {
    /// How many there are.
    pub count: usize,
    constants: Vec<(u32, f64)>,
    /// Captured values.
    parameters: Runs,
    /// Values of the shared section.
    values: Runs,
}

/// A path, laid out for rows in numbers of this kind.
#[derive(Debug)]
pub struct Plan<T: Real = f64> {
    /// Runs once a batch.
    pub shared: Section<f64, 1>,
    /// Runs once a block of rows.
    pub rows: Section<T, LANES>,
    /// Where each result is found.
    pub outputs: Vec<Output>,
    /// What the shared section is given: its node's kind and where its value goes.
    pub given: Vec<(Kind, u32)>,
    /// Inputs that each row has its own number of, and where they go.
    pub loads: Vec<(u32, u32)>,
    /// Values of the shared section and the rows' slots that hold them in every lane.
    pub splats: Vec<(u32, u32)>,
    /// Where the rows' shared numbers come from.
    pub scalars: Scalars,
    /// Where sums over rows go as adjoints of captured values.
    pub gradients: Runs,
    /// Sums over rows, and where they go as adjoints of the shared section.
    pub sums: Vec<(u32, u32)>,
    /// Inputs and the offsets of their adjoints in the rows' section.
    pub row_gradients: Vec<(u32, u32)>,
    /// Inputs and captured values that all rows share, and the offsets of their adjoints.
    pub shared_gradients: Vec<(Kind, u32)>,
    /// Inputs on which no result depends: their gradients are 0.
    pub unused: Vec<u32>,
    /// Number of questions whose answers are told.
    pub questions: usize,
    /// Whether a sweep of rows needed care.
    pub poisoned: std::sync::atomic::AtomicBool,
}

impl<T: Real> Plan<T> {
    /// Lays out the path `trace` for such batches.
    #[must_use]
    pub fn new(graph: &Graph, trace: &Trace, batch: &Batch, level: Level) -> Plan<T> {
        let reached = reached(graph, trace, batch.asking);
        let varies = varying(graph, batch);
        let flows = flowing(graph, batch);
        let class_of = |own: bool| -> Vec<Class> {
            let each = graph.nodes().iter().enumerate().map(|(id, node)| {
                let member = matches!(node.kind, Kind::Apply(_) | Kind::Detach);
                match (reached[id], varies[id] == own, member) {
                    (true, true, true) => Class::Member,
                    (true, true, false) => Class::Given,
                    (true, false, _) if own => Class::Shared,
                    _ => Class::Outside,
                }
            });
            each.collect()
        };
        let members = |class: &[Class]| -> Vec<Id> {
            (0..class.len() as Id).filter(|&id| class[id as usize] == Class::Member).collect()
        };
        let guards = |own: bool| -> Vec<(Question, Role)> {
            let varies =
                |question: &Question| question.operands.iter().any(|&id| varies[id as usize]);
            let each =
                trace.guards.iter().zip(0..).filter_map(|(&(question, holds, _), at)| match batch
                    .asking
                {
                    Asking::Guards => Some((question, Role::Guard(holds))),
                    Asking::Answers => Some((question, Role::Ask(at))),
                    Asking::Nothing => None,
                });
            each.filter(|(question, _)| varies(question) == own).collect()
        };
        let outputs_of = |own: bool| {
            unique(trace.outputs.iter().copied().filter(|&id| varies[id as usize] == own))
        };

        let class = class_of(true);
        let row_outputs = outputs_of(true);
        let seeded: &[Id] = if batch.gradient() { &row_outputs } else { &[] };
        let rows = Section::<T, LANES>::new(
            &Task {
                graph,
                members: &members(&class),
                class: &class,
                guards: &guards(true),
                kept: &row_outputs,
                seeded,
                wanted: &given_flows(&class, &flows),
                products: batch.numbers != Numbers::Exact,
            },
            level,
        );

        let class = class_of(false);
        let shared_outputs = outputs_of(false);
        let scalars = rows.scalars.iter().filter_map(|scalar| match *scalar {
            Scalar::Node(id) if !direct(graph, id) => Some(id),
            _ => None,
        });
        let splats = rows.splats.iter().map(|&(id, _)| id);
        let kept = unique(scalars.chain(splats).chain(shared_outputs.iter().copied()));
        let sums = rows.sums.iter().copied().flatten().filter(|&id| !direct(graph, id));
        let mut seeded = Vec::new();
        if batch.gradient() {
            seeded = unique(sums.chain(shared_outputs.iter().copied()));
        }
        let shared = Section::<f64, 1>::new(
            &Task {
                graph,
                members: &members(&class),
                class: &class,
                guards: &guards(false),
                kept: &kept,
                seeded: &seeded,
                wanted: &given_flows(&class, &flows),
                products: false,
            },
            level,
        );
        let mut plan =
            Plan::joined(graph, trace, &varies, rows, shared, &row_outputs, &kept, &seeded);
        plan.unused = plan.unused_inputs(batch.shared.len() as u32);
        plan.questions = if batch.asking == Asking::Answers { trace.guards.len() } else { 0 };
        plan
    }

    /// Joins the two sections by offsets.
    #[expect(clippy::too_many_arguments, reason = "the parts of a plan as `new` has them")]
    fn joined(
        graph: &Graph,
        trace: &Trace,
        varies: &[bool],
        rows: Section<T, LANES>,
        shared: Section<f64, 1>,
        row_outputs: &[Id],
        kept: &[Id],
        seeded: &[Id],
    ) -> Plan<T> {
        let place = |list: &[Id], id: Id| list.iter().position(|&other| other == id);
        let index: rustc_hash::FxHashMap<Id, usize> =
            kept.iter().enumerate().map(|(k, &id)| (id, k)).collect();
        let seed_index: rustc_hash::FxHashMap<Id, usize> =
            seeded.iter().enumerate().map(|(k, &id)| (id, k)).collect();
        let value = |id: Id| shared.kept[index[&id]];
        let seed = |id: Id| seed_index.get(&id).map(|&k| shared.seeds[k]);
        let outputs = trace.outputs.iter().map(|&id| {
            if varies[id as usize] {
                let k = place(row_outputs, id).unwrap_or_default();
                Output::Rows(rows.kept[k], rows.seeds.get(k).copied())
            } else {
                Output::Shared(value(id), seed(id))
            }
        });
        let kind = |id: Id| graph.node(id).kind;
        let input = |&(id, at): &(Id, u32)| match kind(id) {
            Kind::Input(k) => Some((k, at)),
            _ => None,
        };
        Plan {
            outputs: outputs.collect(),
            given: shared.given.iter().map(|&(id, at)| (kind(id), at)).collect(),
            loads: rows.given.iter().filter_map(input).collect(),
            splats: rows.splats.iter().map(|&(id, at)| (value(id), at)).collect(),
            scalars: Scalars::new(graph, &rows.scalars, value),
            gradients: pairs(&rows.sums, |id| parameter(graph, id)).collect(),
            sums: pairs(&rows.sums, |id| if direct(graph, id) { None } else { seed(id) }).collect(),
            row_gradients: rows.adjoints.iter().filter_map(input).collect(),
            shared_gradients: shared.adjoints.iter().map(|&(id, at)| (kind(id), at)).collect(),
            unused: Vec::new(),
            questions: 0,
            poisoned: false.into(),
            rows,
            shared,
        }
    }

    fn unused_inputs(&self, inputs: u32) -> Vec<u32> {
        let shared = self.shared_gradients.iter().filter_map(|&(kind, _)| match kind {
            Kind::Input(k) => Some(k),
            _ => None,
        });
        let used: FxHashSet<u32> =
            self.row_gradients.iter().map(|&(input, _)| input).chain(shared).collect();
        (0..inputs).filter(|input| !used.contains(input)).collect()
    }
}

impl Scalars {
    /// `value` tells where the shared section has a node's value.
    fn new(graph: &Graph, scalars: &[Scalar], value: impl Fn(Id) -> u32) -> Scalars {
        let (mut constants, mut parameters, mut values) = (Vec::new(), Vec::new(), Vec::new());
        for (scalar, at) in scalars.iter().zip(0..) {
            match *scalar {
                Scalar::Number(bits) => constants.push((at, f64::from_bits(bits))),
                Scalar::Node(id) => match parameter(graph, id) {
                    Some(k) => parameters.push((k, at)),
                    None => values.push((value(id), at)),
                },
            }
        }
        let (parameters, values) = (parameters.into_iter().collect(), values.into_iter().collect());
        Scalars { count: scalars.len(), constants, parameters, values }
    }

    /// Fills them in.
    pub fn fill<T: Real>(&self, parameters: &[f64], slots: &[f64], scalars: &mut [T]) {
        for &(at, x) in &self.constants {
            scalars[at as usize] = T::narrow(x);
        }
        self.parameters.copy(parameters, scalars);
        self.values.copy(slots, scalars);
    }
}

/// Which captured value a node is.
fn parameter(graph: &Graph, id: Id) -> Option<u32> {
    match graph.node(id).kind {
        Kind::Parameter(k) => Some(k),
        _ => None,
    }
}

/// Whether rows read the node, and its adjoint is summed, without the shared section between.
fn direct(graph: &Graph, id: Id) -> bool {
    parameter(graph, id).is_some()
}

/// The sums whose node goes somewhere, and where.
fn pairs(sums: &[Option<Id>], to: impl Fn(Id) -> Option<u32>) -> impl Iterator<Item = (u32, u32)> {
    sums.iter().zip(0..).filter_map(move |(id, at)| Some((at, to((*id)?)?)))
}

/// Each once, in the order of appearance.
fn unique(ids: impl Iterator<Item = Id>) -> Vec<Id> {
    let mut seen = FxHashSet::default();
    ids.filter(|&id| seen.insert(id)).collect()
}

/// The nodes that the results and guards depend on.
pub fn reached(graph: &Graph, trace: &Trace, asking: Asking) -> Vec<bool> {
    let mut reached = vec![false; graph.nodes().len()];
    let guards = if asking == Asking::Nothing { &[][..] } else { &trace.guards };
    let asked = guards.iter().flat_map(|(question, ..)| question.operands);
    for id in trace.outputs.iter().copied().chain(asked) {
        reached[id as usize] = true;
    }
    for (id, node) in graph.nodes().iter().enumerate().rev() {
        if reached[id] {
            node.operands().for_each(|x| reached[x as usize] = true);
        }
    }
    reached
}

/// The nodes whose values differ from row to row.
fn varying(graph: &Graph, batch: &Batch) -> Vec<bool> {
    let mut varies = Vec::with_capacity(graph.nodes().len());
    for node in graph.nodes() {
        varies.push(match node.kind {
            Kind::Input(k) => !batch.shared[k as usize],
            _ => node.operands().any(|x| varies[x as usize]),
        });
    }
    varies
}

/// The nodes that depend on something whose gradient is wanted.
fn flowing(graph: &Graph, batch: &Batch) -> Vec<bool> {
    let mut flows: Vec<bool> = Vec::with_capacity(graph.nodes().len());
    let mut zero = rustc_hash::FxHashMap::default();
    for node in graph.nodes() {
        flows.push(match node.kind {
            Kind::Input(k) => batch.wanted[k as usize],
            Kind::Parameter(_) => batch.parameters,
            Kind::Constant(_) | Kind::Detach => false,
            Kind::Apply(op) => {
                let zero = zero.entry(op).or_insert_with(|| {
                    uses::of(op).into_iter().map(uses::Uses::is_zero).collect::<Vec<_>>()
                });
                node.operands().zip(zero).any(|(x, &mut zero)| !zero && flows[x as usize])
            }
        });
    }
    flows
}

/// Of what is given to a section, whether its adjoint is wanted.
fn given_flows(class: &[Class], flows: &[bool]) -> Vec<bool> {
    let given = |class: &Class| matches!(class, Class::Given | Class::Shared);
    class.iter().zip(flows).map(|(class, &flows)| given(class) && flows).collect()
}
