//! Components that write down what they write.
//!
//! A request gets a fresh instance. Its memory need not be: if one that was used before is put back to what it was, nobody
//! can tell. What has to be put back is what was written, so each module that works on the memory gets another of one
//! page, its *marks*, with a byte for each 4 KiB of the first: before it stores, it sets that byte. Code cannot reach its
//! marks in any other way, since the component as it came has one memory and no name for a second.
//!
//! What is said here must hold for code whose author wants it not to. Where it is not shown that each write is marked, the
//! component is refused, runs as it came, and its memory is made anew each time. docs/reset.md has the argument.
//!
//! - `structure.rs` reads the component: which modules share the memory, and that nobody writes to it in another way.
//! - `abi.rs`: what the host writes where the guest says, and how long that is.
//! - `module.rs` rewrites a module, `function.rs` one function of it, `routines.rs` has those that are added.
//! - `image.rs`: what the memory holds when an instance begins, which is taken out of the modules.
mod abi;
mod function;
mod image;
mod module;
mod routines;
mod structure;

use std::fmt;

use wasm_encoder::{RawSection, Section};
use wasmparser::{Validator, WasmFeatures};

pub use image::Image;

/// A mark is for so many bytes of memory.
pub const CARD: u32 = 1 << CARD_SHIFT;
pub(crate) const CARD_SHIFT: u32 = 12;
/// Who puts a card back puts back so many bytes of the next as well: a mark need not be where a write ends.
pub const SLACK: u32 = 1024;
/// Bytes of marks. Cards so far apart share one.
pub const MARKS: u32 = 65536;

/// Why a component has to run as it is.
#[derive(Debug)]
pub struct Refusal(pub String);

pub(crate) type Result<T> = std::result::Result<T, Refusal>;

pub(crate) fn refuse<T>(why: impl Into<String>) -> Result<T> {
    Err(Refusal(why.into()))
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl From<wasmparser::BinaryReaderError> for Refusal {
    fn from(error: wasmparser::BinaryReaderError) -> Self {
        Refusal(error.to_string())
    }
}

/// What the memories of one instance are for, in the order in which instantiating makes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Role {
    Data = 0,
    Marks = 1,
}

/// A component that marks, and what its memory begins with.
pub struct Marked {
    pub component: Vec<u8>,
    pub memories: Vec<Role>,
    pub image: Image,
}

/// All that is understood here. What is not among it (threads, memories of 64 bits, more than one in a module, collected
/// values, exceptions, asynchronous functions) can write to memory in ways that nobody has looked at.
const UNDERSTOOD: WasmFeatures = WasmFeatures::empty()
    .union(WasmFeatures::MUTABLE_GLOBAL)
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::REFERENCE_TYPES)
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::BULK_MEMORY)
    .union(WasmFeatures::SIMD)
    .union(WasmFeatures::RELAXED_SIMD)
    .union(WasmFeatures::TAIL_CALL)
    .union(WasmFeatures::FLOATS)
    .union(WasmFeatures::EXTENDED_CONST)
    .union(WasmFeatures::WIDE_ARITHMETIC)
    .union(WasmFeatures::COMPONENT_MODEL);

/// Rewrite a component. It has been looked at before (`check.rs` of the crate that uses this one): types within types are
/// read by recursion here.
pub fn mark(component: &[u8]) -> Result<Marked> {
    let types = Validator::new_with_features(UNDERSTOOD).validate_all(component)?;
    let plan = structure::read(component, types.as_ref())?;
    let image = plan.image()?;
    let mut modules = plan.modules.iter().map(|module| match module.marks() {
        true => module::rewrite(module).map(Some),
        false => Ok(None),
    });
    let component = splice(component, &mut modules)?;
    Validator::new_with_features(UNDERSTOOD.union(WasmFeatures::MULTI_MEMORY)).validate_all(&component)?;
    Ok(Marked { component, memories: plan.memories(), image })
}

/// The component with other modules in the places of its own; None: that one stays.
fn splice(component: &[u8], modules: &mut dyn Iterator<Item = Result<Option<Vec<u8>>>>) -> Result<Vec<u8>> {
    const HEAD: usize = 8;
    const MODULE: u8 = 1;
    let mut out = component[..HEAD].to_vec();
    let mut reader = wasmparser::BinaryReader::new(&component[HEAD..], 0);
    while !reader.eof() {
        let start = reader.current_position();
        let id = reader.read_u8()?;
        let size = reader.read_var_u32()? as usize;
        reader.read_bytes(size)?;
        let other = if id == MODULE { modules.next().unwrap_or(Ok(None))? } else { None };
        match other {
            Some(module) => RawSection { id, data: &module }.append_to(&mut out),
            None => out.extend(&component[HEAD + start..HEAD + reader.current_position()]),
        }
    }
    Ok(out)
}
