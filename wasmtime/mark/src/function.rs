//! One function: before it writes to the memory, it marks what it is going to write.
//!
//! What is marked already need not be marked again. A mark of address A lets everything up to A + SLACK be written, so
//! stores at offsets of one variable share a mark, as long as the variable keeps its value and the first of them comes
//! before the others on every way there. An address that was added to in the code may have begun anew at 0, behind 4 GiB,
//! which an instruction's own offset cannot: so these are different addresses.
use std::collections::HashSet;

use wasm_encoder::{Encode, Function, Instruction, InstructionSink, ValType};
use wasmparser::{FuncValidator, FunctionBody, Operator, ValidatorResources};

use crate::routines::mark_address;
use crate::{refuse, Result, SLACK};

/// What a function has to know of its module.
pub struct Surroundings<'a> {
    /// The memory that is its marks.
    pub marks: u32,
    /// The function that marks a range.
    pub mark_range: u32,
    /// Of imported functions, what is called instead.
    pub instead: &'a dyn Fn(u32) -> u32,
}

/// A value, as far as it is known.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Value {
    Unknown,
    Constant(u32),
    /// What the variable had when it was set for the `version`th time, and so much more, beyond 4 GiB from 0 on.
    Variable { local: u32, version: u32, plus: u32 },
}

impl Value {
    fn plus(self, more: u32) -> Value {
        match self {
            Value::Unknown => Value::Unknown,
            Value::Constant(c) => Value::Constant(c.wrapping_add(more)),
            Value::Variable { local, version, plus } => {
                Value::Variable { local, version, plus: plus.wrapping_add(more) }
            }
        }
    }
}

/// A mark that was made: of this value and so many times SLACK more.
type Mark = (Value, u64);

/// A block that is open.
struct Block {
    /// Marks made before it: those that hold behind it.
    marks: usize,
}

/// An instruction that writes: where, beside the address, and how much.
struct Store {
    offset: u64,
    width: u64,
    value: ValType,
}

struct Rewriter<'a, 'm> {
    around: &'m Surroundings<'a>,
    code: Vec<u8>,
    first_local: u32,
    added: Vec<ValType>,
    stack: Vec<Value>,
    versions: Vec<u32>,
    version: u32,
    blocks: Vec<Block>,
    marked: HashSet<Mark>,
    /// The same in the order in which they were made.
    order: Vec<Mark>,
    /// For each loop, in the order in which they begin: the variables that it sets.
    loops: std::vec::IntoIter<Vec<u32>>,
}

fn store(operator: &Operator<'_>) -> Option<Store> {
    use Operator::*;
    let (memarg, width, value) = match operator {
        I32Store { memarg } => (memarg, 4, ValType::I32),
        I32Store16 { memarg } => (memarg, 2, ValType::I32),
        I32Store8 { memarg } => (memarg, 1, ValType::I32),
        I64Store { memarg } => (memarg, 8, ValType::I64),
        I64Store32 { memarg } => (memarg, 4, ValType::I64),
        I64Store16 { memarg } => (memarg, 2, ValType::I64),
        I64Store8 { memarg } => (memarg, 1, ValType::I64),
        F32Store { memarg } => (memarg, 4, ValType::F32),
        F64Store { memarg } => (memarg, 8, ValType::F64),
        V128Store { memarg } => (memarg, 16, ValType::V128),
        V128Store8Lane { memarg, .. } => (memarg, 1, ValType::V128),
        V128Store16Lane { memarg, .. } => (memarg, 2, ValType::V128),
        V128Store32Lane { memarg, .. } => (memarg, 4, ValType::V128),
        V128Store64Lane { memarg, .. } => (memarg, 8, ValType::V128),
        _ => return None,
    };
    Some(Store { offset: memarg.offset, width, value })
}

fn declared_type(ty: wasmparser::ValType) -> Result<ValType> {
    Ok(match ty {
        wasmparser::ValType::I32 => ValType::I32,
        wasmparser::ValType::I64 => ValType::I64,
        wasmparser::ValType::F32 => ValType::F32,
        wasmparser::ValType::F64 => ValType::F64,
        wasmparser::ValType::V128 => ValType::V128,
        wasmparser::ValType::Ref(wasmparser::RefType::FUNCREF) => ValType::FUNCREF,
        wasmparser::ValType::Ref(_) => return refuse("a variable of a type that is not known"),
    })
}

