//! A component of two modules that share a memory: one has it, and the function that the host calls for memory; the other
//! is random code, which calls the host.
use wasm_encoder::{
    BlockType, CanonicalOption, CodeSection, ComponentBuilder, ComponentExportKind, ComponentTypeRef,
    ComponentValType, ConstExpr, DataCountSection, DataSection, EntityType, ExportKind, ExportSection, Function,
    FunctionSection, GlobalSection, GlobalType, ImportSection, InstructionSink, MemArg, MemorySection, MemoryType, Module,
    ModuleArg, PrimitiveValType, TypeSection, ValType,
};

use crate::random::Random;

/// Pages of memory at first.
const PAGES: u64 = 8;
const INSIDE: i32 = 0x7ffff; // of PAGES

fn memory_module(random: &mut Random) -> Module {
    let mut types = TypeSection::new();
    types.ty().function([ValType::I32; 4], [ValType::I32]);
    let mut functions = FunctionSection::new();
    functions.function(0);
    let mut memories = MemorySection::new();
    memories.memory(MemoryType { minimum: PAGES, maximum: None, memory64: false, shared: false, page_size_log2: None });
    let mut globals = GlobalSection::new();
    globals.global(
        GlobalType { val_type: ValType::I32, mutable: true, shared: false },
        &ConstExpr::i32_const(random.next() as i32),
    );
    let mut exports = ExportSection::new();
    exports.export("memory", ExportKind::Memory, 0).export("any name", ExportKind::Func, 0);
    // Anywhere, and each time elsewhere.
    let mut realloc = Function::new([]);
    let mut code = realloc.instructions();
    code.global_get(0).i32_const(1_103_515_245).i32_mul().i32_const(12345).i32_add().global_set(0);
    code.global_get(0).i32_const(9).i32_shr_u().i32_const(INSIDE >> 1).i32_and().end();
    let mut bodies = CodeSection::new();
    bodies.function(&realloc);
    let mut data = DataSection::new();
    for _ in 0..3 {
        data.active(0, &ConstExpr::i32_const(random.below(0x60000) as i32), (0..random.below(3000) as u32).map(|i| i as u8));
    }
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&memories).section(&globals).section(&exports);
    module.section(&bodies).section(&data);
    module
}

const ARGUMENTS: u32 = 2;
/// Locals that are addresses; behind them one of i64, one of f64, one of v128, and the count of what may still be done.
const ADDRESSES: u32 = 6;
const LONG: u32 = ADDRESSES;
const FLOAT: u32 = ADDRESSES + 1;
const WIDE: u32 = ADDRESSES + 2;
const FUEL: u32 = ADDRESSES + 3;
/// Functions of the module.
const TEXT: u32 = 0;
const OTHER: u32 = 2;

struct Code<'r, 'c> {
    random: &'r mut Random,
    code: InstructionSink<'c>,
    /// Whether it may call the other function, which may not.
    calls: bool,
    /// Whether it writes little at once: what is marked by much hides what another instruction has not marked.
    quiet: bool,
}

impl Code<'_, '_> {
    fn local(&mut self) -> u32 {
        self.random.below(ADDRESSES.into()) as u32
    }

    fn number(&mut self) -> i32 {
        let exact = [0, 1, 4, 1023, 1024, 4095, 4096, 65535, -1, -8, -1024, -4096, INSIDE, INSIDE - 3];
        match self.random.below(3) {
            0 => self.random.one(&exact),
            1 => self.random.below(INSIDE as u64) as i32,
            _ => self.random.next() as i32,
        }
    }

