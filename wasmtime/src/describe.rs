//! A component's imports and exports, with their types written out as text.
use std::ffi::c_void;
use std::fmt::Write;

use wasmtime_c_api::wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime_c_api::wasmtime::component::{Component, ResourceType, Type};
use wasmtime_c_api::wasmtime_component_t;

use crate::call::component_of;

/// What `enclave_component_each` reports; the values are part of the C interface.
#[repr(i32)]
#[derive(Clone, Copy)]
pub enum ItemKind {
    Func = 0,
    Resource = 1,
    Type = 2,
    Instance = 3,
    Other = 4,
}

/// Gets one item: the instance that holds it (empty at the top level), its name, its kind, its type as text.
type Visitor =
    extern "C" fn(*mut c_void, *const u8, usize, *const u8, usize, ItemKind, *const u8, usize);

/// Longer texts end here: none of ours is as long. A type can name another one a million times, and each can have names
/// of 100,000 bytes.
const TEXT_MAX: usize = 65536;

/// The first name under which each resource type was seen: `use`d resources come again under the same identity.
#[derive(Default)]
struct Names(Vec<(ResourceType, String)>);

impl Names {
    fn add(&mut self, ty: ResourceType, name: &str) {
        if !self.0.iter().any(|(seen, _)| *seen == ty) {
            self.0.push((ty, name.to_string()));
        }
    }
    fn get(&self, ty: &ResourceType) -> &str {
        self.0.iter().find(|(seen, _)| seen == ty).map_or("?", |(_, name)| name)
    }
}

fn list(out: &mut String, names: &Names, open: &str, types: impl Iterator<Item = Type>, close: char) {
    out.push_str(open);
    for (i, ty) in types.enumerate() {
        if out.len() > TEXT_MAX {
            break;
        }
        if i > 0 {
            out.push(',');
        }
        write_type(out, names, &ty);
    }
    out.push(close);
}

fn named<'a>(
    out: &mut String,
    names: &Names,
    open: &str,
    items: impl Iterator<Item = (&'a str, Option<Type>)>,
) {
    out.push_str(open);
    for (i, (name, ty)) in items.enumerate() {
        if out.len() > TEXT_MAX {
            break;
        }
        if i > 0 {
            out.push(',');
        }
        out.push_str(name);
        if let Some(ty) = ty {
            out.push(':');
            write_type(out, names, &ty);
        }
    }
    out.push('}');
}

fn or_none(out: &mut String, names: &Names, ty: Option<Type>) {
    match ty {
        Some(ty) => write_type(out, names, &ty),
        None => out.push('_'),
    }
}

fn write_type(out: &mut String, names: &Names, ty: &Type) {
    let simple = match ty {
        Type::Bool => "bool",
        Type::S8 => "s8",
        Type::U8 => "u8",
        Type::S16 => "s16",
        Type::U16 => "u16",
        Type::S32 => "s32",
        Type::U32 => "u32",
        Type::S64 => "s64",
        Type::U64 => "u64",
        Type::Float32 => "f32",
        Type::Float64 => "f64",
        Type::Char => "char",
        Type::String => "string",
        Type::List(t) => return list(out, names, "list<", std::iter::once(t.ty()), '>'),
        Type::Option(t) => return list(out, names, "option<", std::iter::once(t.ty()), '>'),
        Type::Tuple(t) => return list(out, names, "tuple<", t.types(), '>'),
        Type::Record(t) => {
            return named(out, names, "record{", t.fields().map(|f| (f.name, Some(f.ty))));
        }
        Type::Variant(t) => return named(out, names, "variant{", t.cases().map(|c| (c.name, c.ty))),
        Type::Enum(t) => return named(out, names, "enum{", t.names().map(|n| (n, None))),
        Type::Flags(t) => return named(out, names, "flags{", t.names().map(|n| (n, None))),
        Type::Result(t) => {
            out.push_str("result<");
            or_none(out, names, t.ok());
            out.push(',');
            or_none(out, names, t.err());
            return out.push('>');
        }
        Type::Own(t) => return write!(out, "own<{}>", names.get(t)).unwrap_or(()),
        Type::Borrow(t) => return write!(out, "borrow<{}>", names.get(t)).unwrap_or(()),
        _ => "unsupported",
    };
    out.push_str(simple);
}

fn write_func(names: &Names, func: &ComponentFunc) -> String {
    let mut out = String::new();
    if func.async_() {
        out.push_str("async ");
    }
    list(&mut out, names, "(", func.params().map(|(_, ty)| ty), ')');
    out.push_str("->");
    list(&mut out, names, "(", func.results(), ')');
    out
}

struct Walk<'a> {
    component: &'a Component,
    names: Names,
    visit: Visitor,
    user: *mut c_void,
}

impl Walk<'_> {
    fn report(&self, instance: &str, name: &str, kind: ItemKind, ty: &str) {
        (self.visit)(
            self.user,
            instance.as_ptr(),
            instance.len(),
            name.as_ptr(),
            name.len(),
            kind,
            ty.as_ptr(),
            ty.len(),
        );
    }

    fn item(&mut self, instance: &str, name: &str, item: &ComponentItem) {
        match item {
            ComponentItem::ComponentFunc(func) => {
                self.report(instance, name, ItemKind::Func, &write_func(&self.names, func))
            }
            ComponentItem::Resource(ty) => {
                self.names.add(*ty, name);
                self.report(instance, name, ItemKind::Resource, self.names.get(ty));
            }
            ComponentItem::Type(_) => self.report(instance, name, ItemKind::Type, ""),
            ComponentItem::ComponentInstance(inner) if instance.is_empty() => {
                self.report("", name, ItemKind::Instance, "");
                let engine = self.component.engine();
                // Resources first: functions may name one that the interface declares after them.
                let items: Vec<_> = inner.exports(engine).map(|(n, e)| (n, e.ty)).collect();
                for (n, ty) in items.iter().filter(|(_, t)| matches!(t, ComponentItem::Resource(_))) {
                    self.item(name, n, ty);
                }
                for (n, ty) in items.iter().filter(|(_, t)| !matches!(t, ComponentItem::Resource(_))) {
                    self.item(name, n, ty);
                }
            }
            _ => self.report(instance, name, ItemKind::Other, ""),
        }
    }
}

/// Call `visit` for every import (or export) of the component, each interface before what is in it.
///
/// # Safety
/// `visit` must not keep the texts: they live only during its call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn enclave_component_each(
    component: &wasmtime_component_t,
    exports: bool,
    visit: Visitor,
    user: *mut c_void,
) {
    let component = unsafe { component_of(component) };
    let ty = component.component_type();
    let mut walk = Walk { component, names: Names::default(), visit, user };
    if exports {
        ty.exports(component.engine()).for_each(|(name, e)| walk.item("", name, &e.ty));
    } else {
        ty.imports(component.engine()).for_each(|(name, e)| walk.item("", name, &e.ty));
    }
}
