//! A module: what has to be known of it, and how it is rewritten.
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use wasm_encoder::{
    CodeSection, ConstExpr, DataSection, ElementSection, Elements, Encode, ExportKind, ExportSection, Function, HeapType,
    MemorySection, MemoryType, RawSection, RefType, Section, SectionId, TypeSection, ValType,
};
use wasmparser::{
    BinaryReader, DataKind, ElementItems, ElementKind, ExternalKind, FuncType, FuncValidatorAllocations, FunctionBody,
    Operator, Parser, Payload, TypeRef, ValidPayload, Validator,
};

use crate::function::{self, Surroundings};
use crate::image::Segment;
use crate::{refuse, routines, Result, UNDERSTOOD};

/// How a module comes to the memory.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// Its own, of so many bytes at first.
    Defines(u64),
    Imports,
    None,
}

pub struct Module<'a> {
    pub bytes: &'a [u8],
    pub memory: Memory,
    pub starts: bool,
    /// Where its tables come from.
    pub table_imports: Vec<(&'a str, &'a str)>,
    /// Each of its functions hands its arguments on, as they are, and does nothing else, or has to do with no function.
    pub forwards: bool,
    /// Data that its memory begins with.
    pub segments: Vec<Segment<'a>>,
    types: Vec<FuncType>,
    /// By index: the type of each function, imported ones first.
    functions: Vec<u32>,
    imported_functions: u32,
    exports: BTreeMap<&'a str, u32>,
    /// Exports that the host calls to have memory.
    pub reallocs: BTreeSet<String>,
}

impl<'a> Module<'a> {
    pub fn read(bytes: &'a [u8]) -> Result<Module<'a>> {
        let mut module = Module {
            bytes,
            memory: Memory::None,
            starts: false,
            table_imports: Vec::new(),
            forwards: true,
            segments: Vec::new(),
            types: Vec::new(),
            functions: Vec::new(),
            imported_functions: 0,
            exports: BTreeMap::new(),
            reallocs: BTreeSet::new(),
        };
        let mut bodies = 0;
        for payload in Parser::new(0).parse_all(bytes) {
            match payload? {
                Payload::CodeSectionEntry(body) => {
                    let function = module.imported_functions as usize + bodies;
                    module.forwards =
                        module.forwards && (is_alone(&body)? || module.is_forwarder(function, &body)?);
                    bodies += 1;
                }
                payload => module.section(payload)?,
            }
        }
        Ok(module)
    }

    /// Whether it works on the memory, and has to mark.
    pub fn marks(&self) -> bool {
        self.memory != Memory::None
    }

    fn section(&mut self, payload: Payload<'a>) -> Result<()> {
        match payload {
            Payload::TypeSection(types) => {
                for ty in types.into_iter_err_on_gc_types() {
                    self.types.push(ty?);
                }
            }
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    let import = import?;
                    self.import(import.module, import.name, import.ty)?;
                }
            }
            Payload::FunctionSection(functions) => {
                for ty in functions {
                    self.functions.push(ty?);
                }
            }
            Payload::MemorySection(memories) => {
                for memory in memories {
                    self.memory = Memory::Defines(memory?.initial << 16);
                }
            }
            Payload::GlobalSection(globals) => {
                for global in globals {
                    if let wasmparser::ValType::Ref(_) = global?.ty.content_type {
                        return refuse("it has a global variable for a function");
                    }
                }
            }
            Payload::ExportSection(exports) => {
                for export in exports {
                    let export = export?;
                    if export.kind == ExternalKind::Func {
                        self.exports.insert(export.name, export.index);
                    }
                }
            }
            Payload::StartSection { .. } => self.starts = true,
            Payload::DataSection(segments) => {
                for segment in segments {
                    let segment = segment?;
                    let DataKind::Active { offset_expr, .. } = segment.kind else { continue };
                    self.segments.push(Segment { offset: constant(offset_expr)?, data: segment.data });
                }
            }
            Payload::TagSection(_) => return refuse("it has exceptions"),
            _ => {}
        }
        Ok(())
    }

    fn import(&mut self, from: &'a str, name: &'a str, ty: TypeRef) -> Result<()> {
        match ty {
            TypeRef::Func(ty) => {
                self.functions.push(ty);
                self.imported_functions += 1;
            }
            TypeRef::Table(_) => self.table_imports.push((from, name)),
            TypeRef::Memory(_) => self.memory = Memory::Imports,
            TypeRef::Global(ty) if matches!(ty.content_type, wasmparser::ValType::Ref(_)) => return refuse("it has a global variable for a function"),
            TypeRef::Global(_) => {}
            TypeRef::Tag(_) | TypeRef::FuncExact(_) => return refuse("it imports what is not known"),
        }
        Ok(())
    }

    fn type_of(&self, function: usize) -> Result<&FuncType> {
        match self.functions.get(function).and_then(|ty| self.types.get(*ty as usize)) {
            Some(ty) => Ok(ty),
            None => refuse("a function without a type"),
        }
    }

    /// Its arguments in their order, then one function of the very same type, and no more.
    fn is_forwarder(&self, function: usize, body: &FunctionBody<'_>) -> Result<bool> {
        let ty = self.type_of(function)?;
        let mut operators = body.get_operators_reader()?;
        for i in 0..ty.params().len() as u32 {
            if !matches!(operators.read()?, Operator::LocalGet { local_index } if local_index == i) {
                return Ok(false);
            }
        }
        let called = match operators.read()? {
            Operator::Call { function_index } | Operator::ReturnCall { function_index } => {
                self.type_of(function_index as usize)?
            }
            Operator::I32Const { .. } => match operators.read()? {
                Operator::CallIndirect { type_index, .. } | Operator::ReturnCallIndirect { type_index, .. } => {
                    match self.types.get(type_index as usize) {
                        Some(ty) => ty,
                        None => return Ok(false),
                    }
                }
                _ => return Ok(false),
            },
            _ => return Ok(false),
        };
        Ok(called == ty && matches!(operators.read()?, Operator::End) && operators.eof())
    }

    /// What the host answers lies where the last argument of such a function says: it has no result of its own.
    fn may_answer_in_memory(&self, import: u32) -> Result<bool> {
        let ty = self.type_of(import as usize)?;
        Ok(ty.results().is_empty() && ty.params().last() == Some(&wasmparser::ValType::I32))
    }
}

