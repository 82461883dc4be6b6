//! The paths of a function: a tree on the questions that it asks. A row finds its path by the
//! answers, each of which is asked once for all paths.

use rustc_hash::FxHashMap;
use std::fmt;

use super::graph::{Graph, Question, Trace};
use super::recording::{Recording, Test};

/// Where an answer leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// Nobody went there yet.
    Unknown,
    /// To the next question: a branch of the tree.
    Branch(u32),
    /// To the end: the number of a path.
    Path(u32),
}

/// A question in the tree: its number, and where the answers no and yes lead.
#[derive(Clone, Copy, Debug)]
struct Branch {
    question: u32,
    next: [Next; 2],
}

/// Why a recording is no path of the function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Strange {
    /// At the same point, with the same answers, it asked something else or ended elsewhere; the
    /// file and line where it did, if there is one.
    Question(Option<(String, u32)>),
    /// It asked the same and computed something else.
    Program,
    /// It has another number of results.
    Outputs(usize, usize),
    /// There are as many paths as there may be; the file and line where this one took a number out
    /// of a value, if it did.
    TooMany(usize, Option<(String, u32)>),
}

impl fmt::Display for Strange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = "it depends on something that gradtape cannot see, like a random number, a \
                   float that was taken out of a Value, or a variable that changed";
        match self {
            Strange::Question(Some((file, line))) => {
                write!(
                    f,
                    "recorded again at the same point, the function took another branch, at {file}:{line}: {why}"
                )
            }
            Strange::Question(None) => {
                write!(
                    f,
                    "recorded again at the same point, the function took another branch: {why}"
                )
            }
            Strange::Program => {
                write!(
                    f,
                    "recorded again at the same point, the function did other arithmetic: {why}"
                )
            }
            Strange::Outputs(first, now) => {
                write!(
                    f,
                    "the function returned {first} numbers for one row and {now} for another; compiled, it must always return as many"
                )
            }
            Strange::TooMany(most, Some((file, line))) => {
                write!(
                    f,
                    "the function took more than {most} paths: each number that is taken out of a Value, at {file}:{line}, makes one of its own; calculate with the Value itself"
                )
            }
            Strange::TooMany(most, None) => {
                write!(
                    f,
                    "the function took more than {most} paths through its branches; let where(greater(a, b), …) choose instead of if where it can, or raise max_paths"
                )
            }
        }
    }
}

/// All that is known of a function.
#[derive(Clone, Debug)]
pub struct Paths {
    graph: Graph,
    traces: Vec<Trace>,
    questions: Vec<Question>,
    numbers: FxHashMap<Question, u32>,
    tree: Vec<Branch>,
    root: Next,
    places: Vec<(String, u32)>,
}

impl Default for Paths {
    fn default() -> Paths {
        Paths {
            graph: Graph::default(),
            traces: Vec::new(),
            questions: Vec::new(),
            numbers: FxHashMap::default(),
            tree: Vec::new(),
            root: Next::Unknown,
            places: Vec::new(),
        }
    }
}

impl Paths {
    /// What the paths compute.
    #[must_use]
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The paths; the last field of a guard is an index into [`places`](Paths::places).
    #[must_use]
    pub fn traces(&self) -> &[Trace] {
        &self.traces
    }

    /// Files and lines where questions are asked.
    #[must_use]
    pub fn places(&self) -> &[(String, u32)] {
        &self.places
    }

    /// All questions as one path without results, whose answers find the path of a row.
    #[must_use]
    pub fn router(&self) -> Trace {
        let guards = self.questions.iter().map(|&question| (question, true, 0)).collect();
        Trace { guards, outputs: Vec::new() }
    }