    /// Some number.
    fn value(&mut self, depth: u32) {
        match self.random.below(if depth == 0 { 2 } else { 7 }) {
            0 => {
                let local = self.local();
                self.code.local_get(local);
            }
            1 => {
                let number = self.number();
                self.code.i32_const(number);
            }
            2 => {
                self.value(depth - 1);
                self.value(depth - 1);
                match self.random.below(4) {
                    0 => self.code.i32_add(),
                    1 => self.code.i32_sub(),
                    2 => self.code.i32_mul(),
                    _ => self.code.i32_xor(),
                };
            }
            3 => {
                let (local, number) = (self.local(), self.number());
                self.code.local_get(local).i32_const(number).i32_add();
            }
            4 => {
                let (local, offset) = (self.local(), self.random.below(2000));
                self.code.local_get(local).i32_const(INSIDE >> 1).i32_and();
                self.code.i32_load(MemArg { offset, align: 0, memory_index: 0 });
            }
            5 => {
                self.value(depth - 1);
                let local = self.local();
                self.code.local_tee(local);
            }
            _ => {
                self.value(depth - 1);
                self.value(depth - 1);
                self.value(depth - 1);
                self.code.select();
            }
        }
    }

    /// Some place, mostly within the memory.
    fn address(&mut self) {
        match self.random.below(8) {
            0..=3 => {
                let local = self.local();
                self.code.local_get(local);
            }
            4 => {
                let (local, number) = (self.local(), self.random.one(&[-16, -1, 1, 8, 24, 1000, 1024, 4096]));
                self.code.local_get(local).i32_const(number).i32_add();
            }
            5 => {
                let number = self.random.below(INSIDE as u64) as i32;
                self.code.i32_const(number);
            }
            6 => {
                // From just below 4 GiB on to the beginning.
                let (local, most) = (self.local(), self.random.below(5000) as i32);
                self.code.i32_const(-1 - most).local_set(local);
                self.code.local_get(local).i32_const(most + 1 + 64).i32_add();
            }
            _ => {
                self.value(2);
                self.code.i32_const(INSIDE).i32_and();
            }
        }
    }

    fn store(&mut self) {
        self.address();
        self.store_there();
    }

    fn store_at(&mut self, local: u32) {
        self.code.local_get(local);
        self.store_there();
    }

    /// The address is on the stack.
    fn store_there(&mut self) {
        let offsets = [0, 0, 0, 1, 8, 12, 100, 1000, 1009, 1016, 1020, 1023, 1024, 1030, 2040, 2047, 2048, 4090, 5000, 65535];
        let memarg = MemArg { offset: self.random.one(&offsets), align: 0, memory_index: 0 };
        let kind = self.random.below(13);
        match kind {
            0..=3 => {
                self.value(1);
                match kind {
                    0 => self.code.i32_store8(memarg),
                    1 => self.code.i32_store16(memarg),
                    _ => self.code.i32_store(memarg),
                };
            }
            4..=8 => {
                self.code.local_get(LONG);
                match kind {
                    4 => self.code.i64_store8(memarg),
                    5 => self.code.i64_store16(memarg),
                    6 => self.code.i64_store32(memarg),
                    _ => self.code.i64_store(memarg),
                };
            }
            9 => {
                self.code.local_get(FLOAT).f64_store(memarg);
            }
            10 => {
                self.value(0);
                self.code.f32_reinterpret_i32().f32_store(memarg);
            }
            11 => {
                self.code.local_get(WIDE).v128_store(memarg);
            }
            _ => {
                self.code.local_get(WIDE).v128_store64_lane(memarg, 1);
            }
        }
    }

    fn bulk(&mut self) {
        let most = self.random.one(&[0, 1, 16, 1024, 5000, 20000, 200_000]);
        let length = self.random.below(most + 1) as i32;
        match self.random.below(3) {
            0 => {
                self.address();
                self.value(0);
                self.code.i32_const(length).memory_fill(0);
            }
            1 => {
                self.address();
                self.address();
                self.code.i32_const(length).memory_copy(0, 0);
            }
            _ => {
                self.address();
                let from = self.random.below(100) as i32;
                self.code.i32_const(from).i32_const(length % 3000).memory_init(0, 0);
            }
        }
    }