/// Whether a function calls none, and has none in its hands that it could give to somebody.
fn is_alone(body: &FunctionBody<'_>) -> Result<bool> {
    use Operator::*;
    for operator in body.get_operators_reader()? {
        match operator? {
            Call { .. } | CallIndirect { .. } | ReturnCall { .. } | ReturnCallIndirect { .. } => return Ok(false),
            RefFunc { .. } | TableGet { .. } | TableSet { .. } | TableGrow { .. } | TableFill { .. } => return Ok(false),
            TableCopy { .. } | TableInit { .. } | ElemDrop { .. } | CallRef { .. } | ReturnCallRef { .. } => return Ok(false),
            _ => {}
        }
    }
    Ok(true)
}

/// An address that is written out.
fn constant(expression: wasmparser::ConstExpr<'_>) -> Result<u64> {
    let mut operators = expression.get_operators_reader();
    match (operators.read()?, operators.read()?) {
        (Operator::I32Const { value }, Operator::End) => Ok(u64::from(value as u32)),
        _ => refuse("the place of its data is not constant"),
    }
}

/// The sections of a module, as they are.
fn sections(bytes: &[u8]) -> Result<BTreeMap<u8, &[u8]>> {
    const HEAD: usize = 8;
    let mut found = BTreeMap::new();
    let mut reader = BinaryReader::new(&bytes[HEAD..], 0);
    while !reader.eof() {
        let id = reader.read_u8()?;
        let size = reader.read_var_u32()? as usize;
        found.insert(id, reader.read_bytes(size)?);
    }
    Ok(found)
}

/// What a section has, and more behind it.
fn extended(section: Option<&&[u8]>, more: u32, what: &[u8]) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut reader = BinaryReader::new(section.map_or(&[0], |s| *s), 0);
    let count = reader.read_var_u32()?;
    (count + more).encode(&mut out);
    out.extend(reader.read_bytes(reader.bytes_remaining())?);
    out.extend(what);
    Ok(out)
}