    /// Takes a recording in: the number of its path, which may have been there before.
    ///
    /// # Errors
    /// [`Strange`] where it contradicts what is known; then nothing has changed but the graph.
    pub fn take(&mut self, recording: &Recording, most: usize) -> Result<usize, Strange> {
        let mut trace = self.graph.take(recording);
        let place = |at: u32| recording.places.get(at as usize).cloned();
        let (mut at, mut from) = (self.root, None);
        for (k, (question, holds, line)) in trace.guards.iter().enumerate() {
            loop {
                let Next::Branch(branch) = at else {
                    if at == Next::Unknown {
                        return self.add(trace, k, from, recording, most);
                    }
                    return Err(Strange::Question(place(*line)));
                };
                let next = self.tree[branch as usize];
                let known = self.questions[next.question as usize];
                let other = known.is_other_number(question) && *holds;
                if known != *question && !other {
                    return Err(Strange::Question(place(*line)));
                }
                let answer = usize::from(*holds && !other);
                (from, at) = (Some((branch, answer)), next.next[answer]);
                if !other {
                    break;
                }
            }
        }
        match at {
            Next::Unknown => self.add(trace, usize::MAX, from, recording, most),
            Next::Branch(_) => Err(Strange::Question(None)),
            Next::Path(path) => {
                let known = &self.traces[path as usize];
                trace.guards.clone_from(&known.guards);
                if *known == trace { Ok(path as usize) } else { Err(Strange::Program) }
            }
        }
    }

    /// Adds a path that leaves the tree behind the branch `from`; its guards from number `first`
    /// on are new.
    fn add(
        &mut self,
        mut trace: Trace,
        first: usize,
        from: Option<(u32, usize)>,
        recording: &Recording,
        most: usize,
    ) -> Result<usize, Strange> {
        if let Some(known) = self.traces.first()
            && known.outputs.len() != trace.outputs.len()
        {
            return Err(Strange::Outputs(known.outputs.len(), trace.outputs.len()));
        }
        if self.traces.len() >= most {
            let mut guards = trace.guards.iter().skip(first);
            let taken = guards.find(|(question, holds, _)| question.test == Test::Same && *holds);
            let place = taken.and_then(|guard| recording.places.get(guard.2 as usize).cloned());
            return Err(Strange::TooMany(most, place));
        }
        let path = self.traces.len() as u32;
        let mut next = Next::Path(path);
        for (question, holds, _) in trace.guards.iter().skip(first).rev() {
            let count = self.questions.len() as u32;
            let number = *self.numbers.entry(*question).or_insert(count);
            if number == count {
                self.questions.push(*question);
            }
            let mut branch = Branch { question: number, next: [Next::Unknown; 2] };
            branch.next[usize::from(*holds)] = next;
            next = Next::Branch(self.tree.len() as u32);
            self.tree.push(branch);
        }
        match from {
            Some((branch, holds)) => self.tree[branch as usize].next[holds] = next,
            None => self.root = next,
        }
        for guard in &mut trace.guards {
            let place = recording.places[guard.2 as usize].clone();
            guard.2 = self.places.iter().position(|known| *known == place).unwrap_or_else(|| {
                self.places.push(place);
                self.places.len() - 1
            }) as u32;
        }
        self.traces.push(trace);
        Ok(path as usize)
    }

    /// Writes the path of every lane to `routes`, [`UNKNOWN`] where it is not known; `answers`
    /// has a bit for every lane for each question of the [`router`](Paths::router).
    pub fn route(&self, answers: &[u64], routes: &mut [u32]) {
        let all = if routes.len() < 64 { (1 << routes.len()) - 1 } else { u64::MAX };
        let mut todo = vec![(self.root, all)];
        while let Some((at, lanes)) = todo.pop() {
            if lanes == 0 {
                continue;
            }
            let path = match at {
                Next::Branch(branch) => {
                    let Branch { question, next } = self.tree[branch as usize];
                    let yes = answers[question as usize];
                    todo.extend([(next[0], lanes & !yes), (next[1], lanes & yes)]);
                    continue;
                }
                Next::Path(path) => path,
                Next::Unknown => UNKNOWN,
            };
            for (i, route) in routes.iter_mut().enumerate() {
                if lanes >> i & 1 == 1 {
                    *route = path;
                }
            }
        }
    }
}

impl Question {
    /// Whether it asks for another number of the same value: no to this one is yes to the other.
    fn is_other_number(&self, other: &Question) -> bool {
        self.test == Test::Same
            && other.test == Test::Same
            && self.operands[0] == other.operands[0]
            && self.operands[1] != other.operands[1]
    }
}

/// The path of a row that nobody has recorded.
pub const UNKNOWN: u32 = u32::MAX;