    /// The host answers where it is told.
    fn ask(&mut self) {
        let most = self.random.one(&[1, 40, 5000, 70000]);
        let length = self.random.below(most) as i32;
        self.code.i32_const(length);
        self.address();
        self.code.i32_const(INSIDE & !3).i32_and().call(TEXT);
    }

    fn begin_loop(&mut self) {
        self.code.loop_(BlockType::Empty);
        // So often, and no more.
        self.code.local_get(FUEL).i32_eqz().if_(BlockType::Empty).i32_const(7).return_().end();
        self.code.local_get(FUEL).i32_const(1).i32_sub().local_set(FUEL);
    }

    /// An address that goes on in a loop, and is written to before, in each part of it, and behind.
    fn walk(&mut self, depth: u32) {
        let (local, begin) = (self.local(), self.random.below(INSIDE as u64) as i32);
        let step = self.random.one(&[1, 700, 1500, 4096, 5000, 20000, -3000]);
        self.code.i32_const(begin).local_set(local);
        self.store_at(local);
        self.begin_loop();
        if self.random.below(3) > 0 {
            self.store_at(local);
        }
        if depth > 0 && self.random.below(4) == 0 {
            self.statement(depth - 1);
        }
        // Set where it always is, within a block, or by a loop that is within this one.
        match self.random.below(3) {
            0 => self.code.local_get(local).i32_const(step).i32_add().local_set(local),
            1 => self.code.block(BlockType::Empty).local_get(local).i32_const(step).i32_add().local_set(local).end(),
            _ => self.code.loop_(BlockType::Empty).local_get(local).i32_const(step).i32_add().local_set(local).end(),
        };
        if self.random.below(3) == 0 {
            self.store_at(local);
        }
        self.code.local_get(FUEL).i32_const(7).i32_and().br_if(0).end();
        self.store_at(local);
    }

    fn statement(&mut self, depth: u32) {
        match self.random.below(if depth == 0 { 13 } else { 18 }) {
            0..=5 => self.store(),
            6 | 7 => {
                self.value(2);
                if self.random.below(4) > 0 {
                    self.code.i32_const(INSIDE).i32_and();
                }
                let local = self.local();
                self.code.local_set(local);
            }
            8 | 9 if self.quiet => self.store(),
            8 => self.bulk(),
            9 => self.ask(),
            10 if self.random.below(8) == 0 => {
                self.code.i32_const(1).memory_grow(0).drop();
            }
            10 => {
                let (to, from) = (self.local(), self.local());
                self.code.local_get(from).local_set(to);
            }
            11 if self.calls => {
                self.value(0);
                self.value(0);
                let local = self.local();
                self.code.call(OTHER).local_set(local);
            }
            11 => self.store(),
            12 => self.walk(depth),
            13 | 14 => {
                self.begin_loop();
                self.statements(depth - 1);
                self.value(1);
                self.code.i32_const(3).i32_and().br_if(0).end();
            }
            15 => {
                self.code.block(BlockType::Empty);
                self.statements(depth - 1);
                self.value(1);
                self.code.i32_const(1).i32_and().br_if(0);
                self.statements(depth - 1);
                if self.random.below(4) == 0 {
                    self.code.br(0);
                    self.store();
                }
                self.code.end();
            }
            16 => {
                self.value(1);
                self.code.i32_const(1).i32_and().if_(BlockType::Result(ValType::I32));
                self.statements(depth - 1);
                self.value(1);
                self.code.else_();
                self.statements(depth - 1);
                self.value(1);
                self.code.end();
                let local = self.local();
                self.code.local_set(local);
            }
            _ => {
                self.value(1);
                self.code.i32_const(1).i32_and().if_(BlockType::Empty);
                self.statements(depth - 1);
                self.code.end();
            }
        }
    }

    fn statements(&mut self, depth: u32) {
        for _ in 0..1 + self.random.below(5) {
            self.statement(depth);
        }
    }
}