/// The functions that a module gets in addition, at the end of its own.
struct Added {
    types: Vec<u32>,
    functions: Vec<Function>,
    /// By imported function and by export: what stands in its place.
    imports: BTreeMap<u32, u32>,
    reallocs: BTreeMap<String, u32>,
    mark_range: u32,
}

fn added(module: &Module<'_>, marks: u32) -> Result<Added> {
    let first = module.functions.len() as u32;
    let mut added = Added {
        types: vec![module.types.len() as u32],
        functions: vec![routines::mark_range(marks)],
        imports: BTreeMap::new(),
        reallocs: BTreeMap::new(),
        mark_range: first,
    };
    for import in 0..module.imported_functions {
        if module.may_answer_in_memory(import)? {
            let params = module.type_of(import as usize)?.params().len() as u32;
            added.imports.insert(import, first + added.functions.len() as u32);
            added.types.push(module.functions[import as usize]);
            added.functions.push(routines::import_wrapper(import, params, marks));
        }
    }
    for name in &module.reallocs {
        let Some(function) = module.exports.get(name.as_str()) else {
            return refuse("the host calls a function that is not there");
        };
        added.reallocs.insert(name.clone(), first + added.functions.len() as u32);
        added.types.push(module.functions[*function as usize]);
        added.functions.push(routines::realloc_wrapper(*function, added.mark_range));
    }
    Ok(added)
}

fn exports(section: &[u8], added: &Added) -> Result<ExportSection> {
    let instead = |f: u32| added.imports.get(&f).copied().unwrap_or(f);
    let mut out = ExportSection::new();
    for export in wasmparser::ExportSectionReader::new(BinaryReader::new(section, 0))? {
        let export = export?;
        match added.reallocs.get(export.name) {
            Some(wrapper) => out.export(export.name, ExportKind::Func, *wrapper),
            _ => match export.kind {
                ExternalKind::Func => out.export(export.name, ExportKind::Func, instead(export.index)),
                ExternalKind::Table => out.export(export.name, ExportKind::Table, export.index),
                ExternalKind::Memory => out.export(export.name, ExportKind::Memory, export.index),
                ExternalKind::Global => out.export(export.name, ExportKind::Global, export.index),
                _ => return refuse("it exports what is not known"),
            },
        };
    }
    Ok(out)
}

fn elements(section: &[u8], instead: &dyn Fn(u32) -> u32) -> Result<ElementSection> {
    let mut out = ElementSection::new();
    for segment in wasmparser::ElementSectionReader::new(BinaryReader::new(section, 0))? {
        let segment = segment?;
        let items = items(segment.items, instead)?;
        match segment.kind {
            ElementKind::Active { table_index, offset_expr } => {
                // An address: there is no function in it.
                let mut reader = offset_expr.get_binary_reader();
                let text = reader.read_bytes(reader.bytes_remaining())?;
                let Some((_end, text)) = text.split_last() else { return refuse("an expression without an end") };
                out.active(table_index, &ConstExpr::raw(text.iter().copied()), items);
            }
            ElementKind::Passive => {
                out.passive(items);
            }
            ElementKind::Declared => {
                out.declared(items);
            }
        }
    }
    Ok(out)
}

