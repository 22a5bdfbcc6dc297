//! Functions that a module gets in addition.
use wasm_encoder::{BlockType, Function, InstructionSink, MemArg, ValType};

use crate::{CARD_SHIFT, MARKS};

/// A byte of the marks, which are memory `marks`.
pub fn mark_byte(marks: u32) -> MemArg {
    MemArg { offset: 0, align: 0, memory_index: marks }
}

/// Of the address on the stack: set the mark.
pub fn mark_address(code: &mut InstructionSink<'_>, marks: u32) {
    code.i32_const(CARD_SHIFT as i32).i32_shr_u();
    mark_card(code, marks);
}

/// Of the card's number on the stack.
fn mark_card(code: &mut InstructionSink<'_>, marks: u32) {
    code.i32_const(MARKS as i32 - 1).i32_and().i32_const(1).i32_store8(mark_byte(marks));
}

/// So many cards one by one, more at once.
const FEW: i32 = 16;

/// (address, length): mark all that lies there. What reaches beyond 4 GiB does as well, since nobody writes it.
pub fn mark_range(marks: u32) -> Function {
    const ADDRESS: u32 = 0;
    const LENGTH: u32 = 1;
    const FIRST: u32 = 2;
    const COUNT: u32 = 3;
    let mut function = Function::new([(2, ValType::I32)]);
    let mut code = function.instructions();
    code.local_get(LENGTH).i32_eqz().if_(BlockType::Empty).return_().end();
    code.local_get(ADDRESS).i32_const(CARD_SHIFT as i32).i32_shr_u().local_set(FIRST);
    // The number of the last card, of at most 21 bits, less that of the first, and one.
    code.local_get(ADDRESS).i64_extend_i32_u().local_get(LENGTH).i64_extend_i32_u().i64_add().i64_const(1).i64_sub();
    code.i64_const(CARD_SHIFT.into()).i64_shr_u().i32_wrap_i64();
    code.local_get(FIRST).i32_sub().i32_const(1).i32_add().local_set(COUNT);

    code.local_get(COUNT).i32_const(FEW).i32_le_u().if_(BlockType::Empty);
    code.loop_(BlockType::Empty).local_get(FIRST);
    mark_card(&mut code, marks);
    code.local_get(FIRST).i32_const(1).i32_add().local_set(FIRST);
    code.local_get(COUNT).i32_const(1).i32_sub().local_tee(COUNT).br_if(0).end().return_().end();

    code.local_get(COUNT).i32_const(MARKS as i32).i32_ge_u().if_(BlockType::Empty);
    code.i32_const(0).i32_const(1).i32_const(MARKS as i32).memory_fill(marks).return_().end();

    // From its place to the end at most; the rest from the beginning. LENGTH becomes what is left.
    code.local_get(FIRST).i32_const(MARKS as i32 - 1).i32_and().local_set(FIRST);
    code.i32_const(MARKS as i32).local_get(FIRST).i32_sub().local_set(LENGTH);
    code.local_get(COUNT).local_get(LENGTH).i32_le_u().if_(BlockType::Empty);
    code.local_get(FIRST).i32_const(1).local_get(COUNT).memory_fill(marks).return_().end();
    code.local_get(FIRST).i32_const(1).local_get(LENGTH).memory_fill(marks);
    code.i32_const(0).i32_const(1).local_get(COUNT).local_get(LENGTH).i32_sub().memory_fill(marks);
    code.end();
    function
}

/// In the place of an imported function: what the host answers may lie where its last argument says.
pub fn import_wrapper(import: u32, params: u32, marks: u32) -> Function {
    let mut function = Function::new([]);
    let mut code = function.instructions();
    code.local_get(params - 1);
    mark_address(&mut code, marks);
    (0..params).for_each(|i| {
        code.local_get(i);
    });
    code.call(import).end();
    function
}

/// In the place of a function that the host calls to have memory (old address, old size, alignment, size): it writes to
/// what it gets.
pub fn realloc_wrapper(realloc: u32, mark_range: u32) -> Function {
    const SIZE: u32 = 3;
    const RESULT: u32 = 4;
    let mut function = Function::new([(1, ValType::I32)]);
    let mut code = function.instructions();
    (0..=SIZE).for_each(|i| {
        code.local_get(i);
    });
    code.call(realloc).local_tee(RESULT).local_get(SIZE).call(mark_range).local_get(RESULT).end();
    function
}
