//! Both forms of a component, called, and what they leave.
use std::sync::{Arc, Mutex};

use enclave_mark::{Marked, Role, CARD, MARKS};
use wasmtime_c_api::wasmtime::component::{Component, Linker};
use wasmtime_c_api::wasmtime::{Config, Engine, Error, LinearMemory, MemoryCreator, MemoryType, Result, Store};

/// So much that no memory has to move.
const CAPACITY: usize = 1 << 22;

/// Memories of the instance that is made now, in their order, which outlive it.
#[derive(Default)]
struct Made {
    memories: Vec<Arc<Mutex<Linear>>>,
    /// What the first one begins with.
    image: Option<(usize, Vec<u8>)>,
}

struct Linear {
    bytes: Box<[u8]>,
    size: usize,
}

struct Handle(Arc<Mutex<Linear>>);

unsafe impl LinearMemory for Handle {
    fn byte_size(&self) -> usize {
        self.0.lock().unwrap().size
    }
    fn byte_capacity(&self) -> usize {
        CAPACITY
    }
    fn grow_to(&mut self, size: usize) -> Result<()> {
        if size > CAPACITY {
            return Err(Error::msg("there is no more")); // to both of them
        }
        self.0.lock().unwrap().size = size;
        Ok(())
    }
    fn as_ptr(&self) -> *mut u8 {
        self.0.lock().unwrap().bytes.as_mut_ptr()
    }
}

struct Creator(Arc<Mutex<Made>>);

unsafe impl MemoryCreator for Creator {
    fn new_memory(
        &self,
        _: MemoryType,
        minimum: usize,
        _: Option<usize>,
        _: Option<usize>,
        _: usize,
    ) -> std::result::Result<Box<dyn LinearMemory>, String> {
        let mut made = self.0.lock().unwrap();
        let mut bytes = vec![0; CAPACITY].into_boxed_slice();
        if let Some((offset, image)) = made.image.take() {
            bytes[offset..offset + image.len()].copy_from_slice(&image);
        }
        let memory = Arc::new(Mutex::new(Linear { bytes, size: minimum }));
        made.memories.push(memory.clone());
        Ok(Box::new(Handle(memory)))
    }
}

pub struct Bench {
    engine: Engine,
    made: Arc<Mutex<Made>>,
}

pub struct Pair<'b> {
    bench: &'b Bench,
    plain: Component,
    marking: Component,
    marked: Marked,
}

/// What a call left.
struct Left {
    result: std::result::Result<u32, String>,
    memories: Vec<Arc<Mutex<Linear>>>,
}

pub struct Outcome {
    plain: Left,
    marking: Left,
    first: Vec<u8>,
    pub failed: bool,
    pub changed: usize,
}

impl Bench {
    pub fn new() -> Self {
        let made = Arc::new(Mutex::new(Made::default()));
        let mut config = Config::new();
        config.signals_based_traps(false).memory_reservation(0).memory_guard_size(0);
        config.with_host_memory(Arc::new(Creator(made.clone())));
        Bench { engine: Engine::new(&config).expect("an engine"), made }
    }

    pub fn pair(&self, component: &[u8]) -> Pair<'_> {
        let marked = enclave_mark::mark(component).expect("one that can mark");
        assert_eq!(marked.memories, [Role::Data, Role::Marks, Role::Marks]);
        let plain = Component::new(&self.engine, component).expect("a component");
        let marking = Component::new(&self.engine, &marked.component).expect("a component that marks");
        Pair { bench: self, plain, marking, marked }
    }
}

impl Pair<'_> {
    fn run(&self, component: &Component, a: u32, b: u32) -> Result<u32> {
        let mut linker = Linker::<()>::new(&self.bench.engine);
        linker.root().func_wrap("text", |_, (n,): (u32,)| {
            Ok((String::from_utf8((0..n).map(|i| b'a' + (i % 26) as u8).collect()).expect("text"),))
        })?;
        let mut store = Store::new(&self.bench.engine, ());
        let instance = linker.instantiate(&mut store, component)?;
        let run = instance.get_typed_func::<(u32, u32), (u32,)>(&mut store, "run")?;
        Ok(run.call(&mut store, (a, b))?.0)
    }

    fn left(&self, component: &Component, image: Option<(usize, Vec<u8>)>, a: u32, b: u32) -> Left {
        *self.bench.made.lock().unwrap() = Made { memories: Vec::new(), image };
        let result = self.run(component, a, b).map_err(|error| error.root_cause().to_string());
        Left { result, memories: std::mem::take(&mut self.bench.made.lock().unwrap().memories) }
    }

    pub fn call(&self, a: u32, b: u32) -> Outcome {
        let image = &self.marked.image;
        let offset = image.offset as usize;
        let mut first = vec![0; CAPACITY];
        first[offset..offset + image.bytes.len()].copy_from_slice(&image.bytes);
        let plain = self.left(&self.plain, None, a, b);
        let marking = self.left(&self.marking, Some((offset, image.bytes.clone())), a, b);
        let failed = plain.result.is_err();
        let changed = marking.memory(0).bytes.iter().zip(&first).filter(|(now, then)| now != then).count();
        Outcome { plain, marking, first, failed, changed }
    }
}

impl Left {
    fn memory(&self, index: usize) -> std::sync::MutexGuard<'_, Linear> {
        self.memories[index].lock().unwrap()
    }
}

impl Outcome {
    /// How the two differ.
    pub fn difference(&self) -> Option<String> {
        if self.plain.result != self.marking.result {
            return Some(format!("{:?}, and where it marks {:?}", self.plain.result, self.marking.result));
        }
        let (plain, marking) = (self.plain.memory(0), self.marking.memory(0));
        let differs = plain.size != marking.size || plain.bytes != marking.bytes;
        differs.then(|| "another memory is left".into())
    }

    /// Where something was written without a mark, if marks are good for so much, and one of the memories of marks is not
    /// looked at.
    pub fn unmarked(&self, slack: u32, ignored: Option<usize>) -> Option<usize> {
        let marks: Vec<_> =
            (1..self.marking.memories.len()).filter(|i| Some(*i) != ignored).map(|i| self.marking.memory(i)).collect();
        let marked = |card: usize| marks.iter().any(|m| m.bytes[card % MARKS as usize] != 0);
        let now = self.marking.memory(0);
        (0..CAPACITY / CARD as usize).find_map(|card| {
            let (from, to) = (card * CARD as usize, (card + 1) * CARD as usize);
            if marked(card) || now.bytes[from..to] == self.first[from..to] {
                return None;
            }
            let good = if card > 0 && marked(card - 1) { slack as usize } else { 0 };
            (from + good..to).find(|at| now.bytes[*at] != self.first[*at])
        })
    }
}