fn items(items: ElementItems<'_>, instead: &dyn Fn(u32) -> u32) -> Result<Elements<'static>> {
    match items {
        ElementItems::Functions(functions) => {
            let functions: std::result::Result<Vec<u32>, _> = functions.into_iter().map(|f| f.map(instead)).collect();
            Ok(Elements::Functions(functions?.into()))
        }
        ElementItems::Expressions(wasmparser::RefType::FUNCREF, expressions) => {
            let mut out = Vec::new();
            for expression in expressions {
                let mut operators = expression?.get_operators_reader();
                out.push(match (operators.read()?, operators.read()?) {
                    (Operator::RefFunc { function_index }, Operator::End) => ConstExpr::ref_func(instead(function_index)),
                    (Operator::RefNull { .. }, Operator::End) => ConstExpr::ref_null(HeapType::FUNC),
                    _ => return refuse("an element that is not known"),
                });
            }
            Ok(Elements::Expressions(RefType::FUNCREF, out.into()))
        }
        ElementItems::Expressions(..) => refuse("elements that are not known"),
    }
}

/// What was to be written when an instance begins is the image's now, and its segments are empty, as they are once they
/// have been written.
fn data(section: &[u8]) -> Result<DataSection> {
    let mut out = DataSection::new();
    for segment in wasmparser::DataSectionReader::new(BinaryReader::new(section, 0))? {
        let segment = segment?;
        match segment.kind {
            DataKind::Passive => out.passive(segment.data.iter().copied()),
            DataKind::Active { .. } => out.passive([]),
        };
    }
    Ok(out)
}

fn code(module: &Module<'_>, around: &Surroundings<'_>, added: &Added) -> Result<CodeSection> {
    let mut out = CodeSection::new();
    let mut validator = Validator::new_with_features(UNDERSTOOD);
    let allocations = RefCell::new(FuncValidatorAllocations::default());
    for payload in Parser::new(0).parse_all(module.bytes) {
        if let ValidPayload::Func(function, body) = validator.payload(&payload?)? {
            let mut of_function = function.into_validator(allocations.take());
            out.function(&function::rewrite(&mut of_function, &body, around)?);
            allocations.replace(of_function.into_allocations());
        }
    }
    added.functions.iter().for_each(|function| {
        out.function(function);
    });
    Ok(out)
}

/// The module with marks of its own.
pub fn rewrite(module: &Module<'_>) -> Result<Vec<u8>> {
    // It has one memory, and this is the next.
    const MARKS: u32 = 1;
    let added = added(module, MARKS)?;
    let instead = |f: u32| added.imports.get(&f).copied().unwrap_or(f);
    let around = Surroundings { marks: MARKS, mark_range: added.mark_range, instead: &instead };
    let old = sections(module.bytes)?;

    let mut types = TypeSection::new();
    types.ty().function([ValType::I32, ValType::I32], []);
    let mut memories = MemorySection::new();
    memories.memory(MemoryType { minimum: 1, maximum: Some(1), memory64: false, shared: false, page_size_log2: None });
    let functions = added.types.iter().fold(Vec::new(), |mut bytes, ty| {
        ty.encode(&mut bytes);
        bytes
    });
    let mut out = wasm_encoder::Module::new();
    let mut put = |id: SectionId, data: &[u8]| {
        out.section(&RawSection { id: id as u8, data });
    };
    put(SectionId::Type, &extended(old.get(&(SectionId::Type as u8)), 1, &entries(&types)?)?);
    old.get(&(SectionId::Import as u8)).into_iter().for_each(|bytes| put(SectionId::Import, bytes));
    let count = added.types.len() as u32;
    put(SectionId::Function, &extended(old.get(&(SectionId::Function as u8)), count, &functions)?);
    old.get(&(SectionId::Table as u8)).into_iter().for_each(|bytes| put(SectionId::Table, bytes));
    put(SectionId::Memory, &extended(old.get(&(SectionId::Memory as u8)), 1, &entries(&memories)?)?);
    // None is a function's.
    old.get(&(SectionId::Global as u8)).into_iter().for_each(|bytes| put(SectionId::Global, bytes));
    if let Some(bytes) = old.get(&(SectionId::Export as u8)) {
        out.section(&exports(bytes, &added)?);
    }
    if let Some(bytes) = old.get(&(SectionId::Start as u8)) {
        // A function without arguments: none of those that are called instead.
        out.section(&RawSection { id: SectionId::Start as u8, data: bytes });
    }
    if let Some(bytes) = old.get(&(SectionId::Element as u8)) {
        out.section(&elements(bytes, &instead)?);
    }
    if let Some(bytes) = old.get(&(SectionId::DataCount as u8)) {
        out.section(&RawSection { id: SectionId::DataCount as u8, data: bytes });
    }
    out.section(&code(module, &around, &added)?);
    if let Some(bytes) = old.get(&(SectionId::Data as u8)) {
        out.section(&data(bytes)?);
    }
    Ok(out.finish())
}

/// A new section's entries alone.
fn entries(section: &impl Section) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    section.encode(&mut bytes);
    let mut reader = BinaryReader::new(&bytes, 0);
    reader.read_var_u32()?; // its size
    reader.read_var_u32()?; // how many
    Ok(reader.read_bytes(reader.bytes_remaining())?.to_vec())
}