/// The variables that each loop sets, those within it included.
fn variables_of_loops(body: &FunctionBody<'_>) -> Result<Vec<Vec<u32>>> {
    let (mut all, mut open): (Vec<Vec<u32>>, Vec<Option<usize>>) = (Vec::new(), vec![None]);
    let mut operators = body.get_operators_reader()?;
    let innermost = |open: &[Option<usize>]| open.iter().rev().find_map(|at| *at);
    while !operators.eof() {
        match operators.read()? {
            Operator::Block { .. } | Operator::If { .. } => open.push(None),
            Operator::Loop { .. } => {
                open.push(Some(all.len()));
                all.push(Vec::new());
            }
            Operator::LocalSet { local_index } | Operator::LocalTee { local_index } => {
                if let Some(at) = innermost(&open) {
                    all[at].push(local_index);
                }
            }
            Operator::End => {
                let Some(Some(at)) = open.pop() else { continue };
                all[at].sort_unstable();
                all[at].dedup();
                if let Some(outer) = innermost(&open) {
                    let inner = all[at].clone();
                    all[outer].extend(inner);
                }
            }
            _ => {}
        }
    }
    Ok(all)
}

impl Rewriter<'_, '_> {
    fn emit(&mut self, code: impl FnOnce(&mut InstructionSink<'_>)) {
        code(&mut InstructionSink::new(&mut self.code));
    }

    /// A variable of its own for the `nth` value that is put aside at once.
    fn aside(&mut self, ty: ValType, nth: usize) -> u32 {
        let mut same = self.added.iter().enumerate().filter(|(_, t)| **t == ty).map(|(i, _)| i);
        let at = match same.nth(nth) {
            Some(at) => at,
            None => {
                let have = self.added.iter().filter(|t| **t == ty).count();
                (have..=nth).for_each(|_| self.added.push(ty));
                self.added.len() - 1
            }
        };
        self.first_local + at as u32
    }

    fn pop(&mut self) -> Value {
        self.stack.pop().unwrap_or(Value::Unknown)
    }

    fn set(&mut self, local: u32) {
        self.version += 1;
        self.versions[local as usize] = self.version;
    }

    fn variable(&self, local: u32) -> Value {
        Value::Variable { local, version: self.versions[local as usize], plus: 0 }
    }

    /// Before a store, with address and value on the stack.
    fn before_store(&mut self, store: &Store) {
        let at = self.stack.len().checked_sub(2).map_or(Value::Unknown, |at| self.stack[at]);
        let (window, within) = (store.offset / u64::from(SLACK), store.offset % u64::from(SLACK));
        let fits = within + store.width <= u64::from(SLACK);
        if fits && self.marked.contains(&(at, window)) {
            return;
        }
        let marks = self.around.marks;
        // Where nothing is written by a store beyond 4 GiB, which fails, any mark will do.
        let plus = if fits { window * u64::from(SLACK) } else { store.offset } as u32;
        match at {
            Value::Constant(c) => self.emit(|code| {
                code.i32_const(c.wrapping_add(plus) as i32);
                mark_address(code, marks);
            }),
            Value::Variable { local, version, plus: added } if self.versions[local as usize] == version => {
                let plus = added.wrapping_add(plus) as i32;
                self.emit(|code| {
                    code.local_get(local);
                    if plus != 0 {
                        code.i32_const(plus).i32_add();
                    }
                    mark_address(code, marks);
                });
            }
            _ => {
                self.mark_unknown(store.value, plus as i32);
                return;
            }
        }
        if fits && self.marked.insert((at, window)) {
            self.order.push((at, window));
        }
    }

    fn mark_unknown(&mut self, ty: ValType, plus: i32) {
        let address = self.aside(ValType::I32, 0);
        let value = self.aside(ty, usize::from(ty == ValType::I32));
        let marks = self.around.marks;
        self.emit(|code| {
            code.local_set(value).local_tee(address).local_get(address);
            if plus != 0 {
                code.i32_const(plus).i32_add();
            }
            mark_address(code, marks);
            code.local_get(value);
        });
    }

    /// Before memory.fill, memory.copy and memory.init, with address, value or source, and length on the stack.
    fn before_bulk(&mut self) {
        let (address, other, length) =
            (self.aside(ValType::I32, 0), self.aside(ValType::I32, 1), self.aside(ValType::I32, 2));
        let mark_range = self.around.mark_range;
        self.emit(|code| {
            code.local_set(length).local_set(other).local_tee(address).local_get(length).call(mark_range);
            code.local_get(address).local_get(other).local_get(length);
        });
    }

    fn forget_marks(&mut self, since: usize) {
        for mark in self.order.drain(since..) {
            self.marked.remove(&mark);
        }
    }

    /// Whatever else the operator does: what it means for which marks hold.
    fn follow_blocks(&mut self, operator: &Operator<'_>) -> Result<()> {
        match operator {
            Operator::Block { .. } | Operator::If { .. } => self.blocks.push(Block { marks: self.order.len() }),
            Operator::Loop { .. } => {
                self.blocks.push(Block { marks: self.order.len() });
                // It may have come from its end.
                for local in self.loops.next().unwrap_or_default() {
                    self.set(local);
                }
            }
            Operator::Else => match self.blocks.last() {
                Some(block) => self.forget_marks(block.marks),
                None => return refuse("an else without a block"),
            },
            Operator::End => match self.blocks.pop() {
                Some(block) => self.forget_marks(block.marks),
                None => return refuse("an end without a block"),
            },
            _ => {}
        }
        Ok(())
    }

    /// What lies on the stack after it; what it takes and gives are counted by the validator.
    fn follow_values(&mut self, operator: &Operator<'_>, takes: u32, gives: u32) {
        match *operator {
            Operator::LocalGet { local_index } => self.stack.push(self.variable(local_index)),
            Operator::I32Const { value } => self.stack.push(Value::Constant(value as u32)),
            Operator::LocalSet { local_index } => {
                self.pop();
                self.set(local_index);
            }
            Operator::LocalTee { local_index } => {
                self.pop();
                self.set(local_index);
                self.stack.push(self.variable(local_index));
            }
            Operator::I32Add => {
                let sum = match (self.pop(), self.pop()) {
                    (Value::Constant(c), other) | (other, Value::Constant(c)) => other.plus(c),
                    _ => Value::Unknown,
                };
                self.stack.push(sum);
            }
            Operator::I32Sub => {
                let (right, left) = (self.pop(), self.pop());
                self.stack.push(match right {
                    Value::Constant(c) => left.plus(c.wrapping_neg()),
                    _ => Value::Unknown,
                });
            }
            _ => {
                self.stack.truncate(self.stack.len().saturating_sub(takes as usize));
                self.stack.resize(self.stack.len() + gives as usize, Value::Unknown);
            }
        }
    }

    /// The operator as it is, or with another function.
    fn copy(&mut self, operator: &Operator<'_>, bytes: &[u8]) {
        let instead = self.around.instead;
        match *operator {
            Operator::Call { function_index } => Instruction::Call(instead(function_index)).encode(&mut self.code),
            Operator::ReturnCall { function_index } => {
                Instruction::ReturnCall(instead(function_index)).encode(&mut self.code)
            }
            Operator::RefFunc { function_index } => Instruction::RefFunc(instead(function_index)).encode(&mut self.code),
            _ => self.code.extend(bytes),
        }
    }
}

/// The function's body. The validator has seen nothing of it yet.
pub fn rewrite(
    validator: &mut FuncValidator<ValidatorResources>,
    body: &FunctionBody<'_>,
    around: &Surroundings<'_>,
) -> Result<Function> {
    validator.read_locals(&mut body.get_binary_reader())?;
    let locals = validator.len_locals();
    let mut rewriter = Rewriter {
        around,
        code: Vec::with_capacity(body.range().len() * 2),
        first_local: locals,
        added: Vec::new(),
        stack: Vec::new(),
        versions: vec![0; locals as usize],
        version: 0,
        blocks: vec![Block { marks: 0 }],
        marked: HashSet::new(),
        order: Vec::new(),
        loops: variables_of_loops(body)?.into_iter(),
    };
    let whole = body.get_binary_reader_for_operators()?;
    let base = whole.original_position();
    let mut all = whole.clone();
    let bytes = all.read_bytes(all.bytes_remaining())?;
    let mut operators = body.get_operators_reader()?;
    while !operators.eof() {
        let (operator, offset) = operators.read_with_offset()?;
        let text = &bytes[offset - base..operators.original_position() - base];
        if let Some(store) = store(&operator) {
            rewriter.before_store(&store);
        } else if matches!(
            operator,
            Operator::MemoryFill { .. } | Operator::MemoryCopy { .. } | Operator::MemoryInit { .. }
        ) {
            rewriter.before_bulk();
        }
        rewriter.copy(&operator, text);
        let Some((takes, gives)) = operator.operator_arity(validator) else {
            return refuse(format!("an instruction that is not known: {operator:?}"));
        };
        validator.op(offset, &operator)?;
        rewriter.follow_values(&operator, takes, gives);
        rewriter.follow_blocks(&operator)?;
        let height = validator.operand_stack_height() as usize;
        if rewriter.stack.len() != height {
            // Behind a branch nothing is reached, and what lies there is anything.
            rewriter.stack = vec![Value::Unknown; height];
        }
    }
    let mut declared = Vec::new();
    for local in body.get_locals_reader()? {
        let (count, ty) = local?;
        declared.push((count, declared_type(ty)?));
    }
    declared.extend(rewriter.added.iter().map(|ty| (1, *ty)));
    let mut function = Function::new(declared);
    function.raw(rewriter.code);
    Ok(function)
}