fn body(random: &mut Random, calls: bool, quiet: bool) -> Function {
    let i32s = ADDRESSES - ARGUMENTS;
    let mut function =
        Function::new([(i32s, ValType::I32), (1, ValType::I64), (1, ValType::F64), (1, ValType::V128), (1, ValType::I32)]);
    let mut code = Code { random, code: function.instructions(), calls, quiet };
    for local in 0..ADDRESSES {
        let number = code.random.next() as i32;
        code.code.local_get(local % ARGUMENTS).i32_const(number).i32_xor().i32_const(INSIDE).i32_and().local_set(local);
    }
    let number = code.random.next() as i64 | 0x0101_0101_0101_0101;
    code.code.i64_const(number).local_tee(LONG).f64_reinterpret_i64().local_set(FLOAT);
    code.code.local_get(LONG).i64x2_splat().local_set(WIDE).i32_const(60).local_set(FUEL);
    for _ in 0..if quiet { 1 } else { 6 } {
        code.statements(3);
    }
    code.code.local_get(0).local_get(1).i32_xor().end();
    function
}

fn code_module(random: &mut Random) -> Module {
    let mut types = TypeSection::new();
    types.ty().function([ValType::I32; 2], []);
    types.ty().function([ValType::I32; 2], [ValType::I32]);
    let mut imports = ImportSection::new();
    imports.import("host", "text", EntityType::Function(0));
    let memory = MemoryType { minimum: 1, maximum: None, memory64: false, shared: false, page_size_log2: None };
    imports.import("memory", "memory", EntityType::Memory(memory));
    let mut functions = FunctionSection::new();
    functions.function(1).function(1);
    let mut exports = ExportSection::new();
    exports.export("run", ExportKind::Func, 1);
    let mut bodies = CodeSection::new();
    let quiet = random.below(2) == 0;
    bodies.function(&body(random, true, quiet)).function(&body(random, false, quiet));
    let mut data = DataSection::new();
    data.passive((0..2000u32).map(|i| i as u8 | 1));
    data.active(0, &ConstExpr::i32_const(random.below(0x7f000) as i32), (0..random.below(2000) as u32).map(|i| !i as u8));
    let mut module = Module::new();
    module.section(&types).section(&imports).section(&functions).section(&exports);
    module.section(&DataCountSection { count: 2 }).section(&bodies).section(&data);
    module
}

/// Imports `text: func(u32) -> string` and exports `run: func(u32, u32) -> u32`.
pub fn component(random: &mut Random) -> Vec<u8> {
    let mut b = ComponentBuilder::default();
    let u32 = ComponentValType::Primitive(PrimitiveValType::U32);
    let (text_type, mut ty) = b.ty(None);
    ty.function().params([("n", u32)]).result(Some(ComponentValType::Primitive(PrimitiveValType::String)));
    let text = b.import("text", ComponentTypeRef::Func(text_type));
    let memory_module = b.core_module(None, &memory_module(random));
    let code_module = b.core_module(None, &code_module(random));
    let own = b.core_instantiate(None, memory_module, Vec::<(&str, ModuleArg)>::new());
    let memory = b.core_alias_export(None, own, "memory", ExportKind::Memory);
    let realloc = b.core_alias_export(None, own, "any name", ExportKind::Func);
    let lowered = b.lower_func(
        None,
        text,
        [CanonicalOption::UTF8, CanonicalOption::Memory(memory), CanonicalOption::Realloc(realloc)],
    );
    let host = b.core_instantiate_exports(None, [("text", ExportKind::Func, lowered)]);
    let code = b.core_instantiate(
        None,
        code_module,
        [("host", ModuleArg::Instance(host)), ("memory", ModuleArg::Instance(own))],
    );
    let run = b.core_alias_export(None, code, "run", ExportKind::Func);
    let (run_type, mut ty) = b.ty(None);
    ty.function().params([("a", u32), ("b", u32)]).result(Some(u32));
    let lifted = b.lift_func(None, run, run_type, Vec::<CanonicalOption>::new());
    b.export("run", ComponentExportKind::Func, lifted, None);
    b.finish()
}
