//! How many bytes the host writes at the address that a guest gives it: a result's, as the canonical ABI lays it out.
use std::collections::HashMap;

use wasmparser::component_types::{ComponentDefinedType, ComponentDefinedTypeId, ComponentValType};
use wasmparser::types::TypesRef;
use wasmparser::PrimitiveValType;

use crate::{refuse, Result};

/// Size and alignment.
type Layout = (u64, u64);

pub struct Sizes<'a> {
    types: TypesRef<'a>,
    known: HashMap<ComponentDefinedTypeId, Layout>,
}

fn round(size: u64, to: u64) -> u64 {
    size.saturating_add(to - 1) / to * to
}

fn flags(count: usize) -> Layout {
    match count {
        0 => (0, 1),
        1..=8 => (1, 1),
        9..=16 => (2, 2),
        _ => (4 * (count as u64).div_ceil(32), 4),
    }
}

fn cases(count: usize) -> Layout {
    match count {
        0..=0x100 => (1, 1),
        0x101..=0x10000 => (2, 2),
        _ => (4, 4),
    }
}

impl<'a> Sizes<'a> {
    pub fn new(types: TypesRef<'a>) -> Self {
        Self { types, known: HashMap::new() }
    }

    pub fn of(&mut self, ty: &ComponentValType) -> Result<u64> {
        Ok(self.layout(ty)?.0)
    }

    fn layout(&mut self, ty: &ComponentValType) -> Result<Layout> {
        let id = match ty {
            ComponentValType::Primitive(ty) => return Self::primitive(*ty),
            ComponentValType::Type(id) => *id,
        };
        if let Some(known) = self.known.get(&id) {
            return Ok(*known);
        }
        let layout = self.defined(id)?;
        self.known.insert(id, layout);
        Ok(layout)
    }

    fn primitive(ty: PrimitiveValType) -> Result<Layout> {
        use PrimitiveValType::*;
        Ok(match ty {
            Bool | S8 | U8 => (1, 1),
            S16 | U16 => (2, 2),
            S32 | U32 | F32 | Char => (4, 4),
            S64 | U64 | F64 => (8, 8),
            String => (8, 4),
            ErrorContext => return refuse("a function of the host gives an error-context"),
        })
    }

    fn record<'t>(&mut self, fields: impl Iterator<Item = &'t ComponentValType>) -> Result<Layout> {
        let (mut size, mut align) = (0, 1);
        for field in fields {
            let (more, to) = self.layout(field)?;
            size = round(size, to).saturating_add(more);
            align = align.max(to);
        }
        Ok((round(size, align), align))
    }

    fn variant<'t>(
        &mut self,
        count: usize,
        payloads: impl Iterator<Item = Option<&'t ComponentValType>>,
    ) -> Result<Layout> {
        let (case, mut align) = cases(count);
        let mut largest = 0;
        for payload in payloads.flatten() {
            let (size, to) = self.layout(payload)?;
            largest = largest.max(size);
            align = align.max(to);
        }
        Ok((round(round(case, align).saturating_add(largest), align), align))
    }

    fn defined(&mut self, id: ComponentDefinedTypeId) -> Result<Layout> {
        let types = self.types;
        match &types[id] {
            ComponentDefinedType::Primitive(ty) => Self::primitive(*ty),
            ComponentDefinedType::Record(record) => self.record(record.fields.values()),
            ComponentDefinedType::Tuple(tuple) => self.record(tuple.types.iter()),
            ComponentDefinedType::Variant(variant) => {
                self.variant(variant.cases.len(), variant.cases.values().map(|case| case.ty.as_ref()))
            }
            ComponentDefinedType::Option { ty, .. } => self.variant(2, [None, Some(ty)].into_iter()),
            ComponentDefinedType::Result { ok, err, .. } => self.variant(2, [ok.as_ref(), err.as_ref()].into_iter()),
            ComponentDefinedType::Enum(names) => Ok(cases(names.len())),
            ComponentDefinedType::Flags(names) => Ok(flags(names.len())),
            ComponentDefinedType::List { .. } => Ok((8, 4)),
            ComponentDefinedType::Own(_) | ComponentDefinedType::Borrow(_) => Ok((4, 4)),
            _ => refuse("a function of the host gives a type that is not known"),
        }
    }
}
